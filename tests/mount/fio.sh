#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fio writes blocks with checksums in several ways and verifies them: through the mount,
# and in the source after it.
. "$(dirname "$0")/lib.sh"

# job NAME OPTIONS...: to $WORK/jobs
job() {
    printf '[%s]\nfilename=%s\n' "$1" "$1"
    printf '%s\n' "${@:2}"
}
{
    printf '%s\n' '[global]' size=6m verify=crc32c verify_fatal=1 verify_state_save=0 \
        fallocate=none group_reporting randrepeat=1 end_fsync=1
    job buffered ioengine=psync rw=randwrite bs=4k
    job odd ioengine=psync rw=write bs=3000 size=3000000
    job mapped ioengine=mmap rw=randwrite bs=4k
    job direct ioengine=psync rw=randwrite bs=4k direct=1 size=2m
    job aio ioengine=libaio rw=randwrite bs=8k direct=1 iodepth=8
    job posix ioengine=posixaio rw=write bs=64k iodepth=4
    job vectors ioengine=pvsync rw=randwrite bs=16k
    job mixed ioengine=psync rw=randrw rwmixread=40 bs=4k
    job synced ioengine=psync rw=write bs=64k sync=1 size=1m
    job preallocated ioengine=psync rw=randwrite bs=4k fallocate=posix
} >"$WORK/jobs"

verify() { # DIRECTORY ARGUMENTS...
    local dir=$1
    shift
    (cd "$WORK" && fio --directory="$dir" --max-jobs=16 --output="$WORK/out" "$@" "$WORK/jobs") ||
        fail "fio in $dir: $(tail -n 5 "$WORK/out")"
    grep -q 'verify: bad' "$WORK/out" && fail "bad blocks: $(grep -m 3 'verify: bad' "$WORK/out")"
    grep -q 'err= 0' "$WORK/out" || fail "no report: $(tail -n 3 "$WORK/out")"
}

mount_fs -a hash --log-level warning
verify "$MNT"
for f in buffered odd mapped direct aio posix vectors mixed synced preallocated; do
    check "the same bytes" cmp "$MNT/$f" "$SRC/$f"
done
# once more, with nothing cached and large files read by the kernel itself
umount_fs
mount_fs -a hash --log-level warning
find "$MNT" -type f -exec cat {} + >/dev/null
verify "$MNT" --verify_only
# a byte that is not what was written is seen: the check is not void
printf X | dd of="$SRC/buffered" bs=1 seek=123456 conv=notrunc status=none
if (cd "$WORK" && fio --directory="$MNT" --output="$WORK/out" --verify_only --section=buffered "$WORK/jobs") >"$WORK/out2" 2>&1; then
    fail "fio saw nothing of a changed byte"
fi
umount_fs
