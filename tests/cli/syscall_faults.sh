#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# System calls that fail, one at a time, in the command and in the processes it makes:
# a scan ends, and it ends with the whole document, with one that says what is missing,
# or with one line why there is none. (Not for sanitizers, which need these calls, too.)
. "$(dirname "$0")/../mount/lib.sh"

cd "$WORK" || exit 1
echo "plain text" >plain.txt
scan() { timeout 60 "$@" "$STOQ" scan plain.txt -a hash entropy >out 2>err; }
reduced() { jq -Sc '[.verdict, .results[].workers]' out; }

scan env || fail "a scan without a fault"
whole=$(reduced)
equal "verdict" "$(jq -r .verdict out)" clean

runs=0 ended=0 told=0
# one_fault CALL ERROR NTH
one_fault() {
    local status=0 what="$1 failing with $2, the ${3}th time"
    scan strace -f -qq -o trace -e trace="$1" -e inject="$1:error=$2:when=$3" || status=$?
    grep -q INJECTED trace || return 1
    runs=$((runs + 1))
    case $status in
    0) equal "document, $what" "$(reduced)" "$whole" ;;
    2)
        [ ! -s out ] || fail "$what: exit status 2 and a document"
        [ -s err ] || fail "$what: exit status 2 and no word why"
        ended=$((ended + 1))
        ;;
    3)
        jq -e '.verdict != "clean" and .verdict != "flagged" and
            ((.errors | length) + (.limits_hit | length)) > 0' out >/dev/null ||
            fail "$what: $(cat out)"
        told=$((told + 1))
        ;;
    127) # before main()
        grep -q 'loading shared libraries' err || fail "$what: $(head -c 300 err)"
        ended=$((ended + 1))
        ;;
    *) fail "$what: exit status $status, $(head -c 300 err)" ;;
    esac
}

# CALL ERROR and which times
while read -r call error times; do
    for n in $times; do one_fault "$call" "$error" "$n" || break; done
done <<'CALLS'
socketpair EMFILE 1 2 3
clone EAGAIN 1 2 3
epoll_create1 EMFILE 1
epoll_ctl ENOSPC 1 2 3 4 5 6
eventfd2 ENFILE 1
pidfd_open EMFILE 1 2
signalfd4 EMFILE 1
sendmsg ENOBUFS 1 2 3 4
recvmsg EIO 1 2 3 4
recvmsg ENOMEM 1 2 3
epoll_wait EIO 1 2 3
poll ENOMEM 1 2 3
setitimer EINVAL 1 2
prlimit64 EPERM 1 2 3 4
prctl EINVAL 1 2 3 4 5
pread64 EIO 1 20 50
read EIO 5 20 60 90
fcntl EINVAL 1 30 60 90 120
mmap ENOMEM 20 60 120 180 240 260
openat EMFILE 20 60 200 400 500 570
newfstatat EIO 10 200 400 600 700
getrandom EAGAIN 1 2
madvise ENOMEM 1
CALLS
echo "$runs faults: $ended ended with a word why, $told with a document that says so"
[ "$runs" -ge 50 ] || fail "only $runs faults took place"
[ $((ended + told)) -ge 10 ] || fail "hardly any fault was noticed"
