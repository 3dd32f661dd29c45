# SPDX-License-Identifier: Apache-2.0
"""A build that leaves out all it can (`make WITHOUT=…`): what it takes, what it does, and what it says of the rest."""
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from conftest import BINARY, Colony
from ws_client import KEY

ROOT = pathlib.Path(__file__).parents[2]
ALL = "tls curl ws ini top"
# What must not be looked for where it is left out: any of these ends the compiler.
HEADERS = ("openssl/ssl.h", "openssl/bio.h", "openssl/err.h", "openssl/pem.h", "openssl/x509_vfy.h", "curl/curl.h",
           "wslay/wslay.h", "ini.h", "curses.h")
# As pkg-config is where there is no inih.
PKG_CONFIG = """#!/bin/sh
case " $* " in *" inih "*) echo 'no inih here' >&2; exit 1;; esac
exec {real} "$@"
"""
PROGRAM = """
#include <colony.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    struct colony *colony;
    struct colony_error err = {0};
    int rc = colony_engine_open(&colony, NULL, NULL, &err);

    (void)argc;
    if (rc == 0)
        rc = colony_engine_set(colony, COLONY_PROGRAM, argv[1], &err);
    if (rc == 0)
        rc = colony_engine_add_controller(colony, colony_http_controller(), NULL, &err);
    if (rc == 0)
        rc = colony_engine_add_controller(colony, colony_webhooks_controller(), NULL, &err);
    if (rc == 0)
        rc = colony_engine_load_text(colony, argv[2], strlen(argv[2]), &err);
    if (rc == 0)
        rc = colony_engine_run(colony, &err);
    printf("%d %s\\n", -rc, err.message);
    colony_engine_free(colony, NULL, NULL);
    return 0;
}
"""


def run(*command, **more):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=600, **more)


def make(build, *arguments, path=os.environ["PATH"]):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return run("make", "-s", "-j2", "-C", ROOT, f"BUILD={build}", *arguments, env=env | {"PATH": path})


def needed(path):
    return {line.split("[")[1].rstrip("]").split(".so")[0] for line in run("readelf", "-d", path).stdout.splitlines()
            if "(NEEDED)" in line}


@pytest.fixture(scope="module", name="lean")
def lean_fixture(tmp_path_factory):
    """The folder of the build. It is -O0 and may not see what it does not need."""
    if "/asan/" in BINARY or "/tsan/" in BINARY:
        pytest.skip("what is made here has no sanitizer")
    folder = tmp_path_factory.mktemp("without")
    for header in HEADERS:
        path = folder / "hidden" / header
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#error {header} is not to be included\n")
    (folder / "bin").mkdir()
    wrapper = folder / "bin/pkg-config"
    wrapper.write_text(PKG_CONFIG.format(real=shutil.which("pkg-config")))
    wrapper.chmod(0o755)
    made = make(folder / "build", f"WITHOUT={ALL}", f"CFLAGS=-O0 -U_FORTIFY_SOURCE -I{folder}/hidden", "all", "lib",
                path=f"{folder}/bin:{os.environ['PATH']}")
    assert made.returncode == 0, made.stderr[-3000:]
    return folder / "build"


@pytest.fixture(name="colony")
def colony_fixture(make_colony, lean):
    colony = make_colony(Colony)
    colony.binary = lean / "colony"
    return colony


def test_nothing_of_what_was_left_out_is_linked_or_opened(lean):
    for name in ("colony", "libcolony.so.0"):
        assert needed(lean / name) <= {"libsqlite3", "libuv", "libyaml-0", "libcjson", "libnettle", "libllhttp", "libm",
                                       "libc", "ld-linux-x86-64", "ld-linux-aarch64"}
        notes = run("readelf", "-p", ".note.dlopen", lean / name).stdout
        assert notes.count('"soname"') == 1 and "libzmq" in notes
    assert "wslay" not in (lean / "colony.pc").read_text() and "inih" not in (lean / "colony.pc").read_text()


def test_the_library_has_the_same_functions(lean):
    full, less = (run("nm", "-D", "--defined-only", folder / "libcolony.so.0").stdout
                  for folder in (pathlib.Path(BINARY).parent, lean))
    names = [{line.split()[-1] for line in text.splitlines()} for text in (full, less)]
    assert names[0] == names[1] and any(name.startswith("colony_engine_open") for name in names[0])


def test_the_version_tells_what_was_left_out(lean):
    version = (ROOT / "VERSION").read_text().strip()
    assert run(lean / "colony", "version").stdout == f"colony {version} (without {' '.join(sorted(ALL.split()))})\n"


@pytest.mark.parametrize("command, reason", [
    ("top", "this colony was built without it (make WITHOUT=top)"),
    ("httpcheck", "this colony was built without HTTP requests (make WITHOUT=curl)")])
def test_a_command_that_was_left_out_is_in_no_help_and_says_so(lean, command, reason):
    program = lean / "colony"
    assert f"\n  {command} " not in run(program, "help").stdout
    assert command not in run(program, "complete", "--", "").stdout.split()
    for arguments in ([command], [command, "--help"], ["help", command]):
        told = run(program, *arguments)
        assert (told.returncode, told.stdout, told.stderr) == (2, "", f"colony {command}: {reason}\n")


