#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fsstress: SUITE is the program (ltp/fsstress of xfstests). A third argument is the number
# of operations of each process. Afterwards the mount shows exactly what its source has,
# and one process leaves the same tree on both.
. "$(dirname "$0")/lib.sh"

operations=${3:-1500}
[ -x "$SUITE" ] || fail "no program $SUITE"
# What a FUSE filesystem cannot have (ioctls, fiemap) differs from ext4's results.
same=(-z -f creat=4 -f mkdir=2 -f write=6 -f writev=2 -f read=4 -f readv=2 -f link=2
    -f symlink=2 -f unlink=2 -f rmdir=1 -f rename=2 -f truncate=2 -f mknod=1 -f stat=2
    -f getdents=2 -f fsync=1 -f chown=2 -f setfattr=1 -f mread=2 -f mwrite=2 -f punch=1
    -f fallocate=1 -f rnoreplace=1 -f rexchange=1)

run() { # DIRECTORY ARGUMENTS...
    local dir=$1 start
    shift
    start=$(date +%s%N)
    mkdir "$dir/stress"
    timeout 1200 "$SUITE" -d "$dir/stress" "$@" >"$WORK/out" 2>&1 || {
        tail -n 5 "$WORK/out"
        return 1
    }
    printf '%-8s %s s: %s\n' "${dir##*/}" "$(seconds "$start")" "${*: -4}"
}

tree() { (cd "$1" && find . -printf '%P %y %m %s %n %l\n' | sort && find . -type f -exec md5sum {} + | sort); }

mount_suite -o suid,dev
for seed in 1 2; do
    for dir in "$NATIVE" "$MNT"; do
        run "$dir" "${same[@]}" -p 1 -n "$operations" -s "$seed" || fail "fsstress in $dir"
    done
    answers
    cmp <(tree "$NATIVE" | grep -v ' d ') <(tree "$SRC" | grep -v ' d ') ||
        fail "the same operations left another tree"
    rm -rf "$MNT/stress" "$NATIVE/stress"
    [ ! -e "$SRC/stress" ] || fail "rm -rf left something"
done
for processes in 1 4 10; do
    for dir in "$NATIVE" "$MNT"; do
        run "$dir" -p "$processes" -n $((operations / processes)) -s "$processes" ||
            fail "fsstress in $dir"
    done
    answers
    rm -rf "$MNT/stress" "$NATIVE/stress"
    [ ! -e "$SRC/stress" ] || fail "rm -rf left something"
done
umount_fs
