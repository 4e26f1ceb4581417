#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trees with all that a file can have, copied into the mount and out of it by rsync and
# tar: owners, modes, times, links, holes, extended attributes, ACLs, odd names.
. "$(dirname "$0")/lib.sh"

t=$WORK/tree
mkdir -p "$t/a/b" "$t/empty"
for i in $(seq 40); do head -c $((i * 977)) /dev/urandom >"$t/a/f$i"; done
ln "$t/a/f1" "$t/a/b/hard"
ln -s ../f2 "$t/a/b/soft"
ln -s nowhere "$t/dangling"
mkfifo "$t/fifo"
mknod "$t/device" c 1 7
printf x >"$t/$(printf 'raw\377\001name')"
chmod 6751 "$t/a/f3"
chmod 3777 "$t/empty"
chown 12345:54321 "$t/a/f4" "$t/a/b"
touch -d '1999-12-31 23:59:59.123456789' "$t/a/f5"
touch -d '2038-02-01 00:00:00.5' "$t/a/b"
setfattr -n user.note -v hello "$t/a/f5"
setfattr -n user.binary -v 0x00ff00 "$t/a/b"
setfattr -n trusted.note -v root "$t/a/f6"
setfacl -m u:12345:r,g:54321:rw "$t/a/f7"
setfacl -d -m u:12345:rwx "$t/a/b"
truncate -s 20M "$t/sparse"
printf middle | dd of="$t/sparse" bs=1 seek=9000000 conv=notrunc status=none
printf end | dd of="$t/sparse" bs=1 seek=20000000 conv=notrunc status=none

same() { # A B: every byte and all beside it, sidecars aside; times of links, too
    rsync -aHAXnci --delete --exclude='*.stoq.json' "$1/" "$2/" >"$WORK/diff"
    [ ! -s "$WORK/diff" ] || fail "$2 differs from $1: $(head -n 3 "$WORK/diff")"
}
is_sparse() { [ "$(stat -c %b "$1")" -lt 2000 ] || fail "$1 has no holes: $(stat -c %b "$1") blocks"; }

mount_fs -a hash --log-level warning -o dev,suid
rsync -aHAXS --checksum "$t/" "$MNT/rsync/"
same "$t" "$MNT/rsync"
same "$t" "$SRC/rsync"
is_sparse "$SRC/rsync/sparse"
rsync -aHAXS --checksum --exclude='*.stoq.json' "$MNT/rsync/" "$WORK/back/"
same "$t" "$WORK/back"
equal "what is there is not sent again" "$(rsync -aHAXi --checksum --exclude='*.stoq.json' "$t/" "$MNT/rsync/")" ""
printf changed | dd of="$t/a/f9" bs=1 seek=100 conv=notrunc status=none
rsync -aHAX --inplace "$t/" "$MNT/rsync/"
rm "$t/a/f10"
rsync -aHAX --delete --exclude='*.stoq.json' "$t/" "$MNT/rsync/"
same "$t" "$SRC/rsync"

tar=(tar --xattrs --xattrs-include='*' --acls --numeric-owner --sparse)
"${tar[@]}" -C "$t" -cf "$WORK/in.tar" .
mkdir "$MNT/tar" "$WORK/untar"
"${tar[@]}" -C "$MNT/tar" -xpf "$WORK/in.tar" 2>"$WORK/err" # it warns of times to come
same "$t" "$SRC/tar"
is_sparse "$SRC/tar/sparse"
"${tar[@]}" -C "$MNT/tar" --exclude='*.stoq.json' -cf "$WORK/out.tar" .
[ "$(stat -c %s "$WORK/out.tar")" -lt 5000000 ] || fail "tar found no holes through the mount"
"${tar[@]}" -C "$WORK/untar" -xpf "$WORK/out.tar" 2>"$WORK/err"
same "$t" "$WORK/untar"
"${tar[@]}" -C "$MNT/tar" --compare -f "$WORK/in.tar" >"$WORK/diff" 2>&1 || fail "tar --compare: $(head -n 3 "$WORK/diff")"

cp -a --sparse=always "$t" "$MNT/cp"
same "$t" "$SRC/cp"
# within the mount, where sidecars cannot be copied to
rsync -aHAXS --exclude='*.stoq.json' "$MNT/cp/" "$MNT/cp2/"
same "$t" "$SRC/cp2"
mv "$MNT/cp2" "$MNT/moved"
same "$t" "$SRC/moved"
rm -rf "$MNT/cp" "$MNT/moved" "$MNT/tar" "$MNT/rsync"
equal "all is removed" "$(ls -A "$SRC")" ""
umount_fs
