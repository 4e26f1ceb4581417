#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the mirror while opens wait for a slow scan, and while written files wait
# to be scanned: the opens go on waiting, and all results come.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_inject.sh"

mirror() { pgrep -f "^stoqfs: mirror $MNT\$"; }
restarted() { status_is .mirror_restarts "$1"; }

echo "HOLD this one" >"$SRC/held"
mount_fs "${INJECT[@]}" -o scanners=1
[ "$(status_of .restart)" = '"on"' ] || { umount_fs; exit 77; }
cat "$MNT/held" >"$WORK/out" &
reader=$!
eventually status_is '.waiting' 1
for i in $(seq 20); do echo "written $i" >"$MNT/f$i"; done
exec {late}>"$MNT/late"
echo "before" >&"$late"
for i in 1 2 3; do
    kill -9 "$(mirror)"
    eventually restarted "$i"
    eventually status_is '.waiting' 1
    is_gone "$reader" && fail "the reader did not wait"
done
# scanners of the mirror before are gone, or the only one would be held for ever
equal "scanners" "$(pgrep -fc "^stoqfs: scanner $MNT\$")" 1
echo "after" >&"$late"
exec {late}>&-
open_gate 1
wait "$reader" || fail "the reader saw an error"
equal "bytes" "$(cat "$WORK/out")" "HOLD this one"
# nobody opens the written files
listed() { [ "$(find "$MNT" -name '*.stoq.json' | wc -l)" -eq 22 ]; }
eventually listed
equal "size" "$(jq '.results[0].size' "$MNT/late.stoq.json")" 13
equal "name" "$(jq -r '.results[0].payload_meta.extra_data.filename' "$MNT/late.stoq.json")" late
umount_fs
