#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the source refuses, the caller is told at once: a full disk, a file too large for
# the limit of the process, a name too long, a filesystem that is read-only. Space is
# counted as there.
. "$(dirname "$0")/lib.sh"

mount -t tmpfs -o size=4M,mode=755 tmpfs "$SRC"
end_source() { umount "$SRC"; }
AT_END+=(end_source)
echo small >"$SRC/small"
mount_fs -a hash --log-level warning
equal "blocks" "$(stat -f -c '%b %S' "$MNT")" "$(stat -f -c '%b %S' "$SRC")"
says() { # TEXT COMMAND...
    local text=$1
    shift
    "$@" 2>"$WORK/err" >&2 && fail "no error: $*"
    check "$* says '$text'" grep -q "$text" "$WORK/err"
}
says 'No space left' dd if=/dev/zero of="$MNT/large" bs=64k count=200
equal "the same is there" "$(stat -c %s "$MNT/large")" "$(stat -c %s "$SRC/large")"
says 'No space left' fallocate -l 8M "$MNT/other"
rm -f "$MNT/large" "$MNT/other"
# a scan of what was removed may hold it for a moment
eventually dd if=/dev/zero of="$MNT/again" bs=64k count=40 status=none 2>/dev/null
rm "$MNT/again"
says 'File name too long' touch "$MNT/$(printf 'n%.0s' $(seq 256))"
(
    trap '' XFSZ
    ulimit -f 64
    says 'File too large' dd if=/dev/zero of="$MNT/limited" bs=16k count=10
    equal "up to the limit" "$(stat -c %s "$MNT/limited")" 65536
) || fail "limit of file size"
eventually mount -o remount,ro "$SRC" 2>/dev/null
says 'Read-only' touch "$MNT/no"
says 'Read-only' rm "$MNT/small"
equal "is still read" "$(cat "$MNT/small")" small
umount_fs
