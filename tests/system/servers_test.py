"""Behind the real nginx, Apache and lighttpd: one list of what must happen, a class for each file that is shipped. The
files are used as they are but for addresses, ports and paths."""

import contextlib
import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
import unittest

from harness import NGINX, PROGRAM, ROOT, AtOnce, Balancer, Site, alert, captured_callbacks, eventually, free_port

PATH = os.environ.get("PATH", "") + ":/usr/sbin"
APACHE, LIGHTTPD = shutil.which("apache2", path=PATH), shutil.which("lighttpd", path=PATH)
MODULES = pathlib.Path("/usr/lib/apache2/modules")
SECRET = "s3cr3t-s3cr3t-s3cr3t"


class Server:
    """What must happen, whichever it is."""

    service = True  # a receiver of our own, which the web server does not start
    own_settings = ""
    listed, unlisted = "127.0.0.1", "127.0.0.2"
    chunked, far_too_large = 200, 413

    def site(self, settings=""):
        site = Site(self, settings=f"allow = {self.listed}\n{self.own_settings}{settings}")
        (site.dir / "tokens").write_text(f"console {SECRET}\n")
        (site.dir / "tokens").chmod(0o600)
        site.write_config(settings=site.settings.replace("TOKENS", f"token-file = {site.dir}/tokens"))
        site.syslog.start()
        self.start_server(site)
        return site.start() if self.service else site

    def sender(self, source, headers):
        """What makes site.http() send from there."""
        return {"source": source, "headers": headers}

    def request(self, site, method="POST", body=None, query="", source=None, headers=None, **more):
        return site.http(method, body, query, **self.sender(source or self.listed, headers or {}), **more)

    def accepted(self, site, body, **more):
        answer = self.request(site, body=body, **more)
        self.assertRegex(answer.text, r"^accepted \d+$", site.web_log())
        return answer.id

    def half_a_post(self, site, body):
        client = site.half_a_post(body, self.sender(self.listed, {})["headers"])
        self.addCleanup(client.close)
        return client

    def test_every_captured_body_comes_out_as_a_line(self):
        site = self.site()
        for name, kind, body in captured_callbacks():
            with self.subTest(name):
                alert_id = self.accepted(site, body, content_type=kind)
                site.until_state(alert_id, "delivered")
                self.assertEqual(len(site.syslog.of(alert_id)), 1)
                self.assertEqual(site.show(alert_id)["remote_addr"], self.listed)

    def test_listed_addresses_with_a_token_only_and_no_log_of_it(self):
        site = self.site("TOKENS")
        right, wrong = f"token={SECRET}", "token=guess"
        pretended = {name: self.listed for name in ("X-Forwarded-For", "X-Real-IP", "Client-IP")}
        for source, query, headers, status in (
                (self.listed, right, {}, 200), (self.listed, wrong, {}, 403), (self.listed, "", {}, 403),
                (self.unlisted, right, {}, 403), (self.unlisted, "", {}, 403), (self.unlisted, right, pretended, 403),
                (self.listed, right, {"Proxy": "http://evil"}, 200)):
            with self.subTest(f"{source} {query} {headers}"):
                self.assertEqual(self.request(site, "POST", alert(), query, source, headers).status, status)
        self.assertEqual([record["token"] for record in site.list()], ["console"] * 2)
        # The console's button comes from an address of its own, and stores nothing.
        self.assertEqual(self.request(site, "GET", source=self.unlisted).text, "ready")
        self.assertEqual(self.request(site, "HEAD", query=right, source=self.unlisted).status, 200)
        self.assertEqual(self.request(site, "GET", query=wrong).status, 403)
        self.assertEqual(len(site.list()), 2)
        self.restart(site)  # writes what a log has not written yet
        logs = "".join(path.read_text() for path in site.dir.glob("*.log"))
        self.assertIn("/cloudmonitor", logs)
        for text in (logs, site.web_log(), site.log(), site.verb("show", 1), site.verb("show", 1, "--json")):
            self.assertNotIn(SECRET, text)

    def test_a_body_without_a_length(self):
        site = self.site()
        body = alert()
        answer = self.request(site, body=iter([body[:20], body[20:]]))  # an iterator is sent in chunks
        self.assertEqual(answer.status, self.chunked)
        if self.chunked == 200:
            self.assertEqual(site.verb("show", answer.id, "--raw").strip(), body.decode())

    def test_a_body_that_is_too_large_is_refused(self):
        site = self.site()
        self.accepted(site, alert())
        for size, status in ((70_000, 413), (300_000, self.far_too_large)):
            self.assertEqual(self.request(site, body=alert(x="y" * size)).status, status)
        self.accepted(site, alert())
        self.assertEqual(len(site.list()), 2)

    def test_aborted_bodies_store_nothing_and_hold_nobody(self):
        site = self.site()
        for client in [self.half_a_post(site, alert(name="cut")) for _ in range(8)]:
            client.close()
        self.assertEqual(self.accepted(site, alert()), 1)
        self.assertEqual(self.accepted(site, alert()), 2)
        self.assertEqual(len(site.list()), 2)

    def test_nothing_answered_200_is_lost_when_all_restarts_under_load(self):
        site = self.site()
        acknowledged, enough = set(), threading.Event()

        def send(sender):
            while not enough.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException):  # the sender would try again
                    answer = self.request(site, body=alert(name=f"n{sender}"))
                    if answer.status == 200:
                        acknowledged.add(answer.id)

        def some_more():
            already = len(acknowledged)
            eventually(lambda: len(acknowledged) > already + 20, lambda: f"works\n{site.log()}{site.web_log()}")

        with AtOnce(enough, *(functools.partial(send, sender) for sender in range(4))):
            some_more()
            if self.service:
                site.stop()
                site.start(wait=False)
                some_more()
            self.restart(site)
            some_more()
        self.accepted(site, alert())  # as CGI nothing runs what waits before another callback

        def waiting():
            records = {record["id"]: record["state"] for record in site.list("--limit", 100_000)}
            return {i for i in acknowledged if records.get(i) != "delivered"}
        eventually(lambda: not waiting(), lambda: f"delivered: {waiting()}\n{site.log()}", 30)
        self.assertEqual([i for i in acknowledged if not site.syslog.of(i)], [])

    def restart(self, site):
        site.restart_web()


