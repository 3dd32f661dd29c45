# SPDX-License-Identifier: Apache-2.0
"""The units, under a real systemd: whatever is killed, processes live on; stop means gone; what detaches stays."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import eventually
from machine import ROOT, make_machine

SLEEPERS = """
http: {bind: [none]}
processes:
  web: {cmd: sleep, args: ["1000"], numprocesses: 3}
"""


@pytest.fixture(scope="module", name="booted")
def booted_fixture():
    machine = make_machine()
    try:
        machine.install()
        machine.boot()
        yield machine
    finally:
        machine.end()


@pytest.fixture(name="machine")
def machine_fixture(booted):
    """The machine with colony stopped, and nothing of another test's."""
    yield booted
    booted.run("systemctl", "stop", "colony.socket", "colony.service", "colony@shop.service", check=False)
    shutil.rmtree(booted.folder / "etc/systemd/system", ignore_errors=True)
    booted.run("systemctl", "daemon-reload")
    booted.run("systemctl", "reset-failed", check=False)
    booted.run("sh", "-c", "rm -rf /var/lib/colony/*")
    shutil.copy(ROOT / "packaging/config/colony.yaml", booted.folder / "etc/colony/colony.yaml")


@pytest.fixture(name="serving")
def serving_fixture(machine):
    machine.write("/etc/colony/colony.yaml", SLEEPERS)
    machine.run("systemctl", "start", "colony")
    assert len(pids(machine)) == 3
    return machine


def pids(machine, name="web", state="running"):
    """The os pids of what runs, as the machine counts them, once all are up."""
    def look():
        slots = [slot for slot in json.loads(machine.ctl("ps", "--json").stdout) if slot["name"] == name]
        assert all(slot["state"] == state and slot["os_pid"] for slot in slots)
        return sorted(slot["os_pid"] for slot in slots)
    return eventually(look, what="all running")


def keeper(machine):
    return int(machine.show("MainPID"))


def engine(machine):
    def look():
        for pid in machine.run("pgrep", "-P", str(keeper(machine))).stdout.split():
            if machine.run("cat", f"/proc/{pid}/cmdline").stdout.startswith("colony\0engine\0"):
                return int(pid)
        return None
    return eventually(look, what="an engine")


def is_served_by_another(machine, before):
    return keeper(machine) not in (0, before) and machine.show("SubState") == "running" and \
        machine.ctl("ps", check=False).returncode == 0


def test_a_new_service_runs_nothing_and_is_the_groups_to_control(machine):
    machine.run("systemctl", "enable", "--now", "colony.service")
    assert machine.show("ActiveState") == "active"
    assert machine.show("StatusText") == "0 processes run"
    assert machine.run("stat", "-c", "%a %G", "/run/colony/colony.sock").stdout == "660 colony\n"
    assert machine.run("stat", "-c", "%a %G", "/run/colony").stdout == "751 colony\n"
    assert machine.ctl("ps").stdout.count("\n") <= 1
    listening = machine.run("cat", "/proc/net/tcp").stdout
    assert ":1388 " not in listening  # 5000: nothing but the socket


def test_systemd_is_told_what_runs(serving):
    eventually(lambda: serving.show("StatusText") == "3 processes run", what="the status")


def test_kill_9_of_the_engine_leaves_all_as_it_was(serving):
    before, main = pids(serving), keeper(serving)
    was = engine(serving)
    serving.run("kill", "-9", was)
    eventually(lambda: engine(serving) != was, what="another engine")
    assert pids(serving) == before
    assert keeper(serving) == main
    assert serving.show("NRestarts") == "0"


def test_kill_9_of_the_keeper_leaves_processes_to_the_next(serving):
    before, main = pids(serving), keeper(serving)
    serving.run("kill", "-9", main)
    eventually(lambda: is_served_by_another(serving, main), what="another keeper")
    assert pids(serving) == before


