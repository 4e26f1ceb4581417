#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two connectors at once, postgres and es-search, whose servers come and go one by one and
# together: one that is down does not hold up the other, and in the end the scan of every
# sidecar is at each, once.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../cli/support/build.sh"

BIN=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -1)
[ -n "$BIN" ] || missing PostgreSQL
BIN=${BIN%/initdb}
PG=$WORK/pg
ES=$WORK/es
PG_SERVER=
ES_SERVER=

as_user=(env "HOME=$PG")
[ "$(id -u)" -ne 0 ] ||
    as_user=(setpriv --reuid=postgres --regid=postgres --init-groups "${as_user[@]}")
mkdir "$PG" "$ES"
[ "$(id -u)" -ne 0 ] || chown postgres: "$PG"
cd "$PG"
"${as_user[@]}" "$BIN/initdb" -D "$PG/data" -U stoq -A trust -E UTF8 --no-locale -N \
    >"$WORK/initdb" 2>&1 || fail "initdb: $(tail -5 "$WORK/initdb")"

sql() { "$BIN/psql" -h "$PG" -U stoq -d postgres -qAtX -v ON_ERROR_STOP=1 -c "$1" 2>/dev/null; }
answers_or_dead() { sql 'SELECT 1' >/dev/null || ! kill -0 "$PG_SERVER" 2>/dev/null; }
# What a killed server leaves behind may keep the next one from starting at once.
pg_starts() {
    "${as_user[@]}" "$BIN/postgres" -D "$PG/data" -k "$PG" -c listen_addresses= -c fsync=off \
        -c max_connections=20 >>"$WORK/postgres.out" 2>&1 &
    PG_SERVER=$!
    eventually answers_or_dead
    sql 'SELECT 1' >/dev/null
}
has_port() { [ -s "$ES/port" ]; }
es_starts() {
    rm -f "$ES/port"
    python3 "$SOURCE/tests/cli/support/es_server.py" "$ES" 2>>"$WORK/es.err" &
    # shellcheck disable=SC2034 # by its name, in stop()
    ES_SERVER=$!
    eventually has_port
    PORT=$(cat "$ES/port")
    echo "$PORT" >"$ES/want-port"
}
stop() { # SERVER SIGNAL
    [ -n "${!1}" ] || return 0
    kill -s "$2" "${!1}"
    wait "${!1}" 2>/dev/null || :
    printf -v "$1" ''
}
end_servers() {
    stop PG_SERVER QUIT
    stop ES_SERVER KILL
}
AT_END+=(end_servers)

waiting_is() { status_is ".outbox[\"$1\"].waiting" "$2"; }
have_ids() {
    jq -r .scan_id "$MNT"/*.stoq.json | sort >"$WORK/ids"
    [ "$(wc -l <"$WORK/ids")" -eq "$1" ]
}
# Files are made as they are read, so that no result is there before its time.
read_new() { # FROM TO
    local i
    for i in $(seq "$1" "$2"); do
        echo "file $i" >"$SRC/f$i"
        cat "$MNT/f$i" >/dev/null
    done
}

eventually pg_starts
es_starts
options=("postgres:conninfo=host=$PG user=stoq dbname=postgres" postgres:connect_timeout=5
    "es-search:es_host=127.0.0.1:$PORT" es-search:es_timeout=5)
mount_fs -a hash -C postgres,es-search --plugin-opts "$(IFS=, && echo "${options[*]}")"

DEADLINE=120
read_new 1 20
stop PG_SERVER KILL
read_new 21 60
eventually waiting_is es-search 0 # not held up by the other
eventually pg_starts
stop ES_SERVER KILL
read_new 61 100
eventually waiting_is postgres 0
stop PG_SERVER KILL
pkill -9 -f "^stoqfs: courier $MNT\$"
read_new 101 140
eventually pg_starts
es_starts
read_new 141 180
stop PG_SERVER INT
stop ES_SERVER TERM
read_new 181 200
es_starts
eventually pg_starts
eventually have_ids 200
eventually waiting_is postgres 0
eventually waiting_is es-search 0

sql 'SELECT scan_id FROM stoq_results' | sort | comm -23 "$WORK/ids" - >"$WORK/without"
equal "scans that are no row" "$(cat "$WORK/without")" ""
jq -r .id "$ES/documents" | sort >"$WORK/taken"
equal "scans that are no document" "$(comm -23 "$WORK/ids" "$WORK/taken")" ""
equal "documents that are there twice" "$(uniq -d "$WORK/taken")" ""
[ ! -e "$ES/problems" ] || fail "the server saw: $(sort "$ES/problems" | uniq -c)"
umount_fs
