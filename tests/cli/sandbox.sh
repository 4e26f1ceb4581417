#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A worker that tries to leave the sandbox: nothing it tries succeeds, each attempt is an
# error of its own scan, and the files beside it have their results; as root and as a user.
. "$(dirname "$0")/../mount/lib.sh"

HOSTILE=(--plugin-dir "$STOQ_BUILD/tests/plugins" -a hash hostile)

# What is in force here; builds for a sanitizer, or without libseccomp, have no filter, and
# attacks would succeed.
in_force() { # COMMAND...
    "$@" scan "$WORK/one" -a hash --log-level debug 2>&1 >/dev/null |
        sed -n 's/.*sandbox of scanners, in force: \([^;]*\).*/\1/p'
}
has() { [[ ", $1," == *", $2,"* ]]; }
echo one >"$WORK/one"
as_root=$(in_force "$STOQ")
for measure in oom-score no-core no-environment own-user no-capabilities no-new-privileges \
    not-dumpable no-network; do
    has "$as_root" "$measure" || fail "not in force: $measure"
done

mkdir "$WORK/files" "$WORK/private"
chmod 755 "$WORK/files"
chmod 700 "$WORK/private"
echo secret >"$WORK/private/secret"
printf '#!/bin/sh\ntouch "%s/ran"\n' "$WORK" >"$WORK/run"
chmod 755 "$WORK/run"
# somebody to kill, to look into and to trace, and somebody to connect to
sleep 1000 &
victim=$!
setpriv --reuid=65534 --regid=65534 --clear-groups sleep 1000 &
user_victim=$!
mkfifo "$WORK/port"
python3 -c '
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
s.accept()
open(sys.argv[1], "w").close()' "$WORK/connected" >"$WORK/port" &
listener=$!
read -r port <"$WORK/port"
AT_END+=("kill $victim $user_victim $listener")

attack() { # WORD ARGUMENT
    echo "$1 ${2:-}" >"$WORK/files/$1"
}
# Those that another user without capabilities cannot do, whatever the system calls.
attack KILL "$victim"
attack PIDFD "$victim"
attack PTRACE "$victim"
attack PEEK "$victim"
attack MEM "$victim"
attack OPEN "$WORK/private/secret"
attack WRITE "$WORK/private/new"
attack REMOVE "$WORK/private/secret"
attack MKDIR "$WORK/private/directory"
attack SETUID
attack MOUNT
attack CONNECT "$port"
if has "$as_root" syscall-filter; then
    attack LOOK "$WORK/one"
    attack EXEC "$WORK/run"
    for word in SOCKET FORK FORKBOMB THREADS SHARED GROWSDOWN DISK TYPE RLIMIT UNSHARE \
        HANDLER BLOCK FLOCK RARE MEMORY; do
        attack "$word"
    done
    [ "$(uname -m)" != x86_64 ] || attack INT80
fi
attacks=$(find "$WORK/files" -type f | wc -l)
for n in $(seq 40); do echo "good $n" >"$WORK/files/good$n"; done
cat >"$WORK/cfg" <<'CONFIG'
[limits]
memory = 64M
CONFIG

try_all() { # NAME COMMAND...
    local name=$1 out=$WORK/$1.json
    shift
    "$@" scan "$WORK/files" --config "$WORK/cfg" "${HOSTILE[@]}" --exit-zero \
        >"$out" 2>"$WORK/log" || fail "$name: status $?"
    check_log
    equal "$name: documents" "$(jq -s length "$out")" $((attacks + 40))
    equal "$name: what succeeded" "$(jq -r '.results[0].workers.hostile | select(.did) | .attack' "$out")" ""
    equal "$name: good files" "$(jq -s '[.[] | select((.results[0].payload_meta.extra_data.filename
        | startswith("good")) and .verdict == "clean" and .errors == []
        and .results[0].workers.hash.sha256)] | length' "$out")" 40
    kill -0 "$victim" "$user_victim" "$listener" || fail "$name: somebody was ended"
    [ ! -e "$WORK/ran" ] || fail "$name: a program was run"
    [ ! -e "$WORK/connected" ] || fail "$name: there was a connection"
    equal "$name: private directory" "$(ls "$WORK/private")" secret
}
told() { # NAME: files whose attack is not told of; a few threads are allowed
    jq -r 'select(.results[0].payload_meta.extra_data.filename != "THREADS") | select(.verdict != "error" or (.errors | length) == 0)
        | .results[0].payload_meta.extra_data.filename | select(startswith("good") | not)' "$WORK/$1.json"
}

