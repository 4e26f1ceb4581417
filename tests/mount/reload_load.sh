#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules are swapped again and again while 8 readers are busy, and the zygotes are killed
# meanwhile, the one in force and the one being loaded: no reader sees an error or waits
# long, and every file ends with the verdict of the last rules.
. "$(dirname "$0")/lib.sh"

rules=$WORK/rules
mkdir "$rules"
# shellcheck disable=SC2016
rule() { printf 'rule %s { strings: $a = "%s" condition: $a }\n' "$1" "$2"; }
rule first first-marker >"$rules/first.yar"
for i in $(seq 200); do
    { head -c 8000 /dev/urandom | base64; [ $((i % 2)) -ne 0 ] || echo second-marker; } >"$SRC/f$i"
done
mount_fs -a "hash,yara" --plugin-opts "yara:worker_rules=$rules"
cat >"$WORK/reader.py" <<'PY'
import os, random, sys, time
mnt, src, stop, seed = sys.argv[1:5]
random.seed(seed)
want = {n: open(f"{src}/{n}", "rb").read() for n in os.listdir(src)}
names, longest, reads = sorted(want), 0, 0
while not os.path.exists(stop):
    for n in random.sample(names, 50):
        begin = time.monotonic()
        with open(f"{mnt}/{n}", "rb") as f:
            if f.read() != want[n]:
                sys.exit(f"{n}: other bytes")
        longest = max(longest, time.monotonic() - begin)
        reads += 1
print(reads, longest)
if longest > 20:
    sys.exit(f"waited {longest} s")
PY
readers=()
for r in $(seq 8); do
    python3 "$WORK/reader.py" "$MNT" "$SRC" "$WORK/stop" "$r" >>"$WORK/reads" 2>>"$WORK/wrong" &
    readers+=($!)
done
titled() { pgrep -f "^stoqfs: $1 $MNT\$" || :; }
kills=0
for turn in $(seq 12); do
    if [ $((turn % 2)) -eq 0 ]; then rm "$rules/second.yar"; else
        rule "second$turn" second-marker >"$rules/second.yar"
    fi
    "$STOQ" reload "$MNT" >/dev/null 2>>"$WORK/reloads" &
    reload=$!
    if [ $((turn % 3)) -eq 0 ]; then
        # the older is in force, the newer is being loaded, or there is but one
        victim=$(titled zygote | if [ $((turn % 2)) -eq 0 ]; then head -1; else tail -1; fi)
        kill -9 "$victim" 2>/dev/null && kills=$((kills + 1))
        wait "$reload" || :
    else
        wait "$reload" || fail "reload $turn: $(cat "$WORK/reloads")"
    fi
done
[ "$kills" -gt 0 ] || fail "nothing was killed: the test did not test"
rule second second-marker >"$rules/second.yar"
reloaded() { "$STOQ" reload "$MNT" >/dev/null 2>&1; }
eventually reloaded
: >"$WORK/stop"
for p in "${readers[@]}"; do wait "$p" || fail "a reader failed: $(cat "$WORK/wrong")"; done
[ ! -s "$WORK/wrong" ] || fail "readers: $(cat "$WORK/wrong")"
equal "readers" "$(wc -l <"$WORK/reads")" 8
for i in $(seq 1 7 200); do
    equal "f$i" "$(verdict_of "$MNT/f$i")" "$([ $((i % 2)) -ne 0 ] && echo clean || echo flagged)"
done
eventually status_is .stale 0
equal "flagged" "$(find "$MNT/.stoq/flagged/" -type l | wc -l)" 100
one_zygote() { [ "$(titled zygote | wc -l)" -eq 1 ]; }
eventually one_zygote
umount_fs
