#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# PostgreSQL with its data in the mount: initdb, pgbench, a crash and its recovery, with
# page checksums verified in the end.
. "$(dirname "$0")/lib.sh"

bin=$(echo /usr/lib/postgresql/*/bin)
[ -x "$bin/initdb" ] || fail "PostgreSQL is not installed"
as_postgres() { (cd / && setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$WORK/home" "$@"); }
sql() { as_postgres psql -qtA -h "$WORK/sock" -U postgres -c "$1" postgres; }
is_ready() { as_postgres "$bin/pg_isready" -q -h "$WORK/sock"; }
server_pid() { head -n 1 "$MNT/data/postmaster.pid" 2>/dev/null; }
end_server() { ! pid=$(server_pid) || kill -QUIT "$pid"; }
AT_END+=(end_server)
start() {
    setpriv --reuid=postgres --regid=postgres --init-groups \
        "$bin/postgres" -D "$MNT/data" -k "$WORK/sock" -h '' -c shared_buffers=16MB \
        -c log_min_messages=warning >>"$WORK/postgres.log" 2>&1 &
    server=$!
    eventually is_ready
}
stop() { # SIGNAL EXPECTED-STATUS
    local status=0
    kill "-$1" "$server"
    wait "$server" || status=$?
    equal "exit status of the server" "$status" "$2"
}

mkdir -m 700 "$SRC/data" "$WORK/sock"
chown postgres:postgres "$SRC/data" "$WORK/sock"
# its tools take every file in there for theirs
mount_fs -a hash --log-level warning -o sidecars=hidden
as_postgres "$bin/initdb" -N -D "$MNT/data" -k -A trust -U postgres >"$WORK/initdb" 2>&1 || fail "initdb: $(tail -n 3 "$WORK/initdb")"
equal "what initdb made is postgres's" "$(find "$SRC/data" ! -user postgres | wc -l)" 0
start
as_postgres "$bin/pgbench" -q -i -s 1 -h "$WORK/sock" -U postgres postgres 2>/dev/null || fail "pgbench -i"
as_postgres "$bin/pgbench" -n -c 4 -t 50 -h "$WORK/sock" -U postgres postgres >"$WORK/pgbench" || fail "pgbench"
check "all transactions" grep -q '^number of transactions actually processed: 200/200' "$WORK/pgbench"
sum="SELECT sum(abalance), (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(delta) FROM pgbench_history), count(*) FROM pgbench_accounts"
before=$(sql "$sum")
equal "accounts, branches, history agree" "$(sql "$sum" | awk -F'|' '{ print ($1 == $2 && $2 == $3), $4 }')" "1 100000"

stop QUIT 0 # at once, as a crash would
start
equal "what was committed is there" "$(sql "$sum")" "$before"
sql 'VACUUM FULL; REINDEX DATABASE postgres; CHECKPOINT;' 2>/dev/null || sql 'CHECKPOINT'
stop INT 0
as_postgres "$bin/pg_checksums" --check -D "$MNT/data" >"$WORK/checksums" 2>&1 || fail "checksums: $(tail -n 3 "$WORK/checksums")"
check "no bad page" grep -q '^Bad checksums: *0$' "$WORK/checksums"
umount_fs
