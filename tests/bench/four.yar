// SPDX-License-Identifier: Apache-2.0
// Four tiny rules, as the original's figures were taken with.
rule text_nocase : bench
{
    strings:
        $a = "confidential" nocase
        $b = { DE AD BE EF }
    condition:
        any of them
}
private rule always { condition: true }
global rule not_huge { condition: filesize < 100MB }
rule zip { condition: uint16(0) == 0x4b50 and always }
