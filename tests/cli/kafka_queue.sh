#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kafka-queue as archiver, provider and connector of stoq run, against librdkafka's mock
# cluster, which is no real server: nothing is lost when a run is killed or the brokers
# go, and what is wrong at the start is told.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"
if [ "$(cached STOQ_SANITIZE)" = thread ]; then
    echo "skipped: librdkafka's threads are not seen by ThreadSanitizer"
    exit 77
fi
[ -d "$STOQ_BUILD/plugins/kafka-queue" ] || missing kafka-queue
pkg-config --exists rdkafka || missing librdkafka-dev

OUT=$WORK/results
N=80
RUN=
LIMIT=()
BROKERS='1 2 3'

# shellcheck disable=SC2046 # options are words
"$CC" -std=c11 -D_GNU_SOURCE -o "$WORK/mock" "$SOURCE/tests/cli/support/kafka_mock.c" \
    $(pkg-config --cflags --libs rdkafka)
mkfifo "$WORK/commands"
"$WORK/mock" serve <"$WORK/commands" >"$WORK/servers" &
AT_END+=("kill -9 $!")
exec {commands}>"$WORK/commands"
eventually test -s "$WORK/servers"
SERVERS=$(cat "$WORK/servers")
printf '[kafka-queue]\nservers = %s\nsession_timeout_ms = 3000\nheartbeat_interval_ms = 300\n' \
    "$SERVERS" >"$WORK/stoq.cfg"

brokers() { for i in $BROKERS; do echo "$1 $i" >&"$commands"; done; }

# feed ARGUMENTS...: the files of $SRC into the topic, by the archiver.
feed() {
    "$STOQ" run --config "$WORK/stoq.cfg" -P filedir -A kafka-queue --plugin-opts \
        filedir:source_dir="$SRC" "$@" >"$WORK/stdout" 2>"$WORK/log" ||
        fail "feeding: $(cat "$WORK/log")"
    check_log
}

# consume ARGUMENTS...: a run from the topic to $OUT, in the background as $RUN.
consume() {
    "$STOQ" run --config "$WORK/stoq.cfg" -P kafka-queue -a hash -C filedir --log-level info "${LIMIT[@]}" \
        --plugin-opts filedir:results_dir="$OUT" "$@" >"$WORK/stdout" 2>>"$WORK/log" &
    RUN=$!
    AT_END+=("kill -9 $RUN")
}

# The same, slowly enough to be met in the midst of it.
consume_slowly() {
    LIMIT=(--ratelimit 20/1)
    consume "$@"
    LIMIT=()
}

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
complete() {
    digests >"$WORK/found"
    [ "${1:-}" = once ] || sort -u -o "$WORK/found" "$WORK/found"
    diff "$WORK/wanted" "$WORK/found" >&2 || fail "not every file has its result"
}

for ((i = 0; i < N; i++)); do
    printf 'file %s\0\377\r\n' "$i" >"$SRC/f$i"
done
sha256sum "$SRC"/f* | cut -d' ' -f1 | sort >"$WORK/wanted"

# Every byte, every name; a signal in the midst leaves the rest for the next run.
feed kafka-queue:topic=one
consume_slowly kafka-queue:topic=one
eventually has_results 5
finish 0
[ "$(digests | wc -l)" -lt "$N" ] || fail "the signal had no effect"
consume kafka-queue:topic=one
eventually distinct "$N"
finish 0
complete once
equal "names" "$(jq -r '.results[0].payload_meta.extra_data.filename' "$OUT"/* | sort -u | wc -l)" "$N"
equal "metadata" "$(jq -c '.results[0].payload_meta.extra_data.request_meta.archive_payloads' "$OUT"/* | sort -u)" true

# Tasks, as the original publishes them; one that nobody has is passed over.
rm -rf "$OUT"
"$STOQ" run --config "$WORK/stoq.cfg" -P filedir -A filedir -C kafka-queue --plugin-opts \
    filedir:source_dir="$SRC" filedir:archive_dir="$WORK/archive" kafka-queue:topic=two \
    2>"$WORK/log" || fail "publishing: $(cat "$WORK/log")"
rm "$(find "$WORK/archive" -type f | head -1)"
consume -S filedir --plugin-opts filedir:archive_dir="$WORK/archive" filedir:results_dir="$OUT" \
    kafka-queue:topic=two kafka-queue:max_attempts=2
eventually distinct $((N - 1))
is_passed() { grep -q 'cannot be scanned and is passed over' "$WORK/log"; }
eventually is_passed
finish 0
equal "results" "$(digests | wc -l)" $((N - 1))

# A run that is killed in the midst of it.
rm -rf "$OUT"
feed kafka-queue:topic=three
consume_slowly kafka-queue:topic=three
eventually has_results 5
kill -9 "$RUN"
wait "$RUN" 2>/dev/null || :
has_results "$N" && fail "it was not killed in the midst"
consume kafka-queue:topic=three
eventually distinct "$N"
finish 0
complete

# The brokers go in the midst, and come back: the run goes on.
rm -rf "$OUT"
feed kafka-queue:topic=four
consume_slowly kafka-queue:topic=four
eventually has_results 5
brokers down
is_told() { grep -q 'no broker of .* answers' "$WORK/log"; }
eventually is_told
brokers up
eventually distinct "$N"
finish 0
complete

# As a connector: every result is in the topic.
"$STOQ" run --config "$WORK/stoq.cfg" -P filedir -C kafka-queue -a hash --plugin-opts \
    filedir:source_dir="$SRC" kafka-queue:topic=five kafka-queue:publish_archive=False \
    2>"$WORK/log" || fail "publishing: $(cat "$WORK/log")"
"$WORK/mock" dump "$SERVERS" five "$N" | jq -r .results[0].workers.hash.sha256 | sort >"$WORK/found"
diff "$WORK/wanted" "$WORK/found" >&2 || fail "not every result is in the topic"

# What is wrong at the start is told, and the run ends.
status=0
"$STOQ" run -P kafka-queue -a hash -C filedir --plugin-opts filedir:results_dir="$OUT" \
    kafka-queue:servers=127.0.0.1:1 kafka-queue:timeout_ms=500 2>"$WORK/log" || status=$?
equal "exit status without brokers" "$status" 3
grep -q 'no broker of 127.0.0.1:1 answers within 500 ms: .*Connection refused' "$WORK/log" ||
    fail "not told: $(cat "$WORK/log")"
refused nosuch.property "$STOQ" run -P kafka-queue --plugin-opts kafka-queue:properties=nosuch.property=1
exec {commands}>&-
