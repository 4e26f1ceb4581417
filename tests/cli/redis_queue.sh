#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# redis-queue as archiver, provider and connector of stoq run, against a server of the
# test's own: nothing is lost when a run or the server is killed, and what is wrong at the
# start is told.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"
[ -d "$STOQ_BUILD/plugins/redis-queue" ] || missing redis-queue
. "$(dirname "$0")/support/redis.sh"

OUT=$WORK/results
N=150
RUN=
LIMIT=()

# feed ARGUMENTS...: the files of $SRC onto the queue, by the archiver.
feed() {
    "$STOQ" run -P filedir -A redis-queue --plugin-opts filedir:source_dir="$SRC" \
        redis-queue:redis_socket="$SOCKET" "$@" >"$WORK/stdout" 2>"$WORK/log" ||
        fail "feeding: $(cat "$WORK/log")"
    check_log
}

# consume ARGUMENTS...: a run from the queue to $OUT, in the background as $RUN.
consume() {
    "$STOQ" run -P redis-queue -a hash -C filedir --log-level info "${LIMIT[@]}" --plugin-opts \
        filedir:results_dir="$OUT" redis-queue:redis_socket="$SOCKET" "$@" \
        >"$WORK/stdout" 2>>"$WORK/log" &
    RUN=$!
    AT_END+=("kill -9 $RUN")
}

# The same, slowly enough to be met in the midst of it.
consume_slowly() {
    LIMIT=(--ratelimit 40/1)
    consume "$@"
    LIMIT=()
}

# finish WANTED_STATUS: end the run by a signal.
finish() {
    local status=0
    kill -s TERM "$RUN"
    wait "$RUN" || status=$?
    [ "$status" = "$1" ] || cat "$WORK/log" >&2
    equal "exit status of the run" "$status" "$1"
    check_log
}

digests() { find "$OUT" -type f -not -name '.*' -print0 2>/dev/null | xargs -0r jq -r .results[0].workers.hash.sha256 | sort; }
distinct() { [ "$(digests | uniq | wc -l)" -ge "$1" ]; }
has_results() { [ "$(find "$OUT" -type f -not -name '.*' 2>/dev/null | wc -l)" -ge "$1" ]; }
# complete: each file of $SRC has a result; with "once", exactly one.
complete() {
    digests >"$WORK/found"
    [ "${1:-}" = once ] || sort -u -o "$WORK/found" "$WORK/found"
    diff "$WORK/wanted" "$WORK/found" >&2 || fail "not every file has its result"
}
pending() { redis xpending stoq stoq | head -1; }
pending_is() { [ "$(pending)" = "$1" ]; }
keys_are() { [ "$(redis keys '*' | sort | tr '\n' ' ')" = "$1" ]; }
again() {
    rm -rf "$OUT"
    : >"$WORK/log"
    redis flushall >/dev/null
}

for ((i = 0; i < N; i++)); do
    printf 'file %s\0\377\r\n%s\r\n' "$i" '$' >"$SRC/f$i"
done
sha256sum "$SRC"/f* | cut -d' ' -f1 | sort >"$WORK/wanted"
start_redis --loglevel warning

# Both ways round: every byte, every name, nothing left behind.
for mode in list stream; do
    again
    feed redis-queue:mode=$mode
    consume redis-queue:mode=$mode
    eventually has_results "$N"
    [ "$mode" = list ] || eventually pending_is 0
    finish 0
    complete once
    equal "names" "$(jq -r '.results[0].payload_meta.extra_data.filename' "$OUT"/* | sort -u | wc -l)" "$N"
    if [ "$mode" = list ]; then
        equal "keys" "$(redis keys '*')" ""
    else
        equal "readers" "$(redis xinfo consumers stoq stoq)" ""
        equal "entries" "$(redis xlen stoq)" "$N"
    fi
done

# As the original's manual has it: tasks for a source archiver, and the rest of its life.
for mode in list stream; do
    again
    "$STOQ" run -P filedir -A filedir -C redis-queue --plugin-opts filedir:source_dir="$SRC" \
        filedir:archive_dir="$WORK/archive" redis-queue:redis_socket="$SOCKET" \
        redis-queue:mode=$mode redis-queue:publish_archive=True 2>"$WORK/log" ||
        fail "publishing: $(cat "$WORK/log")"
    consume -S filedir --plugin-opts filedir:archive_dir="$WORK/archive" filedir:results_dir="$OUT" \
        redis-queue:redis_socket="$SOCKET" redis-queue:mode=$mode
    eventually distinct "$N"
    finish 0
    complete once
done

