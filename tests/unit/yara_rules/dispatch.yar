// SPDX-License-Identifier: Apache-2.0
// Rules for the dispatcher; each looks at the first bytes.

rule several
{
    meta:
        plugin = " B64Decode , hash,,entropy"

    condition:
        uint32be(0) == 0x6c697374
}

rule several_again
{
    meta:
        plugin = "hash"

    condition:
        uint32be(0) == 0x6c697374
}

rule keep_out
{
    meta:
        save = " FALSE "

    condition:
        uint32be(0) == 0x6e6f6e65
}

rule keep_out_boolean
{
    meta:
        save = false

    condition:
        uint32be(0) == 0x626f6f6c
}

rule keep
{
    meta:
        save = "True"

    condition:
        uint32be(0) == 0x6b656570
}

rule nonsense
{
    meta:
        plugin = 7
        save = 8

    condition:
        uint32be(0) == 0x6f646421
}

rule xor_text
{
    meta:
        plugin = "xordecode"
        xor_plaintext_for_string_prog = "This program"
        xor_plaintext_for_string_multi = "This program"
        xor_plaintext_for_string_other = "not of this length"

    strings:
        $prog = "This program" xor(1-255)
        $multi = "Ujjr\"ssmdscn"
        $other = "other"

    condition:
        any of them
}
