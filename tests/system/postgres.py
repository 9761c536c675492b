"""A primary of PostgreSQL with its synchronous standby, and machines with a network and a hostname of their own.

Servers are tests/postgres, machines are namespaces: both are gone when this process is, whatever way it ends.
"""

import contextlib
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import urllib.parse

from harness import ROOT, eventually

BIN = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
AS_SERVER = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
HBA = "".join(f"{who} trust\n" for who in ("local all all", "local replication all", "host all all samenet",
                                           "host replication all samenet"))


def why_no_machines():
    """Why there can be no machines here; empty where they can be."""
    if os.geteuid() != 0:
        return "machines of their own need root"
    if not shutil.which("ip"):
        return "no ip (package iproute2)"
    bridge = "unshare --net --uts ip link add switch type bridge"
    return subprocess.run(bridge.split(), text=True, stderr=subprocess.PIPE).stderr


class Machine:
    """As far as hostname and network go: what is started behind `enter` runs on it."""

    def __init__(self, cleanup, name):
        self.name = name
        holder = subprocess.Popen(["unshare", "--net", "--uts", "sh", "-c",
                                   f"hostname {name} && ip link set lo up && echo up && exec cat"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        cleanup(holder.communicate)
        assert holder.stdout.readline() == b"up\n"
        self.pid = holder.pid
        self.enter = ("nsenter", f"--target={self.pid}", "--net", "--uts")

    def run(self, command):
        subprocess.run([*self.enter, *command.split()], check=True)


class Network(Machine):
    """A switch, and the machines at it."""

    def __init__(self, cleanup, *names):
        super().__init__(cleanup, "switch")
        self.run("ip link add switch up type bridge forward_delay 0")
        self.machines = [Machine(cleanup, name) for name in names]
        for number, machine in enumerate(self.machines, 1):
            machine.address = f"10.0.0.{number}"
            self.run(f"ip link add {machine.name} up master switch type veth peer name net netns {machine.pid}")
            machine.run(f"ip address add {machine.address}/24 dev net")
            machine.run("ip link set net up")

    def unplug(self, machine):
        """Its packets are lost, and it is not told."""
        self.run(f"ip link set {machine.name} down")

    def plug_in(self, machine):
        self.run(f"ip link set {machine.name} up")


def lives(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # it is empty when nobody has waited for it yet
    except FileNotFoundError:
        return False


class Server:
    """One server on a socket in its directory, on a machine also at its address. `settings`: more of postgresql.conf."""

    def __init__(self, directory, machine=None, settings=()):
        self.dir, self.machine, self.process = directory, machine, None
        self.settings = dict(settings)
        self.dir.mkdir(exist_ok=True)
        if AS_SERVER:
            shutil.chown(self.dir, "postgres", "postgres")
        self.address = machine.address if machine else str(directory)
        self.enter = machine.enter if machine else ()
        self.environment = dict(os.environ)

    def start(self):
        hba = self.dir.with_suffix(".hba")
        hba.write_text(HBA)
        settings = {"hba_file": hba, "max_connections": 40, "recovery_init_sync_method": "syncfs",
                    "wal_retrieve_retry_interval": "100ms", "listen_addresses": self.address if self.machine else "",
                    "dynamic_shared_memory_type": "mmap",  # a file below data/, so that one that is killed leaves none
                    **self.settings}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.dir.with_suffix(".log"), "ab") as log:
            self.process = subprocess.Popen([*self.enter, ROOT / "tests" / "postgres", self.dir, *options], stderr=log,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment)
        select.select([self.process.stdout], [], [], 60)
        assert os.read(self.process.stdout.fileno(), 99) == b"ready\n", self.log()

    def log(self):
        return self.dir.with_suffix(".log").read_text()

    def pids(self):
        """Of its processes; none when it has ended."""
        with contextlib.suppress(FileNotFoundError):
            pid = (self.dir / "data" / "postmaster.pid").read_text().split()[0]
            return [int(pid), *map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        return []

    def signal(self, number):
        """To all its processes, as they are part of one machine."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self):
        pids = self.pids()
        self.signal(signal.SIGKILL)
        self.stop()
        eventually(lambda: not any(map(lives, pids)), "all its processes are gone")

    def stop(self):
        if self.process:
            self.process.communicate()
            self.process = None

    def sql(self, statement, database="postgres", timeout=20):
        """What it answers, a line for each row, `|` between columns. A standby shows what was written."""
        done = subprocess.run([BIN / "psql", "-XAtq", "-h", self.dir, "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-d",
                               database, "-c", statement], capture_output=True, text=True, timeout=timeout,
                              env={"PGOPTIONS": "-c default_transaction_read_only=off "
                                                "-c synchronous_commit=remote_apply"})
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def set(self, name, value):
        """Until it is set again, also behind a restart."""
        self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")


class Cluster:
    """A primary, and a standby without which it commits nothing."""

    def __init__(self, cleanup, machines=(None, None)):
        # Servers are killed, never the kernel: a disk would only cost time.
        memory = shutil.disk_usage("/dev/shm").free > 1 << 30
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="as-pg-", dir="/dev/shm" if memory else "/tmp"))
        cleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.dir.chmod(0o755)
        self.servers = [Server(self.dir / name, machine) for name, machine in zip("ab", machines)]
        for server in self.servers:
            cleanup(self.end, server)
        self.primary, self.standby = self.servers
        self.databases = 0
        self.primary.start()
        self.primary.sql("CREATE ROLE alertspool LOGIN")
        self.join()

    @staticmethod
    def end(server):
        server.signal(signal.SIGCONT)
        server.stop()

    def database(self):
        """A new one, which belongs to the role `alertspool`."""
        self.databases += 1
        name = f"spool{self.databases}"
        self.primary.sql(f"CREATE DATABASE {name} OWNER alertspool")
        return name

    def url(self, database, **parameters):
        """For whoever wants the primary, whichever server that is."""
        parameters = {"host": ",".join(server.address for server in self.servers),
                      "target_session_attrs": "read-write", **parameters}
        return f"postgresql://alertspool@/{database}?{urllib.parse.urlencode(parameters, safe='/,')}"

    def promote(self):
        """The standby is the primary from now on, and commits alone."""
        self.standby.set("synchronous_standby_names", "")
        self.standby.sql("SELECT pg_promote()")
        self.primary, self.standby = self.standby, self.primary

    def join(self):
        """A new standby from a copy of the primary."""
        reach = [*self.standby.enter, BIN / "pg_isready", "-q", "-h", self.primary.address, "-U", "postgres"]
        eventually(lambda: subprocess.run(reach).returncode == 0, "the standby's machine reaches the primary")
        data = self.standby.dir / "data"
        shutil.rmtree(data, ignore_errors=True)
        subprocess.run([*self.standby.enter, *AS_SERVER, BIN / "pg_basebackup", "-D", data, "-R", "--no-sync",
                        "--checkpoint=fast", "-d", f"host={self.primary.address} user=postgres"], check=True, cwd="/",
                       stderr=subprocess.DEVNULL)
        self.standby.start()
        self.primary.set("synchronous_standby_names", "*")
        eventually(self.synchronous, lambda: f"the standby is synchronous\n{self.standby.log()}")

    def synchronous(self):
        return self.primary.sql("SELECT sync_state FROM pg_stat_replication") == "sync"
