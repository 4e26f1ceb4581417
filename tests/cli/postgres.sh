#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The postgres connector and a PostgreSQL server: rows have what the documents say, odd
# ones among them; the server may be locked, stopped or killed at any time, and the
# courier, too, and every scan is one row in the end.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

BIN=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -1)
[ -n "$BIN" ] || missing PostgreSQL
BIN=${BIN%/initdb}
PLUGINS=$STOQ_BUILD/plugins
PG=$WORK/pg
CONNINFO="host=$PG user=stoq dbname=stoq passfile=$WORK/pgpass"
SERVER=
: >"$WORK/log"

# The server refuses to run as root.
as_user=(env "HOME=$PG")
[ "$(id -u)" -ne 0 ] ||
    as_user=(setpriv --reuid=postgres --regid=postgres --init-groups "${as_user[@]}")
mkdir "$PG"
[ "$(id -u)" -ne 0 ] || chown postgres: "$PG"
cd "$PG"
"${as_user[@]}" "$BIN/initdb" -D "$PG/data" -U admin -A trust -E UTF8 --no-locale -N >"$WORK/initdb" 2>&1 ||
    fail "initdb: $(tail -5 "$WORK/initdb")"
"${as_user[@]}" tee "$PG/data/pg_hba.conf" >/dev/null <<'EOF'
local all admin trust
local all all   scram-sha-256
EOF
printf '*:*:*:stoq:it is a secret\n' >"$WORK/pgpass"
chmod 600 "$WORK/pgpass"

sql() { "$BIN/psql" -h "$PG" -U admin -d "${DB:-stoq}" -qAtX -v ON_ERROR_STOP=1 -c "$1"; }
answers() { DB=postgres sql 'SELECT 1' >/dev/null 2>&1; }
answers_or_dead() { answers || ! kill -0 "$SERVER" 2>/dev/null; }
# What a killed server leaves behind may keep the next one from starting at once.
starts() {
    "${as_user[@]}" "$BIN/postgres" -D "$PG/data" -k "$PG" -c listen_addresses= -c fsync=off \
        -c max_connections=20 >>"$WORK/postgres.out" 2>&1 &
    SERVER=$!
    eventually answers_or_dead
    answers
}
stop_server() { # SIGNAL
    kill -s "$1" "$SERVER"
    wait "$SERVER" 2>/dev/null || :
    SERVER=
}
end_server() { [ -z "$SERVER" ] || stop_server QUIT; }
AT_END+=(end_server)
eventually starts
DB=postgres sql "CREATE ROLE stoq LOGIN PASSWORD 'it is a secret'"
DB=postgres sql 'CREATE DATABASE stoq OWNER stoq'

# What the connector's own test has to try with a server.
# shellcheck disable=SC2016 # dollars are the database's
sql 'CREATE SCHEMA unit AUTHORIZATION stoq; CREATE TABLE unit.narrow (scan_id uuid);
    ALTER TABLE unit.narrow OWNER TO stoq;
    CREATE TABLE unit.strict (scan_id uuid PRIMARY KEY, time timestamptz, verdict text
        CONSTRAINT not_flagged CHECK (verdict <> $$flagged$$), filename text, sha256 text,
        size bigint, document jsonb, document_text text);
    ALTER TABLE unit.strict OWNER TO stoq; CREATE TABLE unit.secret (LIKE unit.strict INCLUDING ALL)'
STOQ_TEST_POSTGRES=$CONNINFO "$STOQ_BUILD/tests/test_plugins_postgres" >"$WORK/unit" 2>&1 ||
    fail "$(cat "$WORK/unit")"
equal "rows of a repeated scan" "$(sql "SELECT count(*), max(filename) FROM unit.once")" "1|x"
equal "odd documents" "$(sql 'SELECT count(*) FROM unit.odd')" 3
equal "a name" "$(sql "SELECT filename FROM unit.odd ORDER BY scan_id LIMIT 1")" \
    "'; DROP TABLE unit.odd; --\" \\ é 😀"
equal "replaced" "$(sql "SELECT document #>> '{results,0,payload_meta,extra_data,extra}'
    FROM unit.odd WHERE document_text IS NOT NULL")" '� \u0000'
equal "the original" "$(sql 'SELECT document_text FROM unit.odd WHERE document_text IS NOT NULL' |
    jq -j '.results[0].payload_meta.extra_data.extra' | od -An -c | tr -d ' ')" '\0\u0000'

# send OPTIONS...: one scan; its exit status in $status, its id in $id.
echo "something" >"$WORK/file name"
send() {
    status=0
    "$STOQ" scan --plugin-dir "$PLUGINS" -a hash -C postgres stdout --plugin-opts \
        "postgres:conninfo=$CONNINFO" "$@" -- "$WORK/file name" \
        >"$WORK/result" 2>"$WORK/stderr" || status=$?
    cat "$WORK/stderr" >>"$WORK/log"
    id=$(jq -r .scan_id "$WORK/result")
}
send
equal "exit status" "$status" 0
equal "the row" "$(sql "SELECT verdict, filename, sha256, size,
        time = '$(jq -r .time "$WORK/result")', document_text IS NULL
    FROM stoq_results WHERE scan_id = '$id'")" \
    "clean|file name|$(sha256sum <"$WORK/file name" | cut -d' ' -f1)|10|t|t"
sql "SELECT document FROM stoq_results WHERE scan_id = '$id'" | jq -S . >"$WORK/a"
jq -S . "$WORK/result" | diff - "$WORK/a" >&2 || fail "another document"

