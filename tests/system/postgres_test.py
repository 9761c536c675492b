"""A spool in PostgreSQL that two machines share: the main path, and the faults of servers, networks and clocks.

One pair of servers for the whole file; every test has a database of its own and leaves the pair healthy.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import tempfile
import threading
import time
import unittest

import postgres
from fault_test import small_disk
from harness import PROGRAM, ROOT, AtOnce, Balancer, Site, alert, eventually, tries_of

CLOCK = pathlib.Path(PROGRAM).parent / "clock.so"
SENDER_GIVES_UP = 5  # seconds, docs/cloudmonitor.md
WHY_NO_MACHINES = postgres.why_no_machines()
network, cluster = None, None


def setUpModule():
    global network, cluster
    if not postgres.BIN:
        raise unittest.SkipTest("no PostgreSQL server")
    if not WHY_NO_MACHINES:
        network = postgres.Network(unittest.addModuleCleanup, "pg1", "pg2", "one", "two")
    cluster = postgres.Cluster(unittest.addModuleCleanup, network.machines[:2] if network else (None, None))


class Shared(unittest.TestCase):
    """A database, and sites on it."""

    def setUp(self):
        self.database = cluster.database()
        self.sites = []

    def site(self, settings="deliver = no\n", store=None, **options):
        """One more site: it does what the first one does, on the other machine."""
        machines = network.machines[2:] if network else (None, None)
        machine = machines[len(self.sites) % 2]
        first = self.sites[0] if self.sites else None
        site = Site(self, settings, first.actions if first else "", enter=machine.enter if machine else (),
                    store=store or cluster.url(self.database), **options)
        site.machine = machine
        self.sites.append(site)
        return site

    def site_with_command(self, script="", more="retry-min = 1s\nretry-max = 2s", **options):
        site = self.site(**options)
        site.write_config(actions=site.log_action() + site.command_action("act", script, more))
        site.syslog.start()
        return site

    def sql(self, statement):
        return cluster.primary.sql(statement, self.database)

    def rows(self):
        return int(self.sql("SELECT count(*) FROM alert"))

    def expect_503(self, site, body):
        """In time for the sender to hear it."""
        start = time.monotonic()
        answer = site.post(body, **({"timeout": 20} if site.port else {}))
        self.assertEqual(answer.status, 503, site.log())
        self.assertLess(time.monotonic() - start, SENDER_GIVES_UP)

    def heals(self, site, body):
        """Without a restart: the same body again is stored."""
        eventually(lambda: site.post(body).status == 200, lambda: f"healed\n{site.log()}")

    @staticmethod
    def all_say(sites, words):
        for site in sites:
            eventually(lambda: words in site.log(), lambda: f"{words}\n{site.log()}")

    def lease_is_over(self):
        """As if nobody had renewed it for its length."""
        self.sql("UPDATE delivery SET lease_until = lease_until - 31000 WHERE state = 'running'")


class MainPath(Shared):
    def test_callbacks_through_two_receivers_become_lines_and_runs(self):
        one = self.site_with_command(settings="", store=cluster.url(self.database, password="s3cret"))
        two = self.site(settings="", beside=(one,))
        for site in (one, two):
            site.start()
        two.nginx = True
        two.start_nginx()
        ids = [two.accepted(alert(name=f"alarm{n % 3}")) for n in range(12)]
        self.assertEqual(len(set(ids)), 12)
        for alert_id in ids:
            self.assertEqual(one.until_state(alert_id, "delivered")["deliveries"][1]["attempts"], 1)
            self.assertEqual(len(one.syslog.of(alert_id)), 1)
        self.assertEqual(sorted(one.runs("act")), [(alert_id, 1) for alert_id in sorted(ids)])
        self.all_say((one, two), "event=accept")
        for text in (one.log(), one.verb("check", expect=None), one.error, one.verb("status", expect=None)):
            self.assertNotIn("s3cret", text)

    def test_a_balancer_passes_by_a_machine_whose_receiver_or_web_server_is_gone(self):
        sites = [self.site("deliver = no\nallow = 127.0.0.2\n", nginx="balancer").start() for _ in range(2)]
        balancer = Balancer(self, "postgresql.md", sites)
        send = lambda: balancer.accepted(alert(), source="127.0.0.2")
        for _ in range(4):
            send()
        self.all_say(sites, "event=accept")
        self.assertEqual(balancer.post(alert(), source="127.0.0.3").status, 403)
        sites[0].stop()
        for _ in range(4):
            send()
        sites[0].start()
        sites[1].stop_process(sites[1].web)
        for _ in range(4):
            send()

    def test_a_repeat_on_the_other_machine_is_a_duplicate(self):
        one, two = self.site_with_command().start(), self.site().start()
        body = alert()
        alert_id = one.accepted(body)
        self.assertEqual(two.post(body).text, f"duplicate {alert_id}")
        two.start_deliverer()
        one.until_state(alert_id, "delivered")
        self.assertEqual(two.post(body).text, f"duplicate {alert_id}")
        self.assertEqual(one.runs("act"), [(alert_id, 1)])
        self.assertEqual(one.show(alert_id)["duplicates"], 2)

    def test_the_same_at_once_on_two_machines_is_one_alert(self):
        sites = [self.site_with_command().start(), self.site().start()]
        bodies = [alert() for _ in range(20)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: sites[n % 2].post(bodies[n // 4]), range(80)))
        self.assertEqual({answer.status for answer in answers}, {200})
        for n in range(0, 80, 4):
            self.assertEqual(len({answer.id for answer in answers[n:n + 4]}), 1)
        self.assertEqual(self.rows(), 20)
        self.assertEqual(sum(answer.text.startswith("accepted") for answer in answers), 20)

    def test_alarms_stay_in_order_over_two_deliverers(self):
        """One alone would have work for two seconds, and each looks every second."""
        one, two = self.site_with_command("sleep 0.05", "parallel = 2").start(), self.site().start()
        for site in (one, two):
            site.start_deliverer()
        ids = [site.accepted(alert(name=f"alarm{n % 4}")) for n in range(40) for site in (one, two)]
        one.until_state(ids[-1], "delivered")
        eventually(lambda: len(one.runs("act")) == 80, lambda: f"all ran\n{one.log()}{two.log()}")
        ran = [alert_id for alert_id, _ in one.runs("act")]
        logged = [alert_id for alert_id, _, _ in tries_of(one.syslog.lines)]
        for alarm in range(4):
            lane = [alert_id for n, alert_id in enumerate(ids) if n // 2 % 4 == alarm]
            for order in (ran, logged):
                self.assertEqual([alert_id for alert_id in order if alert_id in lane], lane)
        self.all_say((one, two), "event=attempt")

    def test_a_deliverer_on_another_machine_notices_within_seconds(self):
        one, two = self.site_with_command().start(), self.site()
        two.start_deliverer()
        one.until_delivering()
        one.until_state(one.accepted(alert()), "delivered", seconds=3)

    @unittest.skipIf(WHY_NO_MACHINES, WHY_NO_MACHINES)
    def test_status_names_the_machines(self):
        one, two = self.site(settings="").start(), self.site(settings="").start()
        for site in (one, two):
            site.until_delivering()
        def heard():
            processes = json.loads(one.verb("status", "--json", expect=None))["processes"]
            return sorted((p["role"], p["host"]) for p in processes if p["alive"])
        all_four = [(role, host) for role in ("deliverer", "receiver") for host in ("one", "two")]
        eventually(lambda: heard() == all_four, heard)

    def test_the_roles_of_the_manual(self):
        """Who looks may read everything and write nothing."""
        one = self.site().start()
        text = (ROOT / "docs" / "postgresql.md").read_text()
        for statement in re.findall(r"(?m)^    (CREATE ROLE alertspool_look.*?;|GRANT .*?;)", text):
            self.sql(statement)
        alert_id = one.accepted(alert())
        one.store = cluster.url(self.database).replace("alertspool@", "alertspool_look@")
        one.write_config()
        self.assertEqual(one.show(alert_id)["state"], "pending")
        self.assertEqual([shown["id"] for shown in one.list()], [alert_id])
        self.assertIn("processes", json.loads(one.verb("status", "--json", expect=None)))
        one.verb("drop", alert_id, expect=os.EX_UNAVAILABLE)
        self.assertIn("permission denied", one.error)


class Servers(Shared):
    def test_a_promoted_standby_has_all_and_goes_on(self):
        """The primary is killed while callbacks come in."""
        one = self.site_with_command(settings="").start()
        answered, refused, stopping = [], [], threading.Event()

        def send():
            while not stopping.is_set():
                body = alert(name=threading.current_thread().name)
                with contextlib.suppress(OSError):
                    answer = one.post(body)
                    (answered if answer.status == 200 else refused).append((time.monotonic(), answer))
        with AtOnce(stopping, *[send] * 4):
            eventually(lambda: len(answered) > 50, lambda: f"callbacks are stored\n{one.log()}")
            cluster.primary.kill()
            cluster.promote()
            promoted = time.monotonic()
            eventually(lambda: answered[-1][0] > promoted, lambda: f"stored again\n{one.log()}")
        cluster.join()
        first = min(when for when, _ in answered if when > promoted) - promoted
        self.assertLess(first, 1)
        stored = set(map(int, self.sql("SELECT id FROM alert").split()))
        self.assertEqual({answer.id for _, answer in answered} - stored, set())
        eventually(lambda: self.sql("SELECT count(*) FROM delivery WHERE state <> 'delivered'") == "0",
                   lambda: f"all are delivered\n{one.log()}", 30)
        lines = {alert_id for alert_id, _, _ in tries_of(one.syslog.lines)}
        self.assertEqual({answer.id for _, answer in answered} - lines, set())

    def test_without_the_standby_nothing_is_answered_200(self):
        """The commit waits, and a statement's time-out does not end that wait."""
        one = self.site().start()
        one.accepted(alert())
        def connections():
            return self.sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                            "AND pid <> pg_backend_pid()").split()
        first = connections()
        cluster.standby.kill()
        body = alert()
        self.expect_503(one, body)
        eventually(lambda: first[0] not in connections(), "the one that waits for the standby is not left behind")
        cluster.join()
        self.heals(one, body)
        self.assertEqual(self.rows(), 2)

    def test_a_connection_cut_in_commit_leaves_one_row(self):
        """The row is there, and nobody was told."""
        one = self.site_with_command().start()
        one.accepted(alert())
        body = alert()
        cluster.standby.signal(signal.SIGSTOP)
        try:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                answer = pool.submit(one.post, body)
                cut = ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE wait_event = 'SyncRep' AND datname = current_database()")
                eventually(lambda: self.sql(cut) and self.rows() == 2, "the row is there")
                self.assertEqual(answer.result().status, 503)
        finally:
            cluster.standby.signal(signal.SIGCONT)
        self.heals(one, body)
        self.assertRegex(one.post(body).text, "duplicate")
        self.assertEqual(self.rows(), 2)
        one.start_deliverer()
        eventually(lambda: len(one.runs("act")) == 2, lambda: f"both are delivered\n{one.log()}")

    def test_a_claim_cut_in_commit_is_made_again(self):
        """The delivery runs, as the server has it, and nobody was told."""
        one = self.site_with_command('[ "$ALERTSPOOL_ATTEMPT" -gt 1 ] || exit 75', "retry-min = 3s").start()
        one.start_deliverer()
        alert_id = one.accepted(alert())
        eventually(lambda: self.sql("SELECT count(*) FROM attempt WHERE action = 'act'") == "1", "it has failed once")
        cluster.standby.signal(signal.SIGSTOP)
        try:
            cut = ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   "WHERE wait_event = 'SyncRep' AND datname = current_database()")
            claimed = "SELECT count(*) FROM delivery WHERE state = 'running' AND attempts = 2"
            eventually(lambda: self.sql(cut) and self.sql(claimed) == "1", "the claim is there")
        finally:
            cluster.standby.signal(signal.SIGCONT)
        one.until_state(alert_id, "delivered")
        self.assertEqual(one.runs("act"), [(alert_id, 1), (alert_id, 2)])

    def test_an_old_primary_holds_nothing_up_and_acknowledges_nothing(self):
        """It is first in the list, hangs, and comes back as if nothing had been. The second fence of the manual: it has
        no standby any more."""
        old = cluster.primary
        cluster.servers.sort(key=lambda server: server is not old)
        one = self.site().start()
        one.accepted(alert())
        old.signal(signal.SIGSTOP)
        try:
            cluster.promote()
            body = alert()
            start = time.monotonic()
            while one.post(body).status != 200:
                self.assertLess(time.monotonic() - start, 15, one.log())
        finally:
            old.kill()
        old.start()
        two, body = self.site().start(), alert()
        try:
            self.expect_503(two, body)
            waits = "SELECT wait_event FROM pg_stat_activity WHERE usename = 'alertspool'"
            eventually(lambda: old.sql(waits) == "SyncRep", lambda: f"it waits in COMMIT\n{two.log()}")
        finally:
            old.kill()
        cluster.join()
        self.heals(two, body)
        self.assertEqual(self.rows(), 3)

    def test_a_server_that_hangs_holds_neither_a_command_nor_an_end_up(self):
        """What only the server could tell is not waited for: the limits of commands and of ends hold."""
        one = self.site_with_command("exec sleep 60", "timeout = 1s\nretry-min = 1s").start()
        runs = one.start_deliverer()
        alert_id = one.accepted(alert())
        eventually(lambda: one.runs("act") == [(alert_id, 1)], lambda: f"it runs\n{one.log()}")
        ends = self.site().start_deliverer()
        self.sites[1].until_delivering()
        primary = cluster.primary
        primary.signal(signal.SIGSTOP)
        try:
            for process in (one.receiver, ends):
                process.terminate()
            eventually(lambda: "timeout after 1s" in one.log(), lambda: f"the command is killed\n{one.log()}", 10)
            for process in (one.receiver, ends):
                self.assertEqual(process.wait(15), 0)
        finally:
            primary.signal(signal.SIGCONT)
        runs.terminate()
        self.assertEqual(runs.wait(15), 0)

    @unittest.skipUnless(shutil.which("strace"), "no strace")
    def test_a_thread_that_cannot_start_is_tried_again(self):
        one = self.site_with_command().start()
        alert_id = one.accepted(alert())
        first = "inject=clone3:error=EAGAIN:when=1..2"  # the first may be a sanitizer's
        one.start_deliverer(under=("strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=clone3", "-e", first))
        one.until_state(alert_id, "delivered")
        self.assertIn("Resource temporarily unavailable", one.log())

    def test_a_server_that_may_lose_commits_is_refused(self):
        cases = (("synchronous_commit", f"ALTER DATABASE {self.database} SET synchronous_commit = off",
                  f"ALTER DATABASE {self.database} RESET synchronous_commit"),
                 ("fsync", "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM RESET fsync"))
        for name, harm, heal in cases:
            with self.subTest(name):
                self.sql(harm)
                self.sql("SELECT pg_reload_conf()")
                try:
                    site = self.site().start()
                    body = alert()
                    self.expect_503(site, body)
                    self.assertIn(name, site.log())
                finally:
                    self.sql(heal)
                    self.sql("SELECT pg_reload_conf()")
                self.heals(site, body)

    def test_a_server_that_is_read_only_is_503_and_heals(self):
        one = self.site().start()
        one.accepted(alert())
        cluster.primary.set("default_transaction_read_only", "on")
        body = alert()
        try:
            # The server tells its sessions when they are idle.
            eventually(lambda: one.post(alert()).status == 503, "the receiver's session is told")
            self.expect_503(one, body)
        finally:
            cluster.primary.set("default_transaction_read_only", "off")
        self.heals(one, body)

    def test_too_many_connections_are_503_and_heal(self):
        one = self.site().start()
        one.accepted(alert())
        self.sql(f"ALTER DATABASE {self.database} CONNECTION LIMIT 0")
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alertspool'")
        body = alert()
        self.expect_503(one, body)
        self.assertIn("too many connections", one.log())
        self.sql(f"ALTER DATABASE {self.database} CONNECTION LIMIT -1")
        self.heals(one, body)

    def test_a_receiver_and_its_deliverer_need_few_connections(self):
        one = self.site(settings="").start().until_delivering()
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: one.post(alert()).status, range(100)))
        self.assertEqual(set(answers), {200})
        open_now = int(self.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'alertspool'"))
        self.assertLessEqual(open_now, 4)

    def test_a_server_that_is_full_is_503_and_heals(self):
        server = postgres.Server(cluster.dir / "small")
        self.addCleanup(cluster.end, server)
        server.start()
        disk = cluster.dir / "disk"
        disk.mkdir()
        with small_disk(self, disk, "20m"):
            if postgres.AS_SERVER:
                shutil.chown(disk, "postgres", "postgres")
            server.sql("CREATE ROLE alertspool LOGIN")
            server.sql(f"CREATE TABLESPACE small LOCATION '{disk}'")
            server.sql("CREATE DATABASE spool OWNER alertspool TABLESPACE small")
            site = self.site(store=f"postgresql://alertspool@/spool?host={server.dir}")
            site.start()
            site.accepted(alert())
            filler = disk / "filler"
            with open(filler, "wb", buffering=0) as out, contextlib.suppress(OSError):
                while out.write(b"\0" * 4096):
                    pass
            eventually(lambda: site.post(alert(text="x" * 20000)).status == 503, "it is full")
            body = alert(text="x" * 20000)
            self.expect_503(site, body)
            filler.unlink()
            self.heals(site, body)
            site.stop()
            server.stop()

    def test_a_restarted_server_needs_no_restart_of_ours(self):
        one = self.site_with_command(settings="").start()
        one.until_state(one.accepted(alert()), "delivered")
        cluster.primary.stop()
        body = alert()
        self.expect_503(one, body)
        cluster.primary.start()
        self.heals(one, body)
        one.until_state(one.post(body).id, "delivered")


@unittest.skipIf(WHY_NO_MACHINES, WHY_NO_MACHINES)
class Machines(Shared):
    def test_a_machine_that_is_cut_off_answers_503_and_the_other_goes_on(self):
        one, two = self.site_with_command().start(), self.site().start()
        one.accepted(alert())
        network.unplug(one.machine)
        body = alert()
        try:
            self.expect_503(one, body)
            two.accepted(alert())
        finally:
            network.plug_in(one.machine)
        self.heals(one, body)

    def test_what_a_machine_held_that_is_cut_off_goes_to_another(self):
        go = self.enterContext(gate())
        one = self.site_with_command(holds_its_first(go)).start()
        two = self.site().start()
        cut_off = one.start_deliverer()
        first = one.accepted(alert())
        eventually(lambda: one.runs("act") == [(first, 1)], lambda: f"it runs\n{one.log()}")
        network.unplug(one.machine)
        try:
            self.lease_is_over()
            two.start_deliverer()
            second = two.accepted(alert())
            two.until_state(second, "delivered")
        finally:
            network.plug_in(one.machine)
        go.touch()
        eventually(lambda: 'outcome="exit 1"' in one.log(), "the first has ended")
        cut_off.terminate()
        self.assertEqual(cut_off.wait(15), 0)
        self.assertEqual(one.runs("act"), [(first, 1), (first, 2), (second, 1)])
        self.assertEqual(two.show(first)["state"], "delivered")

    def test_the_late_mark_of_a_stopped_deliverer_changes_nothing(self):
        """Four deliverers on two machines."""
        go = self.enterContext(gate())
        one = self.site_with_command(holds_its_first(go)).start()
        two = self.site()
        stopped = one.start_deliverer()
        first = one.accepted(alert())
        eventually(lambda: one.runs("act") == [(first, 1)], lambda: f"it runs\n{one.log()}")
        stopped.send_signal(signal.SIGSTOP)
        self.lease_is_over()
        others = [site.start_deliverer() for site in (one, two, two)]
        ids = [first, *(one.accepted(alert()) for _ in range(5))]
        go.touch()
        two.until_state(ids[-1], "delivered")
        stopped.send_signal(signal.SIGCONT)
        eventually(lambda: 'outcome="exit 1"' in one.log(), "the stopped one has seen its end")
        for process in (stopped, *others):
            process.terminate()
        for process in (stopped, *others):
            self.assertEqual(process.wait(15), 0)
        self.assertEqual(one.runs("act"), [(first, 1), (first, 2), *((alert_id, 1) for alert_id in ids[1:])])
        shown = two.show(first)["deliveries"][0]
        self.assertEqual((shown["state"], shown["attempts"]), ("delivered", 2))

    @unittest.skipUnless(CLOCK.exists(), f"no {CLOCK}: make {CLOCK}")
    def test_the_servers_clock_decides_where_clocks_differ(self):
        """Neither is a lease over, nor is a try due, because a machine's own clock says so."""
        go = self.enterContext(gate())
        one = self.site_with_command(f"while [ ! -e {go} ]; do sleep 0.05; done; [ $ALERTSPOOL_ATTEMPT = 2 ]",
                                     "retry-min = 2s\nretry-max = 2s").start()
        two = self.site()
        one.start_deliverer()
        first = one.accepted(alert())
        eventually(lambda: one.runs("act") == [(first, 1)], lambda: f"it runs\n{one.log()}")
        for offset in (86400, -3600):
            with self.subTest(offset):
                clock = two.dir / f"clock{offset}"
                clock.write_bytes(struct.pack("q", offset))
                two.environment.update(LD_PRELOAD=str(CLOCK), CLOCK=str(clock),
                                       ASAN_OPTIONS="verify_asan_link_order=0")  # the clock comes first
                process = two.start_deliverer()
                two.until_state(one.accepted(alert(name=f"other{offset}")), "running")
                self.assertEqual([run for run in one.runs("act") if run[0] == first], [(first, 1)])
        go.touch()
        eventually(lambda: self.sql("SELECT count(*) FROM delivery WHERE state <> 'delivered'") == "0",
                   lambda: f"all are delivered at their second try\n{one.log()}{two.log()}")


@contextlib.contextmanager
def gate():
    """A file that is not there yet; at the end it is, so that no command waits for ever."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = pathlib.Path(directory) / "go"
        try:
            yield path
        finally:
            path.touch()


def holds_its_first(go):
    """Of all runs of a command only the first waits, and then fails."""
    return f"if mkdir {go}.taken; then while [ ! -e {go} ]; do sleep 0.05; done; exit 1; fi"


if __name__ == "__main__":
    unittest.main()
