"""Behind the real Apache, each way that apache-conf ships: mod_proxy_fcgi, mod_fcgid, CGI (mod_cgid). The files are used
as they are but for paths, in a virtual host that has a log of its own."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import unittest

from harness import PROGRAM, ROOT, Site, alert, captured_callbacks, eventually, free_port

APACHE = shutil.which("apache2", path=os.environ.get("PATH", "") + ":/usr/sbin")
MODULES = pathlib.Path("/usr/lib/apache2/modules")
LOADED = ["mpm_event", "authz_core", "env", "setenvif", "alias", "remoteip", "reqtimeout"]
SECRET = "s3cr3t-s3cr3t-s3cr3t"


class Way:
    """What has to work whichever way it is."""

    shipped = ""
    modules = []
    service = False  # a receiver of our own, which Apache does not start
    chunked = 200

    def site(self, settings="", actions=lambda site: ""):
        root = os.geteuid() == 0  # Apache's children are www-data then
        site = Site(self, settings=("listen-group = www-data\n" if root else "") + settings)
        if root:
            site.dir.chmod(0o711)
            shutil.chown(site.spool.parent, "www-data")
            shutil.chown(site.dir / "runs", "www-data")
        site.write_config(actions=actions(site))
        site.syslog.start()
        site.syslog.path.chmod(0o666)
        program = self.program(site)
        site.port = free_port()
        text = (ROOT / "apache-conf" / self.shipped).read_text()
        for path, here in (("/run/alertspool/alertspool.sock", site.socket), ("/usr/lib/cgi-bin/alertspool.cgi", program)):
            text = text.replace(path, str(here))
        config = site.dir / "apache.conf"
        config.write_text(
            "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in LOADED + self.modules)
            + ("User www-data\nGroup www-data\n" if root else "")
            + f"Define APACHE_LOG_DIR {site.dir}\nServerName 127.0.0.1\nListen 127.0.0.1:{site.port}\n"
            f"PidFile {site.dir}/apache.pid\nErrorLog {site.dir}/apache-error.log\nDefaultRuntimeDir {site.dir}\n"
            f"Mutex posixsem\nSetEnv ALERTSPOOL_CONFIG {site.config}\n" + self.own_settings(site)
            + f'<VirtualHost *>\nCustomLog {site.dir}/access.log "%r" env=!alertspool\n{text}</VirtualHost>\n')
        self.start_apache(site)
        return site.start() if self.service else site

    def start_apache(self, site):
        with open(site.dir / "apache-out", "wb") as out:
            site.apache = subprocess.Popen([APACHE, "-f", str(site.dir / "apache.conf"), "-D", "FOREGROUND"],
                                           stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.addCleanup(site.stop_process, site.apache)
        eventually(lambda: site.nginx_listens() or site.apache.poll() is not None, "Apache listens")
        self.assertIsNone(site.apache.poll(), (site.dir / "apache-out").read_text())

    def program(self, site):
        """What Apache starts, where www-data may go, wherever the checkout is."""
        return shutil.copy(PROGRAM, site.dir / "alertspool.cgi")

    def own_settings(self, site):
        return ""

    def test_every_captured_body_comes_out_as_a_line(self):
        site = self.site()
        for name, kind, body in captured_callbacks():
            with self.subTest(name):
                alert_id = site.accepted(body, content_type=kind)
                site.until_state(alert_id, "delivered")
                self.assertEqual(len(site.syslog.of(alert_id)), 1)
                self.assertEqual(site.show(alert_id)["remote_addr"], "127.0.0.1")

    def test_listed_addresses_and_tokens_only(self):
        site = self.site(f"token-file = {self.token_file()}")
        for source, query, status in (("127.0.0.1", f"token={SECRET}", 200), ("127.0.0.2", f"token={SECRET}", 403),
                                      ("127.0.0.1", "token=guess", 403), ("127.0.0.1", "", 403)):
            with self.subTest(f"{source} {query}"):
                self.assertEqual(site.http("POST", alert(), query, source=source).status, status)
        self.assertEqual(len(site.list()), 1)

    def token_file(self):
        path = pathlib.Path("/tmp") / f"as-token-{os.getpid()}-{type(self).__name__}"
        self.addCleanup(path.unlink)
        path.write_text(f"ops {SECRET}\n")
        if os.geteuid() == 0:
            shutil.chown(path, "www-data")
        path.chmod(0o600)
        return path

    def test_test_button_and_headers_that_pass_for_ours(self):
        site = self.site()
        self.assertEqual(site.http("GET", source="127.0.0.2").text, "ready")
        self.assertEqual(site.accepted(alert(), headers={"Proxy": "http://evil", "X-Forwarded-For": "10.0.0.1"}), 1)
        self.assertEqual(site.show(1)["remote_addr"], "127.0.0.1")

    def test_bodies_without_a_length(self):
        site = self.site()
        body = alert()
        self.assertEqual(site.http("POST", iter([body[:20], body[20:]])).status, self.chunked)

    def test_a_body_that_is_too_large_is_refused(self):
        site = self.site()
        site.accepted(alert())
        self.assertEqual(site.http("POST", alert(x="y" * 70_000)).status, 413)
        self.assertEqual(len(site.list()), 1)

    def test_aborted_bodies_store_nothing_and_hold_nobody(self):
        site = self.site()
        with contextlib.ExitStack() as stack:
            for _ in range(8):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", site.port)))
                client.sendall(b"POST /cloudmonitor HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n"
                               b"Content-Type: application/x-www-form-urlencoded\r\n\r\nalertName=cut")
            self.assertEqual(site.accepted(alert()), 1)
        self.assertEqual(site.accepted(alert(name="after")), 2)
        self.assertEqual(len(site.list()), 2)

    def test_no_log_has_the_token(self):
        site = self.site()
        site.accepted(alert(), query=f"token={SECRET}")
        log = site.dir / "alertspool.log"
        eventually(lambda: "/cloudmonitor" in log.read_text(), "Apache has logged")
        for each in site.dir.glob("*.log"):
            self.assertNotIn(SECRET, each.read_text(), each.name)

    def test_nothing_answered_200_is_lost_when_all_restarts_under_load(self):
        site = self.site()
        acknowledged, lock, enough = set(), threading.Lock(), threading.Event()

        def send(sender):
            for number in range(40):
                with contextlib.suppress(OSError):  # what Apache ends at its restart: the sender would try again
                    answer = site.http("POST", alert(name=f"n{sender}-{number}"))
                    if answer.status == 200:
                        with lock:
                            acknowledged.add(answer.id)
                            if len(acknowledged) > 30:
                                enough.set()

        senders = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
        for sender in senders:
            sender.start()
        self.assertTrue(enough.wait(30), (site.dir / "apache-error.log").read_text())
        if self.service:
            site.stop()
            site.start(wait=False)
        site.apache.send_signal(signal.SIGUSR1)
        for sender in senders:
            sender.join()
        last = site.accepted(alert(name="last")) if not self.service else eventually(
            lambda: (answer := site.http("POST", alert(name="last"))).status == 200 and answer.id, "works again")
        for alert_id in sorted(acknowledged | {last}):
            site.until_state(alert_id, "delivered")
            self.assertEqual(len(site.syslog.of(alert_id)), 1, alert_id)


@unittest.skipUnless(APACHE and MODULES.is_dir(), "no Apache (package apache2-bin)")
class ProxyFcgi(Way, unittest.TestCase):
    shipped = "alertspool.conf"
    modules = ["proxy", "proxy_fcgi"]
    service = True


@unittest.skipUnless((MODULES / "mod_fcgid.so").exists(), "no mod_fcgid (package libapache2-mod-fcgid)")
class Fcgid(Way, unittest.TestCase):
    shipped = "alertspool-fcgid.conf"
    modules = ["fcgid"]

    def program(self, site):
        script = site.dir / "fcgid-program"
        script.write_text(f"#!/bin/sh\nexec {super().program(site)} --config {site.config}\n")
        script.chmod(0o755)
        return script

    def own_settings(self, site):
        return f"FcgidIPCDir {site.dir}/fcgid\nFcgidProcessTableFile {site.dir}/fcgid.shm\n"

    def test_a_command_that_ends_with_its_process_is_run_again(self):
        site = self.site(actions=lambda site: site.command_action("page", "[ $ALERTSPOOL_ATTEMPT -gt 1 ] || sleep 600"))
        self.assertEqual(site.accepted(alert()), 1)
        eventually(site.runs, "the command runs")
        site.stop_process(site.apache)  # mod_fcgid: TERM, and KILL some seconds later
        self.start_apache(site)
        site.accepted(alert(name="another"))
        site.until_state(1, "delivered", seconds=60)
        self.assertIn((1, 2), site.runs())


@unittest.skipUnless(APACHE and MODULES.is_dir(), "no Apache (package apache2-bin)")
class Cgi(Way, unittest.TestCase):
    shipped = "alertspool-cgi.conf"
    modules = ["cgid"]
    chunked = 411

    def own_settings(self, site):
        return f"ScriptSock {site.dir}/cgid.sock\n"

    def test_query_strings_never_become_arguments(self):
        site = self.site()
        for n, query in enumerate(("", "drop+1", "--config%3D/x+drop", "--config+/nowhere", "status", "team=db"), 1):
            with self.subTest(query):
                answer = site.http("POST", alert(name=f"n{n}"), query=query)
                self.assertEqual(answer.text, f"accepted {n}", (site.dir / "apache-error.log").read_text())
        for alert_id in range(1, 7):
            site.until_state(alert_id, "delivered")


if __name__ == "__main__":
    unittest.main()
