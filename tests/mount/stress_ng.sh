#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stress-ng's stressors of filesystems, each verifying what it did, two at a time. Then the
# mount shows what the source has, and nothing is left.
. "$(dirname "$0")/lib.sh"

stressors=(access chdir chmod chown copy-file dentry dir dirdeep dirmany dup fallocate
    fcntl filename flock fpunch fstat getdent hdd inotify io iomix lease link locka lockf
    lockofd mknod open rename seek symlink sync-file touch utime xattr mmap)
mount_fs -a hash --log-level warning
mkdir "$MNT/tmp"
args=()
for s in "${stressors[@]}"; do
    args+=("--$s" 1 "--$s-ops" 25)
done
# The bytes are few and the time is bounded: one that does not get to its number of
# operations has verified those it did.
timeout 200 stress-ng --temp-path "$MNT/tmp" --sequential 2 --timeout 1 --verify \
    --hdd-bytes 1m --fallocate-bytes 1m --iomix-bytes 1m \
    --sync-file-bytes 1m --seek-size 1m --mmap-bytes 1m --mmap-file --dirdeep-dirs 2 \
    --dirdeep-inodes 200 "${args[@]}" >"$WORK/out" 2>&1 || {
    grep -vE 'info:|dispatching' "$WORK/out" | tail -n 15 >&2
    fail "stress-ng"
}
grep -E 'fail:' "$WORK/out" && fail "a stressor failed"
check "all ran" grep -q 'successful run completed' "$WORK/out"
status_is .mode '"observe"' || fail "the mount does not answer"
rsync -aHAXnci --delete --exclude='*.stoq.json' "$SRC/" "$MNT/" >"$WORK/diff"
[ ! -s "$WORK/diff" ] || fail "the mount differs: $(head -n 3 "$WORK/diff")"
rm -rf "$MNT/tmp"
[ ! -e "$SRC/tmp" ] || fail "rm -rf left something"
umount_fs
