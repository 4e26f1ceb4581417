#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What stoqfs(1) says in LIMITS that a FUSE filesystem cannot have: it fails with the error
# named there, and nothing changes by it.
. "$(dirname "$0")/lib.sh"

head -c 65536 /dev/urandom >"$SRC/file"
sum=$(sha256sum <"$SRC/file")
mount_fs -a hash
python3 - "$MNT" <<'PY' || fail "not as stoqfs(1) says"
import ctypes, errno, fcntl, os, struct, sys
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)

def fails(codes, what, f, *args):
    try:
        r = f(*args)
        code = ctypes.get_errno() if r == -1 else 0
    except OSError as e:
        code = e.errno
    if code not in codes:
        sys.exit("%s: %s" % (what, errno.errorcode.get(code, code)))

def syscall(number, *args):
    ctypes.set_errno(0)
    return libc.syscall(number, *args)

fd = os.open("file", os.O_RDWR)
to = os.open("other", os.O_RDWR | os.O_CREAT)
no = (errno.EOPNOTSUPP,)
for name, mode in (("collapse", 8), ("insert", 32), ("unshare", 64)):
    ctypes.set_errno(0)
    fails(no, name, libc.fallocate, fd, mode, ctypes.c_long(0), ctypes.c_long(4096))
fails(no, "FICLONE", fcntl.ioctl, to, 0x40049409, fd)
fails(no, "FICLONERANGE", fcntl.ioctl, to, 0x4020940D, struct.pack("qQQQ", fd, 0, 0, 0))
dedupe = bytearray(struct.pack("QQHHI", 0, 4096, 1, 0, 0) + struct.pack("qQQiI", to, 0, 0, 0, 0))
try:
    fcntl.ioctl(fd, 0xC0189436, dedupe)
    code = -struct.unpack_from("i", dedupe, 24 + 24)[0]
except OSError as e:
    code = e.errno
if code not in (errno.EOPNOTSUPP, errno.EINVAL):
    sys.exit("FIDEDUPERANGE: %s" % code)
fails(no, "FIEMAP", fcntl.ioctl, fd, 0xC020660B, bytearray(struct.pack("QQIIII", 0, 65536, 0, 0, 0, 0)))
fails((errno.ENOTTY,), "FS_IOC_GETFLAGS", fcntl.ioctl, fd, 0x80086601, bytearray(8))
fails((errno.EOPNOTSUPP, errno.ENOTTY), "FIFREEZE", fcntl.ioctl, fd, 0xC0045877, bytearray(4))
buf = ctypes.create_string_buffer(512)
fails((errno.ENOSYS, errno.ESRCH, errno.EOPNOTSUPP), "quotactl", syscall, 443, fd, 0x80000700, 0, buf)
path = ctypes.create_string_buffer(os.path.abspath("file").encode())
fails((errno.EINVAL, errno.EPERM), "swapon", libc.swapon, path, 0)
assert os.copy_file_range(fd, to, 65536) == 65536
assert os.pread(to, 65536, 0) == os.pread(fd, 65536, 0)
PY
equal "time of birth" "$(stat -c %W "$MNT/file")" 0
equal "the file" "$(sha256sum <"$SRC/file")" "$sum"
umount_fs
