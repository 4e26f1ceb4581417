#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A damaged database is moved aside, a foreign one too. A state directory that is full,
# read-only or removed degrades and says so, while files are read, verdicts known and bad
# files denied; when it can be used again everything is stored and delivered.
. "$(dirname "$0")/lib.sh"

echo one >"$SRC/one"
mkdir -p "$STATE"
chmod 700 "$STATE"
head -c 50000 /dev/urandom >"$STATE/stoq.db"
mount_fs
equal "reads" "$(cat "$MNT/one")" one
equal "moved aside" "$(find "$STATE" -name 'stoq.db.corrupt*' | wc -l)" 1
grep -q 'kept as' "$WORK/log" || fail "not told"
umount_fs
rm -rf "$STATE"
mkdir -m 700 "$STATE"
sqlite3 "$STATE/stoq.db" 'CREATE TABLE somebody_elses(x); INSERT INTO somebody_elses VALUES (1)'
mount_fs
equal "reads" "$(cat "$MNT/one")" one
equal "kept whole" "$(sqlite3 "$(find "$STATE" -name 'stoq.db.corrupt*' -not -name '*-wal' -not -name '*-shm')" 'SELECT x FROM somebody_elses')" 1
umount_fs
rm -rf "$STATE"

# --- full: while it is used
mkdir "$STATE"
mount -t tmpfs -o size=600k,mode=700 tmpfs "$STATE"
AT_END+=("umount -l $STATE")
for i in $(seq 300); do head -c 1000 /dev/urandom >"$SRC/f$i"; done
eicar >"$SRC/bad.com"
DELIVER=(-C filedir --plugin-opts "filedir:results_dir=$WORK/results")
mount_fs -o enforce "${DELIVER[@]}"
for i in $(seq 300); do cmp -s "$SRC/f$i" "$MNT/f$i" || fail "f$i while the state directory is full"; done
says() { jq -e --arg text "$1" '.degraded | any(contains($text))' "$MNT/.stoq/status.json" >/dev/null; }
eventually says 'results cannot be stored: No space left on device'
denied() { ! cat "$MNT/bad.com" 2>/dev/null; }
check "bad files are denied" denied
at_target() { find "$WORK/results" -type f ! -name '.*' 2>/dev/null | wc -l; }
claimed=$(status_of .outbox.filedir.delivered)
[ "$claimed" -le "$(at_target)" ] || fail "$claimed are said to be delivered"
mount -o remount,size=64m "$STATE"
eventually status_is .degraded '[]'
# all that was read, and what was scanned ahead of readers
all_there() { [ "$(at_target)" -ge 301 ] && status_is .outbox.filedir.waiting 0; }
eventually all_there
eventually status_is .outbox.filedir.delivered "$(at_target)"
umount_fs
mount_fs -o enforce "${DELIVER[@]}"
for i in $(seq 300); do cmp -s "$SRC/f$i" "$MNT/f$i" || fail "f$i after it was full"; done
equal "nothing was lost" "$(status_of .scans)" 0
umount_fs

# --- full, or read-only, when it is mounted
full() { dd if=/dev/zero of="$STATE/fill" bs=64k 2>/dev/null || :; }
unfull() { rm "$STATE/fill"; }
read_only() { mount -o remount,ro "$STATE"; }
read_write() { mount -o remount,rw "$STATE"; }
begin_without() { # BREAK MEND REASON NUMBER
    "$1"
    mount_fs -o enforce "${DELIVER[@]}"
    eventually says "results cannot be stored: $3"
    echo "new $4" >"$MNT/new$4"
    equal "new file" "$(cat "$MNT/new$4")" "new $4"
    check "bad files are denied: $3" denied
    equal "sidecar from memory" "$(jq -r .verdict "$MNT/new$4.stoq.json")" clean
    "$2"
    eventually status_is .degraded '[]'
    id=$(jq -r .scan_id "$MNT/new$4.stoq.json")
    eventually test -s "$WORK/results/$id"
    umount_fs
}
begin_without full unfull 'No space left on device' 1
begin_without read_only read_write 'Read-only file system' 2
full
mount_fs "${DELIVER[@]}"
equal "reads" "$(cat "$MNT/one")" one
umount_fs # also when there is never any room
eventually umount "$STATE"
rmdir "$STATE"

# --- removed while it is used
rm -rf "$WORK/results"
: >"$WORK/results" # a file: what is scanned now waits
mount_fs -o enforce "${DELIVER[@]}"
for i in 1 2 3; do cat "$MNT/f$i.stoq.json" >"$WORK/seen$i"; done
eventually status_is '.outbox.filedir | .waiting >= 3 and .failures > 0' true
eventually status_is '.queued + .running' 0
waiting=$(status_of .outbox.filedir.waiting)
rm -r "$STATE"
eventually says 'the state directory or its database was removed'
equal "reads" "$(cmp "$SRC/f4" "$MNT/f4")" ''
check "bad files are denied" denied
equal "sidecar from memory" "$(jq -r .verdict "$MNT/f4.stoq.json")" clean
[ ! -e "$STATE" ] || fail "it was made again behind the operator's back"
equal "metrics" "$(grep '^stoqfs_store_failing ' "$MNT/.stoq/metrics")" 'stoqfs_store_failing 1'
rm "$WORK/results"
for i in 1 2 3; do eventually test -s "$WORK/results/$(jq -r .scan_id "$WORK/seen$i")"; done
[ "$(at_target)" -le "$waiting" ] || fail "something is delivered that was not stored"
umount_fs
mount_fs "${DELIVER[@]}"
equal "reads again" "$(cmp "$SRC/f4" "$MNT/f4")" ''
eventually status_is .degraded '[]'
eventually test -s "$WORK/results/$(jq -r .scan_id "$MNT/f4.stoq.json")"
umount_fs
