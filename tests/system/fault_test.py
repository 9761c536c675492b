"""Faults for real: stalled peers, killed processes, full disks, damaged spools, held locks, bad reloads."""

import contextlib
import fcntl
import functools
import os
import resource
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time
import unittest

from harness import FORM, PROGRAM, AtOnce, FastCgi, Site, alert, eventually, tries_of


class Connections(unittest.TestCase):
    def good_request(self, site):
        """One request among many bad ones: the sender gives up after 5 s."""
        with FastCgi(site.socket, timeout=5) as client:
            self.assertEqual(client.ask(alert()).status, 200)

    def test_stalled_connections_hold_no_good_request_up(self):
        site = Site(self).start()
        whole = FastCgi.request(alert())
        with contextlib.ExitStack() as stack:
            stalled = [stack.enter_context(FastCgi(site.socket)) for _ in range(200)]
            for n, client in enumerate(stalled):
                client.send(whole[:(4, 12, 40, 300)[n % 4]])
            for _ in range(5):
                self.good_request(site)
            for client in stalled:
                self.assertTrue(client.closed())

    def test_dripping_connections_are_shut_down(self):
        site = Site(self).start()
        whole = FastCgi.request(alert())
        with FastCgi(site.socket, timeout=0.1) as client:
            def dripped():
                try:
                    client.send(whole[dripped.sent:dripped.sent + 1])
                    dripped.sent += 1
                    return client.closed()
                except (BrokenPipeError, ConnectionError):
                    return True
            dripped.sent = 0
            eventually(dripped, "shut down")
            self.assertLess(dripped.sent, len(whole))
        self.good_request(site)

    def test_a_log_that_nobody_reads_holds_nothing_up(self):
        site = Site(self)
        os.mkfifo(site.dir / "unread")
        unread = os.open(site.dir / "unread", os.O_RDWR)
        self.addCleanup(os.close, unread)
        site.syslog.start()
        site.start(under=("/bin/sh", "-c", f"exec \"$@\" 2>{site.dir}/unread", "sh"))
        ids = [site.accepted(alert()) for _ in range(1_000)]  # more lines than a pipe holds
        site.until_state(ids[-1], "delivered")
        self.assertEqual(site.stop(), 0)
        os.set_blocking(unread, False)
        self.assertGreater(len(os.read(unread, 1 << 20)), 40_000, "it was full")

    def test_idle_kept_connections_hold_no_good_request_up(self):
        site = Site(self).start()
        with contextlib.ExitStack() as stack:
            kept = [stack.enter_context(FastCgi(site.socket)) for _ in range(400)]
            for client in kept:
                self.assertEqual(client.ask(method="GET", keep=True).text, "ready")
            self.good_request(site)
            for client in kept[::50]:
                self.assertEqual(client.ask(alert(), keep=True).status, 200)

    def test_a_peer_that_goes_on_sending_after_its_answer(self):
        site = Site(self, settings="max-body = 1KiB").start()
        with FastCgi(site.socket) as client:
            with contextlib.suppress(ConnectionError):
                client.send(FastCgi.request(b"x" * 4_000_000))
            with contextlib.suppress(ConnectionError):
                self.assertEqual(client.answer().status, 413)
        self.good_request(site)

    def test_a_flood_of_parameters_takes_no_memory(self):
        site = Site(self).start()
        self.good_request(site)
        before = memory_peak(site)
        flood = FastCgi.record(FastCgi.PARAMS, FastCgi.pairs([("X", "y" * 65000)])) * 16
        with FastCgi(site.socket) as client:
            client.send(FastCgi.begin())
            with self.assertRaises(ConnectionError):
                while True:
                    client.send(flood)
        self.good_request(site)
        self.assertLess(memory_peak(site) - before, 64 << 20)

    def test_a_flood_of_requests_whose_answers_nobody_reads(self):
        site = Site(self).start()
        with FastCgi(site.socket, timeout=5) as client:
            with self.assertRaises(ConnectionError):
                while True:
                    client.send(FastCgi.request(b"x" * 9000, keep=True))
        self.good_request(site)

    def test_every_padding_and_every_splitting_of_records_is_understood(self):
        site = Site(self).start()
        def record(kind, content=b"", padding=0):
            plain = FastCgi.record(kind, content)
            return plain[:6] + bytes([padding]) + plain[7:] + b"\xff" * padding
        for padding, size in ((0, 1), (1, 2), (7, 3), (8, 100), (255, 60000)):
            body = alert()
            def stream(kind, content):
                parts = [content[i:i + size] for i in range(0, len(content), size)]
                return b"".join(record(kind, part, padding) for part in parts) + record(kind)
            pairs = FastCgi.pairs([("REQUEST_METHOD", "POST"), ("REMOTE_ADDR", "127.0.0.1"), ("CONTENT_TYPE", FORM),
                                   ("CONTENT_LENGTH", str(len(body)))])
            with FastCgi(site.socket) as client:
                client.send(FastCgi.begin() + stream(FastCgi.PARAMS, pairs) + stream(FastCgi.STDIN, body))
                self.assertEqual(client.answer().status, 200, (padding, size))

    def test_what_is_cut_short_aborted_or_interleaved_is_never_stored(self):
        site = Site(self).start()
        whole = FastCgi.request(alert())
        begin, params = whole[:16], whole[16:]
        other = FastCgi.record(FastCgi.STDIN, b"a=1", request_id=2)
        bad = [whole[:size] for size in range(0, len(whole), 5)]
        bad += [whole[:-8] + FastCgi.record(FastCgi.ABORT), whole[:-8] + other + whole[-8:],
                begin + other + params, begin + begin + params, begin + FastCgi.record(FastCgi.ABORT) + params]
        for data in bad:
            with FastCgi(site.socket) as client:
                client.send(data)
                client.socket.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    self.assertEqual(client.answer().status, 400, data)
        self.assertEqual(site.list(), [])
        self.good_request(site)
        self.assertIsNone(site.receiver.poll())

    def test_garbage_on_the_socket_ends_nothing_that_was_accepted(self):
        site = Site(self).start()
        alert_id = site.accepted(alert())
        for garbage in (b"GET / HTTP/1.0\r\n\r\n", b"\0" * 64, b"\xff" * 64, FastCgi.record(99, b"x"),
                        FastCgi.record(FastCgi.STDIN, b"x"), FastCgi.begin() + FastCgi.begin()):
            with FastCgi(site.socket) as client:
                client.send(garbage)
                client.socket.shutdown(socket.SHUT_WR)
                client.closed()
        self.good_request(site)
        self.assertIsNone(site.receiver.poll())
        self.assertEqual(site.show(alert_id)["id"], alert_id)

    def test_too_few_descriptors_end_nothing(self):
        site = Site(self)
        site.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
        with contextlib.ExitStack() as stack:
            for _ in range(200):
                stack.enter_context(FastCgi(site.socket))
        self.good_request(site)
        self.assertIsNone(site.receiver.poll())

    def test_closed_standard_descriptors_do_no_harm(self):
        site = Site(self)
        site.start(close_fds=True, preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
        self.good_request(site)
        self.assertEqual(site.stop(), 0)


class Load(AtOnce):
    """Posts from several threads, as many as more() asks for; remembers every id that was answered 200."""

    def __init__(self, site):
        super().__init__(threading.Event(), *(functools.partial(self.work, n) for n in range(8)))
        self.site, self.accepted, self.lock, self.goal = site, {}, threading.Lock(), 0
        self.refused = []

    def work(self, lane):
        while not self.stopping.is_set():
            if len(self.accepted) >= self.goal:
                self.stopping.wait(0.005)
                continue
            with self.lock:
                body = alert(name=f"lane{lane}")
            try:
                answer = self.site.post(body)
            except (ConnectionError, FileNotFoundError, TimeoutError):
                self.stopping.wait(0.005)
                continue
            with self.lock:
                if answer.status == 200:
                    self.accepted[answer.id] = body
                else:
                    self.refused.append(answer)

    def more(self, count):
        """Returns when half of them are accepted: what follows happens under load."""
        begun = len(self.accepted)
        self.goal = begun + count
        eventually(lambda: len(self.accepted) >= begun + count // 2,
                   lambda: f"{count} more accepted\n{self.site.log()[-2000:]}", 30)


class Kills(unittest.TestCase):
    def every_accepted_one_came_out(self, site, load):
        eventually(lambda: site.list("--state", "pending", "--limit", 1) + site.list("--state", "running", "--limit", 1)
                   == [], lambda: f"drained\n{site.log()[-3000:]}", 60)
        runs = site.runs("act")
        first_runs = {i for i, _ in runs}
        self.assertEqual(set(load.accepted) - first_runs, set(), "accepted and never run")
        self.assertEqual(list((site.dir / "runs").glob("*.again")), [], "an attempt ran twice under one number")
        logged = {alert_id for alert_id, _, _ in tries_of(site.syslog.lines)}
        self.assertEqual(set(load.accepted) - logged, set(), "accepted and never logged")
        for alert_id, body in list(load.accepted.items())[::20]:
            self.assertEqual(site.verb("show", alert_id, "--raw").strip().encode(), body)

    def site(self):
        site = Site(self)
        site.write_config(actions=site.command_action("act", "", "parallel = 4") + site.log_action())
        site.syslog.start()
        return site.start()

    def test_a_receiver_that_is_killed_under_load_loses_nothing(self):
        site = self.site()
        with Load(site) as load:
            for _ in range(4):
                load.more(100)
                site.receiver.kill()
                site.receiver.wait()
                site.start()
        self.every_accepted_one_came_out(site, load)

    def test_a_deliverer_that_is_killed_under_load_loses_nothing(self):
        site = self.site()
        with Load(site) as load:
            killed = 0
            while killed < 4:
                load.more(60)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(site.deliverer_pid(), signal.SIGKILL)
                    killed += 1
        self.every_accepted_one_came_out(site, load)

    def test_a_stopped_site_under_load_loses_nothing_and_exits_0(self):
        site = self.site()
        with Load(site) as load:
            for _ in range(3):
                load.more(100)
                self.assertEqual(site.stop(), 0, site.log()[-2000:])
                site.start()
        self.every_accepted_one_came_out(site, load)


class Stops(unittest.TestCase):
    def test_term_answers_the_request_in_flight(self):
        site = Site(self).start()
        body = alert()
        whole = FastCgi.request(body)
        with FastCgi(site.socket) as client:
            client.send(whole[:-20])
            site.receiver.terminate()
            client.send(whole[-20:])
            self.assertEqual(client.answer().text, "accepted 1")
        self.assertEqual(site.receiver.wait(10), 0)

    def test_term_answers_what_it_has_not_accepted_yet(self):
        site = Site(self).start()
        site.receiver.send_signal(signal.SIGSTOP)
        with FastCgi(site.socket) as client, FastCgi(site.socket) as silent:
            client.send(FastCgi.request(alert()))
            site.receiver.terminate()
            site.receiver.send_signal(signal.SIGCONT)
            self.assertEqual(client.answer().text, "accepted 1")
            self.assertTrue(silent.closed())
        self.assertEqual(site.receiver.wait(10), 0)

    def test_idle_kept_connections_do_not_hold_the_stop_up(self):
        site = Site(self).start()
        with contextlib.ExitStack() as stack:
            for _ in range(64):
                stack.enter_context(FastCgi(site.socket)).ask(method="GET", keep=True)
            self.assertEqual(site.stop(), 0)

    def test_a_silent_connection_does_not_hold_the_stop_up(self):
        site = Site(self).start()
        with FastCgi(site.socket) as silent, FastCgi(site.socket) as half:
            half.send(FastCgi.begin())
            self.assertEqual(site.stop(), 0)
            self.assertTrue(silent.closed())

    def test_a_restart_on_a_socket_that_stays_fails_no_request_of_nginx(self):
        site = Site(self, nginx=True, handover=True).start()
        with Load(site) as load:
            for _ in range(5):
                load.more(400)
                self.assertEqual(site.stop(), 0)
                site.start(wait=False)
        self.assertEqual(load.refused, [])

    def test_int_stops_too(self):
        site = Site(self).start()
        site.receiver.send_signal(signal.SIGINT)
        self.assertEqual(site.receiver.wait(10), 0)

    def test_a_stale_socket_is_replaced_and_a_living_one_refused(self):
        site = Site(self).start()
        done = subprocess.run([PROGRAM, "serve", "--config", str(site.config)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 69)
        self.assertIn(str(site.socket), done.stderr)
        self.assertEqual(site.accepted(alert()), 1)
        site.receiver.kill()
        site.receiver.wait()
        self.assertTrue(site.socket.exists())
        site.start()
        self.assertEqual(oct(site.socket.stat().st_mode & 0o777), oct(0o660))

    def test_a_path_that_is_no_socket_is_refused(self):
        site = Site(self)
        site.socket.write_text("mine")
        done = subprocess.run([PROGRAM, "serve", "--config", str(site.config)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=20)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(site.socket.read_text(), "mine")


class Spool(unittest.TestCase):
    def refused_and_kept(self, site, content):
        """Callbacks are answered 503 or the start is refused; the file is what it was."""
        site.start(wait=False)
        eventually(lambda: site.receiver.poll() is not None or site.listens(), "ended or listening")
        if site.receiver.poll() is None:
            self.assertEqual(site.post(alert()).status, 503)
        else:
            self.assertNotEqual(site.receiver.returncode, 0)
        self.assertIn("spool.db", site.log())
        self.assertEqual(site.spool.read_bytes(), content)
        self.assertIn(site_status(site), (1, 2, 69, 70))

    def test_an_empty_file_is_refused_and_not_replaced(self):
        site = Site(self)
        site.spool.write_bytes(b"")
        self.refused_and_kept(site, b"")

    def test_a_file_that_is_no_spool_is_refused_and_not_replaced(self):
        for content in (b"x" * 8192, b"SQLite format 3\0" + b"\xff" * 8176):
            site = Site(self)
            site.spool.write_bytes(content)
            self.refused_and_kept(site, content)

    def test_a_spool_with_a_damaged_header_is_refused(self):
        site = Site(self).start()
        site.accepted(alert())
        site.stop()
        data = bytearray(site.spool.read_bytes())
        data[0:32] = b"\0" * 32
        site.spool.write_bytes(data)
        self.refused_and_kept(site, bytes(data))

    def test_a_foreign_database_is_refused(self):
        site = Site(self)
        with contextlib.closing(sqlite3.connect(site.spool)) as other:
            other.execute("create table mine (x)")
            other.commit()
        self.refused_and_kept(site, site.spool.read_bytes())

    def test_a_newer_schema_is_refused(self):
        site = Site(self).start()
        site.accepted(alert())
        site.stop()
        with contextlib.closing(sqlite3.connect(site.spool)) as spool:
            for (table,) in spool.execute("select name from sqlite_master where name like '%meta%' and type = 'table'"):
                columns = [row[1] for row in spool.execute(f"pragma table_info({table})")]
                for column in columns:
                    spool.execute(f"update {table} set {column} = 999 where typeof({column}) = 'integer' "
                                  f"or {column} glob '[0-9]*'")
            spool.execute("pragma user_version = 999")
            spool.commit()
            spool.execute("pragma wal_checkpoint(truncate)")
        self.refused_and_kept(site, site.spool.read_bytes())

    def test_a_missing_directory_is_503_until_it_is_there(self):
        site = Site(self)
        site.spool.parent.rmdir()
        site.start(wait=False)
        eventually(lambda: site.receiver.poll() is not None or site.listens(), "ended or listening")
        if site.receiver.poll() is not None:
            self.assertNotEqual(site.receiver.returncode, 0)
            self.assertIn(str(site.spool.parent), site.log())
            return
        self.assertEqual(site.post(alert()).status, 503)
        site.spool.parent.mkdir()
        eventually(lambda: site.post(alert()).status == 200, lambda: f"healed\n{site.log()}")

    def test_a_lock_that_is_held_is_503_in_time_and_heals(self):
        site = Site(self).start()
        site.accepted(alert())
        with hold_writer_lock(site):
            with FastCgi(site.socket, timeout=8) as client:
                begun = time.monotonic()
                answer = client.ask(alert())
                self.assertEqual(answer.status, 503)
                self.assertIn("Retry-After", answer.headers)
                self.assertLess(time.monotonic() - begun, 5, "the sender would have given up")
        eventually(lambda: site.post(alert()).status == 200, lambda: f"healed\n{site.log()}")

    def test_a_stopped_lock_holder_is_survived(self):
        site = Site(self, settings="deliver = no").start()
        site.syslog.start()
        deliverer = site.start_deliverer()
        site.until_state(site.accepted(alert()), "delivered")
        deliverer.send_signal(signal.SIGSTOP)
        body = alert()
        first = site.post(body)
        self.assertIn(first.status, (200, 503))
        deliverer.send_signal(signal.SIGCONT)
        eventually(lambda: site.post(body).status == 200, "healed")

    def test_a_full_disk_is_503_and_heals(self):
        site = Site(self)
        with small_disk(self, site.spool.parent, "100m"):
            site.start()
            site.accepted(alert())
            filler = site.spool.parent / "filler"
            with open(filler, "wb", buffering=0) as out, contextlib.suppress(OSError):
                while out.write(b"\0" * 65536):
                    pass
            body = alert()
            answer = site.post(body)
            self.assertEqual(answer.status, 503)
            with FastCgi(site.socket) as probe:
                self.assertEqual(probe.ask(method="GET").status, 503)
            filler.unlink()
            eventually(lambda: site.post(body).status == 200, lambda: f"healed\n{site.log()}")
            site.stop()

    def test_a_disk_that_runs_full_at_the_sync_is_503_and_heals(self):
        """The floor of free space is out of the way: SQLite itself meets ENOSPC."""
        site = Site(self)
        limit = 200_000
        site.start(preexec_fn=lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
                                       resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))))
        accepted = []
        def full():
            answer = site.post(alert(text="x" * 20000))
            if answer.status == 200:
                accepted.append(answer.id)
            return answer.status == 503
        eventually(full, "full")
        self.assertIsNone(site.receiver.poll())
        resource.prlimit(site.receiver.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        eventually(lambda: site.post(alert()).status == 200, lambda: f"healed\n{site.log()[-2000:]}")
        self.assertEqual([i for i in accepted if site.show(i)["id"] != i], [])

    def test_a_spool_with_too_many_waiting_is_503_until_they_end(self):
        site = Site(self, settings="max-waiting = 3").start()
        statuses = [site.post(alert()).status for _ in range(6)]
        self.assertEqual(statuses[0], 200)
        self.assertEqual(statuses[-1], 503)
        site.syslog.start()
        eventually(lambda: site.post(alert()).status == 200, "room again")
        self.assertIn("max-waiting", site.log())

    def test_nothing_is_found_wrong_after_two_processes_wrote_together(self):
        site = Site(self, settings="deliver = no").start()
        site.syslog.start()
        deliverer = site.start_deliverer()
        with Load(site) as load:
            for _ in range(5):
                load.more(120)
                site.verb("retry", *list(load.accepted)[:3])
        eventually(lambda: site.list("--state", "pending", "--limit", "1") == [], "drained", 30)
        deliverer.terminate()
        deliverer.wait(10)
        site.stop()
        with contextlib.closing(sqlite3.connect(site.spool)) as spool:
            self.assertEqual(spool.execute("pragma integrity_check").fetchone(), ("ok",))


class Reloads(unittest.TestCase):
    def reload(self, site, event):
        before = site.log().count(event)
        site.receiver.send_signal(signal.SIGHUP)
        eventually(lambda: site.log().count(event) > before, lambda: f"{event}\n{site.log()}")

    def test_a_good_file_takes_effect(self):
        site = Site(self, settings="allow = 10.0.0.1").start()
        self.assertEqual(site.post(alert()).status, 403)
        site.write_config(settings="allow = 127.0.0.1")
        site.receiver.send_signal(signal.SIGHUP)
        eventually(lambda: site.post(alert()).status == 200, lambda: f"reloaded\n{site.log()}")

    def test_a_new_action_is_delivered_to_after_a_reload(self):
        site = Site(self).start()
        site.syslog.start()
        site.until_state(site.accepted(alert()), "delivered")
        site.write_config(actions=site.command_action("act", ""))
        site.receiver.send_signal(signal.SIGHUP)
        def ran():
            site.accepted(alert())  # one that the old file still gave to `log` waits for that action to return
            return site.runs("act")
        eventually(ran, lambda: f"the new action runs\n{site.log()}")

    def test_a_bad_file_keeps_the_old_one_and_status_says_so(self):
        site = Site(self).start()
        good = site.config.read_text()
        site.config.write_text(good + "nonsense = 1\n")
        site.receiver.send_signal(signal.SIGHUP)
        eventually(lambda: "nonsense" in site.log(), "logged")
        site.accepted(alert())
        site.config.write_text(good)  # status itself reads the file; what runs is stale all the same
        eventually(lambda: "stale" in site.verb("status", expect=None), lambda: f"status says it\n{site.log()}")
        site.receiver.send_signal(signal.SIGHUP)
        eventually(lambda: "stale" not in site.verb("status", expect=None), "mended")


def memory_peak(site):
    """The most that the receiver ever had in memory, in bytes (proc(5), VmHWM)."""
    with open(f"/proc/{site.receiver.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def site_status(site):
    return subprocess.run([PROGRAM, "status", "--config", str(site.config)], capture_output=True).returncode


@contextlib.contextmanager
def hold_writer_lock(site):
    """Holds the byte that every writer of the spool takes (src/base/file_lock.h), as another process would."""
    writer = 1
    [path] = [p for p in site.spool.parent.iterdir() if "lock" in p.name]
    request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, writer, 1, 0)
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(fd, 38, request)  # F_OFD_SETLKW, fcntl(2): Python 3.11 has no name for it
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def small_disk(test, path, size):
    if os.geteuid() != 0:
        test.skipTest("a small disk needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True)
    if done.returncode != 0:
        test.skipTest(f"no tmpfs: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


if __name__ == "__main__":
    unittest.main()
