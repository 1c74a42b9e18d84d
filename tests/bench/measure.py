# SPDX-License-Identifier: Apache-2.0
"""Reads processor time and memory of process trees from /proc, and runs wrk."""

import json
import os
import pathlib
import subprocess
import threading

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def tree(root):
    """{pid: parent} of a process and all its descendants."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
    found, grown = {root}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return sorted(found)


def cpu_ns(pid):
    """Processor time, user and system, of all threads. /proc/PID/schedstat has it in nanoseconds; it is the sum that /proc/PID/stat
    splits into user and system and rounds to 10 ms, and stands in where the kernel has no schedstat."""
    try:
        threads = [entry / "schedstat" for entry in pathlib.Path(f"/proc/{pid}/task").iterdir()]
        return sum(int(thread.read_text().split()[0]) for thread in threads)
    except FileNotFoundError:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * TICK_NS


def rss(pid):
    """Resident memory in bytes: the process's own, and the pages of files that it maps (a program's code, an LMDB store)."""
    kib = {}
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(("RssAnon:", "RssShmem:", "RssFile:")):
            kib[line.split(":")[0]] = int(line.split()[1])
    return {"own": (kib["RssAnon"] + kib["RssShmem"]) * 1024, "file": kib["RssFile"] * 1024}


class Peak:
    """The highest RSS of some processes while the block runs, looked at every 20 ms."""

    def __init__(self, pids):
        self.highest, self.over = {pid: rss(pid) for pid in pids}, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def look(self):
        for pid, highest in self.highest.items():
            for part, now in rss(pid).items():
                highest[part] = max(highest[part], now)

    def _watch(self):
        while not self.over.wait(0.02):
            self.look()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.look()


class Refused(Exception):
    """A system gave a wrong answer: its figures would mean nothing."""


def wrk(script, url, connections, seconds, arguments):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script), url, "--", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line[len("RESULT "):])
    raise Refused(f"wrk: {done.stdout}{done.stderr}")


def load(system, script, url, connections, seconds, arguments):
    """One run of wrk: µs of processor time for each answered request, of each of the system's roles, and the latency."""
    roles = system.roles()
    for longer in (1, 4):                      # a slow machine may not get one large body through in the usual time
        before = {pid: cpu_ns(pid) for pid in roles}
        result = wrk(script, url, connections, longer * seconds, arguments)
        after = {pid: cpu_ns(pid) for pid in roles}
        if result["requests"] or result["refused"] or result["broken"]:
            break
    if result["refused"] or result["broken"] or not result["requests"]:
        raise Refused(f"{system.name}: {url} with {connections} connections: {result}\n{system.last_words()}")
    used = {}
    for pid, role in roles.items():
        used[role] = used.get(role, 0) + (after[pid] - before[pid]) / 1000 / result["requests"]
    return {"cpu": sum(used.values()), "roles": used, "p50": result["p50"], "p99": result["p99"],
            "rate": result["requests"] * 1e6 / result["us"]}
