#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job: read a file, get its result.
. "$(dirname "$0")/lib.sh"

echo hello >"$SRC/hello.txt"
eicar >"$SRC/bad.com"
mkdir "$SRC/sub"
echo deep >"$SRC/sub/deep.txt"

mount_fs
equal "content" "$(cat "$MNT/hello.txt")" hello
eventually sidecar_ready "$MNT/hello.txt"
equal "sha256" "$(jq -r '.results[0].workers.hash.sha256' "$MNT/hello.txt.stoq.json")" \
    "$(sha256sum <"$SRC/hello.txt" | cut -d' ' -f1)"
equal "mimetype" "$(jq -r '.results[0].workers.mimetype.mimetype' "$MNT/hello.txt.stoq.json")" text/plain
equal "verdict" "$(verdict_of "$MNT/hello.txt")" clean
equal "naming a sidecar scans" "$(jq -r .verdict "$MNT/bad.com.stoq.json")" flagged
equal "observe lets read" "$(cat "$MNT/bad.com")" "$(eicar)"
equal "rule name" "$(jq -r '.results[0].workers.yara.matches[0].rule' "$MNT/bad.com.stoq.json")" \
    "$(yara "$STOQ_BUILD/plugins/yara/rules/eicar.yar" "$SRC/bad.com" | cut -d' ' -f1)"
equal "size of a sidecar" "$(stat -c %s "$MNT/bad.com.stoq.json")" "$(wc -c <"$MNT/bad.com.stoq.json")"

equal "listing" "$(ls -A "$MNT")" "$(printf '%s\n' bad.com bad.com.stoq.json hello.txt hello.txt.stoq.json sub)"
equal "unscanned has no sidecar" "$(ls -A "$MNT/sub")" deep.txt

# written files are scanned on close
echo fresh >"$MNT/new.txt"
eventually status_is '.queued + .running + .waiting' 0
eventually sidecar_ready "$MNT/new.txt"
equal "source got it" "$(cat "$SRC/new.txt")" fresh
before=$(status_of .scans)
equal "sha of the new bytes" "$(jq -r '.results[0].workers.hash.sha256' "$MNT/new.txt.stoq.json")" \
    "$(sha256sum <"$SRC/new.txt" | cut -d' ' -f1)"
cat "$MNT/hello.txt" "$MNT/bad.com" >/dev/null
equal "warm reads scan nothing" "$(status_of .scans)" "$before"

rm "$MNT/hello.txt.stoq.json"
[ ! -e "$SRC/hello.txt.stoq.json" ] || fail "a sidecar in the source"
umount_fs
