# SPDX-License-Identifier: Apache-2.0
"""What one stats sample costs: colony's own code on a loop of its own (stats_colony.c), and kept
descriptors of the same files, read and thrown away (stats_pread.c)."""

import subprocess

import look
from contestants import Colony, Loop


def sample_ms(bench, program, pids):
    result = subprocess.run([str(bench.tools.program(program)), str(bench.scale.samples)],
                            input="\n".join(map(str, pids)), capture_output=True, text=True,
                            check=True)
    return look.median(map(int, result.stdout.split())) / 1e6


def stats(bench):
    with Loop(bench.tools) as loop:
        loop.open(bench.scale.many)
        loop.start()
        loop.records.wait(bench.scale.many)
        pids = [pid for _, pid in loop.records.read()]
        bench.add("stats", Colony, sample_ms(bench, "stats_colony", pids))
        bench.add("stats", "limit", sample_ms(bench, "stats_pread", pids))
