#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A remounted tree is read without one scan; a byte changed behind the mount, mtime put
# back, makes exactly that file be scanned again; SIGTERM ends cleanly.
. "$(dirname "$0")/lib.sh"

# without the letters that are written below: each is a change
for i in $(seq 50); do head -c $((i * 100)) /dev/urandom | tr XY xy >"$SRC/f$i"; done
read_all() { cat "$MNT"/f? "$MNT"/f?? >/dev/null; }
mount_fs
read_all
equal "scans" "$(status_of .scans)" 50
id=$(getfattr --absolute-names --only-values -n user.stoq.scan_id "$MNT/f7")
umount_fs

mount_fs
read_all
equal "scans after remount" "$(status_of .scans)" 0
equal "same result" "$(getfattr --absolute-names --only-values -n user.stoq.scan_id "$MNT/f7")" "$id"
equal "sidecars are listed" "$(find "$MNT" -name '*.stoq.json' | wc -l)" 50
umount_fs

touch -r "$SRC/f9" "$WORK/stamp"
printf X | dd of="$SRC/f9" bs=1 seek=10 conv=notrunc status=none
touch -r "$WORK/stamp" "$SRC/f9"
mount_fs
read_all
equal "exactly one scan" "$(status_of .scans)" 1
# and while mounted
printf Y | dd of="$SRC/f8" bs=1 seek=3 conv=notrunc status=none
cmp "$SRC/f8" "$MNT/f8" || fail "old bytes through the mount"
eventually status_is '.queued + .running' 0
equal "one more" "$(status_of .scans)" 2

kill -TERM "$MOUNT_PID"
status=0
wait "$MOUNT_PID" || status=$?
MOUNT_PID=
equal "exit status after SIGTERM" "$status" 0
is_mounted && fail "still mounted"
check_log
