"""What all benches share: a site behind nginx with its spool on the build directory's disk, load from wrk, and what
/proc says. $ALERTSPOOL is set from the first argument, the build directory, before the tests' harness reads it."""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
KERNEL_THREADS = 2  # who starts them
BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve()
sys.path.insert(0, str(ROOT / "tests" / "system"))
os.environ["ALERTSPOOL"] = str(BUILD / "alertspool")

from harness import Site, Syslog, eventually, free_port  # noqa: E402  (reads ALERTSPOOL)


def arguments(doc):
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("build", help="the build directory")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="the median of which counts")
    parser.add_argument("--publish", action="store_true", help="into docs/, with the figures that are checked in")
    return parser


class Sink(Syslog):
    """Counts lines and keeps none."""

    count = 0

    def read(self, sock):
        room = bytearray(65536)
        while sock.recv_into(room):
            self.count += 1


class Bench(unittest.TestCase):
    """Site wants a test to clean up after; this is one that runs nothing."""

    def runTest(self):
        pass


class BenchSite(Site):
    """alertspool, and beside it other servers of the same nginx. None of them keeps an access log."""

    def __init__(self, test, settings="deliver = no", actions=""):
        super().__init__(test, settings, actions)
        self.syslog = Sink(self.syslog.path)
        test.addCleanup(self.syslog.stop)
        self.syslog.start()
        self.others = {}  # port: how its location is made from alertspool's
        self.folder = None
        self.fresh_spool()

    def fresh_spool(self):
        """/tmp may be memory, where a sync costs nothing."""
        if self.folder:
            self.folder.cleanup()
        self.folder = tempfile.TemporaryDirectory(prefix="spool-", dir=BUILD)
        self.test.addCleanup(self.folder.cleanup)
        self.spool = pathlib.Path(self.folder.name) / "spool.db"
        self.store = f"sqlite:{self.spool}"
        self.write_config()

    def write_config(self, settings=None, actions=None):
        super().write_config(settings, actions)
        with open(self.config, "r+") as file:
            text = file.read()
            file.seek(0)
            file.write("max-waiting = 1000000000\n" + text)

    def restart(self, settings="deliver = no", preload=""):
        """The receiver anew, with an empty spool."""
        if self.receiver:
            self.stop_process(self.receiver)
        self.settings, self.environment["LD_PRELOAD"] = settings, str(preload)
        self.fresh_spool()
        return self.start()

    def nginx_config(self):
        config = super().nginx_config()
        location = (self.dir / "location.conf").read_text().replace("access_log ", "access_log off; #")
        (self.dir / "location.conf").write_text(location)
        servers = "".join(f"server {{\nlisten 127.0.0.1:{port};\n{change(location)}\n}}\n"
                          for port, change in self.others.items())
        text = config.read_text()
        config.write_text(text[:text.rindex("}")] + servers + "}\n")
        return config

    def serve_beside(self, change):
        port = free_port()
        self.others[port] = change
        return port

    def deliver_once(self):
        """Delivers all that is due; how many seconds that took."""
        begun = time.monotonic()
        self.start_deliverer("--once").wait()
        return time.monotonic() - begun

    def deliver_some(self, count):
        """Seconds from the start of a deliverer to so many lines."""
        wanted, begun = self.syslog.count + count, time.monotonic()
        deliverer = self.start_deliverer("--once")
        eventually(lambda: self.syslog.count >= wanted, f"{count} lines", 600)
        took = time.monotonic() - begun
        self.stop_process(deliverer)
        return took

    def sample(self):
        return self.verb("sample").strip().encode()

    def count(self, what):
        with contextlib.closing(sqlite3.connect(self.spool)) as db:
            return db.execute(f"select count(*) from {what}").fetchone()[0]

    def prepare(self, delivered=0, waiting=0):
        """An empty spool with so many in it. Without receiver or deliverer."""
        self.restart()
        self.accepted(self.sample())
        self.stop()
        fill(self.spool, delivered, waiting)


@contextlib.contextmanager
def bench_site(**options):
    test = Bench()
    try:
        yield BenchSite(test, **options)
    finally:
        test.doCleanups()


