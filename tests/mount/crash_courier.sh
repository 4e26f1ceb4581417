#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of courier, zygote, scanners, mirror or everything, at random points, while files
# are written and read and one connector's target comes and goes: every scan that was seen
# in a sidecar arrives at every connector, under its own id; again only after a crash of the
# courier; nothing is called delivered that is not; the database is whole.
#
# STOQ_KILLS=200 STOQ_SEED=1 STOQ_TEST_TIMEOUT=1200: more of it, the same again.
. "$(dirname "$0")/lib.sh"

KILLS=${STOQ_KILLS:-30}
RANDOM=${STOQ_SEED:=$RANDOM}
echo "STOQ_SEED=$STOQ_SEED STOQ_KILLS=$KILLS"

# below a directory, so that nothing is written to the mount point when nothing is mounted
mkdir "$WORK/real" "$SRC/in"
: >"$WORK/stdout"

# The target is a link that leads somewhere, or nowhere; changed in one step.
target() {
    ln -s "$1" "$WORK/target.new"
    mv -T "$WORK/target.new" "$WORK/target"
}
target "$WORK/real"

begin() {
    # standard output is the second connector's target, one that never goes
    "$STOQFS" -f --state-dir "$STATE" -a hash -C stdout,filedir --plugin-opts \
        "filedir:results_dir=$WORK/target/results" "$SRC" "$MNT" >>"$WORK/stdout" 2>>"$WORK/log" &
    MOUNT_PID=$!
    eventually mounted_or_dead
    is_mounted || fail "it does not mount again"
}

# The processes of kind $1; every process for "all".
pids_of() {
    case $1 in
    all) pgrep -f "^stoqfs: [a-z]+ $MNT\$" || : ;;
    *) pgrep -f "^stoqfs: $1 $MNT\$" || : ;;
    esac
}

# Mounted and answering, or gone for good, the supervisor reaped.
is_settled() {
    if is_gone "$MOUNT_PID"; then
        return 0
    fi
    is_mounted && [ -r "$MNT/.stoq/status.json" ]
}

# With its supervisor killed a mount may stay for a moment, or be dead.
clear_away() {
    wait "$MOUNT_PID" 2>/dev/null || :
    nothing_runs() { [ -z "$(pids_of all)" ]; }
    eventually nothing_runs
    ! is_mounted || fusermount3 -uz "$MNT" 2>/dev/null || umount -l "$MNT" 2>/dev/null || :
    not_mounted() { ! is_mounted; }
    eventually not_mounted
}

running() { [ ! -e "$WORK/stop" ]; }

writer() {
    local n=0
    while running; do
        n=$((n + 1))
        echo "$1 writes $n" 2>/dev/null >"$MNT/in/$1-$((n % 12))" || pause
        [ $((n % 5)) -ne 0 ] || rm -f "$MNT/in/$1-$(((n + 6) % 12))" 2>/dev/null || :
        pause
    done
}

