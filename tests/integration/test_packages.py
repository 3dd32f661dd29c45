# SPDX-License-Identifier: Apache-2.0
"""The tarball, and the packages for rpm, made of what is committed. Debian's are in test_debian.py."""

import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import pytest

from conftest import BINARY, eventually
from debian import libraries_of, make_debian

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(BINARY).parent
VERSION = (ROOT / "VERSION").read_text().strip()


def run(*command, **more):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **more)


def make(*arguments, root=ROOT, **more):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    made = run("make", "-s", "-C", root, *arguments, env=env | more, timeout=900)
    assert made.returncode == 0, made.stderr[-3000:]


@pytest.fixture(scope="module", autouse=True)
def committed():
    if not shutil.which("git") or run("git", "-C", ROOT, "rev-parse", "HEAD").returncode != 0:
        pytest.skip("not a git checkout")


def test_the_tarball_has_the_same_bytes_each_time(tmp_path):
    for name in ("one", "two"):
        make("dist", f"DIST={tmp_path / name}")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    listed = run("tar", "-tzf", tmp_path / "one").stdout.splitlines()
    assert {f"colony-{VERSION}/VERSION", f"colony-{VERSION}/packaging/debian/control"} <= set(listed)
    assert all(name.startswith(f"colony-{VERSION}/") for name in listed)


def members(tarball):
    with tarfile.open(tarball) as opened:
        return sorted((one.name, one.type, oct(one.mode), one.size, one.mtime, one.uid) for one in opened)


def test_the_tarball_is_nobodys_own_and_enough_to_make_packages_of(tmp_path):
    """Whatever git is told of modes; and in what is unpacked of it there is no git."""
    config = tmp_path / "gitconfig"
    config.write_text("[tar]\n\tumask = 0077\n")
    make("dist", f"DIST={tmp_path / 'one'}")
    make("dist", f"DIST={tmp_path / 'other'}", GIT_CONFIG_GLOBAL=str(config))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert run("tar", "-xzf", tmp_path / "one", "-C", tmp_path).returncode == 0
    tree = tmp_path / f"colony-{VERSION}"
    (tree / "build").mkdir()
    (tree / "build/left").touch()
    for name in ("two", "three"):
        make("dist", f"DIST={tmp_path / name}", "BUILD=build", root=tree)
    assert (tmp_path / "two").read_bytes() == (tmp_path / "three").read_bytes()
    assert members(tmp_path / "one") == members(tmp_path / "two")
    if shutil.which("dpkg-buildpackage") and shutil.which("dh"):
        make("deb", f"BUILD={tree}/build", "DEB_FLAGS=--build=source", root=tree)
        made = {path.name for path in (tree / "build/deb").glob("colony_*")}
        assert {f"colony_{VERSION}-1.dsc", f"colony_{VERSION}.orig.tar.gz"} <= made


def test_a_tarball_that_cannot_be_made_is_an_error(tmp_path):
    """As it would be of a folder that git does not trust."""
    made = run("make", "-s", "-C", ROOT, "dist", f"DIST={tmp_path / 'one'}", env={**os.environ, "GIT_DIR": "/nowhere"})
    assert made.returncode != 0
    assert not list(tmp_path.iterdir())


def test_the_version_stands_in_one_place():
    for path in run("git", "-C", ROOT, "ls-files", "packaging", "cli", "src", "Makefile").stdout.splitlines():
        assert VERSION not in (ROOT / path).read_text(), path


