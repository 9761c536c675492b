"""What the shells offer for completion: the program's own verbs and options."""

import re
import shutil
import subprocess
import unittest

from harness import PROGRAM, ROOT

ZSH = shutil.which("zsh")


def said(*arguments):
    return subprocess.run([PROGRAM, *arguments, "--help"], text=True, capture_output=True, check=True).stdout


VERBS = re.findall(r"^  ([a-z]+)  ", said(), re.M)


class Completion:
    def options(self, *verb):
        return sorted(re.findall(r"^  (?:-h \[ )?(--[a-z-]+)", said(*verb), re.M))

    def test_verbs(self):
        self.assertIn("retry", VERBS)
        self.assertEqual(self.offered(""), sorted(VERBS))
        self.assertEqual(self.offered("--config", "/etc/x", "re"), ["retry"])

    def test_options_of_each_verb(self):
        for verb in VERBS:
            with self.subTest(verb):
                self.assertEqual(self.offered(verb, "--"), self.options(verb))

    def test_states(self):
        for state in self.offered("list", "--state", ""):
            done = subprocess.run([PROGRAM, "list", "--state", state, "--config", "/dev/null"], capture_output=True)
            self.assertNotEqual(done.returncode, 64, done.stderr)
        self.assertEqual(len(self.offered("list", "--state", "")), 7)


class Bash(Completion, unittest.TestCase):
    def offered(self, *words):
        script = (f"source {ROOT}/completion/alertspool.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
                  "_alertspool \"$1\"; printf '%s\\n' \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "-euc", script, "bash", PROGRAM, *words], text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return sorted(filter(None, done.stdout.splitlines()))


@unittest.skipUnless(ZSH, "no zsh")
class Zsh(Completion, unittest.TestCase):
    def offered(self, *words):
        """Runs the function with zsh's own helpers replaced: they print what they would offer for the word."""
        function = (ROOT / "completion" / "_alertspool").read_text()
        script = ("_describe() { print -rl -- ${(P)2%%:*} }; _values() { print -rl -- ${@:2} }; _files() { : };"
                  f"words=(\"$@\"); CURRENT=$#; complete_it() {{\n{function}\n}}; complete_it")
        done = subprocess.run([ZSH, "-fc", script, "zsh", PROGRAM, *words], text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return sorted(line for line in done.stdout.splitlines() if line.startswith(words[-1]) and line)


if __name__ == "__main__":
    unittest.main()
