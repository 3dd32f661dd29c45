#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""colony beside its limits and its peers: docs/benchmarks.md says what the figures mean.

Each round measures every figure once, colony and its limit one after the other, so that what changes
on the machine meanwhile meets both.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

import activate
import capture
import commands
import crash_loops
import directories
import echo
import events
import feeds
import fingerprints
import load
import look
import peers
import processes
import report
import rpc
import samples
import workspaces
from contestants import Colony, GroupedLoop, Loop
from figures import FIGURES, QUICK, Scale

BUSY_PERCENT = 5  # from here on others are in the way


@dataclasses.dataclass(frozen=True)
class Group:
    """Figures that are measured together."""

    run: object
    figures: tuple
    rounds: int = 100  # no more than these, for what takes minutes


GROUPS = {
    "restart": Group(processes.restart, ("start-few", "restart")),
    "swarm": Group(processes.swarm, ("start", "serve", "storm", "stop")),
    "memory": Group(processes.memory, ("pss-none", "pss-few", "pss-many", "pss-each"), 2),
    "idle": Group(processes.idle, ("idle-cpu", "idle-switches"), 1),
    "crash": Group(crash_loops.crash, ("crash-cpu", "crash-restart", "crash-ps"), 1),
    "capture": Group(capture.capture, ("capture",)),
    "http": Group(load.requests, ("status", "status-p50", "status-p99", "processes",
                                  "processes-p50", "processes-p99")),
    "tls": Group(load.secure_requests, ("tls", "tls-p50")),
    "feeds": Group(feeds.feeds, ("follow-cpu", "follow-lines", "watch-events")),
    "websocket": Group(echo.round_trips, ("echo", "echo-p99")),
    "events": Group(events.events, ("events-udp", "events-udp-lost", "events-udp-log",
                                    "events-udp-log-lost", "events-http", "events-http-p50",
                                    "events-http-p99")),
    "rpc": Group(rpc.questions, ("rpc", "rpc-p99", "rpc-calls", "rpc-program", "rpc-program-p99",
                                 "rpc-program-calls")),
    "ctl": Group(commands.ps, ("ps", "ps-p99"), 2),
    "files": Group(directories.files, ("files-start", "files-latency", "files-rescan",
                                       "files-messages")),
    "activate": Group(activate.activate, ("activate", "activate-again"), 3),
    "stats": Group(samples.stats, ("stats",)),
    "fingerprints": Group(fingerprints.fingerprints, ("fingerprint", "fingerprints")),
    "session": Group(workspaces.show, ("session-show",), 2),
    "version": Group(commands.version, ("version",)),
}


class Tools:
    """What is measured and what it is measured with; all in the folder of the binary."""

    def __init__(self, binary, folder, memory):
        self.binary = pathlib.Path(binary).resolve()
        self.folder = folder
        self.memory = memory  # a folder on no disk

    def program(self, name):
        path = self.binary.parent / "bench" / name
        if not os.access(path, os.X_OK):
            raise FileNotFoundError(f"cannot find {path}: run `make bench`, which builds it")
        return path


class Bench:
    """What the groups see: the scale, who takes part, and where results go."""

    def __init__(self, tools, scale, peer_rounds):
        self.tools = tools
        self.scale = scale
        self.peer_rounds = peer_rounds
        self.round = 0
        self.results = {}
        self.notes = []

    def add(self, figure, who, value):
        name = who if isinstance(who, str) else who.name
        self.results.setdefault(figure, {}).setdefault(name, []).append(value)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def plain_supervisors(self):
        return [Colony, Loop]

    def supervisors(self):
        return [*self.plain_supervisors(), *([GroupedLoop] if GroupedLoop.is_possible() else [])]

    def peers(self):
        return peers.installed() if self.round < self.peer_rounds else []


