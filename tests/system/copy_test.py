"""`alertspool copy` on running systems: a site moves from SQLite to PostgreSQL and back."""

import concurrent.futures
import contextlib
import functools
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import unittest

import postgres
from fault_test import small_disk
from harness import PROGRAM, AtOnce, Site, alert, eventually

TRIES = 4  # of the sender, docs/cloudmonitor.md
SCRIPT = "[ -e $0.healed ] || [ $CMS_ALERT_NAME = fine ]"
cluster = None


def setUpModule():
    global cluster
    if not postgres.BIN:
        raise unittest.SkipTest("no PostgreSQL server")
    cluster = postgres.Cluster(unittest.addModuleCleanup)


class Move(unittest.TestCase):
    def setUp(self):
        self.database = cluster.database()
        self.server = cluster.url(self.database)

    def site(self, script="", **options):
        site = Site(self, "deliver = no\n", **options)
        site.write_config(actions=site.log_action() + site.command_action("act", script))
        site.syslog.start()
        return site

    def filled(self, count=300, **options):
        """Stored, and nothing delivered yet."""
        site = self.site(**options).start()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: site.accepted(alert(name=f"alarm{n % 40}")), range(count)))
        return site

    @staticmethod
    def move(site, store):
        """What an operator does when the copy has ended."""
        site.store = store
        site.write_config()

    def copying(self, site, store, *under):
        environment = {**os.environ, "ASAN_OPTIONS": f"detect_leaks={0 if under else 1}"}  # not while it is traced
        return subprocess.run([*under, PROGRAM, "copy", "--to", store, "--config", site.config], text=True,
                              env=environment, capture_output=True, timeout=120)

    def sql(self, statement):
        return cluster.primary.sql(statement, self.database)


class WhileCallbacksCome(Move):
    """Senders try four times without a pause. What failed before is tried again after, in its order."""

    def test_from_a_file_to_a_server(self):
        site = self.site(SCRIPT, nginx=True, handover=True)
        self.loses_nothing(site, self.server)

    def test_from_a_server_to_a_file(self):
        site = self.site(SCRIPT, nginx=True, handover=True, store=self.server)
        self.loses_nothing(site, f"sqlite:{site.spool}")

    def loses_nothing(self, site, store):
        names = ("fine", "late", "later")
        ids, lost, stopping = {name: [] for name in names}, [], threading.Event()

        def send(name):
            while not stopping.is_set():
                body = alert(name=name)
                for _ in range(TRIES):
                    with contextlib.suppress(OSError):
                        answer = site.post(body, timeout=5)
                        if answer.status == 200:
                            ids[name].append(answer.id)
                            break
                else:
                    lost.append(body)

        def more_come(count):
            before = {name: len(ids[name]) for name in names}
            eventually(lambda: all(len(ids[name]) > before[name] + count for name in names), "callbacks come in")
        site.start()
        deliverer = site.start_deliverer()
        with AtOnce(stopping, *(functools.partial(send, name) for name in names)):
            more_come(100)
            eventually(lambda: (ids["late"][0], 1) in site.runs("act"), lambda: f"one was tried\n{site.log()}")
            deliverer.terminate()
            self.assertEqual(deliverer.wait(15), 0)
            site.verb("copy", "--to", store)
            self.assertIn("event=copy", site.error)
            self.move(site, store)
            self.assertEqual(site.stop(), 0, site.log())
            site.start()
            more_come(20)
            (site.dir / "act.healed").touch()
            site.start_deliverer()
        self.assertEqual(lost, [])
        eventually(lambda: not site.list("--state", "pending", "--limit", 1) and
                   not site.list("--state", "running", "--limit", 1), lambda: f"all are delivered\n{site.log()}", 60)
        listed = site.list("--limit", 0)
        self.assertEqual({shown["state"] for shown in listed}, {"delivered"})
        self.assertEqual(sorted(shown["id"] for shown in listed), sorted(sum(ids.values(), [])))
        runs = site.runs("act")
        self.assertEqual(len(set(runs)), len(runs), "each attempt has a number of its own")
        self.assertIn((ids["late"][0], 2), runs)
        ends = list({alert_id: attempt for alert_id, attempt in reversed(runs)})[::-1]
        for name in names:
            self.assertEqual([alert_id for alert_id in ends if alert_id in set(ids[name])], sorted(ids[name]))


