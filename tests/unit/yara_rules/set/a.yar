// SPDX-License-Identifier: Apache-2.0
// Matches of several kinds, for exact comparison.

private rule hidden
{
    condition:
        true
}

rule secret : demo tag2
{
    meta:
        author = "first"
        author = "tests"
        score = 42
        low = -1
        good = true

    strings:
        $a = "secret" nocase
        $b = { DE AD BE EF }

    condition:
        hidden and any of them
}