class Nginx(Server):
    shipped = True  # the snippets, in a server of the test

    def start_server(self, site):
        site.nginx = self.shipped
        site.start_nginx()


@unittest.skipUnless(NGINX, "no nginx")
class NginxSnippets(Nginx, unittest.TestCase):
    pass


@unittest.skipUnless(NGINX, "no nginx")
class NginxServer(Nginx, unittest.TestCase):
    shipped = "server"

    def start_server(self, site):
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-subj", "/CN=alerts.example.com", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", site.dir / "privkey.pem", "-out", site.dir / "fullchain.pem"], stderr=subprocess.PIPE)
        self.assertEqual(made.returncode, 0, made.stderr)
        site.tls = ssl.create_default_context(cafile=site.dir / "fullchain.pem")
        super().start_server(site)

    def test_nothing_else_is_served(self):
        site = self.site()
        for path in ("/", "/cloudmonitor/x"):
            self.assertEqual(self.request(site, body=alert(), path=path).status, 404)


@unittest.skipUnless(NGINX, "no nginx")
class NginxBalancer(Nginx, unittest.TestCase):
    """We are the balancer, which appends whom it talks to."""

    shipped = "balancer"
    listed, unlisted = "47.74.206.1", "10.0.0.1"

    def sender(self, source, headers):
        chain = [headers["X-Forwarded-For"]] if "X-Forwarded-For" in headers else []
        return {"headers": {**headers, "X-Forwarded-For": ", ".join(chain + [source])}}

    def test_the_last_address_that_is_no_balancer_counts(self):
        site = self.site()
        self.accepted(site, alert(), headers={"X-Forwarded-For": self.unlisted})
        self.accepted(site, alert(), headers={"X-Forwarded-For": self.listed}, source="192.0.2.11")

    def test_nobody_else_says_whose_address_it_is(self):
        site = self.site()
        answer = site.http("POST", alert(), headers={"X-Forwarded-For": self.listed}, source="127.0.0.2")
        self.assertEqual(answer.status, 403)


@unittest.skipUnless(NGINX, "no nginx")
class ManySpools(unittest.TestCase):
    """docs/scaling.md"""

    def test_all_of_an_alarm_meets_the_same_spool(self):
        sites = [Site(self, "deliver = no\nallow = 127.0.0.2\n", nginx="balancer").start() for _ in range(2)]
        balancer = Balancer(self, "scaling.md", sites)
        send = lambda body, **more: balancer.post(body, source="127.0.0.2", **more).text.split()[0]
        for n in range(20):
            event = {"product": "ECS", "name": "Instance:Failure", "resourceId": f"acs:ecs:cn:1:instance/i-{n}"}
            for state in ("ALERT", "OK"):
                self.assertEqual(send(alert(f"{state}{n}", state, ruleId=f"rule{n}")), "accepted")
                self.assertEqual(send(alert(f"load{n}", state, ruleId="")), "accepted")
                kind = {"content_type": "application/json"}
                self.assertEqual(send(json.dumps({**event, "status": state}, indent=1).encode(), **kind), "accepted")
            repeated = alert(f"disk{n}", lastTime="1") + b"&signature="
            self.assertEqual([send(repeated + b"a"), send(repeated + b"b")], ["accepted", "duplicate"])
        one, two = ({found["alarm"] for found in site.list("--limit", 200)} for site in sites)
        self.assertEqual(len(one) + len(two), 80)
        self.assertTrue(one and two and not one & two)


