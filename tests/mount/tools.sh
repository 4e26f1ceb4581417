#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ordinary programs on a mount with sidecars listed: the trees compare equal, and rm -rf
# removes everything.
. "$(dirname "$0")/lib.sh"

mkdir -p "$SRC/tree/a/b/c" "$SRC/in"
for i in $(seq 60); do head -c $((i * 331)) /dev/urandom >"$SRC/tree/a/f$i"; done
echo needle >"$SRC/tree/a/b/c/deep"
ln "$SRC/tree/a/f1" "$SRC/tree/a/b/hard"
ln -s ../a/f2 "$SRC/tree/soft"
chmod 640 "$SRC/tree/a/f3"
chmod 1777 "$SRC/tree/a/b"
chown 12345:54321 "$SRC/tree/a/f4"
setfattr -n user.note -v hello "$SRC/tree/a/f5"
setfacl -m u:12345:r "$SRC/tree/a/f6"
truncate -s 5M "$SRC/tree/sparse"
mount_fs
find "$MNT/tree" -type f -exec cat {} + >/dev/null
all_listed() { # once they are stored
    [ "$(find "$MNT/tree" -name '*.stoq.json' | wc -l)" = "$(find "$SRC/tree" -type f | wc -l)" ]
}
eventually all_listed

same() { # TREE: equal to the source but for sidecars
    rsync -aHAXnci --delete --exclude='*.stoq.json' "$SRC/tree/" "$1/" >"$WORK/diff"
    [ ! -s "$WORK/diff" ] || fail "$1 differs: $(head -3 "$WORK/diff")"
}
tar -C "$MNT" --xattrs --acls -cf "$WORK/t.tar" tree
mkdir "$WORK/untar"
tar -C "$WORK/untar" --xattrs --acls -xpf "$WORK/t.tar"
same "$WORK/untar/tree"
equal "tar took the sidecars" "$(jq -r .verdict "$WORK/untar/tree/a/f9.stoq.json")" clean
cp -a "$MNT/tree" "$WORK/cp"
same "$WORK/cp"
rsync -aHAX "$MNT/tree/" "$WORK/rsync/"
same "$WORK/rsync"
equal "grep -r" "$(grep -rl needle "$MNT/tree")" "$MNT/tree/a/b/c/deep"
grep -rl '"verdict": "clean"' "$MNT/tree" | grep 'f1.stoq.json' >/dev/null || fail "grep over results"

# into the mount
rsync -aHAX --exclude='*.stoq.json' "$SRC/tree/" "$MNT/in/"
rsync -aHAXnci --exclude='*.stoq.json' "$SRC/tree/" "$SRC/in/" >"$WORK/diff"
[ ! -s "$WORK/diff" ] || fail "copied in differs: $(head -3 "$WORK/diff")"
rm -rf "$MNT/in"
[ ! -e "$SRC/in" ] || fail "rm -rf left something"

# git and sqlite
git init -q "$WORK/origin"
cp -r "$SRC/tree/a" "$WORK/origin/"
git -C "$WORK/origin" add -A
git -C "$WORK/origin" -c user.name=t -c user.email=t@example.invalid commit -qm all
git clone -q "$WORK/origin" "$MNT/clone"
git -C "$MNT/clone" fsck --strict 2>/dev/null || fail "git fsck"
equal "git status is clean" "$(git -C "$MNT/clone" status --porcelain --untracked-files=no)" ""
sqlite3 "$MNT/x.db" 'PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1),(2);' >/dev/null
for i in $(seq 20); do sqlite3 "$MNT/x.db" "INSERT INTO t VALUES ($i)"; done
equal "sqlite integrity" "$(sqlite3 "$MNT/x.db" 'PRAGMA integrity_check; SELECT count(*) FROM t;' | tr '\n' ' ')" "ok 22 "
rm -rf "$MNT/clone" "$MNT/tree"
[ ! -e "$SRC/clone" ] && [ ! -e "$SRC/tree" ] || fail "rm -rf left something"
umount_fs
