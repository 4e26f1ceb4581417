#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The journald connector and a real systemd-journald, which runs in a mount namespace with
# a /run of the test's: journalctl finds entries by their fields, long ones among them;
# what comes while the journal is down waits for it.
. "$(dirname "$0")/../mount/lib.sh"
. "$(dirname "$0")/support/build.sh"

JOURNALD=/lib/systemd/systemd-journald
[ -x "$JOURNALD" ] || missing "$JOURNALD"
PLUGINS=$STOQ_BUILD/plugins
SOCKET=$WORK/run/systemd/journal/socket
JOURNAL=
mkdir -p "$WORK/run/systemd/journal" "$WORK/run/log/journal"
: >"$WORK/log"
printf '%s\n' '[Journal]' Storage=volatile RateLimitIntervalSec=0 ReadKMsg=no Audit=no \
    ForwardToWall=no >"$WORK/journald.conf"
tr -d - </proc/sys/kernel/random/uuid >"$WORK/machine-id"

unshare=(unshare --mount --propagation private)
[ "$(id -u)" -eq 0 ] || unshare+=(--map-root-user)
# Mounts that the namespace takes along would outlive their unmounting: they are let go.
# shellcheck disable=SC2016 # expanded inside
start_journal() {
    "${unshare[@]}" bash -ec '
        while read -r _ at kind _; do
            case $kind in fuse*) umount -l -c "$(printf "%b" "$at")" ;; esac
        done < <(tac /proc/self/mounts)
        mount --bind "$1/run" /run
        mount --bind "$1/machine-id" /etc/machine-id
        mount --bind "$1/journald.conf" /etc/systemd/journald.conf
        exec "$2"' - "$WORK" "$JOURNALD" >>"$WORK/journald.out" 2>&1 &
    JOURNAL=$!
    eventually writes
}
# A stopped journal leaves its socket behind, so that its being there proves nothing.
writes() {
    kill -0 "$JOURNAL" || fail "journald: $(cat "$WORK/journald.out")"
    local mark=mark-$RANDOM$RANDOM
    send_mark "$mark" 2>/dev/null && find_entries "MARK=$mark" | grep -q .
}
send_mark() {
    python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
s.send(b"MESSAGE=mark\nMARK=" + sys.argv[2].encode() + b"\n")' "$SOCKET" "$1"
}
stop_journal() { # SIGNAL
    kill -s "$1" "$JOURNAL"
    wait "$JOURNAL" 2>/dev/null || :
    JOURNAL=
}
end_journal() { [ -z "$JOURNAL" ] || stop_journal KILL; }
AT_END+=(end_journal)
find_entries() { journalctl --directory "$WORK/run/log/journal" -q --all -o json "$@"; }
start_journal

# send FILE OPTIONS...: one scan; its exit status in $status, its id in $id.
send() {
    status=0
    "$STOQ" scan --plugin-dir "$PLUGINS" -a hash -C journald stdout --plugin-opts \
        "journald:socket=$SOCKET" "${@:2}" -- "$1" >"$WORK/result" 2>"$WORK/stderr" || status=$?
    cat "$WORK/stderr" >>"$WORK/log"
    id=$(jq -r .scan_id "$WORK/result")
}
arrived() { [ "$(find_entries "STOQ_SCAN_ID=$1" | wc -l)" -eq 1 ]; }
field() { find_entries "STOQ_SCAN_ID=$id" | jq -r ".$1"; }
same_document() {
    field STOQ_DOCUMENT | jq -S . >"$WORK/a"
    jq -S . "$WORK/result" | diff - "$WORK/a" >&2
}

name=$'two\nlines = é'
echo "something" >"$WORK/$name"
send "$WORK/$name"
equal "exit status" "$status" 0
eventually arrived "$id"
equal "message" "$(field MESSAGE)" "clean: two?lines = é"
equal "priority" "$(field PRIORITY)" 6
equal "identifier" "$(field SYSLOG_IDENTIFIER)" stoq
equal "verdict" "$(field STOQ_VERDICT)" clean
equal "name" "$(field STOQ_FILENAME)" "$name"
equal "digest" "$(field STOQ_SHA256)" "$(sha256sum <"$WORK/$name" | cut -d' ' -f1)"
equal "size" "$(field STOQ_SIZE)" 10
check "the document" same_document

# More than a datagram takes.
python3 -c 'print("bad!" * 9900)' >"$WORK/many"
for i in $(seq 20); do
    echo "rule rule_$i { strings: \$a = \"bad!\" condition: \$a }"
done >"$WORK/rules.yar"
status=0
"$STOQ" scan --plugin-dir "$PLUGINS" -a yara -C journald stdout --plugin-opts \
    "journald:socket=$SOCKET" "yara:worker_rules=$WORK/rules.yar" journald:max_bytes=60000000 \
    -- "$WORK/many" >"$WORK/result" 2>>"$WORK/log" || status=$?
id=$(jq -r .scan_id "$WORK/result")
check "a long document" test "$(jq -c . "$WORK/result" | wc -c)" -gt 220000
eventually arrived "$id"
equal "rules" "$(field STOQ_RULE | jq -c '[length, (sort | .[0])]')" '[20,"rule_1"]'
equal "priority" "$(field PRIORITY)" "$([ "$status" = 1 ] && echo 4 || echo 6)"
check "the document" same_document

stop_journal TERM
send "$WORK/many" journald:timeout=1
equal "exit status, no journal" "$status" 3
check "the reason" grep -qF "$SOCKET: Connection refused" "$WORK/stderr"
start_journal

# A mount: what comes while there is no journal waits.
[ -x "$STOQFS" ] || exit 0
# Files are made as they are read, so that no result is there before its time.
read_new() { # FROM TO
    local i
    for i in $(seq "$1" "$2"); do
        echo "file $i" >"$SRC/f$i"
        cat "$MNT/f$i" >/dev/null
    done
}
many_wait() { [ "$(status_of .outbox.journald.waiting)" -ge 20 ]; }
have_ids() {
    jq -r .scan_id "$MNT"/*.stoq.json | sort >"$WORK/ids"
    [ "$(wc -l <"$WORK/ids")" -eq "$1" ]
}
all_there() {
    find_entries SYSLOG_IDENTIFIER=stoq | jq -r .STOQ_SCAN_ID | sort -u |
        comm -13 - "$WORK/ids" >"$WORK/missing"
    [ ! -s "$WORK/missing" ]
}
DEADLINE=120
mount_fs -a hash -C journald --plugin-opts "journald:socket=$SOCKET"
read_new 1 30
eventually status_is .outbox.journald.waiting 0
stop_journal TERM
read_new 31 50
eventually many_wait
start_journal
eventually status_is .outbox.journald.waiting 0
read_new 51 60
eventually status_is .outbox.journald.waiting 0
stop_journal KILL
read_new 61 80
start_journal
read_new 81 90
eventually have_ids 90
eventually status_is .outbox.journald.waiting 0
eventually all_there
umount_fs
stop_journal TERM
