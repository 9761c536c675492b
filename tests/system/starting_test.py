"""What else is around it, as shipped or documented: spawn-fcgi, rsyslog."""

import os
import shutil
import subprocess
import unittest

from harness import PROGRAM, ROOT, Site, alert, eventually

RSYSLOGD = shutil.which("rsyslogd", path=os.environ.get("PATH", "") + ":/usr/sbin")


@unittest.skipUnless(shutil.which("spawn-fcgi"), "no spawn-fcgi")
class SpawnFcgi(unittest.TestCase):
    def test_hands_over_its_socket(self):
        site = Site(self, handover=True)
        site.syslog.start()
        with open(site.dir / "log", "ab") as log:
            process = subprocess.Popen(["spawn-fcgi", "-n", "-s", str(site.socket), "-M", "0660", "--",
                                        PROGRAM, "--config", str(site.config)], stdout=log, stderr=log)
        self.addCleanup(site.stop_process, process)
        eventually(site.socket.exists, "spawn-fcgi listens")
        site.until_state(site.accepted(alert()), "delivered")
        process.terminate()
        self.assertEqual(process.wait(15), 0, site.log())


@unittest.skipUnless(RSYSLOGD, "no rsyslogd")
class Rsyslog(unittest.TestCase):
    def test_every_alert_of_a_flood_is_in_the_file_of_the_shipped_example(self):
        site = Site(self)
        log = site.dir / "alerts.log"
        config = site.dir / "rsyslog.conf"
        config.write_text(f'global(workDirectory="{site.dir}")\nmodule(load="imuxsock" SysSock.Use="off")\n'
                          f'input(type="imuxsock" Socket="{site.syslog.path}")\n'
                          + (ROOT / "examples" / "rsyslog-alertspool.conf").read_text()
                          .replace("/var/log/alertspool/alerts.log", str(log)))
        checked = subprocess.run([RSYSLOGD, "-N1", "-f", str(config)], text=True, capture_output=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        process = subprocess.Popen([RSYSLOGD, "-n", "-f", str(config), "-i", str(site.dir / "rsyslog.pid")])
        self.addCleanup(site.stop_process, process)
        eventually(site.syslog.path.exists, "rsyslogd listens")
        site.start()
        for number in range(500):
            site.accepted(alert(name=f"n{number}"))
        site.until_state(500, "delivered")
        eventually(lambda: log.exists() and log.read_text().count("alertName=n") == 500, "500 lines", seconds=30)


if __name__ == "__main__":
    unittest.main()
