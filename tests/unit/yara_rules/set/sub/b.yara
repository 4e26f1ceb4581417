// SPDX-License-Identifier: Apache-2.0
// The name is that of a rule in another file; the global rule holds for this file alone.

global rule short_file
{
    condition:
        filesize < 64
}

rule secret
{
    strings:
        $a = "secret"

    condition:
        $a
}
