#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# pjdfstest: SUITE is its directory, with the program pjdfstest and tests/ in it. It has
# fewer tests for a FUSE filesystem (8798) than for ext4 (8827); all must pass.
. "$(dirname "$0")/lib.sh"

[ -x "$SUITE/pjdfstest" ] || fail "no program pjdfstest in $SUITE"

run() { # WHERE DIRECTORY
    local start status=0
    start=$(date +%s%N)
    mkdir "$2/pjd"
    (cd "$2/pjd" && prove -r "$SUITE/tests") >"$WORK/$1.out" 2>&1 || status=$?
    printf '%-8s %s (%s s)\n' "$1" "$(grep '^Files=' "$WORK/$1.out" | cut -d, -f1,2)" "$(seconds "$start")"
    [ "$status" -eq 0 ] || sed -n '/^Test Summary/,$p' "$WORK/$1.out"
    rmdir "$2/pjd" || status=1
    return "$status"
}

native=0 mounted=0
run native "$NATIVE" || native=1
mount_suite -o suid,dev
run mount "$MNT" || mounted=1
answers
umount_fs
[ "$mounted" -le "$native" ] || fail "tests fail on the mount that pass on its source"
equal "tests that fail on the mount" "$mounted" 0
