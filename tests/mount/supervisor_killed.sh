#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the supervisor: the mirror takes the mount away, and another can be made.
. "$(dirname "$0")/lib.sh"

echo x >"$SRC/x"
mount_fs
equal "reads" "$(cat "$MNT/x")" x
kill -9 "$MOUNT_PID"
wait "$MOUNT_PID" 2>/dev/null || :
MOUNT_PID=
not_mounted() { ! is_mounted; }
eventually not_mounted
none_left() { ! pgrep -f "^stoqfs: [a-z]* $MNT\$" >/dev/null; }
eventually none_left
mount_fs
equal "again" "$(cat "$MNT/x")" x
umount_fs
