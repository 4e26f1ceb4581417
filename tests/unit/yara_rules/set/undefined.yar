// SPDX-License-Identifier: Apache-2.0
// An identifier that is none of the external variables either.
rule undefined
{
    condition:
        file_name == "x"
}
