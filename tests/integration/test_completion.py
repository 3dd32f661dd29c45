# SPDX-License-Identifier: Apache-2.0
"""Completion in shells: what `colony complete` offers, and that real shells type it."""
import contextlib
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

from rpc_fake import register

COLONY = os.path.abspath(os.environ.get("COLONY", "build/colony"))
SHELLS = ("bash", "zsh", "fish")
SETTINGS = {"processes": {name: {"cmd": "sleep", "args": ["104729"]} for name in
                          ("web", "worker", "shop:front", "shop:back", "master.tws", "with space")}}
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("COLONY", "XDG_"))}


def have_time():
    """Names that take longer than a prompt may be held up are left out, at an alarm: here they are waited for."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})


def complete(*words, env=None, preexec_fn=have_time):
    """What is offered for the last of the words: {candidate: help}, "" for files or folders."""
    out = subprocess.run([COLONY, "complete", *words], capture_output=True, text=True, timeout=20,
                         env={**CLEAN, **(env or {})}, preexec_fn=preexec_fn)
    assert out.returncode == 0
    return dict(line.split("\t") for line in out.stdout.splitlines())


def here(colony, *words):
    """The same, of words of `colony ctl` for this colony."""
    return set(complete("ctl", "--state", str(colony.state), *words))


def help_of(*args):
    return subprocess.run([COLONY, *args, "--help"], capture_output=True, text=True,
                          timeout=20).stdout


# What is offered


def test_commands_are_those_of_help():
    assert set(complete("")) == {"app", "beat", "beatcheck", "check", "completion", "ctl", "event",
                                 "events", "files", "help", "http", "httpcheck", "rpc", "schedule",
                                 "serve", "session", "top", "version"}
    assert complete("serv") == {"serve": "keep processes alive"}
    assert complete("complet") == {"completion": "print what completes commands in your shell"}
    assert complete("nonsense", "") == {}


def test_what_a_session_has_is_offered(tmp_path):
    place = ["-C", str(tmp_path)]

    def session(*args):
        subprocess.run([COLONY, "session", *place, *args], check=True, timeout=20, env=CLEAN,
                       stdout=subprocess.DEVNULL)

    def offered(*words):
        return set(complete("session", *place, *words))

    session("init")
    try:
        for alias in ("db", "web"):
            session("start", "--uri", f"exec:///bin/sh?-c&sleep%20600&{alias}",
                    "--alias", alias)
        session("attach", "--alias", "db", "--state", "up")
        session("attach", "--alias", "web", "--state", "up")
        session("attach", "--alias", "web", "--state", "warm")
        assert offered("dependence", "") == {"add", "remove", "list"}
        assert offered("dependence", "re") == {"remove"}
        assert offered("dependence", "add", "") == set()
        parents = {"db", "db:up", "web", "web:up", "web:warm"}
        assert offered("dependence", "add", "--parent", "") == parents
        assert offered("dependence", "add", "--parent=web:") == {"--parent=web:up", "--parent=web:warm"}
        assert offered("dependence", "add", "--parent", "web:warm,d") == {"web:warm,db", "web:warm,db:up"}
        assert offered("dependence", "add", "--child", "db,") == {"db,db", "db,web"}
        assert offered("dependence", "add", "--on-loss", "") == {"keep", "stop", "restart"}
        assert offered("wait", "--state", "") == {"up", "warm"}
        assert offered("attach", "--alias", "db", "--state", "") == {"up"}
        assert offered("start", "--restart", "") == offered("attach", "--shutdown", "") == {"0", "1"}
        assert offered("stop", "") == {"db", "web"}
    finally:
        session("stop", "--all")


def test_every_action_and_option_is_offered_with_its_help():
    actions = complete("ctl", "")
    text = help_of("ctl")
    assert len(actions) > 25
    for action, line in actions.items():
        assert re.search(rf"^  {action} .*{re.escape(line)}$", text, re.M | re.S)
        assert f"\nexamples:\n  colony ctl {action}" in help_of("ctl", action)
        for option, words in complete("ctl", action, "-").items():
            assert option in help_of("ctl", action) and words in help_of("ctl", action)
    assert set(complete("serve", "--log")) == {"--log-file", "--log-level", "--log-format"}
    assert set(complete("--ver")) == {"--version"}


def test_values_of_options_are_offered():
    assert set(complete("serve", "--log-level", "")) == {"error", "warning", "info", "debug"}
    assert set(complete("serve", "--log-level=w")) == {"--log-level=warning"}
    assert set(complete("ctl", "kill", "web", "TE")) == {"TERM"}
    assert set(complete("ctl", "kill", "-s", "HU")) == {"HUP"}
    assert set(complete("ctl", "kill", "web", "SIGU")) == {"SIGUSR1", "SIGUSR2", "SIGURG"}
    assert complete("serve", "--config", "") == {"": "files"}
    assert complete("serve", "--state=/x") == {"": "folders"}
    assert complete("check", "") == complete("ctl", "load-process", "") == {"": "files"}
    assert complete("ctl", "stop", "--timeout", "") == {}
    assert set(complete("completion", "")) == set(SHELLS)


def test_help_is_followed_by_commands():
    assert complete("help", "") == complete("")
    assert set(complete("help", "ctl", "log")) == {"logs"}


def test_an_option_after_two_dashes_is_none():
    assert complete("ctl", "stop", "--", "--no") == {}


def test_names_and_groups_are_those_that_run(colony):
    colony.start(SETTINGS)
    everybody = set(SETTINGS["processes"])
    assert here(colony, "pids", "") == everybody
    assert here(colony, "logs", "web", "sho") == {"shop:front", "shop:back", "shop:*"}
    assert here(colony, "stop", "") == everybody | {"shop:*"}
    assert here(colony, "stop", "web", "wo") == {"worker"}
    assert here(colony, "start", "shop:") == {"shop:front", "shop:back", "shop:*"}
    assert here(colony, "start", "shop:*") == {"shop:*"}
    assert here(colony, "scale", "we") == {"web=", "web+", "web-"}
    assert here(colony, "pids", "web", "") == set()  # it takes one name
    assert here(colony, "add_process", "") == set()  # a new one
    assert here(colony, "pids", "--", "we") == {"web"}
    endpoint = {"COLONY_ENDPOINT": f"unix:{colony.socket}"}
    assert set(complete("ctl", "why", "mas", env=endpoint)) == {"master.tws"}


def test_nobody_there_is_silent():
    out = subprocess.run([COLONY, "complete", "ctl", "--state", "/nonexistent", "stop", ""],
                         capture_output=True, text=True, timeout=20)
    assert (out.returncode, out.stdout) == (0, "")


def test_a_colony_that_hangs_does_not_hold_up_the_prompt(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()  # and never answers
        begin = time.monotonic()
        offered = complete("ctl", "kill", "--endpoint", f"unix:{tmp_path}/s", "", preexec_fn=None)
        assert time.monotonic() - begin < 5  # 0.3 s, on a machine that has time
    assert offered == {}


def test_a_name_that_cannot_be_typed_is_not_offered(tmp_path):
    body = b'["good","ba\\u001b[31md","new\\nline"]'
    names, none = (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(it), it) for it in (body, b"[]"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        process = subprocess.Popen([COLONY, "complete", "ctl", "--endpoint", f"unix:{tmp_path}/s",
                                    "logs", ""], stdout=subprocess.PIPE, text=True,
                                   preexec_fn=have_time)
        for answer in (names, none):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
        assert process.communicate(timeout=20)[0] == "good\t\n"


# In real shells


def needs(shell):
    return pytest.param(shell, marks=pytest.mark.skipif(not shutil.which(shell),
                                                        reason=f"no {shell} here"))


def script(shell, tmp_path):
    file = tmp_path / f"colony.{shell}"
    with open(file, "w", encoding="utf-8") as out:
        subprocess.run([COLONY, "completion", shell], stdout=out, check=True, timeout=20)
    return file


START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='> '; source {file}"),
    "zsh": (["zsh", "-f", "-i"],
            "PS1='> '; autoload -U compinit; compinit -u -D; source {file}"),
    "fish": (["fish", "--no-config", "-i"],
             "function fish_prompt; echo -n '> '; end; source {file}"),
}


class Typist:
    """A shell on a terminal of its own, in @folder."""

    def __init__(self, shell, file, folder):
        command, setup = START[shell]
        home, programs = folder / "home", folder / "programs"
        home.mkdir()
        programs.mkdir()
        # As have_time(): shells let commands have all signals.
        (programs / "colony").write_text(f'#!/bin/sh\nexec env --block-signal=ALRM "{COLONY}" "$@"\n')
        (programs / "colony").chmod(0o755)
        env = {"PATH": f"{programs}:{os.environ['PATH']}", "TERM": "xterm",
               "HOME": str(home), "LANG": "C.UTF-8", "INPUTRC": "/dev/null"}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, env)
        self.seen = ""
        self.type(setup.format(file=file) + "; echo set'-up'\n")
        self.expect("set-up")

    def type(self, text):
        os.write(self.terminal, text.encode())

    def expect(self, text, seconds=30):
        """Reads until @text is there, and forgets all up to it."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.terminal], [], [], left)[0], \
                f"no {text!r} in {self.seen!r}"
            self.seen += os.read(self.terminal, 65536).decode(errors="replace")
        self.seen = self.seen.split(text, 1)[1]

    def end(self):
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.close(self.terminal)
        os.waitpid(self.pid, 0)


