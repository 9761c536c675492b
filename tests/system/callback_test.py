"""What a sender sees, and what comes out: through nginx as FastCGI, and as a CGI process."""

import json
import os
import re
import unittest
import urllib.parse

from harness import FastCgi, Site, alert, captured_callbacks, eventually


def expected_fields(kind, body):
    """What the sender said, by Python's own decoders."""
    if kind.startswith("application/json"):
        def text(value):
            if isinstance(value, str):
                return value
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return {name: text(value) for name, value in json.loads(body).items()}
    return dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))


def variable(name):
    return "CMS_" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


class Callbacks(unittest.TestCase):
    def site(self, **options):
        site = Site(self, **options)
        site.write_config(actions=site.log_action() + site.command_action("note", ""))
        return site

    def came_out(self, site, alert_id, kind, body):
        """One syslog line and one run, with all fields."""
        site.until_state(alert_id, "delivered")
        self.assertEqual(len(site.syslog.of(alert_id)), 1)
        self.assertEqual(site.runs("note", alert_id), [(alert_id, 1)])
        environment = site.run_environment("note", alert_id)
        for name, value in expected_fields(kind, body).items():
            if name == "signature":
                self.assertNotIn(value, environment.values())
                self.assertNotIn(value, site.syslog.of(alert_id)[0])
            else:
                self.assertEqual(environment[variable(name)], "" if value == "null" else value)

    def test_every_captured_body_through_nginx_is_one_line_and_one_run(self):
        site = self.site(nginx=True).start()
        site.syslog.start()
        for name, kind, body in captured_callbacks():
            with self.subTest(name):
                self.came_out(site, site.accepted(body, content_type=kind), kind, body)

    def test_every_captured_body_as_cgi_is_one_line_and_one_run(self):
        site = self.site()
        site.syslog.start()
        for name, kind, body in captured_callbacks():
            with self.subTest(name):
                answer, done = site.cgi(body, CONTENT_TYPE=kind)
                self.assertEqual((answer.status, done.returncode), (200, 0), done.stderr.decode())
                self.came_out(site, answer.id, kind, body)

    def test_four_equal_posts_are_one_alert(self):
        site = self.site(nginx=True).start()
        site.syslog.start()
        body = alert()
        answers = [site.post(body).text for _ in range(4)]
        self.assertEqual(answers, ["accepted 1"] + ["duplicate 1"] * 3)
        self.assertEqual(site.until_state(1, "delivered")["duplicates"], 3)
        self.assertEqual(site.runs(), [(1, 1)])
        self.assertEqual(len(site.syslog.lines), 1)

    def test_a_repeat_with_another_last_time_and_signature_is_a_duplicate(self):
        site = Site(self).start()
        body = alert()
        self.assertEqual(site.post(body + b"&lastTime=2+minutes&signature=a").text, "accepted 1")
        self.assertEqual(site.post(body + b"&lastTime=3+minutes&signature=b").text, "duplicate 1")

    def test_a_new_timestamp_is_another_alert(self):
        site = Site(self).start()
        self.assertEqual([site.accepted(alert()), site.accepted(alert())], [1, 2])

    def test_the_socket_may_be_handed_over_on_standard_input(self):
        site = Site(self, handover=True).start()
        self.assertEqual(site.accepted(alert()), 1)
        self.assertEqual(site.stop(), 0)


