# SPDX-License-Identifier: Apache-2.0
"""A real systemd as PID 1 of a machine of its own: this one's files, with its own /etc, /run and /var/lib."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from conftest import BINARY, eventually

ROOT = pathlib.Path(__file__).parents[2]
SYSTEMD = "/lib/systemd/systemd"
NAMESPACES = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--cgroup", "--uts", "--ipc", "--mount-proc"]
TARGETS = ("basic", "sysinit", "shutdown", "umount", "final", "sockets", "network-online", "nss-user-lookup",
           "multi-user", "timers", "paths", "slices")

# The kernel's settings are not this machine's alone: systemd-sysctl lets them be where they cannot be written.
# Runs as PID 1 until it becomes systemd. $1: the folder with etc, local and units.
BEGIN = r"""
set -e
mount --make-rprivate /
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount --bind "$1/etc" /etc
mount --bind "$1/local" /usr/local
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
exec env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=colony-test \
    SYSTEMD_UNIT_PATH="/etc/systemd/system:$1/units:/usr/local/lib/systemd/system" \
    /lib/systemd/systemd --system --show-status=no --log-target=console --log-level=notice
"""


def why_not():
    """Why there can be no such machine here; None: there can."""
    if os.geteuid() != 0:
        return "needs root"
    if not pathlib.Path(SYSTEMD).exists():
        return "needs systemd"
    if b"__asan_init" in (text := pathlib.Path(BINARY).read_bytes()) or b"__tsan_init" in text:
        return "a sanitizer makes calls that the unit forbids"
    tried = subprocess.run([*NAMESPACES, "sh", "-c", "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup"],
                           capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return "no namespaces or no cgroup2 here: " + tried.stderr.strip()
    return None


def cgroup_mount():
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        if line.split()[2] == "cgroup2":
            return pathlib.Path(line.split()[1])
    return None


class Machine:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="colony-machine-"))
        self.log = self.folder / "log"
        self.cgroup = cgroup_mount() / self.folder.name
        self.process = None
        self.pid = None

    def install(self):
        made = subprocess.run(["make", "-s", "-C", ROOT, f"BUILD={pathlib.Path(BINARY).parent}", "install",
                               f"DESTDIR={self.folder}/to", "prefix=/usr/local", "SYSTEMD_TYPE=notify"],
                              capture_output=True, text=True, check=False,
                              env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")})
        assert made.returncode == 0, made.stderr
        shutil.move(self.folder / "to/usr/local", self.folder / "local")
        subprocess.run(["cp", "-a", "/etc", self.folder / "etc"], check=True)
        shutil.rmtree(self.folder / "etc/systemd/system", ignore_errors=True)
        shutil.rmtree(self.folder / "etc/colony", ignore_errors=True)
        shutil.copytree(self.folder / "to/etc/colony", self.folder / "etc/colony")
        units = self.folder / "units"
        units.mkdir()
        for name in TARGETS:
            (units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
        (units / "default.target").write_text("[Unit]\nDefaultDependencies=no\n")

    def begin(self, script, *arguments):
        self.cgroup.mkdir()
        enter = f'echo $$ > {self.cgroup}/cgroup.procs; exec "$@"'
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", enter, "sh", *NAMESPACES, "sh", "-c", script, "sh", self.folder, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = eventually(self.find_systemd, what="a systemd")
        eventually(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() in
                   ("running", "degraded"), what="its start")

    def boot(self):
        self.begin(BEGIN)
        self.run("systemd-sysusers", "/usr/local/lib/sysusers.d/colony.conf")
        self.run("systemd-tmpfiles", "--create", "/usr/local/lib/tmpfiles.d/colony.conf")

    def find_systemd(self):
        """The one process of the machine's namespace that is PID 1 there."""
        assert self.process.poll() is None, self.log.read_text()
        for pid in (self.cgroup / "init.scope/cgroup.procs").read_text().split():
            if b"systemd" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
        return None

    def run(self, *command, check=True, timeout=60):
        """A command inside."""
        result = subprocess.run(["nsenter", "-t", str(self.pid), "-m", "-r", "-p", "-C", "-i", "-u", "--",
                                 "env", "-C", "/", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                 *map(str, command)],
                                capture_output=True, text=True, check=False, timeout=timeout)
        if check:
            assert result.returncode == 0, f"{command}: {result.stderr}{result.stdout}{self.log.read_text()}"
        return result

    def ctl(self, *arguments, **more):
        return self.run("colony", "ctl", *arguments, **more)

    def write(self, path, text):
        path = self.folder / path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def show(self, what, unit="colony.service"):
        return self.run("systemctl", "show", "--value", "-p", what, unit).stdout.strip()

    def read(self, path):
        """A file inside, of any kind that can be read."""
        return pathlib.Path(f"/proc/{self.pid}/root{path}").read_text()

    def end(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)  # and with it all of the machine
        if self.process:
            self.process.kill()
            self.process.wait(10)
        for folder, _, _ in os.walk(self.cgroup, topdown=False):
            eventually(lambda where=folder: remove(where), what=f"an empty {folder}")
        shutil.rmtree(self.folder, ignore_errors=True)


def remove(cgroup):
    try:
        os.rmdir(cgroup)
    except FileNotFoundError:
        pass
    return True


def make_machine():
    reason = why_not()
    if reason:
        pytest.skip(reason)
    return Machine()
