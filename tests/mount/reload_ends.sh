#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A reload that is under way when the mount ends, or whose zygote is killed: the mount
# ends as ever, or goes on with the rules it has. A scan that is under way at a swap is
# finished by the older rules, and whoever asked later is told what the newer ones say.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_inject.sh"

rules=$WORK/rules
mkdir "$rules"
# shellcheck disable=SC2016
rule() { printf 'rule %s { strings: $a = "%s" condition: $a }\n' "$1" "$2"; }
rule first first-marker >"$rules/first.yar"
echo second-marker >"$SRC/second"
titled() { pgrep -f "^stoqfs: $1 $MNT\$" || :; }
two_zygotes() { [ "$(titled zygote | wc -l)" -eq 2 ]; }
# Rules that take seconds to compile, new ones each time: no cache has them.
many_rules() {
    python3 - "$1" >"$rules/many.yar" <<'PY'
import sys
for i in range(30000):
    print('rule r%s_%d { strings: $a = "%s%07d" $b = /x%d[a-f0-9]{4,9}y/ condition: any of them }'
          % (sys.argv[1], i, sys.argv[1], i, i))
PY
}
mount_fs -a "hash,yara" --plugin-opts "yara:worker_rules=$rules"
equal "second" "$(verdict_of "$MNT/second")" clean
old=$(titled zygote)

# The one being loaded is killed: refused; the readers and the rest go on.
many_rules a
"$STOQ" reload "$MNT" >/dev/null 2>"$WORK/err" &
reload=$!
eventually two_zygotes
kill -9 "$(titled zygote | grep -vx "$old")"
status=0
wait "$reload" || status=$?
equal "exit status" "$status" 1
grep -q died "$WORK/err" || fail "reason: $(cat "$WORK/err")"
equal "the zygote in force" "$(titled zygote)" "$old"
equal "generation" "$(status_of .rules.generation)" 1

# The mount answers while rules are loaded.
"$STOQ" reload "$MNT" >/dev/null &
reload=$!
eventually two_zygotes
equal "meanwhile" "$(cat "$MNT/second")" second-marker
wait "$reload" || fail "reload"
equal "generation" "$(status_of .rules.generation)" 2

# The mount ends meanwhile.
many_rules b
"$STOQ" reload "$MNT" >/dev/null 2>&1 &
reload=$!
eventually two_zygotes
unmounted() { fusermount3 -u "$MNT" 2>/dev/null; } # not while stoq reads the status
eventually unmounted
status=0
wait "$MOUNT_PID" || status=$?
MOUNT_PID=
equal "exit status of stoqfs" "$status" 0
check_log
status=0
wait "$reload" || status=$?
equal "exit status of a reload whose mount ended" "$status" 3
none_left() { [ -z "$(titled '[a-z]*')" ]; }
eventually none_left

# A scan that is held while rules are swapped: the older zygote stays for it.
rm "$rules/many.yar"
printf 'HOLD, then second-marker\n' >"$SRC/held"
mount_fs -o enforce,scanners=2 "${INJECT[@]}" -a yara --plugin-opts "yara:worker_rules=$rules"
cat "$MNT/held" >"$WORK/asked-before" 2>&1 &
before=$!
eventually status_is '[.running, .waiting]' '[1,1]'
rule second second-marker >"$rules/second.yar"
"$STOQ" reload "$MNT" >/dev/null || fail "reload"
check "both zygotes are there" two_zygotes
equal "what others scan meanwhile is scanned by the new rules" "$(verdict_of "$MNT/second")" flagged
cat "$MNT/held" >"$WORK/asked-after" 2>&1 &
after=$!
eventually status_is '[.running, .waiting]' '[1,2]'
open_gate 1
wait "$before" || fail "who asked before: $(cat "$WORK/asked-before")"
equal "who asked before" "$(cat "$WORK/asked-before")" "$(cat "$SRC/held")"
one_zygote() { [ "$(titled zygote | wc -l)" -eq 1 ]; }
eventually one_zygote
open_gate 1
wait "$after" && fail "who asked after the swap was told what the older rules say"
grep -q "Operation not permitted" "$WORK/asked-after" || fail "$(cat "$WORK/asked-after")"
equal "held" "$(verdict_of "$MNT/held")" flagged
equal "nothing was repeated that was under way" "$(status_of .scanner_restarts)" 0
umount_fs
