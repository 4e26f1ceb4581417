#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Where restarting the mirror ends: unmounted or told to stop in the middle of it, and a
# mirror that cannot live. No mount and no process is left behind.
. "$(dirname "$0")/lib.sh"

mirror() { pgrep -f "^stoqfs: mirror $MNT\$"; }
none_left() { ! pgrep -f "^stoqfs: [a-z]* $MNT\$" >/dev/null; }

echo x >"$SRC/x"
mount_fs -a hash
[ "$(status_of .restart)" = '"on"' ] || { umount_fs; exit 77; }
for _ in 1 2 3; do
    [ -n "$MOUNT_PID" ] || mount_fs -a hash
    equal "reads" "$(cat "$MNT/x")" x
    kill -9 "$(mirror)"
    umount_fs
    eventually none_left
done
for _ in 1 2 3; do
    mount_fs -a hash
    equal "reads" "$(cat "$MNT/x")" x
    kill -9 "$(mirror)"
    kill "$MOUNT_PID"
    status=0
    wait "$MOUNT_PID" || status=$?
    MOUNT_PID=
    equal "told to stop" "$status" 0
    is_mounted && fail "still mounted"
    eventually none_left
done

# the zygote dies as well
mount_fs -a hash
kill -9 "$(mirror)" "$(pgrep -f "^stoqfs: zygote $MNT\$")"
equal "reads" "$(cat "$MNT/x")" x
echo y >"$MNT/y"
equal "scans" "$(jq -r .verdict "$MNT/y.stoq.json")" clean
umount_fs

# without file handles the mount ends with its mirror, and says so beforehand
setpriv --bounding-set=-dac_read_search "$STOQFS" -f --state-dir "$STATE" -a hash \
    "$SRC" "$MNT" >>"$WORK/log" 2>&1 &
MOUNT_PID=$!
eventually mounted_or_dead
equal "restart" "$(jq '.restart | startswith("off: ")' "$MNT/.stoq/status.json")" true
check "it is in the log" grep -q 'restart off: ' "$WORK/log"
kill -9 "$(mirror)"
status=0
wait "$MOUNT_PID" || status=$?
MOUNT_PID=
equal "its end" "$status" 1
is_mounted && fail "still mounted"
eventually none_left

mount_fs -a hash
killed=
another() {
    local now
    is_gone "$MOUNT_PID" && return 0
    now=$(mirror) || return 1
    [ "$now" != "$killed" ] || return 1
    killed=$now
    kill -9 "$now" 2>/dev/null || :
    return 1
}
end=$((SECONDS + DEADLINE))
until another; do
    [ "$SECONDS" -lt "$end" ] || fail "the mount does not end"
done
status=0
wait "$MOUNT_PID" || status=$?
MOUNT_PID=
equal "given up" "$status" 1
is_mounted && fail "still mounted"
check "a line says why" grep -q 'mirrors in a row died as soon as they were started' "$WORK/log"
eventually none_left
mount_fs -a hash
equal "mounted again" "$(cat "$MNT/x")" x
umount_fs
