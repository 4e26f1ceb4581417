// SPDX-License-Identifier: Apache-2.0
//
// Windows programs that pretend to be something else. Shows the pe module and regular
// expressions on its fields.

import "pe"

rule PE_Original_Name_With_Two_Extensions : executable masquerade
{
    meta:
        author = "The stoqfs authors"
        description = "A program whose own name is that of a document, as in bill.pdf.exe"
        score = 70

    condition:
        pe.is_pe and
        pe.version_info["OriginalFilename"] matches
            /\.(pdf|docx?|xlsx?|pptx?|rtf|txt|jpe?g|png|zip)[ _]*\.(exe|scr|com|pif)$/i
}