try_all root "$STOQ"
if has "$as_root" syscall-filter; then
    equal "root: not told" "$(told root)" ""
    error_of() { jq -r --arg name "$1" 'select(.results[0].payload_meta.extra_data.filename
        == $name) | .errors[].error' "$WORK/root.json"; }
    equal "text" "$(error_of SOCKET)" "the sandbox refused socket(2)"
    equal "text of a bomb" "$(error_of FORKBOMB)" \
        "a worker goes on trying what the sandbox refuses: clone(2)"
    [[ $(error_of MEMORY) == *memory* ]] || fail "memory: $(error_of MEMORY)"

    # Code cannot be made; that is refused without a word, for libraries that only try.
    echo CODE >"$WORK/code"
    equal "code" "$("$STOQ" scan "$WORK/code" "${HOSTILE[@]}" 2>/dev/null |
        jq -c '.results[0].workers.hostile | [.did, .error]')" '[false,"EACCES"]'
    # A thread beside the one there is can be had.
    echo HELPER >"$WORK/helper"
    equal "thread" "$("$STOQ" scan "$WORK/helper" "${HOSTILE[@]}" 2>/dev/null |
        jq -c '[.verdict, .results[0].workers.hostile.did]')" '["clean",true]'
    # 128 MiB on standard error arrive as a few lines.
    echo LOG >"$WORK/noise"
    "$STOQ" scan "$WORK/noise" "${HOSTILE[@]}" >/dev/null 2>"$WORK/noise.err"
    [ "$(stat -c %s "$WORK/noise.err")" -lt 2000000 ] || fail "the log was filled"
    [ "$(stat -c %s "$WORK/noise.err")" -gt 1000 ] || fail "standard error is lost"

    # The same by a user, whose other processes are the scanner's own user's.
    attack KILL "$user_victim"
    attack PTRACE "$user_victim"
    attack PEEK "$user_victim"
    attack MEM "$user_victim"
    chown 65534 "$WORK/private" "$WORK/private/secret"
    try_all user as_nobody env HOME="$WORK/nowhere" "$STOQ"
    equal "user: not told" "$(told user)" ""

    "$STOQ" scan "$WORK/one" -a hash --sandbox require >/dev/null || fail "require"
    # A kernel without Landlock says so, and is not enough where all is required.
    cat >"$WORK/old.py" <<'PYTHON'
"""Run a command where landlock_create_ruleset(2), 444 everywhere, does not exist."""
import ctypes, os, struct, sys
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x50000 | 38), (0x06, 0, 0, 0x7FFF0000)]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *c) for c in code))
class Fprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
fprog = Fprog(len(code), ctypes.addressof(program))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(fprog), 0, 0):
    sys.exit("no filter")
os.execv(sys.argv[1], sys.argv[1:])
PYTHON
    old=(python3 "$WORK/old.py")
    "${old[@]}" "$STOQ" scan "$WORK/one" -a hash >"$WORK/old.json" 2>"$WORK/old.err" ||
        fail "without Landlock"
    grep -q 'refused: landlock (Function not implemented)' "$WORK/old.err" ||
        fail "not told: $(cat "$WORK/old.err")"
    refused "sandbox=require: landlock is not available" \
        "${old[@]}" "$STOQ" scan "$WORK/one" -a hash --sandbox require
else
    refused "sandbox=require: " "$STOQ" scan "$WORK/one" -a hash --sandbox require
fi
refused "must be one of: auto require off" "$STOQ" scan "$WORK/one" -a hash --sandbox maybe

# A worker that may write temporary files does, and leaves none.
if [ -e "$STOQ_BUILD/plugins/clamav/clamav.so" ]; then
    mkdir "$WORK/db" "$WORK/tmp"
    printf 'Test.Marker:0:*:%s\n' "$(printf 'what-we-look-for' | od -An -tx1 | tr -d ' \n')" >"$WORK/db/t.ndb"
    echo "there is what-we-look-for in it" >"$WORK/found"
    tar -C "$WORK" -czf "$WORK/found.tgz" found
    "$STOQ" scan "$WORK/found.tgz" -a clamav --exit-zero --plugin-opts \
        "clamav:database=$WORK/db" "clamav:tmp_dir=$WORK/tmp" >"$WORK/found.json" 2>"$WORK/log" ||
        fail "clamav"
    check_log
    equal "clamav" "$(jq -c '[.verdict, .errors, .results[0].workers.clamav.signature]' "$WORK/found.json")" \
        '["flagged",[],"Test.Marker.UNOFFICIAL"]'
    equal "temporary files" "$(find "$WORK/tmp" -type f)" ""
fi
