"""A site that something is done to, and the check that its promise held. For crash, power-cut and io-faults.

Receivers are CGI processes and deliverers `deliver --once` where nothing else is said: short lives, from exec to exit.
"""

import collections
import contextlib
import copy
import ctypes
import functools
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import threading
import unittest

from harness import PROGRAM, AtOnce, FastCgi, Site, alert, tries_of


class Sent:
    """A callback; `id` is None until it was answered 200. Those of one lane are sent one after the other."""

    def __init__(self, number, lane, **fields):
        self.number, self.lane, self.id = number, lane, None
        self.body = alert(name=lane, curValue=str(number), **fields)


class Trial(Site):
    """Every alert goes to syslog and to a command, which exits with what self.exit_code says. `may_answer` is what a good
    callback may be answered."""

    def __init__(self, test, settings="deliver = no\n", may_answer=(200,)):
        super().__init__(test, settings)
        self.may_answer = may_answer
        self.record, self.exit_code = self.dir / "record", self.dir / "exit-code"
        self.record.touch()
        act = self.dir / "act"
        act.write_text(f"#!/bin/sh\ncode=0\n[ ! -e {self.exit_code} ] || read code <{self.exit_code}\n"
                       f'echo "$ALERTSPOOL_ID $ALERTSPOOL_ATTEMPT $code" >>{self.record}\nexit $code\n')
        act.chmod(0o755)
        self.write_config(actions=self.log_action() + f"[action.act]\ntype = command\nrun = {act}\nparallel = 4\n"
                                                      "retry-min = 1s\ngive-up-exit = 100\n")
        self.sent = []
        adopt_orphans()
        self.syslog.start()

    # ---- what is done

    def send(self, lane, under=()):
        """A new callback to a receiver that is a CGI process: (answer, process)."""
        return self.repeat(self.new(lane), under)

    def new(self, lane, **fields):
        self.sent.append(Sent(len(self.sent), lane, **fields))
        return self.sent[-1]

    def repeat(self, sent, under=()):
        answer, done = self.cgi(sent.body, under=under)
        if answer:
            self.take(sent, answer)
        return answer, done

    def take(self, sent, answer):
        assert answer.status in self.may_answer, answer
        if answer.status == 200:
            sent.id = answer.id

    def run(self, *words, under=()):
        return subprocess.run([*under, PROGRAM, *map(str, words), "--config", str(self.config)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, cwd="/", env=self.environment, timeout=60)

    def done(self, *words):
        """Runs a verb that must succeed."""
        done = self.run(*words)
        assert done.returncode == 0, f"alertspool {words}: {done.returncode}\n{done.stderr}"
        return done

    @staticmethod
    def wait_for_orphans(*but):
        """Waits for all children but those: what a killed process left behind is ours (adopt_orphans()), its commands, a
        deliverer, strace."""
        def orphans():
            pids = set()
            for task in pathlib.Path("/proc/self/task").iterdir():
                with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
                    pids.update(map(int, task.joinpath("children").read_text().split()))
            return pids - set(but)
        while left := orphans():
            for pid in left:
                os.waitpid(pid, 0)

    # ---- a state to come back to

    def save(self):
        """Saves the spool as it is, what was sent and what came out."""
        self.wait_for_orphans()
        shutil.copytree(self.spool.parent, self.dir / "saved", ignore=shutil.ignore_patterns("*-wake"))  # a fifo
        self.saved = copy.deepcopy(self.sent), list(self.syslog.lines), self.record.read_text()

    def restore(self):
        shutil.rmtree(self.spool.parent)
        shutil.copytree(self.dir / "saved", self.spool.parent)
        self.syslog.stop()
        self.sent, self.syslog.lines, record = copy.deepcopy(self.saved)
        self.exit_code.unlink(missing_ok=True)
        self.record.write_text(record)
        self.syslog.start()

    # ---- the check

    def settle(self, *others):
        """The sender comes again with what got no 200, and a fresh deliverer takes what is left. `others` are pids that
        live on."""
        self.wait_for_orphans(*others)
        for sent in self.sent:
            if sent.id is None:
                answer, done = self.repeat(sent)
                assert answer and answer.status == 200, f"the repeat was answered {answer}\n{done.stderr.decode()}"
        self.sent.sort(key=lambda sent: sent.id)  # what came again was stored before, or behind what came meanwhile
        self.wait_for_orphans(*others)
        return self.done("deliver", "--once")

    def lost(self):
        """How many that were answered 200 are not in the spool."""
        answered = {sent.id for sent in self.sent if sent.id}
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.spool}?mode=rw", uri=True)) as spool:
                return len(answered - {row[0] for row in spool.execute("select id from alert")})
        except sqlite3.Error:
            return len(answered)

    def audit(self, act="delivered", tries_are_kept=True):
        """What was answered 200 is in the spool once, has ended (`act`: how for the command) and came out in order; a
        delivery that was tried twice says so (`tries_are_kept`)."""
        self.syslog.stop()  # which reads what is still in the socket
        with contextlib.closing(sqlite3.connect(self.spool)) as spool:
            wrong = spool.execute("pragma integrity_check").fetchall()
            assert wrong == [("ok",)], f"integrity_check: {wrong}"
            ids = collections.defaultdict(list)
            for alert_id, body in spool.execute("select id, body from alert"):
                ids[number_of(body)].append(alert_id)
            tried = {(i, a): (state, attempts) for i, a, state, attempts in
                     spool.execute("select alert_id, action, state, attempts from delivery")}
            strays = spool.execute("select alert_id from attempt union select alert_id from delivery "
                                   "except select id from alert").fetchall()
            ended = [spool.execute(counted + " order by 1, 2").fetchall() for counted in
                     ("select action, state, count from ended where count <> 0",
                      "select action, state, count(*) from delivery where state in ('delivered', 'dropped') "
                      "group by action, state")]
        assert not strays, f"deliveries or attempts without their alert: {strays}"
        assert ended[0] == ended[1], f"deliveries that ended, as counted and as they are: {ended}"
        assert ids == {sent.number: [sent.id] for sent in self.sent}, \
            f"in the spool (number: ids): {dict(ids)}, answered 200: {[(s.number, s.id) for s in self.sent]}"
        runs = {"log": self.runs_of_log(), "act": self.runs_of_command()}
        for action, expected in (("log", "delivered"), ("act", act)):
            for sent in self.sent:
                state, attempts = tried[sent.id, action]
                assert state == expected, f"alert {sent.id} is {state} for {action}, not {expected}"
                mine = [(number, code) for alert_id, number, code in runs[action] if alert_id == sent.id]
                numbers = [number for number, _ in mine]
                told_apart = numbers == sorted(set(numbers)) and max(numbers, default=0) <= attempts
                assert told_apart or not tries_are_kept, \
                    f"{action} of alert {sent.id} ran as attempts {numbers}, the spool counts {attempts}"
                assert state != "delivered" or 0 in (code for _, code in mine), \
                    f"{action} of alert {sent.id} is delivered and never succeeded: {mine}"
            in_order([run[0] for run in runs[action]], self.sent, action)

    def runs_of_log(self):
        """[(id, attempt, exit code)]"""
        return [(alert_id, attempt, 0) for alert_id, attempt, _ in tries_of(self.syslog.lines)]

    def runs_of_command(self):
        return [tuple(map(int, line.split())) for line in self.record.read_text().splitlines()]