class Apache(Server):
    if os.geteuid() == 0:  # its children are www-data then
        own_settings = "listen-group = www-data\n"

    def start_server(self, site):
        root = os.geteuid() == 0
        if root:
            site.dir.chmod(0o711)
            for path in (site.spool.parent, site.dir / "runs", site.dir / "tokens"):
                shutil.chown(path, "www-data")
        site.syslog.path.chmod(0o666)
        site.port = free_port()
        text = self.text().replace("/run/alertspool/alertspool.sock", str(site.socket))
        text = text.replace("/usr/lib/cgi-bin/alertspool.cgi", str(self.program(site)))
        modules = ["mpm_event", "authz_core", "env", "setenvif", "alias", "remoteip", "reqtimeout", *self.modules]
        config = site.dir / "apache.conf"
        config.write_text(
            "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in modules)
            + ("User www-data\nGroup www-data\n" if root else "")
            + f"Define APACHE_LOG_DIR {site.dir}\nServerName 127.0.0.1\nListen 127.0.0.1:{site.port}\n"
            f"PidFile {site.dir}/apache.pid\nErrorLog {site.dir}/apache-error.log\nDefaultRuntimeDir {site.dir}\n"
            f"Mutex posixsem\nSetEnv ALERTSPOOL_CONFIG {site.config}\n" + self.paths(site)
            + f'<VirtualHost *>\nCustomLog {site.dir}/access.log "%r" env=!alertspool\n{text}</VirtualHost>\n')
        self.assertTrue(site.start_web(APACHE, "-f", str(config), "-D", "FOREGROUND", process_group=0), site.web_log())

    def text(self):
        return (ROOT / "apache-conf" / self.shipped).read_text()

    def program(self, site):
        """What Apache starts, where www-data may go, wherever the checkout is."""
        return shutil.copy(PROGRAM, site.dir / "alertspool.cgi")

    def paths(self, site):
        return ""

    def test_the_commented_lines_for_a_balancer(self):
        shipped = self.text()
        self.text = lambda: re.sub(r"(?m)^#(RemoteIP)", r"\1", shipped).replace("192.0.2.10", "127.0.0.1")
        site = self.site("allow = 47.74.206.1\n")
        for source, forwarded, status in (("127.0.0.1", "10.0.0.1, 47.74.206.1", 200),
                                          ("127.0.0.1", "47.74.206.1, 10.0.0.1", 403),
                                          ("127.0.0.2", "47.74.206.1", 403)):
            with self.subTest(f"{source} {forwarded}"):
                answer = site.http("POST", alert(), headers={"X-Forwarded-For": forwarded}, source=source)
                self.assertEqual(answer.status, status)

    def restart(self, site):
        """Killed with all that it started: under load TERM often takes 10 s, since processes of mod_cgid and mod_fcgid
        wait for one that has gone before them."""
        os.killpg(site.web.pid, signal.SIGKILL)
        site.restart_web(process_group=0)


@unittest.skipUnless(APACHE and MODULES.is_dir(), "no Apache (package apache2-bin)")
class ApacheProxy(Apache, unittest.TestCase):
    shipped, modules = "alertspool.conf", ("proxy", "proxy_fcgi")


@unittest.skipUnless(APACHE and MODULES.is_dir(), "no Apache (package apache2-bin)")
class ApacheCgi(Apache, unittest.TestCase):
    shipped, modules = "alertspool-cgi.conf", ("cgid",)
    service = False
    chunked = 411

    def paths(self, site):
        return f"ScriptSock {site.dir}/cgid.sock\n"

    def test_query_strings_never_become_arguments(self):
        site = self.site()
        for n, query in enumerate(("", "drop+1", "--config%3D/x+drop", "--config+/nowhere", "status", "team=db"), 1):
            with self.subTest(query):
                self.assertEqual(self.accepted(site, alert(), query=query), n)
        for alert_id in range(1, 7):
            site.until_state(alert_id, "delivered")


