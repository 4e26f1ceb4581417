#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Side by side: the source directory, stoqfs in its ways, bindfs, clamfs with clamd.

    bench.py BUILD_DIR [--quick | --nightly [FILES]] [--only ROW]... [--json FILE]
             [--rules FILE_OR_DIR] [--work DIR] [--rounds N] [--real-time]

Every measurement is taken once per system and round, systems in a new order each time,
and the median counts. Ratios are to native: 1.0 is the source directory itself, more is
better. The machine's load is printed, since it is in the figures. Where it cannot be
had without other work going on, --real-time puts what is measured before all else, row
by row, with as much time in between for the others.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from systems import (Bindfs, Clamfs, Stoqfs, System, cpu_seconds,  # noqa: E402
                     drops, memory_mib, set_real_time)
from trees import Sizes, Trees, names_below, write_list  # noqa: E402


TRIES = 10


class Result:
    """One measurement: what took how long, and what the daemon spent on it."""

    def __init__(self, words):
        numbers = [float(x) for x in words]
        self.seconds, self.ops, self.bytes = numbers[:3]
        self.p50, self.p99 = numbers[3:5] if len(numbers) > 3 else (None, None)
        self.cpu = 0.0


class Bench:
    def __init__(self, args):
        self.args = args
        self.build = os.path.abspath(args.build)
        self.here = os.path.dirname(os.path.abspath(__file__))
        self.kernels = os.path.join(self.build, "tests/bench_kernels")
        self.rules = os.path.abspath(args.rules or os.path.join(self.here, "sixty.yar"))
        self.work = tempfile.mkdtemp(prefix="stoqfs-bench.", dir=args.work)
        self.sizes = Sizes(args.quick or args.nightly)
        self.rounds = args.rounds or self.sizes.rounds
        self.trees = Trees(self.work, self.sizes)
        self.systems = [System(self), Stoqfs(self),
                        Stoqfs(self, "enforce", ["enforce"]),
                        Stoqfs(self, "no passthrough", ["passthrough=off"]),
                        Bindfs(self), Clamfs(self)]
        self.table = []   # rows as they will be printed
        self.memory = {}  # MiB by system, after the warm measurements
        self.order = random.Random(7)
        self.repeated = 0

    def rule_files(self):
        if not os.path.isdir(self.rules):
            return [self.rules]
        found = [os.path.join(self.rules, x) for x in names_below(self.rules)]
        return [x for x in found if x.endswith((".yar", ".yara"))]

    def kernel(self, folder, *words):
        out = subprocess.run([self.kernels, folder, *map(str, words)], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        return Result(out.split())

    def command(self, words, **kwargs):
        start = time.monotonic()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, **kwargs)
        return Result([time.monotonic() - start, 1, 0])

    def wanted(self, row):
        return not self.args.only or any(row.startswith(x) for x in self.args.only)

    def present(self):
        return [s for s in self.systems if not s.missing]

    def once(self, function, system, settle, warm):
        """One result during which nobody dropped the kernel's caches."""
        for _ in range(TRIES):
            if warm:
                function(system)
            before, dropped = cpu_seconds(system.pids()), drops()
            result = function(system)
            if settle:
                system.settle()
            if system.processes:
                result.cpu = cpu_seconds(system.pids()) - before
            if drops() == dropped:
                break
            self.repeated += 1
        return result

    def measure(self, row, unit, function, systems=None, settle=False, warm=False):
        """Run function(system) in rounds; settle: what it sets off counts as CPU; warm:
        a run that does not count comes before."""
        if not self.wanted(row):
            return
        taken = {}
        systems = systems or self.present()
        started = time.monotonic()
        self.prefer(systems, True)
        for _ in range(self.rounds):
            for system in self.order.sample(systems, len(systems)):
                result = self.once(function, system, settle, warm)
                taken.setdefault(system.name, []).append(result)
        self.prefer(systems, False)
        if self.args.real_time:
            time.sleep(min(10, time.monotonic() - started))
        self.add(row, unit, taken)

    def prefer(self, systems, on):
        if self.args.real_time:
            set_real_time([os.getpid(), *(p for s in systems for p in s.pids())], on)

    def add(self, row, unit, taken):
        cells = {}
        for name, results in taken.items():
            best = {key: statistics.median(getattr(r, key) for r in results)
                    for key in ("seconds", "ops", "bytes", "cpu")}
            if results[0].p50 is not None:
                best["p50"] = statistics.median(r.p50 for r in results)
                best["p99"] = statistics.median(r.p99 for r in results)
            cells[name] = best
        self.table.append({"row": row, "unit": unit, "cells": cells})
        print(f"  {row}: " + ", ".join(
            f"{name} {shown(unit, cell)}" for name, cell in cells.items()),
            file=sys.stderr, flush=True)

    # ------------------------------------------------------------------------ groups

    def dropped(self, system, folder, name):
        """The mount's own page cache emptied; the source's is left alone."""
        if system.path != self.trees.src:
            self.kernel(os.path.join(system.path, folder), "drop",
                        self.trees.lists[name], 0)

    def warm(self):
        t, z = self.trees, self.sizes
        for system in self.present():
            system.start(t.src)
            for name, folder in (("big", ""), ("tree", "tree"), ("one", "opens")):
                self.kernel(os.path.join(system.path, folder), "read", t.lists[name], 2)
            self.kernel(system.path, "ls")
            system.settle()

        def fresh(folder, name, *words):
            def run(system):
                self.dropped(system, folder, name)
                return self.kernel(os.path.join(system.path, folder), *words)
            return run

        def again(folder, *words):
            return lambda s: self.kernel(os.path.join(s.path, folder), *words)

        def measure(row, unit, function):
            self.measure(row, unit, function, warm=True)

        measure("sequential, first read", "MB/s",
                     fresh("", "big", "seq", "big", 131072))
        measure("sequential, again", "MB/s", again("", "seq", "big", 131072))
        measure("4 KiB random, first read", "k/s",
                     fresh("", "big", "rand", "big", z.random_reads))
        measure("4 KiB random, again", "k/s",
                     again("", "rand", "big", z.random_reads))
        measure("mapped, again", "MB/s", again("", "map", "big"))
        measure("small files, first read", "files/s",
                     fresh("tree", "tree", "read", t.lists["tree"], 1))
        measure("small files, again", "files/s",
                     again("tree", "read", t.lists["tree"], 1))
        measure("small files, 2 readers", "files/s",
                     again("tree", "read", t.lists["tree"], 2))
        measure("open+close", "k/s", again("opens", "open", "one", z.opens))
        measure("open, 10 KB file", "us",
                     again("opens", "latency", t.lists["one"], 0))
        measure("open+read+close, 10 KB", "us",
                     again("opens", "latency", t.lists["one"], 1))
        measure("find", "k/s", again("walk", "find"))
        measure("ls -lR", "k/s", again("walk", "ls"))
        measure("stat", "k/s", again("walk", "stat", t.lists["walk"], 3))
        measure("git status", "s", lambda s: self.command(
            ["git", "-C", os.path.join(s.path, "repo"), "-c", "safe.directory=*",
             "status", "--porcelain"]))
        for system in self.present():
            self.memory[system.name] = memory_mib(system.pids())
            system.stop()

    def writes(self):
        sources = {}
        for system in self.present():
            sources[system.name] = os.path.join(self.work, "w-" + system.slug())
            os.makedirs(sources[system.name])
            system.start(sources[system.name])

        def emptied(function):
            def run(system):
                system.settle()
                for name in os.listdir(sources[system.name]):
                    path = os.path.join(system.path, name)
                    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
                return function(system)
            return run

        z = self.sizes
        self.measure("sequential write", "MB/s", emptied(
            lambda s: self.kernel(s.path, "write", "w", z.write_mib)), settle=True)
        self.measure("create+write 4 KiB+close", "files/s", emptied(
            lambda s: self.kernel(s.path, "create", z.created, 4096)), settle=True)
        self.measure("untar", "s", emptied(
            lambda s: self.command(["tar", "-xf", self.trees.tar, "-C", s.path])),
            settle=True)
        for system in self.present():
            system.stop()

    def yara(self, cores):
        """The yara program with compiled rules, and then somebody reads the tree."""
        tree = self.trees.of("tree")
        rules = os.path.join(self.work, "rules.yarc")
        if not shutil.which("yara") or not shutil.which("yarac"):
            return None
        if not os.path.exists(rules):
            subprocess.run(["yarac", "-w", *self.rule_files(), rules], check=True,
                           stderr=subprocess.DEVNULL)

        def run(_system):
            r = self.command(["yara", "-w", "-r", "-p", str(cores), "-C", rules, tree])
            r.seconds += self.kernel(tree, "read", self.trees.lists["tree"], 1).seconds
            r.ops = len(self.trees.files)
            return r
        return run

    def cold(self):
        t = self.trees
        mounted = [s for s in self.present() if s.name in
                   ("native", "stoqfs", "clamfs+clamd")]
        ours = [s for s in mounted if s.name != "clamfs+clamd"]

        def fresh(function, source=t.src):
            def run(system):
                system.start(source)
                try:
                    before = cpu_seconds(system.pids())
                    result = function(system)
                    system.settle()
                    result.cpu = cpu_seconds(system.pids()) - before
                finally:
                    system.stop()
                return result
            return run

        cores = os.cpu_count()
        for n in sorted({1, cores}):
            run = self.yara(n)
            if run:
                self.measure(f"yara -r -p {n}, and reading", "files/s", run,
                             self.systems[:1])
        for n in (1, 2, 8):
            self.measure(f"cold tree, {n} readers", "files/s", fresh(
                lambda s, n=n: self.kernel(os.path.join(s.path, "tree"), "read",
                                           t.lists["tree"], n)), mounted)
        for name in ("distinct", "alike"):
            self.measure(f"cold, {name} 64 KiB files", "files/s", fresh(
                lambda s, name=name: self.kernel(os.path.join(s.path, name), "read",
                                                 t.lists[name], 1)), ours)
        self.measure("cold open", "us", fresh(
            lambda s: self.kernel(os.path.join(s.path, "distinct"), "latency",
                                  t.lists["distinct"], 0)), ours)
        self.measure("cold open beside a slow scan", "us", fresh(self.beside_slow),
                     ours)
        self.measure("cold large file", "MB/s", fresh(
            lambda s: self.kernel(s.path, "seq", "slow/slow", 131072)), ours)
        self.measure("first ls -lR of a mount", "k/s", fresh(
            lambda s: self.kernel(os.path.join(s.path, "walk"), "ls")), self.present())

    def beside_slow(self, system):
        command = [self.kernels, os.path.join(system.path, "slow"), "read",
                   self.trees.lists["slow"], "1"]
        slow = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        if system.processes:
            time.sleep(0.05)  # it is under way
        try:
            return self.kernel(os.path.join(system.path, "distinct"), "latency",
                               self.trees.lists["distinct"], 0)
        finally:
            slow.wait()

    def nightly(self):
        source = os.path.join(self.work, "million")
        os.makedirs(source)
        for i in range(self.args.nightly):
            if i % 1000 == 0:
                os.mkdir(f"{source}/{i // 1000}")
            path = f"{source}/{i // 1000}/{i}"
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
        self.rounds = 1
        for system in self.systems[:2]:
            system.start(source)
            self.measure(f"ls -lR of {self.args.nightly} files", "k/s",
                         lambda s: self.kernel(s.path, "ls"), [system])
            self.memory[system.name + ", after the walk"] = memory_mib(system.pids())
            system.stop()

    def run(self):
        for system in self.present():
            system.probe()
        groups = [self.warm, self.writes, self.cold]
        if self.args.nightly:
            groups = [self.nightly]
        try:
            for group in groups:
                group()
        finally:
            for system in self.systems:
                system.unmount()