@pytest.fixture
def typist(tmp_path):
    made = []

    def make(shell):
        made.append(Typist(shell, script(shell, tmp_path), tmp_path))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.mark.parametrize("shell", [needs(shell) for shell in SHELLS])
def test_the_script_is_one_of_its_shell(shell, tmp_path):
    out = subprocess.run([shell, "-n", script(shell, tmp_path)], capture_output=True, text=True,
                         timeout=20)
    assert (out.returncode, out.stderr) == (0, "")


@pytest.mark.parametrize("shell", [needs(shell) for shell in SHELLS])
@pytest.mark.parametrize("typed, result", [
    ("get_pro\twor\t", "worker"), ("get_process shop:f\t", "shop:front"),
    ("get_process 'shop:b\t", "shop:back"), ("get_process with\t", "with space"),
    ("get_process mas\t--js\t", "master.tws"),
])
def test_tab_completes_actions_names_and_options(colony, typist, shell, typed, result):
    colony.start(SETTINGS)
    terminal = typist(shell)
    terminal.type(f"colony ctl --state {colony.state} {typed}")
    if "'" in typed and shell != "fish":  # fish closes it itself
        terminal.expect(result.rsplit(":", 1)[1])
    terminal.type("\n")
    terminal.expect('"name":')
    terminal.expect(f'"{result}"')


