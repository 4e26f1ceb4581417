#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# .stoq: never listed, openable, complete, read-only; metrics parse.
. "$(dirname "$0")/lib.sh"

echo x >"$SRC/x"
echo x >"$SRC/same"
# scanned ahead, same would be scanned beside x and not after it
mount_fs -C stdout -o readahead=off
cat "$MNT/x" "$MNT/same" >/dev/null
equal "not listed" "$(find "$MNT" -name .stoq | wc -l)" 0
for key in scans reused waiting queued verdicts engine_id rules outbox scanner_restarts \
    passthrough degraded uptime_s; do
    check "status has $key" jq -e --arg k "$key" 'has($k)' "$MNT/.stoq/status.json" >/dev/null
done
for v in clean skipped partial error timeout flagged; do
    check "verdicts has $v" jq -e --arg k "$v" '.verdicts | has($k)' "$MNT/.stoq/status.json" >/dev/null
done
equal "scans" "$(status_of .scans)" 1
equal "reused by content" "$(status_of .reused.content)" 1
cat "$MNT/x" >/dev/null
equal "reused by identity" "$(jq '.reused.identity >= 1' "$MNT/.stoq/status.json")" true
equal "degraded" "$(status_of .degraded)" '[]'
equal "rules loaded" "$(jq '.rules.loaded > 0' "$MNT/.stoq/status.json")" true
check "outbox per connector" jq -e '.outbox | has("stdout")' "$MNT/.stoq/status.json" >/dev/null
awk '/^#/ {next} NF != 2 || $2 !~ /^[-+0-9.e]+$/ {bad = 1; print} END {exit bad}' "$MNT/.stoq/metrics" ||
    fail "metrics lines"
grep -q '^stoqfs_scans_total 1$' "$MNT/.stoq/metrics" || fail "metrics lack the scans"
( : >"$MNT/.stoq/status.json" ) 2>/dev/null && fail "status can be written"
touch "$MNT/.stoq/new" 2>/dev/null && fail "created in .stoq"
rm -f "$MNT/.stoq/metrics" 2>/dev/null && fail "removed from .stoq"
check "still there" test -r "$MNT/.stoq/metrics"
umount_fs
