#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The kernel caches names, attributes and listings for a day while inotify vouches for
# them; whatever changes behind the mount is seen all the same, soon, and what changes
# through the mount at once. Random operations on both sides; the trees must compare equal.
. "$(dirname "$0")/lib.sh"

for d in a b c/d; do
    mkdir -p "$SRC/$d"
    for i in $(seq 10); do echo "$d $i" >"$SRC/$d/f$i"; done
done
mount_fs -a hash -d
eventually status_is .caching_s 86400
cat "$MNT"/*/f* "$MNT"/c/d/f* >/dev/null
listed() { [ "$(find "$MNT/a" -name '*.stoq.json' | wc -l)" -eq 10 ]; }
eventually listed

# warm: nothing is asked for each file
requests() { grep -cE 'opcode: (LOOKUP|GETATTR|GETXATTR|READDIR|READDIRPLUS) ' "$WORK/log"; }
ls -lR "$MNT" >/dev/null
ls -lR "$MNT" >/dev/null
before=$(requests)
ls -lR "$MNT" >/dev/null
spent=$(($(requests) - before))
[ "$spent" -lt 20 ] || fail "$spent requests for a warm walk of 60 files"

cat >"$WORK/random.py" <<'PY'
import os, random, stat, sys, time
src, mnt, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
r = random.Random(seed)

def tree(top):
    out = {}
    for base, dirs, files in os.walk(top):
        if base == mnt and ".stoq" in dirs:
            dirs.remove(".stoq")
        for n in dirs + files:
            p = os.path.join(base, n)
            if n.endswith(".stoq.json"):
                continue
            try:
                s = os.lstat(p)
            except FileNotFoundError:
                out[os.path.relpath(p, top)] = "listed, but not there"
                continue
            what = [stat.filemode(s.st_mode), s.st_nlink, s.st_uid, s.st_mtime_ns]
            if not stat.S_ISDIR(s.st_mode):
                what.append(s.st_size)
            if stat.S_ISLNK(s.st_mode):
                what.append(os.readlink(p))
            out[os.path.relpath(p, top)] = what
    return out

def agree(op):
    end = time.monotonic() + 30
    while True:
        a, b = tree(src), tree(mnt)
        if a == b:
            return
        if time.monotonic() > end:
            bad = {k: (a.get(k), b.get(k)) for k in set(a) | set(b) if a.get(k) != b.get(k)}
            sys.exit("seed %d: after %s: %s" % (seed, op, dict(list(bad.items())[:5])))

def pick(top, kind):
    found = []
    for base, dirs, files in os.walk(top):
        dirs[:] = [d for d in dirs if d != ".stoq"]
        files = [f for f in files if not f.endswith(".stoq.json")]
        found += [os.path.join(base, n) for n in (dirs if kind == "dir" else files)]
    return r.choice(found) if found else None

def step(top):
    op = r.choice(["create", "unlink", "rename", "rename_dir", "append", "truncate", "chmod",
                   "utime", "mkdir", "symlink", "replace", "link", "rmdir"])
    f, d = pick(top, "file"), pick(top, "dir") or top
    new = os.path.join(d, "n%d" % r.randrange(1000))
    plain = f and not os.path.islink(f)
    try:
        if op == "create": open(new, "w").write("new")
        elif op == "unlink" and f: os.unlink(f)
        elif op == "rename" and f: os.rename(f, new)
        elif op == "rename_dir" and d != top: os.rename(d, os.path.join(top, "d%d" % r.randrange(1000)))
        elif op == "append" and plain: open(f, "a").write("more")
        elif op == "truncate" and plain: os.truncate(f, r.randrange(50))
        elif op == "chmod" and plain: os.chmod(f, r.choice([0o644, 0o600, 0o755]))
        elif op == "utime" and plain: os.utime(f, ns=(10**18, r.randrange(10**18)))
        elif op == "mkdir": os.makedirs(os.path.join(new, "x")); open(new + "/x/y", "w").write("y")
        elif op == "symlink": os.symlink("to%d" % r.randrange(9), new)
        elif op == "replace" and plain:
            open(new, "w").write("replaced"); os.rename(new, f)
        elif op == "link" and plain: os.link(f, new)
        elif op == "rmdir" and d != top: os.rmdir(d)
    except (FileExistsError, FileNotFoundError, OSError) as e:
        if e.errno not in (17, 2, 39, 22, 20, 21): raise
    return op + (" behind" if top == src else " through")

for i in range(int(sys.argv[4])):
    ops = [step(r.choice([src, src, mnt])) for _ in range(r.choice([1, 1, 3]))]
    agree(ops)
PY
python3 "$WORK/random.py" "$SRC" "$MNT" "${STOQ_TEST_SEED:-$RANDOM}" 50 || fail "the trees differ"
equal "still vouched" "$(status_of .caching_s)" 86400

# a result shows in the listings of all directories that have a name of its file
mkdir -p "$SRC/l1" "$SRC/l2"
echo linked >"$SRC/l1/x"
ln "$SRC/l1/x" "$SRC/l2/y"
seen() { [ -e "$MNT/l2/y" ]; }
eventually seen
in_both() { [ "$(find "$MNT/l1" "$MNT/l2" -name '[xy].stoq.json' | wc -l)" -eq 2 ]; }
eventually in_both
echo other >"$MNT/l1/x"
ls "$MNT/l1" "$MNT/l2" >/dev/null
eventually in_both

# sidecars are cached as well, and right: at once through the mount, soon behind it
hash_in_sidecar() { jq -r '.results[0].workers.hash.sha256' "$MNT/s.stoq.json"; }
hash_of() { sha256sum <"$1" | cut -d' ' -f1; }
fresh() { [ "$(hash_in_sidecar)" = "$(hash_of "$SRC/s")" ]; }
for i in $(seq 20); do
    echo "through $i" >"$MNT/s"
    equal "the sidecar at once" "$(hash_in_sidecar)" "$(hash_of "$SRC/s")"
    stat -c %s "$MNT/s.stoq.json" >/dev/null
    echo "behind $i" >"$SRC/s"
    eventually fresh
done
exec 5>>"$MNT/s"
hash_in_sidecar >/dev/null
for i in $(seq 5); do
    echo "held open $i" >&5
    equal "the sidecar of a file that is being written" "$(hash_in_sidecar)" "$(hash_of "$SRC/s")"
done
exec 5>&-
mv "$MNT/s" "$MNT/t"
[ ! -e "$MNT/s.stoq.json" ] || fail "the sidecar stayed where its file was"
equal "the sidecar went along" "$(jq -r '.results[0].workers.hash.sha256' "$MNT/t.stoq.json")" \
    "$(hash_of "$SRC/t")"
umount_fs

mount_fs -a hash -o coherence=strict
equal "strict" "$(status_of .caching_s)" 0
python3 "$WORK/random.py" "$SRC" "$MNT" 1 15 || fail "the trees differ"
umount_fs
