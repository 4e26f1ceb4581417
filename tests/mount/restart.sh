#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the mirror, again and again, under load: nobody sees an error, nothing is
# done twice, nothing is lost, and the mount answers soon after.
. "$(dirname "$0")/lib.sh"
LOAD=$(dirname "$(readlink -f "$0")")/restart_load.py
KILLS=${STOQ_TEST_KILLS:-32}
stop=$WORK/stop

mirror() { pgrep -f "^stoqfs: mirror $MNT\$"; }
count() { pgrep -fc "^stoqfs: $1 $MNT\$" || :; }
ms() { echo $(($(date +%s%N) / 1000000)); }
restarted() { status_is .mirror_restarts "$1"; }

# kills N: end the mirror N times at random moments; fills $all with how long it took.
kills() {
    local i k before
    for ((i = 1; i <= $1; i++)); do
        for ((k = RANDOM % 20 + 6; k > 0; k--)); do pause; done
        is_gone "$load" && break
        before=$(ms)
        kill -9 "$(mirror)"
        check "the mount answers" cat "$MNT/fix/f1" >/dev/null
        all+=($(($(ms) - before)))
        eventually restarted "$i"
    done
}

all_results() {
    local f
    for f in "$SRC"/fix/f? "$SRC"/w[67]/last "$SRC"/log*; do
        [ -s "$MNT${f#"$SRC"}.stoq.json" ] || return 1
    done
}

# under_load N OPTION...
under_load() {
    local n=$1 status=0 held
    shift
    rm -rf "${SRC:?}"/* "$stop"
    : >"$WORK/log"
    "$LOAD" - "$SRC" "$stop"
    mount_fs -a hash "$@"
    if [ "$(status_of .restart)" != '"on"' ]; then
        echo "skipped: restart is $(status_of .restart)"
        umount_fs
        exit 77
    fi
    "$LOAD" "$MNT" "$SRC" "$stop" >"$WORK/counts" 2>"$WORK/errors" &
    load=$!
    all=()
    kills "$n"
    : >"$stop"
    wait "$load" || status=$?
    cat "$WORK/counts"
    if [ "$status" -ne 0 ]; then
        cat "$WORK/errors" >&2
        fail "the load saw an error after ${#all[@]} kills"
    fi
    equal "kills" "${#all[@]}" "$n"
    mapfile -t all < <(printf '%s\n' "${all[@]}" | sort -n)
    echo "$n kills; an answer after ${all[$((n / 2))]} ms (median), ${all[-1]} ms (worst)"
    sed -n 's/.*the mirror was started again within \([0-9]*\) ms.*/\1/p' "$WORK/log" |
        sort -n | awk '{t[NR] = $1} END {print "of that the restart:", t[int(NR / 2) + 1], "ms (median),", t[NR], "ms (worst)"}'
    ((all[-1] < DEADLINE * 1000)) || fail "too slow"

    # what the writers left is what they meant to leave, and each file has its result
    for d in "$SRC"/w[67]; do
        equal "left in $d" "$(ls "$d")" last
    done
    equal "files without a name" "$(find "$SRC" -maxdepth 1 -name 't[0-9]*' | wc -l)" 0
    eventually all_results
    equal "zygotes" "$(count zygote)" 1
    equal "mirrors" "$(count mirror)" 1
    held=$(find "/proc/$MOUNT_PID/fd" -mindepth 1 | wc -l)
    ((held < 40)) || fail "the supervisor holds $held descriptors"
    umount_fs
    equal "processes left" "$(count '[a-z]*')" 0
}

load=
end_load() { kill "$load"; }
AT_END+=(end_load)
under_load "$KILLS"
under_load $((KILLS / 3)) -o passthrough=off
