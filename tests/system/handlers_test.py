"""examples/handlers, run for real: the environment is alertspool's, the service an HTTP server of this test, and
sendmail and systemctl are scripts that note what they were asked. As root they run under what the deliverer's unit says
of its process (see cage.py)."""

import base64
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

import cage
from harness import PROGRAM, ROOT, Site, alert, eventually, free_port

HANDLERS = ROOT / "examples" / "handlers"
HOSTILE = ('disk "full" \\n \\ $(id) `id` <!channel> <@all> <at user_id="all"></at> & 磁盘满🔥'
           '\nX-Second: line\r\nBcc: evil@example.com')
ONE_LINE = HOSTILE.replace("\r\n", " ").replace("\n", " ")
PASSWORD = "correct-horse-battery-staple"
OK_ROBOT = b'{"errcode":0,"errmsg":"ok"}'
OK_FEISHU = b'{"code":0,"msg":"success","data":{}}'


class Service(http.server.ThreadingHTTPServer):
    """Keeps every request; answers what `reply` says."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.requests.append((self.path, self.headers["Content-Type"], body))
            status, answer = self.server.reply
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    def __init__(self, test):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.requests, self.reply = [], (200, b"ok")
        self.url = f"http://127.0.0.1:{self.server_port}"
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        test.addCleanup(thread.join)
        test.addCleanup(self.server_close)
        test.addCleanup(self.shutdown)


class HandlerCase(unittest.TestCase):
    """A directory with the secrets. PATH has the tools that handlers may start and no other, each one a recorder of its
    command line that becomes the real one."""

    TOOLS = ("curl", "jq", "date", "od", "sed", "cut", "sha256sum", "base64")

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="as-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.bin = self.dir / "bin"
        self.bin.mkdir()
        self.handlers = shutil.copytree(HANDLERS, self.dir / "handlers")  # where the unit's user may go
        self.enter = None
        if not cage.WHY_NOT:
            self.enter = cage.Cage("alertspool-deliver.service", self.dir).enter
            shutil.chown(self.dir, cage.USER)
        for tool in self.TOOLS:
            self.tool(tool, f'exec {shutil.which(tool)} "$@"')

    def tool(self, name, script):
        path = self.bin / name
        path.write_text(f'#!/bin/sh\nprintf "%s\\0" "$0" "$@" >>{self.dir}/argv\n{script}\n')
        path.chmod(0o755)

    def argv(self):
        path = self.dir / "argv"
        return path.read_bytes().decode().split("\0")[:-1] if path.exists() else []

    def file(self, name, text):
        (self.dir / name).write_text(text)
        return str(self.dir / name)

    def explained(self, body, **variables):
        """The environment that alertspool would give a command for this callback."""
        config = self.file("explain.conf", "allow = 127.0.0.1\n[action.x]\ntype = command\nrun = /bin/true\n")
        done = subprocess.run([PROGRAM, "explain", "--json", "--config", config], input=body, check=True,
                              stdout=subprocess.PIPE)
        said = json.loads(done.stdout)
        self.stdin = json.dumps({"id": 0, "fields": dict(said["pairs"])}) + "\n"
        environment = said["actions"][0]["env"]
        return {**environment, "HOME": str(self.dir), "PATH": str(self.bin), **variables}

    def run_handler(self, handler, expect, *arguments, body=None, **variables):
        """Runs it as the deliverer does; what it printed."""
        environment = self.explained(body or alert(name=HOSTILE, level="CRITICAL"), **variables)
        self.environment = environment
        done = subprocess.run([self.handlers / handler, *arguments], env=environment, cwd="/", timeout=60,
                              input=self.stdin.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              preexec_fn=self.enter)
        text = done.stdout.decode()
        self.assertEqual(done.returncode, expect, text)
        self.assertNotIn(PASSWORD, text)
        return text

    def without(self, tool):
        """A PATH that lacks this tool."""
        path = self.dir / "less"
        path.mkdir(exist_ok=True)
        for name in set(self.TOOLS) - {tool}:
            (path / name).symlink_to(shutil.which(name))
        return str(path)


class HttpHandler:
    """What is the same for all handlers that post JSON. A class for each service has its answers: one to a good
    request, those that refuse, those that ask for patience."""

    taken, refusals, passing = (200, b"ok"), (), ()

    def setUp(self):
        super().setUp()
        self.service = Service(self)
        self.service.reply = self.taken

    def post(self, expect=0, **more):
        """Runs the handler: the JSON that arrived (None when nothing did), what was printed in self.said."""
        count = len(self.service.requests)
        self.said = self.run_handler(self.handler, expect, **{**self.variables(), **more})
        requests = self.service.requests[count:]
        self.assertLessEqual(len(requests), 1)
        if not requests:
            return None
        self.path, content_type, body = requests[0]
        self.assertEqual(content_type, "application/json")
        return json.loads(body)

    def variables(self):
        return {self.url_variable: self.file("url", f"{self.service.url}/hook?key={PASSWORD}\n")}

    def test_success_is_0_and_silent(self):
        self.assertIsNotNone(self.post())
        self.assertEqual(self.said, "")

    def test_words_of_the_sender_arrive_as_they_are_on_one_line(self):
        self.assertIn(self.title, self.text(self.post()).splitlines()[0])

    def test_no_secret_is_on_a_command_line(self):
        self.post()
        self.assertIn(str(self.bin / "curl"), self.argv())
        self.assertEqual([word for word in self.argv() if PASSWORD in word], [])

    def test_429_and_5xx_are_tried_again(self):
        for status in (408, 429, 500, 502, 503, 504, 302):
            self.service.reply = (status, b"<html>busy\nvery</html>")
            self.post(75)
            self.assertEqual(self.said, f"{self.handler}: status {status}: <html>busy very</html>\n")

    def test_another_4xx_is_a_refusal_that_says_why(self):
        for status in (400, 403, 404, 410):
            self.service.reply = (status, b"no_such\nhook")
            self.post(65)
            self.assertEqual(self.said, f"{self.handler}: status {status}: no_such hook\n")

    def test_errors_in_the_answer(self):
        for expect, replies in ((65, self.refusals), (75, self.passing)):
            for status, answer in replies:
                with self.subTest(answer=answer):
                    self.service.reply = (status, answer)
                    self.post(expect)
                    self.assertEqual(self.said, f"{self.handler}: status {status}: {answer.decode()}\n")

    def test_connection_refused_is_tried_again(self):
        self.service.url = f"http://127.0.0.1:{free_port()}"
        self.assertIsNone(self.post(75))
        self.assertIn(f"{self.handler}: curl failed\n", self.said)

    def test_a_secret_that_cannot_be_used_is_tried_again(self):
        for text in ("", "\n", "two words\n", 'http://x/"\n', "http://x/\\\n", "http://x/\r\n"):
            self.assertIsNone(self.post(75, **{self.secret_variable: self.file("unusable", text)}))
        self.assertIsNone(self.post(75, **{self.secret_variable: str(self.dir / "missing")}))
        self.assertIn(f"{self.handler}: cannot read {self.dir}/missing", self.said)

    def test_a_missing_tool_is_tried_again(self):
        for tool in ("curl", "jq"):
            self.assertIsNone(self.post(75, PATH=self.without(tool)))
            shutil.rmtree(self.dir / "less")

    def test_an_event_and_a_value_of_any_length_are_taken(self):
        event = subprocess.run([PROGRAM, "sample", "--json"], check=True, stdout=subprocess.PIPE).stdout
        self.assertIn("EVENT WARN Instance:StateChange", self.text(self.post(body=event)))
        self.post(body=alert(name="é" * 40_000))

    @property
    def secret_variable(self):
        return self.url_variable


class ChatHandler(HttpHandler):
    def test_every_state_is_told(self):
        for state, words in (("ALERT", "ALERT WARN"), ("OK", "OK after WARN"), ("INSUFFICIENT_DATA", "NO DATA WARN")):
            self.assertEqual(self.text(self.post(body=alert(state=state))).splitlines()[0], f"{words} disk")

    def test_a_drill_says_so(self):
        self.assertTrue(self.text(self.post(ALERTSPOOL_TEST="1")).startswith("[drill] ALERT"))

    def test_the_facts_are_in_the_text(self):
        body = alert(instanceName="web-1", metricName="内存", unit="%", expression="$Average>=95")
        text = self.text(self.post(body=body))
        for line in ("Instance: web-1", "Value: 内存 97.39 %", "Condition: $Average>=95", "Object: {instanceId=i-1}",
                     f"Time: {self.environment['ALERTSPOOL_TIME']}", "alertspool id: 0"):
            self.assertIn(line.replace(">", self.greater), text.splitlines())

    greater = ">"


class Slack(ChatHandler, HandlerCase):
    handler, url_variable, greater = "slack", "SLACK_URL_FILE", "&gt;"
    title = "ALERT CRITICAL " + ONE_LINE.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    def text(self, said):
        self.assertEqual({k: v for k, v in said.items() if k != "text"},
                         {"mrkdwn": False, "unfurl_links": False, "unfurl_media": False})
        self.assertEqual(self.path, f"/hook?key={PASSWORD}")
        return said["text"]


class Robot(ChatHandler):
    """A robot says with 200 and a code of its own what became of the message."""

    title = "ALERT CRITICAL " + ONE_LINE
    taken = (200, OK_ROBOT)
    passing = ((200, b'{"errcode":-1,"errmsg":"system busy"}'), (200, b"<html>proxy</html>"), (200, b"{}"), (200, b""))

    def signed(self):
        variables = {**self.variables(), self.sign_variable: self.file("secret", f"SEC{PASSWORD}{PASSWORD * 2}")}
        start = int(time.time())
        said = self.post(**variables)
        self.assertEqual([word for word in self.argv() if PASSWORD in word], [])
        return said, start, int(time.time())

    def hmac(self, key, text):
        return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


class DingTalk(Robot, HandlerCase):
    handler, url_variable, sign_variable = "dingtalk", "DINGTALK_URL_FILE", "DINGTALK_SECRET_FILE"
    refusals = ((200, b'{"errcode":310000,"errmsg":"keywords not in content"}'),
                (200, b'{"errcode":300001,"errmsg":"token is not exist"}'))
    passing = Robot.passing + ((200, b'{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}'),)

    def variables(self):
        return {**super().variables(), self.sign_variable: str(self.dir / "none")}

    def text(self, said):
        self.assertEqual((said["msgtype"], said["at"], sorted(said)),
                         ("text", {"isAtAll": False}, ["at", "msgtype", "text"]))
        return said["text"]["content"]

    def test_a_secret_signs_the_url(self):
        _, start, end = self.signed()
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, strict_parsing=True))
        self.assertEqual(set(query), {"key", "timestamp", "sign"})
        self.assertIn(int(query["timestamp"]), range(start * 1000, end * 1000 + 1000))
        secret = f"SEC{PASSWORD}{PASSWORD * 2}"
        self.assertEqual(query["sign"], self.hmac(secret, f"{query['timestamp']}\n{secret}"))

    def test_a_secret_that_is_there_and_empty_does_not_send_unsigned(self):
        self.assertIsNone(self.post(75, **{self.sign_variable: self.file("secret", "")}))


class WeCom(Robot, HandlerCase):
    handler, url_variable = "wecom", "WECOM_URL_FILE"
    title = "ALERT CRITICAL " + ONE_LINE.replace("<@", "< @")
    refusals = ((200, b'{"errcode":93000,"errmsg":"invalid webhook url, hint: [1], from ip: 192.0.2.1"}'),)
    passing = Robot.passing + ((200, b'{"errcode":45009,"errmsg":"api freq out of limit"}'),)

    def text(self, said):
        self.assertEqual((said["msgtype"], sorted(said)), ("text", ["msgtype", "text"]))
        self.assertLessEqual(len(said["text"]["content"].encode()), 2048)
        return said["text"]["content"]

    def test_a_long_message_is_cut_at_2048_bytes(self):
        body = alert(name="磁" * 300, instanceName="盘" * 300, expression="满" * 300, metricName="了" * 300)
        said = self.post(body=body)
        self.assertGreater(len(self.text(said).encode()), 1900)


class Feishu(Robot, HandlerCase):
    handler, url_variable, sign_variable = "feishu", "FEISHU_URL_FILE", "FEISHU_SECRET_FILE"
    taken = (200, OK_FEISHU)
    refusals = ((200, b'{"code":19021,"msg":"sign match fail or timestamp is not within one hour"}'),
                (200, b'{"code":19024,"msg":"Key Words Not Found"}'), (400, b'{"code":9499,"msg":"Bad Request"}'))
    passing = Robot.passing + ((200, b'{"code":11232,"msg":"frequency limited psm[lark.oapi.app_platform_runtime]"}'),
                               (400, b'{"code":9499,"msg":"too many request","data":{}}'))

    def variables(self):
        return {**super().variables(), self.sign_variable: str(self.dir / "none")}

    def text(self, said):
        self.assertEqual((said["msg_type"], sorted(said)), ("interactive", ["card", "msg_type"]))
        header, (element,) = said["card"]["header"], said["card"]["elements"]
        self.assertEqual({header["title"]["tag"], element["text"]["tag"]}, {"plain_text"})
        text = element["text"]["content"]
        self.assertEqual(header["title"]["content"], text.splitlines()[0])
        return text

    def test_a_secret_signs_the_message(self):
        said, start, end = self.signed()
        self.assertIn(int(said["timestamp"]), range(start, end + 1))
        self.assertEqual(said["sign"], self.hmac(f"{said['timestamp']}\nSEC{PASSWORD}{PASSWORD * 2}", ""))

    def test_the_state_has_a_colour(self):
        for state, colour in (("ALERT", "red"), ("OK", "green"), ("INSUFFICIENT_DATA", "grey"), ("", "blue")):
            self.assertEqual(self.post(body=alert(state=state))["card"]["header"]["template"], colour)


class PagerDuty(HttpHandler, HandlerCase):
    handler, secret_variable = "pagerduty", "PAGERDUTY_KEY_FILE"
    title = "ALERT CRITICAL " + ONE_LINE
    taken = (202, b'{"status":"success","message":"Event processed"}')
    refusals = ((400, b'{"status":"invalid event","errors":["Length of \'routing_key\' is incorrect"]}'),)

    def variables(self):
        return {"PAGERDUTY_URL": f"{self.service.url}/v2/enqueue",
                self.secret_variable: self.file("key", PASSWORD + "\n")}

    def text(self, said):
        self.assertEqual((self.path, said["routing_key"]), ("/v2/enqueue", PASSWORD))
        return said["payload"]["summary"]

    def test_an_alert_triggers_with_all_that_is_known(self):
        said = self.post(body=alert(name=HOSTILE, level="CRITICAL", instanceName="web-1", extra=HOSTILE))
        self.assertEqual((said["event_action"], said["dedup_key"]), ("trigger", self.environment["ALERTSPOOL_ALARM"]))
        payload = said["payload"]
        self.assertEqual((payload["severity"], payload["source"]), ("critical", "web-1"))
        self.assertEqual(payload["timestamp"], self.environment["ALERTSPOOL_TIME"])
        details = payload["custom_details"]
        self.assertEqual((details["extra"], details["alertName"]), (HOSTILE, HOSTILE))

    def test_ok_resolves_the_same_key(self):
        triggered = self.post(body=alert())
        resolved = self.post(body=alert(state="OK"))
        self.assertEqual(resolved, {"routing_key": PASSWORD, "event_action": "resolve",
                                    "dedup_key": triggered["dedup_key"]})

    def test_no_data_changes_nothing(self):
        self.assertIsNone(self.post(body=alert(state="INSUFFICIENT_DATA")))
        self.assertEqual(self.said, "")

    def test_severities_are_those_of_the_service(self):
        for level, severity in (("CRITICAL", "critical"), ("WARN", "warning"), ("INFO", "info"), ("other", "error")):
            self.assertEqual(self.post(body=alert(level=level))["payload"]["severity"], severity)

    def test_a_drill_is_an_alarm_of_its_own(self):
        said = self.post(ALERTSPOOL_TEST="1")
        self.assertEqual(said["dedup_key"], "drill-" + self.environment["ALERTSPOOL_ALARM"])
        self.assertEqual(said["payload"]["severity"], "info")
        self.assertTrue(said["payload"]["summary"].startswith("[drill] "))

    def test_standard_input_is_not_needed(self):
        body = alert()
        self.with_stdin, self.explained = self.explained, self.emptied
        self.assertIsNone(self.post(body=body)["payload"]["custom_details"])

    def emptied(self, *arguments, **variables):
        environment = self.with_stdin(*arguments, **variables)
        self.stdin = ""
        return environment


class Mail(HandlerCase):
    def send(self, expect=0, exits=0, arguments=("oncall@example.com",), **more):
        self.tool("sendmail", f"{shutil.which('cat')} >{self.dir}/mail\nexit {exits}")
        self.said = self.run_handler("mail", expect, *arguments, **more)
        path = self.dir / "mail"
        if not path.exists():
            return None
        self.raw = path.read_bytes()
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    def test_the_message_is_whole(self):
        mail = self.send()
        self.assertEqual(self.argv()[-3:], [str(self.bin / "sendmail"), "-t", "-oi"])
        self.assertEqual(mail["To"], "oncall@example.com")
        self.assertEqual(mail["Message-ID"], f"<{self.environment['ALERTSPOOL_UID']}@alertspool.invalid>")
        self.assertEqual(mail["References"], f"<{self.environment['ALERTSPOOL_ALARM']}@alertspool.invalid>")
        text = mail.get_content()
        self.assertEqual(text.splitlines()[0], "ALERT CRITICAL " + ONE_LINE)
        self.assertIn("Value: 97.39", text.splitlines())

    def test_no_header_can_be_injected(self):
        mail = self.send(body=alert(name=HOSTILE, state="ALERT\r\nBcc: a@example.com", level="WARN\nCc: b@example.com"))
        self.assertEqual(mail.keys(), ["To", "Subject", "Message-ID", "References", "Auto-Submitted", "MIME-Version",
                                       "Content-Type", "Content-Transfer-Encoding"])
        self.assertTrue(all(byte < 128 and byte != 13 for byte in self.raw))
        self.assertLessEqual(max(len(line) for line in self.raw.splitlines()), 100)

    def test_the_subject_is_encoded_words(self):
        for name in (HOSTILE, "磁盘满🔥" * 10, "a", "é" * 500):
            mail = self.send(body=alert(name=name))
            for word in self.raw.decode().partition("Subject:")[2].partition("Message-ID:")[0].split():
                self.assertRegex(word, r"^=\?UTF-8\?B\?[A-Za-z0-9+/=]{4,60}\?=$")
            one_line = name.replace("\r\n", " ").replace("\n", " ")
            self.assertEqual(mail["Subject"], ("ALERT WARN " + one_line)[:150])

    def test_every_state_is_told(self):
        for state, words in (("ALERT", "ALERT WARN"), ("OK", "OK after WARN"), ("INSUFFICIENT_DATA", "NO DATA WARN")):
            self.assertEqual(self.send(body=alert(state=state))["Subject"], f"{words} disk")

    def test_several_addresses(self):
        self.assertEqual(self.send(arguments=("a@example.com", "b@example.com"))["To"], "a@example.com, b@example.com")
        (self.dir / "mail").unlink()
        self.assertIsNone(self.send(75, arguments=()))

    def test_exit_codes_of_sendmail(self):
        for code, expect in ((64, 65), (65, 65), (67, 65), (69, 75), (75, 75), (1, 75), (127, 75)):
            self.send(expect, exits=code)
            self.assertRegex(self.said, rf"^mail: sendmail .* with {code}\n$")

    def test_a_missing_tool_is_tried_again(self):
        for tool in ("jq", "sendmail", "base64"):
            self.assertIsNone(self.send(75, PATH=self.without(tool)))
            shutil.rmtree(self.dir / "less")


class RestartUnit(HandlerCase):
    def restart(self, expect=0, exits=0, unit="nginx.service\n", **more):
        """The arguments that systemctl got; None when it was not run."""
        self.tool("systemctl", f"exit {exits}")
        (self.dir / "argv").unlink(missing_ok=True)
        more.setdefault("RESTART_UNIT_FILE", self.file("unit", unit))
        self.said = self.run_handler("restart-unit", expect, **more)
        argv = self.argv()
        where = str(self.bin / "systemctl")
        return argv[argv.index(where) + 1:] if where in argv else None

    def test_an_alert_restarts_the_unit_of_the_file(self):
        restarted = ["--no-ask-password", "restart", "--", "nginx.service"]
        self.assertEqual(self.restart(), restarted)
        self.assertEqual(self.said, "restarted nginx.service\n")
        self.assertEqual(self.restart(unit="nginx"), restarted)

    def test_nothing_else_does(self):
        for state in ("OK", "INSUFFICIENT_DATA", "", "alert", "ALERT "):
            self.assertIsNone(self.restart(body=alert(state=state)))
        self.assertIsNone(self.restart(ALERTSPOOL_TEST="1"))

    def test_the_alert_does_not_choose_the_unit(self):
        body = alert(name="ssh.service", unit="ssh.service", instanceName="ssh.service")
        self.assertEqual(self.restart(body=body)[-1], "nginx.service")

    def test_a_name_that_is_none_is_not_used(self):
        for unit in ("--all\n", "a b\n", "$(id)\n", "../x.service\n", "x;y\n", "\n", ""):
            self.assertIsNone(self.restart(75, unit=unit))
        self.assertIsNone(self.restart(75, RESTART_UNIT_FILE=str(self.dir / "missing")))

    def test_exit_codes_of_systemctl(self):
        for code, expect in ((5, 65), (1, 75), (4, 75), (127, 75)):
            self.restart(expect, exits=code)
        self.assertEqual(self.said, "restart-unit: systemctl failed with 127\n")

    @unittest.skipUnless(shutil.which("duk"), "no duk (package duktape), the JavaScript that polkitd has")
    def test_the_documented_polkit_rule_allows_this_and_nothing_else(self):
        rule = (ROOT / "docs" / "handlers.md").read_text().partition("```js\n")[2].partition("```")[0]
        asked = ("org.freedesktop.systemd1.manage-units", "alertspool", "nginx.service", "restart")
        others = ("org.freedesktop.systemd1.manage-unit-files", "www-data", "ssh.service", "stop")
        cases = [asked] + [asked[:n] + (others[n],) + asked[n + 1:] for n in range(4)]
        script = self.file("rule.js", "var rule, polkit = {Result: {YES: 'yes'}, "
                           "addRule: function (f) { rule = f; }};\n" + rule + json.dumps(cases) + """.forEach(function (c) {
            var details = {unit: c[2], verb: c[3]};
            print(rule({id: c[0], lookup: function (name) { return details[name]; }}, {user: c[1]}));
        });""")
        done = subprocess.run(["duk", script], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.stdout.split(), ["yes"] + ["undefined"] * 4)


class Delivered(HandlerCase):
    def test_a_handler_is_run_by_the_deliverer_and_tried_again(self):
        service = Service(self)
        service.reply = (503, b"later")
        url = self.file("url", f"{service.url}/hook?key={PASSWORD}\n")
        site = Site(self)
        site.write_config(actions="[action.slack]\ntype = command\ngive-up-exit = 65\nretry-min = 1s\nretry-max = 1s\n"
                                  f"run = /usr/bin/env SLACK_URL_FILE={url} {HANDLERS}/slack\n")
        site.start()
        first = site.accepted(alert(name=HOSTILE))
        eventually(lambda: service.requests, "the service was asked")
        service.reply = (200, b"ok")
        shown = site.until_state(first, "delivered")
        self.assertGreaterEqual(shown["deliveries"][0]["attempts"], 2)
        text = json.loads(service.requests[-1][2])["text"]
        self.assertTrue(text.startswith(Slack.title.replace("CRITICAL", "WARN")), text)
        self.assertIn(f"alertspool id: {first}", text)
        service.reply = (404, b"no_service")
        second = site.accepted(alert(state="OK"))
        delivery = site.until_state(second, "failed")["deliveries"][0]
        self.assertEqual((delivery["last"], delivery["output"].strip()), ("exit 65", "slack: status 404: no_service"))


class Files(unittest.TestCase):
    def test_they_are_short_and_what_is_run_can_be_executed(self):
        for path in HANDLERS.iterdir():
            text = path.read_text()
            self.assertEqual(os.access(path, os.X_OK), path.suffix != ".sh", path)
            self.assertEqual(text.startswith("#!/bin/sh\n"), path.suffix != ".sh", path)
            self.assertLess(len(text.splitlines()), 60, path)


if __name__ == "__main__":
    unittest.main()
