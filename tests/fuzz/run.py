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

CORPUS = pathlib.Path(__file__).parent / "corpus"
LIMITS = ["-rss_limit_mb=1024", "-malloc_limit_mb=256", "-timeout=10", "-max_len=8192"]
TAIL_LINES = 60


def command(args, name, *more):
    binary = args.build / "tests" / "fuzz" / f"fuzz_{name}"
    return [str(binary), *LIMITS, "-close_fd_mask=3", *more]


def run(args, name):
    """One target: true when it found nothing."""
    found = args.build / "corpus" / name
    crashes = args.build / "crashes" / name
    for folder in (found, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(crashes.iterdir())
    how = [f"-max_total_time={args.seconds}", "-print_final_stats=1", f"-artifact_prefix={crashes}/"]
    words = [*how, str(found), str(CORPUS / name)]
    if args.seconds == 0:
        words = ["-runs=0", f"-artifact_prefix={crashes}/", str(CORPUS / name)]
    began = time.monotonic()
    # Not by a pipe: a keeper that takes over would close it.
    with tempfile.TemporaryDirectory(prefix="colony-fuzz-") as folder, tempfile.TemporaryFile("w+", errors="replace") as log:
        done = subprocess.run(
            command(args, name, *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1", "TMPDIR": folder},
        )
        log.seek(0)
        lines = log.read().splitlines()
    runs = [line.split()[-1] for line in lines if "number_of_executed_units" in line]
    what = f"{runs[0]} inputs, " if runs else ""
    if done.returncode == 0:
        print(f"fuzz {name}: {what}{time.monotonic() - began:.0f} s", flush=True)
        return True
    report = lines[-TAIL_LINES:]
    for path in sorted(set(crashes.iterdir()) - before):
        report.append(f"fuzz {name}: kept; to see it again: {command(args, name)[0]} {path}")
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