class Cut(Move):
    def goes_on(self, site, store):
        """The source as before; the target is nobody's, or has not been begun."""
        site.accepted(alert())
        there = Site(self, store=store)
        self.assertEqual(there.verb("list", "--json", expect=None), "")
        self.assertRegex(there.error, "^$|unfinished copy of|there is no spool")

    @unittest.skipUnless(shutil.which("strace"), "no strace")
    def test_killed_at_any_moment_it_goes_on_where_it_was(self):
        there = Site(self)
        for store, calls in ((self.server, "sendto"), (there.store, "pwrite64")):
            with self.subTest(store):
                site = self.filled()
                kills, when, done = 0, 1, None
                while not done:
                    ran = self.copying(site, store, *f"strace -f -o /dev/null -e trace={calls} "
                                       f"-e inject={calls}:signal=KILL:when={when}".split())
                    when += 1 + when // 2
                    if ran.returncode == 0:
                        break
                    self.assertEqual(ran.returncode, -signal.SIGKILL, ran.stderr)
                    if "was moved to" in self.copying(site, "sqlite:/dev/null/x").stderr:
                        done = self.copying(site, store)
                        self.assertEqual(done.returncode, 0, done.stderr)
                    else:
                        self.goes_on(site, store)
                        kills += 1
                self.assertGreater(kills, 8)
                self.move(site, store)
                self.assertEqual(sorted(shown["id"] for shown in site.list("--limit", 0)), list(range(1, 301 + kills)))

    def test_a_connection_that_is_cut_is_an_error_and_it_goes_on(self):
        site = self.filled(10)
        cluster.standby.signal(signal.SIGSTOP)
        try:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                ran = pool.submit(self.copying, site, self.server)
                cut = ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE wait_event = 'SyncRep' AND datname = current_database()")
                eventually(lambda: self.sql(cut), "it waits for the standby")
                self.assertEqual(ran.result().returncode, os.EX_UNAVAILABLE)
        finally:
            cluster.standby.signal(signal.SIGCONT)
        self.goes_on(site, self.server)
        self.assertEqual(self.copying(site, self.server).returncode, 0)

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_a_target_without_room_is_an_error_and_the_source_goes_on(self):
        site = self.filled(300)
        disk = site.dir / "disk"
        disk.mkdir()
        with small_disk(self, disk, "66m"):
            store = f"sqlite:{disk}/spool.db"
            Site(self, store=store).verb("init")
            (disk / "filler").write_bytes(b"x" * (3 << 20))
            ran = self.copying(site, store)
            self.assertEqual(ran.returncode, os.EX_UNAVAILABLE, ran)
            self.assertIn("MiB left", ran.stderr)
            self.goes_on(site, store)


class Whole(Move):
    def test_there_and_back_all_is_as_it_was(self):
        site = self.filled(script='[ $CMS_ALERT_NAME != alarm7 ]')
        deliverer = site.start_deliverer()
        eventually(lambda: len(site.runs("act")) > 100, "some are delivered")
        deliverer.terminate()
        deliverer.wait(15)
        before = site.verb("list", "--json", "--limit", 0)
        self.assertIn('"pending"', before)
        here = site.store
        for store in (self.server, here):
            site.verb("copy", "--to", store)
            self.move(site, store)
            self.assertEqual(site.verb("list", "--json", "--limit", 0), before)

    def test_a_deliverer_that_is_alive_is_not_left_behind(self):
        site = self.site().start()
        for store, other in ((site.store, self.server), (self.server, site.store)):
            deliverer = site.start_deliverer()
            site.until_delivering()
            site.verb("copy", "--to", other, expect=os.EX_TEMPFAIL)
            self.assertIn("is alive: stop it, then copy", site.error)
            deliverer.terminate()
            self.assertEqual(deliverer.wait(15), 0)
            site.verb("copy", "--to", other)
            self.move(site, other)

    def test_the_language_of_a_database_does_not_matter(self):
        """In Danish aa comes behind z."""
        name = self.database + "_danish"
        cluster.primary.sql(f"CREATE DATABASE {name} OWNER alertspool TEMPLATE template0 LOCALE_PROVIDER icu "
                            "ICU_LOCALE 'da'")
        site = self.filled(3)
        with contextlib.closing(sqlite3.connect(site.spool)) as spool, spool:
            spool.executemany("INSERT INTO alarm VALUES (?, 1, 'WARN', 1, 1, '')",
                              ((f"{n:02x}{m}",) for n in range(256) for m in range(3)))
        self.assertEqual(self.copying(site, cluster.url(name)).returncode, 0)

    def test_neither_output_nor_log_has_the_password(self):
        site = self.filled(3)
        store = cluster.url(self.database, password="s3cret")
        said = site.verb("copy", "--to", store) + site.error
        self.assertIn("password=***", said)
        site.verb("list", expect=os.EX_UNAVAILABLE)
        self.assertIn("was moved to", site.error)
        self.assertNotIn("s3cret", said + site.error)


if __name__ == "__main__":
    unittest.main()
