#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What programs may do with files, one by one, the same as on a disk: the checks run in the
# source directory first, so that what they expect is what ext4 does, and then on the mount.
. "$(dirname "$0")/lib.sh"

cat >"$WORK/checks.py" <<'PY'
import ctypes, errno, fcntl, mmap, os, stat, sys

root, fuse = sys.argv[1], sys.argv[2] == "fuse"
os.chdir(root)
os.umask(0o022)
libc = ctypes.CDLL(None, use_errno=True)
KEEP, PUNCH, COLLAPSE, ZERO, INSERT = 1, 2, 8, 16, 32
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4

def fails(code, f, *args, **kw):
    try:
        f(*args, **kw)
    except OSError as e:
        assert e.errno == code, (errno.errorcode[e.errno], "instead of", errno.errorcode[code])
        return
    raise AssertionError("no error, instead of " + errno.errorcode[code])

def fallocate(fd, mode, off, length):
    if libc.fallocate(fd, mode, ctypes.c_long(off), ctypes.c_long(length)):
        raise OSError(ctypes.get_errno(), "fallocate")

def renameat2(a, b, flags):
    if libc.renameat2(-100, a.encode(), -100, b.encode(), flags):
        raise OSError(ctypes.get_errno(), "renameat2")

def linkat(fd, name):
    if libc.linkat(-100, b"/proc/self/fd/%d" % fd, -100, name.encode(), 0x400):
        raise OSError(ctypes.get_errno(), "linkat")

def put(name, data=b"data", mode=0o644):
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)
    os.write(fd, data)
    return fd

def get(name):
    with open(name, "rb") as f:
        return f.read()

