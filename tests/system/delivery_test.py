"""Delivery to syslog and to commands by a running site."""

import json
import os
import pathlib
import signal
import socket
import unittest

from harness import Site, alert, eventually


class Commands(unittest.TestCase):
    def site(self, script, more="", settings=""):
        site = Site(self, settings=settings)
        site.write_config(actions=site.command_action("act", script, more))
        return site.start()

    def last(self, site, alert_id):
        return site.show(alert_id)["deliveries"][0]

    def test_exit_75_is_tried_again_until_it_succeeds(self):
        site = self.site('[ "$ALERTSPOOL_ATTEMPT" -ge 3 ] || exit 75', "retry-min = 1s\nretry-max = 1s")
        alert_id = site.accepted(alert())
        shown = site.until_state(alert_id, "delivered")
        self.assertEqual(shown["deliveries"][0]["attempts"], 3)
        self.assertEqual(site.runs(), [(alert_id, 1), (alert_id, 2), (alert_id, 3)])

    def test_a_give_up_exit_fails_at_once(self):
        site = self.site("echo no such host >&2; exit 65", "give-up-exit = 65 67")
        alert_id = site.accepted(alert())
        delivery = site.until_state(alert_id, "failed")["deliveries"][0]
        self.assertEqual((delivery["attempts"], delivery["last"]), (1, "exit 65"))
        self.assertIn("no such host", delivery["output"])

    def test_an_alert_that_is_too_old_is_given_up_and_stays_listed(self):
        site = self.site("exit 1", "give-up-after = 1s\nretry-min = 1s\nretry-max = 1s")
        alert_id = site.accepted(alert())
        site.until_state(alert_id, "failed")
        self.assertEqual([a["id"] for a in site.list("--state", "failed")], [alert_id])

    def test_a_command_that_runs_too_long_is_ended_with_its_group(self):
        site = self.site("export MARK=$0; sleep 77 & sleep 77", "timeout = 1s")
        alert_id = site.accepted(alert())
        eventually(lambda: "timeout" in self.last(site, alert_id)["last"], "timed out")
        site.stop()
        self.assertEqual(processes_with(str(site.dir)), [])

    def test_a_command_that_ignores_term_is_killed(self):
        site = self.site("trap '' TERM; while :; do sleep 1; done", "timeout = 1s")
        alert_id = site.accepted(alert())
        eventually(lambda: "timeout" in self.last(site, alert_id)["last"], "killed", 20)

    def test_a_chatty_child_ends_and_its_output_is_cut(self):
        site = self.site("yes $(printf 'x\\033\\377') | head -c 3000000")
        alert_id = site.accepted(alert())
        output = site.until_state(alert_id, "delivered")["deliveries"][0]["output"]
        self.assertIn(len(output), range(1000, 4097))
        self.assertNotIn("\033", site.verb("show", alert_id))

    def test_a_grandchild_that_keeps_the_pipe_holds_nothing_up(self):
        site = self.site("echo done; sleep 60 &", "timeout = 40s")
        delivery = site.until_state(site.accepted(alert()), "delivered", 10)["deliveries"][0]
        self.assertIn("done", delivery["output"])

    def test_a_command_that_does_not_read_its_input_is_fine(self):
        site = self.site("exec <&-; exit 0")
        site.until_state(site.accepted(alert(big="x" * 30000)), "delivered")

    def test_standard_input_is_the_alert_as_one_line_of_json(self):
        site = self.site("cat > $0.stdin")
        alert_id = site.accepted(alert(name="Ümläut"))
        shown = site.until_state(alert_id, "delivered")
        text = (site.dir / "act.stdin").read_text()
        said = json.loads(text)
        self.assertEqual(text.count("\n"), text.endswith("\n"))
        self.assertEqual((said["id"], said["action"], said["attempt"]), (alert_id, "act", 1))
        self.assertEqual(said["fields"]["alertName"], "Ümläut")
        self.assertEqual(said["fields"], shown["fields"])

    def test_commands_that_cannot_be_started_wait_and_are_named(self):
        site = Site(self)
        script = site.dir / "plain"
        script.write_text("#!/bin/sh\n")
        site.write_config(actions="[action.missing]\ntype = command\nrun = /nowhere/at/all\n"
                                  f"[action.plain]\ntype = command\nrun = {script}\nretry-min = 1s\nretry-max = 1s\n")
        site.start()
        alert_id = site.accepted(alert())
        eventually(lambda: all(d["last"] for d in site.show(alert_id)["deliveries"]), "both were tried")
        last = {d["action"]: d["last"] for d in site.show(alert_id)["deliveries"]}
        self.assertIn("No such file", last["missing"])
        self.assertIn("ermission denied", last["plain"])
        script.chmod(0o755)
        eventually(lambda: any(d["action"] == "plain" and d["state"] == "delivered"
                               for d in site.show(alert_id)["deliveries"]), "the mended one was delivered")

    def test_hostile_names_stay_in_their_prefix(self):
        site = self.site("")
        body = (b"LD_PRELOAD=/evil.so&PATH=/evil&BASH_FUNC_x%25%25=%28%29+%7B+evil%3B%7D&A%3DB=c&=empty&%C3%A9t%C3%A9=1"
                b"&IFS=x&alertName=%24%28touch+/tmp/evil%29%60id%60&ALERTSPOOL_ID=99&id=7")
        alert_id = site.accepted(body)
        site.until_state(alert_id, "delivered")
        environment = site.run_environment("act", alert_id)
        self.assertEqual(environment["ALERTSPOOL_ID"], str(alert_id))
        self.assertEqual(environment["CMS_LD_PRELOAD"], "/evil.so")
        self.assertEqual(environment["CMS_ALERT_NAME"], "$(touch /tmp/evil)`id`")
        foreign = [n for n in environment if not n.startswith(("CMS_", "ALERTSPOOL_"))]
        self.assertLessEqual(set(foreign), {"PATH", "HOME", "LANG", "TZ", "PWD", "OLDPWD", "SHLVL", "_"})
        self.assertNotIn("evil", environment["PATH"])
        self.assertEqual([n for n in environment if "%" in n or "BASH_FUNC" in n], [])

    def test_the_environment_of_the_receiver_is_not_inherited(self):
        site = Site(self)
        site.environment["SECRET_OF_THE_SERVICE"] = "x"
        site.write_config(actions=site.command_action("act", ""))
        site.start()
        alert_id = site.accepted(alert())
        site.until_state(alert_id, "delivered")
        self.assertNotIn("SECRET_OF_THE_SERVICE", site.run_environment("act", alert_id))

    def test_a_value_the_kernel_would_refuse_is_cut_and_named(self):
        site = self.site("", settings="max-body = 1MiB")
        alert_id = site.accepted(alert(curValue="y" * 200_000))
        site.until_state(alert_id, "delivered")
        environment = site.run_environment("act", alert_id)
        self.assertIn("CMS_CUR_VALUE", environment["ALERTSPOOL_TRUNCATED"].split())
        self.assertLess(len(environment["CMS_CUR_VALUE"]), 131072)
        self.assertEqual(site.show(alert_id)["fields"]["curValue"], "y" * 200_000)

    def test_a_command_has_a_clean_process(self):
        site = self.site("{ ls /proc/self/fd | tr '\\n' ' '; echo; umask; pwd; "
                         "awk '/^Sig(Blk|Ign)/ {print $2}' /proc/self/status; cut -d' ' -f5 /proc/$$/stat; echo $$; "
                         "} > $0.seen")
        site.until_state(site.accepted(alert()), "delivered")
        descriptors, umask, directory, blocked, ignored, group, own = (site.dir / "act.seen").read_text().splitlines()
        self.assertEqual(descriptors.split(), ["0", "1", "2", "3"])  # 3 is the directory that ls reads
        self.assertEqual(umask.lstrip("0"), "77")
        self.assertEqual(directory, "/")
        own_of_glibc = 3 << 31  # signals 32 and 33: its posix_spawn leaves them ignored
        self.assertEqual((int(blocked, 16), int(ignored, 16) & ~own_of_glibc), (0, 0))
        self.assertEqual(group, own)

    def test_arguments_are_words_and_never_a_shells(self):
        site = Site(self)
        site.write_config(actions=site.command_action("act", 'printf "%s\\n" "$@" > $0.args')
                          .replace(f"{site.dir}/act\n", f"{site.dir}/act \"DB team\" '$HOME' a\\ b ; `id`\n"))
        site.start()
        site.until_state(site.accepted(alert()), "delivered")
        self.assertEqual((site.dir / "act.args").read_text().splitlines(),
                         ["DB team", "$HOME", "a b", ";", "`id`"])

    def test_no_more_than_parallel_run_at_once(self):
        site = self.site("mkdir $0.lock || touch $0.overlap; sleep 0.2; rmdir $0.lock", "parallel = 1")
        ids = [site.accepted(alert(name=f"n{n}")) for n in range(4)]
        for alert_id in ids:
            site.until_state(alert_id, "delivered")
        self.assertFalse((site.dir / "act.overlap").exists())


