#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is created belongs to its creator; permissions are the caller's, not the daemon's.
. "$(dirname "$0")/lib.sh"

chmod 1777 "$SRC"
echo secret >"$SRC/secret"
chmod 600 "$SRC/secret"
mkdir -m 2775 "$SRC/setgid"
chgrp 4242 "$SRC/setgid"
chmod 2777 "$SRC/setgid"
cp /bin/true "$SRC/suid"
chmod 4777 "$SRC/suid"
mount_fs
who() { stat -c %u:%g "$1"; }
as_nobody sh -c "umask 027; echo mine > '$MNT/mine'; mkdir '$MNT/dir'; ln -s x '$MNT/link'; mkfifo '$MNT/pipe'; echo in > '$MNT/setgid/in'"
equal "file" "$(who "$SRC/mine")" 65534:65534
equal "mode follows umask" "$(stat -c %a "$SRC/mine")" 640
equal "directory" "$(who "$SRC/dir")" 65534:65534
equal "link" "$(who "$SRC/link")" 65534:65534
equal "fifo" "$(who "$SRC/pipe")" 65534:65534
equal "group of a setgid directory" "$(who "$SRC/setgid/in")" 65534:4242
as_nobody cat "$MNT/secret" 2>/dev/null && fail "nobody read a 0600 file of root"
as_nobody cat "$MNT/secret.stoq.json" 2>/dev/null && fail "nobody read the sidecar of a 0600 file"
as_nobody rm -f "$MNT/secret" 2>/dev/null && fail "nobody removed a file of root from a sticky directory"
[ -e "$SRC/secret" ] || fail "sticky directory did not protect"
as_nobody sh -c "echo x >> '$MNT/suid'"
equal "set-id is cleared by a writer" "$(stat -c %a "$SRC/suid")" 777
setfacl -m u:65534:r "$MNT/secret"
equal "an ACL grants" "$(as_nobody cat "$MNT/secret")" secret
echo told >"$MNT/told"
setfacl -m u:65534:- "$MNT/told"
check "root has its result" jq -e '.verdict == "clean"' "$MNT/told.stoq.json" >/dev/null
as_nobody cat "$MNT/told" 2>/dev/null && fail "an ACL denies, and it was read"
as_nobody cat "$MNT/told.stoq.json" 2>/dev/null && fail "an ACL denies, and the result was read"
umount_fs
