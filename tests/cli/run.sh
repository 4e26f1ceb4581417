#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stoq run: every file a provider finds has one result; what goes wrong is told and does
# not stop the rest; a signal ends a run with nothing half-done.
. "$(dirname "$0")/../mount/lib.sh"

OUT=$WORK/results
GOLDEN=$STOQ_BUILD/tests/golden-plugins

# run WANTED_STATUS ARGUMENTS...: stoq run, messages in $WORK/log.
run() {
    local status=0 wanted=$1
    shift
    "$STOQ" run "$@" >"$WORK/stdout" 2>"$WORK/log" || status=$?
    equal "exit status of stoq run $*" "$status" "$wanted"
    equal "standard output" "$(cat "$WORK/stdout")" ""
    check_log
}

# run_dir WANTED_STATUS ARGUMENTS...: over $SRC, by filedir, into an empty $OUT.
run_dir() {
    local wanted=$1
    shift
    rm -rf "$OUT"
    run "$wanted" -P filedir -C filedir "$@" --plugin-opts filedir:recursive=True \
        filedir:source_dir="$SRC" filedir:results_dir="$OUT"
}

names() { jq -r '.results[0].payload_meta.extra_data.filename' "$OUT"/* | sort; }
whole() { jq 'select(.scan_id and .verdict) | 1' "$OUT"/* | wc -l; }
results() { find "$OUT" -type f 2>/dev/null | wc -l; }
has_results() { [ "$(results)" -ge "$1" ]; }

# A tree: files below, not those with a dot, nor links.
mkdir -p "$SRC/a/b" "$SRC/.dir"
for i in 1 2 3 4 5 6 7 8 9; do
    echo "$i" >"$SRC/one-$i"
    echo "$i" >"$SRC/a/two-$i"
    echo "$i" >"$SRC/a/b/three-$i"
done
: >"$SRC/empty"
echo hidden >"$SRC/.hidden"
ln -s one-1 "$SRC/link"
find "$SRC" -type f -not -name '.*' -printf '%f\n' | sort >"$WORK/wanted"
for how in pool none; do
    run_dir 0 -a hash --isolation "$how" --request-source feed
    names >"$WORK/names"
    diff "$WORK/wanted" "$WORK/names" >&2 || fail "--isolation $how: not every file has one result"
    equal "source directories" "$(jq -r 'select(.results[0].payload_meta.extra_data.filename == "three-1")
        | .results[0].payload_meta.extra_data.source_dir' "$OUT"/*)" "$SRC/a/b"
    equal "digests" "$(jq -r .results[0].workers.hash.sha256 "$OUT"/* | sort -u | wc -l)" 10
    equal "request" "$(jq -r .request_meta.source "$OUT"/* | sort -u)" feed
done

# The smallest queue and one consumer do the same.
printf '[core]\nmax_queue = 1\nprovider_consumers = 1\nproviders = filedir\n' >"$WORK/small.cfg"
rm -rf "$OUT"
run 0 --config "$WORK/small.cfg" -a hash -C filedir --plugin-opts filedir:recursive=True \
    filedir:source_dir="$SRC" filedir:results_dir="$OUT"
equal "files" "$(names | md5sum)" "$(md5sum <"$WORK/wanted")"

# Archivers get the bytes.
run_dir 0 -A filedir --plugin-opts filedir:archive_dir="$WORK/archive"
equal "archived, equal content once" "$(find "$WORK/archive" -type f | wc -l)" 10

# What cannot be run is told at once.
run 2 -a hash
grep -q 'No activated provider plugins' "$WORK/log" || fail "no provider: not told"
run 2 -P nosuch
grep -q nosuch "$WORK/log" || fail "an unknown provider: not told"
run 2 -P hash
grep -q 'providers' "$WORK/log" || fail "a worker as provider: not told"
run 2 "$SRC/one-1" -P filedir
grep -q 'takes no files' "$WORK/log" || fail "files: not told"

# A provider that fails does not stop the other; requests, bytes and tasks are scanned,
# and a task that fails does not stop the rest.
rm -rf "$OUT"
run 3 -P filedir g_prov -S g_arch -a hash -C filedir --plugin-dir "$GOLDEN" \
    --request-source feed --plugin-opts filedir:source_dir="$WORK/nosuch" filedir:results_dir="$OUT"
for text in "filedir: source_dir $WORK/nosuch" '{"bad": 1} failed with archiver g_arch' \
    '{"x": 1} failed with archiver nosucharch'; do
    grep -qF "$text" "$WORK/log" || fail "not told: $text"
done
equal "sizes and sources" "$(jq -r '"\([.results[].size] | join("+")) \(.request_meta.source)"' "$OUT"/* |
    sort | tr '\n' ,)" "13 feed,2 feed,2+2 req-meta,21 feed,"
equal "extra data of bytes" "$(jq -c 'select(.results[0].size == 21)
    | .results[0].payload_meta.extra_data' "$OUT"/*)" '{}'
equal "extra data of a task" "$(jq -c 'select(.results[0].size == 13)
    | .results[0].payload_meta.extra_data' "$OUT"/*)" '{"data":"from archiver"}'

# A terminal is shown how far it is, and the line is cleared in the end.
if command -v script >/dev/null; then
    script -qec "'$STOQ' run -P filedir -C filedir --plugin-opts filedir:source_dir='$SRC' \
        filedir:results_dir='$WORK/shown'" "$WORK/tty" >/dev/null </dev/null || fail "run on a terminal"
    grep -q '[0-9] files, 0 flagged, 0 not fully scanned' "$WORK/tty" || fail "no progress on a terminal"
    grep -v '^Script ' "$WORK/tty" | tail -c 12 | grep -q $'\r\033\\[K' || fail "the progress line stays"
fi

# A connector that fails makes the status 3; all results are tried.
run_dir 3 -C g_conn --plugin-dir "$GOLDEN"
equal "failures told" "$(grep -c 'connector boom' "$WORK/log")" "$(wc -l <"$WORK/wanted")"

# Findings make the status 1.
if [ -d "$STOQ_BUILD/plugins/yara" ]; then
    eicar >"$SRC/bad.com"
    run_dir 1 -a yara
    run_dir 0 -a yara --exit-zero
    rm "$SRC/bad.com"
fi

# A signal in the midst of a run: status 0, every result is whole and of another file.
seq -f "$SRC/file-%g" 2000 | while read -r name; do echo "$name" >"$name"; done
for signal in TERM INT; do
    rm -rf "$OUT"
    status=0
    env --default-signal=INT "$STOQ" run -P filedir -a hash -C filedir --log-level info \
        --plugin-opts filedir:source_dir="$SRC" filedir:results_dir="$OUT" 2>"$WORK/log" &
    pid=$!
    eventually has_results 20
    kill -s "$signal" "$pid"
    wait "$pid" || status=$?
    equal "exit status after SIG$signal" "$status" 0
    check_log
    grep -q 'finishing what is in flight' "$WORK/log" || fail "SIG$signal: not told"
    count=$(results)
    [ "$count" -lt 2000 ] || fail "SIG$signal had no effect"
    equal "unfinished results" "$(find "$OUT" -type f -name '.*' | wc -l)" 0
    equal "whole results" "$(whole)" "$count"
    equal "files scanned twice" "$(names | uniq -d)" ""
done
rm -rf "$OUT"
run 0 -P filedir -C filedir --plugin-opts filedir:source_dir="$SRC" filedir:results_dir="$OUT"
equal "all results" "$(results)" 2010