# A task that nobody has is put aside, and holds up nothing.
again
redis rpush stoq '{"filedir": {"path": "/nosuch"}}' '{"nosuch": {"a": 1}}' >/dev/null
feed
consume -S filedir --plugin-opts filedir:archive_dir="$WORK/archive" filedir:results_dir="$OUT" \
    redis-queue:redis_socket="$SOCKET" redis-queue:max_attempts=2
eventually keys_are 'stoq:alive:'"$(hostname)-$RUN"' stoq:dead stoq:doing '
finish 3
complete once
equal "put aside" "$(redis llen stoq:dead)" 2
grep -q 'failed with archiver nosuch' "$WORK/log" || fail "a task without archiver: not told"

# A run that is killed, in the midst of it: another one has the rest. While it lives
# nobody takes from it what it is at.
for mode in list stream; do
    again
    feed redis-queue:mode=$mode
    consume_slowly redis-queue:mode=$mode redis-queue:claim_idle_ms=1000
    eventually has_results 20
    kill -9 "$RUN"
    wait "$RUN" 2>/dev/null || :
    has_results "$N" && fail "it was not killed in the midst"
    consume redis-queue:mode=$mode redis-queue:claim_idle_ms=1000
    eventually distinct "$N"
    [ "$mode" = list ] || eventually pending_is 0
    finish 0
    complete
done

# A signal, in the midst: what was scanned is delivered once, the rest is still there.
for mode in list stream; do
    again
    feed redis-queue:mode=$mode
    consume_slowly redis-queue:mode=$mode redis-queue:claim_idle_ms=1000
    eventually has_results 20
    finish 0
    consume redis-queue:mode=$mode redis-queue:claim_idle_ms=1000
    eventually distinct "$N"
    finish 0
    complete once
done

# The server is killed in the midst, and comes back: the run goes on.
for mode in list stream; do
    again
    feed redis-queue:mode=$mode
    consume_slowly redis-queue:mode=$mode redis-queue:claim_idle_ms=2000
    eventually has_results 20
    kill_redis
    grep_trouble() { grep -q 'trying again' "$WORK/log"; }
    eventually grep_trouble
    start_redis --loglevel warning
    eventually distinct "$N"
    [ "$mode" = list ] || eventually pending_is 0
    finish 0
    complete
done

# A connector that is away holds back what was scanned: it comes again until it arrives.
again
feed redis-queue:mode=stream
: >"$OUT" # a file: saving fails
consume redis-queue:mode=stream
grep_failed() { grep -qF 'Not a directory' "$WORK/log"; }
eventually grep_failed
equal "entries that are finished" "$(($(pending) > 0))" 1
rm "$OUT"
eventually distinct "$N"
eventually pending_is 0
finish 3
complete once

# As a connector beside its own provider: every result is in the other stream.
again
feed redis-queue:mode=stream
"$STOQ" run -P redis-queue -C redis-queue -a hash --plugin-opts redis-queue:mode=stream \
    redis-queue:redis_socket="$SOCKET" redis-queue:maxlen=0 2>>"$WORK/log" &
RUN=$!
AT_END+=("kill -9 $RUN")
results_are() { [ "$(redis --raw xrange stoq - + | grep -c '^{"results"')" -ge "$1" ]; }
eventually results_are "$N"
eventually pending_is 0
finish 0

# What is wrong at the start is told in a line, and the run ends.
# told WORDS ARGUMENTS...
told() {
    local words=$1 status=0
    shift
    "$STOQ" run -P redis-queue -a hash -C filedir --plugin-opts filedir:results_dir="$OUT" "$@" \
        >"$WORK/stdout" 2>"$WORK/log" || status=$?
    check_log
    equal "exit status: $words" "$status" 3
    equal "lines: $words" "$(wc -l <"$WORK/log")" 1
    grep -qF -- "$words" "$WORK/log" || fail "not told: $words: $(cat "$WORK/log")"
}
redis flushall >/dev/null
redis set stoq text >/dev/null
told 'key stoq holds something else than a list' redis-queue:redis_socket="$SOCKET"
told 'key stoq holds something else than a stream' redis-queue:redis_socket="$SOCKET" redis-queue:mode=stream
told 'WRONGPASS' redis-queue:redis_socket="$SOCKET" redis-queue:redis_password=x redis-queue:redis_user=y
redis config set requirepass secret >/dev/null
told 'NOAUTH' redis-queue:redis_socket="$SOCKET"
told '127.0.0.1:1: Connection refused' redis-queue:redis_port=1
kill_redis
told "$SOCKET: Connection refused" redis-queue:redis_socket="$SOCKET"
refused "neither list nor stream" "$STOQ" run -P redis-queue --plugin-opts redis-queue:mode=heap
