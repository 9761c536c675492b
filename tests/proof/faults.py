"""The faults of `make torture`: each is a function that does the harm, calls hold() while it lasts, and heals.

What a fault touches, no other one touches at the same time: `writer` is who may stand on the spool's lock, `server` is
PostgreSQL. What belongs to a machine is there once for each.
"""

import contextlib
import functools
import os
import pathlib
import random
import re
import resource
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import typing

from fault_test import hold_writer_lock
from harness import PROGRAM, FastCgi, Site, Syslog, alert, eventually, replace_text


class Fault(typing.NamedTuple):
    name: str
    touches: frozenset
    apply: typing.Callable
    needs: str | None
    store: str | None


FAULTS = []
VICTIMS = ("receiver", "deliverer")
OF_A_MACHINE = frozenset((*VICTIMS, "writer", "connections", "clock", "network"))


def fault(*touches, name=None, needs=None, store=None):
    def add(function):
        FAULTS.append(Fault(name or function.__name__.replace("_", " "), frozenset(touches), function, needs, store))
        return function
    return add


def faults_on(sites, store):
    """Those of this store, applied to a site."""
    for one in FAULTS:
        if one.store in (None, store):
            mine = one.touches & OF_A_MACHINE
            for site in sites if mine else sites[:1]:
                yield one._replace(name=site.own(one.name) if mine else one.name,
                                   touches=frozenset(map(site.own, mine)) | one.touches - mine,
                                   apply=functools.partial(one.apply, site))


class Syslogd(Syslog):
    """One that can be stopped."""

    def __init__(self, path):
        super().__init__(path)
        self.reads = threading.Event()
        self.reads.set()

    def read(self, sock):
        while self.reads.wait() and (line := sock.recv(65536)):
            with self.lock:
                self.lines.append(line.decode())

    def stop(self):
        self.reads.set()
        super().stop()


