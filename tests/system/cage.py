"""What a service of systemd/ says of its process, done to a child as systemd.exec(5) describes it: for machines where
systemd is not the init. A line that is not understood here fails the test, so that nothing is left out in silence."""

import ctypes
import errno
import functools
import grp
import os
import pathlib
import pwd
import re
import resource
import shutil
import socket
import struct
import subprocess

from harness import ROOT

USER = "daemon"  # stands for the units' user, whom only an installed package makes
LIBC = ctypes.CDLL(None, use_errno=True)
# sched.h, sys/mount.h, linux/mount.h, sys/prctl.h, seccomp.h
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
NAMESPACES = (CLONE_NEWNS, 0x2000000, 0x4000000, 0x8000000, CLONE_NEWUSER, 0x20000000, CLONE_NEWNET)
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 0x80000
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, RDONLY, NOEXEC = 442, -100, 0x8000, 1, 8
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
ALLOW, REFUSE, MASKED_EQUAL = 0x7fff0000, 0x50000, 7
ALL = 0xffffffff

# What the service manager does outside of the process, and what another line does here too: ProtectSystem=strict makes
# all file systems read-only, PrivateNetwork=yes leaves no network, any filter has one architecture, SystemCallFilter
# allows none of the calls that the last ones here refuse.
AROUND = ("ExecStart ExecReload StandardInput StandardOutput StandardError Restart RestartSec KillMode TimeoutStopSec "
          "LogRateLimitIntervalSec StateDirectory StateDirectoryMode RemoveIPC ProtectKernelTunables "
          "ProtectControlGroups IPAddressDeny SystemCallArchitectures ProtectClock ProtectHostname ProtectKernelLogs "
          "ProtectKernelModules RestrictRealtime").split()

# What a line refuses: (system calls, argument, mask, value) where (argument & mask) == value.
REFUSALS = {
    "LockPersonality": [("personality", 0, 0, 0)],
    "MemoryDenyWriteExecute": [("mmap", 2, 6, 6), ("mprotect pkey_mprotect", 2, 4, 4),
                               ("shmat", 2, 0o100000, 0o100000)],
    "RestrictNamespaces": [("setns", 0, 0, 0)] + [("clone unshare", 0, flag, flag) for flag in NAMESPACES],
    "RestrictSUIDSGID": [(calls, argument, bit, bit) for bit in (0o4000, 0o2000) for calls, argument in (
        ("chmod fchmod mkdir mknod", 1), ("fchmodat mkdirat mknodat open", 2), ("openat", 3))],
}


def why_not():
    """Why no cage can be made here; empty where it can."""
    if os.geteuid() != 0:
        return "not root"
    if not shutil.which("systemd-analyze"):
        return "no systemd-analyze (package systemd)"
    return subprocess.run(["unshare", "--mount", "--net", "--user", "--map-root-user", "true"],
                          text=True, stderr=subprocess.PIPE).stderr


WHY_NOT = why_not()


def call(name, *arguments):
    if getattr(LIBC, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"{name}{arguments}: {os.strerror(ctypes.get_errno())}")


def mount(source, target, kind=None, flags=0, options=None):
    call("mount", *(None if text is None else str(text).encode() for text in (source, target, kind)),
         ctypes.c_ulong(flags), None if options is None else options.encode())


def set_attributes(path, on=0, off=0):
    attributes = struct.pack("4Q", on, off, 0, 0)
    call("syscall", MOUNT_SETATTR, AT_FDCWD, str(path).encode(), AT_RECURSIVE, attributes, len(attributes))


