#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Without -f the command returns when the mount is usable, keeps nobody's pipe open, logs
# to the state directory, and unmounting ends all its processes.
. "$(dirname "$0")/lib.sh"

echo x >"$SRC/x"
: >"$WORK/results" # a file: saving fails
# a command substitution ends only when nobody holds the pipe any more
out=$("$STOQFS" --state-dir "$STATE" -C filedir --plugin-opts \
    "filedir:results_dir=$WORK/results" "$SRC" "$MNT" 2>&1) || fail "start: $out"
equal "usable at once" "$(cat "$MNT/x")" x
equal "and quiet" "$out" ""
LOG=$STATE/log/stoq.log
count() { pgrep -fc "^stoqfs: [a-z]* $MNT\$" || :; }
holders() { # of the log among the processes called $1
    pgrep -f "^stoqfs: $1 $MNT\$" | while read -r pid; do
        find "/proc/$pid/fd" -lname "$LOG" -printf "$1\n"
    done
}
[ "$(count)" -ge 4 ] || fail "processes: $(count)"
told() { grep -q 'courier: filedir does not deliver' "$LOG"; }
eventually told
one_holder() { [ "$(holders zygote)" = zygote ]; } # a scanner has that name at first
eventually one_holder
check "scanners run" pgrep -f "^stoqfs: scanner $MNT\$" >/dev/null
equal "scanners do not" "$(holders scanner)" ""
fusermount3 -u "$MNT"
none_left() { [ "$(count)" = 0 ]; }
eventually none_left
check "results are on disk" test -s "$STATE/stoq.db"