class Order(unittest.TestCase):
    def test_later_ones_of_an_alarm_wait_and_other_alarms_do_not(self):
        site = Site(self)
        site.write_config(actions=site.command_action(
            "act", '[ "$CMS_ALERT_NAME" = other ] || [ -e $0.healed ] || exit 75', "retry-min = 1s\nretry-max = 1s\nparallel = 4"))
        site.start()
        first, second = site.accepted(alert()), site.accepted(alert(state="OK"))
        other = site.accepted(alert(name="other"))
        site.until_state(other, "delivered")
        eventually(lambda: (first, 2) in site.runs(), "the first failed twice")
        self.assertEqual(site.runs("act", second), [])
        (site.dir / "act.healed").touch()
        site.until_state(second, "delivered")
        self.assertEqual(site.show(first)["state"], "delivered")
        self.assertEqual([i for i, _ in site.runs() if i != other][-2:], [first, second])

    def test_a_recovery_that_waits_goes_when_its_alert_is_given_up(self):
        site = Site(self)
        site.write_config(actions=site.command_action("act", '[ "$CMS_ALERT_STATE" = OK ] || exit 65',
                                                      "give-up-exit = 65"))
        site.start()
        first, second = site.accepted(alert()), site.accepted(alert(state="OK"))
        site.until_state(second, "delivered")
        self.assertEqual(site.show(first)["state"], "failed")

    def test_one_alarm_in_order_under_parallel_load(self):
        site = Site(self)
        site.write_config(actions=site.command_action("act", "", "parallel = 8"))
        site.start()
        ids = [site.accepted(alert(name=f"a{n % 3}")) for n in range(60)]
        eventually(lambda: len(site.runs()) == 60, "all ran", 30)
        started = [i for i, _ in site.runs()]
        for lane in range(3):
            lane_ids = ids[lane::3]
            self.assertEqual([i for i in started if i in lane_ids], lane_ids)

    def test_an_action_that_took_an_alarm_gets_all_of_it_until_it_clears(self):
        site = Site(self)
        site.write_config(actions=site.command_action("page", "", "match = severity CRITICAL") + site.log_action())
        site.syslog.start()
        site.start()
        critical = site.accepted(alert(level="CRITICAL"))
        warn = site.accepted(alert(level="WARN"))
        clear = site.accepted(alert(state="OK", level="WARN"))
        after = site.accepted(alert(level="WARN"))
        foreign = site.accepted(alert(name="other", level="WARN"))
        for alert_id in (critical, warn, clear, after, foreign):
            site.until_state(alert_id, "delivered")
        self.assertEqual([i for i, _ in site.runs("page")], [critical, warn, clear])
        self.assertEqual(len(site.syslog.lines), 5)

    def test_without_follow_only_what_matches_goes(self):
        site = Site(self)
        site.write_config(actions=site.command_action("page", "", "match = severity CRITICAL\nfollow = no"))
        site.start()
        critical = site.accepted(alert(level="CRITICAL"))
        warn = site.accepted(alert(level="WARN"))
        site.until_state(critical, "delivered")
        self.assertEqual(site.show(warn)["state"], "unmatched")

    def test_url_parameters_choose_the_action(self):
        site = Site(self)
        site.write_config(actions=site.command_action("db", "", "match = url.team db dba\nmatch = alertName !*test*"))
        site.start()
        taken = site.accepted(alert(), QUERY_STRING="team=db")
        for body, query in ((alert("a"), "team=web"), (alert("b"), ""), (alert("a test"), "team=db")):
            self.assertEqual(site.show(site.accepted(body, QUERY_STRING=query))["state"], "unmatched")
        site.until_state(taken, "delivered")
        self.assertEqual(site.run_environment("db", taken)["ALERTSPOOL_URL_TEAM"], "db")


