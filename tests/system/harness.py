"""What the system tests share: a site of alertspool behind the real nginx, in a temporary directory of its own.

The program under test is $ALERTSPOOL, else build/alertspool. Everything that a site starts is stopped by its pid.
Tests wait for conditions with a deadline and never sleep for a result.
"""

import collections
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("ALERTSPOOL", str(ROOT / "build" / "alertspool"))
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
SHARED = pathlib.Path(os.environ.get("ALERTSPOOL_SHARED", ROOT.parent / "shared"))
FORM = "application/x-www-form-urlencoded; charset=UTF-8"


class AtOnce:
    """A thread for each work, which ends when `stopping` is set: when `with` does."""

    def __init__(self, stopping, *works):
        self.stopping, self.threads = stopping, [threading.Thread(target=work) for work in works]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def eventually(condition, what, seconds=15.0):
    """The first true value of condition(); fails the test when the deadline passes."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.01)


def replace_text(path, text):
    """Who reads meanwhile sees the old file or the new one."""
    whole = path.with_suffix(".new")
    whole.write_text(text)
    whole.replace(path)


def tries_of(lines):
    """(id, attempt, line) of lines of syslog. A line has no attempt: that it repeats an id says that it is one more."""
    seen = collections.Counter()
    for line in lines:
        alert_id = int(re.search(r" id=(\d+) ", line)[1])
        seen[alert_id] += 1
        yield alert_id, seen[alert_id], line


def captured_callbacks():
    """(name, content type, body) of every captured callback."""
    folder = SHARED / "data" / "callbacks"
    if not folder.is_dir():
        raise unittest.SkipTest(f"no captured callbacks in {folder} (ALERTSPOOL_SHARED names their parent)")
    for path in sorted(folder.iterdir()):
        kind = "application/json" if path.suffix == ".json" else FORM
        yield path.name, kind, path.read_bytes()


def alert(name="disk", state="ALERT", level="WARN", **more):
    """A callback body; without a timestamp of its own each one is another alert."""
    alert.count += 1
    fields = {"alertName": name, "alertState": state, "triggerLevel": "OK" if state == "OK" else level,
              "preTriggerLevel": level, "ruleId": "rule-" + name, "userId": "29751196",
              "dimensions": "{instanceId=i-1}", "timestamp": str(1604919253334 + alert.count), "curValue": "97.39"}
    fields.update(more)
    quote = urllib.parse.quote_plus
    return "&".join(f"{quote(k)}={quote(v)}" for k, v in fields.items()).encode()


alert.count = 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text.strip()

    @property
    def id(self):
        return int(self.text.split()[1])

    def __repr__(self):
        return f"{self.status} {self.text!r}"


class FastCgi:
    """A web server's side of FastCGI on a unix socket, down to the record."""

    BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = 1, 2, 3, 4, 5, 6, 7

    def __init__(self, path, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise

    @staticmethod
    def record(kind, content=b"", request_id=1):
        return struct.pack("!BBHHBx", 1, kind, request_id, len(content), 0) + content

    @classmethod
    def begin(cls, keep=False):
        return cls.record(cls.BEGIN, struct.pack("!HB5x", 1, 1 if keep else 0))

    @staticmethod
    def pairs(pairs):
        def length(n):
            return bytes([n]) if n < 128 else struct.pack("!I", n | 0x80000000)
        encoded = [(n.encode(), v.encode("utf-8", "surrogateescape")) for n, v in pairs]
        return b"".join(length(len(n)) + length(len(v)) + n + v for n, v in encoded)

    @classmethod
    def request(cls, body=b"", method="POST", keep=False, without=(), extra=(), **params):
        """The bytes of one request; `extra` are more (name, value) pairs, `without` names to leave out."""
        values = {"REQUEST_METHOD": method, "QUERY_STRING": "", "CONTENT_TYPE": FORM,
                  "CONTENT_LENGTH": str(len(body)), "REMOTE_ADDR": "127.0.0.1", "GATEWAY_INTERFACE": "CGI/1.1"}
        values.update(params)
        pairs = [(n, v) for n, v in values.items() if n not in without] + list(extra)
        content = cls.pairs(pairs)
        out = cls.begin(keep)
        for start in range(0, len(content), 65535):
            out += cls.record(cls.PARAMS, content[start:start + 65535])
        out += cls.record(cls.PARAMS)
        for start in range(0, len(body), 65535):
            out += cls.record(cls.STDIN, body[start:start + 65535])
        return out + cls.record(cls.STDIN)

    def send(self, data):
        self.socket.sendall(data)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError("closed by alertspool")
            data += more
        return data

    def answer(self):
        out = b""
        while True:
            _, kind, _, length, padding = struct.unpack("!BBHHBx", self.exactly(8))
            content = self.exactly(length + padding)[:length]
            if kind == self.STDOUT:
                out += content
            elif kind == self.END:
                return parse_cgi(out)

    def ask(self, body=b"", **options):
        self.send(self.request(body, **options))
        return self.answer()

    def closed(self):
        """Waits until the other side closes; what it said before is thrown away."""
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def parse_cgi(data):
    head, _, body = data.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    return Answer(int(headers.get("Status", "200").split()[0]), headers, body.decode())


class Syslog:
    """A syslog daemon as far as alertspool sees one: a datagram socket whose lines are kept."""

    def __init__(self, path):
        self.path, self.lines, self.socket = path, [], None
        self.lock = threading.Lock()

    def start(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(str(self.path))
        self.thread = threading.Thread(target=self.read, args=(self.socket,), daemon=True)
        self.thread.start()
        return self

    def read(self, sock):
        while True:
            try:
                line = sock.recv(65536)
            except OSError:
                return
            if line == b"":
                return
            with self.lock:
                self.lines.append(line.decode())

    def stop(self):
        """What it took is read before it ends: alertspool has delivered it."""
        if not self.socket:
            return
        self.socket.shutdown(socket.SHUT_RD)  # from now on senders get EPIPE
        self.thread.join()
        self.socket.close()
        self.socket = None
        os.unlink(self.path)

    def of(self, alert_id):
        with self.lock:
            return [line for line in self.lines if f" id={alert_id} " in line]


class Site:
    """A configuration, a spool, a receiver (which starts its deliverer), and nginx in front when asked for.

    `store`: where the spool is, else a file of its own. `enter`: words before each command, for a machine of its own.
    `beside`: other sites, whose receivers get their share of what comes to nginx.
    """

    def __init__(self, test, settings="", actions="", nginx=False, handover=False, store=None, enter=(), beside=()):
        self.test, self.enter, self.beside = test, enter, beside
        # Below /tmp and not $TMPDIR: a unix socket's path has at most 107 bytes.
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="as-", dir="/tmp"))
        test.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.socket = self.dir / "fcgi.sock"
        self.config = self.dir / "alertspool.conf"
        self.spool = self.dir / "spool" / "spool.db"
        self.spool.parent.mkdir()
        self.store = store or f"sqlite:{self.spool}"
        (self.dir / "runs").mkdir()
        self.syslog = Syslog(self.dir / "log.sock")
        test.addCleanup(self.syslog.stop)
        self.handover, self.listener = handover, None
        self.receiver = None
        self.children = []
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("CMS_", "ALERTSPOOL_"))}
        self.settings, self.actions = settings, actions
        self.write_config()
        self.port, self.nginx = None, nginx
        self.tls = None  # the context of clients, when the web server speaks TLS
        if nginx:
            self.start_nginx()

    # ---- configuration

    def write_config(self, settings=None, actions=None):
        self.settings = self.settings if settings is None else settings
        self.actions = self.actions if actions is None else actions
        allow = "" if "allow" in self.settings else "allow = 127.0.0.1\n"
        listen = "" if self.handover else f"listen = {self.socket}\n"
        replace_text(self.config, f"store = {self.store}\n{allow}{listen}{self.settings}\n"
                                  f"{self.actions or self.log_action()}")

    def log_action(self, more=""):
        return f"[action.log]\ntype = syslog\nsocket = {self.syslog.path}\nretry-min = 1s\n{more}\n"

    def command_action(self, name, script, more=""):
        """A command that leaves its environment in runs/NAME.ID.ATTEMPT before it does what `script` says."""
        path = self.dir / name
        path.write_text("#!/bin/sh\n"
                        f"out={self.dir}/runs/$ALERTSPOOL_ACTION.$ALERTSPOOL_ID.$ALERTSPOOL_ATTEMPT\n"
                        "[ ! -e $out ] || out=$out.again\n"
                        f"env -0 > $out.part && mv $out.part $out\n{script}\n")
        path.chmod(0o755)
        return f"[action.{name}]\ntype = command\nrun = {path}\n{more or 'retry-min = 1s'}\n"

    def runs(self, action="*", alert_id="*"):
        """[(id, attempt)] of that action in the order in which they were started."""
        paths = [p for p in (self.dir / "runs").glob(f"{action}.{alert_id}.*") if p.suffix[1:].isdigit()]
        paths.sort(key=lambda p: p.stat().st_mtime_ns)
        return [tuple(int(word) for word in p.name.split(".")[1:]) for p in paths]

    def run_environment(self, action, alert_id, attempt=1):
        data = (self.dir / "runs" / f"{action}.{alert_id}.{attempt}").read_bytes().decode()
        return dict(entry.split("=", 1) for entry in data.split("\0") if entry)

    # ---- processes

    def start(self, wait=True, under=(), **options):
        """Starts the receiver, under strace or the like; returns the site."""
        arguments = [*self.enter, *under, PROGRAM, "serve", "--config", str(self.config)]
        stdin = subprocess.DEVNULL
        if self.handover:
            stdin = self.listener = self.listener or self.listen()
        with open(self.dir / "log", "ab") as log:
            self.receiver = subprocess.Popen(arguments, stdin=stdin, stdout=log, stderr=log, env=self.environment,
                                             cwd="/", **options)
        self.test.addCleanup(self.stop_process, self.receiver)
        if wait:
            eventually(self.answers, lambda: f"receiver answers\n{self.log()}")
        return self

    def listens(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def listen(self):
        """A socket that outlives receivers, as systemd or spawn-fcgi holds it."""
        listener = socket.socket(socket.AF_UNIX)
        self.test.addCleanup(listener.close)
        listener.bind(str(self.socket))
        listener.listen(512)
        return listener

    def answers(self):
        if self.receiver.poll() is not None:
            raise AssertionError(f"receiver ended with {self.receiver.returncode}\n{self.log()}")
        try:
            with FastCgi(self.socket) as client:
                return client.ask(method="GET").status in (200, 403, 503)
        except (ConnectionError, FileNotFoundError):
            return False

    def start_deliverer(self, *arguments, under=()):
        with open(self.dir / "log", "ab") as log:
            process = subprocess.Popen([*self.enter, *under, PROGRAM, "deliver", "--config", str(self.config), *arguments],
                                       cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        self.test.addCleanup(self.stop_process, process)
        return process

    def deliverer_pid(self):
        """The pid of the deliverer that the receiver started."""
        def child():
            for task in pathlib.Path(f"/proc/{self.receiver.pid}/task").iterdir():
                for pid in (task / "children").read_text().split():
                    if b"deliver" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                        return int(pid)
            return None
        return eventually(child, "the receiver has a deliverer")

    def stop(self, seconds=15):
        """TERM and wait: the exit status."""
        self.receiver.terminate()
        return self.receiver.wait(seconds)

    @staticmethod
    def stop_process(process):
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self):
        path = self.dir / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    # ---- nginx

    def nginx_http(self):
        """The shipped files with the paths of this site, in a server of their own unless `nginx` names a shipped one."""
        sockets = ";\n    server unix:".join(str(site.socket) for site in (self, *self.beside))
        for name, old, new in (("upstream", "/run/alertspool/alertspool.sock", sockets),
                               ("location", "/var/log/nginx/alertspool.log", str(self.dir / "access.log"))):
            text = (ROOT / "nginx-conf" / f"alertspool-{name}.conf").read_text()
            assert old in text, f"{name}: no {old}"
            (self.dir / f"{name}.conf").write_text(text.replace(old, new))
        server = f"server {{\nlisten 127.0.0.1:{self.port};\ninclude {self.dir}/location.conf;\n}}\n"
        if isinstance(self.nginx, str):
            server = (ROOT / "nginx-conf" / f"alertspool-{self.nginx}.conf").read_text()
            for old, new in ((r"listen \[::\]:.*", ""), (r"listen \d+", f"listen 127.0.0.1:{self.port}"),
                             (r"/etc/letsencrypt/live/alerts.example.com", str(self.dir)),
                             (r"192\.0\.2\.10", "127.0.0.1"), (r"snippets/alertspool-", f"{self.dir}/")):
                server = re.sub(old, new, server)
        return f"include {self.dir}/upstream.conf;\naccess_log off;\n{server}"

    def nginx_config(self):
        temporary = "".join(f"{kind}_temp_path {self.dir}/{kind};\n"
                            for kind in ("client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        config = self.dir / "nginx.conf"
        config.write_text(f"{'user root;' if os.geteuid() == 0 else ''}\n"
                          f"daemon off;\npid {self.dir}/nginx.pid;\nerror_log {self.dir}/nginx-error.log;\n"
                          "worker_processes 2;\nevents { worker_connections 2048; }\n"
                          f"http {{\n{temporary}{self.nginx_http()}}}\n")
        return config

    def start_nginx(self):
        if not NGINX:
            raise unittest.SkipTest("no nginx")
        for _ in range(5):  # somebody else may take the port between our look and nginx's
            self.port = free_port()
            if self.start_web(NGINX, "-p", str(self.dir), "-c", str(self.nginx_config())):
                return
        raise AssertionError(self.web_log())

    def start_web(self, *command, **options):
        """Starts a web server on the site's port; false when it ended instead."""
        with open(self.dir / "web-out", "ab") as out:
            self.web = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **options)
        self.test.addCleanup(self.stop_process, self.web)
        eventually(lambda: self.web.poll() is not None or self.web_listens(), f"{command[0]} listens")
        return self.web.poll() is None

    def restart_web(self, **options):
        self.stop_process(self.web)
        eventually(lambda: not self.web_listens(), "its last process has left the port")
        self.test.assertTrue(self.start_web(*self.web.args, **options), self.web_log())

    def web_log(self):
        """What the web server said of itself."""
        return "".join(path.read_text() for path in (self.dir / "web-out", *self.dir.glob("*-error.log")))

    def web_listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def http(self, method="POST", body=None, query="", content_type=FORM, headers=None, timeout=10,
             path="/cloudmonitor", source="127.0.0.1"):
        where = {"host": "127.0.0.1", "port": self.port, "timeout": timeout, "source_address": (source, 0)}
        connection = (http.client.HTTPSConnection(**where, context=self.tls) if self.tls
                      else http.client.HTTPConnection(**where))
        try:
            headers = {**({"Content-Type": content_type} if body is not None else {}), **(headers or {})}
            connection.request(method, path + (f"?{query}" if query else ""), body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read().decode())
        finally:
            connection.close()

    def half_a_post(self, body, headers):
        """A connection on which the head of a POST was sent, and half of its body."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        if self.tls:
            client = self.tls.wrap_socket(client, server_hostname="127.0.0.1")
        head = {"Host": "x", "Connection": "close", "Content-Type": FORM, "Content-Length": len(body), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        client.sendall(f"POST /cloudmonitor HTTP/1.1\r\n{lines}\r\n".encode() + body[:len(body) // 2])
        return client

    # ---- one request

    def post(self, body, **params):
        """Through nginx when there is one, else as FastCGI on the socket."""
        if self.port:
            return self.http("POST", body, **params)
        with FastCgi(self.socket) as client:
            return client.ask(body, **params)

    def accepted(self, body, **params):
        """Posts it, expects `accepted ID`, returns the id."""
        answer = self.post(body, **params)
        self.test.assertEqual(answer.status, 200, f"{answer}\n{self.log()}")
        self.test.assertRegex(answer.text, r"^accepted \d+$")
        return answer.id

    def cgi(self, body=b"", arguments=(), stdin=None, under=(), **params):
        """The program as a CGI process: its answer, its exit status, its standard error."""
        environment = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "REMOTE_ADDR": "127.0.0.1",
                       "CONTENT_TYPE": FORM, "CONTENT_LENGTH": str(len(body)), "QUERY_STRING": "",
                       "SERVER_PROTOCOL": "HTTP/1.1", "PATH": "/usr/bin:/bin",
                       "ALERTSPOOL_CONFIG": str(self.config), **params}
        source = {"stdin": stdin} if stdin else {"input": body}
        done = subprocess.run([*under, PROGRAM, *arguments], **source, env=environment, cwd="/", timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return parse_cgi(done.stdout) if done.stdout else None, done

    # ---- verbs

    def verb(self, *arguments, expect=0, stdin=None, timeout=30):
        """Runs `alertspool ARGUMENTS --config ...`; its standard output."""
        done = subprocess.run([*self.enter, PROGRAM, *map(str, arguments), "--config", str(self.config)], input=stdin,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment,
                              timeout=timeout)
        if expect is not None:
            self.test.assertEqual(done.returncode, expect, f"{arguments}\n{done.stdout}{done.stderr}\n{self.log()}")
        self.error = done.stderr
        return done.stdout

    def show(self, alert_id):
        return json.loads(self.verb("show", alert_id, "--json"))

    def list(self, *arguments):
        return json_values(self.verb("list", "--json", *arguments))

    def until_delivering(self):
        """Waits until a deliverer has announced itself: before that, `test` would not wait for anything."""
        def alive():
            said = json.loads(self.verb("status", "--json", expect=None))
            return any(p["role"] == "deliverer" and p["alive"] for p in said["processes"])
        eventually(alive, "a deliverer is alive")
        return self

    def until_state(self, alert_id, state, seconds=15):
        def reached():
            self.last_seen = self.show(alert_id)
            return self.last_seen["state"] == state and self.last_seen
        return eventually(reached, lambda: f"alert {alert_id} is {state}: {self.last_seen}\n{self.log()}", seconds)


class Balancer(Site):
    """The nginx of a page of docs/ in front of those of several sites."""

    def __init__(self, test, page, sites):
        self.page, self.sites = page, sites
        super().__init__(test, nginx=True)

    def nginx_http(self):
        text = (ROOT / "docs" / self.page).read_text()
        block = re.search(r"(?ms)^    (map|upstream) .*?^    server {.*?^    }\n", text)[0]
        for number, site in enumerate(self.sites, 21):
            block = block.replace(f"192.0.2.{number}:80", f"127.0.0.1:{site.port}")
        return "access_log off;\n" + block.replace("listen 443 ssl", f"listen 127.0.0.1:{self.port}")


def json_values(text):
    """`list --json`: one array, or one object a line."""
    text = text.strip()
    if text.startswith("["):
        return json.loads(text)
    return [json.loads(line) for line in text.splitlines()]
