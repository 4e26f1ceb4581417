// SPDX-License-Identifier: Apache-2.0
// Sixty rules that match next to nothing, of the shapes that rule sets have: text, text
// of any case and width, bytes with gaps, regular expressions. bench.py takes them
// unless it is given others.

rule loader_text
{
    strings:
        $a = "bench-loader-marker-00" ascii wide nocase
        $b = "xloader_00::entry" fullword
    condition:
        any of them
}

rule loader_bytes
{
    strings:
        $a = { 21 8B 93 E8 ?? ?? 00 21 C3 93 [2-6] 5F 93 }
        $b = { 7F 93 21 4D 5A 21 93 90 }
    condition:
        all of them
}

rule loader_pattern
{
    strings:
        $a = /loader\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "loader-campaign-00"
    condition:
        all of them
}

rule implant_text
{
    strings:
        $a = "bench-implant-marker-01" ascii wide nocase
        $b = "ximplant_01::entry" fullword
    condition:
        any of them
}

rule implant_bytes
{
    strings:
        $a = { 28 8B A0 E8 ?? ?? 00 28 C3 A0 [2-6] 5F A0 }
        $b = { 7F A0 28 4D 5A 28 A0 90 }
    condition:
        all of them
}

rule implant_pattern
{
    strings:
        $a = /implant\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "implant-campaign-01"
    condition:
        all of them
}

rule stager_text
{
    strings:
        $a = "bench-stager-marker-02" ascii wide nocase
        $b = "xstager_02::entry" fullword
    condition:
        any of them
}

rule stager_bytes
{
    strings:
        $a = { 2F 8B AD E8 ?? ?? 00 2F C3 AD [2-6] 5F AD }
        $b = { 7F AD 2F 4D 5A 2F AD 90 }
    condition:
        all of them
}

rule stager_pattern
{
    strings:
        $a = /stager\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "stager-campaign-02"
    condition:
        all of them
}

rule beacon_text
{
    strings:
        $a = "bench-beacon-marker-03" ascii wide nocase
        $b = "xbeacon_03::entry" fullword
    condition:
        any of them
}

rule beacon_bytes
{
    strings:
        $a = { 36 8B BA E8 ?? ?? 00 36 C3 BA [2-6] 5F BA }
        $b = { 7F BA 36 4D 5A 36 BA 90 }
    condition:
        all of them
}

rule beacon_pattern
{
    strings:
        $a = /beacon\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "beacon-campaign-03"
    condition:
        all of them
}

rule dropper_text
{
    strings:
        $a = "bench-dropper-marker-04" ascii wide nocase
        $b = "xdropper_04::entry" fullword
    condition:
        any of them
}

rule dropper_bytes
{
    strings:
        $a = { 3D 8B C7 E8 ?? ?? 00 3D C3 C7 [2-6] 5F C7 }
        $b = { 7F C7 3D 4D 5A 3D C7 90 }
    condition:
        all of them
}

rule dropper_pattern
{
    strings:
        $a = /dropper\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "dropper-campaign-04"
    condition:
        all of them
}

rule keylog_text
{
    strings:
        $a = "bench-keylog-marker-05" ascii wide nocase
        $b = "xkeylog_05::entry" fullword
    condition:
        any of them
}

rule keylog_bytes
{
    strings:
        $a = { 44 8B D4 E8 ?? ?? 00 44 C3 D4 [2-6] 5F D4 }
        $b = { 7F D4 44 4D 5A 44 D4 90 }
    condition:
        all of them
}

rule keylog_pattern
{
    strings:
        $a = /keylog\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "keylog-campaign-05"
    condition:
        all of them
}

rule ransom_text
{
    strings:
        $a = "bench-ransom-marker-06" ascii wide nocase
        $b = "xransom_06::entry" fullword
    condition:
        any of them
}

