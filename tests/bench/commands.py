# SPDX-License-Identifier: Apache-2.0
"""How long commands take: `ctl ps`, `colony version`, and beside them one that does nothing."""

import os
import subprocess
import time

import look
from contestants import ENVIRONMENT, Colony
from peers import Supervisord

TRUE = ["/bin/true"]


def run_ms(command):
    silence = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    began = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, ENVIRONMENT, file_actions=silence)
    status = os.waitpid(pid, 0)[1]
    ended = time.perf_counter()
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command)
    return (ended - began) * 1e3


def run_each(times, *commands):
    """Times of each, by turns."""
    taken = [[] for _ in commands]
    for _ in range(times):
        for list_, command in zip(taken, commands):
            list_.append(run_ms(command))
    return taken


def ps(bench):
    with Colony(bench.tools) as colony:
        colony.open(bench.scale.many)
        colony.start()
        colony.records.wait(bench.scale.many)
        time.sleep(bench.scale.settle_seconds)
        asked, nothing = run_each(bench.scale.questions, colony.ctl("ps"), TRUE)
    for key, value in (("ps", look.median), ("ps-p99", lambda v: look.percentile(v, 99))):
        bench.add(key, Colony, value(asked))
        bench.add(key, "limit", value(nothing))
    if Supervisord not in bench.peers():
        return
    with Supervisord(bench.tools) as peer:
        peer.open(bench.scale.many)
        peer.records.wait(bench.scale.many)
        time.sleep(bench.scale.settle_seconds)
        times, = run_each(bench.scale.peer_restarts, peer.ctl("status"))
        bench.add("ps", Supervisord, look.median(times))


def version(bench):
    own, nothing = run_each(bench.scale.questions, [str(bench.tools.binary), "version"], TRUE)
    bench.add("version", Colony, look.median(own))
    bench.add("version", "limit", look.median(nothing))
