#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --ratelimit: scans keep their distance, measured by the monotonic clock; bad limits are
# refused with one line; a signal does not wait for the next turn.
. "$(dirname "$0")/../mount/lib.sh"

now_ms() { python3 -c 'import time; print(time.monotonic_ns() // 1000000)'; }

# at_least MS COMMAND...: it takes so long.
at_least() {
    local ms=$1 begin took
    shift
    begin=$(now_ms)
    "$@" >"$WORK/out" 2>"$WORK/log" || fail "$*: $(cat "$WORK/log")"
    took=$(($(now_ms) - begin))
    [ "$took" -ge "$ms" ] || fail "$*: took only $took ms"
    check_log
}

for i in 1 2 3 4 5; do echo "$i" >"$SRC/$i"; done
for how in pool none; do
    at_least 800 "$STOQ" scan "$SRC" -a hash --isolation "$how" --ratelimit 5/1
    equal "documents" "$(jq -r .verdict "$WORK/out" | grep -c clean)" 5
    at_least 800 "$STOQ" run -P filedir -C filedir --isolation "$how" --ratelimit 10/2 \
        --plugin-opts filedir:source_dir="$SRC" filedir:results_dir="$WORK/results-$how"
    equal "results" "$(find "$WORK/results-$how" -type f | wc -l)" 5
done

for limit in '' 5 5/ /5 0/1 1/0 -1/1 1.5/1 1/1/1 a/b 99999999999/1; do
    refused "rate limit '$limit': expected COUNT/SECONDS, two whole numbers above 0" \
        "$STOQ" scan "$SRC" "--ratelimit=$limit"
done
refused 'option --ratelimit needs a value' "$STOQ" scan "$SRC" --ratelimit
refused 'stoq list has no option --ratelimit' "$STOQ" list --ratelimit 1/1

# The second file's turn is in an hour; a signal ends the run before.
"$STOQ" run -P filedir -C filedir --ratelimit 1/3600 --log-level info --plugin-opts \
    filedir:source_dir="$SRC" filedir:results_dir="$WORK/ended" 2>"$WORK/log" &
pid=$!
has_result() { [ "$(find "$WORK/ended" -type f -not -name '.*' 2>/dev/null | wc -l)" -eq 1 ]; }
eventually has_result
kill "$pid"
status=0
wait "$pid" || status=$?
check_log
[ "$(find "$WORK/ended" -type f | wc -l)" -le 2 ] || fail "the limit was not kept"
equal "exit status after a signal" "$status" 0
