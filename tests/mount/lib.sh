# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the mount tests share. A test is an executable NAME.sh in this directory that
# sources this file; the runner gives it a private $WORK with src, mnt, state.
#
# Provided by the runner: STOQ_BUILD, WORK, SRC, MNT, STATE. Nothing here waits by the
# clock: things are polled with a deadline (eventually).

set -euo pipefail
STOQFS=$STOQ_BUILD/bin/stoqfs
STOQ=$STOQ_BUILD/bin/stoq
export STOQFS STOQ
DEADLINE=${STOQ_TEST_DEADLINE:-60}
MOUNT_PID=
exec {idle}<> <(:)

fail() {
    echo "FAIL: $* (${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]})" >&2
    exit 1
}

# check WHAT COMMAND...: the command must succeed.
check() {
    local what=$1
    shift
    "$@" || fail "$what: $*"
}

# equal WHAT ACTUAL EXPECTED
equal() {
    [ "$2" = "$3" ] || fail "$1: got '$2', expected '$3'"
}

pause() { read -rt 0.05 -u "$idle" _ || :; }

# eventually COMMAND...: poll until it succeeds, or fail at the deadline.
eventually() {
    local end=$((SECONDS + DEADLINE))
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "not within ${DEADLINE}s: $*"
        pause
    done
}

is_mounted() { grep -qF " $MNT fuse.stoqfs " /proc/self/mounts; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }

# mount_fs [OPTIONS...]: in the foreground of a background job, log in $WORK/log.
mount_fs() {
    "$STOQFS" -f --state-dir "$STATE" --log-level debug "$@" "$SRC" "$MNT" \
        >>"$WORK/log" 2>&1 &
    MOUNT_PID=$!
    eventually mounted_or_dead
    is_mounted || { cat "$WORK/log" >&2; fail "stoqfs did not mount"; }
}

mounted_or_dead() {
    is_gone "$MOUNT_PID" && return 0
    is_mounted && [ -r "$MNT/.stoq/status.json" ]
}

# umount_fs: the daemon must end by itself, with status 0.
umount_fs() {
    local status=0
    fusermount3 -u "$MNT" || fail "cannot unmount"
    wait "$MOUNT_PID" || status=$?
    MOUNT_PID=
    equal "exit status of stoqfs" "$status" 0
    check_log
}

# No sanitizer report and no internal error may hide in a log.
check_log() {
    if grep -nE 'ERROR: (Address|Leak|Thread|Undefined)|runtime error:|WARNING: ThreadSanitizer|Assertion' "$WORK/log" >&2; then
        fail "sanitizer report in the log"
    fi
}

status_of() { jq -c "$1" "$MNT/.stoq/status.json"; }
status_is() { [ "$(status_of "$1")" = "$2" ]; }
verdict_of() { getfattr --absolute-names --only-values -n user.stoq.verdict -- "$1" 2>/dev/null; }
sidecar_ready() { [ -s "$1.stoq.json" ]; }

# The harmless test file of the antivirus industry, in pieces so that this is not it.
eicar() {
    printf '%s%s' 'X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS' \
        '-TEST-FILE!$H+H*'
}

# refused EXPECTED-TEXT COMMAND...: exit status 2, one line on stderr that has the text.
refused() {
    local text=$1 status=0 out
    shift
    out=$("$@" 2>&1 >/dev/null) || status=$?
    equal "exit status of: $*" "$status" 2
    [[ $out == *"$text"* ]] || fail "message of: $*: '$out' lacks '$text'"
}

# As the unprivileged user nobody.
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

AT_END=() # commands to run in the end, whatever happened

cleanup() {
    local status=$? command
    trap - EXIT
    if is_mounted; then
        fusermount3 -uz "$MNT" 2>/dev/null || umount -l "$MNT" || :
    fi
    if [ -n "$MOUNT_PID" ] && ! is_gone "$MOUNT_PID"; then
        kill "$MOUNT_PID" 2>/dev/null || :
        wait "$MOUNT_PID" 2>/dev/null || :
    fi
    for command in "${AT_END[@]}"; do
        $command 2>/dev/null || :
    done
    if [ "$status" -ne 0 ] && [ -f "$WORK/log" ]; then
        echo "--- log of stoqfs, last lines" >&2
        tail -n 30 "$WORK/log" >&2
    fi
    exit "$status"
}
trap cleanup EXIT
