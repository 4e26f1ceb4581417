#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# -o ro: files and results are read, nothing can be changed.
. "$(dirname "$0")/lib.sh"

echo one >"$SRC/one"
mount_fs -o ro
equal "read" "$(cat "$MNT/one")" one
equal "result" "$(jq -r .verdict "$MNT/one.stoq.json")" clean
for change in "touch $MNT/new" "rm -f $MNT/one" "mv $MNT/one $MNT/two" "chmod 600 $MNT/one" \
    "mkdir $MNT/dir" "truncate -s 0 $MNT/one" "setfattr -n user.x -v y $MNT/one"; do
    out=$($change 2>&1) && fail "succeeded: $change"
    [[ $out == *"Read-only file system"* ]] || fail "$change: $out"
done
equal "unchanged" "$(ls -A "$SRC")" one
umount_fs