class Victim(Site):
    """A site with a second deliverer that stands by, and a command that does what its file `mode` says. With a `first`
    one it does what that does."""

    def __init__(self, test, clock, first=None, **options):
        super().__init__(test, **options)
        if first:
            self.syslog, self.problems = first.syslog, first.problems
        else:
            self.syslog, self.problems = Syslogd(self.syslog.path), []
            test.addCleanup(self.syslog.stop)
        shared = (first or self).dir
        self.ran, self.mode, self.command = shared / "ran", shared / "mode", shared / "act"
        self.ran.touch()
        self.behave()
        self.command.write_text(COMMAND.format(ran=self.ran, mode=self.mode))
        self.command.chmod(0o755)
        self.configure()
        self.hurt = set()  # pids of those that lacked memory: an allocator that has failed may end them later too
        self.clock = self.dir / "clock"
        self.clock.write_bytes(bytes(8))
        if clock.exists():
            self.environment.update(LD_PRELOAD=str(clock), CLOCK=str(self.clock))

    def configure(self, parallel=4, more=""):
        self.write_config(actions=f"{self.log_action('retry-max = 2s')}[action.act]\ntype = command\n"
                                  f"run = {self.command}\nparallel = {parallel}\ntimeout = 2s\nretry-min = 1s\n"
                                  f"retry-max = 2s\n{more}\n")

    def behave(self, mode=""):
        replace_text(self.mode, mode + "\n")

    def open(self):
        for victim in VICTIMS:
            self.start_one(victim)

    @staticmethod
    def own(name):
        """What the name of a fault, or of what it touches, is on this one of several machines."""
        return name

    def rows(self, sql):
        """Of the spool."""
        with contextlib.closing(sqlite3.connect(f"file:{self.spool}?mode=ro", uri=True)) as spool:
            return spool.execute(sql).fetchall()

    def damage(self):
        with contextlib.closing(sqlite3.connect(self.spool)) as spool:
            said = spool.execute("PRAGMA integrity_check").fetchone()[0]
        return "" if said == "ok" else said

    # ---- the receiver, and the deliverer that stands by

    def start_one(self, victim):
        if victim == "receiver":
            self.start()
        else:
            self.standby = self.start_deliverer()
            eventually(lambda: self.standby.poll() is not None or takes_signals(self.standby.pid), "no SIGHUP ends it")

    def process(self, victim):
        return self.receiver if victim == "receiver" else self.standby

    def processes(self):
        return [self.process(victim) for victim in VICTIMS]

    def ended(self, process, allowed=(0, os.EX_TEMPFAIL)):
        """75: the spool did not answer, for another fault held it."""
        code = process.wait(30)
        if code not in allowed:
            self.problems.append(f"{process.args[1]} ended with {code}")

    def end_both(self, **allowed):
        for process in self.processes():
            process.terminate()
        for process in self.processes():
            self.ended(process, **allowed)

    def reload(self):
        for process in self.processes():
            process.send_signal(signal.SIGHUP)

    def pids(self, victim):
        """Of the receiver, or of both deliverers."""
        if victim == "receiver":
            return [self.receiver.pid]
        pids = [self.standby.pid]
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{self.receiver.pid}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
        return pids

    def signal(self, victim, number):
        for pid in self.pids(victim):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def nginx_workers(self):
        pid = self.web.pid
        return [int(pid) for pid in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def operate(self, *arguments):
        done = subprocess.run([*self.enter, PROGRAM, *arguments, "--config", str(self.config)], capture_output=True,
                              text=True, env=self.environment, timeout=60)
        if done.returncode < 0:
            self.problems.append(f"{arguments} died of signal {-done.returncode}")
        return done.returncode


COMMAND = """#!/bin/sh
say() {{
  printf '%s %s %s %s %s %s\\n' "$1" "$ALERTSPOOL_ID" "$ALERTSPOOL_ATTEMPT" "$CMS_CUR_VALUE" "$CMS_ALERT_NAME" \\
    "$CMS_ALERT_STATE" >>{ran}
}}
say start
. {mode}
say end
"""


# ---- processes

def killed(victim):
    @fault(victim, "writer", name=f"{victim} killed")
    def apply(site, hold):
        site.signal(victim, signal.SIGKILL)
        hold()
        site.process(victim).wait(30)
        site.start_one(victim)


def stopped_for_a_while(victim, *others):
    @fault(victim, "writer", *others, name=f"{victim} stopped for a while")
    def apply(site, hold):
        site.signal(victim, signal.SIGSTOP)
        try:
            hold()
        finally:
            site.signal(victim, signal.SIGCONT)


def ended_and_started(victim):
    @fault(victim, name=f"{victim} ended and started")
    def apply(site, hold):
        site.process(victim).terminate()
        hold()
        site.ended(site.process(victim))
        site.start_one(victim)


@fault("receiver", "deliverer")
def reloaded_with_a_bad_file(site, hold):
    site.configure(more="nonsense = 1")
    site.reload()
    try:
        hold()
    finally:
        site.configure()
    site.reload()


@fault("receiver", "deliverer")
def reloaded(site, hold):
    site.configure(parallel=random.randint(1, 8))
    site.reload()
    hold()


@contextlib.contextmanager
def limited(site, number, victim, value):
    """A soft limit of processes that run. Who was started by one of them has it too."""
    usual = resource.getrlimit(number)

    def limit(pids, soft):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, number, (soft, usual[1]))
    pids = site.pids(victim)
    limit(pids, value)
    try:
        yield
    finally:
        limit([*pids, site.receiver.pid], usual[0])
        limit(site.pids("deliverer"), usual[0])


def without_descriptors(victim, most):
    @fault(victim, name=f"{victim} without descriptors")
    def apply(site, hold):
        with limited(site, resource.RLIMIT_NOFILE, victim, random.randint(4, most)):
            hold()


def without_memory(victim):
    """No more than it has at this moment. An allocator or library that ends the process is the supervisor's matter."""
    @fault(victim, name=f"{victim} without memory")
    def apply(site, hold):
        site.hurt.update(site.pids(victim))
        with limited(site, resource.RLIMIT_AS, victim, 0):
            hold()
        if site.process(victim).poll() is not None:
            site.start_one(victim)


