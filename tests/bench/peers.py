# SPDX-License-Identifier: Apache-2.0
"""Other supervisors, in the simplest way each can be used.

runit and s6 run without loggers, which spares them a process and a pipe for each service; their
services are the probe itself, named in the first line of `run`, so that no shell has a part in it.
"""

import shutil
import signal

import look
from contestants import Contestant


class Peer(Contestant):
    starts_with_open = True


class Services(Peer):
    """Folders with a `run` in each."""

    watcher = ""  # the process that each service has

    def make(self, count):
        services = self.folder / "services"
        services.mkdir()
        for i in range(count):
            service = services / f"p{i:04}"
            service.mkdir()
            run = service / "run"
            run.write_text(f"#!{self.program[0]} {self.program[1]}\n")
            run.chmod(0o755)
        return services

    def pids(self):
        watchers = [pid for pid in look.children(self.process.pid)
                    if look.command(pid) == self.watcher]
        return [self.process.pid, *watchers]


class Runit(Services):
    name = "runit"
    programs = ("runsvdir",)
    watcher = "runsv"

    def open(self, count, now=True):
        return self.run(["runsvdir", self.make(count)])

    def end_all(self):
        watchers = self.pids()[1:]
        self.process.send_signal(signal.SIGHUP)
        self.process.wait(60)
        look.wait_until(lambda: not any(map(look.is_alive, watchers)), what="the end of runsv")


class S6(Services):
    name = "s6"
    programs = ("s6-svscan",)
    watcher = "s6-supervise"

    def open(self, count, now=True):
        return self.run(["s6-svscan", "-c", max(2, count), self.make(count)])


class Supervisord(Peer):
    """With its default of a file for the output of each process, as colony has it."""

    name = "supervisord"
    programs = ("supervisord",)

    def open(self, count, now=True):
        config = self.folder / "supervisord.conf"
        text = [f"""[supervisord]
nodaemon=true
minfds={max(1024, count * 8)}
directory={self.folder}
childlogdir={self.folder}
logfile={self.folder}/log
pidfile={self.folder}/pid
[unix_http_server]
file={self.folder}/socket
[supervisorctl]
serverurl=unix://{self.folder}/socket
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""]
        for i in range(count):
            text.append(f"[program:p{i:04}]\ncommand={' '.join(self.program)}\n"
                        "autorestart=true\nstartretries=1000000\n")
        config.write_text("".join(text))
        return self.run(["supervisord", "-c", config])

    def ctl(self, *arguments):
        return ["supervisorctl", "-c", str(self.folder / "supervisord.conf"), *arguments]


ALL = (Runit, S6, Supervisord)


def installed():
    return [peer for peer in ALL if all(map(shutil.which, peer.programs))]


def missing():
    return [peer.name for peer in ALL if peer not in installed()]