class SyslogLines(unittest.TestCase):
    def test_a_missing_syslog_means_later_and_never_lost(self):
        site = Site(self).start()
        alert_id = site.accepted(alert())
        eventually(lambda: "No such file" in site.show(alert_id)["deliveries"][0]["last"], "tried in vain")
        self.assertEqual(site.show(alert_id)["state"], "pending")
        site.syslog.start()
        site.until_state(alert_id, "delivered")
        site.syslog.stop()
        second = site.accepted(alert())
        eventually(lambda: site.show(second)["deliveries"][0]["attempts"] >= 1, "tried in vain again")
        site.syslog.start()
        site.until_state(second, "delivered")
        self.assertEqual(len(site.syslog.of(second)), 1)

    def test_a_syslog_that_does_not_read_blocks_nobody(self):
        site = Site(self)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
            deaf.bind(str(site.syslog.path))
            site.write_config(actions=site.log_action() + site.command_action("act", ""))
            site.start()
            ids = [site.accepted(alert(name=f"n{n}")) for n in range(40)]
            eventually(lambda: len(site.runs("act")) == 40, "the commands ran all the same")
            eventually(lambda: any(a["state"] == "pending" for a in site.list()), "some lines wait")
        os.unlink(site.syslog.path)
        site.syslog.start()
        for alert_id in ids:
            site.until_state(alert_id, "delivered", 20)

    def test_priorities_follow_state_and_severity(self):
        site = Site(self).start()
        site.syslog.start()
        for fields, severity in (({"level": "CRITICAL"}, 2), ({"level": "WARN"}, 4), ({"level": "INFO"}, 6),
                                 ({"state": "OK"}, 5), ({"state": "INSUFFICIENT_DATA"}, 4)):
            alert_id = site.accepted(alert(**fields))
            site.until_state(alert_id, "delivered")
            self.assertTrue(site.syslog.of(alert_id)[0].startswith(f"<{3 * 8 + severity}>"), fields)


