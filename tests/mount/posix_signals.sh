#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An open that waits for a scan is not ended by signals that its program handles, which do
# not end one on a disk either; it is ended at once by a signal that ends the program, also
# after others.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_inject.sh"

echo HOLD >"$SRC/hang"
printf '[limits]\ndeadline = 200\n' >"$WORK/stoq.cfg"
mount_fs --config "$WORK/stoq.cfg" "${INJECT[@]}" -o deadline=150
# Python would try again after EINTR.
cat >"$WORK/wait.c" <<'C'
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
static volatile sig_atomic_t seen;
static void count(int number) { (void)number; seen = 1; }
int main(int argc, char **argv)
{
    struct sigaction a;
    struct itimerval often = {{0, 10000}, {0, 10000}};
    memset(&a, 0, sizeof a);
    a.sa_handler = count;
    a.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
    printf("%s %s\n", fd >= 0 ? "open" : strerror(errno), seen ? "signals" : "none");
    return 0;
}
C
cc -o "$WORK/wait" "$WORK/wait.c"
waits() { status_is '.waiting >= 1' true; }
pending() { grep -q '^ShdPnd:.*2000$\|^SigPnd:.*2000$' "/proc/$reader/status"; }

"$WORK/wait" "$MNT/hang" >"$WORK/out" &
reader=$!
eventually waits
eventually pending
equal "still waiting" "$(cat "$WORK/out")" ""
open_gate 1
wait "$reader" || fail "the program failed"
equal "opened, with signals" "$(cat "$WORK/out")" "open signals"
equal "interrupted" "$(status_of .interrupted)" 0

echo HANG >"$SRC/hang"
for signal in KILL TERM; do
    "$WORK/wait" "$MNT/hang" >"$WORK/out" &
    reader=$!
    eventually waits
    eventually pending
    begin=$SECONDS
    kill "-$signal" "$reader"
    wait "$reader" 2>/dev/null && fail "ended by SIG$signal, it succeeded"
    [ $((SECONDS - begin)) -lt 60 ] || fail "SIG$signal took $((SECONDS - begin)) s"
    equal "said" "$(cat "$WORK/out")" ""
done
equal "interrupted" "$(status_of .interrupted)" 2
close_gate
umount_fs
