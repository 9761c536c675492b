"""What a user would pick instead, each in its own way, behind the same nginx where it speaks FastCGI."""

import glob
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess

from harness import eventually, free_port
from measure import BUILD, Sink, memory_mib

SYSLOG_PHP = """<?php
openlog('alert', 0, LOG_DAEMON);
syslog(LOG_WARNING, str_replace(["\\r", "\\n"], ' ', file_get_contents('php://input')));
header('Content-Type: text/plain');
echo "ok\\n";
"""
SQLITE_PHP = """<?php
$db = new PDO('sqlite:FILE', null, null, [PDO::ATTR_PERSISTENT => true, PDO::ATTR_TIMEOUT => 60]);
$db->exec('PRAGMA synchronous = FULL');
$db->prepare('INSERT INTO alert (body) VALUES (?)')->execute([file_get_contents('php://input')]);
header('Content-Type: text/plain');
echo "ok\\n";
"""
POOL = """[global]
error_log = {dir}/php.log
[bench]
listen = {dir}/php.sock
listen.backlog = 1024
pm = static
pm.max_children = 16
"""


class Peer:
    """`port` and `path` to send to; ran() says how many callbacks were acted upon."""

    def __init__(self, port, ran, path="/cloudmonitor", process=None):
        self.port, self.ran, self.path, self.process = port, ran, path, process

    def peak_mib(self):
        return memory_mib(self.process.pid, "VmHWM")


def start_peers(site):
    """{name: Peer}. Before nginx is started."""
    lines = own_log(site)
    start_php(site)
    return {
        "floor": Peer(fastcgi(site, start(site, "floor", [BUILD / "bench" / "floor"])), None),
        "nginx": Peer(site.serve_beside(lambda _: 'location / { return 200 "ok\\n"; }'), None),
        "PHP-FPM, syslog()": Peer(fastcgi(site, "php.sock", php_script(site, "syslog.php", SYSLOG_PHP)),
                                  lambda: lines.count),
        "PHP-FPM, SQLite FULL": sqlite_peer(site),
        "webhook": start_webhook(site, "synchronous", True),
        "webhook, async": start_webhook(site, "asynchronous", False),
        "fcgiwrap, sh, logger": Peer(fastcgi(site, start(site, "fcgiwrap", ["fcgiwrap", "-c", "8"]), cgi_script(site)),
                                     lambda: lines.count),
    }


def own_log(site):
    """Who asks for syslog and not for alertspool's socket writes here. The folder becomes PHP's /dev."""
    device = site.dir / "dev"
    device.mkdir()
    (device / "null").touch()
    lines = Sink(device / "log")
    site.test.addCleanup(lines.stop)
    return lines.start()


def fastcgi(site, name, script=""):
    """The port of alertspool's location with that socket behind it; connections are not kept, as these want it."""
    return site.serve_beside(lambda location: location
                             .replace("fastcgi_pass alertspool;", f"fastcgi_pass unix:{site.dir / name};\n"
                                                                  f"fastcgi_param SCRIPT_FILENAME \"{script}\";")
                             .replace("fastcgi_keep_conn on;", ""))


def start(site, name, command):
    """With a listening socket as standard input: the name of the socket."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.dir / f"{name}.sock"))
        listener.listen(1024)
        process = subprocess.Popen(command, stdin=listener, stderr=subprocess.DEVNULL, start_new_session=True)
    site.test.addCleanup(process.wait)
    site.test.addCleanup(os.killpg, process.pid, signal.SIGKILL)  # libfcgi catches TERM, fcgiwrap has children
    return f"{name}.sock"


# ---- PHP: its syslog() knows /dev/log only, so it gets a /dev with ours

def start_php(site):
    program = sorted(glob.glob("/usr/sbin/php-fpm*"))[-1]
    (site.dir / "php.conf").write_text(POOL.format(dir=site.dir))
    mounts = 'mount --bind /dev/null "$0/null" && mount --rbind "$0" /dev && exec "$@"'
    process = subprocess.Popen(["unshare", "--map-root-user", "--mount", "sh", "-c", mounts, site.dir / "dev", program,
                                "--nodaemonize", "--allow-to-run-as-root", "--fpm-config", site.dir / "php.conf"])
    site.test.addCleanup(site.stop_process, process)
    eventually((site.dir / "php.sock").exists, "PHP-FPM listens")


def php_script(site, name, text):
    (site.dir / name).write_text(text)
    return site.dir / name


def sqlite_peer(site):
    """Its file lies where alertspool's spool does."""
    folder = BUILD / "bench" / "php"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    site.test.addCleanup(shutil.rmtree, folder)
    db = sqlite3.connect(folder / "php.db")
    site.test.addCleanup(db.close)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE alert (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
    script = php_script(site, "sqlite.php", SQLITE_PHP.replace("FILE", str(folder / "php.db")))
    return Peer(fastcgi(site, "php.sock", script),
                lambda: db.execute("SELECT coalesce(max(id), 0) FROM alert").fetchone()[0])


# ---- those that run a command

def executable(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


def cgi_script(site):
    return executable(site.dir / "logger.cgi", "#!/bin/sh\n"
                      f'cat | tr "\\r\\n" "  " | logger -t alert -u {site.dir}/dev/log --size 8000\n'
                      'printf "Content-Type: text/plain\\r\\n\\r\\nok\\n"\n')


def start_webhook(site, name, wait):
    ran, port = site.dir / f"{name}.ran", free_port()
    ran.touch()
    hooks = site.dir / f"{name}.json"
    hooks.write_text(json.dumps([{
        "id": "cloudmonitor", "include-command-output-in-response": wait,
        "execute-command": str(executable(site.dir / name, f"#!/bin/sh\necho >>{ran}\n"))}]))
    process = subprocess.Popen(["webhook", "-hooks", hooks, "-ip", "127.0.0.1", "-port", str(port)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    site.test.addCleanup(site.stop_process, process)
    return Peer(port, lambda: os.stat(ran).st_size, "/hooks/cloudmonitor", process)
