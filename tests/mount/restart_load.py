#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Load for restart.sh: processes that use a mount and check what they get.

restart_load.py MNT SRC STOP: run until the file STOP exists. No operation may fail, and
none may be done twice. Prints one line of counts; exit status 0 when all was right.
"""
import mmap
import os
import random
import sys
import time

MNT, SRC, STOP = sys.argv[1:4]
BIG = 3 << 20  # passthrough where it can be had
SMALL = 300 << 10


def content(name, size):
    line = (name + "\n").encode()
    return (line * (size // len(line) + 1))[:size]


def read(path):
    with open(path, "rb", buffering=0) as f:
        data = b""
        while part := f.read(1 << 20):
            data += part
        return data


def expect(ok, what):
    if not ok:
        raise AssertionError(what)


def small_files(rng, _state):
    name = f"f{rng.randrange(200)}"
    expect(read(f"{MNT}/fix/{name}") == content(name, 100 + 17 * int(name[1:])), name)


def held(name, size):
    """Read at random through a descriptor that stays open for long."""
    def step(rng, state):
        if "fd" not in state or rng.random() < 0.002:
            if "fd" in state:
                os.close(state["fd"])
            state["fd"] = os.open(f"{MNT}/fix/{name}", os.O_RDONLY)
            state["want"] = content(name, size)
        at = rng.randrange(size)
        want = state["want"][at:at + 9000]
        expect(os.pread(state["fd"], 9000, at) == want, f"{name} at {at}")
        expect(os.fstat(state["fd"]).st_size == size, f"size of {name}")
    return step


def mapped(rng, state):
    if "map" not in state or rng.random() < 0.002:
        with open(f"{MNT}/fix/mapped", "rb") as f:
            state["map"] = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
        state["want"] = content("mapped", SMALL)
    at = rng.randrange(SMALL)
    expect(state["map"][at:at + 5000] == state["want"][at:at + 5000], "mapping")


def lists(rng, state):
    names = sorted(n for n in os.listdir(f"{MNT}/fix") if not n.endswith(".stoq.json"))
    state.setdefault("names", names)
    expect(names == state["names"] and len(names) == 203, "listing")
    count = 0
    with os.scandir(f"{MNT}/many") as entries:  # many READDIRs of one handle
        for entry in entries:
            count += not entry.name.endswith(".stoq.json")
            if count % 300 == 0:
                time.sleep(0.01)
    expect(count == 2000, f"listing of many: {count}")


def sidecars(rng, state):
    name = f"{MNT}/fix/f{rng.randrange(200)}.stoq.json"
    text = read(name)
    before = state.setdefault(name, text)
    expect(text == before and text.endswith(b"}\n"), f"{name} changed")
    if "fd" not in state or rng.random() < 0.01:
        if "fd" in state:
            os.close(state["fd"])
        state["fd"] = os.open(name, os.O_RDONLY)
        state["text"] = text
    os.posix_fadvise(state["fd"], 0, 0, os.POSIX_FADV_DONTNEED)
    expect(os.pread(state["fd"], 1 << 20, 0) == state["text"], f"{name}, held")


def names(rng, state):
    """Make, link, move, remove: the tree is known at each step."""
    i = state["i"] = state.get("i", 0) + 1
    d = f"{MNT}/w{state['id']}"
    a, b, c = f"{d}/a{i}", f"{d}/b{i}", f"{d}/c{i}"
    text = f"{state['id']} {i}\n".encode()
    fd = os.open(a, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    expect(os.write(fd, text) == len(text), "write")
    os.close(fd)
    os.link(a, c)
    os.rename(a, b)
    os.unlink(c)
    os.mkdir(a)
    os.symlink("nowhere", f"{a}/link")
    os.mkfifo(f"{a}/pipe")
    os.rename(b, f"{a}/file")
    os.setxattr(f"{a}/file", "user.i", text, os.XATTR_CREATE)
    expect(sorted(n for n in os.listdir(a) if not n.endswith(".stoq.json")) ==
           ["file", "link", "pipe"], "listing")
    os.unlink(f"{a}/link")
    os.unlink(f"{a}/pipe")
    os.removexattr(f"{a}/file", "user.i")
    os.rename(f"{a}/file", b)
    os.rmdir(a)
    expect(read(b) == text, b)
    os.rename(b, f"{d}/last")
    expect(sorted(n for n in os.listdir(d) if not n.endswith(".stoq.json")) == ["last"],
           "the directory after all")


def appends(rng, state):
    """Numbered lines: one that is there twice, or not at all, is seen in the end."""
    path = f"{MNT}/log{state['id']}"
    if "fd" not in state or rng.random() < 0.01:
        if "fd" in state:
            os.close(state["fd"])
        state["fd"] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    i = state["i"] = state.get("i", 0) + 1
    line = f"line {i} {'x' * rng.randrange(200)}\n".encode()
    expect(os.write(state["fd"], line) == len(line), "append")


def appends_check(state):
    with open(f"{SRC}/log{state['id']}", encoding="ascii") as f:
        numbers = [int(line.split()[1]) for line in f]
    expect(numbers == list(range(1, state["i"] + 1)), "appended lines")


def nameless(rng, state):
    """A file without a name lives as long as it is open."""
    if "fd" not in state or rng.random() < 0.005:
        if "fd" in state:
            os.close(state["fd"])
        path = f"{MNT}/t{state['id']}"
        state["fd"] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        state["text"] = str(rng.random()).encode() * 20
        os.pwrite(state["fd"], state["text"], 0)
        os.unlink(path)
    expect(os.pread(state["fd"], 4096, 0) == state["text"], "file without a name")


def run(number, step, check=None):
    rng = random.Random(number)
    state = {"id": number}
    count, worst = 0, 0.0
    while not os.path.exists(STOP):
        start = time.monotonic()
        step(rng, state)
        worst = max(worst, time.monotonic() - start)
        count += 1
        time.sleep(0.0005)
    if check:
        check(state)
    return count, worst


WORKERS = {
    "small files": (small_files,),
    "big file held": (held("big", BIG),),
    "file held": (held("held", SMALL),),
    "mapping": (mapped,),
    "listings": (lists,),
    "sidecars": (sidecars,),
    "names 1": (names,),
    "names 2": (names,),
    "appends 1": (appends, appends_check),
    "appends 2": (appends, appends_check),
    "nameless": (nameless,),
}


def prepare():
    os.makedirs(f"{SRC}/fix")
    os.makedirs(f"{SRC}/many")
    files = {f"f{i}": 100 + 17 * i for i in range(200)}
    files.update(big=BIG, held=SMALL, mapped=SMALL)
    for name, size in files.items():
        with open(f"{SRC}/fix/{name}", "wb") as f:
            f.write(content(name, size))
    for i in range(2000):
        with open(f"{SRC}/many/a-name-of-some-length-{i}", "wb"):
            pass
    for i in range(len(WORKERS)):
        os.makedirs(f"{SRC}/w{i}")


def child(number, name, pipe):
    try:
        count, worst = run(number, *WORKERS[name])
        os.write(pipe, f"{name}: {count} steps, worst {worst * 1000:.0f} ms\n".encode())
        return 0
    except (OSError, AssertionError, ValueError) as e:
        line = e.__traceback__
        while line.tb_next:
            line = line.tb_next
        print(f"{name}: {e!r} (line {line.tb_lineno})", file=sys.stderr)
        return 1


def main():
    if MNT == "-":
        prepare()
        return 0
    out, pipe = os.pipe()
    pids = {}
    for number, name in enumerate(WORKERS):
        pid = os.fork()
        if pid == 0:
            os._exit(child(number, name, pipe))
        pids[pid] = name
    os.close(pipe)
    failed = 0
    while pids:
        pid, status = os.wait()
        if pids.pop(pid) and status:
            failed = 1
            with open(STOP, "w", encoding="ascii"):
                pass
    sys.stdout.write(os.read(out, 1 << 16).decode())
    return failed


sys.exit(main())
