# SPDX-License-Identifier: Apache-2.0
"""What is measured: every figure with its unit and its target."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound of the figure itself or, with `of_limit`, of its ratio to the limit."""

    bound: float
    least: bool = False
    of_limit: bool = False
    strictly: bool = False

    def text(self):
        sign = "≥" if self.least else "<" if self.strictly else "≤"
        return f"{sign} {self.bound:g}" + (" ×" if self.of_limit else "")

    def is_met(self, value):
        if self.least:
            return value >= self.bound
        return value < self.bound if self.strictly else value <= self.bound


def times(bound):
    return Target(bound, of_limit=True)


@dataclasses.dataclass(frozen=True)
class Figure:
    key: str
    title: str  # {many}, … are of the scale
    unit: str
    target: Target | None = None


FIGURES = (
    Figure("restart", "restart of a settled process", "µs", times(1.5)),
    Figure("start-few", "start of {few}", "ms"),
    Figure("start", "start of {many:,}", "ms", times(1.5)),
    Figure("serve", "start of {many:,} with the supervisor itself", "ms"),
    Figure("storm", "kill storm of {many:,}, all back", "ms", times(1.5)),
    Figure("stop", "stop of {many:,}", "ms", times(2)),
    Figure("pss-none", "PSS with no process", "MB", Target(6)),
    Figure("pss-few", "PSS with {few}", "MB"),
    Figure("pss-many", "PSS with {many:,}", "MB"),
    Figure("pss-each", "PSS for each process", "KB", Target(2)),
    Figure("idle-cpu", "CPU of {idle_seconds:g} idle seconds with {many:,}", "ms", Target(0)),
    Figure("idle-switches", "voluntary switches in them", "", Target(0)),
    Figure("crash-cpu", "CPU of {crashing} crash loops over {crash_seconds:g} s", "%",
           Target(1, strictly=True)),
    Figure("crash-restart", "CPU for each of these restarts", "µs"),
    Figure("crash-ps", "`ctl ps` meanwhile, p99", "ms", Target(10)),
    Figure("capture", "log capture", "MB/s", Target(0.9, least=True, of_limit=True)),
    Figure("status", "GET /status/NAME with {many:,}", "1/s",
           Target(0.7, least=True, of_limit=True)),
    Figure("status-p50", "its latency, median", "µs"),
    Figure("status-p99", "its latency, p99", "µs"),
    Figure("processes", "GET /processes with {many:,}", "1/s"),
    Figure("processes-p50", "its latency, median", "µs"),
    Figure("processes-p99", "its latency, p99", "µs"),
    Figure("tls", "GET /status/NAME over TLS", "1/s"),
    Figure("tls-p50", "its latency, median", "µs"),
    Figure("follow-cpu", "CPU of {followers} followers of 1,000 lines a second", "%"),
    Figure("follow-lines", "lines delivered to them", "1/s"),
    Figure("watch-events", "events to each of {followers} watchers", "1/s"),
    Figure("echo", "WebSocket echo round trip through `cat`", "µs", times(3)),
    Figure("echo-p99", "the same, p99", "µs"),
    Figure("events-udp", "events taken by UDP, of a flood", "1/s"),
    Figure("events-udp-lost", "those that were lost", "%"),
    Figure("events-udp-log", "events taken by UDP and logged, of a flood", "1/s"),
    Figure("events-udp-log-lost", "those that were lost", "%"),
    Figure("events-http", "POST /events", "1/s"),
    Figure("events-http-p50", "its latency, median", "µs"),
    Figure("events-http-p99", "its latency, p99", "µs"),
    Figure("rpc", "RPC round trip, an attribute of colony's", "µs"),
    Figure("rpc-p99", "the same, p99", "µs"),
    Figure("rpc-calls", "the same, 32 at once", "1/s"),
    Figure("rpc-program", "RPC round trip through a program", "µs"),
    Figure("rpc-program-p99", "the same, p99", "µs"),
    Figure("rpc-program-calls", "the same, 32 at once", "1/s"),
    Figure("ps", "`ctl ps` with {many:,}", "ms", Target(50)),
    Figure("ps-p99", "`ctl ps` with {many:,}, p99", "ms"),
    Figure("files-start", "{many:,} files at once, all running", "ms"),
    Figure("files-latency", "rename of a file to the first instruction", "µs"),
    Figure("files-rescan", "CPU of a look at {files:,} unchanged files", "ms"),
    Figure("files-messages", "{messages:,} messages", "1/s"),
    Figure("activate", "`session activate` of {session}, all running", "ms"),
    Figure("activate-again", "the same when all run already", "ms"),
    Figure("stats", "CPU of one stats sample of {many:,}", "ms", times(1.2)),
    Figure("fingerprint", "CPU of the fingerprint of a process with {descriptors:,} descriptors", "ms"),
    Figure("fingerprints", "CPU of fingerprints of {many:,} processes", "ms"),
    Figure("session-show", "`colony session show` with {session:,}", "ms"),
    Figure("version", "`colony version`", "ms"),
)


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much of everything."""

    many: int = 1000
    few: int = 100
    restarts: int = 100
    peer_restarts: int = 10
    settle_seconds: float = 3
    idle_settle_seconds: float = 15
    idle_seconds: float = 20
    crashing: int = 200
    crash_seconds: float = 60
    questions: int = 200
    capture_bytes: int = 2 << 30
    peer_capture_bytes: int = 256 << 20
    load_seconds: float = 4
    followers: int = 100
    follow_seconds: float = 3
    event_bursts: int = 10
    echo_seconds: float = 2
    rpc_seconds: float = 2
    samples: int = 30
    descriptors: int = 1000
    files: int = 5000
    messages: int = 10000
    session: int = 500


# For a test of the bench itself: its times mean nothing.
QUICK = Scale(many=30, few=5, restarts=3, peer_restarts=1, settle_seconds=0.2,
              idle_settle_seconds=0.2, idle_seconds=0.5, crashing=5, crash_seconds=1, questions=5,
              capture_bytes=64 << 20, peer_capture_bytes=16 << 20, load_seconds=1, followers=5,
              follow_seconds=0.5, event_bursts=2, echo_seconds=0.2, rpc_seconds=0.2, samples=3, descriptors=50,
              files=50, messages=50, session=10)
