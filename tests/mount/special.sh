#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# FIFOs, sockets, devices, dangling and looping links, odd names: mirrored, never hanging.
. "$(dirname "$0")/lib.sh"

mkfifo "$SRC/fifo"
python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$SRC/sock"
mknod "$SRC/null" c 1 3
ln -s nowhere "$SRC/dangling"
ln -s loop2 "$SRC/loop1"
ln -s loop1 "$SRC/loop2"
ln -s /etc/hostname "$SRC/outside"
long=$(printf 'n%.0s' $(seq 255))
fits=$(printf 'f%.0s' $(seq 245))
echo long >"$SRC/$long"
echo fits >"$SRC/$fits"
raw=$(printf 'caf\351')
echo raw >"$SRC/$raw"
echo nl >"$SRC/two
lines"
: >"$SRC/empty"

mount_fs
check "fifo" test -p "$MNT/fifo"
check "socket" test -S "$MNT/sock"
check "device" test -c "$MNT/null"
equal "dangling" "$(readlink "$MNT/dangling")" nowhere
equal "outside is a link" "$(readlink "$MNT/outside")" /etc/hostname
cat "$MNT/loop1" 2>/dev/null && fail "a looping link was read"
equal "no sidecar of a link" "$(ls "$MNT/outside.stoq.json" 2>&1 | grep -c 'No such file')" 1
equal "no sidecar of a fifo" "$(ls "$MNT/fifo.stoq.json" 2>&1 | grep -c 'No such file')" 1

equal "long" "$(cat "$MNT/$long")" long
equal "long has a verdict" "$(verdict_of "$MNT/$long")" clean
getfattr --absolute-names --only-values -n user.stoq.sidecar "$MNT/$long" | grep 'too long' >/dev/null ||
    fail "the xattr does not say that there is no sidecar"
equal "fits" "$(cat "$MNT/$fits")" fits
check "sidecar at NAME_MAX" jq -e '.verdict == "clean"' "$MNT/$fits.stoq.json" >/dev/null
equal "raw" "$(cat "$MNT/$raw")" raw
equal "lossless name" "$(jq -r '.results[0].payload_meta.extra_data.filename_b64' "$MNT/$raw.stoq.json" | base64 -d)" "$raw"
equal "newline" "$(cat "$MNT/two
lines")" nl
equal "name with newline" "$(jq -r '.results[0].payload_meta.extra_data.filename' "$MNT/two
lines.stoq.json")" "two
lines"
equal "empty" "$(cat "$MNT/empty")" ""
equal "empty is clean" "$(verdict_of "$MNT/empty")" clean
eventually sidecar_ready "$MNT/empty"
ls -l "$MNT" >/dev/null
umount_fs
