"""The audit of `make torture` finds what it is there to find."""

import pathlib
import sys
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "proof"))

import audit  # noqa: E402  (its folder is added above)


def sent(number, alarm="a", posted=0, answered=None):
    one = audit.Alert(number, alarm, "ALERT", 0)
    one.posted, one.answered = posted, answered
    return one


def command(*lines):
    return audit.runs_of_command([f"{what} {id} {attempt} {number} a ALERT" for what, id, attempt, number in lines])


ONE = ("start", 1, 1, 0), ("end", 1, 1, 0)
ONE_AGAIN = ("start", 1, 2, 0), ("end", 1, 2, 0)
TWO = ("start", 2, 1, 1), ("end", 2, 1, 1)


class Audit(unittest.TestCase):
    def test_lost_is_what_was_answered_and_never_ended(self):
        alerts = [sent(0, answered=1), sent(1, answered=1), sent(2)]
        self.assertEqual(audit.lost(alerts, command(*ONE, ("start", 2, 1, 1))), [1])

    def test_foreign_is_what_nobody_sent_or_has_anothers_words(self):
        runs = command(*ONE, *TWO)
        self.assertEqual(audit.foreign([sent(0), sent(1)], runs), [])
        self.assertEqual([run.number for run in audit.foreign([sent(0)], runs)], [1])
        self.assertEqual([run.number for run in audit.foreign([sent(0), sent(1, alarm="b")], runs)], [1])

    def test_doubled_is_what_does_not_say_that_it_is_a_repeat(self):
        self.assertEqual(audit.doubled(command(*ONE, *ONE_AGAIN), {1: 2}), [])
        self.assertEqual(audit.doubled(command(*ONE, *ONE), {1: 2}), [0])
        self.assertEqual(audit.doubled(command(*ONE, *ONE_AGAIN), {1: 1}), [0])
        self.assertEqual(audit.doubled(command(*ONE, ("start", 2, 1, 0)), {1: 1, 2: 1}), [0])

    def test_a_line_of_syslog_is_marked_by_its_id(self):
        lines = [f"<28>x: id={id} alertState=ALERT alertName=a curValue=0 end" for id in (1, 1, 2)]
        self.assertEqual([run.attempt for run in audit.runs_of_log(lines)], [1, 2, 1])

    def test_out_of_order_is_what_went_before_one_that_was_answered_before_it_was_sent(self):
        one_after_the_other = [sent(0, answered=1), sent(1, posted=2, answered=3)]
        self.assertEqual(audit.out_of_order(one_after_the_other, command(*ONE, *TWO)), [])
        self.assertEqual(audit.out_of_order(one_after_the_other, command(*TWO, *ONE)), [1])
        at_once = [sent(0, answered=3), sent(1, posted=2, answered=4)]
        self.assertEqual(audit.out_of_order(at_once, command(*TWO, *ONE)), [])
        two_alarms = [sent(0, alarm="b", answered=1), sent(1, posted=2, answered=3)]
        self.assertEqual(audit.out_of_order(two_alarms, command(*TWO, *ONE)), [])

    def test_a_repeat_of_all_in_order_is_in_order(self):
        alerts = [sent(0, answered=1), sent(1, posted=2, answered=3)]
        again = ("start", 2, 2, 1), ("end", 2, 2, 1)
        self.assertEqual(audit.out_of_order(alerts, command(*ONE, *TWO, *ONE_AGAIN, *again)), [])
        self.assertEqual(audit.out_of_order(alerts, command(*ONE, *TWO, *ONE_AGAIN)), [1])

    def test_what_starts_before_the_one_before_has_ended_is_out_of_order(self):
        alerts = [sent(0, answered=1), sent(1, posted=2, answered=3)]
        self.assertEqual(audit.out_of_order(alerts, command(ONE[0], TWO[0], ONE[1], TWO[1])), [1])


if __name__ == "__main__":
    unittest.main()