@pytest.mark.parametrize("name, text, reason", [
    ("x.ini", "[process:a]\ncmd = sleep\n", "cannot read {file}: this colony was built without INI (make WITHOUT=ini)"),
    ("x.yaml", "http: {certfile: /x, keyfile: /x}",
     "cannot use TLS: this colony was built without it (make WITHOUT=tls)"),
    ("x.yaml", "webhooks: {exit: 'https://localhost/'}",
     "cannot make HTTP requests: this colony was built without them (make WITHOUT=curl)"),
    ("x.yaml", "processes: {a: {cmd: x, ready: {http: 'https://localhost/'}}}",
     "{file}:1:33: cannot use `http`: this colony was built without HTTP requests (make WITHOUT=curl)"),
    ("x.yaml", "processes: {a: {cmd: x, health: {http: 'https://localhost/'}}}",
     "{file}:1:34: cannot use `http`: this colony was built without HTTP requests (make WITHOUT=curl)"),
    ("x.yaml", "rpc: {pst: {class_name: s3, url: 'https://h/b/k', credentials: /k}}",
     "{file}:1:1: cannot keep attributes in s3: this colony was built without HTTP requests (make WITHOUT=curl)"),
], ids=["ini", "tls", "webhooks", "ready", "health", "s3"])
def test_settings_that_want_it_are_refused(lean, tmp_path, name, text, reason):
    file = tmp_path / name
    file.write_text(text)
    checked = run(lean / "colony", "check", file)
    assert checked.returncode == 78
    assert checked.stderr.removeprefix("colony check: ").removeprefix(f"{file}: ") == reason.format(file=file) + "\n"
    served = run(lean / "colony", "serve", "--config", file, "--state", tmp_path / "state")
    assert served.returncode == 78 and reason.format(file=file) in served.stderr, served.stderr


def test_it_serves(colony):
    """A process, over HTTP as anybody asks for it, who is told what is not there."""
    colony.start({"processes": {"web": {"cmd": "sleep", "args": ["600"], "redirect_output": ["out"]}}})
    assert run("curl", "-s", "--unix-socket", colony.socket, "http://localhost/ping").stdout == "OK"
    slot = colony.wait_state("web", "running")
    os.kill(slot["os_pid"], 9)
    assert colony.ctl("restart", "web").returncode == 0
    refused = colony.http("POST", "/processes", '{"name": "x", "cmd": "true", "ready": {"http": "http://localhost/"}}')
    assert (refused.status, "make WITHOUT=curl" in refused.text) == (400, True)
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}
    answer = colony.http("GET", "/wstreams/1", headers=upgrade)
    assert (answer.status, answer.json()["reason"]) == (
        501, "cannot open a WebSocket: this colony was built without them (make WITHOUT=ws)")


def test_a_client_says_that_it_has_no_tls(lean):
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = run(lean / "colony", "ctl", "--endpoint", f"https://127.0.0.1:{server.getsockname()[1]}", "ps")
    assert told.returncode == 2
    assert "cannot use TLS: this colony was built without it (make WITHOUT=tls)\n" in told.stderr


@pytest.mark.parametrize("settings, reason", [
    ("http: {certfile: /x, keyfile: /x}", "make WITHOUT=tls"),
    ("webhooks: {exit: 'https://localhost/'}", "make WITHOUT=curl")])
def test_a_program_is_told_enotsup(lean, tmp_path, settings, reason):
    (tmp_path / "p.c").write_text(PROGRAM)
    built = run("cc", "-o", tmp_path / "p", tmp_path / "p.c", f"-I{ROOT}/include", f"-L{lean}", "-lcolony",
                f"-Wl,-rpath,{lean}")
    assert built.returncode == 0, built.stderr
    told = run(tmp_path / "p", lean / "colony", settings).stdout
    assert told.startswith("95 ") and reason in told, told


def test_another_choice_in_the_same_folder_mixes_nothing(lean, tmp_path):
    """There and back: what is linked, what is said and what is done are those of the last make."""
    shutil.copytree(lean, tmp_path / "build")  # whose objects are not compiled again
    file = tmp_path / "x.ini"
    file.write_text("[process:a]\ncmd = sleep\n")
    for without, has_ini in (("top", True), (ALL, False)):
        made = make(tmp_path / "build", f"WITHOUT={without}", "CFLAGS=-O0 -U_FORTIFY_SOURCE", "all", "lib")
        assert made.returncode == 0, made.stderr[-3000:]
        for name in ("colony", "libcolony.so.0"):
            assert needed(tmp_path / "build" / name) >= {"libinih", "libwslay"} if has_ini else \
                not needed(tmp_path / "build" / name) & {"libinih", "libwslay"}
        assert run(tmp_path / "build/colony", "check", file).returncode == (0 if has_ini else 78)


def test_an_unknown_word_is_an_error_that_lists_those_there_are(tmp_path):
    made = make(tmp_path, "WITHOUT=tls sqlite", "all")
    assert made.returncode == 2 and f"WITHOUT=sqlite: what can be left out is {ALL}." in made.stderr
