#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a power loss leaves: the state directory as it is at some moment under load, its log
# cut anywhere, its shared memory gone. The next mount starts from each of these, calls no
# result delivered that is not at the target, delivers the rest, and has no verdict for
# contents that a file does not have any more.
#
# The processes are stopped while a copy is made, so that it is of one moment. Cutting the
# log is honest as long as nothing of it went into the database itself, which the load is
# too small for: what is lost is what had not reached the disk.
. "$(dirname "$0")/lib.sh"

COPIES=${STOQ_COPIES:-4}
RANDOM=${STOQ_SEED:=$RANDOM}
echo "STOQ_SEED=$STOQ_SEED"
FILES=12

# Contents of two kinds; the verdict follows from them, so a wrong one is seen.
fill() {
    if [ $((RANDOM % 2)) -eq 0 ]; then eicar; else echo "harmless $1 $RANDOM"; fi
}

mkdir "$WORK/results"
serve() { # STATE RESULTS
    STATE=$1 mount_fs -a hash,yara -C filedir --plugin-opts "filedir:results_dir=$2"
}

for i in $(seq "$FILES"); do fill "$i" >"$SRC/f$i"; done
serve "$WORK/state" "$WORK/results"

running() { [ ! -e "$WORK/stop" ]; }
load() {
    local i
    RANDOM=$((STOQ_SEED + 1))
    while running; do
        i=$((RANDOM % FILES + 1))
        fill "$i" >"$MNT/f$i" || return
        cat "$MNT/f$i.stoq.json" >/dev/null || return
    done
}
load &
loader=$!
# shellcheck disable=SC2317 # called by cleanup
end_load() {
    : >"$WORK/stop"
    kill "$loader" || :
}
AT_END+=(end_load)

# Stopped for good: no thread of it runs.
is_stopped() {
    local task
    for task in /proc/"$1"/task/*/stat; do
        [[ $(cut -d ')' -f 2 "$task") == ' '[Tt]* ]] || return 1
    done
}

snapshot() { # NUMBER
    local pids pid
    pids=$(pgrep -f "^stoqfs: (mirror|courier) $MNT\$")
    # shellcheck disable=SC2086 # one word each
    kill -STOP $pids
    for pid in $pids; do eventually is_stopped "$pid"; done
    cp -r "$WORK/state" "$WORK/copy$1"
    cp -r "$WORK/results" "$WORK/results$1"
    # shellcheck disable=SC2086
    kill -CONT $pids
}

rows() { [ "$(jq '.outbox.filedir.delivered' "$MNT/.stoq/status.json")" -gt "$1" ]; }
for n in $(seq "$COPIES"); do
    eventually rows $((n * 4))
    [ $((RANDOM % 2)) -eq 0 ] || pause
    snapshot "$n"
done
: >"$WORK/stop"
wait "$loader" || fail "the load ended early"
umount_fs

# The claims of the database in $1, against what was at the target in $2. The copies have
# names of their own: asking changes what is asked.
check_claims() {
    rm -rf "$WORK/asked"
    cp -r "$1" "$WORK/asked"
    equal "integrity of ${1##*/}" "$(sqlite3 "$WORK/asked/stoq.db" 'PRAGMA integrity_check')" ok
    sqlite3 "$WORK/asked/stoq.db" "SELECT scan_id FROM document WHERE doc NOT IN
        (SELECT doc FROM outbox UNION SELECT doc FROM dead)" |
        while read -r id; do
            [ -s "$2/$id" ] || fail "$id is said to be delivered and is not"
        done
    equal "sums of ${1##*/}" "$(sqlite3 "$WORK/asked/stoq.db" \
        'SELECT ifnull(sum(waiting), 0) FROM outbox_stats')" \
        "$(sqlite3 "$WORK/asked/stoq.db" 'SELECT count(*) FROM outbox')"
    [ "$(sqlite3 "$WORK/asked/stoq.db" 'SELECT ifnull(sum(delivered), 0) FROM outbox_stats')" \
        -le "$(find "$2" -type f ! -name '.*' | wc -l)" ] || fail "more is said to be delivered than is"
}

delivered() {
    [ "$(jq '.outbox.filedir.waiting + .queued + .running + .waiting' \
        "$MNT/.stoq/status.json")" -eq 0 ]
}

# A mount that begins with copy $1, the target as it was then in $2.
check_mount() {
    local i expected
    rm -rf "$WORK/target"
    cp -r "$2" "$WORK/target"
    serve "$1" "$WORK/target"
    for i in $(seq "$FILES"); do
        cmp "$SRC/f$i" "$MNT/f$i" || fail "f$i"
        expected=clean
        ! grep -q EICAR "$SRC/f$i" || expected=flagged
        equal "verdict of f$i" "$(verdict_of "$MNT/f$i")" "$expected"
        equal "hash in the sidecar of f$i" \
            "$(jq -r '.results[0].workers.hash.sha256' "$MNT/f$i.stoq.json")" \
            "$(sha256sum <"$SRC/f$i" | cut -d ' ' -f 1)"
    done
    eventually delivered
    umount_fs
    equal "moved aside" "$(find "$1" -name '*corrupt*' -o -name '*suspect*')" ''
    # nothing is in the database that did not arrive
    check_claims "$1" "$WORK/target"
    equal "left" "$(sqlite3 "$1/stoq.db" 'SELECT count(*) FROM outbox')" 0
}

cuts=0
for n in $(seq "$COPIES"); do
    copy=$WORK/copy$n
    [ -s "$copy/stoq.db-wal" ] || fail "no log in copy $n"
    size=$(stat -c %s "$copy/stoq.db-wal")
    [ "$size" -lt $((2000 * 4096)) ] || fail "the log of copy $n may be folded in already"
    for cut in "$size" $((RANDOM * 32768 % size)) $(((RANDOM * 32768 + RANDOM) % size)) \
        $((size - RANDOM % 4096 - 1)); do
        rm -rf "$WORK/variant"
        cp -r "$copy" "$WORK/variant"
        rm -f "$WORK/variant/stoq.db-shm" "$WORK/variant/lock"
        truncate -s "$cut" "$WORK/variant/stoq.db-wal"
        # a block of the log that was never written, in the middle of what was
        [ $((RANDOM % 3)) -ne 0 ] ||
            dd if=/dev/zero of="$WORK/variant/stoq.db-wal" bs=512 count=8 conv=notrunc status=none \
                seek=$((cut / 1024))
        check_claims "$WORK/variant" "$WORK/results$n"
        check_mount "$WORK/variant" "$WORK/results$n"
        cuts=$((cuts + 1))
    done
done
echo "$cuts mounts from $COPIES moments, logs of up to $size bytes"
