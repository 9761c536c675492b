"""Behind the real Apache: the shipped apache-conf (mod_proxy_fcgi), and as its CGI program (mod_cgid)."""

import os
import pathlib
import shutil
import subprocess
import unittest

from harness import PROGRAM, ROOT, Site, alert, captured_callbacks, eventually, free_port

APACHE = shutil.which("apache2", path=os.environ.get("PATH", "") + ":/usr/sbin")
MODULES = pathlib.Path("/usr/lib/apache2/modules")
LOADED = ["mpm_event", "authz_core", "env", "setenvif", "alias", "proxy", "proxy_fcgi", "cgid", "remoteip"]


@unittest.skipUnless(APACHE and MODULES.is_dir(), "no Apache (package apache2-bin)")
class Apache(unittest.TestCase):
    def site(self, settings=""):
        site = Site(self, settings=settings)
        if os.geteuid() == 0:  # Apache's children are www-data then
            site.dir.chmod(0o711)
            shutil.chown(site.spool.parent, "www-data")
        shutil.copy(PROGRAM, site.dir / "alertspool.cgi")  # where www-data may go, wherever the checkout is
        site.port = free_port()
        shipped = (ROOT / "apache-conf" / "alertspool.conf").read_text()
        self.assertIn("/run/alertspool/alertspool.sock", shipped)
        config = site.dir / "apache.conf"
        config.write_text(
            "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in LOADED)
            + ("User www-data\nGroup www-data\n" if os.geteuid() == 0 else "")
            + f"Define APACHE_LOG_DIR {site.dir}\nServerName 127.0.0.1\nListen 127.0.0.1:{site.port}\n"
            f"PidFile {site.dir}/apache.pid\nErrorLog {site.dir}/apache-error.log\nScriptSock {site.dir}/cgid.sock\n"
            f"DefaultRuntimeDir {site.dir}\nMutex posixsem\n"
            f"ScriptAlias /cgi/ {site.dir}/\nSetEnv ALERTSPOOL_CONFIG {site.config}\n"
            f"<Location /cgi/>\nRequire all granted\n</Location>\n"
            + shipped.replace("/run/alertspool/alertspool.sock", str(site.socket)))
        with open(site.dir / "apache-out", "wb") as out:
            process = subprocess.Popen([APACHE, "-f", str(config), "-D", "FOREGROUND"], stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=out)
        self.addCleanup(site.stop_process, process)
        eventually(lambda: site.nginx_listens() or process.poll() is not None, "Apache listens")
        self.assertIsNone(process.poll(), (site.dir / "apache-out").read_text())
        return site

    def fastcgi_site(self):
        return self.site("listen-group = www-data" if os.geteuid() == 0 else "").start()

    def test_every_captured_body_through_the_shipped_configuration(self):
        site = self.fastcgi_site()
        site.syslog.start()
        for name, kind, body in captured_callbacks():
            with self.subTest(name):
                alert_id = site.accepted(body, content_type=kind)
                site.until_state(alert_id, "delivered")
                self.assertEqual(len(site.syslog.of(alert_id)), 1)
                self.assertEqual(site.show(alert_id)["remote_addr"], "127.0.0.1")

    def test_chunked_bodies_test_button_and_a_header_named_proxy(self):
        site = self.fastcgi_site()
        body = alert()
        self.assertEqual(site.http("POST", iter([body[:20], body[20:]])).text, "accepted 1")
        self.assertEqual(site.http("GET").text, "ready")
        self.assertEqual(site.accepted(alert(), headers={"Proxy": "http://evil", "X-Forwarded-For": "10.0.0.1"}), 2)

    def test_the_log_has_no_token(self):
        site = self.fastcgi_site()
        site.accepted(alert(), query="token=s3cr3t")
        log = site.dir / "alertspool.log"
        eventually(lambda: "/cloudmonitor" in log.read_text(), "Apache has logged")
        self.assertNotIn("s3cr3t", log.read_text())

    def test_as_cgi_program_whatever_the_query_string_is(self):
        site = self.site()
        site.syslog.start()
        site.syslog.path.chmod(0o666)
        for n, query in enumerate(("", "drop+1", "--config%3D/x+drop", "--config+/nowhere", "status", "team=db"), 1):
            with self.subTest(query):
                answer = site.http("POST", alert(name=f"n{n}"), query=query, path="/cgi/alertspool.cgi")
                self.assertEqual(answer.text, f"accepted {n}", (site.dir / "apache-error.log").read_text())
        for alert_id in range(1, 7):
            site.until_state(alert_id, "delivered")


if __name__ == "__main__":
    unittest.main()
