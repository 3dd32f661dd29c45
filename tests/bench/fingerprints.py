# SPDX-License-Identifier: Apache-2.0
"""What fingerprints cost: colony's own code (fingerprint_colony.c), and the same questions to the
kernel, answers thrown away (fingerprint_proc.c)."""

import subprocess
import sys

import samples
from contestants import Colony, Loop

# Half of its descriptors are files, half sockets that listen.
HOLDER = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
count, path = int(sys.argv[1]), sys.argv[2]
files = [open(f"{path}-{i}", "w") for i in range(count // 2)]
sockets = [socket.create_server(("127.0.0.1", 0)) for i in range(count // 2)]
print("ready", flush=True)
sys.stdin.read()
"""


def one_with_many(bench):
    path = str(bench.tools.folder) + "/descriptor"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(bench.scale.descriptors), path],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "ready\n"
        bench.add("fingerprint", Colony, samples.sample_ms(bench, "fingerprint_colony", [holder.pid]))
        bench.add("fingerprint", "limit", samples.sample_ms(bench, "fingerprint_proc", [holder.pid]))
        holder.stdin.close()


def many(bench):
    with Loop(bench.tools) as loop:
        loop.open(bench.scale.many)
        loop.start()
        loop.records.wait(bench.scale.many)
        pids = [pid for _, pid in loop.records.read()]
        bench.add("fingerprints", Colony, samples.sample_ms(bench, "fingerprint_colony", pids))
        bench.add("fingerprints", "limit", samples.sample_ms(bench, "fingerprint_proc", pids))


def fingerprints(bench):
    one_with_many(bench)
    many(bench)
