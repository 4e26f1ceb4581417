#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# xfstests: SUITE is its directory, built. Further arguments are for its program check;
# without them, the quick group of the generic tests. The tests run on two filesystems of
# ext4 in files (loop devices), and then on mounts of them. What passes there and fails on
# the mount is a failure of this script.
#
# Everything happens in a mount namespace of its own, where the users that the tests want
# are there and mount(8) finds stoqfs.
if [ "${1:-}" != --inside ]; then
    exec unshare -m --propagation private "$0" --inside "$@"
fi
shift
. "$(dirname "$0")/lib.sh"
shift 2
[ $# -gt 0 ] || set -- -g generic/quick
[ -x "$SUITE/check" ] || fail "no program check in $SUITE"

# The users of the tests, in copies of the files.
for f in passwd group; do
    cp "/etc/$f" "$WORK/$f"
    for user in fsgqa fsgqa2 123456-fsgqa; do
        id=$((65000 + ${#user}))
        grep -q "^$user:" "$WORK/$f" && continue
        [ "$f" = group ] && echo "$user:x:$id:" >>"$WORK/$f"
        [ "$f" = passwd ] && echo "$user:*:$id:$id::/tmp:/bin/bash" >>"$WORK/$f"
    done
    mount --bind "$WORK/$f" "/etc/$f"
done
# What mount(8) calls for FUSE types; the suite wants names of devices that are no paths. A mount that has just ended may still be writing its
# results.
mkdir "$WORK/xfs-test" "$WORK/xfs-scratch" "$WORK/t" "$WORK/s" "$WORK/states"
cat >"$WORK/mount.fuse" <<SCRIPT
#!/bin/sh
export STATE_DIRECTORY='$WORK/states' HOME='$HOME' XDG_CACHE_HOME='$XDG_CACHE_HOME'
ulimit -n 20000
source='$WORK'/\$1/src target=\$2 options=dev,suid,fsname=\$1
shift 2
while [ \$# -gt 0 ]; do
    [ "\$1" = -o ] && options=\$options,\$2 && shift
    shift
done
for i in \$(seq 300); do
    out=\$('$STOQFS' -a hash -o "\$options" "\$source" "\$target" 2>&1) && exit 0
    case \$out in *'in use'*) sleep 0.1 ;; *) break ;; esac
done
echo "\$out" >&2
exit 1
SCRIPT
# To the suite the type is "fuse".
printf '#!/bin/sh\ndf -T -P "$@" | sed s/fuse.stoqfs/fuse/\n' >"$WORK/df"
chmod +x "$WORK/mount.fuse" "$WORK/df"
mount --bind "$WORK/mount.fuse" "$(readlink -f "$(command -v mount.fuse)")"
for f in test scratch; do
    truncate -s 6G "$WORK/$f.img"
    mkfs.ext4 -qF "$WORK/$f.img"
done

xfstests() { # NAME ARGUMENTS...: its results in $WORK/NAME
    local name=$1
    shift
    export HOST_OPTIONS=$WORK/$name.config RESULT_BASE=$WORK/$name
    mkdir -p "$RESULT_BASE"
    (cd "$SUITE" && timeout "${STOQ_SUITE_TIMEOUT:-14400}" ./check "$@") >"$WORK/$name.out" 2>&1 || :
    words Ran "$name" >"$WORK/$name.ran"
    words 'Not run' "$name" >"$WORK/$name.notrun"
    words Failures "$name" >"$WORK/$name.failed"
    comm -23 "$WORK/$name.ran" <(sort "$WORK/$name.notrun" "$WORK/$name.failed") >"$WORK/$name.passed"
    printf '%-8s passed %s, failed %s, not run %s\n' "$name" \
        "$(wc -l <"$WORK/$name.passed")" "$(wc -l <"$WORK/$name.failed")" "$(wc -l <"$WORK/$name.notrun")"
}
words() { sed -n "s/^$1: //p" "$WORK/$2.out" | tr ' ' '\n' | grep . | sort -u || :; }

test_loop=$(losetup -f --show "$WORK/test.img")
scratch_loop=$(losetup -f --show "$WORK/scratch.img")
end_loops() {
    umount -q "$WORK/t" "$WORK/s" || :
    umount -q "$WORK/xfs-test" "$WORK/xfs-scratch" || :
    losetup -d "$test_loop"
    losetup -d "$scratch_loop"
}
AT_END=(end_loops "${AT_END[@]}")

if [ -z "${STOQ_ONLY_MOUNT:-}" ]; then
    cat >"$WORK/native.config" <<CONFIG
export FSTYP=ext4
export TEST_DEV=$test_loop TEST_DIR=$WORK/t
export SCRATCH_DEV=$scratch_loop SCRATCH_MNT=$WORK/s
CONFIG
    xfstests native "$@"
    umount -q "$WORK/t" "$WORK/s" || :
    mkfs.ext4 -qF "$scratch_loop"
fi
mount "$test_loop" "$WORK/xfs-test"
mount "$scratch_loop" "$WORK/xfs-scratch"
mkdir "$WORK/xfs-test/src" "$WORK/xfs-scratch/src"
cat >"$WORK/mount.config" <<CONFIG
export FSTYP=fuse FUSE_SUBTYP=.stoqfs DF_PROG=$WORK/df
export TEST_DEV=xfs-test TEST_DIR=$WORK/t
export SCRATCH_DEV=xfs-scratch SCRATCH_MNT=$WORK/s
export MOUNT_OPTIONS='-o suid,dev,nonempty,sidecars=hidden' TEST_FS_MOUNT_OPTS='-o suid,dev,nonempty,sidecars=hidden'
CONFIG
xfstests mount "$@"
grep -h . "$WORK/mount.out" | grep -E '^generic/.*(failed|mismatch)' || :
echo "fail on the mount: $(tr '\n' ' ' <"$WORK/mount.failed")"
if [ -z "${STOQ_ONLY_MOUNT:-}" ]; then
    worse=$(comm -12 "$WORK/mount.failed" "$WORK/native.passed" | tr '\n' ' ')
    [ -z "$worse" ] || fail "pass on the source and fail on the mount: $worse"
fi
[ -s "$WORK/mount.passed" ] || { tail -n 20 "$WORK/mount.out"; fail "nothing passed"; }
