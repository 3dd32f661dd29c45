# SPDX-License-Identifier: Apache-2.0
"""Questions over ZeroMQ, one after the other and 32 at once: to colony itself, to a program that it
serves, and to a plain ROUTER of libzmq's that gives each message back (router.c)."""

import json
import os
import subprocess

from contestants import ENVIRONMENT, Contestant, free_port

DEPTH = 32
OWN, PROGRAM = "uptime", "pst_counter"


class Router(Contestant):
    name = "limit"

    def open(self):
        self.port = free_port()
        self.run([self.tools.program("router"), "serve", f"tcp://127.0.0.1:{self.port}"])


class RpcColony(Contestant):
    name = "colony"

    def open(self):
        self.port = free_port()
        runtime = self.folder / "run"
        self.run([self.tools.binary, "rpc", "serve", "--name", "bench", "--port", self.port, "--state",
                  self.folder / "state", "--", self.tools.program("message_daemon")],
                 env={**ENVIRONMENT, "COLONY_RUNTIME_DIR": str(runtime)})
        self.wait(lambda: os.path.isdir(runtime / "rpc") and os.listdir(runtime / "rpc"))


def ask(bench, contestant, depth, attribute):
    """Answers a second, and the median time of one in µs."""
    message = json.dumps({"jsonrpc": "2.0", "id": "%", "method": "getattr", "params": [attribute]},
                         separators=(",", ":")).replace('"%"', "%")
    told = subprocess.run([bench.tools.program("router"), "ask", f"tcp://127.0.0.1:{contestant.port}",
                           str(bench.scale.rpc_seconds), str(depth), message],
                          capture_output=True, text=True, check=True, timeout=60).stdout.split()
    return float(told[0]), float(told[1]), float(told[2])


def questions(bench):
    with RpcColony(bench.tools) as colony, Router(bench.tools) as limit:
        colony.open()
        limit.open()
        for who, key, attribute in ((colony, "rpc", OWN), (limit, "rpc", OWN),
                                    (colony, "rpc-program", PROGRAM), (limit, "rpc-program", PROGRAM)):
            _, median, slow = ask(bench, who, 1, attribute)
            bench.add(key, who.name, median)
            bench.add(f"{key}-p99", who.name, slow)
            bench.add(f"{key}-calls", who.name, ask(bench, who, DEPTH, attribute)[0])