def test_kill_9_of_both_leaves_processes_to_the_next(serving):
    before, main = pids(serving), keeper(serving)
    serving.run("sh", "-c", f"kill -STOP {main}; kill -9 {engine(serving)} {main}")
    eventually(lambda: is_served_by_another(serving, main), what="another keeper")
    assert pids(serving) == before


def test_a_process_has_a_cgroup_below_that_of_the_service(serving):
    place = serving.run("cat", f"/proc/{pids(serving)[0]}/cgroup").stdout
    assert "/system.slice/colony.service/colony-" in place.splitlines()[-1]


def test_a_reload_is_over_when_it_says_so(serving):
    before = pids(serving)
    serving.write("/etc/colony/colony.yaml", SLEEPERS + "  other: {cmd: sleep, args: ['1000']}\n")
    serving.run("systemctl", "reload", "colony")
    assert len(pids(serving, "other")) == 1
    assert pids(serving) == before


def test_a_bad_file_fails_the_reload_and_changes_nothing(serving):
    before = pids(serving)
    serving.write("/etc/colony/colony.yaml", SLEEPERS + "  web2: {cmdd: sleep}\n")
    assert serving.run("systemctl", "reload", "colony", check=False).returncode != 0
    eventually(lambda: "/etc/colony/colony.yaml:5" in serving.show("StatusText"), what="the status")
    assert serving.show("ActiveState") == "active"
    assert pids(serving) == before
    main = keeper(serving)
    serving.run("kill", "-HUP", main)
    eventually(lambda: serving.show("SubState") == "running", what="the end of the reload")
    assert keeper(serving) == main


def test_stop_means_gone(serving):
    before = pids(serving)
    serving.run("systemctl", "stop", "colony")
    assert serving.show("Result") == "success"
    for pid in before:
        assert serving.run("test", "-e", f"/proc/{pid}", check=False).returncode == 1


def test_a_detached_process_survives_the_stop_in_a_scope_of_its_own(serving):
    serving.write("/etc/colony/colony.yaml", SLEEPERS + "  away: {cmd: sleep, args: ['1001'], detach: true}\n")
    serving.run("systemctl", "reload", "colony")
    pid = pids(serving, "away", "completed")[0]
    scope = eventually(lambda: re.findall(r"/(colony-away-\d+\.scope)$",
                                         serving.run("cat", f"/proc/{pid}/cgroup").stdout, re.M)[0], what="its scope")
    assert serving.show("ActiveState", scope) == "active"
    serving.run("systemctl", "stop", "colony")
    assert serving.run("cat", f"/proc/{pid}/comm").stdout == "sleep\n"
    serving.run("systemctl", "stop", scope)
    eventually(lambda: serving.run("test", "-e", f"/proc/{pid}", check=False).returncode == 1, what="its end")


def test_an_engine_that_hangs_is_replaced_before_systemd_would_act(serving):
    serving.write("/etc/systemd/system/colony.service.d/watchdog.conf", "[Service]\nWatchdogSec=4\n")
    serving.run("systemctl", "daemon-reload")
    serving.run("systemctl", "restart", "colony")
    before, main, was = pids(serving), keeper(serving), engine(serving)
    serving.run("kill", "-STOP", was)
    eventually(lambda: engine(serving) != was, what="another engine")
    assert pids(serving) == before
    assert keeper(serving) == main


def test_a_shutdown_that_was_asked_for_is_no_reason_to_start_again(serving):
    serving.ctl("shutdown")
    eventually(lambda: serving.show("ActiveState") == "inactive", what="its end")
    assert serving.show("SubState") == "dead"


def test_settings_that_cannot_be_used_fail_the_start_once(machine):
    machine.write("/etc/colony/colony.yaml", "processes: {web: {cmdd: sleep}}\n")
    assert machine.run("systemctl", "start", "colony", check=False).returncode != 0
    assert machine.show("ExecMainStatus") == "78"
    assert machine.show("ActiveState") == "failed"
    assert machine.show("NRestarts") == "0"


