#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A mirror that is killed after a reload, and while one is under way: the next one knows
# the rules in force, and whoever waits for the reload is told how it ended.
. "$(dirname "$0")/lib.sh"

rules=$WORK/rules
mkdir "$rules"
# shellcheck disable=SC2016
rule() { printf 'rule %s { strings: $a = "%s" condition: $a }\n' "$1" "$2"; }
rule first first-marker >"$rules/first.yar"
echo second-marker >"$SRC/second"
echo third-marker >"$SRC/third"
mount_fs -a "hash,yara" --plugin-opts "yara:worker_rules=$rules"
titled() { pgrep -f "^stoqfs: $1 $MNT\$" || :; }
two_zygotes() { [ "$(titled zygote | wc -l)" -eq 2 ]; }
one_zygote() { [ "$(titled zygote | wc -l)" -eq 1 ]; }
if ! status_is .restart '"on"'; then # then its death ends the mount
    umount_fs
    exit 0
fi
kill_mirror() {
    local restarts
    restarts=$(status_of .mirror_restarts)
    kill -9 "$(titled mirror)"
    eventually status_is .mirror_restarts $((restarts + 1))
}
equal "second" "$(verdict_of "$MNT/second")" clean
rule second second-marker >"$rules/second.yar"
"$STOQ" reload "$MNT" >/dev/null || fail "reload"
before=$(status_of '[.engine_id, (.rules | del(.requests))]')
kill_mirror
equal "rules after the mirror's death" "$(status_of '[.engine_id, (.rules | del(.requests))]')" "$before"
equal "second" "$(verdict_of "$MNT/second")" flagged
equal "third" "$(verdict_of "$MNT/third")" clean
eventually one_zygote

# Under way: rules that take seconds to compile.
python3 - >"$rules/many.yar" <<'PY'
print('rule third { strings: $a = "third-marker" condition: $a }')
for i in range(30000):
    print('rule r%d { strings: $a = "a%07d" $b = /x%d[a-f0-9]{4,9}y/ condition: any of them }'
          % (i, i, i))
PY
"$STOQ" reload "$MNT" >/dev/null &
reload=$!
eventually two_zygotes
kill_mirror
wait "$reload" || fail "a reload whose mirror was killed: $?"
equal "generation" "$(status_of .rules.generation)" 3
equal "third" "$(verdict_of "$MNT/third")" flagged
eventually one_zygote
rm "$rules/many.yar"
"$STOQ" reload "$MNT" >/dev/null || fail "the next reload"
equal "third" "$(verdict_of "$MNT/third")" clean
umount_fs
