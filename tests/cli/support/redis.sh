# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A Redis server of the test's own, on a socket in $WORK, that has on disk what it said.

command -v redis-server >/dev/null || missing redis-server
SOCKET=$WORK/redis.sock
REDIS_PID=
mkdir -p "$WORK/redis"

redis() { redis-cli -s "$SOCKET" "$@"; }
redis_answers() { redis ping 2>/dev/null | grep -qE 'PONG|NOAUTH'; }

# start_redis ARGUMENTS...
start_redis() {
    redis-server --port 0 --unixsocket "$SOCKET" --dir "$WORK/redis" --save '' \
        --appendonly yes --appendfsync always "$@" >>"$WORK/redis.log" 2>&1 &
    REDIS_PID=$!
    eventually redis_answers
}

kill_redis() {
    [ -n "$REDIS_PID" ] || return 0
    kill -9 "$REDIS_PID"
    wait "$REDIS_PID" 2>/dev/null || :
    REDIS_PID=
}
AT_END+=(kill_redis)