def test_the_first_client_starts_it_by_the_socket_which_outlives_it(machine):
    machine.write("/etc/colony/colony.yaml", SLEEPERS)
    machine.run("systemctl", "start", "colony.socket")
    assert machine.run("stat", "-c", "%a %G", "/run/colony/colony.sock").stdout == "660 colony\n"
    assert machine.show("ActiveState") == "inactive"
    assert len(pids(machine)) == 3
    main = keeper(machine)
    machine.run("kill", "-9", main)
    eventually(lambda: is_served_by_another(machine, main), what="another keeper")
    assert len(pids(machine)) == 3
    machine.run("systemctl", "stop", "colony.service")
    assert machine.run("test", "-S", "/run/colony/colony.sock").returncode == 0
    assert len(pids(machine)) == 3


def test_an_instance_is_a_colony_of_its_own(serving):
    serving.write("/etc/colony/shop.yaml", "processes: {cart: {cmd: sleep, args: ['1000']}}\n")
    serving.run("systemctl", "start", "colony@shop")
    shop = serving.ctl("--state", "/var/lib/colony-shop", "ps").stdout
    assert "cart" in shop and "web" not in shop
    assert "cart" not in serving.ctl("ps").stdout
    serving.run("systemctl", "reload", "colony@shop")
    serving.run("systemctl", "stop", "colony@shop")
    assert len(pids(serving)) == 3


def test_an_instance_without_its_settings_is_taken_over_and_a_misspelt_one_fails(serving):
    settings = "processes: {cart: {cmd: sleep, args: ['1000']}}\n"
    serving.write("/etc/colony/shop.yaml", settings)
    serving.run("systemctl", "start", "colony@shop")
    main = serving.show("MainPID", "colony@shop")
    before = serving.ctl("--state", "/var/lib/colony-shop", "pids", "cart").stdout
    serving.run("rm", "/etc/colony/shop.yaml")
    serving.run("kill", "-9", main)
    eventually(lambda: serving.show("MainPID", "colony@shop") not in ("0", main) and
               serving.show("SubState", "colony@shop") == "running", what="another keeper")
    assert serving.ctl("--state", "/var/lib/colony-shop", "pids", "cart").stdout == before
    serving.run("systemctl", "stop", "colony@shop")
    assert serving.run("systemctl", "start", "colony@shopp", check=False).returncode != 0
    assert serving.show("ExecMainStatus", "colony@shopp") == "78"
    assert serving.run("test", "-e", "/var/lib/colony-shopp", check=False).returncode == 1


BEGIN_USER = """
mkdir -p /run/user/5 /run/home/.config/colony /run/user-units
for target in default basic sockets timers paths shutdown exit; do
    printf '[Unit]\\nDefaultDependencies=no\\n' > /run/user-units/$target.target
done
cp /etc/colony/user.yaml /run/home/.config/colony/colony.yaml
chown -R games:games /run/user/5 /run/home
chmod 700 /run/user/5
exec systemd-run --quiet --unit=user-manager -p Delegate=yes -p User=games -p Environment="XDG_RUNTIME_DIR=/run/user/5 \
    HOME=/run/home SYSTEMD_UNIT_PATH=/run/user-units:/usr/local/lib/systemd/user PATH=/usr/local/bin:/usr/bin:/bin" \
    /lib/systemd/systemd --user
"""


