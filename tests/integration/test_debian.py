# SPDX-License-Identifier: Apache-2.0
"""The Debian packages: built, clean, and installed, upgraded and purged on a Debian with systemd."""

import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import BINARY, eventually
from debian import make_debian
from machine import ROOT

BUILD = pathlib.Path(BINARY).parent
VERSION = (ROOT / "VERSION").read_text().strip()
SETTINGS = """
http: {bind: [none]}
processes:
  web: {cmd: sleep, args: ["1000"], numprocesses: 3}
"""
# What is the package manager's own, or changes by itself.
UNTOLD = ("/var/lib/dpkg", "/var/log", "/var/cache", "/var/lib/systemd", "/run", "/tmp", "/var/tmp", "/proc", "/sys",
          "/dev", "/etc/group", "/etc/gshadow", "/etc/passwd", "/etc/shadow", "/etc/.pwd.lock", "/etc/machine-id")


def run(*command, **more):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **more)


@pytest.fixture(scope="module", name="packages")
def packages_fixture():
    for tool in ("dpkg-buildpackage", "dh", "scdoc", "git"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    head = run("git", "-C", ROOT, "rev-parse", "HEAD")
    if head.returncode != 0:
        pytest.skip("not a git checkout")
    made_of = BUILD / "deb" / "commit"
    if made_of.exists() and made_of.read_text() == head.stdout:
        return BUILD / "deb"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    env |= {"DEB_CFLAGS_APPEND": "-O1 -g0", "DEB_BUILD_OPTIONS": "noautodbgsym"}  # half of the time
    made = run("make", "-s", "-C", ROOT, "deb", f"BUILD={BUILD}", f"COLONY_OBJECTS={BUILD}/package", env=env,
               timeout=900)
    assert made.returncode == 0, made.stderr[-3000:]
    made_of.write_text(head.stdout)
    return BUILD / "deb"


def package(packages, name):
    return next(packages.glob(f"{name}_{VERSION}-1_*.deb"))


def test_lintian_finds_nothing(packages):
    if not shutil.which("lintian"):
        pytest.skip("needs lintian")
    told = run("lintian", "--allow-root", "--fail-on", "error,warning", next(packages.glob("*.changes")))
    assert (told.returncode, told.stdout) == (0, ""), told.stderr


@pytest.mark.usefixtures("packages")  # there is what builds them
def test_lintian_finds_nothing_in_the_source_package(tmp_path):
    if not shutil.which("lintian"):
        pytest.skip("needs lintian")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    made = run("make", "-s", "-C", ROOT, "deb", f"BUILD={tmp_path}", "DEB_FLAGS=--build=source", env=env, timeout=300)
    assert made.returncode == 0, made.stderr[-3000:]
    told = run("lintian", "--allow-root", "--fail-on", "error,warning", next(tmp_path.glob("deb/*.dsc")))
    assert (told.returncode, told.stdout) == (0, ""), told.stderr


def test_the_documentation_is_a_package_of_its_own(packages):
    files = run("dpkg-deb", "-c", package(packages, "colony-doc")).stdout
    assert "./usr/share/doc/colony/configuration.md" in files
    assert "./usr/share/doc/colony/sessions.md" in files
    assert ".in.md" not in files
    assert "./usr/share/doc/colony/examples/quickstart.yaml" in files
    assert "./usr/share/doc/colony/examples/embed/files.c" in files


def test_the_library_is_two_packages_of_which_only_one_is_needed_to_run(packages):
    run_time = run("dpkg-deb", "-c", package(packages, "libcolony0")).stdout
    assert "/libcolony.so.0\n" in run_time
    for ending in (".h\n", ".a\n", ".pc\n", "/libcolony.so -> libcolony.so.0\n"):
        assert ending not in run_time
        assert ending in run("dpkg-deb", "-c", package(packages, "libcolony-dev")).stdout
    needed = run("dpkg-deb", "-f", package(packages, "libcolony-dev"), "Depends").stdout
    assert {f"libcolony0 (= {VERSION}-1)", "libuv1-dev", "libcjson-dev"} <= set(needed.strip().split(", "))
    shlibs = run("dpkg-deb", "-I", package(packages, "libcolony0"), "shlibs").stdout
    assert shlibs == f"libcolony 0 libcolony0 (>= {VERSION})\n"


def test_the_same_sources_give_the_same_packages(packages, tmp_path):
    """Packed again elsewhere and later, of the same objects."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    env |= {"DEB_CFLAGS_APPEND": "-O1 -g0", "DEB_BUILD_OPTIONS": "noautodbgsym", "TZ": "Asia/Tokyo"}
    made = run("make", "-s", "-C", ROOT, "deb", f"BUILD={tmp_path}", f"COLONY_OBJECTS={BUILD}/package", env=env,
               umask=0o027, timeout=900)
    assert made.returncode == 0, made.stderr[-3000:]
    for name in ("colony", "colony-doc", "libcolony0", "libcolony-dev"):
        one, two = package(packages, name), package(tmp_path / "deb", name)
        assert one.read_bytes() == two.read_bytes(), name


@pytest.fixture(scope="module", name="debian")
def debian_fixture(packages):
    debian = make_debian()
    try:
        debian.boot_with([package(packages, name) for name in ("colony", "libcolony0", "libcolony-dev")],
                         "gcc", "g++", "libc6-dev", "pkg-config")
        debian.before = files(debian)
        debian.run("dpkg", "-i", debian.lay(package(packages, "colony")))
        yield debian
    finally:
        debian.end()


def upgrade(debian, packages, folder, number, *environment):
    """To the same once more, under another number; returns what dpkg said."""
    tree, made = folder / "next", folder / "colony-next.deb"
    assert run("dpkg-deb", "-R", package(packages, "colony"), tree).returncode == 0
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"\nVersion: {VERSION}-1\n", f"\nVersion: {VERSION}-{number}\n"))
    assert run("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, made).returncode == 0
    was = debian.program_of()
    told = debian.run("env", *environment, "dpkg", "-i", "--force-confold", debian.lay(made))
    assert debian.run("dpkg-query", "-W", "-f", "${Version}", "colony").stdout == f"{VERSION}-{number}"
    assert debian.program_of() != was
    return told.stderr


def files(debian):
    found = debian.run("find", "/", "-xdev", "-printf", "%p\n").stdout.splitlines()
    return {path for path in found if not path.startswith(UNTOLD)}


# One machine, whose tests follow each other.


def test_installed_it_serves_nothing_yet_and_only_who_may(debian):
    assert debian.show("UnitFileState") == "enabled"
    assert debian.show("ActiveState") == "active"
    assert debian.show("StatusText") == "0 processes run"
    assert debian.run("stat", "-c", "%a %U %G", "/run/colony/colony.sock").stdout == "660 root colony\n"
    assert debian.run("stat", "-c", "%a %U %G", "/run/colony").stdout == "751 root colony\n"
    assert debian.show("ActiveState", "colony.socket") == "inactive"
    assert debian.run("systemctl", "--global", "is-enabled", "colony.service", check=False).stdout == "disabled\n"
    assert debian.run("colony", "version").stdout == f"colony {VERSION}\n"


def test_help_of_a_command_is_its_manual_page(debian):
    page = debian.run("colony", "help", "check").stdout
    assert "COLONY-CHECK(1)" in page.upper() and "SEE ALSO" in page
    assert debian.run("colony", "help", "ctl", "ps").stdout.startswith("usage: colony ctl ps")


def test_an_upgrade_restarts_nothing(debian, packages, tmp_path):
    debian.write("/etc/colony/colony.yaml", SETTINGS)
    debian.write("/etc/colony/shop.yaml", SETTINGS)
    debian.run("systemctl", "reload", "colony")
    debian.run("systemctl", "start", "colony@shop")
    before, main, since = debian.pids(), debian.show("MainPID"), debian.show("ActiveEnterTimestampMonotonic")
    shop = debian.show("MainPID", "colony@shop")
    assert debian.program_of(main) == debian.program_of()
    told = upgrade(debian, packages, tmp_path, 2, "COLONY_ENDPOINT=unix:/nowhere", "COLONY_TOKEN=x")
    assert "goes on as before" not in told
    for keeper in (main, shop):
        eventually(lambda pid=keeper: debian.program_of(pid) == debian.program_of(), what="the new program")
    assert debian.pids() == before
    assert debian.show("MainPID") == main
    assert debian.show("MainPID", "colony@shop") == shop
    assert debian.show("ActiveEnterTimestampMonotonic") == since
    assert debian.show("NRestarts") == "0"
    assert "numprocesses: 3" in debian.run("cat", "/etc/colony/colony.yaml").stdout


def test_an_upgrade_leaves_the_socket_and_takes_place_behind_it(debian, packages, tmp_path):
    debian.run("systemctl", "disable", "--now", "colony")
    debian.run("systemctl", "enable", "--now", "colony.socket")
    before, main = debian.pids(), debian.show("MainPID")
    since = debian.show("ActiveEnterTimestampMonotonic", "colony.socket")
    assert "goes on as before" not in upgrade(debian, packages, tmp_path, 3)
    eventually(lambda: debian.program_of(main) == debian.program_of(), what="the new program")
    assert debian.pids() == before
    assert debian.show("ActiveEnterTimestampMonotonic", "colony.socket") == since
    debian.run("systemctl", "disable", "--now", "colony.socket")
    debian.run("systemctl", "enable", "colony")


def test_an_upgrade_starts_nothing_that_was_stopped(debian, packages, tmp_path):
    debian.run("systemctl", "stop", "colony")
    upgrade(debian, packages, tmp_path, 4)
    assert debian.show("ActiveState") == "inactive"
    assert debian.run("ls", "/var/lib/colony/ran", check=False).returncode != 0
    debian.run("systemctl", "start", "colony")


def test_removed_and_installed_again_what_ran_runs(debian, packages):
    debian.run("systemctl", "enable", "colony@shop")
    debian.run("dpkg", "-r", "colony")
    debian.run("dpkg", "-i", debian.lay(package(packages, "colony")))
    assert [debian.show("ActiveState", unit) for unit in ("colony", "colony@shop")] == ["active", "active"]
    assert len(debian.pids()) == 3


def test_removed_it_stops_and_keeps_settings_and_logs(debian):
    debian.run("mkdir", "-p", "/var/lib/colony-backup")
    debian.run("cp", "/var/lib/colony-shop/lock", "/var/lib/colony-backup/lock")
    gone = debian.pids()
    debian.run("dpkg", "-r", "colony")
    for pid in gone:
        assert debian.run("test", "-e", f"/proc/{pid}", check=False).returncode == 1
    assert debian.run("pgrep", "-x", "sleep|colony", check=False).stdout == ""
    debian.run("test", "-f", "/etc/colony/colony.yaml")
    debian.run("test", "-d", "/var/lib/colony/log")


def test_purged_it_leaves_nothing(debian):
    debian.run("dpkg", "-P", "colony")
    debian.run("rm", "-r", "/var/lib/colony-backup")  # which is not colony's, whatever its name is
    left = files(debian) - debian.before
    assert [path for path in left if not path.endswith(".deb")] == []  # those were laid there by the tests
    assert debian.run("getent", "group", "colony", check=False).returncode == 2
    assert debian.run("ls", "/run/colony", check=False).returncode != 0


def test_a_purge_does_not_fail_where_the_state_is_a_disk_of_its_own(debian, packages):
    debian.run("dpkg", "-i", debian.lay(package(packages, "colony")))
    debian.run("systemctl", "stop", "colony")
    debian.run("mount", "-t", "tmpfs", "tmpfs", "/var/lib/colony")
    debian.run("touch", "/var/lib/colony/lock")
    debian.run("dpkg", "-P", "colony")
    assert debian.run("ls", "-A", "/var/lib/colony").stdout == ""
    assert debian.run("getent", "group", "colony", check=False).returncode == 2
    debian.run("umount", "/var/lib/colony")
    debian.run("rm", "-r", "/var/lib/colony")


@pytest.mark.parametrize("link", ["", "-Wl,--as-needed -l:libcolony.a --static"], ids=["shared", "static"])
def test_a_program_is_built_with_what_the_library_packages_install(debian, packages, link):
    debian.run("dpkg", "-i", *(debian.lay(package(packages, name)) for name in ("libcolony0", "libcolony-dev")))
    shutil.copy(ROOT / "examples/embed/files.c", f"/proc/{debian.pid}/root/root/files.c")
    before, _, options = link.rpartition(" ")
    debian.run("sh", "-c", f"cc -Wall -Werror -o /root/files /root/files.c {before} "
                           f"$(pkg-config --cflags --libs {options} colony)")
    needed = debian.run("objdump", "-p", "/root/files").stdout
    assert ("libcolony.so.0" in needed) == (not link)
    debian.run("mkdir", "-p", "/root/conf", "/root/messages")
    assert debian.run("/root/files", "/root/conf", "/root/messages").stdout == "echo\nweb\n"
    assert "COLONY.H" in debian.run("man", "libcolony").stdout.upper()


def test_each_example_is_built_with_what_the_library_packages_install(debian):
    shutil.copytree(ROOT / "examples/embed", f"/proc/{debian.pid}/root/root/embed")
    for source in sorted((ROOT / "examples/embed").glob("*.c")):
        how = "-o /root/embed/program" if "\nint main(" in source.read_text() else "-fPIC -shared -o /root/embed/part.so"
        debian.run("sh", "-c", f"cc -Wall -Wextra -Werror -D_GNU_SOURCE -pthread {how} /root/embed/{source.name} "
                               "$(pkg-config --cflags --libs colony)")


def test_the_library_packages_leave_nothing(debian):
    debian.run("dpkg", "-P", "libcolony-dev", "libcolony0")
    debian.run("rm", "-r", "/root/files", "/root/files.c", "/root/conf", "/root/messages", "/root/embed")
    assert [path for path in files(debian) - debian.before if not path.endswith(".deb")] == []
