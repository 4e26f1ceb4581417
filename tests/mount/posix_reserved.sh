#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Space that the source keeps from users is kept from them on the mount, too: blocks that
# ext4 reserves for root, which takes the same right to use as going beyond a quota.
. "$(dirname "$0")/lib.sh"

truncate -s 32M "$WORK/image"
mkfs.ext4 -qF -m 50 "$WORK/image"
mount -o loop "$WORK/image" "$SRC"
end_source() { umount "$SRC"; }
AT_END+=(end_source)
mkdir -m 777 "$SRC/all"
mount_fs -a hash --log-level warning
equal "free for users" "$(stat -f -c %a "$MNT")" "$(stat -f -c %a "$SRC")"
as_nobody dd if=/dev/zero of="$MNT/all/user" bs=64k 2>"$WORK/err" && fail "a user filled it all"
check "says so" grep -q 'No space left' "$WORK/err"
size=$(stat -c %s "$SRC/all/user")
[ "$size" -lt 17000000 ] || fail "a user used the blocks of root: $size bytes"
as_nobody fallocate -l 30M "$MNT/all/other" 2>"$WORK/err" && fail "a user allocated it all"
as_nobody mkdir "$MNT/all/dir" 2>"$WORK/err" && fail "a user made a directory in the blocks of root"
dd if=/dev/zero of="$MNT/all/root" bs=64k count=64 2>"$WORK/err" || fail "root may use them: $(cat "$WORK/err")"
umount_fs
