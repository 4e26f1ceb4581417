// SPDX-License-Identifier: Apache-2.0
//
// Scripts that hand a shell to the network. Shows text modifiers, regular expressions,
// tags and metas of all three kinds.

rule PHP_Runs_Request : webshell php
{
    meta:
        author = "The stoqfs authors"
        description = "PHP that runs what the request says"
        score = 90
        server_side = true

    strings:
        $php = "<?php" nocase
        $run = /\b(eval|assert|system|exec|shell_exec|passthru|popen)\s*\(\s*(base64_decode\s*\(\s*)?@?\$_(GET|POST|REQUEST|COOKIE)\s*\[/ nocase

    condition:
        filesize < 1MB and $php in (0 .. 4096) and $run
}

rule Shell_Connects_Back : backdoor shell
{
    meta:
        author = "The stoqfs authors"
        description = "A script that connects a shell to a remote address"
        score = 80

    strings:
        $bash = /\bbash\s+-i\s*[0-9]?>&\s*\/dev\/tcp\/[0-9A-Za-z.:-]{3,100}\/[0-9]{1,5}\s+0>&1/
        $exec = /\bexec\s+[0-9]{1,2}<>\s*\/dev\/tcp\/[0-9.]{7,15}\/[0-9]{1,5}/

    condition:
        uint16(0) == 0x2123 and filesize < 100KB and any of them
}

rule Script_Encoded_Powershell : dropper
{
    meta:
        author = "The stoqfs authors"
        description = "A short script that starts a hidden PowerShell with an encoded command"
        score = 70

    strings:
        $shell = "powershell" nocase ascii wide
        $hidden = /-w(indowstyle)?\s+(hidden|1)\b/ nocase ascii wide
        $encoded = /-e(nc|ncodedcommand)?\s+[A-Za-z0-9+\/]{200}/ nocase ascii wide

    condition:
        filesize < 256KB and uint16(0) != 0x5a4d and uint32(0) != 0x464c457f and
        all of them
}
