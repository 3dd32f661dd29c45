# SPDX-License-Identifier: Apache-2.0
"""What a container has of colony, as far as namespaces can tell: it is PID 1, and its exit code is the process's."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest

from conftest import BINARY, children, eventually, needs_root

PACKAGING = pathlib.Path(__file__).parents[2] / "packaging/container"
CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc"]


@contextlib.contextmanager
def container(colony, settings, *args, wait=False):
    try:
        yield colony.start(settings, *args, prefix=CONTAINER, wait=wait)
    finally:
        (colony.state / "lock").unlink(missing_ok=True)  # it says 1, which is no pid of ours
        with contextlib.suppress(OSError):
            for pid in children(colony.process.pid):
                os.kill(pid, signal.SIGKILL)
        colony.process.wait(20)


@needs_root
@pytest.mark.parametrize("end,code", [("exit 0", 0), ("exit 42", 42), ("kill -KILL $$", 137)])
def test_the_container_ends_as_its_process_does(colony, end, code):
    side = {"cmd": "sleep", "args": ["1000"], "numprocesses": 2}
    with container(colony, {"processes": {"main": {"shell": True, "cmd": f"sleep 0.3; {end}"}, "side": side}},
                   "--exit-with", "main"):
        assert colony.process.wait(20) == code


@needs_root
def test_a_container_that_is_stopped_says_what_became_of_its_process(colony):
    main = {"shell": True, "cmd": "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"}
    with container(colony, {"processes": {"main": main}}, "--exit-with", "main", wait=True):
        eventually(lambda: colony.output("main") == b"ready\n")
        os.kill(children(colony.process.pid)[0], signal.SIGTERM)
        assert colony.process.wait(20) == 0  # it was asked for


@needs_root
def test_a_container_that_is_stopped_before_it_serves_does_not_begin(colony):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        with container(colony, {"processes": {"main": {"cmd": "sleep", "args": ["1000"]}}}, "--bind", address):
            eventually(colony.socket.exists)  # now it waits for the address
            os.kill(children(colony.process.pid)[0], signal.SIGTERM)
            taken.close()
            assert colony.process.wait(20) == 0


@needs_root
def test_what_processes_print_can_be_the_containers_output(colony):
    main = {"shell": True, "cmd": "echo hello; exit 0", "log": {"forward": True}}
    with container(colony, {"processes": {"main": main}}, "--exit-with", "main"):
        assert colony.process.wait(20) == 0
    assert "main: hello" in colony.log.read_text()


def test_the_settings_of_the_image_can_be_used():
    told = subprocess.run([BINARY, "check", PACKAGING / "colony.yaml"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("dpkg-query") or not pathlib.Path("/etc/debian_version").exists(),
                    reason="needs Debian")
def test_the_image_has_the_libraries_that_colony_is_linked_with():
    if not pathlib.Path("/etc/debian_version").read_text().startswith("12"):
        pytest.skip("the image is of Debian 12, whose packages these names are")
    text = (PACKAGING / "Containerfile").read_text().partition("slim\n# The first")[2]
    installed = set(re.findall(r"\blib[a-z0-9.+-]+", text.partition("&& rm")[0].replace("libraries", "")))
    linked = subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"\(NEEDED\)\s+Shared library: \[([^\]]+)\]", linked))
    ours = sorted(f"*/{name}" for name in needed if not re.match(r"lib(c|m|asan|tsan|ubsan|pthread|gcc_s)\.so|ld-linux", name))
    told = subprocess.run(["dpkg-query", "-S", *ours], capture_output=True, text=True, check=True).stdout
    for pattern in ours:
        owners = {line.split(":")[0] for line in told.splitlines() if line.endswith(pattern[1:])}
        assert owners & installed, f"{pattern} is of {owners}"
