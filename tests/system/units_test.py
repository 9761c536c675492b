"""The units of systemd/: understood by systemd, and enough for what they start (see cage.py)."""

import errno
import itertools
import mmap
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import cage
from harness import PROGRAM, ROOT, Site, alert, captured_callbacks, eventually


@unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze (package systemd)")
class Units(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="as-")
        self.addCleanup(folder.cleanup)
        self.units = []
        for unit in sorted((ROOT / "systemd").iterdir()):
            copy = pathlib.Path(folder.name) / unit.name
            copy.write_text(unit.read_text().replace("/usr/bin/alertspool", PROGRAM))
            self.units.append(str(copy))

    def analyze(self, *arguments):
        done = subprocess.run(["systemd-analyze", *arguments], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_are_understood(self):
        self.assertEqual(self.analyze("verify", "--man=no", *self.units), "")

    def test_the_receiver_may_do_little(self):
        receiver = next(unit for unit in self.units if unit.endswith("/alertspool.service"))
        self.analyze("security", "--offline=true", "--threshold=20", receiver)  # tenths: an exposure of 2.0


class Unit:
    """A service of systemd/ as its lines say, for a site of the test."""

    def __init__(self, name, site, *more):
        self.site = site
        site.dir.chmod(0o711)
        shutil.chown(site.spool.parent, cage.USER, cage.USER)
        site.spool.parent.chmod(0o770)
        shutil.chown(site.dir / "runs", cage.USER)
        self.program = str(site.dir / "alertspool")  # where its user may go
        if not os.path.exists(self.program):
            shutil.copy(PROGRAM, self.program)
        self.cage = cage.Cage(name, site.dir, *more)

    def execute(self, line, stdin=subprocess.DEVNULL):
        """Starts one Exec...= line."""
        words = shlex.split(line.lstrip("+"))
        if self.program in words:
            words += ["--config", str(self.site.config)]
        # A sanitizer looks for leaks by tracing, which the filter refuses.
        environment = {**self.site.environment, "LSAN_OPTIONS": "detect_leaks=0"}
        with open(self.site.dir / "log", "ab") as log:
            process = subprocess.Popen(words, env=environment, cwd="/", stdin=stdin, stdout=log, stderr=log,
                                       preexec_fn=None if line.startswith("+") else self.cage.enter)
        self.site.test.addCleanup(self.site.stop_process, process)
        return process

    def start(self, stdin=subprocess.DEVNULL):
        self.process = self.execute(*self.cage.values("ExecStart"), stdin)
        return self

    def reload(self):
        """The exit status of the first line that fails, which ends a reload; else 0."""
        for line in self.cage.values("ExecReload"):
            status = self.execute(line.replace("$MAINPID", str(self.process.pid))).wait(30)
            if status:
                return status
        return 0

    def try_out(self, attempts):
        """The errno of each of these functions in the cage, 0 when it succeeded; nothing more behind one that succeeded
        in executing another program."""
        def attempt(function):
            try:
                function()
                return 0
            except OSError as error:
                return error.errno

        def instead_of_a_program():
            self.cage.enter()
            for function in attempts:
                os.write(1, f"{attempt(function)} ".encode())
            os._exit(0)
        done = subprocess.run(["true"], preexec_fn=instead_of_a_program, stdout=subprocess.PIPE, check=True)
        return [int(number) for number in done.stdout.split()]


@unittest.skipIf(cage.WHY_NOT, cage.WHY_NOT)
class Receiver(unittest.TestCase):
    def unit(self, *more, **options):
        site = Site(self, settings="deliver = no", handover=True, **options)
        return Unit("alertspool.service", site, *more)

    def started(self, **options):
        unit = self.unit(**options)
        site = unit.site
        unit.start(site.listen())
        site.receiver = unit.process
        eventually(site.answers, lambda: f"receiver answers\n{site.log()}")
        return unit, site

    def test_accepts_every_captured_callback(self):
        _, site = self.started(nginx=True)
        for _, kind, body in captured_callbacks():
            site.accepted(body, content_type=kind)

    def test_reloads_and_stops(self):
        unit, site = self.started(nginx=True)
        site.accepted(alert())
        site.write_config("deliver = no\nuser-id = 5", site.command_action("page", ""))
        self.assertEqual(unit.reload(), 0, site.log())
        eventually(lambda: site.post(alert()).status == 403, "another account is refused")
        site.accepted(alert(userId="5"))
        self.assertEqual(site.stop(), 0, site.log())
        self.assertNotRegex(site.log(), "not permitted|denied|Read-only|not supported")

    def test_a_bad_file_fails_the_reload_and_changes_nothing(self):
        unit, site = self.started()
        good = site.config.read_text()
        site.config.write_text(good + "user-id = nobody\n")
        self.assertEqual(unit.reload(), 78)
        unit.process.send_signal(signal.SIGHUP)  # the line that systemd did not get to
        eventually(lambda: "the old configuration stays" in site.log(), lambda: f"the receiver keeps it\n{site.log()}")
        site.config.write_text(good)  # status reads it too
        eventually(lambda: "configuration stale" in site.verb("status", expect=None), "status says it")
        site.accepted(alert())
        self.assertEqual(unit.reload(), 0, site.log())
        eventually(lambda: "stale" not in site.verb("status", expect=None), "mended")

    def test_is_where_the_kernel_says_so(self):
        unit, _ = self.started()
        process = pathlib.Path(f"/proc/{unit.process.pid}")
        said = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
        none = "0" * 16
        for name, value in (("NoNewPrivs", "1"), ("Seccomp", "2"), ("CapPrm", none), ("CapEff", none),
                            ("CapBnd", none), ("CapAmb", none)):
            self.assertEqual(said[name], value, name)
        self.assertNotIn("0", said["Uid"].split() + said["Gid"].split() + said["Groups"].split())
        for namespace in ("net", "mnt", "user"):
            self.assertNotEqual(os.readlink(process / "ns" / namespace), os.readlink(f"/proc/self/ns/{namespace}"))
        self.assertRegex((process / "limits").read_text(), r"(?s)core file size +0 +0 .*open files +4096 +4096 ")

    def test_may_do_nothing_else(self):
        unit = self.unit()
        directory = unit.site.dir
        own = directory / "spool" / "own"
        others = tempfile.NamedTemporaryFile(dir="/tmp")
        self.addCleanup(others.close)

        def execute_its_own():
            own.write_text("#!/bin/sh\n")
            own.chmod(0o755)
            os.execv(own, ["own"])
        attempts = (
            ("execute a shell", lambda: os.execv("/bin/sh", ["sh", "-c", "true"]), errno.EACCES),
            ("execute what it wrote", execute_its_own, errno.EACCES),
            ("connect to the world", lambda: socket.socket(socket.AF_INET), errno.EAFNOSUPPORT),
            ("connect to the world", lambda: socket.socket(socket.AF_INET6), errno.EAFNOSUPPORT),
            ("talk to the kernel", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), errno.EAFNOSUPPORT),
            ("use a unix socket", lambda: socket.socket(socket.AF_UNIX).close(), 0),
            ("write code", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC), errno.EPERM),
            ("write elsewhere", lambda: (directory / "runs" / "x").touch(), errno.EROFS),
            ("write its spool", lambda: own.write_text("x"), 0),
            ("make a setgid file", lambda: own.chmod(0o2755), errno.EPERM),
            ("see homes", lambda: os.listdir("/home"), errno.EACCES),
            ("see devices", lambda: os.stat("/dev/kmsg"), errno.ENOENT),
            ("see processes of others", lambda: os.stat("/proc/1"), errno.ENOENT),
            ("see the kernel's settings", lambda: os.stat("/proc/sys"), errno.ENOENT),
            ("see temporary files of others", lambda: os.stat(others.name), errno.ENOENT),
            ("be root", lambda: os.setuid(0), errno.EPERM),
            ("make a namespace", lambda: cage.call("unshare", cage.CLONE_NEWUSER), errno.EPERM),
            ("fix its addresses", lambda: cage.call("personality", 0x0040000), errno.EPERM),
            ("mount", lambda: cage.mount("tmpfs", "/mnt", "tmpfs"), errno.EPERM),
            ("change its priority", lambda: os.nice(1), errno.EPERM),
        )
        results = unit.try_out([attempt for _, attempt, _ in attempts])
        for (name, _, expected), got in itertools.zip_longest(attempts, results, fillvalue=0):
            with self.subTest(name):
                self.assertEqual(errno.errorcode.get(got, got), errno.errorcode.get(expected, expected))

    def test_a_unit_that_forbids_what_is_needed_is_noticed(self):
        unit = self.unit(("SystemCallFilter", "~@io-event"))
        self.assertNotEqual(unit.start(unit.site.listen()).process.wait(10), 0, unit.site.log())

    def test_hands_alerts_to_the_unit_that_is_free(self):
        receiver = self.unit()
        site = receiver.site
        helper = shutil.copy(shutil.which("id"), site.dir / "helper")  # as mail systems have one
        shutil.chown(helper, group="mail")
        helper.chmod(0o2755)
        if os.statvfs(helper).f_flag & os.ST_NOSUID:
            self.skipTest(f"{site.dir} is mounted nosuid")
        site.write_config(actions=site.command_action("page", f"{helper} -gn; umask; ulimit -c"))
        deliverer = Unit("alertspool-deliver.service", site)
        receiver.start(site.listen())
        deliverer.start()
        [delivery] = site.until_state(site.accepted(alert()), "delivered")["deliveries"]
        self.assertEqual(delivery["output"].split(), ["mail", "0077", "0"])
        self.assertEqual(deliverer.reload(), 0, site.log())
        site.config.write_text("user-id = nobody\n")
        self.assertEqual(deliverer.reload(), 78)
        deliverer.process.terminate()
        self.assertEqual(deliverer.process.wait(15), 0, site.log())


if __name__ == "__main__":
    unittest.main()