@functools.cache
def groups():
    """systemd's names for sets of system calls."""
    said = subprocess.run(["systemd-analyze", "syscall-filter"], text=True, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout
    return {name: re.findall(r"^    ([@\w-]+)$", members, re.MULTILINE)
            for name, members in re.findall(r"^(@\S+)\n((?: .*\n)*)", said, re.MULTILINE)}


def expand(names):
    """The system calls that these names and names of groups stand for."""
    return {call for name in names for call in (expand(groups()[name]) if name.startswith("@") else [name])}


class Filter:
    """A system call filter by libseccomp, which systemd has too."""

    class Comparison(ctypes.Structure):
        _fields_ = [("argument", ctypes.c_uint), ("how", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]

    def __init__(self, otherwise):
        self.library = ctypes.CDLL("libseccomp.so.2")
        self.library.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.library.seccomp_init(otherwise))

    def add(self, action, calls, argument=0, mask=0, value=0):
        comparison = self.Comparison(argument, MASKED_EQUAL, mask, value)
        for name in calls:
            number = self.library.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:  # else another machine's
                error = self.library.seccomp_rule_add_array(self.context, action, number, 1 if mask else 0,
                                                            ctypes.byref(comparison))
                assert error == 0, f"{name}: {os.strerror(-error)}"

    def load(self):
        error = self.library.seccomp_load(self.context)
        assert error == 0, os.strerror(-error)


class Cage:
    """`directory` is where the test has its files and a copy of the program, its folder `spool` the unit's state
    directory. enter() is for subprocess.Popen(preexec_fn=...)."""

    def __init__(self, unit, directory, *more):
        self.directory = pathlib.Path(directory)
        text = (ROOT / "systemd" / unit).read_text().replace("/usr/bin/alertspool", f"{directory}/alertspool")
        text = re.sub(r"(User=|Group=|--reuid=|--regid=)\S+", rf"\g<1>{USER}", text)
        service = text.partition("[Service]")[2].partition("\n[")[0]
        self.lines = re.findall(r"^(\w+)=(.*)$", service, re.MULTILINE) + list(more)
        self.asked = set(AROUND)
        self.filters = list(self.make_filters())

    def values(self, name):
        self.asked.add(name)
        return [value for each, value in self.lines if each == name]

    def words(self, name):
        return " ".join(self.values(name)).split()

    def has(self, name, value="yes"):
        return self.values(name)[-1:] == [value]

    def make_filters(self):
        refusals = Filter(ALLOW)
        families = {getattr(socket, family) for family in self.words("RestrictAddressFamilies")}
        for family in set(range(64)) - families if families else ():
            refusals.add(REFUSE | errno.EAFNOSUPPORT, ["socket"], 0, ALL, family)
        for name in filter(self.has, REFUSALS):
            for calls, *comparison in REFUSALS[name]:
                refusals.add(REFUSE | errno.EPERM, calls.split(), *comparison)
        if self.has("RestrictNamespaces"):
            refusals.add(REFUSE | errno.ENOSYS, ["clone3"])  # its flags are in memory, where a filter does not look
        yield refusals
        if self.has("SystemCallErrorNumber", "EPERM"):
            allowed = set()
            for names in ["@default"] + self.values("SystemCallFilter"):
                calls = expand(names.lstrip("~").split())
                allowed = allowed - calls if names.startswith("~") else allowed | calls
            listed = Filter(REFUSE | errno.EPERM)
            listed.add(ALLOW, allowed)
            yield listed

    # ---- in the child

    def enter(self):
        try:
            self.apply()
        except BaseException as error:
            os.write(2, f"cage.py: {error!r}\n".encode())  # subprocess does not say what it was
            raise

    def apply(self):
        os.umask(int(*self.words("UMask"), 8))
        for name in [name for name, _ in self.lines if re.fullmatch(r"Limit[A-Z]+", name)]:
            resource.setrlimit(getattr(resource, "RLIMIT_" + name[5:]), [int(*self.words(name))] * 2)
        user, group = pwd.getpwnam(*self.words("User")).pw_uid, grp.getgrnam(*self.words("Group")).gr_gid
        last_capability = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text())
        # Root and this user are mapped, which only a process that stays outside may do.
        here = f"/proc/{os.getpid()}"
        mapper = self.has("PrivateUsers") and subprocess.Popen(
            ["sh", "-c", f"read x && printf '0 0 1\\n{user} {user} 1\\n' >{here}/uid_map && "
                         f"printf '0 0 1\\n{group} {group} 1\\n' >{here}/gid_map"], stdin=subprocess.PIPE)
        if self.has("PrivateNetwork"):
            call("unshare", CLONE_NEWNET)
        if self.has("ProtectSystem", "strict"):
            self.mount()
        os.setgroups(os.getgrouplist(USER, group))
        if mapper:
            call("unshare", CLONE_NEWUSER)
            mapper.communicate(b"\n")
            assert mapper.returncode == 0, "no map of users"
        if self.has("CapabilityBoundingSet", ""):
            for capability in range(last_capability + 1):
                call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
        if self.has("NoNewPrivileges"):
            call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            for each in self.filters:
                each.load()
        unknown = {name for name, _ in self.lines} - self.asked
        assert not unknown, f"cannot apply {unknown}"

    def mount(self):
        call("unshare", CLONE_NEWNS)
        mount(None, "/", flags=MS_REC | MS_SLAVE)
        state = self.directory / "spool"
        # What is to be seen again where something is mounted over it.
        shown = {path: os.open(path, os.O_PATH) for path in
                 (self.directory, state, "/dev/null", "/dev/zero", "/dev/full", "/dev/urandom")}

        def show(path):
            mount(f"/proc/self/fd/{shown[path]}", path, flags=MS_BIND)
        if self.has("PrivateTmp"):
            for path in ("/tmp", "/var/tmp"):
                mount("tmpfs", path, "tmpfs", options="mode=1777")
            self.directory.mkdir()
        show(self.directory)
        show(state)
        if self.has("PrivateDevices"):
            mount("tmpfs", "/dev", "tmpfs", options="mode=755")
            for path in [path for path in shown if str(path).startswith("/dev/")]:
                pathlib.Path(path).touch()
                show(path)
        if self.has("ProtectHome"):
            for path in filter(os.path.isdir, ("/home", "/root", "/run/user")):
                mount("tmpfs", path, "tmpfs", options="mode=0")
        if self.has("ProtectProc", "invisible") and self.has("ProcSubset", "pid"):
            mount("proc", "/proc", "proc", options="hidepid=invisible,subset=pid")
        programs = [path for path in (word.lstrip("-") for word in self.words("ExecPaths")) if os.path.exists(path)]
        for path in programs:
            mount(path, path, flags=MS_BIND | MS_REC)
        set_attributes("/", on=RDONLY | (NOEXEC if self.has("NoExecPaths", "/") else 0))
        set_attributes(state, off=RDONLY)
        for path in programs:
            set_attributes(path, off=NOEXEC)
