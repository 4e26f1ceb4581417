#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# smbd serves the mount: what a client puts is scanned, can be listed, fetched, renamed and
# deleted; what is flagged cannot be fetched.
. "$(dirname "$0")/lib.sh"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p "$WORK"/smb/{private,lock,state,cache,pid,rpc}
cat >"$WORK/smb/smb.conf" <<CONF
[global]
    server role = standalone server
    interfaces = 127.0.0.1
    bind interfaces only = yes
    smb ports = $port
    disable netbios = yes
    load printers = no
    printcap name = /dev/null
    map to guest = bad user
    guest account = nobody
    private dir = $WORK/smb/private
    lock directory = $WORK/smb/lock
    state directory = $WORK/smb/state
    cache directory = $WORK/smb/cache
    pid directory = $WORK/smb/pid
    ncalrpc dir = $WORK/smb/rpc
    log file = $WORK/smb/log
[share]
    path = $MNT/share
    guest ok = yes
    read only = no
    ea support = yes
CONF
mkdir "$SRC/share"
chown nobody "$SRC/share"
eicar >"$SRC/share/bad.com"
head -c 1500000 /dev/urandom >"$WORK/blob"
echo text >"$WORK/text"

mount_fs -a hash,yara -o enforce
# It leads a process group of its own, and ends that.
smbd -F -s "$WORK/smb/smb.conf" >"$WORK/smb/out" 2>&1 &
server=$!
end_server() { kill "$server"; }
AT_END+=(end_server)
smb() { smbclient -s "$WORK/smb/smb.conf" -N -p "$port" //127.0.0.1/share -c "$1" 2>&1; }
answers() { smb ls >/dev/null; }
eventually answers

smb "mkdir dir; put $WORK/blob dir/blob; put $WORK/text text" >"$WORK/out" || fail "put: $(cat "$WORK/out")"
equal "owner in the source" "$(stat -c %U "$SRC/share/dir/blob")" nobody
check "put" cmp "$WORK/blob" "$SRC/share/dir/blob"
smb "get dir/blob $WORK/back; rename text dir/other; ls" >"$WORK/out" || fail "get: $(cat "$WORK/out")"
check "get" cmp "$WORK/blob" "$WORK/back"
[ ! -e "$SRC/share/text" ] || fail "not renamed"
equal "renamed" "$(cat "$SRC/share/dir/other")" text
eventually sidecar_ready "$MNT/share/dir/blob"
smb "get dir/blob.stoq.json $WORK/result" >/dev/null || fail "a sidecar cannot be fetched"
equal "its result" "$(jq -r '.results[0].workers.hash.sha256' "$WORK/result")" "$(sha256sum <"$WORK/blob" | cut -d' ' -f1)"
smb "get bad.com $WORK/bad" >"$WORK/out" && fail "a flagged file was fetched"
check "is denied" grep -q NT_STATUS_ACCESS_DENIED "$WORK/out"
[ ! -s "$WORK/bad" ] || fail "bytes of a flagged file"
smb "cd dir; del blob; del other; cd ..; rmdir dir; del bad.com" >"$WORK/out" || fail "del: $(cat "$WORK/out")"
equal "all is deleted" "$(ls -A "$SRC/share")" ""

kill "$server"
wait "$server" || :
umount_fs
