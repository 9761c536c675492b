"""The phases of an alert's life, each of them killed on entering each system call in turn.

A phase begins with a state of the spool that is made once and restored before each kill, so that the next run comes to
the same calls. What is on disk after a kill is what the calls before it did, so a sweep leaves every state that a kill
between two calls can leave.

strace counts each kind of call apart, and each thread apart. So the kinds are looked up in a run that is only watched, then
each is killed at its first, its second ... until a run passes untouched. A process of one thread (CGI, `deliver --once`,
the verbs) is swept from exec to exit; the receiver as FastCGI one thread after the other, while the others run freely. A
command is not traced: its own death is an outcome like others.

There is one version of the schema, so there is no upgrade that could be killed.
"""

import collections
import concurrent.futures
import contextlib
import itertools
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import typing

from harness import FastCgi, eventually
from trial import Trial

KILLED = -signal.SIGKILL
DAY = 86_400_000  # ms
RECEIVER_THREADS = 6  # main, committer, three readers, watchdog


def watched(trace):
    """What to start a program with so that its calls are written to that file. -D: the program, not strace, is our child."""
    return ["strace", "-D", "-o", str(trace)]


def kill_at(call, k=1):
    """What to start a program with so that it is killed on entering its k-th such call."""
    return [*watched("/dev/null"), "-e", f"inject={call}:signal=KILL:when={k}"]


def attached(under, threads):
    """What such words start, on threads that run already. It has all of them."""
    tracer = subprocess.Popen([*(word for word in under if word != "-D"), *(f"--attach={one}" for one in threads)],
                              stderr=subprocess.PIPE)
    for _ in threads:
        assert b"attached" in tracer.stderr.readline()
    return tracer


def threads_of(process):
    return sorted(int(task.name) for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir())


def wait_for_threads(receiver):
    eventually(lambda: len(threads_of(receiver)) == RECEIVER_THREADS, "all threads run")


# ---- states to begin with


def nothing(trial):
    pass


def one_delivered(trial):
    trial.send("a")
    trial.done("deliver", "--once")


def some_accepted(trial):
    for lane in ("a", "b", "a", "b"):
        trial.send(lane)


def all_running(trial):
    """Claimed, and the deliverer killed when it started the first command."""
    some_accepted(trial)
    assert trial.run("deliver", "--once", under=kill_at("clone3")).returncode == KILLED


def all_failed(trial):
    some_accepted(trial)
    trial.exit_code.write_text("100")
    trial.done("deliver", "--once")
    trial.exit_code.unlink()


def some_expired(trial):
    """Four that are old, and two that wait."""
    all_failed(trial)
    trial.done("drop", "3", "4")
    with contextlib.closing(sqlite3.connect(trial.spool)) as spool:
        spool.execute("update alert set received = received - ?", (2 * DAY,))
        spool.execute("update alarm set seen = seen - ?", (2 * DAY,))
        spool.commit()
    for lane in ("a", "c"):
        trial.send(lane)


def log_to_recover(trial):
    """The write-ahead log of receivers that were killed behind the answer."""
    one_delivered(trial)
    for lane in ("a", "b", "a"):
        assert trial.send(lane, under=kill_at("dup2"))[1].returncode == KILLED
        assert trial.sent[-1].id
    assert trial.spool.with_name("spool.db-wal").stat().st_size > 0


def log_to_checkpoint(trial):
    """A log of more pages than a commit leaves without a checkpoint (wal_autocheckpoint in connection.cc)."""
    trial.send("a")
    opened = trial.dir / "opened"
    with contextlib.closing(sqlite3.connect(trial.spool, isolation_level=None)) as spool:
        spool.execute("pragma wal_autocheckpoint = 0")
        for _ in range(4000):
            spool.execute("update meta set version = version")
        shutil.copytree(trial.spool.parent, opened)
    shutil.rmtree(trial.spool.parent)
    opened.rename(trial.spool.parent)


# ---- what is killed


def accept(trial, under):
    return trial.send("a", under)[1]


def init(trial, under):
    return trial.run("init", under=under)


def deliver(trial, under):
    return trial.run("deliver", "--once", under=under)


def exiting(code):
    """The deliverer; its commands exit so."""
    def deliver_in_vain(trial, under):
        trial.exit_code.write_text(str(code))
        done = deliver(trial, under)
        trial.wait_for_orphans()
        trial.exit_code.unlink()
        return done
    return deliver_in_vain


def operator(verb):
    return lambda trial, under: trial.run(verb, *(sent.id for sent in trial.sent), under=under)


