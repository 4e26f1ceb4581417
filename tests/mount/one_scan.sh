#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A file opened by many at once is scanned once; opens of other files do not wait for it;
# an interrupted open leaves the scan running; a waiting reader parks no thread.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_inject.sh"

echo "HOLD one" >"$SRC/held"
for i in $(seq 20); do echo "plain $i" >"$SRC/plain$i"; done
mount_fs "${INJECT[@]}" -o scanners=2
pids=()
for i in $(seq 24); do
    cat "$MNT/held" >"$WORK/out$i" &
    pids+=($!)
done
eventually status_is '.waiting' 24
for i in $(seq 20); do
    equal "others do not wait" "$(cat "$MNT/plain$i")" "plain $i"
done
equal "still held" "$(status_of .waiting)" 24
kill -INT "${pids[0]}" # shells give background jobs no SIGINT: TERM follows
kill -TERM "${pids[0]}"
eventually is_gone "${pids[0]}"
eventually status_is '.waiting' 23
open_gate 1
for i in $(seq 2 24); do
    wait "${pids[$((i - 1))]}" || fail "a reader failed"
    equal "bytes" "$(cat "$WORK/out$i")" "HOLD one"
done
equal "scans" "$(status_of .scans)" 21
umount_fs
