#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Large files are read by the kernel itself once their verdict is known: no READ reaches
# the daemon. Readers, writers and mappings of one file at the same time see no error
# (the kernel refuses handles of two kinds on one inode), and what is written is scanned.
. "$(dirname "$0")/lib.sh"

reads() { grep -c 'opcode: READ ' "$WORK/log" || :; }

head -c 3000000 /dev/urandom >"$SRC/large"
echo small >"$SRC/small"
mount_fs -a hash -d
status_is .passthrough '"from 1 MiB"' || fail "passthrough: $(status_of .passthrough)"
cat "$MNT/.stoq/status.json" >/dev/null
before=$(reads)
check "the same bytes" cmp "$MNT/large" "$SRC/large"
equal "READ requests for a large file" "$(reads)" "$before"
check "the same bytes" cmp "$MNT/small" "$SRC/small"
[ "$(reads)" -gt "$before" ] || fail "a READ of a small file is not seen: the check is void"

# a page cache that was filled before, then passthrough, a write, then the cache again
exec 5<>"$MNT/large"
check "cached beside a writer" cmp "$MNT/large" "$SRC/large"
exec 5>&-
check "passthrough after it" cmp "$MNT/large" "$SRC/large"
exec 5<"$MNT/large"
printf changed | dd of="$MNT/large" conv=notrunc status=none
check "a reader sees what is written beside it" cmp -n 7 - "$MNT/large" < <(printf changed)
exec 5<&-
truncate -s 2000 "$MNT/large"
check "small again" cmp "$MNT/large" "$SRC/large"
umount_fs

# many at once
for i in 1 2 3; do head -c 1500000 /dev/zero | tr '\0' "$i" >"$SRC/f$i"; done
mount_fs -a hash
python3 - "$MNT" <<'PY' || fail "an error beside others"
import mmap, os, random, sys, threading
mnt, errors = sys.argv[1], []

def reader(n):
    r = random.Random(n)
    for _ in range(150):
        name = "%s/f%d" % (mnt, r.randint(1, 3))
        fd = os.open(name, os.O_RDONLY)
        size = os.fstat(fd).st_size
        if r.random() < 0.3:
            with mmap.mmap(fd, 1500000, prot=mmap.PROT_READ) as m:
                assert m[1000:1001] in (b"1", b"2", b"3")
        assert os.pread(fd, 10, 700000)[:1] == name[-1].encode()
        os.close(fd)

def writer(n):
    r = random.Random(n)
    for _ in range(60):
        name = "%s/f%d" % (mnt, r.randint(1, 3))
        fd = os.open(name, os.O_RDWR | r.choice([0, os.O_APPEND]))
        if r.random() < 0.3:
            with mmap.mmap(fd, 1500000) as m:
                m[0:4] = b"mmap"
        os.pwrite(fd, b"tail%d" % n, 1500000 + 10 * n)
        os.fsync(fd)
        os.close(fd)

def guard(f, n):
    try:
        f(n)
    except Exception as e:
        errors.append(repr(e))

threads = [threading.Thread(target=guard, args=(reader if n < 6 else writer, n)) for n in range(8)]
for t in threads: t.start()
for t in threads: t.join()
if errors: sys.exit("\n".join(errors[:5]))
PY
# what a mapping wrote, with no write call, is a new content and is scanned as such
python3 - "$MNT/f1" <<'PY'
import mmap, os, sys
reader = os.open(sys.argv[1], os.O_RDONLY)
fd = os.open(sys.argv[1], os.O_RDWR)
with mmap.mmap(fd, 4096) as m:
    m[0:8] = b"by a map"
os.close(fd)
os.close(reader)
PY
hashed_as_is() {
    [ "$(jq -r '.results[0].workers.hash.sha256' "$MNT/$1.stoq.json")" = \
        "$(sha256sum <"$SRC/$1" | cut -d' ' -f1)" ]
}
for i in 1 2 3; do
    eventually sidecar_ready "$MNT/f$i"
    eventually hashed_as_is "f$i"
    check "the same bytes" cmp "$MNT/f$i" "$SRC/f$i"
done
umount_fs

mount_fs -a hash -o passthrough=off
status_is .passthrough '"off: switched off"' || fail "not off: $(status_of .passthrough)"
check "the same bytes" cmp "$MNT/f1" "$SRC/f1"
umount_fs
