#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# 10,000 files open at once through a daemon whose hard limit of descriptors is 20,000;
# they stay readable and writable, others can be opened beside them, and all is given back.
. "$(dirname "$0")/lib.sh"

ulimit -n 20000
mount_fs -a hash --log-level warning
mkdir "$MNT/many"
python3 - "$MNT/many" <<'PY' || fail "10,000 open files"
import os, sys
os.chdir(sys.argv[1])
fds = []
for i in range(10000):
    fd = os.open("f%d" % i, os.O_RDWR | os.O_CREAT, 0o644)
    os.write(fd, b"%d" % i)
    fds.append(fd)
for i in range(0, 10000, 7):
    assert os.pread(fds[i], 10, 0) == b"%d" % i
    os.pwrite(fds[i], b"+", 5)
other = os.open("other", os.O_RDWR | os.O_CREAT)
os.write(other, b"other")
assert len(os.listdir(".")) >= 10001
for i in range(0, 10000, 13):
    os.unlink("f%d" % i)
    assert os.pread(fds[i], 1, 0) == b"%d" % (i // 10 ** (len(str(i)) - 1))
for fd in fds:
    os.close(fd)
PY
equal "files in the source" "$(find "$SRC/many" -type f | wc -l)" 9231
equal "what was written" "$(cat "$SRC/many/f9999")" 9999
few_descriptors() { [ "$(status_of .descriptors)" -lt 15000 ]; }
eventually few_descriptors
rm -rf "$MNT/many"
[ ! -e "$SRC/many" ] || fail "rm -rf left something"
umount_fs
