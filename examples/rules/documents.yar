// SPDX-License-Identifier: Apache-2.0
//
// Documents that carry what a document has no reason to carry. Shows private rules,
// hex strings with jumps, and conditions over the places of a string.

private rule is_rtf
{
    strings:
        $head = "{\\rt"

    condition:
        $head at 0
}

private rule is_pdf
{
    strings:
        $head = "%PDF-"

    condition:
        $head in (0 .. 1024)
}

rule Document_With_Executable : document dropper
{
    meta:
        author = "The stoqfs authors"
        description = "An RTF or PDF file with a Windows program in it, as it is"
        score = 80

    strings:
        // The start of a program, with the usual text of its DOS part.
        $program = { 4D 5A [58-250] 54 68 69 73 20 70 72 6F 67 72 61 6D }

    condition:
        (is_rtf or is_pdf) and
        for any i in (1 .. #program) : (
            uint32(@program[i] + uint32(@program[i] + 0x3c)) == 0x00004550
        )
}

rule RTF_Object_With_Executable : document dropper
{
    meta:
        author = "The stoqfs authors"
        description = "An RTF object whose hexadecimal data is a package with a program"
        score = 80

    strings:
        $object = "\\objdata" nocase
        // "Package", then "MZ" and "This program", all written as hexadecimal digits.
        $package = "5061636b61676500" nocase
        $program = /4d5a[0-9a-f\r\n]{100,400}546869732070726f6772616d/ nocase

    condition:
        is_rtf and all of them
}
