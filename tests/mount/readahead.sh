#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whoever goes through a tree finds the next files scanned already; what was scanned
# ahead is not seen before somebody asks for it; nothing but regular files is touched,
# nobody else waits for it, and it stops when the reader does.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_inject.sh"

ahead() { status_of ".readahead.$1"; }
at_least() { [ "$(ahead "$1")" -ge "$2" ]; }
quiet() { [ "$(status_of '[.running, .queued]')" = '[0,0]' ]; }
settled() { # nothing was begun between two looks
    local before
    before=$(ahead queued)
    quiet && pause && [ "$(ahead queued)" = "$before" ]
}
sidecars_in() { find "$1" -name '*.stoq.json' -printf '%f\n' | LC_ALL=C sort | xargs; }
make_files() { # DIR COUNT: in an order that is not that of their names
    local i
    mkdir -p "$1"
    for i in $(seq "$2" | sort -R); do
        printf '%s %03d\n' "$1" "$i" >"$1/f$(printf %03d "$i")"
    done
}

make_files "$SRC/few" 20
make_files "$SRC/sorted" 60
for i in $(seq 12); do make_files "$SRC/deep/d$i/e" 3; done
make_files "$SRC/odd" 3
mkfifo "$SRC/odd/f002p"
ln -s /etc/passwd "$SRC/odd/f002q"
ln -s ../few "$SRC/odd/f002r"

mount_fs "${INJECT[@]}" -o scanners=2,readahead=4

# Two in a row: those after them are scanned, and then it stops.
cat "$MNT/few/f001" "$MNT/few/f002" >/dev/null
eventually at_least queued 1
eventually settled
[ "$(status_of .scans)" -le 7 ] || fail "too far ahead: $(status_of .scans) scans"
eventually status_is .results "$(status_of .scans)"
listed() { [ "$(sidecars_in "$MNT/few")" = "$1" ]; }
eventually listed "f001.stoq.json f002.stoq.json"
check "but can be named" test -s "$MNT/few/f003.stoq.json"
eventually listed "f001.stoq.json f002.stoq.json f003.stoq.json"
eventually at_least wasted 1 # what the reader who stopped did not ask for

# All of a directory by name: each is scanned once, and found as it is.
before=$(status_of .scans)
cat "$MNT"/sorted/f* >"$WORK/all"
cat "$SRC"/sorted/f* | cmp - "$WORK/all" || fail "other bytes"
eventually settled
[ "$(ahead used)" -ge 5 ] || fail "hardly ever foreseen: $(status_of .readahead)"
[ "$(status_of .scans)" -ge $((before + 60)) ] || fail "some were not scanned"
[ "$(status_of .scans)" -le $((before + 66)) ] || fail "some were scanned twice"
all=$(cd "$SRC/sorted" && printf '%s.stoq.json ' f*)
listed_all() { [ "$(sidecars_in "$MNT/sorted") " = "$all" ]; }
eventually listed_all

# From one directory into the next, as grep and tar go.
used=$(ahead used)
equal "files found" "$(grep -rl deep "$MNT/deep" | wc -l)" 36
eventually settled
[ "$(ahead used)" -gt "$used" ] || fail "not foreseen: $(status_of .readahead)"

# A FIFO keeps its writer waiting, links lead nowhere.
(echo written >"$SRC/odd/f002p") 2>/dev/null &
writer=$!
for f in f001 f002 f003; do cat "$MNT/odd/$f" >/dev/null; done
eventually settled
check "the writer of the FIFO waits on" kill -0 "$writer"
equal "and is read by who opens it" "$(cat "$SRC/odd/f002p")" written
wait "$writer"

for kind in queued used wasted; do
    check "metric $kind" grep -q "^stoqfs_readahead_total{kind=\"$kind\"} [0-9]" \
        "$MNT/.stoq/metrics"
done
umount_fs

# A scan ahead that takes its time keeps nobody else. Only one order is possible here.
rm -rf "$STATE"
SOURCE=$SRC SRC=$WORK/held
mkdir -p "$SRC/a" "$SRC/b"
for i in 1 2; do echo "plain $i" >"$SRC/a/held$i"; done
echo "HOLD three" >"$SRC/a/held3"
for i in 1 2 3 4 5; do echo "other $i" >"$SRC/b/$i"; done
mount_fs "${INJECT[@]}" -o scanners=2,readahead=1
cat "$MNT/a/held1" "$MNT/a/held2" >/dev/null
held() { [ "$(status_of .running)" = 1 ]; }
eventually held
for i in 1 2 3 4 5; do
    equal "others do not wait" "$(cat "$MNT/b/$i")" "other $i"
done
check "it is held" held
cat "$MNT/a/held3" >"$WORK/out" &
reader=$!
eventually status_is .waiting 1
open_gate 1
wait "$reader" || fail "the reader of what was scanned ahead"
equal "its bytes" "$(cat "$WORK/out")" "HOLD three"
umount_fs

SRC=$SOURCE
rm -rf "$STATE"
mount_fs -o scanners=2,readahead=off
cat "$MNT"/sorted/f* >/dev/null
equal "off" "$(status_of .readahead)" '{"queued":0,"used":0,"wasted":0}'
equal "scans of those read only" "$(status_of .scans)" 60
umount_fs
refused "from 0 to 32" "$STOQFS" -o readahead=33 "$SRC" "$MNT"
refused "from 0 to 32" "$STOQFS" -o readahead=some "$SRC" "$MNT"
