"""The whole servers that nginx-conf ships, as they are but for addresses, ports and paths."""

import http.client
import ssl
import subprocess
import unittest

from harness import FORM, Site, alert


class Balancer(unittest.TestCase):
    def test_only_the_balancer_says_whose_address_it_is(self):
        site = Site(self, settings="allow = 47.74.206.0/26", nginx="balancer").start()
        for source, forwarded, status in (("127.0.0.1", "47.74.206.1", 200),
                                          ("127.0.0.1", "10.0.0.1, 47.74.206.2", 200),
                                          ("127.0.0.1", "47.74.206.1, 198.51.100.7", 403),
                                          ("127.0.0.2", "47.74.206.1", 403)):
            with self.subTest(f"{source} {forwarded}"):
                answer = site.http("POST", alert(name=forwarded), headers={"X-Forwarded-For": forwarded}, source=source)
                self.assertEqual(answer.status, status)
        self.assertEqual([record["remote_addr"] for record in site.list()], ["47.74.206.2", "47.74.206.1"])

    def test_nothing_else_is_served(self):
        site = Site(self, nginx="balancer").start()
        self.assertEqual(site.http("GET", path="/").status, 404)
        self.assertEqual(site.http("GET", path="/cloudmonitor/x").status, 404)


class Tls(unittest.TestCase):
    def test_callbacks_come_over_tls(self):
        site = Site(self)
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
                               "-subj", "/CN=alerts.example.com", "-addext", "subjectAltName=IP:127.0.0.1",
                               "-keyout", site.dir / "privkey.pem", "-out", site.dir / "fullchain.pem"],
                              stderr=subprocess.PIPE)
        self.assertEqual(made.returncode, 0, made.stderr)
        site.nginx = "server"
        site.start_nginx()
        site.start()
        context = ssl.create_default_context(cafile=site.dir / "fullchain.pem")
        connection = http.client.HTTPSConnection("127.0.0.1", site.port, context=context, timeout=10)
        self.addCleanup(connection.close)
        body = alert()
        for path, status, text in (("/cloudmonitor", 200, "accepted 1\n"), ("/cloudmonitor", 200, "duplicate 1\n"),
                                   ("/", 404, "404")):
            connection.request("POST", path, body, {"Content-Type": FORM})
            response = connection.getresponse()
            self.assertEqual(response.status, status)
            self.assertIn(text, response.read().decode())


if __name__ == "__main__":
    unittest.main()
