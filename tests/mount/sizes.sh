#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Files beyond 2 GiB and a sparse one of 10 GiB: never "clean" unless all was seen, never
# hanging, the mount answers meanwhile.
. "$(dirname "$0")/lib.sh"

truncate -s 2200M "$SRC/two"
eicar | dd of="$SRC/two" bs=1 conv=notrunc status=none
truncate -s 10G "$SRC/ten"
echo small >"$SRC/small"
printf '[limits]\ndeadline = 2\nbytes = 4G\n' >"$WORK/stoq.cfg"
mount_fs --config "$WORK/stoq.cfg" -a yara
equal "ten is not looked at, by rule" "$(verdict_of "$MNT/ten")" skipped
equal "small" "$(cat "$MNT/small")" small
v=$(verdict_of "$MNT/two")
case $v in
flagged | timeout) ;;
*) fail "2.2 GiB with a hit at its start: $v" ;;
esac
umount_fs
rm -r "$STATE"

printf '[limits]\ndeadline = 0.3\n' >"$WORK/stoq.cfg"
mount_fs --config "$WORK/stoq.cfg" -a hash -o deadline=1
start=$SECONDS
v=$(verdict_of "$MNT/ten") || :
[ "$v" != clean ] || fail "10 GiB in 0.3 s cannot be clean"
[ $((SECONDS - start)) -lt 30 ] || fail "the reader waited past its deadline"
dd if="$MNT/ten" of=/dev/null bs=1M count=1 status=none || fail "observe lets read"
umount_fs
