#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# git with its repository in the mount, sidecars listed beside all it has: commits,
# branches, a merge, gc, a clone within the mount, fsck.
. "$(dirname "$0")/lib.sh"

git config --global user.name tester
git config --global user.email tester@example.invalid
git config --global core.excludesFile "$HOME/ignore"
git config --global init.defaultBranch main
git config --global gc.auto 0
echo '*.stoq.json' >"$HOME/ignore"
mount_fs -a hash --log-level warning
cd "$MNT"
git init -q repo
cd repo
for i in $(seq 120); do
    mkdir -p "d$((i % 7))"
    seq "$i" $((i + 200)) >"d$((i % 7))/f$i"
done
ln -s d1/f1 link
printf '#!/bin/sh\n' >run
chmod +x run
git add -A
git commit -qm first
equal "nothing left to commit" "$(git status --porcelain)" ""
git checkout -qb side
sed -i 's/^12$/twelve/' d*/f?
git commit -qam side
git checkout -q main
echo more >>d0/f98
git mv d1/f1 d2/renamed
git commit -qam main
git merge -q --no-edit side
equal "nothing left after the merge" "$(git status --porcelain)" ""
check "merged" grep -q twelve d0/f7
echo stashed >>d3/f3
git stash -q
git stash pop -q
equal "stashed and back" "$(git status --porcelain)" " M d3/f3"
git commit -qam stashed
git gc -q --aggressive --prune=now
git repack -qad --write-bitmap-index
equal "one pack" "$(find "$SRC/repo/.git/objects/pack" -name '*.pack' | wc -l)" 1
git fsck --full --strict >"$WORK/fsck" 2>&1 || fail "fsck: $(head -n 3 "$WORK/fsck")"
# read everything once, so that there are sidecars among git's own files
find .git -type f ! -name '*.stoq.json' -exec cat {} + >/dev/null
eventually status_is '.queued + .running' 0
git clone -q --no-local . ../clone
git clone -q . ../hard # by hard links
for r in clone hard; do
    git -C "../$r" fsck --full --strict >"$WORK/fsck" 2>&1 || fail "fsck of $r: $(head -n 3 "$WORK/fsck")"
    equal "$r is the same" "$(git -C "../$r" rev-parse HEAD)" "$(git rev-parse HEAD)"
    equal "$r has all" "$(git -C "../$r" status --porcelain)" ""
done
git worktree add -q ../tree side
git -C ../tree commit -q --allow-empty -m there
git push -q ../clone side:pushed
equal "pushed" "$(git -C ../clone rev-parse pushed)" "$(git rev-parse side)"
cd "$WORK"
git clone -q "$SRC/repo" "$WORK/outside"
equal "the source has it, too" "$(git -C "$WORK/outside" rev-parse HEAD)" "$(git -C "$MNT/repo" rev-parse HEAD)"
rm -rf "$MNT/repo" "$MNT/clone" "$MNT/hard" "$MNT/tree"
equal "all is removed" "$(ls -A "$SRC")" ""
umount_fs
