#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A worker that crashes, spins, hangs, fails: each gets its name, none gets "clean", and
# nothing else notices.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_inject.sh"

for word in CRASH ABORT SPIN HANG FAIL SOFT LIMIT GARBAGE DEEP; do echo "$word" >"$SRC/$word"; done
echo good >"$SRC/good"
printf '[limits]\ndeadline = 1\n' >"$WORK/stoq.cfg"
mount_fs --config "$WORK/stoq.cfg" "${INJECT[@]}" -o scanners=2,enforce

expect() { # FILE VERDICT ERRNO-TEXT
    local out
    equal "verdict of $1" "$(verdict_of "$MNT/$1")" "$2"
    out=$(cat "$MNT/$1" 2>&1) && [ -n "$3" ] && fail "$1 could be read"
    [[ $out == *"$3"* ]] || fail "$1: '$out' lacks '$3'"
    check "sidecar of $1" jq -e --arg v "$2" '.verdict == $v and (.errors | length > 0 or $v == "partial")' \
        "$MNT/$1.stoq.json" >/dev/null
}
expect CRASH error "Input/output error"
expect ABORT error "Input/output error"
expect SPIN timeout "timed out"
expect HANG timeout "timed out"
expect FAIL error "Input/output error"
expect SOFT error "Input/output error"
expect LIMIT partial "Input/output error"
expect GARBAGE error "Input/output error"
expect DEEP error "Input/output error"
equal "good" "$(cat "$MNT/good")" good
equal "restarts are counted" "$(jq '.scanner_restarts >= 6' "$MNT/.stoq/status.json")" true
# a denied file can be renamed and removed
mv "$MNT/FAIL" "$MNT/renamed"
rm "$MNT/renamed"
[ ! -e "$SRC/FAIL" ] && [ ! -e "$SRC/renamed" ] || fail "remove did not reach the source"
umount_fs

# Greed, given the time for it, ends at its limit.
printf '[limits]\ndeadline = 90\nmemory = 600M\n' >"$WORK/stoq.cfg"
for word in LEAK HUGE MANY; do echo "$word" >"$SRC/$word"; done
mount_fs --config "$WORK/stoq.cfg" "${INJECT[@]}" -o scanners=2,enforce
expect HUGE partial "Input/output error"
expect MANY partial "Input/output error"
expect LEAK error "Input/output error"
# the next ones do not find the memory gone
for word in 1 2 3 4; do
    echo "LEAK $word" >"$SRC/leak$word"
    cp "$STOQFS" "$SRC/large$word"
    expect "leak$word" error "Input/output error"
    check "a file after one that leaked" cmp "$MNT/large$word" "$STOQFS"
    equal "verdict of large$word" "$(verdict_of "$MNT/large$word")" clean
done
umount_fs
