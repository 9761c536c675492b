"""What a bench leaves: Markdown on standard output, JSON and plots under bench/results/, or what docs/ shows."""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import time

from measure import ROOT, fdatasync_us

DECIMALS = ((100, 0), (10, 1), (0, 2))


class Spread:
    """The same measured in each round."""

    def __init__(self, values):
        self.values = list(values)
        self.median, self.low, self.high = statistics.median(self.values), min(self.values), max(self.values)

    def __str__(self):
        return f"{number(self.median)} ({number(self.low)}-{number(self.high)})"


def ratios(ours, theirs):
    """Round by round: what drifts from one to the next drifts for both."""
    return Spread(mine / other for mine, other in zip(ours, theirs))


def of(rounds, key):
    return [one[key] for one in rounds]


def number(value):
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.{next(places for least, places in DECIMALS if abs(value) >= least)}f}"


def table(heads, rows):
    print("| " + " | ".join(heads) + " |")
    print("|" + " --- |" * len(heads))
    for row in rows:
        print("| " + " | ".join(map(number, row)) + " |")
    print()


def host():
    model = [line.split(": ")[1] for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], text=True,
                            capture_output=True).stdout.strip()
    return {"cpu": f"{len(model)} x {model[0] if model else platform.machine()}", "kernel": platform.release(),
            "commit": commit, "fdatasync_us": fdatasync_us(), "load": os.getloadavg()[0],
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def header(about, how):
    print(f"{about['cpu']}, Linux {about['kernel']}; fdatasync of 4 KiB {about['fdatasync_us']:.0f} us; alertspool "
          f"{about['commit']}; {about['date']}, load {about['load']:.1f} before; {how}.\n")


RESULTS = ROOT / "bench" / "results"


def save(name, said, publish):
    RESULTS.mkdir(exist_ok=True)
    date = "" if publish else "-" + said["host"]["date"].replace(":", "")
    path = RESULTS / f"{name}{date}.json"
    path.write_text(json.dumps(said, indent=1, default=lambda spread: spread.values) + "\n")


def plot(name, publish, script, *blocks):
    """NAME.svg: gnuplot with each block, rows of numbers, as $b0, $b1 and so on."""
    data = "".join(f"$b{i} << EOD\n" + "".join(" ".join(map(str, row)) + "\n" for row in rows) + "EOD\n"
                   for i, rows in enumerate(blocks))
    drawn = subprocess.run(["gnuplot"], text=True, check=True, stdout=subprocess.PIPE, input=(
        "set terminal svg size 760,420 font 'sans-serif,13' background 'white'\nset grid\nset key outside right\n"
        f"{data}{script}\n")).stdout
    folder = ROOT / "docs" / "performance" if publish else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_text(re.sub(r"<g [^>]*>\s*</g>\s*", "", drawn))  # gnuplot leaves many empty groups
