"""Two machines that share a spool in PostgreSQL, and what `make torture` does to its servers and to the network."""

import contextlib
import os
import signal

import postgres
from fault_test import small_disk
from faults import VICTIMS, Victim, failing, fault

DISK = "1200m"


def open_pair(test, clock):
    """Two sites; nginx, syslogd, command and record of the first serve both. The servers' disk can be filled."""
    test.enterContext(small_disk(test, "/dev/shm", DISK))
    network = postgres.Network(test.addCleanup, "pg1", "pg2", "one", "two")
    cluster = postgres.Cluster(test.addCleanup, network.machines[:2])
    store = cluster.url(cluster.database())
    first = None
    for machine in network.machines[2:]:
        member = Member(test, clock, first, settings="deliver = no\n", store=store, enter=machine.enter)
        member.network, member.cluster, member.machine = network, cluster, machine
        member.database = f"spool{cluster.databases}"
        first = first or member
    first.beside = (member,)
    first.start_nginx()
    return [first, member]


class Member(Victim):
    def own(self, name):
        return f"{name} on {self.machine.name}"

    def rows(self, sql):
        lines = self.cluster.primary.sql(sql, self.database).splitlines()
        return [tuple(int(word) if word.isdigit() else word for word in line.split("|")) for line in lines]

    def damage(self):
        return ""  # of its files; what is in them judge() looks at


def server_fault(function):
    return fault("server", store="postgresql")(function)


@server_fault
def primary_killed_and_standby_promoted(site, hold):
    site.cluster.primary.kill()
    hold()
    site.cluster.promote()
    site.cluster.join()


@server_fault
def primary_stopped_and_standby_promoted(site, hold):
    """It hangs, and is killed before it could come back."""
    old = site.cluster.primary
    old.signal(signal.SIGSTOP)
    hold()
    site.cluster.promote()
    old.kill()
    site.cluster.join()


@contextlib.contextmanager
def unplugged(site, machine):
    site.network.unplug(machine)
    try:
        yield
    finally:
        site.network.plug_in(machine)


@server_fault
def primary_cut_off_and_standby_promoted(site, hold):
    """It is fenced before it is in the network again."""
    old = site.cluster.primary
    with unplugged(site, old.machine):
        site.cluster.promote()
        hold()
        old.kill()
    site.cluster.join()


def gone_for_a_while(which, goes, name):
    @fault("server", name=name, store="postgresql")
    def apply(site, hold):
        server = getattr(site.cluster, which)
        getattr(server, goes)()
        hold()
        server.start()


def stopped_for_a_while(which):
    @fault("server", name=f"{which} stopped for a while", store="postgresql")
    def apply(site, hold):
        server = getattr(site.cluster, which)
        server.signal(signal.SIGSTOP)
        try:
            hold()
        finally:
            server.signal(signal.SIGCONT)


def server_cut_off(which):
    @fault("server", name=f"{which} cut off", store="postgresql")
    def apply(site, hold):
        with unplugged(site, getattr(site.cluster, which).machine):
            hold()


gone_for_a_while("primary", "kill", "primary killed and started")
gone_for_a_while("primary", "stop", "primary ended and started")
gone_for_a_while("standby", "kill", "standby killed")
for each in ("primary", "standby"):
    stopped_for_a_while(each)
    server_cut_off(each)

for each in VICTIMS:
    failing(each, "talk", "sendto,recvfrom", "ECONNRESET", store="postgresql")

OF_OURS = "FROM pg_stat_activity WHERE usename = 'alertspool'"


@server_fault
def connections_cut(site, hold):
    site.rows(f"SELECT pg_terminate_backend(pid) {OF_OURS}")
    hold()


@server_fault
def too_many_connections(site, hold):
    site.rows(f"ALTER DATABASE {site.database} CONNECTION LIMIT 0")
    try:
        site.rows(f"SELECT pg_terminate_backend(pid) {OF_OURS}")
        hold()
    finally:
        site.rows(f"ALTER DATABASE {site.database} CONNECTION LIMIT -1")


@server_fault
def server_read_only(site, hold):
    site.cluster.primary.set("default_transaction_read_only", "on")
    try:
        hold()
    finally:
        site.cluster.primary.set("default_transaction_read_only", "off")


@server_fault
def servers_full(site, hold):
    """To the last byte, so that they cannot write their log either, and end."""
    filler = site.cluster.dir / "filler"
    free = os.statvfs(site.cluster.dir)
    try:
        with open(filler, "wb") as out, contextlib.suppress(OSError):
            os.posix_fallocate(out.fileno(), 0, free.f_bavail * free.f_frsize)
        hold()
    finally:
        filler.unlink()
    for server in site.cluster.servers:
        if not server.pids():
            server.stop()
            server.start()


@fault("network", store="postgresql")
def cut_off(site, hold):
    with unplugged(site, site.machine):
        hold()


@fault("deliverer", store="postgresql")
def deliverer_stopped_past_its_lease(site, hold):
    hold.seconds = 32
    site.signal("deliverer", signal.SIGSTOP)
    try:
        hold()
    finally:
        site.signal("deliverer", signal.SIGCONT)