# Names are quoted; a table is not made unless asked.
sql 'CREATE SCHEMA "we ird" AUTHORIZATION stoq'
send 'postgres:table=we ird."; DROP TABLE stoq_results; --'
equal "exit status, odd table" "$status" 0
equal "odd table" "$(sql 'SELECT count(*) FROM "we ird"."""; DROP TABLE stoq_results; --"')" 1
send postgres:table=another postgres:create_table=False
equal "exit status, no table" "$status" 3
check "the reason" grep -q 'relation "another" does not exist' "$WORK/stderr"
# Who may not make tables can use one that is there.
sql 'CREATE SCHEMA shared; CREATE TABLE shared.results (LIKE stoq_results INCLUDING ALL);
    GRANT USAGE ON SCHEMA shared TO stoq; GRANT INSERT, SELECT ON shared.results TO stoq'
send postgres:table=shared.results
equal "exit status, shared table" "$status" 0
send postgres:conninfo="$CONNINFO passfile=/dev/null"
equal "exit status, no password" "$status" 3

# A commit is on disk although the database does without.
# shellcheck disable=SC2016
sql 'ALTER DATABASE stoq SET synchronous_commit = off; CREATE TABLE seen (setting text);
    GRANT INSERT ON seen TO stoq;
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen VALUES (current_setting($q$synchronous_commit$q$)); RETURN NEW;
    END $$;
    CREATE TRIGGER note BEFORE INSERT ON stoq_results FOR EACH ROW EXECUTE FUNCTION note()'
send
equal "synchronous_commit" "$(sql 'SELECT setting FROM seen')" on
sql 'DROP TRIGGER note ON stoq_results; TRUNCATE stoq_results'

[ -x "$STOQFS" ] || exit 0
has_row() { [ "$(sql "SELECT count(*) > 0 FROM stoq_results WHERE filename = '$1'" 2>/dev/null)" = t ]; }
all_have_rows() { # N: as many sidecars, and a row for each
    eventually have_ids "$1"
    eventually all_ids
}
all_ids() {
    sql 'SELECT scan_id FROM stoq_results' 2>/dev/null | sort | comm -23 "$WORK/ids" - >"$WORK/without"
    [ ! -s "$WORK/without" ]
}
have_ids() {
    jq -r .scan_id "$MNT"/*.stoq.json | sort >"$WORK/ids"
    [ "$(wc -l <"$WORK/ids")" -eq "$1" ]
}
options=("postgres:conninfo=$CONNINFO" postgres:statement_timeout=1 postgres:connect_timeout=5)
mount_fs -a hash -C postgres --plugin-opts "$(IFS=, && echo "${options[*]}")"

# A table that is locked holds the lane back for as long, and no longer.
lock() {
    "$BIN/psql" -h "$PG" -U admin -d stoq -qAtX <"$WORK/lock" >/dev/null &
    LOCKER=$!
    exec {LOCK}>"$WORK/lock"
    echo 'BEGIN; LOCK TABLE stoq_results;' >&"$LOCK"
    eventually locked
}
locked() { [ "$(sql "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'
    AND relation = 'stoq_results'::regclass AND granted")" = 1 ]; }
unlock() {
    echo 'COMMIT;' >&"$LOCK"
    exec {LOCK}>&-
    wait "$LOCKER"
}
mkfifo "$WORK/lock"
lock
echo locked >"$SRC/locked"
cat "$MNT/locked" >/dev/null
timed_out() { grep -q 'canceling statement due to statement timeout' "$WORK/log"; }
eventually timed_out
unlock
eventually has_row locked

# The courier is killed while the server works on its row: it is there, once.
waiting() { [ "$(sql "SELECT count(*) FROM pg_stat_activity
    WHERE usename = 'stoq' AND wait_event_type = 'Lock'")" = 1 ]; }
lock
echo killed >"$SRC/killed"
cat "$MNT/killed" >/dev/null
eventually waiting
pkill -9 -f "^stoqfs: courier $MNT\$"
unlock
eventually has_row killed
eventually status_is .outbox.postgres.waiting 0
all_have_rows 2
equal "failures for what is there" "$(status_of .outbox.postgres.dead)" 0

# Killed, stopped and started while files are read.
# Files are made as they are read, so that no result is there before its time.
DEADLINE=120
for i in $(seq 300); do
    echo "file $i" >"$SRC/f$i"
    cat "$MNT/f$i" >/dev/null
    case $i in
    100 | 200) stop_server KILL ;;
    140 | 240) eventually starts ;;
    260) stop_server INT ;;
    280) eventually starts ;;
    esac
done
all_have_rows 302
eventually status_is .outbox.postgres.waiting 0
equal "results that are there twice" "$(sql 'SELECT count(*) - count(DISTINCT scan_id) FROM stoq_results')" 0

# One that the table refuses for what it is holds up nobody, and can be sent again.
sql "ALTER TABLE stoq_results ADD CONSTRAINT no_such_name CHECK (filename <> 'refused')"
for name in refused later; do
    echo $name >"$SRC/$name"
    cat "$MNT/$name" >/dev/null
done
eventually has_row later
one_is_dead() { [ "$(status_of .outbox.postgres.dead)" -ge 1 ]; }
eventually one_is_dead
eventually status_is .outbox.postgres.waiting 0
check "the reason" grep -q no_such_name <("$STOQ" outbox ls "$MNT" --dead --json)
sql 'ALTER TABLE stoq_results DROP CONSTRAINT no_such_name'
"$STOQ" outbox retry "$MNT" --dead >/dev/null
eventually has_row refused
eventually status_is .outbox.postgres.dead 0
all_have_rows 304
umount_fs