def fill(spool, delivered, waiting):
    """Copies alert 1, which becomes delivered, with another digest and alarm each time."""
    with contextlib.closing(sqlite3.connect(spool)) as db:
        first = db.execute("select max(id) + 1 from alert").fetchone()[0]

        def copy(table, count, **changed):
            columns = [row[1] for row in db.execute(f"pragma table_info({table})")]
            values = ", ".join(changed.get(column, column) for column in columns)
            db.execute(f"with recursive n(i) as (select {first} union all select i + 1 from n "
                       f"where i < {first + count - 1}) insert into {table} ({', '.join(columns)}) "
                       f"select {values} from n cross join (select * from {table} limit 1)")

        db.execute("update delivery set state = 'delivered', due = null where alert_id = 1")
        for state, count, alarm in (("delivered", delivered, "printf('%016x', i % 10000)"),
                                    ("pending", waiting, "printf('f%015x', i)")):
            if count:
                copy("alert", count, id="i", sent="sent + i", digest="lower(hex(randomblob(32)))", alarm=alarm)
                copy("delivery", count, alert_id="i", state=f"'{state}'", lane="null" if state == "pending" else alarm)
            first += count
        db.execute("insert or ignore into attempt select alert_id, action, 1, 'bench', 1, 1, 'written', '' "
                   "from delivery where state = 'delivered'")
        db.execute("insert or replace into ended select action, state, count(*) from delivery "
                   "where state = 'delivered' group by 1, 2")
        db.execute("insert or ignore into alarm select distinct alarm, 1, 'WARN', 1, 1, 'log' from alert")
        db.commit()
        db.execute("pragma wal_checkpoint(truncate)")


# ---- load

def wrk(port, seconds, connections=64, objects=10_000, size=0, pause=0.0, path="/cloudmonitor"):
    """What post.lua prints; `rate`, and `cpu_us` for each request, of all but wrk, also by program."""
    before = busy()
    command = ["wrk", "-t", min(2, connections), "-c", connections, "-d", f"{seconds}s",
               "-s", ROOT / "bench" / "post.lua", f"http://127.0.0.1:{port}{path}", "--", objects, size, pause]
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    said["rate"] = said["requests"] / said["seconds"]
    said["cpu_us_of"] = cpu_us(before, said["requests"])
    said["cpu_us"] = sum(said["cpu_us_of"].values())
    return said


def busy():
    """{program: seconds of a processor} of the servers, with all that they started, and of the kernel's own threads:
    strangers may use the machine too."""
    parents, used = {}, {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            name, _, rest = (process / "stat").read_text().partition("(")[2].rpartition(") ")
            fields, pid = rest.split(), int(process.name)
            parents[pid], used[pid] = int(fields[1]), (name, sum(map(int, fields[11:15])))

    def starter(pid):
        while (pid := parents.get(pid, 0)) not in (0, os.getpid(), KERNEL_THREADS):
            continue
        return pid
    seconds = collections.Counter()
    for pid, (name, ticks) in used.items():
        if first := starter(pid):
            seconds["kernel" if first == KERNEL_THREADS else name] += ticks / os.sysconf("SC_CLK_TCK")
    return seconds


def cpu_us(before, count):
    """Microseconds of a processor for each of so many since then, by program."""
    return {name: (seconds - before[name]) * 1e6 / max(1, count) for name, seconds in busy().items()}


# ---- processes and disk

def memory_mib(pid, line="VmRSS"):
    for text in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith(line + ":"):
            return int(text.split()[1]) / 1024
    raise ValueError(f"no {line} of process {pid}")


def fdatasync_us(count=200):
    with tempfile.TemporaryFile(dir=BUILD) as file:
        times = []
        for _ in range(count):
            file.write(b"\0" * 4096)
            file.flush()
            begun = time.monotonic()
            os.fdatasync(file.fileno())
            times.append((time.monotonic() - begun) * 1e6)
    return statistics.median(times)


def settled(count):
    """What count() says once it has said so for half a second."""
    last, since = count(), time.monotonic()

    def still():
        nonlocal last, since
        if (now := count()) != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > 0.5
    eventually(still, "a count settles", 120)
    return last


def spawn(threads, count, stdin, program, environment=None):
    """What bench/spawn prints."""
    done = subprocess.run([BUILD / "bench" / "spawn", str(threads), str(count), stdin, program], text=True, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    return json.loads(done.stdout)
