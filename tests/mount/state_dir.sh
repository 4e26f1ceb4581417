#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A damaged database is moved aside, a foreign one too; a full state directory degrades
# and says so while files are read and verdicts known.
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

mkdir "$STATE"
mount -t tmpfs -o size=600k,mode=700 tmpfs "$STATE"
AT_END+=("umount -l $STATE")
for i in $(seq 300); do head -c 1000 /dev/urandom >"$SRC/f$i"; done
eicar >"$SRC/bad.com"
mount_fs -o enforce
for i in $(seq 300); do cmp -s "$SRC/f$i" "$MNT/f$i" || fail "f$i while the state directory is full"; done
degraded() { [ "$(jq '.degraded | length' "$MNT/.stoq/status.json")" -gt 0 ]; }
eventually degraded
cat "$MNT/bad.com" 2>/dev/null && fail "enforcement stopped"
umount_fs
eventually umount "$STATE"