# What is seen in sidecars goes to a file of the reader's own.
reader() {
    local file
    while running; do
        for file in "$MNT"/in/*-*; do
            case $file in *.stoq.json | *'*'*) continue ;; esac
            cat "$file" >/dev/null 2>&1 || :
            jq -r .scan_id "$file.stoq.json" 2>/dev/null >>"$WORK/seen.$1" || :
            running || break
        done
        pause
    done
}

jobs=()
stop_jobs() {
    : >"$WORK/stop"
    for job in "${jobs[@]}"; do wait "$job" 2>/dev/null || :; done
    jobs=()
}

# shellcheck disable=SC2317 # called by cleanup
end_jobs() {
    : >"$WORK/stop"
    [ ${#jobs[@]} -eq 0 ] || kill "${jobs[@]}" 2>/dev/null || :
}
AT_END+=(end_jobs)

begin
for who in one two; do
    writer "$who" &
    jobs+=($!)
    reader "$who" &
    jobs+=($!)
done

victims=(courier courier scanner zygote courier mirror scanner all)
courier_deaths=0
kills=0
while [ "$kills" -lt "$KILLS" ]; do
    for _ in $(seq $((RANDOM % 14 + 2))); do pause; done
    case $((RANDOM % 3)) in
    0) target "$WORK/nowhere" ;;
    *) target "$WORK/real" ;;
    esac
    kind=${victims[RANDOM % ${#victims[@]}]}
    pids=$(pids_of "$kind")
    [ -n "$pids" ] || continue
    # shellcheck disable=SC2086 # one word each
    kill -9 $pids 2>/dev/null || continue
    kills=$((kills + 1))
    case $kind in courier | all | mirror) courier_deaths=$((courier_deaths + 1)) ;; esac
    eventually is_settled
    if is_gone "$MOUNT_PID"; then
        clear_away
        begin
    fi
done
echo "killed after $SECONDS s"
stop_jobs

target "$WORK/real"
eventually is_settled
if is_gone "$MOUNT_PID"; then
    clear_away
    begin
fi
all_delivered() {
    [ "$(jq '[.outbox[].waiting] | add' "$MNT/.stoq/status.json" 2>/dev/null)" = 0 ] &&
        [ "$(jq '.queued + .running + .waiting' "$MNT/.stoq/status.json" 2>/dev/null)" = 0 ]
}
# pauses after failures have grown to a minute meanwhile
"$STOQ" outbox retry "$MNT" >/dev/null || fail "stoq outbox retry"
eventually all_delivered
status_of .outbox >"$WORK/outbox"
umount_fs
echo "delivered after $SECONDS s"

arrived=$WORK/real/results
find "$arrived" -type f ! -name '.*' -printf '%f\n' | sort >"$WORK/arrived.filedir"
# not by jq: a courier may have died in the middle of a document
sed -n 's/^    "scan_id": "\([0-9a-f-]*\)".*/\1/p' "$WORK/stdout" | sort >"$WORK/printed"
sort -u "$WORK/printed" >"$WORK/arrived.stdout"
sort -u "$WORK"/seen.* >"$WORK/seen"
echo "kills $kills, of couriers $courier_deaths; scans seen $(wc -l <"$WORK/seen")," \
    "delivered $(wc -l <"$WORK/arrived.filedir")," \
    "again $(($(wc -l <"$WORK/printed") - $(wc -l <"$WORK/arrived.stdout")))"
[ -s "$WORK/seen" ] || fail "nothing was seen"
for connector in filedir stdout; do
    comm -23 "$WORK/seen" "$WORK/arrived.$connector" >"$WORK/lost"
    [ ! -s "$WORK/lost" ] ||
        fail "$(wc -l <"$WORK/lost") seen in sidecars, not at $connector: $(head -3 "$WORK/lost")"
    equal "said to be delivered to $connector" "$(jq ".$connector.delivered" "$WORK/outbox")" \
        "$(wc -l <"$WORK/arrived.$connector")"
    equal "dropped" "$(jq ".$connector.dropped + .$connector.dead" "$WORK/outbox")" 0
done
again=$(($(wc -l <"$WORK/printed") - $(wc -l <"$WORK/arrived.stdout")))
[ "$again" -le "$courier_deaths" ] ||
    fail "$again results came again, after $courier_deaths deaths of couriers"
# what is at one connector is at the other, and is what it says
check "both have the same" cmp "$WORK/arrived.filedir" "$WORK/arrived.stdout"
find "$arrived" -type f ! -name '.*' -exec jq -r 'input_filename + " " + .scan_id' {} + >"$WORK/named"
equal "whole documents" "$(wc -l <"$WORK/named")" "$(wc -l <"$WORK/arrived.filedir")"
while read -r file id; do
    [ "${file##*/}" = "$id" ] || fail "$file is not of its scan"
done <"$WORK/named"
equal "integrity" "$(sqlite3 "$STATE/stoq.db" 'PRAGMA integrity_check')" ok
equal "moved aside" "$(find "$STATE" -name '*corrupt*' -o -name '*suspect*')" ''
