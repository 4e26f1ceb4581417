// SPDX-License-Identifier: Apache-2.0
// Rules that look at more than the bytes.

rule double_extension
{
    condition:
        filename matches /\.pdf\.exe$/ and extension == ".exe"
}

rule in_upload
{
    condition:
        filepath contains "/upload/"
}

rule program_called_text
{
    condition:
        filetype == "EXE" and extension == ".txt"
}

rule of_nobody
{
    condition:
        owner == "nobody"
}
