# SPDX-License-Identifier: Apache-2.0
"""Restart, start, kill storm, stop, memory and idleness."""

import os
import signal
import time

import look


def since(began, ended):
    return (ended - began) / 1e6


def last_start(records, start, end):
    """When the last of these records was made, once all are there."""
    records.wait(end)
    return max(when for when, _ in records.read(start, end))


def kill_one(records, pid):
    """µs from SIGKILL to the first instruction of the next."""
    count = records.count
    began = look.now_ns()
    os.kill(pid, signal.SIGKILL)
    records.wait(count + 1)
    return (records.read(count, count + 1)[0][0] - began) / 1e3


def kill_each(contestant, most):
    times = []
    for _, pid in contestant.records.read()[:most]:
        times.append(kill_one(contestant.records, pid))
        time.sleep(0.01)  # so that what follows a start is over, too
    return look.median(times)


def restart(bench):
    few = bench.scale.few
    for kind in bench.supervisors():
        with kind(bench.tools) as contestant:
            contestant.open(few)
            began = contestant.start()
            bench.add("start-few", kind, since(began, last_start(contestant.records, 0, few)))
            time.sleep(bench.scale.settle_seconds)
            bench.add("restart", kind, kill_each(contestant, bench.scale.restarts))
    for kind in bench.peers():
        with kind(bench.tools) as contestant:
            contestant.open(few)
            contestant.records.wait(few)
            time.sleep(bench.scale.settle_seconds)
            bench.add("restart", kind, kill_each(contestant, bench.scale.peer_restarts))


def storm_and_stop(bench, kind, contestant):
    many = bench.scale.many
    time.sleep(bench.scale.settle_seconds)
    pids = [pid for _, pid in contestant.records.read()]
    began = look.now_ns()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    bench.add("storm", kind, since(began, last_start(contestant.records, many, 2 * many)))
    time.sleep(bench.scale.settle_seconds)
    bench.add("stop", kind, contestant.stop() * 1e3)


def swarm(bench):
    many = bench.scale.many
    for kind in bench.supervisors():
        with kind(bench.tools) as contestant:
            contestant.open(many)
            began = contestant.start()
            bench.add("start", kind, since(began, last_start(contestant.records, 0, many)))
            storm_and_stop(bench, kind, contestant)
        with kind(bench.tools) as contestant:
            began = contestant.open(many, now=True)
            bench.add("serve", kind, since(began, last_start(contestant.records, 0, many)))
    for kind in bench.peers():
        with kind(bench.tools) as contestant:
            began = contestant.open(many)
            bench.add("serve", kind, since(began, last_start(contestant.records, 0, many)))
            storm_and_stop(bench, kind, contestant)


def open_settled(contestant, count, seconds):
    """Nobody asks it anything: a request would still be on its mind."""
    contestant.open(count, now=True)
    contestant.records.wait(count)
    time.sleep(seconds)
    look.wait_until(contestant.pids)


def memory(bench):
    for kind in [*bench.plain_supervisors(), *bench.peers()]:
        pss = {}
        for key, count in (("none", 0), ("few", bench.scale.few), ("many", bench.scale.many)):
            with kind(bench.tools) as contestant:
                open_settled(contestant, count, bench.scale.settle_seconds)
                pss[count] = look.pss_kib(contestant.pids())
            bench.add(f"pss-{key}", kind, pss[count] / 1024)
        bench.add("pss-each", kind, (pss[bench.scale.many] - pss[0]) / bench.scale.many)


def idle(bench):
    for kind in [*bench.plain_supervisors(), *bench.peers()]:
        with kind(bench.tools) as contestant:
            open_settled(contestant, bench.scale.many, bench.scale.idle_settle_seconds)
            pids = contestant.pids()
            cpu, switches = look.cpu_seconds(pids), look.voluntary_switches(pids)
            time.sleep(bench.scale.idle_seconds)
            bench.add("idle-cpu", kind, (look.cpu_seconds(pids) - cpu) * 1e3)
            bench.add("idle-switches", kind, look.voluntary_switches(pids) - switches)
