#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stoqfs -C redis-queue: the server comes and goes, the mount does not care, and the
# result of every file is in the stream in the end.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../cli/support/build.sh"
[ -d "$STOQ_BUILD/plugins/redis-queue" ] || missing redis-queue
. "$(dirname "$0")/../cli/support/redis.sh"

OPTS=redis-queue:mode=stream,redis-queue:redis_socket=$SOCKET,redis-queue:timeout_ms=2000
touch_files() { # FROM TO: make them, and have them scanned
    local i
    for ((i = $1; i <= $2; i++)); do
        echo "file $i" >"$SRC/f$i"
        cat "$MNT/f$i" >/dev/null
    done
}
failures() { status_of '.outbox."redis-queue".failures'; }
has_failed() { [ "$(failures)" -gt "$1" ]; }
waiting_is() { status_is '.outbox."redis-queue".waiting' "$1"; }

# No server yet: the mount works, results wait.
mount_fs -a hash -C redis-queue --plugin-opts "$OPTS"
touch_files 1 20
eventually has_failed 0
eventually waiting_is 20
start_redis --loglevel warning
eventually waiting_is 0

# It dies while results come, and comes back; it stands still, and goes on.
for round in 1 2; do
    touch_files $((round * 40)) $((round * 40 + 9)) &
    feeder=$!
    kill_redis
    wait "$feeder"
    before=$(failures)
    touch_files $((round * 40 + 10)) $((round * 40 + 19))
    eventually has_failed "$before"
    start_redis --loglevel warning
    eventually waiting_is 0
done
kill -STOP "$REDIS_PID"
touch_files 200 209
before=$(failures)
eventually has_failed "$before"
kill -CONT "$REDIS_PID"
eventually waiting_is 0

# A mount that ends without its server leaves the rest to the next one.
kill_redis
touch_files 300 309
eventually waiting_is 10
umount_fs
start_redis --loglevel warning
mount_fs -a hash -C redis-queue --plugin-opts "$OPTS"
eventually waiting_is 0

for file in "$SRC"/f*; do
    sidecar=$MNT/${file##*/}.stoq.json
    eventually sidecar_ready "$MNT/${file##*/}"
    jq -r .scan_id "$sidecar"
done | sort >"$WORK/sidecars"
equal "sidecars" "$(wc -l <"$WORK/sidecars")" 80
eventually waiting_is 0
redis --raw xrange stoq - + >"$WORK/stream"
grep -A1 '^scan_id$' "$WORK/stream" | grep -vE '^(scan_id|--)$' | sort -u >"$WORK/arrived"
# more may be there: a file that was just written may be scanned again
[ -z "$(comm -23 "$WORK/sidecars" "$WORK/arrived")" ] || fail "not every sidecar's scan_id is in the stream"
# The documents are those of the sidecars.
id=$(jq -r .scan_id "$MNT/f5.stoq.json")
grep '^{"results"' "$WORK/stream" | jq -Sc "select(.scan_id == \"$id\")" | sort -u >"$WORK/document"
equal "document" "$(cat "$WORK/document")" "$(jq -Sc . "$MNT/f5.stoq.json")"
umount_fs
