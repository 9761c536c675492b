"""The two ends of `make torture`: senders that number every alert and keep what was answered 200, and the check that what
came out is what the promise says.
"""

import collections
import http.client
import random
import re
import threading
import time
import typing

from harness import alert, tries_of

ALARMS = 12
SENDERS = 8
PAUSE = 0.05  # mean, between two alerts of one sender
TRIES = 4  # the sender's first and three more, docs/cloudmonitor.md
PATIENCE = 5  # seconds of the sender
HASTE = 0.002  # seconds: it goes before the answer, and nginx leaves alertspool too


class Alert:
    """One that was sent: `posted` before its first request, `answered` when its first 200 was there."""

    def __init__(self, number, alarm, state, padding):
        self.number, self.alarm, self.state = number, alarm, state
        self.body = alert(name=alarm, state=state, curValue=str(number), timestamp=str(1604919253334 + number),
                          text="x" * padding)
        self.posted, self.answered, self.ids = time.monotonic(), None, set()

    def accept(self, answer):
        self.answered = self.answered or time.monotonic()
        self.ids.add(answer.id)


class Senders:
    """Several connections at once, each with alerts of all alarms, so that both happen: one alarm's alerts one after
    the other, and at once."""

    def __init__(self, site, seed):
        self.site, self.alerts, self.unexpected = site, [], []
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(random.Random(f"{seed} {n}"),))
                        for n in range(SENDERS)]

    def work(self, chance):
        while not self.stopping.is_set():
            with self.lock:
                one = Alert(len(self.alerts), f"lane{chance.randrange(ALARMS)}", chance.choice(("ALERT", "OK")),
                            chance.choice((0,) * 99 + (20_000,)))
                self.alerts.append(one)
            if chance.random() < 0.02:  # the repeat overtakes the first request
                twin = threading.Thread(target=self.send, args=(one, random.Random(one.number)))
                twin.start()
                self.send(one, chance)
                twin.join()
            else:
                self.send(one, chance)
            if chance.random() < 0.05:  # the 200 was lost on its way
                self.send(one, chance)
            self.stopping.wait(chance.expovariate(1 / PAUSE))

    def send(self, one, chance):
        for _ in range(TRIES):
            try:
                answer = self.site.post(one.body, timeout=chance.choice((PATIENCE,) * 49 + (HASTE,)))
            except (OSError, http.client.HTTPException):
                pass
            else:
                if answer.status == 200:
                    return one.accept(answer)
                if answer.status not in (502, 503, 504):
                    self.unexpected.append(answer)
            self.stopping.wait(chance.uniform(0.1, 0.5))

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            if thread.is_alive():
                thread.join()


class Run(typing.NamedTuple):
    """One try of one delivery as its action saw it; `start` and `end` are positions in the action's record."""
    id: int
    attempt: int
    number: int
    alarm: str
    state: str
    start: int
    end: int | None


def runs_of_log(lines):
    for position, (alert_id, attempt, line) in enumerate(tries_of(lines)):
        number, alarm, state = (re.search(rf" {name}=(\S+)", line)[1] for name in ("curValue", "alertName", "alertState"))
        yield Run(alert_id, attempt, int(number), alarm, state, position, position)


def runs_of_command(lines):
    """Lines `start|end ID ATTEMPT NUMBER ALARM STATE`. The same try started twice is two runs."""
    runs, ends = [], {}
    for position, line in enumerate(lines):
        what, alert_id, attempt, number, alarm, state = line.split()
        run = Run(int(alert_id), int(attempt), int(number), alarm, state, position, None)
        if what == "start":
            runs.append(run)
        else:
            ends.setdefault(run[:2], position)
    return [run._replace(end=ends.get(run[:2])) for run in runs]


def doubled(runs, attempts):
    """Alerts delivered twice without a mark: under two ids, twice as one attempt, or more often than the spool knows."""
    by_number = collections.defaultdict(list)
    for run in runs:
        by_number[run.number].append(run)
    return [number for number, all_of_it in by_number.items()
            if len({run.id for run in all_of_it}) > 1
            or len({run.attempt for run in all_of_it}) < len(all_of_it)
            or max(run.attempt for run in all_of_it) > attempts.get(all_of_it[0].id, 0)]


def out_of_order(alerts, runs):
    """Alerts that went before one of the same alarm whose 200 was there before they were posted.

    A deliverer that is killed may repeat the last of what it did, in its order: 1 2 1 2. So the first runs are compared
    with each other, and the last ones; no 2 may start before a 1 ended, and none may be the last 1 after the last 2.
    """
    starts, ends, lasts = {}, {}, {}
    for run in runs:
        starts.setdefault(run.number, run.start)
        lasts[run.number] = max(run.start, lasts.get(run.number, -1))
        if run.end is not None:
            ends[run.number] = min(run.end, ends.get(run.number, run.end))
    by_alarm = collections.defaultdict(list)
    for one in alerts:
        if one.number in ends:
            by_alarm[one.alarm].append(one)
    wrong = []
    for lane in by_alarm.values():
        earlier = sorted((one for one in lane if one.answered), key=lambda one: one.answered, reverse=True)
        end, last = -1, -1  # of all whose 200 was there
        for one in sorted(lane, key=lambda one: one.posted):
            while earlier and earlier[-1].answered < one.posted:
                number = earlier.pop().number
                end, last = max(end, ends[number]), max(last, lasts[number])
            if starts[one.number] < end or lasts[one.number] < last:
                wrong.append(one.number)
    return wrong


def foreign(alerts, runs):
    """Runs of what was never sent, or with another alert's words."""
    return [run for run in runs if run.number >= len(alerts)
            or (run.alarm, run.state) != (alerts[run.number].alarm, alerts[run.number].state)]


def lost(alerts, runs):
    ended = {run.number for run in runs if run.end is not None}
    return [one.number for one in alerts if one.answered and one.number not in ended]