@pytest.fixture(scope="module", name="rpms")
def rpms_fixture():
    for tool in ("rpmbuild", "scdoc"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    # Libraries and pages are Debian's here, of which rpm knows nothing; objects are kept between builds.
    make("rpm", f"BUILD={BUILD}", f"COLONY_OBJECTS={BUILD}/package", "RPM_FLAGS=--nodeps")
    return BUILD / "rpm"


def files_of(rpms, name):
    return run("rpm", "-qlp", next(rpms.glob(f"RPMS/*/{name}-{VERSION}-1*.rpm"))).stdout.split()


def test_rpm_builds_a_package_with_all_of_colony(rpms):
    built = next(rpms.glob(f"RPMS/*/colony-{VERSION}-1*.rpm"))
    files = files_of(rpms, "colony")
    assert {"/usr/bin/colony", "/etc/colony/colony.yaml", "/etc/colony/conf.d"} <= set(files)
    for ending in ("system/colony.service", "system/colony@.service", "system/colony.socket", "user/colony.service",
                   "sysusers.d/colony.conf", "tmpfiles.d/colony.conf"):
        assert [name for name in files if name.endswith(ending)], ending
    pages = {pathlib.Path(name).name.split(".1")[0] for name in files if "/man1/" in name}
    assert {"colony", "colony-serve", "colony-check"} <= pages
    assert run("rpm", "-qcp", built).stdout == "/etc/colony/colony.yaml\n"
    documents = files_of(rpms, "colony-doc")
    assert "/usr/share/doc/colony/examples/embed/files.c" in documents
    assert not [name for name in documents if name.endswith(".in.md")]


def test_rpm_builds_the_library_and_what_is_built_with_it_apart(rpms):
    libs, devel = files_of(rpms, "colony-libs"), files_of(rpms, "colony-devel")
    assert [pathlib.Path(name).name for name in libs if "/lib" in name and ".so" in name] == ["libcolony.so.0"]
    names = {pathlib.Path(name).name for name in devel}
    assert {"colony.h", "error.h", "libcolony.so", "libcolony.a", "colony.pc"} <= names
    assert [name for name in devel if "/man3/libcolony.3" in name]
    needed = run("rpm", "-qRp", next(rpms.glob(f"RPMS/*/colony-devel-{VERSION}-1*.rpm"))).stdout
    assert f"colony-libs(x86-64) = {VERSION}-1" in needed or f"colony-libs = {VERSION}-1" in needed


def test_rpmlint_finds_no_error(rpms):
    if not shutil.which("rpmlint"):
        pytest.skip("needs rpmlint")
    told = run("rpmlint", "-c", ROOT / "packaging/rpm/rpmlint.toml", *rpms.glob("RPMS/*/colony*.rpm"),
               rpms / "SPECS/colony.spec")
    assert re.search(r"\b0 errors, 0 warnings\b", told.stdout), told.stdout + told.stderr


@pytest.fixture(scope="module", name="machine")
def machine_fixture(rpms):
    """With systemd and rpm, whose libraries are Debian's: of them rpm knows nothing."""
    debian = make_debian()
    try:
        debian.boot_with([], "rpm", *libraries_of(BINARY))
        for name in ("colony", "colony-libs"):
            shutil.copy(next(rpms.glob(f"RPMS/*/{name}-{VERSION}-1*.rpm")), f"/proc/{debian.pid}/root/{name}.rpm")
        yield debian
    finally:
        debian.end()


def rpm(machine, *arguments):
    told = machine.run("rpm", "--nodeps", *arguments)
    assert "scriptlet failed" not in told.stderr + told.stdout


def test_an_rpm_is_installed_upgraded_in_place_and_removed(machine):
    rpm(machine, "-i", "/colony.rpm", "/colony-libs.rpm")
    assert machine.run("getent", "group", "colony").stdout.startswith("colony:")
    assert machine.run("stat", "-c", "%a %U %G", "/run/colony").stdout == "751 root colony\n"
    assert "libcolony.so.0" in machine.run("find", "/usr/lib64", "-name", "libcolony.so.0").stdout
    machine.write("/etc/colony/conf.d/web.yaml", "processes: {web: {cmd: sleep, args: ['1000'], numprocesses: 2}}")
    machine.run("systemctl", "start", "colony")
    machine.write("/etc/colony/shop.yaml", "processes: {till: {cmd: sleep, args: ['2000']}}")
    machine.run("systemctl", "enable", "colony@shop")
    machine.run("colony", "serve", "--config", "/etc/colony/shop.yaml", "--state", "/var/lib/colony-shop", "--daemon")
    before, main = machine.pids(), machine.show("MainPID")
    was = machine.program_of()
    rpm(machine, "-U", "--force", "/colony.rpm")
    assert machine.program_of() != was
    eventually(lambda: machine.program_of(main) == machine.program_of(), what="the new program")
    assert (machine.pids(), machine.show("MainPID")) == (before, main)
    rpm(machine, "-e", "colony", "colony-libs")
    for pid in before:
        assert machine.run("test", "-e", f"/proc/{pid}", check=False).returncode == 1
    assert machine.run("pgrep", "-x", "colony|sleep", check=False).stdout == ""
    assert machine.run("ls", "/etc/systemd/system/multi-user.target.wants").stdout.count("colony") == 0
    assert machine.run("test", "-e", "/usr/bin/colony", check=False).returncode == 1
    assert "sleep" in machine.read("/etc/colony/conf.d/web.yaml")
    assert machine.run("find", "/usr/lib64", "-name", "libcolony*").stdout == ""
