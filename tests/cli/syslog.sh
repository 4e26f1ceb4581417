#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The syslog connector and rsyslogd: over a unix socket, UDP, TCP and TLS, messages arrive
# as rsyslog's own parser of RFC 5424 reads them. Certificates are verified. What comes
# while the server is down waits for it.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

for tool in rsyslogd openssl jq python3; do
    command -v "$tool" >/dev/null || [ -x "/usr/sbin/$tool" ] || missing "$tool"
done
RSYSLOGD=$(command -v rsyslogd || echo /usr/sbin/rsyslogd)
PLUGINS=$STOQ_BUILD/plugins
SERVER=
: >"$WORK/log"

free_ports() {
    python3 -c 'import socket, sys
s = [socket.socket() for _ in range(int(sys.argv[1]))]
[x.bind(("127.0.0.1", 0)) for x in s]
print(*[x.getsockname()[1] for x in s])' "$1"
}
read -r UDP TCP TLS TLS_CLIENT < <(free_ports 4)

# certificate NAME SUBJECT-ALT-NAME CA: signed by CA, or by itself.
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$WORK/$1.key" -out "$WORK/$1.pem" -addext "$2" "${@:3}" 2>/dev/null ||
        fail "openssl makes no certificate"
}
certificate ca 'basicConstraints=critical,CA:TRUE'
certificate other 'basicConstraints=critical,CA:TRUE'
# -CA of openssl req signs by another certificate
certificate server 'subjectAltName=IP:127.0.0.1' -CA "$WORK/ca.pem" -CAkey "$WORK/ca.key"
certificate client 'extendedKeyUsage=clientAuth' -CA "$WORK/ca.pem" -CAkey "$WORK/ca.key"
cat "$WORK/client.pem" "$WORK/client.key" >"$WORK/client.both"

cat >"$WORK/rsyslog.conf" <<EOF
global(workDirectory="$WORK" maxMessageSize="64k" processInternalMessages="on"
    defaultNetstreamDriverCAFile="$WORK/ca.pem"
    defaultNetstreamDriverCertFile="$WORK/server.pem"
    defaultNetstreamDriverKeyFile="$WORK/server.key")
module(load="imuxsock" sysSock.use="off")
module(load="imudp")
module(load="imtcp")
template(name="fields" type="list" option.jsonf="on") {
    property(outname="severity" name="syslogseverity-text" format="jsonf")
    property(outname="facility" name="syslogfacility-text" format="jsonf")
    property(outname="app" name="app-name" format="jsonf")
    property(outname="msgid" name="msgid" format="jsonf")
    property(outname="time" name="timereported" dateformat="rfc3339" format="jsonf")
    property(outname="version" name="protocol-version" format="jsonf")
    property(outname="data" name="structured-data" format="jsonf")
    property(outname="message" name="msg" format="jsonf")
}
ruleset(name="write") {
    action(type="omfile" file="$WORK/messages" template="fields" asyncWriting="off")
}
input(type="imuxsock" socket="$WORK/dev-log" useSpecialParser="off" parseHostname="on"
    ignoreTimestamp="off" ruleset="write")
