"""The verbs on a running system, the configuration, and the shipped files."""

import json
import pathlib
import re
import subprocess
import tempfile
import unittest

from harness import NGINX, PROGRAM, ROOT, Site, alert, eventually, free_port


def call(*arguments, stdin=None, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], input=stdin, text=True, capture_output=True, timeout=30,
                          **options)


class Verbs(unittest.TestCase):
    def site(self):
        site = Site(self)
        site.write_config(actions=site.log_action() + site.command_action("act", "echo from-the-command"))
        site.syslog.start()
        return site.start()

    def test_explain_says_what_would_happen_and_does_nothing(self):
        site = self.site()
        body = alert(level="CRITICAL").decode()
        text = site.verb("explain", "--from", "127.0.0.1", stdin=body)
        self.assertIn("97.39", text)
        said = json.loads(site.verb("explain", "--json", "--from", "127.0.0.1", stdin=body))
        self.assertEqual(said["status"], 200)
        self.assertEqual(said["fields"]["alertName"], "disk")
        self.assertEqual([(a["name"], a["matches"]) for a in said["actions"]], [("log", True), ("act", True)])
        self.assertEqual(said["actions"][1]["env"]["CMS_CUR_VALUE"], "97.39")
        self.assertIn("alertName=disk", said["actions"][0]["line"])
        self.assertRegex(said["digest"], r"^[0-9a-f]{64}$")
        refused = json.loads(site.verb("explain", "--json", "--from", "10.0.0.1", stdin=body, expect=None))
        self.assertEqual(refused["status"], 403)
        self.assertIn("10.0.0.1", refused["reason"])
        self.assertEqual((site.list(), site.runs(), site.syslog.lines), ([], [], []))

    def test_explain_and_the_receiver_agree(self):
        site = self.site()
        body = alert(name='hostile "\n', unknownField="ü")
        said = json.loads(site.verb("explain", "--json", "--from", "127.0.0.1", stdin=body.decode()))
        alert_id = site.accepted(body)
        shown = site.until_state(alert_id, "delivered")
        self.assertEqual(said["fields"], shown["fields"])
        self.assertEqual(said["alarm"], shown["alarm"])
        environment = site.run_environment("act", alert_id)
        self.assertEqual(environment["ALERTSPOOL_UID"], said["digest"])
        expected = {n: v for n, v in said["actions"][1]["env"].items() if n.startswith("CMS_")}
        self.assertEqual({n: v for n, v in environment.items() if n.startswith("CMS_")}, expected)

    def test_explain_opens_no_spool(self):
        site = Site(self)
        site.spool.parent.rmdir()
        self.assertEqual(json.loads(site.verb("explain", "--json", "--from", "127.0.0.1", stdin="alertName=x"))["status"],
                         200)

    def test_sample_is_accepted_and_its_ok_belongs_to_the_same_alarm(self):
        site = self.site()
        fired = site.accepted(site.verb("sample").strip().encode())
        cleared = site.accepted(site.verb("sample", "alertState=OK", "triggerLevel=OK").strip().encode())
        self.assertEqual(site.show(fired)["alarm"], site.show(cleared)["alarm"])
        self.assertEqual(site.show(cleared)["fields"]["alertState"], "OK")
        self.assertIsInstance(json.loads(site.verb("sample", "--json")), dict)

    def test_test_delivers_a_marked_drill_through_every_action(self):
        site = self.site()
        site.until_delivering()
        text = site.verb("test", "alertName=drill")
        self.assertIn("act", text)
        [drill] = site.list()
        self.assertTrue(drill["test"])
        self.assertEqual(site.run_environment("act", drill["id"])["ALERTSPOOL_TEST"], "1")
        self.assertIn(" test=1 ", site.syslog.of(drill["id"])[0])

    def test_test_fails_when_an_action_does(self):
        site = Site(self)
        site.write_config(actions=site.command_action("act", "exit 65", "give-up-exit = 65"))
        site.start()
        site.until_delivering()
        self.assertIn("exit 65", site.verb("test", expect=75))

    def test_test_stores_nothing_that_would_be_refused(self):
        site = self.site()
        site.verb("test", "alertName=" + 70_000 * "x", expect=64)
        site.verb("test", *(f"f{n}=" for n in range(300)), expect=64)
        self.assertEqual(site.list(), [])

    def test_test_says_when_nobody_delivers_what_only_a_follower_takes(self):
        site = Site(self, "deliver = no")
        site.write_config(actions=site.command_action("act", "exit 0", "match = severity CRITICAL"))
        site.start()
        for change in "triggerLevel=CRITICAL", "alertState=OK":
            self.assertIn("no deliverer is alive", site.verb("test", change, expect=69))

    def test_list_filters_and_its_newest_come_first(self):
        site = self.site()
        ids = [site.accepted(alert(name=name)) for name in ("one", "two", "three")]
        for alert_id in ids:
            site.until_state(alert_id, "delivered")
        self.assertEqual([a["id"] for a in site.list()], ids[::-1])
        self.assertEqual([a["id"] for a in site.list("--limit", "2")], ids[:0:-1])
        self.assertEqual([a["id"] for a in site.list("--match", "alertName t*")], ids[:0:-1])
        self.assertEqual([a["id"] for a in site.list("--alarm", site.show(ids[0])["alarm"])], ids[:1])
        self.assertEqual(site.list("--state", "failed"), [])
        self.assertEqual(len(site.list("--state", "delivered", "--action", "act")), 3)
        self.assertEqual(site.list("--since", "2099-01-01"), [])
        self.assertEqual(len(site.list("--until", "2099-01-01")), 3)
        for alert_id in ids:
            self.assertIn(str(alert_id), site.verb("list"))

    def test_show_has_the_promised_object(self):
        site = self.site()
        shown = site.until_state(site.accepted(alert(name="disk")), "delivered")
        self.assertLessEqual({"id", "received", "remote_addr", "state", "alarm", "severity", "test", "token",
                              "duplicates", "fields", "deliveries"}, set(shown))
        self.assertRegex(shown["received"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*Z$")
        act = [d for d in shown["deliveries"] if d["action"] == "act"][0]
        self.assertEqual((act["state"], act["attempts"], act["last"]), ("delivered", 1, "exit 0"))
        self.assertIn("from-the-command", act["output"])
        text = site.verb("show", shown["id"])
        for word in ("disk", "from-the-command", "exit 0"):
            self.assertIn(word, text)

    def test_retry_runs_again_what_failed(self):
        site = Site(self)
        site.write_config(actions=site.command_action("act", "[ -e $0.healed ] || exit 65", "give-up-exit = 65"))
        site.start()
        ids = [site.accepted(alert(name=f"n{n}")) for n in range(3)]
        for alert_id in ids:
            site.until_state(alert_id, "failed")
        (site.dir / "act.healed").touch()
        self.assertIn("3", site.verb("retry", "--state", "failed", "--dry-run"))
        self.assertEqual(site.show(ids[0])["state"], "failed")
        site.verb("retry", ids[0])
        site.until_state(ids[0], "delivered")
        site.verb("retry", "--state", "failed")
        for alert_id in ids:
            site.until_state(alert_id, "delivered")

    def test_drop_puts_away_what_waits(self):
        site = Site(self)
        site.write_config(actions=site.command_action("act", "exit 75"))
        site.start()
        ids = [site.accepted(alert(name=f"n{n}")) for n in range(2)]
        eventually(lambda: len(site.runs()) >= 2, "tried")
        site.verb("drop", ids[0], "--dry-run")
        self.assertEqual(site.show(ids[0])["state"], "pending")
        eventually(lambda: site.verb("drop", *ids) and
                   [site.show(i)["state"] for i in ids] == ["dropped"] * 2, "dropped")

    def test_backup_is_a_spool_that_can_be_read(self):
        site = self.site()
        alert_id = site.accepted(alert())
        site.until_state(alert_id, "delivered")
        copy = site.dir / "copy.db"
        site.verb("backup", copy)
        self.assertEqual(copy.stat().st_mode & 0o007, 0)
        other = site.dir / "other.conf"
        other.write_text(site.config.read_text().replace(str(site.spool), str(copy)))
        done = call("show", alert_id, "--json", "--config", other)
        self.assertEqual(json.loads(done.stdout)["fields"], site.show(alert_id)["fields"], done.stderr)
        site.verb("backup", copy, expect=None)
        self.assertNotEqual(call("backup", copy, "--config", site.config).returncode, 0)

    def test_init_makes_a_spool_once(self):
        site = Site(self)
        site.verb("init")
        data = site.spool.read_bytes()
        self.assertEqual(site.spool.stat().st_mode & 0o007, 0)
        call("init", "--config", site.config)
        self.assertEqual(site.spool.read_bytes(), data)

    def test_status_speaks_like_a_monitoring_plugin(self):
        site = self.site()
        site.until_state(site.accepted(alert()), "delivered")
        site.verb("status")
        said = json.loads(site.verb("status", "--json"))
        self.assertIsInstance(said, dict)
        site.syslog.stop()
        site.accepted(alert())
        eventually(lambda: call("status", "--warn-age", "1s", "--crit-age", "1h", "--config", site.config).returncode
                   == 1, "a warning")
        eventually(lambda: call("status", "--warn-age", "1s", "--crit-age", "1s", "--config", site.config).returncode
                   == 2, "critical")

    def test_status_without_a_deliverer_is_not_ok(self):
        site = Site(self, settings="deliver = no").start()
        site.accepted(alert())
        self.assertIn(call("status", "--config", site.config).returncode, (1, 2))

    def test_verbs_say_so_when_there_is_no_spool(self):
        site = Site(self)
        for words in (["list"], ["show", "1"], ["retry", "1"], ["drop", "1"], ["test"], ["backup", "/tmp/nowhere"]):
            with self.subTest(words):
                done = call(*words, "--config", site.config)
                self.assertNotIn(done.returncode, (0, -6, -11, 70), done.stderr)
                self.assertIn("spool.db", done.stderr)
        self.assertFalse(site.spool.exists())

    def test_output_that_cannot_be_written_is_an_error(self):
        site = self.site()
        site.accepted(alert())
        for words in (["list"], ["list", "--json"], ["show", "1"], ["sample"], ["status"], ["--help"]):
            with self.subTest(words), open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, *words] + ([] if words == ["--help"] else ["--config", str(site.config)]),
                                      stdout=full, stderr=subprocess.PIPE, timeout=20)
                self.assertNotEqual(done.returncode, 0)

    def test_url_prints_the_callback_url(self):
        site = Site(self)
        tokens = site.dir / "tokens"
        tokens.write_text("other 0123456789abcdef\nconsole a.b_c~d-0123456789\n")
        tokens.chmod(0o600)
        site.write_config(settings=f"token-file = {tokens}")
        self.assertEqual(site.verb("url", "https://example.com/cloudmonitor", "--token", "console").strip(),
                         "https://example.com/cloudmonitor?token=a.b_c~d-0123456789")

    def test_wrong_use_is_exit_64_and_one_line(self):
        for words in (["frobnicate"], ["list", "--frob"], ["show"], ["show", "x"], ["list", "--limit", "many"],
                      ["retry"], ["drop"], ["backup"], ["sample", "noequals"], []):
            with self.subTest(words):
                done = call(*words, stdin="")
                self.assertEqual(done.returncode, 64, done.stderr)
                self.assertTrue(done.stderr.startswith("alertspool"), done.stderr)
                self.assertEqual(done.stdout, "")

    def test_help_and_version_are_exit_0(self):
        for words in (["--help"], ["list", "--help"], ["--version"]):
            done = call(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


class Configuration(unittest.TestCase):
    def check(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "a.conf"
            path.write_text(text)
            done = call("check", "--config", path)
            return done, path

    def test_every_error_is_one_line_that_names_file_line_and_key(self):
        text = ("store = sqlite:/tmp/x.db\n"        # good
                "alow = 47.74.206.0/26\n"           # unknown, nearest: allow
                "allow = 47.74.206.1/26\n"          # host bits
                "keep = 90\n"                       # no unit
                "\n[action.page]\n"
                "type = command\n"
                "timeout = soon\n"                  # bad
                "run = /bin/true \"unclosed\n")     # bad
        done, path = self.check(text)
        self.assertEqual(done.returncode, 78)
        lines = [line for line in done.stderr.splitlines() if str(path) in line]
        for number, key in ((2, "alow"), (3, "allow"), (4, "keep"), (8, "timeout"), (9, "run")):
            self.assertEqual(len([l for l in lines if f":{number}:" in l and key in l]), 1, f"{number} {done.stderr}")
        self.assertEqual(len(lines), 5)
        self.assertIn("allow", [l for l in lines if ":2:" in l][0].replace("alow", ""))

    def test_bad_values_are_refused(self):
        for text in ("allow = 10.0.0.0/33", "allow = 10.0.0.0/032", "allow = x", "allow =", "max-body = 64",
                     "max-body = -1KiB", "keep = 1.5d", "deliver = maybe", "store = mysql://x", "store = sqlite:",
                     "token-file = /nowhere/tokens", "max-waiting = many", "keep = 1d\nkeep = 2d",
                     "[action.a]\ntype = mail", "[action.a]\ntype = command", "[action.a]\nrun = /bin/true",
                     "[action.a]\ntype = command\nrun = bin/true", "[action.a]\ntype = syslog\nfacility = x",
                     "[action.a]\ntype = syslog\n[action.a]\ntype = syslog", "[nonsense]", "no key here",
                     "[action.a]\ntype = command\nrun = /bin/true\ngive-up-exit = 256"):
            with self.subTest(text):
                done, _ = self.check(text + "\n")
                self.assertEqual(done.returncode, 78, f"{text}\n{done.stdout}{done.stderr}")

    def test_a_token_file_that_others_can_read_is_refused(self):
        site = Site(self)
        tokens = site.dir / "tokens"
        tokens.write_text("a secret-secret-secret\n")
        tokens.chmod(0o644)
        site.write_config(settings=f"token-file = {tokens}")
        done = call("check", "--config", site.config)
        self.assertEqual(done.returncode, 78)
        self.assertNotIn("secret-secret", done.stdout + done.stderr)

    def test_a_bad_configuration_ends_every_verb_with_78(self):
        site = Site(self)
        site.config.write_text("nonsense = 1\n")
        for words in (["serve"], ["deliver"], ["check"], ["list"], ["status"], ["explain"]):
            with self.subTest(words):
                done = call(*words, "--config", site.config, stdin="")
                self.assertIn(done.returncode, (78,) if words != ["status"] else (2, 3, 78), done.stderr)

    def test_check_shows_what_it_understood(self):
        site = Site(self)
        site.write_config(actions=site.command_action("page", "", "match = severity CRITICAL"))
        site.verb("init")
        text = site.verb("check")
        for word in ("page", "severity CRITICAL", "127.0.0.1"):
            self.assertIn(word, text)

    def test_the_example_configuration_is_good(self):
        path = ROOT / "examples" / "alertspool.conf"
        done = call("check", "--config", path)  # complains of a missing spool on a machine without one
        self.assertIn("sqlite:/var/lib/alertspool/spool.db", done.stdout)
        self.assertNotIn(f"{path}:", done.stdout + done.stderr)

    def test_the_examples_commented_lines_are_good(self):
        site = Site(self)
        text = (ROOT / "examples" / "alertspool.conf").read_text()
        tokens = site.dir / "tokens"
        tokens.write_text("console secret-secret-secret\n")
        tokens.chmod(0o600)
        lines = [l.lstrip("#") for l in text.splitlines() if re.match(r"#?(\[|[a-z-]+ = )", l)]
        site.config.write_text("\n".join(lines).replace("/etc/alertspool/tokens", str(tokens)) + "\n")
        done = call("check", "--config", site.config)
        self.assertIn("/usr/local/lib/alertspool/page", done.stdout)
        self.assertNotIn(f"{site.config}:", done.stdout + done.stderr)


class ShippedFiles(unittest.TestCase):
    def test_nginx_takes_the_shipped_files_without_a_warning(self):
        if not NGINX:
            self.skipTest("no nginx")
        site = Site(self)
        site.port = free_port()
        done = subprocess.run([NGINX, "-t", "-p", str(site.dir), "-c", str(site.nginx_config())], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("[warn]", done.stderr)

    def test_nginx_takes_the_commented_lines_too(self):
        if not NGINX:
            self.skipTest("no nginx")
        site = Site(self)
        site.port = free_port()
        config = site.nginx_config()
        location = site.dir / "location.conf"
        location.write_text(re.sub(r"(?m)^(\s+)#([a-z_]+ .*;)$", r"\1\2", location.read_text()))
        self.assertIn("\n    set_real_ip_from", location.read_text())
        done = subprocess.run([NGINX, "-t", "-p", str(site.dir), "-c", str(config)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_header_named_proxy_reaches_nobody(self):
        site = Site(self, nginx=True)
        site.write_config(actions=site.command_action("act", ""))
        site.start()
        alert_id = site.accepted(alert(), headers={"Proxy": "http://evil", "X-Forwarded-For": "47.74.206.1"})
        site.until_state(alert_id, "delivered")
        self.assertNotIn("evil", " ".join(site.run_environment("act", alert_id).values()))
        self.assertEqual(site.show(alert_id)["remote_addr"], "127.0.0.1")


if __name__ == "__main__":
    unittest.main()