def parse_options():
    known = sorted({*GROUPS, *(figure.key for figure in FIGURES)})
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="FIGURE",
                        help="only these figures or groups: " + ", ".join(known))
    parser.add_argument("--binary", default="build/colony", help="the colony to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-rounds", type=int, default=2, help="0: without peers")
    parser.add_argument("--quick", action="store_true",
                        help="little of everything, once: shows that it works, measures nothing")
    parser.add_argument("--patience", type=float, default=0, metavar="SECONDS",
                        help="wait up to so long for others to be quiet, before each group")
    parser.add_argument("--folder", type=os.path.abspath, help="where state and logs are put while it runs")
    parser.add_argument("--json", type=pathlib.Path, help="write all numbers there, too")
    parser.add_argument("--markdown", type=pathlib.Path,
                        help="put the table between the marks of this file, too")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"cannot measure {unknown[0]}: known are {', '.join(known)}")
    if options.rounds < 1 or options.peer_rounds < 0:
        parser.error("cannot measure in less than one round")
    if not os.access(options.binary, os.X_OK):
        parser.error(f"cannot measure {options.binary}: build it with `make`")
    return options


def chosen(names):
    """The groups to run, and the figures to show."""
    if not names:
        return list(GROUPS), {figure.key for figure in FIGURES}
    groups = [name for name, group in GROUPS.items()
              if name in names or set(names) & set(group.figures)]
    figures = {figure for name in names if name in GROUPS for figure in GROUPS[name].figures}
    return groups, figures | set(names) - set(GROUPS)


def tell(text):
    print(text, file=sys.stderr, flush=True)


def wait_for_quiet(bench, patience):
    """Returns what part of the CPUs others have, in percent."""
    deadline = time.monotonic() + patience
    look_seconds = 0.1 if bench.scale is QUICK else 1
    while True:
        busy = look.busy_share(look_seconds) * 100
        if busy <= BUSY_PERCENT or time.monotonic() >= deadline:
            return busy


def run_rounds(bench, groups, options):
    """Returns what others had of the CPUs before each group."""
    busy = []
    for bench.round in range(options.rounds):
        for name in groups:
            if bench.round >= GROUPS[name].rounds:
                continue
            busy.append(wait_for_quiet(bench, options.patience))
            began = time.monotonic()
            GROUPS[name].run(bench)
            tell(f"round {bench.round + 1} of {options.rounds}: {name} took "
                 f"{time.monotonic() - began:.1f} s; others had {busy[-1]:.0f} % before it")
    if max(busy) > BUSY_PERCENT:
        bench.note(f"others used more than {BUSY_PERCENT} % of the processors: figures are off")
    return busy


def temporary(folder):
    return tempfile.TemporaryDirectory(prefix="colony-bench-", dir=folder)


def measure(options):
    groups, figures = chosen(options.names)
    scale = QUICK if options.quick else Scale()
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with temporary(options.folder) as folder, temporary(shared) as memory:
        bench = Bench(Tools(options.binary, folder, memory), scale, options.peer_rounds)
        busy = run_rounds(bench, groups, options)
    for name in peers.missing() if options.peer_rounds else ():
        bench.note(f"{name} is not installed: left out")
    return {"machine": report.machine(options.binary), "rounds": options.rounds,
            "busy_percent": report.summary(busy), "scale": vars(scale), "notes": bench.notes,
            "figures": report.make_rows(bench, figures)}


def check_outputs(options):
    """Before half an hour is spent on what could not be written."""
    if options.json:
        with open(options.json, "a", encoding="utf-8"):
            pass
    if options.markdown:
        report.split_page(options.markdown)


def describe(error):
    """An error of the system says in its own words only what it is about and why."""
    if isinstance(error, OSError) and error.filename:
        return f"cannot use {error.filename}: {error.strerror}"
    return str(error)


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    try:
        check_outputs(options)
        result = measure(options)
        print(report.text_table(result["figures"]))
        print("\n".join(["", report.about(result), *result["notes"]]))
        if options.json:
            options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n",
                                    encoding="utf-8")
        if options.markdown:
            report.write_markdown(options.markdown, result)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"bench: {describe(error)}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
