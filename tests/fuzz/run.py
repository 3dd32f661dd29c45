#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs fuzz targets side by side, each from its kept corpus: `make fuzz T=60 F="yaml http"`.

What they find is kept in BUILD/crashes/TARGET; new inputs that are no findings go to
BUILD/corpus/TARGET, where the next run goes on. With 0 seconds the kept corpus is run, once.
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile
import time

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
# A slow or greedy input is a finding, too.
LIMITS = "-rss_limit_mb=1024 -malloc_limit_mb=256 -timeout=10 -max_len=8192".split()
# Names of functions would be asked of another process, by pipes that a keeper might close.
QUIET = "-close_fd_mask=3 -print_funcs=0".split()
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1"}
TAIL_LINES = 60


def execute(words):
    """Its exit code and what it says: by a file, as a keeper that takes over closes pipes."""
    with tempfile.TemporaryDirectory(prefix="colony-fuzz-") as folder:
        with open(pathlib.Path(folder) / "log", "w+", errors="replace") as log:
            env = {**os.environ, **SANITIZERS, "TMPDIR": folder}
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
            log.seek(0)
            return done.returncode, log.read().splitlines()


def run(args, name):
    """One target: true when it found nothing."""
    binary = args.build / "tests" / "fuzz" / f"fuzz_{name}"
    found = args.build / "corpus" / name
    crashes = args.build / "crashes" / name
    for folder in (found, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(crashes.iterdir())
    words = [binary, *LIMITS, *QUIET, f"-artifact_prefix={crashes}/"]
    if args.seconds > 0:
        words += [f"-max_total_time={args.seconds}", found]
    else:
        words += ["-runs=0"]
    began = time.monotonic()
    code, lines = execute([*words, CORPUS / name])
    runs = [line.split()[1] for line in lines if line.startswith("Done")]
    if code == 0:
        what = f"{runs[0]} inputs, " if runs else ""
        print(f"fuzz {name}: {what}{time.monotonic() - began:.0f} s", flush=True)
        return True
    report = [line for line in lines if not line.startswith("#")][-TAIL_LINES:]
    for path in sorted(set(crashes.iterdir()) - before):
        report.append(f"fuzz {name}: kept; to see it again: {binary} {path}")
    print("\n".join([*report, f"fuzz {name}: FAILED"]), flush=True)
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, default=20, help="each; 0: only the kept corpus")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("targets", nargs="+")
    args = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda name: run(args, name), args.targets))
    print(f"fuzz: {sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
