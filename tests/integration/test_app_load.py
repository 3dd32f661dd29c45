# SPDX-License-Identifier: Apache-2.0
"""`colony app` export, load, unload, scale and ps: an application as settings of a colony."""

import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess

import pytest

from conftest import BINARY, eventually

PROCFILE = 'web: echo "$A" 100% on $PORT; exec sleep 60\nwork-er: sleep 60 | cat\n'
ENV = "A='x \"y\\z'\nB=%h $x\n"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "my shop"
    made.mkdir()
    (made / "Procfile").write_text(PROCFILE)
    (made / ".env").write_text(ENV)
    return made


def app(folder, *words, **more):
    env = {name: value for name, value in os.environ.items()
           if name not in ("PORT", "COLONY_ENDPOINT")}
    return subprocess.run([BINARY, "app", *map(str, words)], capture_output=True, text=True,
                          timeout=60, cwd=folder, env=env, **more)


def check(path):
    done = subprocess.run([BINARY, "check", "--json", str(path)], capture_output=True, text=True,
                          timeout=60)
    return json.loads(done.stdout)


def templates(colony):
    return {name: colony.http("GET", f"/processes/{name}").json()
            for name in colony.http("GET", "/processes").json()}


# export


@pytest.mark.parametrize("form", ["yaml", "json", "ini"])
def test_what_is_exported_is_what_colony_reads(folder, form, colony):
    out = folder / f"out.{form}"
    assert app(folder, "export", "--format", form, "-c", "web=2", "-a", "shop", out).returncode == 0
    assert check(out)["templates"] == ["shop:web", "shop:work-er"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert app(folder, "export", "--format", form, "-c", "web=2", "-a", "shop").stdout == \
        out.read_text()
    include = f"include: [{json.dumps(str(out))}]"
    colony.start(include)
    there = templates(colony)
    assert there["shop:web"]["cmd"] == 'echo "$A" 100% on $PORT; exec sleep 60'
    assert (there["shop:web"]["numprocesses"], there["shop:work-er"]["port"]) == (2, 5100)
    assert there["shop:work-er"]["env"] == {"A": 'x "y\\z', "B": "%h $x"}
    assert there["shop:web"]["cwd"] == str(folder)
    for slot in (1, 2):
        eventually(lambda: colony.output("shop:web", slot) ==
                   f'x "y\\z 100% on {4999 + slot}\n'.encode())


def test_yaml_is_what_is_exported_by_default_and_nothing_is_lost_in_it(folder):
    command = 'printf "a\\tb" \'c\' # : {x} [y] & *z é \x7f\x01'
    (folder / "Procfile").write_text(f"web: {command}\n")
    (folder / ".env").write_text("A=\"l1\\nl2\\t\\\\ é\"\nb=''\n")
    out = folder / "out.yaml"
    assert app(folder, "export", out).returncode == 0
    assert check(out)["ok"]
    done = app(folder, "export", "--format", "json")
    (one,) = json.loads(done.stdout)["processes"]
    assert one["cmd"] == command and one["env"] == {"A": "l1\nl2\t\\ é", "b": ""}
    assert one["name"] == "my-shop:web"


@pytest.mark.parametrize("procfile,env,told", [
    ("web: a ; b\n", "", "cannot write web as INI: ` ;` begins a comment there"),
    ("web: a\n", "a=b\n", "cannot write a as INI: names become upper case there"),
    ("web: a\n", 'A="b\\nc"\n', "cannot write A as INI: it has more than one line"),
    ("web: a\n", "A=' b'\n", "cannot write A as INI: it begins or ends with a blank")])
def test_what_ini_cannot_say_is_told(folder, procfile, env, told):
    (folder / "Procfile").write_text(procfile)
    (folder / ".env").write_text(env)
    done = app(folder, "export", "--format", "ini", "out.ini")
    assert (done.returncode, done.stdout) == (78, "")
    assert told in done.stderr and not (folder / "out.ini").exists()


def test_a_form_may_be_the_first_word_as_in_gaffer(folder):
    for form in ("yaml", "json", "ini"):
        told = app(folder, "export", "--format", form)
        plain = app(folder, "export", form)
        assert (plain.returncode, plain.stdout) == (0, told.stdout), plain.stderr
        assert app(folder, "export", form, "out").returncode == 0
        assert (folder / "out").read_text() == told.stdout
        assert not (folder / form).exists()
    assert app(folder, "export", "--format", "json", "ini").returncode == 0
    assert json.loads((folder / "ini").read_text())["processes"]


def test_systemd_units(folder, tmp_path):
    units = tmp_path / "units"
    done = app(folder, "export", "--format", "systemd", "-c", "web=2", "-a", "my shop%", units)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in units.iterdir()}
    assert names == {"my\\x20shop\\x25.target", "my\\x20shop\\x25-web@.service",
                     "my\\x20shop\\x25-work-er@.service"}
    assert set(done.stdout.splitlines()) == {str(units / name) for name in names}
    target = (units / "my\\x20shop\\x25.target").read_text()
    assert [line for line in target.splitlines() if line.startswith("Wants=")] == [
        f"Wants=my\\x20shop\\x25-{name}.service" for name in
        ("web@5000", "web@5001", "work-er@5100")]
    web = (units / "my\\x20shop\\x25-web@.service").read_text().splitlines()
    for line in ("PartOf=my\\x20shop\\x25.target", f"WorkingDirectory={folder}",
                 'Environment="A=x \\"y\\\\z"', 'Environment="B=%%h $x"', "Environment=PORT=%i",
                 'ExecStart=/bin/sh -c "echo \\"$$A\\" 100%% on $$PORT; exec sleep 60"',
                 "Restart=always", "WantedBy=my\\x20shop\\x25.target"):
        assert line in web


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_finds_nothing_wrong_with_its_units(folder, tmp_path):
    units = tmp_path / "units"
    units.mkdir()
    assert app(folder, "export", "--format", "systemd", "-a", "shop", units).returncode == 0
    done = subprocess.run(["systemd-analyze", "verify", str(units / "shop.target"),
                           str(units / "shop-web@5000.service")],
                          env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"},
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert str(units) not in done.stderr and "shop" not in done.stderr


def test_an_export_that_cannot_be_is_told(folder):
    done = app(folder, "export", "--format", "upstart")
    assert (done.returncode, done.stderr) == (
        2, "colony app: cannot export as upstart: use yaml, json, ini or systemd\n")
    done = app(folder, "export", "--format", "systemd")
    assert done.returncode == 2 and "give a folder" in done.stderr
    done = app(folder, "export", "--format", "systemd", "nowhere/units")
    assert (done.returncode, done.stderr) == (1, "colony app: cannot make the folder nowhere/units: "
                                                 "No such file or directory\n")
    done = app(folder, "export", "--format", "systemd", "Procfile")
    assert done.returncode == 1 and "cannot write Procfile/" in done.stderr
    assert done.stderr.endswith(": Not a directory\n")
    done = app(folder, "export", "a.ini", "b.ini")
    assert (done.returncode, done.stderr) == (
        2, "colony app: cannot export as a.ini: use yaml, json, ini or systemd\n")
    done = app(folder, "export", "--format", "ini", "a.ini", "b.ini")
    assert (done.returncode, done.stderr) == (
        2, "colony app: cannot export to a.ini and b.ini: give one OUT\n")
    assert not [path for path in folder.iterdir() if path.name.endswith(".ini")]
    done = app(folder, "export", "nowhere/out.yaml")
    assert (done.returncode, done.stderr) == (
        1, "colony app: cannot write nowhere/out.yaml: No such file or directory\n")


# A running colony


def remote(colony, folder, action, *words):
    return app(folder, action, *words, "--state", colony.state)


def test_load_ps_scale_and_unload(folder, colony):
    colony.start()
    done = remote(colony, folder, "load", "-c", "web=2")
    assert done.returncode == 0
    assert all(line.startswith("colony app: port 5") for line in done.stderr.splitlines())
    assert done.stdout == "my-shop:web: loaded, 2 processes\nmy-shop:work-er: loaded, 1 process\n"
    assert colony.http("GET", "/groups/my-shop").json() == ["my-shop:web", "my-shop:work-er"]
    eventually(lambda: colony.output("my-shop:web", 2) == b'x "y\\z 100% on 5001\n')
    there = json.loads(remote(colony, folder, "ps", "--json").stdout)
    assert [(slot["name"], slot["slot"]) for slot in there] == [
        ("my-shop:web", 1), ("my-shop:web", 2), ("my-shop:work-er", 1)]
    assert "my-shop:work-er" in remote(colony, folder, "ps").stdout
    done = remote(colony, folder, "scale", "web=3", "work-er-1", "--wait")
    assert done.stdout == "my-shop:web: 3 processes (2 before)\n" \
                          "my-shop:work-er: 0 processes (1 before)\n"
    eventually(lambda: colony.output("my-shop:web", 3) == b'x "y\\z 100% on 5002\n')
    done = remote(colony, folder, "unload")
    assert (done.returncode, done.stdout) == (0, "my-shop:*: removed\n")
    assert colony.http("GET", "/processes").json() == []


def test_the_name_of_an_application_may_be_an_operand(folder, colony):
    colony.start()
    assert remote(colony, folder, "load", "shop", "-c", "web=2").returncode == 0
    assert colony.http("GET", "/groups").json() == ["shop"]
    assert {s["name"] for s in json.loads(remote(colony, folder, "ps", "shop", "--json").stdout)} \
        == {"shop:web", "shop:work-er"}
    done = remote(colony, folder, "unload", "shop", "-a", "other")
    assert (done.returncode, done.stderr) == (
        2, "colony app: cannot unload shop: --app says that it is called other\n")
    assert remote(colony, folder, "unload", "shop").stdout == "shop:*: removed\n"


def test_a_port_that_is_taken_is_told(folder, colony):
    colony.start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = remote(colony, folder, "load", "-p", port)
    assert done.returncode == 0
    assert done.stderr.startswith(
        f"colony app: port {port}, the PORT of web.1, is taken: should it listen there, --port gives others\n")


def test_what_is_loaded_outlives_colony(folder, colony):
    colony.start()
    assert remote(colony, folder, "load", "-a", "shop").returncode == 0
    colony.stop()
    colony.start()
    assert set(colony.http("GET", "/processes").json()) == {"shop:web", "shop:work-er"}
    assert remote(colony, folder, "unload", "-a", "shop").returncode == 0


def test_an_application_is_not_loaded_twice(folder, colony):
    colony.start()
    assert remote(colony, folder, "load").returncode == 0
    done = remote(colony, folder, "load")
    assert (done.returncode, done.stdout) == (5, "")
    assert "there is such a group already: unload it first" in done.stderr
    assert remote(colony, folder, "load", "--app", "other").returncode == 0
    assert colony.http("GET", "/groups").json() == ["my-shop", "other"]


def test_an_application_is_loaded_as_a_whole_or_not_at_all(folder, colony):
    colony.start()
    (folder / "Procfile").write_text("web: sleep 60\nworker: " + "x" * 140000 + "\n")
    done = remote(colony, folder, "load")
    assert done.returncode == 78
    assert done.stderr.startswith("colony app: cannot load my-shop:worker: cannot use `cmd`")
    eventually(lambda: colony.http("GET", "/processes").json() == [])


def test_what_is_not_loaded_is_told(folder, colony):
    colony.start()
    for action, words in (("unload", []), ("ps", []), ("scale", ["web=2"])):
        done = remote(colony, folder, action, *words)
        assert done.returncode == 4 and done.stderr.startswith("colony app: cannot "), action
    done = app(folder, "ps", "--state", folder / "none")
    assert done.returncode == 69 and "is `colony serve` running?" in done.stderr


@pytest.mark.parametrize("name,told", [
    ("a:b", "a group has no `:` in its name"), ("a/b", "cannot call it a/b"), ("", "1 to 99 bytes"),
    ("x" * 100, "a name has 1 to 99 bytes")])
def test_a_name_that_cannot_be_is_told(folder, colony, name, told):
    colony.start()
    done = remote(colony, folder, "load", "--app", name)
    assert done.returncode == 2 and told in done.stderr
    assert colony.http("GET", "/processes").json() == []


def test_everything_can_be_completed():
    def offered(*words):
        done = subprocess.run([BINARY, "complete", *words], capture_output=True, text=True,
                              timeout=60)
        return [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert offered("app", "") == ["start", "run", "export", "load", "unload", "scale", "ps"]
    assert "--abort-on-failure" in offered("app", "start", "--")
    assert offered("app", "export", "--format", "") == ["ini", "json", "systemd", "yaml"]
    assert pathlib.Path(BINARY).exists()