rule ransom_bytes
{
    strings:
        $a = { 4B 8B E1 E8 ?? ?? 00 4B C3 E1 [2-6] 5F E1 }
        $b = { 7F E1 4B 4D 5A 4B E1 90 }
    condition:
        all of them
}

rule ransom_pattern
{
    strings:
        $a = /ransom\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "ransom-campaign-06"
    condition:
        all of them
}

rule wiper_text
{
    strings:
        $a = "bench-wiper-marker-07" ascii wide nocase
        $b = "xwiper_07::entry" fullword
    condition:
        any of them
}

rule wiper_bytes
{
    strings:
        $a = { 52 8B EE E8 ?? ?? 00 52 C3 EE [2-6] 5F EE }
        $b = { 7F EE 52 4D 5A 52 EE 90 }
    condition:
        all of them
}

rule wiper_pattern
{
    strings:
        $a = /wiper\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "wiper-campaign-07"
    condition:
        all of them
}

rule stealer_text
{
    strings:
        $a = "bench-stealer-marker-08" ascii wide nocase
        $b = "xstealer_08::entry" fullword
    condition:
        any of them
}

rule stealer_bytes
{
    strings:
        $a = { 59 8B FB E8 ?? ?? 00 59 C3 FB [2-6] 5F FB }
        $b = { 7F FB 59 4D 5A 59 FB 90 }
    condition:
        all of them
}

rule stealer_pattern
{
    strings:
        $a = /stealer\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "stealer-campaign-08"
    condition:
        all of them
}

rule miner_text
{
    strings:
        $a = "bench-miner-marker-09" ascii wide nocase
        $b = "xminer_09::entry" fullword
    condition:
        any of them
}

rule miner_bytes
{
    strings:
        $a = { 60 8B 08 E8 ?? ?? 00 60 C3 08 [2-6] 5F 08 }
        $b = { 7F 08 60 4D 5A 60 08 90 }
    condition:
        all of them
}

rule miner_pattern
{
    strings:
        $a = /miner\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "miner-campaign-09"
    condition:
        all of them
}

rule rootkit_text
{
    strings:
        $a = "bench-rootkit-marker-10" ascii wide nocase
        $b = "xrootkit_10::entry" fullword
    condition:
        any of them
}

rule rootkit_bytes
{
    strings:
        $a = { 67 8B 15 E8 ?? ?? 00 67 C3 15 [2-6] 5F 15 }
        $b = { 7F 15 67 4D 5A 67 15 90 }
    condition:
        all of them
}

rule rootkit_pattern
{
    strings:
        $a = /rootkit\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "rootkit-campaign-10"
    condition:
        all of them
}

rule backdoor_text
{
    strings:
        $a = "bench-backdoor-marker-11" ascii wide nocase
        $b = "xbackdoor_11::entry" fullword
    condition:
        any of them
}

rule backdoor_bytes
{
    strings:
        $a = { 6E 8B 22 E8 ?? ?? 00 6E C3 22 [2-6] 5F 22 }
        $b = { 7F 22 6E 4D 5A 6E 22 90 }
    condition:
        all of them
}

rule backdoor_pattern
{
    strings:
        $a = /backdoor\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "backdoor-campaign-11"
    condition:
        all of them
}

rule exfil_text
{
    strings:
        $a = "bench-exfil-marker-12" ascii wide nocase
        $b = "xexfil_12::entry" fullword
    condition:
        any of them
}

rule exfil_bytes
{
    strings:
        $a = { 75 8B 2F E8 ?? ?? 00 75 C3 2F [2-6] 5F 2F }
        $b = { 7F 2F 75 4D 5A 75 2F 90 }
    condition:
        all of them
}

rule exfil_pattern
{
    strings:
        $a = /exfil\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "exfil-campaign-12"
    condition:
        all of them
}

rule inject_text
{
    strings:
        $a = "bench-inject-marker-13" ascii wide nocase
        $b = "xinject_13::entry" fullword
    condition:
        any of them
}

