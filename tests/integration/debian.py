# SPDX-License-Identifier: Apache-2.0
"""A machine that is nothing but a Debian of its own, with systemd as PID 1, to install packages on."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import eventually
from machine import ROOT, Machine, why_not

CACHE = pathlib.Path(os.environ.get("CLEAN_MACHINE_DIR", "/var/cache/colony-clean-machine"))

# $1/root becomes the machine's: what is in $2, which stays as it is.
BEGIN = r"""
set -e
mount --make-rprivate /
root=$1/root
mkdir "$root" "$1/upper" "$1/work"
if ! mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay "$root" 2>/dev/null; then
    cp -a --reflink=auto "$2/." "$root"
    mount --bind "$root" "$root"
fi
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys" # the kernel's settings are not this machine's alone
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cd "$root"
exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=colony-test \
    /lib/systemd/systemd --system --unit=multi-user.target --show-status=no --log-target=console --log-level=notice
"""


def suite():
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return "stable"


def chroot(root, *command):
    """A command in the tree itself, with nothing running there."""
    script = 'mount -t proc proc "$0/proc"; exec chroot "$0" "$@"'
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, root,
                           "env", "DEBIAN_FRONTEND=noninteractive", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                           *map(str, command)], capture_output=True, text=True, check=False, timeout=400)


def prepared(packages):
    """A Debian with systemd, @packages and those of before, kept for the next time."""
    base, tree = CACHE / suite(), CACHE / f"{suite()}-packages"
    done = tree.with_name(tree.name + ".complete")
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = done.read_text().split() if done.exists() else []
        if set(packages) <= set(there):
            return tree
        made = subprocess.run([ROOT / "tests/clean-machine", "base"], capture_output=True, text=True, check=False,
                              env={**os.environ, "CLEAN_MACHINE_SUITE": suite()}, timeout=600)
        if made.returncode != 0:
            pytest.skip("no bare Debian can be made here: " + (made.stdout + made.stderr).strip()[-200:])
        shutil.rmtree(tree, ignore_errors=True)
        subprocess.run(["cp", "-a", "--reflink=auto", base, tree], check=True)
        for command in (["apt-get", "update", "-qq"],
                        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "systemd", "procps", "man-db",
                         *packages, *there], ["apt-get", "clean"]):
            told = chroot(tree, *command)
            if told.returncode != 0:
                pytest.skip("no packages can be installed here: " + told.stderr.strip()[-200:])
        done.write_text(" ".join({*packages, *there}))
    return tree


def depends(package):
    """What it needs, each by its first name, without versions and what systemd itself is."""
    text = subprocess.run(["dpkg-deb", "-f", package, "Depends"], capture_output=True, text=True, check=True).stdout
    names = [part.split("|")[0].split("(")[0].strip() for part in text.split(",")]
    return sorted(name for name in names if name and not name.startswith("systemd"))


def libraries_of(program):
    """The packages that its libraries are in, here and on a machine of the same Debian."""
    paths = [os.path.realpath(word) for word in subprocess.run(["ldd", program], capture_output=True, text=True,
                                                               check=True).stdout.split() if word.startswith("/")]
    told = subprocess.run(["dpkg-query", "-S", *paths], capture_output=True, text=True, check=False).stdout
    return {line.partition(":")[0] for line in told.splitlines()}


class Debian(Machine):
    def boot_with(self, packages, *more):
        """With what @packages depend on, but not them, and what else is named."""
        ours = {path.name.partition("_")[0] for path in packages}
        wanted = {name for path in packages for name in depends(path)} - ours
        tree = prepared(sorted({*wanted, *more}))
        self.begin(BEGIN, tree)

    def lay(self, path):
        """Puts a file of ours into the machine; returns its path there."""
        shutil.copy(path, f"/proc/{self.pid}/root/{path.name}")
        return f"/{path.name}"

    def pids(self):
        """Of all processes, once they run."""
        def look():
            slots = json.loads(self.ctl("ps", "--json").stdout)
            assert slots and all(slot["state"] == "running" for slot in slots)
            return sorted(slot["os_pid"] for slot in slots)
        return eventually(look, what="all running")

    def program_of(self, pid=None):
        """Which file it is: another one after an upgrade, though of the same name."""
        return self.run("stat", "-L", "-c", "%i", f"/proc/{pid}/exe" if pid else "/usr/bin/colony").stdout

    def write(self, path, text):
        pathlib.Path(f"/proc/{self.pid}/root{path}").write_text(text)


def make_debian():
    missing = [tool for tool in ("debootstrap", "dpkg-deb") if not shutil.which(tool)]
    reason = why_not() or (f"needs {missing[0]}" if missing else None)
    if reason:
        pytest.skip(reason)
    return Debian()
