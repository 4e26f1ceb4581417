#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stoq run tells workers and archivers the same of what providers found, whether it scans
# in sandboxed processes or in its own: extra data, flags, names, several roots.
. "$(dirname "$0")/../mount/lib.sh"

PLUGINS=$STOQ_BUILD/tests/pool_plugins
[ -f "$PLUGINS/witness/witness.so" ] || { echo "skipped: the test plugins were not built"; exit 77; }
echo "in a file" >"$SRC/found"
export WITNESS_FILE=$SRC/found

# Documents without what differs from scan to scan; payload ids by position.
normalised() {
    jq -S '. as $d | [.results[].payload_id] as $ids
        | walk(if type == "object" then del(.time, .scan_id, .duration_ms) else . end)
        | walk(if type == "string" then (. as $s | ($ids | index($s)) // $s) else . end)' "$1"/* |
        jq -cS . | sort
}
for how in none pool; do
    status=0
    "$STOQ" run -P witness -a witness hash -C filedir -A filedir --plugin-dir "$PLUGINS" \
        --isolation "$how" --request-source run --request-extra k=v --plugin-opts \
        filedir:results_dir="$WORK/$how" filedir:archive_dir="$WORK/archive" >"$WORK/log" 2>&1 || status=$?
    # one payload is not to be scanned
    equal "exit status, --isolation $how" "$status" 3
    check_log
    normalised "$WORK/$how" >"$WORK/$how.json"
    (cd "$WORK/archive" && find . -type f | sort) >"$WORK/$how.archived"
    rm -r "$WORK/archive"
done
equal "documents" "$(wc -l <"$WORK/none.json")" 6
diff "$WORK/none.json" "$WORK/pool.json" >&2 || fail "in the pool (>) workers were told something else"
diff "$WORK/none.archived" "$WORK/pool.archived" >&2 || fail "in the pool (>) something else was archived"

# And that is what the provider said.
roots() { jq -c "select((.results | length) == 5) | $1" "$WORK/pool.json"; }
equal "request" "$(roots '[.request_meta.source, .request_meta.extra_data.case, .request_meta.extra_data.deep[2].x]')" \
    '["witness","one",0.5]'
equal "seen by a worker" "$(roots '.results[0].workers.witness | [.data, .extra_data.tags, .filename, .owner, (.payloads | length)]')" \
    '["Zmlyc3Q=",["a","b"],"name","somebody",5]'
equal "flags" "$(roots '[.results[] | .payload_meta | .should_scan, .should_archive]')" \
    '[true,true,false,true,true,false,true,true,true,true]'
equal "scanned" "$(roots '[.results[] | .plugins_run.workers | length]')" '[2,0,2,2,2]'
equal "archived" "$(roots '[.results[] | .plugins_run.archivers | length]')" '[1,1,0,1,1]'
one() { jq -c "select(.results[0].size == $1) | $2" "$WORK/pool.json"; }
equal "no archiving" "$(one 19 '[.request_meta.archive_payloads, .results[0].workers.witness.request.archive_payloads, .results[0].archivers]')" '[false,false,{}]'
equal "the run's metadata" "$(one 15 '[.request_meta.source, .results[0].workers.witness.request.extra_data]')" '["run",{"k":"v"}]'
equal "a file" "$(one 10 '.results[0].workers.witness | select(.extra_data.origin) | [.extra_data, .filename, .path]')" \
    "[{\"filename\":\"found\",\"list\":[],\"origin\":\"a file\"},\"found\",\"$SRC/found\"]"
# equal content, once; the empty payload, too
equal "archived files" "$(wc -l <"$WORK/pool.archived")" 7
