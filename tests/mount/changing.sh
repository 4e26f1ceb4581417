#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Files that change, vanish or become unreadable during their scan: the verdict is that of
# the bytes that are there afterwards, or none.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_inject.sh"

for f in shrinks grows vanishes locked; do
    echo "HOLD $f" >"$SRC/$f"
    head -c 1000000 /dev/zero >>"$SRC/$f"
done
mount_fs "${INJECT[@]}" -o scanners=1
ask() { # FILE COMMAND...: while the scan of FILE is held, do COMMAND; then let it end
    local f=$1 pid
    shift
    cat "$MNT/$f" >"$WORK/out.$f" 2>/dev/null &
    pid=$!
    eventually status_is .running 1
    "$@"
    open_gate 4 # a changed file is scanned again, and held again
    wait "$pid" || :
    eventually status_is '.queued + .running' 0
    close_gate
}
ask shrinks truncate -s 5 "$SRC/shrinks"
equal "shrunk: of the new bytes" "$(getfattr --absolute-names --only-values -n user.stoq.sha256 "$MNT/shrinks")" \
    "$(sha256sum <"$SRC/shrinks" | cut -d' ' -f1)"
ask grows sh -c "echo more >> '$SRC/grows'"
equal "grown: of the new bytes" "$(getfattr --absolute-names --only-values -n user.stoq.sha256 "$MNT/grows")" \
    "$(sha256sum <"$SRC/grows" | cut -d' ' -f1)"
ask vanishes rm "$SRC/vanishes"
vanished() { ! cat "$MNT/vanishes" >/dev/null 2>&1; }
eventually vanished
ask locked chmod 000 "$SRC/locked"
equal "still told" "$(verdict_of "$MNT/locked")" clean
umount_fs
