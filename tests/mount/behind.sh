#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Changes behind the mount: seen, and scanned in the background.
. "$(dirname "$0")/lib.sh"

mkdir "$SRC/d"
echo one >"$SRC/d/file"
mount_fs
equal "before" "$(cat "$MNT/d/file")" one
watching() { [ "$(status_of .watch.complete)" = true ]; }
eventually watching
echo two, longer >"$SRC/d/file"
now_two() { [ "$(cat "$MNT/d/file")" = "two, longer" ]; }
eventually now_two
echo fresh >"$SRC/d/fresh"
listed() { [ -s "$MNT/d/fresh.stoq.json" ]; }
scanned_unasked() { [ "$(find "$MNT/d" -name fresh.stoq.json | wc -l)" -eq 1 ]; }
eventually scanned_unasked
check "its result" listed
mkdir -p "$SRC/new/er/est"
echo deep >"$SRC/new/er/est/deep"
deep_scanned() { [ "$(find "$MNT/new" -name deep.stoq.json | wc -l)" -eq 1 ]; }
eventually deep_scanned
mv "$SRC/new" "$SRC/renamed"
gone() { [ ! -e "$MNT/new" ] && [ -e "$MNT/renamed/er/est/deep" ]; }
eventually gone
rm "$SRC/d/fresh"
vanished() { [ ! -e "$MNT/d/fresh" ] && [ ! -e "$MNT/d/fresh.stoq.json" ]; }
eventually vanished
umount_fs
