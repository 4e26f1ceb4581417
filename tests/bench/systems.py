# SPDX-License-Identifier: Apache-2.0
"""What is measured side by side: the source itself, stoqfs in its ways, and others."""

import os
import shutil
import signal
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60


def wait_for(what, condition, process=None):
    """Poll until condition() holds; the process must not end meanwhile."""
    end = time.monotonic() + START_SECONDS
    while not condition():
        if process and process.poll() is not None:
            raise RuntimeError(f"{what}: ended with status {process.returncode}")
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {START_SECONDS} s")
        time.sleep(0.01)


def is_mounted(path):
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as f:
        return any(line.split()[1] == path for line in f)


def tree_of(pid):
    """The process and all below it that live now, with the fields of their stat."""
    parents, stats = {}, {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(name))
        stats[int(name)] = fields
    found, todo = {}, [pid]
    while todo:
        one = todo.pop()
        if one in stats:
            found[one] = stats[one]
            todo += parents.get(one, [])
    return found


def cpu_seconds(pids):
    """User and system time of these processes, their children and what they reaped."""
    ticks = 0
    for pid in pids:
        for fields in tree_of(pid).values():
            ticks += sum(int(x) for x in fields[11:15])
    return ticks / TICK


def memory_mib(pids):
    """Proportional set size: what is shared by fork counts once."""
    kib = 0
    for pid in pids:
        for one in tree_of(pid):
            try:
                with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as f:
                    kib += sum(int(x.split()[1]) for x in f if x.startswith("Pss:"))
            except OSError:
                pass
    return kib / 1024


def drops():
    """How often somebody had the kernel drop its caches, which spoils what is warm."""
    with open("/proc/vmstat", encoding="ascii") as f:
        return sum(int(x.split()[1]) for x in f if x.startswith("drop_"))


def set_real_time(pids, on):
    """Whether all threads of these processes, and of those below, go before others."""
    policy = os.SCHED_FIFO if on else os.SCHED_OTHER
    for pid in pids:
        for one in tree_of(pid):
            try:
                for thread in os.listdir(f"/proc/{one}/task"):
                    os.sched_setscheduler(int(thread), policy, os.sched_param(int(on)))
            except OSError:
                pass


class System:
    """One way to reach a source directory. Mounted or not, `path` is where to look."""

    name = "native"
    missing = None  # why it cannot be measured here

    def __init__(self, bench):
        self.bench = bench
        self.path = None
        self.processes = []

    def start(self, source, _fresh=False):
        self.path = source

    def stop(self):
        self.path = None

    def probe(self):
        """Find out whether it can be measured, after all else is there."""

    def settle(self):
        """Wait for what goes on in the background."""

    def slug(self):
        return self.name.replace(" ", "-").replace("+", "-")

    def pids(self):
        return [p.pid for p in self.processes]

    def spawn(self, command):
        log = open(os.path.join(self.bench.work, f"{self.slug()}.log"), "ab")
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.processes.append(p)
        return p

    def mount(self, command, mountpoint):
        os.makedirs(mountpoint, exist_ok=True)
        p = self.spawn(command)
        wait_for(self.name, lambda: is_mounted(mountpoint), p)
        self.path = mountpoint

    def unmount(self):
        if self.path and is_mounted(self.path):
            if subprocess.run(["fusermount3", "-u", self.path], check=False).returncode:
                subprocess.run(["umount", "-l", self.path], check=False)
        for p in self.processes[:1]:
            try:
                p.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        for p in self.processes[1:]:
            p.send_signal(signal.SIGTERM)
            p.wait()
        self.processes = []
        self.path = None


class Stoqfs(System):
    def __init__(self, bench, name="stoqfs", words=()):
        super().__init__(bench)
        self.name = name
        self.words = list(words)
        self.state = os.path.join(bench.work, "state-" + self.slug())
        self.mountpoint = os.path.join(bench.work, "mnt-" + self.slug())

    def start(self, source, fresh=True):
        if fresh:
            shutil.rmtree(self.state, ignore_errors=True)
        command = [os.path.join(self.bench.build, "bin/stoqfs"), "-f",
                   "--state-dir", self.state, "--log-level", "warning",
                   "-a", "hash,yara",
                   "--plugin-opts", f"yara:worker_rules={self.bench.rules}"]
        for word in self.words:
            command += ["-o", word]
        self.mount(command + [source, self.mountpoint], self.mountpoint)
        status = os.path.join(self.mountpoint, ".stoq/status.json")
        wait_for(self.name, lambda: os.access(status, os.R_OK), self.processes[0])
        self.settle()

    def settle(self):
        metrics = os.path.join(self.mountpoint, ".stoq/metrics")

        def idle():
            with open(metrics, encoding="utf-8") as f:
                lines = f.read().splitlines()
            return {"stoqfs_queued 0", "stoqfs_running 0"} <= set(lines)

        wait_for(self.name, idle)

    def stop(self):
        self.unmount()


class Bindfs(System):
    name = "bindfs"

    def __init__(self, bench):
        super().__init__(bench)
        if not shutil.which("bindfs"):
            self.missing = "not installed"

    def start(self, source, _fresh=False):
        mountpoint = os.path.join(self.bench.work, "mnt-bindfs")
        self.mount(["bindfs", "-f", source, mountpoint], mountpoint)

    def stop(self):
        self.unmount()


CLAMD = """LocalSocket {work}/clamd.sock
DatabaseDirectory {work}/clamd-rules
Foreground yes
LogFile {work}/clamd.log
User root
MaxThreads {cores}
DisableCache no
"""

CLAMFS = """<?xml version="1.0" encoding="UTF-8"?>
<clamfs>
  <clamd socket="{work}/clamd.sock" check="no" />
  <filesystem root="{source}" mountpoint="{mountpoint}" public="no" threads="yes"
    fork="no" />
  <file maximal-size="67108864" />
  <cache entries="262144" expire="86400000" />
  <log method="file" filename="{work}/clamfs-scans.log" verbose="no" />
</clamfs>
"""


class Clamfs(System):
    """clamfs asking clamd, whose only database are the same rules."""

    name = "clamfs+clamd"

    def __init__(self, bench):
        super().__init__(bench)
        absent = [x for x in ("clamfs", "clamd") if not shutil.which(x)]
        if absent:
            self.missing = "not installed"

    def probe(self):
        try:
            self.start(self.bench.trees.src)
        except RuntimeError:
            self.missing = "does not start with these rules"
        self.stop()

    def start(self, source, _fresh=False):
        work = self.bench.work
        mountpoint = os.path.join(work, "mnt-clamfs")
        facts = {"work": work, "source": source, "mountpoint": mountpoint,
                 "cores": os.cpu_count()}
        rules = os.path.join(work, "clamd-rules")
        shutil.rmtree(rules, ignore_errors=True)
        os.makedirs(rules)
        for i, one in enumerate(self.bench.rule_files()):
            shutil.copy(one, os.path.join(rules, f"{i}.yar"))
        for name, text in (("clamd.conf", CLAMD), ("clamfs.xml", CLAMFS)):
            with open(os.path.join(work, name), "w", encoding="utf-8") as f:
                f.write(text.format(**facts))
        socket = os.path.join(work, "clamd.sock")
        if os.path.exists(socket):
            os.unlink(socket)
        clamd = subprocess.Popen(["clamd", "-c", os.path.join(work, "clamd.conf")],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        try:
            wait_for("clamd", lambda: os.path.exists(socket), clamd)
            self.mount(["clamfs", os.path.join(work, "clamfs.xml")], mountpoint)
        finally:
            self.processes.append(clamd)

    def stop(self):
        self.unmount()