class Senders(AtOnce):
    """One for each lane; each comes again with an alert until it is answered 200."""

    def __init__(self, trial):
        super().__init__(threading.Event(), *(functools.partial(self.work, f"lane{n}") for n in range(4)))
        self.trial, self.lock = trial, threading.Lock()

    def work(self, lane):
        while not self.stopping.is_set():
            with self.lock:
                sent = self.trial.new(lane)
            while sent.id is None and not self.stopping.is_set():
                with contextlib.suppress(OSError), FastCgi(self.trial.socket) as client:
                    answer = client.ask(sent.body)
                    sent.id = answer.id if answer.status == 200 else None
                self.stopping.wait(0.01)


def with_a_test(work, *arguments):
    """What a Site expects of a test case, and its cleanup."""
    test = unittest.TestCase()
    try:
        return work(test, *arguments)
    finally:
        test.doCleanups()


def adopt_orphans():
    """Makes this process the parent of what its children leave behind."""
    set_child_subreaper = 36  # prctl(2)
    assert ctypes.CDLL(None).prctl(set_child_subreaper, 1) == 0


def number_of(body):
    return int(re.search(r"curValue=(\d+)", body)[1])


def in_order(ids, sent, action):
    """Both the first runs of a lane and the last ones are in the order in which the alerts were sent: whoever comes after
    a deliverer that was killed may repeat its last runs, in their order."""
    first, last = {}, {}
    for place, alert_id in enumerate(ids):
        first.setdefault(alert_id, place)
        last[alert_id] = place
    for places in (first, last):
        lanes = collections.defaultdict(list)
        for one in sent:
            if one.id in places:
                lanes[one.lane].append(places[one.id])
        for lane, found in lanes.items():
            assert found == sorted(found), f"{action} of {lane} ran out of order: {ids}"
