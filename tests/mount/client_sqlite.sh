#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SQLite in WAL mode (shared memory mapped by several processes, POSIX locks) and with a
# journal: writers at the same time, one killed, no row lost, integrity checked.
. "$(dirname "$0")/lib.sh"

mount_fs -a hash --log-level warning
db() { sqlite3 -cmd '.timeout 60000' "$@"; }
for mode in wal delete; do
    f=$MNT/$mode.db
    equal "mode" "$(db "$f" "PRAGMA journal_mode=$mode; CREATE TABLE t(who, n, pad);")" "$mode"
    for who in 1 2 3; do
        for n in $(seq 15); do
            echo "BEGIN IMMEDIATE; INSERT INTO t VALUES ($who, $n, randomblob(3000)); COMMIT;"
        done | db "$f" &
        writers[who]=$!
    done
    for who in 1 2 3; do wait "${writers[who]}" || fail "writer $who of $mode"; done
    equal "rows" "$(db "$f" 'SELECT count(*), count(DISTINCT who * 100 + n) FROM t;')" "45|45"

    # one that dies in the middle of a transaction leaves nothing behind
    mkfifo "$WORK/pipe.$mode"
    db "$f" <"$WORK/pipe.$mode" >"$WORK/said" &
    victim=$!
    exec 7>"$WORK/pipe.$mode"
    echo "BEGIN IMMEDIATE; DELETE FROM t; SELECT 'deleted';" >&7
    eventually grep -q deleted "$WORK/said"
    kill -KILL "$victim"
    wait "$victim" 2>/dev/null || :
    exec 7>&-
    equal "rows after a crash" "$(db "$f" 'SELECT count(*) FROM t;')" 45
    db "$f" 'PRAGMA wal_checkpoint(TRUNCATE); VACUUM; REINDEX;' >/dev/null
    equal "integrity" "$(db "$f" 'PRAGMA integrity_check;')" ok
    equal "integrity in the source" "$(db "$SRC/$mode.db" 'PRAGMA integrity_check; SELECT count(*) FROM t;' | tr '\n' ' ')" "ok 45 "
done
umount_fs
