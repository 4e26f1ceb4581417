#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stoq outbox: lists, retries and drops what waits and what is dead, beside a running mount
# and without one, by IDs, connector or all; says in one line what cannot be done.
. "$(dirname "$0")/../mount/lib.sh"

ids() { "$STOQ" outbox ls "$@" --json | jq -r .id | paste -sd ' '; }
ls_is() { [ "$(ids "${@:2}")" = "$1" ]; }
# said EXPECTED-STATUS EXPECTED-TEXT COMMAND...: on standard output and error together
said() {
    local want=$1 text=$2 status=0 out
    shift 2
    out=$("$@" 2>&1) || status=$?
    equal "exit status of: $*" "$status" "$want"
    equal "words of: $*" "$out" "$text"
}

# --- what is said of bad calls
usage='usage: stoq outbox ls|retry|drop'
refused "$usage" "$STOQ" outbox
refused "$usage" "$STOQ" outbox show
refused 'name the mount point, or the state directory with --state-dir' "$STOQ" outbox ls
refused 'is no mount of stoqfs' "$STOQ" outbox ls "$WORK"
refused 'stoq.db: No such file or directory' "$STOQ" outbox ls --state-dir "$WORK"
[ ! -e "$WORK/stoq.db" ] || fail "a database was made"
refused '12x is no ID of stoq outbox ls' "$STOQ" outbox retry --state-dir "$WORK" 1 12x
refused '-1' "$STOQ" outbox retry --state-dir "$WORK" -1
refused 'stoq outbox drop needs IDs, --connector or --dead' "$STOQ" outbox drop --state-dir "$WORK"
refused 'stoq list has no option --dead' "$STOQ" list --dead
mkdir "$WORK/bad"
head -c 9000 /dev/urandom >"$WORK/bad/stoq.db"
refused 'stoq.db: file is not a database' "$STOQ" outbox ls --state-dir "$WORK/bad"

# --- two connectors, one of which has nowhere to put things
: >"$WORK/blocked"
cat >"$WORK/stoq.cfg" <<CFG
[core]
connectors = filedir, stdout
always_dispatch = hash
[filedir]
results_dir = $WORK/blocked/results
CFG
for i in 1 2 3 4 5; do echo "file $i" >"$SRC/f$i"; done
mount_fs --config "$WORK/stoq.cfg"
for i in 1 2 3 4 5; do
    cat "$MNT/f$i.stoq.json" >"$WORK/doc$i"
done
eventually status_is '.outbox | [.filedir.waiting, .stdout.waiting]' '[5,0]'
failed() { [ "$(status_of .outbox.filedir.failures)" -gt 0 ]; }
eventually failed
list=$(ids "$MNT")
read -r a b c d e <<<"$list"
[ -n "$e" ] || fail "not five: $list"
equal "by state directory" "$(ids --state-dir "$STATE")" "$list"
equal "by configuration" "$(XDG_CACHE_HOME='' "$STOQ" outbox ls --config-file \
    <(printf '[stoqfs]\nstate_dir = %s\n' "$STATE") --json | wc -l)" 5
equal "of a connector" "$(ids "$MNT" --connector filedir)" "$list"
equal "of another" "$(ids "$MNT" --connector stdout)" ''
equal "dead" "$(ids "$MNT" --dead)" ''
equal "some" "$(ids "$MNT" "$b" "$d")" "$b $d"
first=$("$STOQ" outbox ls "$MNT" --json "$a")
equal "its scan" "$(jq -r .scan_id <<<"$first")" "$(jq -r .scan_id "$WORK/doc1")"
equal "its size" "$(jq .bytes <<<"$first")" "$(stat -c %s "$WORK/doc1")"
equal "its state" "$(jq -c '[.state, .connector, has("due"), .attempts > 0]' <<<"$first")" \
    '["waiting","filedir",true,true]'
[[ $(jq -r .last_error <<<"$first") == *'Not a directory' ]] || fail "its error: $first"
equal "lines of the table" "$("$STOQ" outbox ls "$MNT" | wc -l)" 6