class Deliverers(unittest.TestCase):
    def test_with_deliver_no_a_service_of_its_own_delivers(self):
        site = Site(self, settings="deliver = no").start()
        site.syslog.start()
        alert_id = site.accepted(alert())
        self.assertEqual(site.show(alert_id)["state"], "pending")
        deliverer = site.start_deliverer()
        site.until_state(alert_id, "delivered")
        second = site.accepted(alert())
        site.until_state(second, "delivered")
        deliverer.terminate()
        self.assertEqual(deliverer.wait(10), 0)

    def test_once_delivers_what_is_due_and_ends(self):
        site = Site(self, settings="deliver = no").start()
        site.syslog.start()
        ids = [site.accepted(alert()) for _ in range(3)]
        self.assertEqual(site.start_deliverer("--once").wait(15), 0)
        self.assertEqual([site.show(i)["state"] for i in ids], ["delivered"] * 3)
        self.assertEqual(site.start_deliverer("--once").wait(15), 0)

    def test_once_waits_for_a_spool_that_cannot_be_opened_for_a_moment(self):
        site = Site(self, settings="deliver = no").start()
        site.syslog.start()
        alert_id = site.accepted(alert())
        site.stop()
        aside = site.spool.with_name("aside")
        site.spool.rename(aside)
        site.spool.touch()
        once = site.start_deliverer("--once")
        lock = f":{site.spool.with_name('spool.db-lock').stat().st_ino} "
        eventually(lambda: once.poll() is not None or lock in pathlib.Path("/proc/locks").read_text(), "it looks")
        aside.replace(site.spool)
        self.assertEqual(once.wait(15), 0, site.log())
        self.assertEqual(site.show(alert_id)["state"], "delivered")

    def test_a_second_deliverer_stands_by_and_takes_over(self):
        site = Site(self, settings="deliver = no").start()
        site.syslog.start()
        first, second = site.start_deliverer(), site.start_deliverer()
        site.until_state(site.accepted(alert()), "delivered")
        first.kill()
        second_alert = site.accepted(alert())
        site.until_state(second_alert, "delivered")
        second.kill()
        second.wait()
        third = site.start_deliverer()
        site.until_state(site.accepted(alert()), "delivered")
        self.assertIsNone(third.poll())
        self.assertEqual(len(site.syslog.lines), 3)

    def test_a_killed_deliverer_is_started_again_by_the_receiver(self):
        site = Site(self).start()
        site.syslog.start()
        first = site.deliverer_pid()
        os.kill(first, signal.SIGKILL)
        site.until_state(site.accepted(alert()), "delivered")
        self.assertNotEqual(site.deliverer_pid(), first)

    def test_who_ignores_its_children_changes_nothing_for_who_it_starts(self):
        ignoring = ("/bin/sh", "-c", "trap '' CHLD TERM; exec \"$@\"", "sh")
        site = Site(self)
        site.write_config(actions=site.command_action("act", "exit 0"))
        site.start(under=ignoring)
        site.until_state(site.accepted(alert()), "delivered")
        os.kill(site.deliverer_pid(), signal.SIGKILL)
        site.until_state(site.accepted(alert()), "delivered")
        self.assertEqual(site.stop(), 0)

    def test_the_deliverer_ends_with_its_receiver(self):
        site = Site(self).start()
        deliverer = site.deliverer_pid()
        site.receiver.kill()
        site.receiver.wait()
        eventually(lambda: not pathlib.Path(f"/proc/{deliverer}").exists() or zombie(deliverer), "deliverer gone")

    def test_term_lets_a_running_command_end(self):
        site = Site(self)
        site.write_config(actions=site.command_action("act", "sleep 1; touch $0.ended"))
        site.start()
        alert_id = site.accepted(alert())
        eventually(lambda: site.runs(), "the command runs")
        self.assertEqual(site.stop(), 0)
        eventually(lambda: processes_with(str(site.dir)) == [], "all processes of the site are gone")
        state = site.show(alert_id)["state"]
        self.assertEqual(state, "delivered" if (site.dir / "act.ended").exists() else "pending")

    def test_an_action_that_left_the_configuration_waits_visibly(self):
        site = Site(self)
        both = site.command_action("act", "exit 75", "retry-min = 1s\nretry-max = 1s") + site.log_action()
        site.syslog.start()
        site.write_config(actions=both)
        site.start()
        alert_id = site.accepted(alert())
        eventually(lambda: site.runs(), "tried")
        site.write_config(actions=site.log_action())
        site.stop()
        site.start()
        other = site.accepted(alert())
        site.until_state(other, "delivered")
        self.assertEqual(site.show(alert_id)["state"], "pending")
        self.assertIn("act", site.verb("status", expect=None))
        self.assertIn("1", site.verb("drop", alert_id))
        self.assertEqual(site.show(alert_id)["state"], "dropped")


def zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def processes_with(text):
    """Pids whose command line or environment mentions it: what a site left behind."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue
            if text.encode() in words and b"nginx" not in words:
                found.append(int(process.name))
    return found


if __name__ == "__main__":
    unittest.main()