input(type="imudp" address="127.0.0.1" port="$UDP" ruleset="write")
input(type="imtcp" address="127.0.0.1" port="$TCP" ruleset="write")
input(type="imtcp" address="127.0.0.1" port="$TLS" ruleset="write"
    streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="$TLS_CLIENT" ruleset="write"
    streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
action(type="omfile" file="$WORK/rsyslog.log")
EOF

start_server() {
    "$RSYSLOGD" -n -i "$WORK/pid" -f "$WORK/rsyslog.conf" >>"$WORK/rsyslogd.out" 2>&1 &
    SERVER=$!
    eventually listening
}
listening() {
    kill -0 "$SERVER" || fail "rsyslogd: $(cat "$WORK/rsyslogd.out")"
    (: <"/dev/tcp/127.0.0.1/$TCP" && : <"/dev/tcp/127.0.0.1/$TLS" &&
        : <"/dev/tcp/127.0.0.1/$TLS_CLIENT") 2>/dev/null && [ -S "$WORK/dev-log" ]
}
stop_server() {
    kill "$SERVER"
    wait "$SERVER" || fail "rsyslogd: exit status $?"
    SERVER=
}
end_server() { [ -z "$SERVER" ] || kill -9 "$SERVER"; }
AT_END+=(end_server)
start_server

# send OPTIONS...: one scan; its exit status in $status, its id in $id.
send() {
    status=0
    "$STOQ" scan --plugin-dir "$PLUGINS" -a hash -C syslog stdout --plugin-opts "${@/#/syslog:}" \
        -- "$FILE" >"$WORK/result" 2>"$WORK/stderr" || status=$?
    cat "$WORK/stderr" >>"$WORK/log"
    id=$(jq -r .scan_id "$WORK/result")
}
message_of() { jq -c --arg id "$1" 'select(.data | contains($id))' "$WORK/messages"; }
arrived() { [ -f "$WORK/messages" ] && [ -n "$(message_of "$1")" ]; }
field() { message_of "$id" | jq -r "$1"; }

FILE=$WORK/'odd "name"] \ é.txt'
echo "something" >"$FILE"
sum=$(sha256sum <"$FILE")

for way in "transport=unix socket=$WORK/dev-log" "transport=udp port=$UDP" \
    "transport=tcp port=$TCP" "transport=tls port=$TLS ca_file=$WORK/ca.pem" \
    "transport=tls port=$TLS_CLIENT ca_file=$WORK/ca.pem cert_file=$WORK/client.pem key_file=$WORK/client.key" \
    "transport=tls port=$TLS_CLIENT ca_file=$WORK/ca.pem cert_file=$WORK/client.both"; do
    read -ra options <<<"$way"
    send "${options[@]}" facility=local3
    equal "exit status, $way" "$status" 0
    eventually arrived "$id"
    equal "severity, $way" "$(field .severity)" info
    equal "facility, $way" "$(field .facility)" local3
    equal "app, $way" "$(field .app)" stoq
    equal "msgid, $way" "$(field .msgid)" scan
    equal "version, $way" "$(field .version)" 1
    equal "time, $way" "$(field .time)" "$(jq -r .time "$WORK/result")"
    equal "data, $way" "$(field .data)" \
        "[stoq@32473 scan_id=\"$id\" verdict=\"clean\" size=\"10\" sha256=\"${sum%% *}\" filename=\"odd \\\"name\\\"\\] \\\\ é.txt\"]"
    field .message | jq -S . >"$WORK/a"
    jq -S . "$WORK/result" | diff "$WORK/a" - >&2 || fail "another document, $way"
done

# A server that is not the one that is asked for.
send transport=tls "port=$TLS" "ca_file=$WORK/other.pem"
equal "exit status, unknown authority" "$status" 3
check "the reason" grep -q "the server's certificate is not accepted" "$WORK/stderr"
send transport=tls host=localhost "port=$TLS" "ca_file=$WORK/ca.pem"
equal "exit status, another name" "$status" 3
check "the reason" grep -qi "hostname mismatch" "$WORK/stderr"
send transport=tls host=localhost "port=$TLS" "ca_file=$WORK/other.pem" verify=False
equal "exit status, not verified" "$status" 0
eventually arrived "$id"
# No TLS on either side, and no certificate where one is asked for.
send transport=tls "port=$TCP" "ca_file=$WORK/ca.pem" timeout=2 connect_timeout=2
equal "exit status, no TLS there" "$status" 3

# A mount: messages of all verdicts, and those that wait while there is no server.
[ -x "$STOQFS" ] || exit 0
cat >"$WORK/rules.yar" <<'EOF'
rule is_bad { strings: $a = "bad" condition: $a }
EOF
all_there() {
    [ "$(jq -r '.data | capture("scan_id=\"(?<id>[^\"]*)") | .id' "$WORK/messages" |
        sort -u | comm -12 - "$WORK/ids" | wc -l)" -eq "$(wc -l <"$WORK/ids")" ]
}
have_ids() {
    jq -r .scan_id "$MNT"/*.stoq.json | sort >"$WORK/ids"
    [ "$(wc -l <"$WORK/ids")" -eq "$1" ]
}
# Files are made as they are read, so that no result is there before its time.
read_new() { # FROM TO
    local i
    for i in $(seq "$1" "$2"); do
        echo "$transport $i" >"$SRC/$transport-$i"
        cat "$MNT/$transport-$i" >/dev/null
    done
}
many_wait() { [ "$(status_of .outbox.syslog.waiting)" -ge 20 ]; }
DEADLINE=120
for transport in tcp tls unix; do
    case $transport in
    tcp) port=$TCP ;;
    *) port=$TLS ;;
    esac
    options=("yara:worker_rules=$WORK/rules.yar" "syslog:transport=$transport"
        "syslog:port=$port" "syslog:ca_file=$WORK/ca.pem" "syslog:socket=$WORK/dev-log"
        syslog:timeout=5)
    mount_fs -a hash,yara -C syslog --plugin-opts "$(IFS=, && echo "${options[*]}")"
    read_new 1 20
    echo bad >"$SRC/$transport-bad"
    cat "$MNT/$transport-bad" >/dev/null
    eventually status_is .outbox.syslog.waiting 0
    stop_server
    read_new 21 40
    eventually many_wait
    failed_once() { [ "$(status_of .outbox.syslog.failures)" -ge 1 ]; }
    eventually failed_once
    start_server
    read_new 41 60
    eventually have_ids 61
    eventually all_there
    id=$(jq -r .scan_id "$MNT/$transport-bad.stoq.json")
    equal "severity" "$(field .severity)" warning
    field .data | grep -q ' rules="is_bad"' || fail "rules: $(field .data)"
    umount_fs
    rm -rf "${SRC:?}"/* "$STATE"
done
stop_server