def test_a_user_has_a_colony_of_his_own(machine):
    def run(*command, **more):
        return machine.run("runuser", "-u", "games", "--", "env", "XDG_RUNTIME_DIR=/run/user/5", "HOME=/run/home",
                           *command, **more)

    def pid_of(name):
        slots = json.loads(run("colony", "ctl", "ps", "--json").stdout)
        return next(slot["os_pid"] for slot in slots if slot["name"] == name)

    machine.write("/etc/colony/user.yaml", "processes: {web: {cmd: sleep, args: ['1000']}, "
                                           "away: {cmd: sleep, args: ['1000'], detach: true}}")
    machine.run("sh", "-c", BEGIN_USER)
    eventually(lambda: run("systemctl", "--user", "start", "colony", check=False).returncode == 0, what="a start")
    web, away = (eventually(lambda name=name: pid_of(name), what=name) for name in ("web", "away"))
    eventually(lambda: ".scope" in machine.run("cat", f"/proc/{away}/cgroup").stdout, what="its scope")
    main = run("systemctl", "--user", "show", "--value", "-p", "MainPID", "colony").stdout.strip()
    machine.run("mv", "/run/home/.config/colony/colony.yaml", "/run/home/settings")  # no reason to leave them alone
    machine.run("kill", "-9", main)
    eventually(lambda: run("systemctl", "--user", "show", "--value", "-p", "MainPID", "colony").stdout.strip() not in
               ("0", main) and pid_of("web") == web, what="another keeper")
    eventually(lambda: run("systemctl", "--user", "is-active", "colony", check=False).returncode == 0, what="READY")
    machine.run("mv", "/run/home/settings", "/run/home/.config/colony/colony.yaml")
    run("systemctl", "--user", "reload", "colony")
    run("systemctl", "--user", "stop", "colony")
    assert machine.run("test", "-e", f"/proc/{web}", check=False).returncode == 1
    assert machine.run("cat", f"/proc/{away}/comm").stdout == "sleep\n"
    machine.run("systemctl", "kill", "--signal=KILL", "user-manager")  # there is no systemd-exit here


# What systemd says of the units, without a machine.


@pytest.fixture(scope="module", name="units")
def units_fixture(tmp_path_factory):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    folder = tmp_path_factory.mktemp("units")
    for program in ("colony",):
        (folder / "bin").mkdir()
        (folder / "bin" / program).symlink_to("/bin/true")
    made = subprocess.run(["make", "-s", "-C", ROOT, "install-system", f"DESTDIR={folder}", f"BUILD={folder}/build",
                           "prefix=/usr", f"bindir={folder}/bin", "SYSTEMD_TYPE=notify"],
                          capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return folder / "usr/lib/systemd"


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": "/tmp", "HOME": "/tmp", "TERM": "dumb"})


@pytest.mark.parametrize("unit", ["colony.service", "colony@.service", "colony.socket"])
def test_systemd_finds_nothing_to_say_of_a_unit(units, unit):
    told = analyze("verify", "--man=no", units / "system" / unit)
    assert (told.returncode, [line for line in told.stderr.splitlines() if "colony" in line]) == (0, [])


def test_systemd_finds_nothing_to_say_of_the_unit_of_a_user(units):
    told = analyze("verify", "--man=no", "--user", units / "user/colony.service")
    assert [line for line in told.stderr.splitlines() if "colony" in line] == []


@pytest.mark.parametrize("unit", ["colony.service", "colony@.service"])
def test_a_unit_is_exposed_at_4_0_or_less(units, unit):
    told = analyze("security", "--offline=true", "--threshold=40", "--no-pager", units / "system" / unit)
    assert told.returncode == 0, told.stdout[-300:] + told.stderr


@pytest.mark.parametrize("unit", ["colony.service", "colony@.service"])
def test_each_exposure_of_a_unit_is_explained_in_it(units, unit):
    told = analyze("security", "--offline=true", "--json=short", "--no-pager", units / "system" / unit)
    text = (units / "system" / unit).read_text()
    for row in json.loads(told.stdout):
        if row["set"] is False and row["exposure"]:
            name = row["name"].partition("=")[0].partition("/")[0]
            assert f"{name}=" in text, row


def test_a_newer_systemd_is_asked_to_reload_by_itself(tmp_path):
    made = subprocess.run(["make", "-s", "-C", ROOT, "units", f"BUILD={tmp_path}", "SYSTEMD_TYPE=notify-reload"],
                          capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    text = pathlib.Path(tmp_path / "systemd/colony.service").read_text()
    assert "\nType=notify-reload\n" in text
    assert "ExecReload" not in text
