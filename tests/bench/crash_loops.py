# SPDX-License-Identifier: Apache-2.0
"""What programs that die at once cost: CPU of the supervisors over the first minute, and then how
long `ctl ps` takes, beside a command that asks nothing."""

import time

import look
from commands import TRUE, run_each
from contestants import Colony, DelayingLoop


def measure(bench, kind, contestant):
    """Colony and the loop from before the first start; peers, who cannot wait, from after it."""
    crashing = bench.scale.crashing
    contestant.open(crashing)
    if contestant.starts_with_open:
        contestant.records.wait(crashing)
    pids = contestant.pids()
    count, before, began = contestant.records.count, look.cpu_seconds(pids), time.monotonic()
    if not contestant.starts_with_open:
        contestant.start()
    time.sleep(bench.scale.crash_seconds)
    used = look.cpu_seconds(pids) - before
    bench.add("crash-cpu", kind, used / (time.monotonic() - began) * 100)
    starts = contestant.records.count - count
    if starts:
        bench.add("crash-restart", kind, used / starts * 1e6)


def crash(bench):
    for kind in [Colony, DelayingLoop, *bench.peers()]:
        with kind(bench.tools, "crash") as contestant:
            measure(bench, kind, contestant)
            if kind is not Colony:
                continue
            asked, nothing = run_each(bench.scale.questions, contestant.ctl("ps"), TRUE)
            bench.add("crash-ps", kind, look.percentile(asked, 99))
            bench.add("crash-ps", "limit", look.percentile(nothing, 99))