rule inject_bytes
{
    strings:
        $a = { 7C 8B 3C E8 ?? ?? 00 7C C3 3C [2-6] 5F 3C }
        $b = { 7F 3C 7C 4D 5A 7C 3C 90 }
    condition:
        all of them
}

rule inject_pattern
{
    strings:
        $a = /inject\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "inject-campaign-13"
    condition:
        all of them
}

rule hollow_text
{
    strings:
        $a = "bench-hollow-marker-14" ascii wide nocase
        $b = "xhollow_14::entry" fullword
    condition:
        any of them
}

rule hollow_bytes
{
    strings:
        $a = { 83 8B 49 E8 ?? ?? 00 83 C3 49 [2-6] 5F 49 }
        $b = { 7F 49 83 4D 5A 83 49 90 }
    condition:
        all of them
}

rule hollow_pattern
{
    strings:
        $a = /hollow\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "hollow-campaign-14"
    condition:
        all of them
}

rule persist_text
{
    strings:
        $a = "bench-persist-marker-15" ascii wide nocase
        $b = "xpersist_15::entry" fullword
    condition:
        any of them
}

rule persist_bytes
{
    strings:
        $a = { 8A 8B 56 E8 ?? ?? 00 8A C3 56 [2-6] 5F 56 }
        $b = { 7F 56 8A 4D 5A 8A 56 90 }
    condition:
        all of them
}

rule persist_pattern
{
    strings:
        $a = /persist\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "persist-campaign-15"
    condition:
        all of them
}

rule lateral_text
{
    strings:
        $a = "bench-lateral-marker-16" ascii wide nocase
        $b = "xlateral_16::entry" fullword
    condition:
        any of them
}

rule lateral_bytes
{
    strings:
        $a = { 91 8B 63 E8 ?? ?? 00 91 C3 63 [2-6] 5F 63 }
        $b = { 7F 63 91 4D 5A 91 63 90 }
    condition:
        all of them
}

rule lateral_pattern
{
    strings:
        $a = /lateral\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "lateral-campaign-16"
    condition:
        all of them
}

rule payload_text
{
    strings:
        $a = "bench-payload-marker-17" ascii wide nocase
        $b = "xpayload_17::entry" fullword
    condition:
        any of them
}

rule payload_bytes
{
    strings:
        $a = { 98 8B 70 E8 ?? ?? 00 98 C3 70 [2-6] 5F 70 }
        $b = { 7F 70 98 4D 5A 98 70 90 }
    condition:
        all of them
}

rule payload_pattern
{
    strings:
        $a = /payload\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "payload-campaign-17"
    condition:
        all of them
}

rule shellcode_text
{
    strings:
        $a = "bench-shellcode-marker-18" ascii wide nocase
        $b = "xshellcode_18::entry" fullword
    condition:
        any of them
}

rule shellcode_bytes
{
    strings:
        $a = { 9F 8B 7D E8 ?? ?? 00 9F C3 7D [2-6] 5F 7D }
        $b = { 7F 7D 9F 4D 5A 9F 7D 90 }
    condition:
        all of them
}

rule shellcode_pattern
{
    strings:
        $a = /shellcode\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "shellcode-campaign-18"
    condition:
        all of them
}

rule webshell_text
{
    strings:
        $a = "bench-webshell-marker-19" ascii wide nocase
        $b = "xwebshell_19::entry" fullword
    condition:
        any of them
}

rule webshell_bytes
{
    strings:
        $a = { A6 8B 8A E8 ?? ?? 00 A6 C3 8A [2-6] 5F 8A }
        $b = { 7F 8A A6 4D 5A A6 8A 90 }
    condition:
        all of them
}

rule webshell_pattern
{
    strings:
        $a = /webshell\.(cfg|dat)\?id=[0-9a-f]{8}/
        $b = "webshell-campaign-19"
    condition:
        all of them
}