@pytest.mark.parametrize("shell", [needs(shell) for shell in SHELLS])
def test_tab_completes_files_also_behind_an_equals_sign(typist, tmp_path, shell):
    (tmp_path / "settings-of-mine.json").write_text("{}")
    (tmp_path / "good one.yaml").write_text("processes: {}")
    terminal = typist(shell)
    terminal.type("colony check good\t\n")
    terminal.expect("good one.yaml: ok (0 templates)")
    terminal.type("colony serve --config=settings-o\t --nonsense\n")
    terminal.expect("unknown option --nonsense")
    terminal.type("echo colony serve --config=settings-o\n")  # as it is without a tab
    terminal.expect("--config=settings-o")


@pytest.mark.parametrize("words, replies", [
    (["ctl", "kill", "--signal", "=", "TE"], ["TERM"]),
    (["ctl", "--state", "=", "{state}", "start", "shop", ":"], ["front", "back", "\\*"]),
    (["ctl", "--state", "{state}", "start", "'shop:"], ["shop:front", "shop:back", "shop:*"]),
    (["ctl", "--state", "{state}", "scale", "web"], ["web=", "web+", "web-"]),
    (["ctl", "sto"], ["stop"]), (["ctl", "stop", "--no"], ["--no-wait"]),
])
@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_bash_gets_what_follows_its_word_breaks(colony, tmp_path, words, replies):
    colony.start(SETTINGS)
    words = [COLONY] + [word.format(state=colony.state) for word in words]
    line = re.sub(r" ?([:=]) ?", r"\1", " ".join(words))
    out = subprocess.run(
        ["bash", "-c", 'source "$0"; COMP_LINE=$1; COMP_POINT=${#1}; shift; COMP_WORDS=("$@"); '
         'COMP_CWORD=$(($# - 1)); _colony; printf "%s\\n" "${COMPREPLY[@]}"',
         script("bash", tmp_path), line, *words], capture_output=True, text=True, timeout=20,
        preexec_fn=have_time)
    assert sorted(out.stdout.splitlines()) == sorted(replies) and out.stderr == ""


def test_install_puts_scripts_where_shells_look(tmp_path):
    source = pathlib.Path(__file__).parents[2]
    subprocess.run(["make", "-s", "-C", source, "install", f"BUILD={pathlib.Path(COLONY).parent}",
                    f"DESTDIR={tmp_path}"], check=True, timeout=300)
    for shell, place in (("bash", "bash-completion/completions/colony"),
                         ("zsh", "zsh/site-functions/_colony"),
                         ("fish", "fish/vendor_completions.d/colony.fish")):
        assert (tmp_path / "usr/local/share" / place).read_text() == script(shell, tmp_path).read_text()


@pytest.mark.parametrize("args, says", [
    ((), "too few arguments"), (("bsh",), "did you mean bash?"), (("powershell",), "use bash, fish or zsh"),
    (("bash", "zsh"), "too many arguments"),
])
def test_a_wrong_shell_is_one_line_and_exit_2(args, says):
    out = subprocess.run([COLONY, "completion", *args], capture_output=True, text=True, timeout=20)
    assert out.returncode == 2 and out.stdout == ""
    assert out.stderr.count("\n") == 1 and says in out.stderr


def test_kinds_of_events_and_columns_are_offered():
    assert {"exit", "spawn", "flap"} <= set(complete("ctl", "watch", ""))
    assert set(complete("ctl", "events", "sp")) == {"spawn"}
    assert set(complete("schedule", "--overlap", "")) == {"skip", "queue", "kill"}
    assert set(complete("top", "--sort", "")) == {"name", "cpu", "mem", "restarts", "uptime",
                                                  "state"}


def test_daemons_are_those_that_are_registered(tmp_path):
    register(tmp_path, "MessageDaemon", 51000)
    register(tmp_path, "Pot", 51001)
    env = {"COLONY_RUNTIME_DIR": str(tmp_path)}
    assert complete("rpc", "get", "", env=env) == {"MessageDaemon": "tcp://127.0.0.1:51000",
                                                   "Pot": "tcp://127.0.0.1:51001"}
    assert set(complete("rpc", "call", "Mes", env=env)) == {"MessageDaemon"}
    assert "serve" in complete("rpc", "") and "--daemon" in complete("rpc", "serve", "--d")