# --- drop and retry while the mount runs
said 0 'dropped: 1' "$STOQ" outbox drop "$MNT" "$b"
said 1 $'stoq: outbox: there is no '"$b"$' (any more)\ndropped: 1' "$STOQ" outbox drop "$MNT" "$b" "$c"
said 1 "stoq: outbox: there is no $a (any more)
dropped: 0" "$STOQ" outbox drop "$MNT" --connector stdout "$a"
equal "left" "$(ids "$MNT")" "$a $d $e"
equal "counted" "$(status_of '.outbox.filedir | [.waiting, .dropped, .dead]')" '[3,2,0]'
rm "$WORK/blocked"
said 0 '{"retried": 3}' "$STOQ" outbox retry "$MNT" --json
arrived() { [ "$(find "$WORK/blocked/results" -type f ! -name '.*' 2>/dev/null | wc -l)" -eq "$1" ]; }
DEADLINE=20 eventually arrived 3
for i in 1 4 5; do
    check "document $i" test -s "$WORK/blocked/results/$(jq -r .scan_id "$WORK/doc$i")"
done
eventually status_is '.outbox.filedir | [.waiting, .delivered, .last_error]' '[0,3,null]'
equal "nothing left" "$("$STOQ" outbox ls "$MNT")" ''
umount_fs

# --- dead letters: found, kept over a restart, retried without a mount
rm -rf "$WORK/blocked"
: >"$WORK/blocked"
printf '[outbox]\ndead_after = 0.1\ndead_attempts = 2\n' >>"$WORK/stoq.cfg"
mount_fs --config "$WORK/stoq.cfg"
for i in 6 7; do
    echo "file $i" >"$SRC/f$i"
    cat "$MNT/f$i.stoq.json" >"$WORK/doc$i"
done
eventually status_is '.outbox.filedir | [.waiting, .dead, .delivered]' '[0,2,3]'
equal "metrics" "$(grep '^stoqfs_outbox_dead{connector="filedir"}' "$MNT/.stoq/metrics")" \
    'stoqfs_outbox_dead{connector="filedir"} 2'
check "it is told" jq -e '.degraded | any(contains("2 results, which are dead letters"))' \
    "$MNT/.stoq/status.json" >/dev/null
dead=$(ids "$MNT" --dead)
read -r f g <<<"$dead"
equal "a dead letter" "$("$STOQ" outbox ls "$MNT" --json "$f" | jq -c \
    '[.state, .attempts >= 2, .died > .queued, (.last_error | endswith("Not a directory"))]')" \
    '["dead",true,true,true]'
umount_fs
equal "without a mount" "$(ids --state-dir "$STATE")" "$dead"
said 0 'dropped: 1' "$STOQ" outbox drop --state-dir "$STATE" --dead "$g"
said 0 'retried: 1' "$STOQ" outbox retry --state-dir "$STATE" --dead
equal "it waits again" "$("$STOQ" outbox ls --state-dir "$STATE" --json | jq -c '[.id, .state]')" \
    "[$f,\"waiting\"]"
rm "$WORK/blocked"
mount_fs --config "$WORK/stoq.cfg"
eventually test -s "$WORK/blocked/results/$(jq -r .scan_id "$WORK/doc6")"
equal "the dropped one" "$(find "$WORK/blocked/results" -name "$(jq -r .scan_id "$WORK/doc7")")" ''
umount_fs

# --- bounds, as configured
rm -rf "$WORK/blocked"
: >"$WORK/blocked"
size=$(stat -c %s "$WORK/doc1")
sed -i 's/^dead_after.*/dead_after = 0/' "$WORK/stoq.cfg"
printf 'max_bytes = %s\ndrop = newest\n' $((2 * size + size / 2)) >>"$WORK/stoq.cfg"
mount_fs --config "$WORK/stoq.cfg"
for i in $(seq 10 17); do
    echo "file $i" >"$SRC/f$i"
    cat "$MNT/f$i.stoq.json" >"$WORK/doc$i"
done
eventually status_is '.outbox.filedir.dropped' 9
equal "the oldest are kept" "$("$STOQ" outbox ls "$MNT" --json | jq -r .scan_id | paste -sd ' ')" \
    "$(jq -r .scan_id "$WORK/doc10" "$WORK/doc11" | paste -sd ' ')"
check "it is told" jq -e '.degraded | any(contains("outbox is at its bounds"))' \
    "$MNT/.stoq/status.json" >/dev/null
equal "told once" "$(grep -c 'results for connector filedir are dropped' "$WORK/log")" 1
equal "metrics" "$(grep '^stoqfs_outbox_dropped_total{connector="filedir"}' "$MNT/.stoq/metrics")" \
    'stoqfs_outbox_dropped_total{connector="filedir"} 9'
said 0 'dropped: 2' "$STOQ" outbox drop "$MNT" --connector filedir
umount_fs
