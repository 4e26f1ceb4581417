#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A user without privileges mounts a directory of theirs, by way of fusermount3: in a
# mount namespace of its own, whose /dev/fuse is open to all as on an ordinary machine.
. "$(dirname "$0")/lib.sh"

chown 65534:65534 "$WORK" "$SRC" "$MNT" "$WORK/home"
echo mine >"$SRC/mine"
eicar >"$SRC/bad.com"
chown 65534:65534 "$SRC"/*
cat >"$WORK/as-user" <<'SCRIPT'
set -eu
"$STOQFS" --state-dir "$STATE" "$SRC" "$MNT"
trap 'fusermount3 -uz "$MNT" 2>/dev/null || :' EXIT
[ "$(cat "$MNT/mine")" = mine ]
[ "$(jq -r .verdict "$MNT/mine.stoq.json")" = clean ]
[ "$(jq -r .verdict "$MNT/bad.com.stoq.json")" = flagged ]
echo new >"$MNT/new"
mv "$MNT/new" "$MNT/newer"
mkdir "$MNT/dir"
[ "$(cat "$MNT/newer")" = new ]
rm -r "$MNT/dir" "$MNT/newer"
fusermount3 -u "$MNT"
SCRIPT
status=0
unshare -m sh -c '
    mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/fuse c 10 229 && mknod -m 666 /dev/null c 1 3 &&
    mknod -m 666 /dev/urandom c 1 9 && mknod -m 666 /dev/tty c 5 0 &&
    exec setpriv --reuid=65534 --regid=65534 --clear-groups sh "$WORK/as-user"' || status=$?
equal "as a user" "$status" 0
none_left() { ! pgrep -f "^stoqfs: [a-z]* $MNT\$" >/dev/null; }
eventually none_left
