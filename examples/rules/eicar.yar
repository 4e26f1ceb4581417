// SPDX-License-Identifier: Apache-2.0
//
// The EICAR anti-malware test file, as its specification has it: the 68 characters are
// the start of the file, only white space may follow, and the file has at most 128 bytes.
// Everybody can make one to see that scanning works; it does no harm.

rule EICAR_Test_File : test
{
    meta:
        author = "The stoqfs authors"
        description = "EICAR anti-malware test file"
        reference = "https://www.eicar.org/download-anti-malware-testfile/"

    strings:
        $eicar = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

    condition:
        $eicar at 0 and filesize <= 128 and
        (
            filesize == 68 or
            for all i in (68 .. filesize - 1) : (
                uint8(i) == 0x20 or uint8(i) == 0x09 or uint8(i) == 0x0a or
                uint8(i) == 0x0d or uint8(i) == 0x1a
            )
        )
}
