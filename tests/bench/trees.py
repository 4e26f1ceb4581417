# SPDX-License-Identifier: Apache-2.0
"""What is read: the same files on every machine, but for a sample of /usr."""

import os
import random
import shutil
import subprocess

BLOCK = 1 << 20


class Sizes:
    """Full, or what fits into five minutes."""

    def __init__(self, quick):
        self.rounds = 3 if quick else 5
        self.big_mib = 128 if quick else 1024
        self.write_mib = 64 if quick else 512
        self.random_reads = 20000 if quick else 100000
        self.tree_files = 1000 if quick else 5000
        self.walk_files = 4000 if quick else 16000
        self.copies = 500 if quick else 2000
        self.opens = 2000 if quick else 10000
        self.created = 500 if quick else 4000
        self.slow_mib = 64 if quick else 256


def write_random(path, size, seed):
    r = random.Random(seed)
    with open(path, "wb") as f:
        while size > 0:
            f.write(r.randbytes(min(size, BLOCK)))
            size -= BLOCK


def is_wanted(path):
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    return 0 < os.path.getsize(path) <= 2 << 20


def sample(target, count):
    """Copies of whole directories of /usr, from all over it; no file too large."""
    folders = []
    for top in ("/usr/bin", "/usr/lib", "/usr/share"):
        for folder, dirs, files in os.walk(top):
            dirs.sort()
            paths = [os.path.join(folder, name) for name in sorted(files)]
            folders.append([x for x in paths if is_wanted(x)])
    random.Random(8).shuffle(folders)
    taken = 0
    for paths in folders:
        for path in paths[:max(0, count - taken)]:
            to = os.path.join(target, path[1:])
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copyfile(path, to)
            taken += 1


def small_files(target, count, per_dir, size, seed, alike=False):
    """count files, per_dir in a directory; all of one content when alike."""
    r = random.Random(seed)
    data = r.randbytes(size)
    for i in range(count):
        if i % per_dir == 0:
            folder = os.path.join(target, f"{i // per_dir:05}")
            os.makedirs(folder)
        if not alike:
            data = r.randbytes(size)
        with open(os.path.join(folder, f"f{i:07}"), "wb") as f:
            f.write(data)


def names_below(folder):
    """Paths in the order in which a directory walk finds them."""
    out = []
    for at, dirs, files in os.walk(folder):
        dirs.sort()
        out += [os.path.relpath(os.path.join(at, x), folder) for x in sorted(files)]
    return out


def write_list(path, names):
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as f:
        f.writelines(name + "\n" for name in names)
    return path


class Trees:
    """Everything below `work`; lists are relative to the directory of their name."""

    def __init__(self, work, sizes):
        self.src = os.path.join(work, "src")
        self.lists = {}
        os.makedirs(self.src)
        for name in ("tree", "walk", "alike", "distinct", "slow", "opens"):
            os.makedirs(os.path.join(self.src, name))
        write_random(self.of("big"), sizes.big_mib << 20, 1)
        write_random(self.of("slow/slow"), sizes.slow_mib << 20, 2)
        write_random(self.of("opens/one"), 10000, 3)
        sample(self.of("tree"), sizes.tree_files)
        small_files(self.of("walk"), sizes.walk_files, 100, 64, 4)
        small_files(self.of("alike"), sizes.copies, 500, 65536, 5, True)
        small_files(self.of("distinct"), sizes.copies, 500, 65536, 6)
        for name in ("tree", "walk", "alike", "distinct", "slow"):
            self.lists[name] = write_list(os.path.join(work, name + ".list"),
                                          names_below(self.of(name)))
        self.lists["big"] = write_list(os.path.join(work, "big.list"), ["big"])
        self.lists["one"] = write_list(os.path.join(work, "one.list"),
                                       ["one"] * sizes.opens)
        self.files = names_below(self.of("tree"))
        self.bytes = sum(os.path.getsize(self.of("tree/" + x)) for x in self.files)
        self.tar = os.path.join(work, "tree.tar")
        subprocess.run(["tar", "-cf", self.tar, "-C", self.of("tree"), "."], check=True)
        self.make_repository(work)
        # what is younger than a scan is scanned once more when it is opened again
        os.sync()

    def of(self, name):
        return os.path.join(self.src, name)

    def make_repository(self, work):
        repo = self.of("repo")
        who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        git = ["git", "-C", repo, *who]
        os.makedirs(repo)
        subprocess.run(["tar", "-xf", os.path.join(work, "tree.tar"), "-C", repo],
                       check=True)
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "bench"]):
            subprocess.run(git + command, check=True)
