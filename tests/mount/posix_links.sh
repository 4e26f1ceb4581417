#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A file with several names is scanned once and has one verdict, and a sidecar by each name;
# a name that is made, moved or removed later changes nothing of it but its sidecar.
. "$(dirname "$0")/lib.sh"

mkdir "$SRC/a" "$SRC/b"
eicar >"$SRC/a/one"
ln "$SRC/a/one" "$SRC/b/two"
ln "$SRC/a/one" "$SRC/three"
mount_fs
scan_id() { getfattr --absolute-names --only-values -n user.stoq.scan_id "$1" 2>/dev/null; }
cat "$MNT/a/one" >/dev/null
id=$(scan_id "$MNT/a/one")
for f in a/one b/two three; do
    equal "bytes of $f" "$(cat "$MNT/$f")" "$(eicar)"
    equal "verdict of $f" "$(verdict_of "$MNT/$f")" flagged
    equal "scan of $f" "$(scan_id "$MNT/$f")" "$id"
    equal "sidecar of $f" "$(jq -r .scan_id "$MNT/$f.stoq.json")" "$id"
done
equal "scans" "$(status_of .scans)" 1
listed() { find "$MNT" -name '*.stoq.json' -printf '%P\n' | sort | tr '\n' ' '; }
equal "listed" "$(listed)" "a/one.stoq.json b/two.stoq.json three.stoq.json "

# The document shows a name, and rules may look at it: a new name is asked for again,
# which for known bytes takes no scan.
ln "$MNT/three" "$MNT/b/four"
equal "verdict of a new name" "$(verdict_of "$MNT/b/four")" flagged
mv "$MNT/three" "$MNT/a/moved"
rm "$MNT/a/one"
equal "verdict of a moved one" "$(verdict_of "$MNT/a/moved")" flagged
for f in a/moved b/two b/four; do
    equal "sidecar of $f" "$(jq -r .scan_id "$MNT/$f.stoq.json")" "$(scan_id "$MNT/$f")"
done
[ ! -e "$MNT/a/one.stoq.json" ] || fail "a sidecar without its file"
equal "listed" "$(listed)" "a/moved.stoq.json b/four.stoq.json b/two.stoq.json "
equal "scans" "$(status_of .scans)" 1

# one name is written by, all have the new result
echo harmless >"$MNT/b/two"
for f in a/moved b/two b/four; do
    equal "new bytes of $f" "$(cat "$MNT/$f")" harmless
    equal "new verdict of $f" "$(verdict_of "$MNT/$f")" clean
done
equal "scans" "$(status_of .scans)" 2

# forgotten by one name, forgotten by all
id=$(scan_id "$MNT/a/moved")
rm "$MNT/b/two.stoq.json"
gone() { [ -z "$(listed)" ]; }
eventually gone
[ "$(scan_id "$MNT/a/moved")" != "$id" ] || fail "the result was not forgotten"
equal "made again" "$(verdict_of "$MNT/b/four")" clean
umount_fs

# enforced by every name
rm -rf "${SRC:?}"/*
eicar >"$SRC/one"
ln "$SRC/one" "$SRC/two"
mount_fs -o enforce
for f in one two; do
    cat "$MNT/$f" >/dev/null 2>"$WORK/err" && fail "$f was read"
    check "EPERM" grep -q 'not permitted' "$WORK/err"
done
umount_fs