class Refusals(unittest.TestCase):
    def refused(self, site, status, body=b"alertName=x", **options):
        with FastCgi(site.socket) as client:
            answer = client.ask(body, **options)
        self.assertEqual(answer.status, status, f"{options}: {answer}")
        return answer

    def test_addresses_that_are_not_listed_store_nothing(self):
        site = Site(self, settings="allow = 47.74.206.0/26").start()
        for address in ("47.74.206.64", "127.0.0.1", "", "unix:", "47.74.206.1:80", "fe80::1%eth0", "47.74.206.01"):
            with self.subTest(address):
                self.assertEqual(self.refused(site, 403, REMOTE_ADDR=address).text, "forbidden")
        self.refused(site, 403, without=["REMOTE_ADDR"])
        self.refused(site, 403, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="47.74.206.1", HTTP_X_REAL_IP="47.74.206.1",
                     HTTP_FORWARDED="for=47.74.206.1")
        self.assertEqual(self.refused(site, 200, alert(), REMOTE_ADDR="::ffff:47.74.206.1").text, "accepted 1")
        self.assertEqual(len(site.list()), 1)
        self.assertIn("allow", site.log())

    def test_two_remote_addresses_are_refused(self):
        site = Site(self).start()
        self.refused(site, 403, alert(), extra=[("REMOTE_ADDR", "127.0.0.1")])
        self.refused(site, 403, alert(), extra=[("REMOTE_ADDR", "10.0.0.1")])
        self.assertEqual(site.list(), [])

    def test_a_wrong_token_is_answered_like_a_wrong_address(self):
        site = Site(self)
        tokens = site.dir / "tokens"
        tokens.write_text("a right-right-right\nb other-other-other\n")
        tokens.chmod(0o600)
        site.write_config(settings=f"token-file = {tokens}")
        site.start()
        wrong = self.refused(site, 403, QUERY_STRING="token=wrong")
        missing = self.refused(site, 403)
        address = self.refused(site, 403, QUERY_STRING="token=right-right-right", REMOTE_ADDR="10.0.0.1")
        self.assertEqual((wrong.text, wrong.headers), (missing.text, missing.headers))
        self.assertEqual((wrong.text, wrong.headers), (address.text, address.headers))
        self.assertEqual(self.refused(site, 200, alert(), QUERY_STRING="token=other-other-other").text, "accepted 1")
        self.assertEqual(site.show(1)["token"], "b")
        self.assertNotIn("wrong-", site.log())

    def test_foreign_accounts_are_refused(self):
        site = Site(self, settings="user-id = 29751196\nuser-id = 5").start()
        self.refused(site, 403, alert(userId="6"))
        self.refused(site, 200, alert(userId="5"))
        eventually(lambda: "account" in site.verb("status", expect=None), "counted by reason")

    def test_lengths_that_are_no_lengths(self):
        site = Site(self).start()
        for length in ("+3", "-1", "0x3", "3 ", " 3", "3,3", "1e1", "3.0"):
            with self.subTest(length):
                self.refused(site, 400, b"a=b", CONTENT_LENGTH=length)
        for length in ("9223372036854775808", "18446744073709551619", "1" + "0" * 30):
            with self.subTest(length):
                self.assertIn(self.refused_with(site, CONTENT_LENGTH=length), (400, 413))
        self.refused(site, 411, b"a=b", CONTENT_LENGTH="")
        self.refused(site, 411, b"a=b", without=["CONTENT_LENGTH"])
        self.refused(site, 400, b"", CONTENT_LENGTH="0")
        self.assertEqual([a for a in site.list() if a["state"] != "undecodable"], [])

    @staticmethod
    def refused_with(site, **options):
        with FastCgi(site.socket) as client:
            return client.ask(b"a=b", **options).status

    def test_bodies_shorter_or_longer_than_announced_are_never_accepted(self):
        site = Site(self).start()
        self.refused(site, 400, b"alertName=x", CONTENT_LENGTH="12")
        self.refused(site, 400, b"alertName=x", CONTENT_LENGTH="10")
        self.assertEqual([a for a in site.list() if a["state"] != "undecodable"], [])

    def test_an_aborted_request_is_not_stored(self):
        site = Site(self).start()
        body = alert()
        whole = FastCgi.request(body)
        with FastCgi(site.socket) as client:
            client.send(whole[:-len(FastCgi.record(FastCgi.STDIN))] + FastCgi.record(FastCgi.ABORT))
            self.assertTrue(client.closed())
        with FastCgi(site.socket) as client:
            client.send(whole[:-30])
            client.close()
        self.assertEqual(site.accepted(alert()), 1)

    def test_too_much_is_413_and_an_unknown_type_415(self):
        site = Site(self, settings="max-body = 4KiB").start()
        self.refused(site, 413, b"alertName=" + b"x" * 5000)
        self.refused(site, 413, "&".join(f"f{n}=v" for n in range(257)).encode())
        self.refused(site, 415, b"alertName=x", CONTENT_TYPE="text/plain")
        self.assertEqual(site.post("&".join(f"f{n}=v" for n in range(256)).encode()).text.split()[0], "accepted")

    def test_other_methods_are_405_with_allow(self):
        site = Site(self).start()
        for method in ("PUT", "DELETE", "OPTIONS", "post", ""):
            with self.subTest(method):
                self.assertIn("POST", self.refused(site, 405, method=method).headers["Allow"])

    def test_the_consoles_test_button_comes_from_anywhere(self):
        site = Site(self, settings="allow = 47.74.206.0/26").start()
        self.assertEqual(self.refused(site, 200, b"", method="GET", REMOTE_ADDR="121.41.9.246").text, "ready")
        self.assertEqual(self.refused(site, 200, b"", method="HEAD", REMOTE_ADDR="121.41.9.246").status, 200)
        self.refused(site, 200, b"", method="GET", CONTENT_LENGTH="", CONTENT_TYPE="")
        self.assertEqual(site.list(), [])

    def test_the_test_button_with_a_wrong_token_is_refused(self):
        site = Site(self)
        tokens = site.dir / "tokens"
        tokens.write_text("a right-right-right\n")
        tokens.chmod(0o600)
        site.write_config(settings=f"token-file = {tokens}")
        site.start()
        self.refused(site, 403, b"", method="GET", QUERY_STRING="token=wrong")
        self.refused(site, 200, b"", method="GET")
        self.refused(site, 200, b"", method="GET", QUERY_STRING="token=right-right-right")

    def test_without_a_configuration_the_body_is_read_before_the_answer(self):
        """Behind mod_cgid an unread body resets the socket, and the answer with it."""
        site = Site(self)
        site.write_config(settings="nonsense = 1")
        readable, writable = os.pipe()
        os.write(writable, alert())
        with open(readable, "rb") as body, open(writable, "wb"):
            answer, _ = site.cgi(stdin=body, CONTENT_LENGTH=str(len(alert())))
            os.set_blocking(readable, False)
            self.assertIsNone(body.read())
        self.assertEqual((answer.status, answer.text), (503, "not configured"))

    def test_an_undecodable_body_of_an_allowed_sender_is_kept(self):
        site = Site(self).start()
        self.refused(site, 400, b'{"name": "x"', CONTENT_TYPE="application/json")
        [kept] = site.list()
        self.assertEqual(kept["state"], "undecodable")
        self.assertEqual(site.verb("show", kept["id"], "--raw").strip(), '{"name": "x"')
        self.refused(site, 403, b'{"name": "y"', CONTENT_TYPE="application/json", REMOTE_ADDR="10.0.0.1")
        self.assertEqual(len(site.list()), 1)

    def test_hostile_bytes_are_one_syslog_line_and_kept_as_they_came(self):
        site = Site(self).start()
        site.syslog.start()
        body = (b"alertName=%0A%0D%3C0%3E%25s%25n%1B%5B31m%E2%80%AE%E2%80%A8%C2%85x&alertState=ALERT&nul=a%00b"
                b"&bad=%ff%zz&;&&&==&dup=1&dup=2")
        alert_id = site.accepted(body)
        site.until_state(alert_id, "delivered")
        [line] = site.syslog.of(alert_id)
        self.assertEqual([c for c in line if ord(c) < 32 or 0x7f <= ord(c) < 0xa0 or ord(c) in (0x2028, 0x202e)], [])
        self.assertIn("%s%n", line)
        self.assertEqual(site.verb("show", alert_id, "--raw").strip().encode(), body)


