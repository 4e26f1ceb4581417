#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Enforce: flagged files cannot be read, by any way of opening; policy can be changed.
. "$(dirname "$0")/lib.sh"

eicar >"$SRC/bad.com"
echo fine >"$SRC/fine"
mount_fs -o enforce
out=$(cat "$MNT/bad.com" 2>&1) && fail "a flagged file was read"
[[ $out == *"Operation not permitted"* ]] || fail "errno: $out"
cp "$MNT/bad.com" "$WORK/copy" 2>/dev/null && fail "copied"
dd if="$MNT/bad.com" of=/dev/null status=none 2>/dev/null && fail "dd read it"
( : <>"$MNT/bad.com" ) 2>/dev/null && fail "opened for reading and writing"
equal "fine" "$(cat "$MNT/fine")" fine
equal "sidecar stays" "$(jq -r .verdict "$MNT/bad.com.stoq.json")" flagged
equal "denied is counted" "$(jq '.denied >= 3' "$MNT/.stoq/status.json")" true
[ -L "$MNT/.stoq/flagged/$(getfattr --absolute-names --only-values -n user.stoq.scan_id "$MNT/bad.com")" ] ||
    fail "not under .stoq/flagged"
# a hard link is the same bytes
ln "$MNT/bad.com" "$MNT/other.com"
cat "$MNT/other.com" 2>/dev/null && fail "read by another name"
# overwriting makes it another file
echo clean now >"$MNT/bad.com"
equal "after overwriting" "$(cat "$MNT/bad.com")" "clean now"
rm "$MNT/other.com"
# what is written is denied as soon as it is read
eicar >"$MNT/again.com"
cat "$MNT/again.com" 2>/dev/null && fail "read after writing"
umount_fs

# rules that look at names: a new name is another question, whoever gave it
mkdir "$WORK/names"
printf 'rule exe { condition: extension contains "exe" }\n' >"$WORK/names/exe.yar"
mount_fs -o enforce -a hash,yara --plugin-opts "yara:worker_rules=$WORK/names"
for f in moved linked behind; do
    echo "harmless $f" >"$SRC/$f.txt"
    eventually cmp -s "$SRC/$f.txt" "$MNT/$f.txt"
done
mv "$MNT/moved.txt" "$MNT/moved.exe"
ln "$MNT/linked.txt" "$MNT/linked.exe"
mv "$SRC/behind.txt" "$SRC/behind.exe"
for f in moved linked; do
    cat "$MNT/$f.exe" 2>/dev/null && fail "$f.exe was read"
done
denied_behind() { [ -e "$MNT/behind.exe" ] && ! cat "$MNT/behind.exe" >/dev/null 2>&1; }
eventually denied_behind
equal "the document has the name" \
    "$(jq -r '.results[0].payload_meta.extra_data.filename' "$MNT/moved.exe.stoq.json")" moved.exe
umount_fs

mount_fs -o enforce,on_flagged=allow
equal "allowed by policy" "$(cat "$MNT/again.com")" "$(eicar)"
umount_fs