def serve(trial, under):
    """The main thread of a FastCGI receiver, from exec to its end by TERM."""
    trial.start(wait=False, under=under)
    eventually(lambda: trial.receiver.poll() is not None or trial.listens(), "ended or listening")
    post_some(trial)
    trial.receiver.terminate()
    trial.receiver.wait(20)
    return trial.receiver


def thread(number):
    """One of the receiver's other threads, from the start to its end by TERM."""
    def serve_and_kill(trial, under):
        wait_for_threads(trial.start().receiver)
        tracer = attached(under, [threads_of(trial.receiver)[number]])
        post_some(trial)
        trial.receiver.terminate()
        trial.receiver.wait(20)
        tracer.communicate(timeout=20)
        return trial.receiver
    return serve_and_kill


def post_some(trial):
    """One after the other, some at once, and a repeat. A receiver that was killed answers some of them or none."""
    def post(sent):
        with contextlib.suppress(OSError), FastCgi(trial.socket) as client:
            trial.take(sent, client.ask(sent.body))
    for lane in ("a", "b", "a"):
        post(trial.new(lane))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(post, [trial.new(lane) for lane in ("c", "d", "e")]))
    post(trial.sent[0])


# ---- what must be true afterwards


def delivered(trial, _):
    trial.settle()
    trial.audit()


def first_delivered(trial, _):
    trial.send("a")
    delivered(trial, _)


def delivered_later(trial, _):
    trial.settle()
    trial.done("retry", "--state", "pending")
    delivered(trial, _)


def failed(trial, _):
    trial.exit_code.write_text("100")
    trial.settle()
    trial.exit_code.unlink()
    trial.audit("failed")


def retried(trial, _):
    trial.done("retry", *(sent.id for sent in trial.sent))
    delivered(trial, _)


def dropped(trial, _):
    trial.done("drop", *(sent.id for sent in trial.sent))
    trial.settle()
    trial.audit("dropped")


def purged(trial, done):
    said = done.stderr + trial.settle().stderr
    assert said.count("never delivered") >= 2, f"what failed was purged in silence\n{said}"
    del trial.sent[:4]
    trial.audit()


class Phase(typing.NamedTuple):
    name: str
    state: typing.Callable
    strike: typing.Callable
    proof: typing.Callable = delivered
    settings: str = "deliver = no\n"
    left_out: tuple = ()  # kinds of calls


PHASES = [
    Phase("init", nothing, init, first_delivered),
    Phase("accept into no spool", nothing, accept),
    Phase("accept, and start a deliverer", one_delivered, accept, settings="deliver = yes\n"),
    Phase("accept behind a crash", log_to_recover, accept),
    # Reading 4,000 pages of the log changes nothing: a kill there is one before the next call.
    Phase("accept, and checkpoint", log_to_checkpoint, accept, left_out=("pread64",)),
    Phase("claim, deliver, mark", some_accepted, deliver),
    Phase("claim, deliver, mark behind a crash", log_to_recover, deliver),
    Phase("take over", all_running, deliver),
    Phase("mark to be tried later", some_accepted, exiting(75), delivered_later),
    Phase("give up", some_accepted, exiting(100), failed),
    Phase("retry by the operator", all_failed, operator("retry"), retried),
    Phase("drop by the operator", all_failed, operator("drop"), dropped),
    Phase("purge", some_expired, deliver, purged, settings="deliver = no\nkeep = 1d\n"),
    Phase("FastCGI, main thread", one_delivered, serve),
    *(Phase(f"FastCGI, thread {n}", one_delivered, thread(n)) for n in range(1, RECEIVER_THREADS)),
]


def sweep(test, phase):
    """Throws AssertionError for a broken promise."""
    trial = Trial(test, phase.settings)
    phase.state(trial)
    trial.save()
    counts = collections.Counter()

    def strike(what, under):
        trial.restore()
        done = phase.strike(trial, under)
        counts["acknowledged"] += sum(1 for sent in trial.sent if sent.id)
        try:
            assert done.returncode in (0, KILLED), f"exit {done.returncode}"
            phase.proof(trial, done)
        except AssertionError as error:
            raise AssertionError(f"{phase.name}, {what}: {error}\n{done.stderr}{trial.log()[-3000:]}") from error
        counts["kills"] += done.returncode == KILLED
        return done.returncode == KILLED

    trace = trial.dir / "trace"
    strike("watched", watched(trace))
    calls = set(re.findall(r"^(\w+)\(", trace.read_text(), re.MULTILINE)) - {"execve", *phase.left_out}
    for call in sorted(calls):
        for k in itertools.count(1):
            if not strike(f"killed at {call} number {k}", kill_at(call, k)):
                break
    return counts