def failing(victim, what, calls, error, store=None):
    """System calls end with that error meanwhile."""
    @fault(victim, name=f"{victim} cannot {what}", needs="strace", store=store)
    def apply(site, hold):
        pids = site.pids(victim)
        with subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e",
                               f"inject={calls}:error={error}", *(f"--attach={pid}" for pid in pids)]) as tracer:
            eventually(lambda: tracer.poll() is not None or all(map(traced, pids)), "strace is attached")
            if tracer.poll() is None:
                hold()
            # Not TERM: to detach, strace would wait for a deliverer that, in vfork, waits for the child that strace holds.
            tracer.kill()


def traced(pid):
    try:
        return "TracerPid:\t0\n" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return True


def takes_signals(pid):
    """It has blocked SIGHUP, to read it from a descriptor."""
    blocked = re.search(r"SigBlk:\t(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]
    return int(blocked, 16) >> (signal.SIGHUP - 1) & 1


for each in VICTIMS:
    killed(each)
    ended_and_started(each)
    without_memory(each)
    failing(each, "sync", "fsync,fdatasync", "EIO", store="sqlite")
    failing(each, "write", "pwrite64", "ENOSPC", store="sqlite")
stopped_for_a_while("receiver")
stopped_for_a_while("deliverer", "receiver")
without_descriptors("receiver", 24)
without_descriptors("deliverer", 16)
failing("deliverer", "fork", "fork,vfork,clone,clone3", "EAGAIN")


# ---- the web server and its connections

@fault("nginx")
def nginx_reloaded(site, hold):
    site.web.send_signal(signal.SIGHUP)
    hold()


@fault("nginx")
def nginx_worker_killed(site, hold):
    os.kill(random.choice(site.nginx_workers()), signal.SIGKILL)
    hold()


@fault("nginx")
def nginx_killed(site, hold):
    workers = site.nginx_workers()
    site.web.kill()
    site.web.wait(30)
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    hold()
    site.start_nginx()


@fault("nginx")
def nginx_ended_and_started(site, hold):
    site.web.terminate()
    site.web.wait(30)
    hold()
    site.start_nginx()


@fault("connections")
def stalled_connections(site, hold):
    whole = FastCgi.request(alert(name="stalled"))
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            with contextlib.suppress(OSError):
                client = stack.enter_context(FastCgi(site.socket, timeout=1))
                client.send(whole[:random.randrange(len(whole) - 20)])
        hold()


@fault("connections")
def flooding_connections(site, hold):
    for _ in range(100):
        with contextlib.suppress(OSError), FastCgi(site.socket, timeout=0.05) as client:
            client.send(random.choice((random.randbytes(65536), FastCgi.begin() * 500, b"GET / HTTP/1.0\r\n\r\n",
                                       FastCgi.request(b"x" * 300_000), FastCgi.request()[:-8] * 50)))
    hold()


# ---- the spool

@fault("writer", store="sqlite")
def lock_held(site, hold):
    with hold_writer_lock(site):
        hold()


@contextlib.contextmanager
def sqlite_shell(site, first, last):
    with subprocess.Popen(["sqlite3", str(site.spool)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, text=True) as shell:
        shell.stdin.write(first + "\n")
        shell.stdin.flush()
        yield
        shell.stdin.write(last + "\n")


@fault("shell", needs="sqlite3", store="sqlite")
def read_by_an_sqlite3_shell(site, hold):
    with sqlite_shell(site, "BEGIN; SELECT count(*), max(body) FROM alert;", "COMMIT;"):
        hold()


@fault("shell", "writer", needs="sqlite3", store="sqlite")
def written_by_an_sqlite3_shell(site, hold):
    with sqlite_shell(site, "BEGIN IMMEDIATE; DELETE FROM refusal;", "ROLLBACK;"):
        hold()


@fault("disk", needs="root", store="sqlite")
def disk_full(site, hold):
    """To the last byte, or below the floor that the receiver keeps free for the deliverer's marks."""
    free = os.statvfs(site.spool.parent)
    size = free.f_bavail * free.f_frsize - random.choice((0, 50_000_000))
    filler = site.spool.parent / "filler"
    try:
        with open(filler, "wb") as out, contextlib.suppress(OSError):
            os.posix_fallocate(out.fileno(), 0, size)
        hold()
    finally:
        filler.unlink()


@fault("disk", "receiver", "deliverer", "writer", "shell", "operator", needs="root", store="sqlite")
def disk_read_only(site, hold):
    """A file system with files that are being written becomes so only after an error of its device: started anew on it."""
    site.end_both()
    eventually(lambda: remounted(site, "ro"), "nothing writes to the spool")
    try:
        for victim in VICTIMS:
            site.start_one(victim)
        hold()
    finally:
        remounted(site, "rw")


def remounted(site, how):
    return subprocess.run(["mount", "-o", f"remount,{how}", site.spool.parent], capture_output=True).returncode == 0


# ---- actions

@fault("syslog")
def syslog_socket_missing(site, hold):
    site.syslog.stop()
    hold()
    site.syslog.start()


@fault("syslog")
def syslog_socket_refuses(site, hold):
    site.syslog.stop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.shutdown(socket.SHUT_RD)  # else it takes what comes before it is closed
        dead.bind(str(site.syslog.path))
    hold()
    os.unlink(site.syslog.path)
    site.syslog.start()


@fault("syslog")
def syslog_stopped_and_full(site, hold):
    site.syslog.reads.clear()
    hold()
    site.syslog.reads.set()


def moded(what, script):
    """The command does this meanwhile."""
    @fault("command", name=f"command {what}")
    def apply(site, hold):
        site.behave(script)
        hold()
        site.behave()


moded("fails", "exit 1")
moded("exits 75", "exit 75")
moded("dies of a signal", "kill -KILL $$")
moded("hangs", "exec sleep 30")
moded("hangs and ignores TERM", "trap '' TERM; sleep 30 & wait")
moded("is stopped", "kill -STOP $$")
moded("escapes with setsid", "setsid sleep 3 &")
moded("floods", "exec yes")
moded("closes its input", "exec <&-")


@fault("command")
def command_missing(site, hold):
    away = site.command.rename(site.dir / "away")
    hold()
    away.rename(site.command)


@fault("command")
def command_not_executable(site, hold):
    site.command.chmod(0o644)
    hold()
    site.command.chmod(0o755)


@fault("command")
def command_being_written(site, hold):
    def opened():
        with contextlib.suppress(OSError):  # "text file busy": it is being started at this moment
            return open(site.command, "ab")
    with eventually(opened, "opened between two starts"):
        hold()


# ---- the clock and the operator

def clock_off(what, seconds):
    @fault("clock", name=f"clock {what}", needs="clock.so")
    def apply(site, hold):
        for offset in (seconds, 0):
            with open(site.clock, "r+b", buffering=0) as file:  # in place: the processes have it mapped
                file.write(struct.pack("q", offset))
            if offset:
                hold()


clock_off("a day ahead", 86400)
clock_off("an hour back", -3600)


@fault("operator", store="sqlite")
def operator_copies_the_spool(site, hold):
    copy = site.dir / "copy.db"
    if site.operate("backup", str(copy)) == 0:
        with contextlib.closing(sqlite3.connect(copy)) as spool:
            said = spool.execute("pragma integrity_check").fetchone()[0]
            if said != "ok":
                site.problems.append(f"backup: {said}")
    copy.unlink(missing_ok=True)
    hold()


@fault("operator")
def operator_retries(site, hold):
    site.operate("retry", "--state", "pending")
    hold()


@fault("operator")
def operator_looks(site, hold):
    site.operate("list", "--limit", "50")
    site.operate("status")
    hold()