@unittest.skipUnless(APACHE and (MODULES / "mod_fcgid.so").exists(), "no mod_fcgid (package libapache2-mod-fcgid)")
class ApacheFcgid(Apache, unittest.TestCase):
    shipped, modules = "alertspool-fcgid.conf", ("fcgid",)
    service = False
    far_too_large = 500
    ends_idle = False  # as soon as it can, and the last one too

    def text(self):
        return super().text().replace(*("PerClass 1", "PerClass 0") if self.ends_idle else ("", ""))

    def paths(self, site):
        return (f"FcgidIPCDir {site.dir}/fcgid\nFcgidProcessTableFile {site.dir}/fcgid.shm\n"
                + ("FcgidIdleTimeout 1\nFcgidIdleScanInterval 1\nFcgidErrorScanInterval 1\n" if self.ends_idle else ""))

    def program(self, site):
        script = site.dir / "fcgid-program"
        script.write_text(f"#!/bin/sh\nexec {super().program(site)} --config {site.config}\n")
        script.chmod(0o755)
        return script

    def site_with_a_command_whose_process_was_ended(self, script):
        self.ends_idle = True
        site = self.site()
        site.write_config(actions=site.command_action("page", script))
        self.assertEqual(self.accepted(site, alert()), 1)
        eventually(site.runs, "the command runs")
        eventually(lambda: not self.processes(site), "mod_fcgid ends the idle process, with TERM and with KILL")
        return site

    @staticmethod
    def processes(site):
        found, program = [], f"{site.dir}/alertspool.cgi".encode()
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has just ended
                found += [path] if (path / "cmdline").read_bytes().startswith(program) else []
        return found

    def test_a_command_that_ends_soon_after_its_process_is_not_run_again(self):
        site = self.site_with_a_command_whose_process_was_ended(
            "trap '' TERM; while [ ! -e $0.go ]; do sleep 0.05; done")
        self.assertIn("sending SIGKILL", site.web_log())
        (site.dir / "page.go").touch()
        site.until_state(1, "delivered")
        self.assertEqual(site.runs(), [(1, 1)])

    def test_a_command_that_ends_with_its_process_is_run_again(self):
        site = self.site_with_a_command_whose_process_was_ended("[ $ALERTSPOOL_ATTEMPT -gt 1 ] || sleep 600")

        def delivered():
            self.accepted(site, alert(name="another"))
            return site.show(1)["state"] == "delivered"
        eventually(delivered, site.web_log, 60)
        self.assertEqual(site.runs(alert_id=1), [(1, 1), (1, 2)])


@unittest.skipUnless(LIGHTTPD, "no lighttpd")
class Lighttpd(Server, unittest.TestCase):
    def start_server(self, site):
        site.port = free_port()
        shipped = (ROOT / "examples" / "lighttpd-alertspool.conf").read_text()
        config = site.dir / "lighttpd.conf"
        config.write_text(f'server.port = {site.port}\nserver.bind = "127.0.0.1"\n'
                          f'server.document-root = "{site.dir}"\nserver.errorlog = "{site.dir}/lighttpd-error.log"\n'
                          + shipped.replace("/run/alertspool/alertspool.sock", str(site.socket))
                          .replace("/var/log/lighttpd", str(site.dir)))
        self.assertTrue(site.start_web(LIGHTTPD, "-D", "-f", str(config)), site.web_log())


class SlowBodies(unittest.TestCase):
    def test_slow_ones_are_taken_stalled_ones_ended_and_others_served_meanwhile(self):
        sites = []  # all servers at once, since their limits are seconds
        for kind in (NginxSnippets, NginxServer, NginxBalancer, ApacheProxy, ApacheCgi, ApacheFcgid, Lighttpd):
            if not getattr(kind, "__unittest_skip__", False):
                server = kind("site")  # for what it has of a test
                self.addCleanup(server.doCleanups)
                sites.append((server, server.site()))
        body = alert(name="slow")
        stalled = [server.half_a_post(site, alert(name="stalled")) for server, site in sites]
        slow = [server.half_a_post(site, body) for server, site in sites]
        for start in range(len(body) // 2, len(body), 20):
            time.sleep(0.1)  # the sender's pace
            for client in slow:
                client.sendall(body[start:start + 20])
        for client, (server, site) in zip(slow, sites):
            with self.subTest(type(server).__name__):
                self.assertRegex(client.recv(4096).decode(), r"^HTTP/1.1 200 ")
                start = time.monotonic()
                server.accepted(site, alert(name="other"))
                self.assertLess(time.monotonic() - start, 2)
        for client, (server, site) in zip(stalled, sites):
            with self.subTest(type(server).__name__):
                self.assertNotRegex(client.recv(4096).decode(), r"^HTTP/1.1 200 ")
                names = [record["fields"].get("alertName") for record in site.list()]
                self.assertEqual(sorted(names), ["other", "slow"])


if __name__ == "__main__":
    unittest.main()
