#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of scanners, and of the zygote, while 8 readers are busy: no reader sees an
# error, every file ends with its right result.
. "$(dirname "$0")/lib.sh"

for i in $(seq 400); do head -c 20000 /dev/urandom >"$SRC/f$i"; done
eicar >"$SRC/bad.com"
mount_fs -a hash,yara
supervisor=$MOUNT_PID
# pids by title: our own children only
titled() { pgrep -f "^stoqfs: $1 $MNT\$" || :; }
equal "processes have names" "$(titled supervisor)" "$supervisor"

readers=()
for r in $(seq 8); do
    (for i in $(seq "$r" 8 400) $(seq 1 13 400); do
        cmp -s "$MNT/f$i" "$SRC/f$i" || { echo "f$i" >>"$WORK/wrong"; }
    done) &
    readers+=($!)
done
kills=0
busy() { for p in "${readers[@]}"; do is_gone "$p" || return 0; done; return 1; }
while busy; do
    for pid in $(titled scanner); do
        kill -9 "$pid" 2>/dev/null && kills=$((kills + 1))
    done
    if [ "$kills" -gt 20 ] && [ ! -e "$WORK/zygote-killed" ]; then
        kill -9 "$(titled zygote)" && : >"$WORK/zygote-killed"
    fi
    pause
done
for p in "${readers[@]}"; do wait "$p" || fail "a reader failed"; done
[ ! -s "$WORK/wrong" ] || fail "reader errors: $(sort -u "$WORK/wrong" | head -3)"
[ "$kills" -gt 0 ] || fail "nothing was killed: the test did not test"
for i in $(seq 1 7 400); do
    sum=$(sha256sum <"$SRC/f$i" | cut -d' ' -f1)
    got=$(getfattr --absolute-names --only-values -n user.stoq.sha256 "$MNT/f$i")
    equal "sha256 of f$i" "$got" "$sum"
done
equal "bad.com" "$(verdict_of "$MNT/bad.com")" flagged
umount_fs
