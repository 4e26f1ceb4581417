#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Scans that have not ended when the mount does are kept: the next mount does them
# without anybody opening the files.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_inject.sh"

mount_fs "${INJECT[@]}" -o scanners=1
echo "HOLD the only scanner" >"$MNT/first"
for i in $(seq 30); do echo "written $i" >"$MNT/f$i"; done
mkdir "$MNT/sub"
echo deep >"$MNT/sub/deep"
queued() { [ "$(jq '.running == 1 and .queued >= 31' "$MNT/.stoq/status.json")" = true ]; }
eventually queued
umount_fs
check "they are written down" test -s "$STATE/pending"
mount_fs "${INJECT[@]}" -o scanners=1
open_gate 1
eventually status_is '.queued + .running' 0
equal "all are scanned" "$(find "$MNT" -name '*.stoq.json' | wc -l)" 32
[ ! -e "$STATE/pending" ] || fail "still written down"
umount_fs
