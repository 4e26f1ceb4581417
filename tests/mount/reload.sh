#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules are swapped whole or not at all: a rule that is added flags what was clean at the
# next open, a set with an error is refused and changes nothing, and generation, digest
# and the last reload's end are in status and metrics.
. "$(dirname "$0")/lib.sh"

rules=$WORK/rules
mkdir "$rules"
# shellcheck disable=SC2016
rule() { printf 'rule %s { strings: $a = "%s" condition: $a }\n' "$1" "$2"; }
rule first first-marker >"$rules/first.yar"
printf 'nothing of the kind\n' >"$SRC/clean"
printf 'has second-marker in it\n' >"$SRC/second"
printf 'has first-marker in it\n' >"$SRC/first"
options=(-a "hash,yara" --plugin-opts "yara:worker_rules=$rules")
metric() { sed -n "s/^stoqfs_$1 //p" "$MNT/.stoq/metrics"; }
hup() { kill -HUP "$MOUNT_PID"; }
scan_id() { getfattr --absolute-names --only-values -n user.stoq.scan_id "$1"; }
engine() { getfattr --absolute-names --only-values -n user.stoq.rules "$1"; }

mount_fs -o enforce "${options[@]}"
equal "generation" "$(status_of .rules.generation)" 1
equal "last reload" "$(status_of .rules.last_reload)" null
equal "digest" "$(status_of .rules.digest)" "$(status_of .engine_id)"
equal "counts" "$(metric 'reloads_total{result="swapped"}')$(metric 'reloads_total{result="unchanged"}')$(metric 'reloads_total{result="refused"}')" 000
first_digest=$(status_of .engine_id)
check "second is readable" cat "$MNT/second" >/dev/null
check "clean is readable" cat "$MNT/clean" >/dev/null
cat "$MNT/first" 2>/dev/null && fail "first was not denied"
[ -s "$MNT/second.stoq.json" ] || fail "no sidecar"
old_id=$(scan_id "$MNT/clean")
old_size=$(stat -c %s "$MNT/second.stoq.json")
exec {held}<"$MNT/second"

# One more rule: what was clean is flagged when it is opened next.
rule second second-marker >"$rules/second.yar"
"$STOQ" reload "$MNT" >"$WORK/out" || fail "reload: $?"
equal "generation told" "$(sed -n 's/^generation //p' "$WORK/out")" 2
equal "digest told" "\"$(sed -n 's/^digest //p' "$WORK/out")\"" "$(status_of .engine_id)"
[ "$(status_of .engine_id)" != "$first_digest" ] || fail "the digest did not change"
out=$(cat "$MNT/second" 2>&1) && fail "second was not denied"
[[ $out == *"Operation not permitted"* ]] || fail "second: $out"
equal "second" "$(verdict_of "$MNT/second")" flagged
equal "rule in the sidecar" \
    "$(jq -r '.results[0].workers.yara.matches[0].rule' "$MNT/second.stoq.json")" second
equal "size of the sidecar" "$(stat -c %s "$MNT/second.stoq.json")" "$(wc -c <"$MNT/second.stoq.json")"
[ "$(stat -c %s "$MNT/second.stoq.json")" != "$old_size" ] || fail "the sidecar is the old one"
[ "$(scan_id "$MNT/clean")" != "$old_id" ] || fail "clean was not scanned again"
equal "engine of clean" "\"$(engine "$MNT/clean")\"" "$(status_of .engine_id)"
equal "a held descriptor reads on" "$(cat <&"$held")" "$(cat "$SRC/second")"
exec {held}<&-
equal "generation" "$(metric rules_generation)" 2
equal "swapped" "$(metric 'reloads_total{result="swapped"}')" 1
equal "zygotes started again" "$(status_of .zygote_restarts)" 0
equal "result" "$(status_of .rules.last_reload.result)" '"swapped"'

# A syntax error: refused, with file and line; everything stays.
id=$(scan_id "$MNT/clean")
digest=$(status_of .engine_id)
printf '// fine\nrule broken { condition: nonsense_here }\n' >"$rules/broken.yar"
status=0
"$STOQ" reload "$MNT" >"$WORK/out" 2>"$WORK/err" || status=$?
equal "exit status of a refused reload" "$status" 1
grep -q "$rules/broken.yar:2: " "$WORK/err" || fail "no file and line: $(cat "$WORK/err")"
equal "generation" "$(status_of .rules.generation)" 2
equal "digest" "$(status_of .engine_id)" "$digest"
equal "result" "$(status_of .rules.last_reload.result)" '"refused"'
[[ $(status_of .rules.last_reload.error) == *broken.yar:2:* ]] || fail "status: $(status_of .rules.last_reload)"
[[ $(status_of .degraded) == *"last reload was refused"* ]] || fail "degraded: $(status_of .degraded)"
equal "refused" "$(metric 'reloads_total{result="refused"}')" 1
equal "clean keeps its result" "$(scan_id "$MNT/clean")" "$id"
equal "second stays flagged" "$(verdict_of "$MNT/second")" flagged

# No rules at all, and rules that are gone: refused.
mv "$rules" "$rules.away"
"$STOQ" reload "$MNT" 2>/dev/null && fail "a reload without rules"
mv "$rules.away" "$rules"
equal "second stays flagged" "$(verdict_of "$MNT/second")" flagged

# Repaired, by two signals in a row: both end, the second after the first.
rm "$rules/broken.yar" "$rules/second.yar"
hup
hup
eventually status_is .rules.last_reload.result '"swapped"'
equal "degraded" "$(status_of .degraded)" "[]"
check "second is readable again" cat "$MNT/second" >/dev/null
equal "the digest of the first set" "$(status_of .engine_id)" "$first_digest"

# The same files again: a new generation of the same digest, whose results stay.
id=$(scan_id "$MNT/clean")
scans=$(status_of .scans)
"$STOQ" reload "$MNT" --timeout 60 >/dev/null || fail "reload: $?"
equal "digest" "$(status_of .engine_id)" "$first_digest"
equal "clean keeps its result" "$(scan_id "$MNT/clean")" "$id"
equal "scans" "$(status_of .scans)" "$scans"

# Usage, and places that are no mount.
refused "expected MNT" "$STOQ" reload
refused "not a mount of stoqfs" "$STOQ" reload "$SRC"
refused "--timeout" "$STOQ" reload "$MNT" --timeout soon
if [ "$(id -u)" -eq 0 ]; then
    refused "only root" as_nobody "$STOQ" reload "$MNT"
fi
status=0
"$STOQ" reload "$MNT" --timeout 0.000001 2>/dev/null || status=$?
case $status in 2 | 3) ;; *) fail "a reload without time to wait: $status" ;; esac
umount_fs

# A read-only mount reloads, too. Lenient: the bad file is left out, as at the mount.
printf 'rule broken { condition: nonsense_here }\n' >"$rules/broken.yar"
mount_fs -o enforce,ro,reload=lenient "${options[@]}"
equal "failed at the mount" "$(status_of '.rules.failed | length')" 1
printf 'rule broken2 { condition: nonsense_here }\n' >"$rules/broken2.yar"
rule second second-marker >"$rules/second.yar"
"$STOQ" reload "$MNT" >/dev/null || fail "a lenient reload: $?"
equal "failed" "$(status_of '.rules.failed | length')" 2
equal "second" "$(verdict_of "$MNT/second")" flagged
umount_fs
# Strict: what failed before may fail again.
mount_fs "${options[@]}"
rm "$rules/broken2.yar"
"$STOQ" reload "$MNT" >/dev/null || fail "a reload with an old failure: $?"
umount_fs
