#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sidecars: the modes, what cannot be done to them, real files that look like them, masked
# xattrs, snapshots.
. "$(dirname "$0")/lib.sh"

echo one >"$SRC/one"
echo real >"$SRC/real"
echo '{"forged":true}' >"$SRC/real.stoq.json"
setfattr -n user.stoq.verdict -v forged "$SRC/one"
mount_fs
eq_errno() { # TEXT COMMAND...
    local text=$1 out
    shift
    out=$("$@" 2>&1) && fail "succeeded: $*"
    [[ $out == *"$text"* ]] || fail "$*: $out"
}
cat "$MNT/one" >/dev/null
eventually sidecar_ready "$MNT/one"
equal "a real file wins" "$(cat "$MNT/real.stoq.json")" '{"forged":true}'
equal "xattr cannot be forged" "$(verdict_of "$MNT/one")" clean
equal "nor set" "$(setfattr -n user.stoq.verdict -v x "$MNT/one" 2>&1 | grep -c 'not permitted')" 1
equal "nor is it listed" "$(getfattr -d "$MNT/one" 2>/dev/null | grep -c stoq || :)" 0
eq_errno "not permitted" sh -c ": > '$MNT/one.stoq.json'"
eq_errno "not permitted" mv "$MNT/one.stoq.json" "$MNT/elsewhere"
eq_errno "not permitted" ln "$MNT/one.stoq.json" "$MNT/elsewhere"
eq_errno "not permitted" chmod 777 "$MNT/one.stoq.json"
eq_errno "No such file" cat "$MNT/one.stoq.json.stoq.json"
eq_errno "No such file" cat "$MNT/nothing.stoq.json"
equal "mode" "$(stat -c %a "$MNT/one.stoq.json")" 444
chmod 600 "$MNT/one"
masked() { [ "$(stat -c %a "$MNT/one.stoq.json")" = 400 ]; }
eventually masked
# an open sidecar is a snapshot
exec 7<"$MNT/one.stoq.json"
before=$(cat "$MNT/one.stoq.json")
echo changed >"$MNT/one"
fresh() { [ "$(jq -r '.results[0].size' "$MNT/one.stoq.json")" = 8 ]; }
eventually fresh
equal "snapshot" "$(cat <&7)" "$before"
exec 7<&-
# removing one forgets the result
rm "$MNT/one.stoq.json"
[ ! -e "$MNT/one.stoq.json" ] || fail "there again at once"
eventually sidecar_ready "$MNT/one"
equal "forgotten, then asked again" "$(jq -r .verdict "$MNT/one.stoq.json")" clean
# unpacking results over themselves ends
tar -C "$MNT" -cf "$WORK/t.tar" one one.stoq.json
mkdir "$MNT/unpacked"
status=0
timeout 30 tar -C "$MNT/unpacked" -xf "$WORK/t.tar" 2>"$WORK/tar.err" || status=$?
[ "$status" -ne 124 ] || fail "tar did not end"
equal "the file is there" "$(cat "$MNT/unpacked/one")" changed
rm -r "$MNT/unpacked"
mkdir "$MNT/dir"
echo in >"$MNT/dir/in"
eventually sidecar_ready "$MNT/dir/in"
rm "$MNT/dir/in"
rmdir "$MNT/dir" || fail "rmdir with nothing real inside"
umount_fs

names() { ls -A "$MNT" | tr '\n' ' '; }
mount_fs -o sidecars=hidden
equal "hidden" "$(names)" "one real real.stoq.json "
equal "but named" "$(jq -r .verdict "$MNT/one.stoq.json")" clean
umount_fs
mount_fs -o sidecars=off
equal "off" "$(names)" "one real real.stoq.json "
eq_errno "No such file" cat "$MNT/one.stoq.json"
umount_fs
rm -r "$STATE"
mount_fs -o sidecars=all
equal "all" "$(names)" "one one.stoq.json real real.stoq.json "
umount_fs
