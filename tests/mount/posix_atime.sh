#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Access times: reading through the mount leaves one in the source as reading there would,
# not with noatime or ro; what the mount reads for itself leaves none.
. "$(dirname "$0")/lib.sh"

old='2001-01-01 00:00:00'
prepare() {
    rm -rf "${SRC:?}"/*
    mkdir "$SRC/dir"
    echo bytes >"$SRC/dir/file"
    echo bytes >"$SRC/dir/other"
    # older than the change, so that the first reading counts under relatime
    touch -a -d "$old" "$SRC/dir/file" "$SRC/dir/other" "$SRC/dir"
}
is_old() { [ "$(stat -c %X "$SRC/$1")" -eq "$(date -d "$old" +%s)" ]; }
is_new() { ! is_old "$1"; }
watched() { status_is .watch.complete true; }
quiet() { status_is '.queued + .running' 0; }

prepare
mount_fs -a hash
eventually watched
check "the walk leaves no time" is_old dir
equal "a scan for a sidecar" "$(jq -r .verdict "$MNT/dir/other.stoq.json")" clean
check "leaves no time" is_old dir/other
mkdir "$MNT/made"
touch -a -d "$old" "$MNT/made"
echo new >"$SRC/made/behind"
eventually sidecar_ready "$MNT/made/behind"
eventually quiet
touch -a -d "$old" "$MNT/made"
check "the new directory" is_old made
cat "$MNT/dir/file" >/dev/null
check "reading does" is_new dir/file
ls "$MNT/dir" >/dev/null
check "listing does" is_new dir
umount_fs

for options in noatime ro; do
    prepare
    mount_fs -a hash -o "$options"
    cat "$MNT/dir/file" >/dev/null
    ls "$MNT/dir" >/dev/null
    check "reading with $options" is_old dir/file
    check "listing with $options" is_old dir
    umount_fs
done
prepare
mount_fs -a hash -o nodiratime
cat "$MNT/dir/file" >/dev/null
ls "$MNT/dir" >/dev/null
check "reading with nodiratime" is_new dir/file
check "listing with nodiratime" is_old dir
umount_fs
