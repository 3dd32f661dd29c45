# SPDX-License-Identifier: Apache-2.0
"""300 processes for a long time, under random operations and an engine kill each five minutes: memory
must not grow once it is warm, no descriptor may leak, no zombie stay. `make soak T=1800`."""

import json
import statistics
import time

import chaos
import ordeal

GROWTH = 0.05
PAUSE_S = 0.5  # between steps


class Soak(chaos.Chaos):
    slack_kib = 1 << 20  # it has a measure of its own

    def __init__(self, folder, seed, kill_every, sample_every):
        super().__init__(folder, seed, copies=3)
        self.kill_every = kill_every
        self.sample_every = sample_every
        self.samples = []  # (seconds, size by who)

    def disturbances(self, _rand):
        return []

    def sample(self, seconds):
        """With all 300 as they were in the beginning; descriptors are checked as well."""
        sizes = self.rest()
        living = sum(len(processes) for processes in self.marked().values())
        self.samples.append((seconds, sizes))
        print(f"{seconds:6.0f} s  {self.step_count:5} steps  {living} processes  " + "  ".join(
            f"{who} {now.kib} KiB own ({ordeal.pss_kib(pid)} PSS), {now.fds} descriptors"
            for (who, now), pid in zip(sizes.items(), (self.colony.keeper, self.engine))), flush=True)

    def run(self, seconds):
        self.begin()
        began = time.monotonic()
        kill_at, sample_at = self.kill_every, self.sample_every
        while (now := time.monotonic() - began) < seconds:
            if now >= kill_at:
                kill_at += self.kill_every
                self.kill("engine")
                self.check()
            self.step()
            if now >= sample_at:
                sample_at += self.sample_every
                self.sample(now)
            time.sleep(PAUSE_S)
        self.sample(time.monotonic() - began)
        self.finish()
        return self.judge(seconds)

    def judge(self, seconds):
        """Least and median of the first quarter beside those of the rest, of each: a leak raises both. What
        the heap happens to hold (64 KiB, until it is given back after some spawns) makes a median jump, and
        how long ago the engine was killed makes the least differ."""
        growth = {}
        for who in self.baseline:
            first = [sizes[who].kib for at, sizes in self.samples if at <= seconds / 4]
            later = [sizes[who].kib for at, sizes in self.samples if at > seconds / 4]
            grown = {what.__name__: what(later) / what(first) - 1 for what in (min, statistics.median)}
            growth[who] = ", ".join(f"{what} {share:+.1%}" for what, share in grown.items())
            assert min(grown.values()) <= GROWTH, f"memory of the {who} grew: {growth[who]}"
        return json.dumps({
            "seconds": seconds, "steps": self.step_count, "engine kills": self.counts["kill engine"],
            "lines": self.lines, "ends": self.ends, "growth": growth,
            "descriptors": {who: [size.fds, self.samples[-1][1][who].fds]
                            for who, size in self.baseline.items()}, "zombies": 0}, indent=2)


def main():
    parser = ordeal.arguments(__doc__)
    parser.add_argument("--kill-every", type=float, default=300, help="seconds")
    parser.add_argument("--sample-every", type=float, default=60, help="seconds")
    args = parser.parse_args()
    ordeal.run(lambda folder: Soak(folder, args.seed, args.kill_every, args.sample_every), args)


if __name__ == "__main__":
    main()