# --------------------------------------------------------------------------- the table


def value(unit, cell):
    """A rate or a time, and whether more is better."""
    if unit == "us":
        return cell["p50"], False
    if unit == "s":
        return cell["seconds"], False
    if unit == "MB/s":
        return cell["bytes"] / cell["seconds"] / 1e6, True
    return cell["ops"] / cell["seconds"] / (1000 if unit == "k/s" else 1), True


def shown(unit, cell):
    if unit == "us":
        return f"{cell['p50']:.1f}/{cell['p99']:.0f}"
    number, _ = value(unit, cell)
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def ratio(unit, cell, native):
    mine, more = value(unit, cell)
    theirs, _ = value(unit, native)
    return mine / theirs if more else theirs / mine


def print_table(bench):
    names = [s.name for s in bench.systems]
    print("| | native | " + " | ".join(names[1:]) + " |")
    print("|---" * (len(names) + 1) + "|")
    for row in bench.table:
        cells, unit = row["cells"], row["unit"]
        unit_text = "p50/p99 µs" if unit == "us" else unit
        line = [f"{row['row']}, {unit_text}"]
        for system in bench.systems:
            cell = cells.get(system.name)
            if not cell:
                line.append(system.missing or "–")
            elif system.name == "native" or "native" not in cells:
                line.append(shown(unit, cell))
            else:
                r = ratio(unit, cell, cells["native"])
                line.append(f"{r:.2f} ({shown(unit, cell)})" if r >= 0.1 else
                            f"{r:.2g} ({shown(unit, cell)})")
        print("| " + " | ".join(line) + " |")
    print("\nCPU seconds of the daemons, and their memory (PSS) after the warm rows:\n")
    print("| | " + " | ".join(names[1:]) + " |")
    print("|---" * len(names) + "|")
    for row in bench.table:
        line = [row["row"]]
        for name in names[1:]:
            cell = row["cells"].get(name)
            line.append(f"{cell['cpu']:.2f}" if cell else "–")
        if any(x != "–" for x in line[1:]):
            print("| " + " | ".join(line) + " |")
    memory = [f"{bench.memory[n]:.0f}" if n in bench.memory else "–" for n in names[1:]]
    print("| memory, MiB | " + " | ".join(memory) + " |")
    for name, mib in bench.memory.items():
        if name not in names:
            print(f"\nmemory of {name}: {mib:.0f} MiB")


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    u = os.uname()
    return {"cpu": model, "cores": os.cpu_count(), "kernel": u.release,
            "date": time.strftime("%Y-%m-%d")}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("build")
    p.add_argument("--quick", action="store_true", help="within five minutes")
    p.add_argument("--nightly", nargs="?", type=int, const=1000000, metavar="FILES",
                   help="only a walk over so many files, a million")
    p.add_argument("--only", action="append", help="only rows that begin so")
    p.add_argument("--rounds", type=int)
    p.add_argument("--real-time", action="store_true")
    p.add_argument("--rules", default=os.environ.get("STOQ_BENCH_RULES"))
    p.add_argument("--work", help="where trees are made and mounts put")
    p.add_argument("--json", help="also write all figures to this file")
    args = p.parse_args()
    facts = machine()
    facts["load before"] = os.getloadavg()
    bench = Bench(args)
    try:
        bench.run()
        facts["load after"] = os.getloadavg()
        facts.update({"tree files": len(bench.trees.files),
                      "tree bytes": bench.trees.bytes,
                      "rule files": len(bench.rule_files()), "rounds": bench.rounds,
                      "repeated": bench.repeated})
        print(", ".join(f"{k} {v}" for k, v in facts.items()) + "\n")
        print_table(bench)
        if args.json:
            with open(args.json, "w", encoding="utf-8") as f:
                json.dump({"machine": facts, "rows": bench.table,
                           "memory_mib": bench.memory}, f, indent=1)
    finally:
        shutil.rmtree(bench.work, ignore_errors=True)


if __name__ == "__main__":
    main()
