#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Without -f the command returns when the mount is usable, keeps nobody's pipe open, and
# unmounting ends all its processes.
. "$(dirname "$0")/lib.sh"

echo x >"$SRC/x"
# a command substitution ends only when nobody holds the pipe any more
out=$("$STOQFS" --state-dir "$STATE" "$SRC" "$MNT" 2>&1) || fail "start: $out"
equal "usable at once" "$(cat "$MNT/x")" x
equal "and quiet" "$out" ""
count() { pgrep -fc "^stoqfs: [a-z]* $MNT\$" || :; }
[ "$(count)" -ge 3 ] || fail "processes: $(count)"
fusermount3 -u "$MNT"
none_left() { [ "$(count)" = 0 ]; }
eventually none_left
check "results are on disk" test -s "$STATE/stoq.db"