def check_direct():
    fd = os.open("direct", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
    page = mmap.mmap(-1, 8192)
    page.write(b"d" * 8192)
    assert os.write(fd, page) == 8192
    other = os.open("direct", os.O_RDONLY)
    assert os.pread(other, 8192, 0) == b"d" * 8192
    os.pwrite(fd, memoryview(page)[:4096], 8192)
    assert os.preadv(fd, [page], 4096) == 8192 and page[:8192] == b"d" * 8192
    assert os.pread(other, 10, 12280) == b"d" * 8
    fcntl.fcntl(fd, fcntl.F_SETFL, 0)
    os.pwrite(fd, b"odd", 1)
    assert get("direct")[:5] == b"doddd"
    os.close(fd), os.close(other)

def check_mapped():
    fd = put("mapped", bytes(10000))
    with mmap.mmap(fd, 10000) as a:
        a[4095:4098] = b"abc"
        assert os.pread(fd, 3, 4095) == b"abc"
        os.pwrite(fd, b"xyz", 8000)
        assert a[8000:8003] == b"xyz"
        again = os.open("mapped", os.O_RDWR)
        with mmap.mmap(again, 10000) as b:
            b[0:1] = b"Z"
            assert a[0:1] == b"Z"
        os.close(again)
        a.flush()
        os.close(fd)
        a[1:2] = b"Y"
    assert get("mapped")[:2] == b"ZY" and get("mapped")[4095:4098] == b"abc"
    fd = os.open("mapped", os.O_RDONLY)
    with mmap.mmap(fd, 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE) as p:
        p[0:1] = b"Q"
    os.close(fd)
    assert get("mapped")[:1] == b"Z"

def check_holes():
    fd = os.open("holes", os.O_RDWR | os.O_CREAT)
    os.truncate(fd, 1 << 20)
    os.pwrite(fd, b"x" * 4096, 65536)
    os.fsync(fd)
    assert os.lseek(fd, 0, os.SEEK_DATA) == 65536
    assert os.lseek(fd, 65536, os.SEEK_HOLE) == 69632
    assert os.lseek(fd, 0, os.SEEK_HOLE) == 0
    fails(errno.ENXIO, os.lseek, fd, 69632, os.SEEK_DATA)
    fails(errno.ENXIO, os.lseek, fd, 1 << 20, os.SEEK_HOLE)
    fails(errno.EINVAL, os.lseek, fd, -1, os.SEEK_SET)
    assert os.fstat(fd).st_blocks <= 16
    os.close(fd)

def check_fallocate():
    fd = put("falloc", b"a" * 16384)
    fallocate(fd, 0, 16384, 16384)
    assert os.fstat(fd).st_size == 32768
    fallocate(fd, KEEP, 32768, 65536)
    assert os.fstat(fd).st_size == 32768 and os.fstat(fd).st_blocks >= 192
    fallocate(fd, PUNCH | KEEP, 4096, 4096)
    assert os.pread(fd, 8192, 2048) == b"a" * 2048 + bytes(4096) + b"a" * 2048
    fallocate(fd, ZERO, 8192, 4096)
    assert os.pread(fd, 8193, 4096) == bytes(8192) + b"a"
    fallocate(fd, ZERO | KEEP, 32768, 4096)
    assert os.fstat(fd).st_size == 32768
    fails(errno.EINVAL, fallocate, fd, 0, 0, 0)
    if fuse:  # the kernel lets these through for no FUSE filesystem
        fails(errno.EOPNOTSUPP, fallocate, fd, COLLAPSE, 0, 4096)
        fails(errno.EOPNOTSUPP, fallocate, fd, INSERT, 0, 4096)
    os.close(fd)

def check_rename():
    for n in "ab":
        os.close(put(n, n.encode()))
    fails(errno.EEXIST, renameat2, "a", "b", NOREPLACE)
    renameat2("a", "b", EXCHANGE)
    assert (get("a"), get("b")) == (b"b", b"a")
    renameat2("a", "c", NOREPLACE)
    assert get("c") == b"b" and not os.path.exists("a")
    fails(errno.ENOENT, renameat2, "b", "gone", EXCHANGE)
    os.mkdir("dir")
    os.close(put("dir/in", b"in"))
    renameat2("dir", "b", EXCHANGE)
    assert get("b/in") == b"in" and get("dir") == b"a"
    fails(errno.EINVAL, renameat2, "b", "dir", NOREPLACE | EXCHANGE)
    fails(errno.EINVAL, os.rename, "b", "b/under")
    os.mkdir("full")
    os.close(put("full/x"))
    fails(errno.ENOTEMPTY, os.rename, "b", "full")
    renameat2("dir", "white", WHITEOUT)
    st = os.stat("dir")
    assert stat.S_ISCHR(st.st_mode) and st.st_rdev == 0 and get("white") == b"a"

def check_unlinked():
    fd = put("doomed", b"before")
    os.unlink("doomed")
    assert os.fstat(fd).st_nlink == 0
    os.pwrite(fd, b"after!", 0)
    os.ftruncate(fd, 5)
    os.fchmod(fd, 0o600)
    os.utime(fd, (5, 5))
    assert os.pread(fd, 10, 0) == b"after"
    st = os.fstat(fd)
    assert (st.st_size, stat.S_IMODE(st.st_mode), st.st_mtime) == (5, 0o600, 5)
    again = os.open("/proc/self/fd/%d" % fd, os.O_RDONLY)
    assert os.read(again, 10) == b"after"
    os.close(again)
    fails(errno.ENOENT, linkat, fd, "back")
    other = put("doomed", b"another")
    assert get("doomed") == b"another" and os.pread(fd, 10, 0) == b"after"
    os.close(fd), os.close(other)
    d = os.open(".", os.O_RDONLY)
    os.mkdir("gone")
    fd = os.open("gone", os.O_RDONLY)
    os.rmdir("gone")
    assert os.listdir(fd) == []
    fails(errno.ENOENT, os.open, "x", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    os.close(fd), os.close(d)
    assert [n for n in os.listdir(".") if n.startswith(".fuse_hidden")] == []

def check_unnamed():
    os.mkdir("sub")
    fd = os.open("sub", os.O_TMPFILE | os.O_RDWR, 0o640)
    os.write(fd, b"no name")
    st = os.fstat(fd)
    assert (st.st_nlink, st.st_size, stat.S_IMODE(st.st_mode)) == (0, 7, 0o640)
    assert os.listdir("sub") == []
    with mmap.mmap(fd, 7) as m:
        m[0:2] = b"NO"
    os.fchmod(fd, 0o644)
    linkat(fd, "sub/named")
    assert get("sub/named") == b"NO name" and os.fstat(fd).st_nlink == 1
    assert stat.S_IMODE(os.stat("sub/named").st_mode) == 0o644
    fails(errno.EEXIST, linkat, fd, "sub/named")
    os.close(fd)
    assert get("sub/named") == b"NO name"
    fd = os.open("sub", os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600)
    fails(errno.ENOENT, linkat, fd, "sub/never")
    os.close(fd)
    fails(errno.EINVAL, os.open, "sub", os.O_TMPFILE | os.O_RDONLY)
    os.chmod("sub", 0o777)
    def own():
        mine = os.open("sub", os.O_TMPFILE | os.O_WRONLY, 0o600)
        assert os.fstat(mine).st_uid == 65534
        os.chmod("/proc/self/fd/%d" % mine, 0o604)
        linkat(mine, "sub/own")
    as_user(own)
    assert os.stat("sub/own").st_uid == 65534

def as_user(f, *args):
    pid = os.fork()
    if pid == 0:
        os.setgroups([]), os.setresgid(*3 * [65534]), os.setresuid(*3 * [65534])
        try:
            f(*args)
            os._exit(0)
        except BaseException as e:
            print("as a user:", repr(e), file=sys.stderr)
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0, f.__name__

def check_set_id():
    def write(n): os.close(os.open(n, os.O_WRONLY | os.O_APPEND)) if n == "none" else os.write(os.open(n, os.O_WRONLY | os.O_APPEND), b"x")
    def truncate(n): os.truncate(n, 1)
    def open_truncate(n): os.open(n, os.O_WRONLY | os.O_TRUNC)
    def allocate(n): fallocate(os.open(n, os.O_WRONLY), 0, 0, 8192)
    def punch(n): fallocate(os.open(n, os.O_WRONLY), PUNCH | KEEP, 0, 1)
    def mapped(n):
        fd = os.open(n, os.O_RDWR)
        with mmap.mmap(fd, 4) as m: m[0:1] = b"m"
        os.write(fd, b"w")
    def copied(n):
        a = os.open("source", os.O_RDONLY)
        os.copy_file_range(a, os.open(n, os.O_WRONLY), 4)
    os.close(put("source"))
    for f in (write, truncate, open_truncate, allocate, punch, mapped, copied):
        os.close(put("setid"))
        os.chmod("setid", 0o6777)
        as_user(f, "setid")
        mode = stat.S_IMODE(os.stat("setid").st_mode)
        assert mode == 0o777, (f.__name__, oct(mode))
    os.close(put("setid"))
    os.chmod("setid", 0o6755)
    os.write(os.open("setid", os.O_WRONLY), b"r")
    assert stat.S_IMODE(os.stat("setid").st_mode) == 0o6755  # root keeps them
    os.chown("setid", 5, 5)
    assert stat.S_IMODE(os.stat("setid").st_mode) == 0o755

def check_sticky():
    os.mkdir("sticky")
    os.chmod("sticky", 0o1777)
    os.close(put("sticky/root"))
    def attempt():
        fails(errno.EPERM, os.unlink, "sticky/root")
        fails(errno.EPERM, os.rename, "sticky/root", "sticky/mine")
        os.close(put("sticky/own"))
        fails(errno.EPERM, os.rename, "sticky/own", "sticky/root")
        os.rename("sticky/own", "sticky/own2")
        os.unlink("sticky/own2")
        os.mkdir("sticky/dir", 0o1777)
    as_user(attempt)
    assert stat.S_IMODE(os.stat("sticky/dir").st_mode) == 0o1755
    assert os.stat("sticky").st_mode & 0o1000

def check_deep():
    depth = 600
    top = os.open(".", os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d" * 20)
        os.chdir("d" * 20)
    os.close(put("bottom", b"deep"))
    assert get("bottom") == b"deep"
    os.link("bottom", "two")
    os.unlink("bottom"), os.unlink("two")
    for n in ("bottom.stoq.json", "two.stoq.json"):
        fails(errno.ENOENT, os.stat, n)
    for _ in range(depth):
        os.chdir("..")
        os.rmdir("d" * 20)
    assert os.fstat(top).st_ino == os.stat(".").st_ino
    os.close(top)

def check_locks():
    fd = put("locked")
    fcntl.flock(fd, fcntl.LOCK_EX)
    pid = os.fork()
    if pid == 0:
        mine = os.open("locked", os.O_RDWR)
        try:
            fails(errno.EAGAIN, fcntl.flock, mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(mine, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 100)
            os._exit(0)
        except BaseException as e:
            print(repr(e), file=sys.stderr)
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    os.close(fd)

def check_append():
    a = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    b = os.open("log", os.O_WRONLY | os.O_APPEND)
    for i in range(50):
        os.write(a if i % 2 else b, b"%02d\n" % i)
    assert get("log") == b"".join(b"%02d\n" % i for i in range(50))
    assert os.stat("log").st_size == 150

def check_xattrs():
    fd = put("x")
    for i in range(30):
        os.setxattr(fd, "user.n%d" % i, b"v" * i)
    os.setxattr("x", "user.big", bytes(1000))
    assert len([n for n in os.listxattr("x") if n.startswith("user.")]) == 31
    assert os.getxattr("x", "user.n29") == b"v" * 29
    fails(errno.EEXIST, os.setxattr, "x", "user.n1", b"", os.XATTR_CREATE)
    fails(errno.ENODATA, os.setxattr, "x", "user.none", b"", os.XATTR_REPLACE)
    fails(errno.ENODATA, os.removexattr, "x", "user.none")
    fails(errno.ENODATA, os.getxattr, "x", "user.none")
    os.removexattr("x", "user.n1")
    fails(errno.EPERM, lambda: os.symlink("x", "l") or os.setxattr("l", "user.a", b"", follow_symlinks=False))
    os.setxattr("x", "security.test", b"s")
    os.setxattr("l", "trusted.t", b"t", follow_symlinks=False)
    assert os.getxattr("l", "trusted.t", follow_symlinks=False) == b"t"
    as_user(lambda: fails(errno.EACCES, os.setxattr, "x", "user.a", b""))
    os.close(fd)

def check_times():
    os.close(put("t"))
    os.utime("t", ns=(1, 2999999999))
    st = os.stat("t")
    assert (st.st_atime_ns, st.st_mtime_ns) == (1, 2999999999)
    before = os.stat("t").st_ctime_ns
    os.chmod("t", 0o600)
    assert os.stat("t").st_ctime_ns >= before
    os.mkdir("times")
    os.utime("times", ns=(7, 7))
    os.close(put("times/new"))
    assert os.stat("times").st_mtime_ns > 7
    st = os.stat("times/new")
    os.utime("times", ns=(7, 7))
    assert os.stat("times").st_atime_ns == 7  # nobody reads it behind our back
    os.link("times/new", "times/two")
    assert os.stat("times/new").st_nlink == 2 and os.stat("times/new").st_mtime_ns == st.st_mtime_ns

for name, f in sorted(globals().copy().items()):
    if name.startswith("check_"):
        os.mkdir(name)
        os.chmod(name, 0o777)
        os.chdir(name)
        try:
            f()
        except BaseException as e:
            import traceback
            line = traceback.extract_tb(e.__traceback__)[1].lineno
            sys.exit("%s: line %d: %r" % (name, line, e))
        os.chdir(root)
print("done")
PY

mkdir "$WORK/native" "$SRC/files"
chmod 777 "$WORK/native" "$SRC/files"
equal "on the disk" "$(python3 "$WORK/checks.py" "$WORK/native" native)" "done"
mount_fs -a hash --log-level warning -o suid,dev
equal "on the mount" "$(python3 "$WORK/checks.py" "$MNT/files" fuse)" "done"
umount_fs
