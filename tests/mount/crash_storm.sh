#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Scanners killed at random moments, many times, under 8 readers whose files are scanned
# again and again: no reader sees an error, no verdict is wrong, and afterwards there are
# no zombies, no more descriptors and hardly more memory than before. A file that always
# crashes its scanner is remembered as such.
#
# STOQ_KILLS=N  how many (default 100)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_inject.sh"
KILLS=${STOQ_KILLS:-100}

for i in $(seq 40); do head -c 20000 /dev/urandom >"$SRC/f$i"; done
echo CRASH >"$SRC/deadly"
mount_fs "${INJECT[@]}" -o scanners=2,enforce
titled() { pgrep -f "^stoqfs: $1 $MNT\$" || :; }
mirror=$(titled mirror)
zygote=$(titled zygote)

# Read every file anew: forgetting a result makes the next read wait for a scan.
round() {
    local i
    for i in $(seq "$1" 8 40); do
        rm -f "$MNT/f$i.stoq.json"
        cmp -s "$MNT/f$i" "$SRC/f$i" || echo "f$i" >>"$WORK/wrong"
        [ "$(verdict_of "$MNT/f$i")" = clean ] || echo "verdict of f$i" >>"$WORK/wrong"
    done
}
descriptors() { find "/proc/$1/fd" -type l | wc -l; }
rss() { awk '/^RssAnon/ { print $2 }' "/proc/$1/status"; }
settled() { status_is '[.queued, .waiting]' '[0,0]'; }

# as far as it ever goes without a crash
for i in 1 2 3 4 5 6 7 8; do round "$i"; done
eventually settled
fds=$(descriptors "$mirror")
memory=$(rss "$mirror")

readers=()
for r in $(seq 8); do
    (until [ -e "$WORK/enough" ]; do round "$r"; done) &
    readers+=($!)
done
kills=0
while [ "$kills" -lt "$KILLS" ]; do
    for pid in $(titled scanner); do
        if kill -9 "$pid" 2>/dev/null; then kills=$((kills + 1)); fi
    done
    # shellcheck disable=SC2154 # lib.sh makes it
    read -rt "0.0$((RANDOM % 10))" -u "$idle" _ || :
done
: >"$WORK/enough"
for p in "${readers[@]}"; do wait "$p" || fail "a reader failed"; done
[ ! -s "$WORK/wrong" ] || fail "reader errors: $(sort "$WORK/wrong" | uniq -c | head -3)"
eventually settled

for i in $(seq 8); do round "$i"; done
[ ! -s "$WORK/wrong" ] || fail "errors afterwards: $(head -3 "$WORK/wrong")"
equal "the mirror" "$(titled mirror)" "$mirror"
equal "the zygote" "$(titled zygote)" "$zygote"
no_more_descriptors() { [ "$(descriptors "$mirror")" -le $((fds + 4)) ]; }
no_zombies() { [[ $(ps --ppid "$MOUNT_PID,$zygote" -o stat=) != *Z* ]]; }
eventually settled
eventually no_more_descriptors
eventually no_zombies
grown=$(($(rss "$mirror") - memory))
echo "$kills kills, $(status_of .scanner_restarts) restarts, descriptors $fds then $(descriptors "$mirror"), memory of the mirror +$grown KiB"
# sanitizers keep up to 256 MiB of what was freed
allowed=32768
! grep -q __asan_init "$STOQFS" || allowed=$((400 * 1024))
! grep -q __tsan_init "$STOQFS" || allowed=$((400 * 1024))
[ "$grown" -lt "$allowed" ] || fail "the mirror grew by $grown KiB"

# The deadly file: two scanners, then never again.
cat "$MNT/deadly" 2>/dev/null && fail "deadly could be read"
before=$(status_of .scanner_restarts)
for i in $(seq 20); do
    cat "$MNT/deadly" 2>/dev/null && fail "deadly could be read"
done
equal "scanners that died of a known file" "$(status_of .scanner_restarts)" "$before"
equal "verdict of deadly" "$(verdict_of "$MNT/deadly")" error
umount_fs