class Cgi(unittest.TestCase):
    def test_arguments_of_a_query_string_are_ignored(self):
        site = Site(self)
        answer, _ = site.cgi(alert())
        self.assertEqual(answer.text, "accepted 1")
        for arguments, query in ((["drop", "1"], "drop+1"), (["--config=/x", "drop"], "--config%3D/x+drop"),
                                 (["--config", "/nowhere"], "--config+/nowhere"), (["status"], "status"),
                                 (["--help"], "--help")):
            with self.subTest(query):
                answer, done = site.cgi(alert(), arguments=arguments, QUERY_STRING=query)
                self.assertEqual(answer.status, 200, done.stderr)
                self.assertRegex(answer.text, r"^accepted \d+$")
        self.assertNotEqual(site.show(1)["state"], "dropped")

    def test_no_other_verb_runs_as_cgi(self):
        site = Site(self)
        site.cgi(alert())
        answer, done = site.cgi(b"", arguments=["drop", "1"], REQUEST_METHOD="GET", CONTENT_LENGTH="")
        self.assertTrue(answer is None or answer.text == "ready", done)
        self.assertNotEqual(site.show(1)["state"], "dropped")

    def test_standard_input_that_stays_open_behind_the_body_holds_nothing_up(self):
        site = Site(self)
        body = alert()
        reader, writer = os.pipe()
        with open(reader, "rb") as stdin, open(writer, "wb", buffering=0) as sender:
            sender.write(body)
            answer, _ = site.cgi(body, stdin=stdin)
        self.assertEqual(answer.text, "accepted 1")

    def test_a_body_longer_or_shorter_than_announced_is_not_stored(self):
        site = Site(self)
        body = alert()
        for length in (len(body) - 1, len(body) + 1):
            answer, _ = site.cgi(body, CONTENT_LENGTH=str(length))
            self.assertEqual(answer.status, 400)
        self.assertEqual(site.cgi(body)[0].text, "accepted 1")

    def test_a_get_is_ready_and_an_unlisted_address_forbidden(self):
        site = Site(self)
        answer, _ = site.cgi(b"", REQUEST_METHOD="GET", CONTENT_LENGTH="", CONTENT_TYPE="")
        self.assertEqual((answer.status, answer.text), (200, "ready"))
        answer, _ = site.cgi(alert(), REMOTE_ADDR="10.0.0.1")
        self.assertEqual((answer.status, answer.text), (403, "forbidden"))

    def test_a_broken_configuration_is_an_answer_and_no_detail_for_the_sender(self):
        site = Site(self)
        site.config.write_text("nonsense = 1\n")
        answer, done = site.cgi(alert())
        self.assertIn(answer.status, (500, 503))
        self.assertNotIn("nonsense", answer.text)


if __name__ == "__main__":
    unittest.main()
