#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The es-search connector and a strict stand-in for ElasticSearch, as Debian has none: it
# checks every byte of a bulk request and fails on demand. Certificates and credentials;
# documents that are never taken; the server killed while files are read.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

for tool in python3 openssl; do
    command -v "$tool" >/dev/null || missing "$tool"
done
PLUGINS=$STOQ_BUILD/plugins
ES=$WORK/es
SERVER=
mkdir "$ES"
: >"$WORK/log"

start_server() { # ARGUMENTS...
    rm -f "$ES/port"
    python3 "$SOURCE/tests/cli/support/es_server.py" "$ES" "$@" 2>>"$WORK/server.err" &
    SERVER=$!
    eventually has_port
    PORT=$(cat "$ES/port")
    echo "$PORT" >"$ES/want-port"
}
has_port() {
    kill -0 "$SERVER" || fail "$(cat "$WORK/server.err")"
    [ -s "$ES/port" ]
}
stop_server() {
    kill -9 "$SERVER"
    wait "$SERVER" 2>/dev/null || :
    SERVER=
}
end_server() { [ -z "$SERVER" ] || stop_server; }
AT_END+=(end_server)

# send OPTIONS...: one scan; its exit status in $status, its id in $id.
echo "something" >"$WORK/file name"
send() {
    status=0
    "$STOQ" scan --plugin-dir "$PLUGINS" -a hash -C es-search stdout --plugin-opts \
        "${@/#/es-search:}" -- "$WORK/file name" >"$WORK/result" 2>"$WORK/stderr" || status=$?
    cat "$WORK/stderr" >>"$WORK/log"
    id=$(jq -r .scan_id "$WORK/result")
}
there() { jq -c --arg id "$id" 'select(.id == $id)' "$ES/documents"; }
delivered() { # WHAT INDEX
    equal "exit status, $1" "$status" 0
    equal "index, $1" "$(there | jq -r .index)" "$2"
    there | jq -S .doc >"$WORK/a"
    jq -S . "$WORK/result" | diff - "$WORK/a" >&2 || fail "another document, $1"
}
said() { grep -qF "$1" "$WORK/stderr" || fail "message: '$(cat "$WORK/stderr")' lacks '$1'"; }

start_server
STOQ_TEST_ES=$ES "$STOQ_BUILD/tests/test_plugins_es_search" >"$WORK/unit" 2>&1 ||
    fail "$(cat "$WORK/unit")"
month=$(date -u +%Y-%m)
send "es_host=127.0.0.1:$PORT"
delivered "by month" "stoq-$month"
send "es_host=http://localhost:$PORT/below/" es_index=other index_by_month=False
delivered "another index" other
# A proxy of the environment is none of its business.
export http_proxy=http://127.0.0.1:1
send "es_host=127.0.0.1:$PORT"
delivered "no proxy" "stoq-$month"
unset http_proxy

# Credentials.
printf 'Basic %s' "$(printf 'me:a secret' | base64)" >"$ES/auth"
printf 'a secret\n' >"$WORK/password"
send "es_host=127.0.0.1:$PORT" es_username=me "es_password_file=$WORK/password"
delivered "a user" "stoq-$month"
send "es_host=127.0.0.1:$PORT" 'es_options={"http_auth": ["me", "a secret"]}'
delivered "http_auth" "stoq-$month"
send "es_host=127.0.0.1:$PORT"
equal "exit status, no user" "$status" 3
said "status 401: security_exception: missing credentials"
printf 'ApiKey bWU6a2V5' >"$ES/auth"
echo bWU6a2V5 >"$WORK/key"
send "es_host=127.0.0.1:$PORT" "es_api_key_file=$WORK/key"
delivered "a key" "stoq-$month"
rm "$ES/auth"
stop_server

# TLS.
certificate() { # NAME SUBJECT-ALT-NAME...
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" -keyout "$ES/$1.key" \
        -out "$ES/$1.pem" -addext "$2" "${@:3}" 2>/dev/null || fail "openssl makes no certificate"
}
certificate ca 'basicConstraints=critical,CA:TRUE'
certificate other 'basicConstraints=critical,CA:TRUE'
certificate server 'subjectAltName=IP:127.0.0.1' -CA "$ES/ca.pem" -CAkey "$ES/ca.key"
start_server tls
send "es_host=https://127.0.0.1:$PORT" "es_options={\"ca_certs\": \"$ES/ca.pem\"}"
delivered "TLS" "stoq-$month"
send "es_host=127.0.0.1" "es_options={\"ca_certs\": \"$ES/ca.pem\", \"use_ssl\": true, \"port\": $PORT}"
delivered "use_ssl" "stoq-$month"
send "es_host=https://127.0.0.1:$PORT" "es_options={\"ca_certs\": \"$ES/other.pem\"}"
equal "exit status, unknown authority" "$status" 3
said "SSL certificate problem"
send "es_host=https://localhost:$PORT" "es_options={\"ca_certs\": \"$ES/ca.pem\"}"
equal "exit status, another name" "$status" 3
said "localhost"
send "es_host=https://localhost:$PORT" 'es_options={"verify_certs": false}'
delivered "not verified" "stoq-$month"
stop_server

# A mount: the server is killed, hangs and is busy while files are read.
if [ -x "$STOQFS" ]; then
    start_server
    mount_fs -a hash -C es-search --plugin-opts \
        "es-search:es_host=127.0.0.1:$PORT,es-search:es_timeout=1,es-search:es_index=mount"
    DEADLINE=120
    have_ids() {
        jq -r .scan_id "$MNT"/*.stoq.json | sort >"$WORK/ids"
        [ "$(wc -l <"$WORK/ids")" -eq "$1" ]
    }
    idle() { status_is '.outbox["es-search"].waiting' 0; }
    # Files are made as they are read, so that no result is there before its time.
    for i in $(seq 200); do
        echo "file $i" >"$SRC/f$i"
        cat "$MNT/f$i" >/dev/null
        case $i in
        40 | 120) stop_server ;;
        60 | 140) start_server ;;
        80) echo silent >"$ES/mode" ;;
        90) echo hang >"$ES/mode" ;;
        100 | 180) : >"$ES/mode" ;;
        160) echo "item 429" >"$ES/mode" ;;
        esac
    done
    eventually have_ids 200
    eventually idle
    # one that is refused for what it is holds up nobody, and can be sent again
    is_dead() { [ "$(status_of '.outbox["es-search"].dead')" -ge 1 ]; }
    echo "item 400 mapper_parsing_exception" >"$ES/mode"
    echo refused >"$SRC/refused"
    cat "$MNT/refused" >/dev/null
    eventually is_dead
    : >"$ES/mode"
    "$STOQ" outbox retry "$MNT" --dead >/dev/null
    eventually have_ids 201
    eventually idle
    all_taken() {
        jq -r 'select(.index | startswith("mount-")).id' "$ES/documents" | sort >"$WORK/taken"
        [ -z "$(comm -23 "$WORK/ids" "$WORK/taken")" ]
    }
    eventually all_taken
    equal "documents that are there twice" "$(uniq -d "$WORK/taken")" ""
    umount_fs
    stop_server
fi
[ ! -e "$ES/problems" ] || fail "the server saw: $(sort "$ES/problems" | uniq -c)"
