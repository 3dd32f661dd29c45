# SPDX-License-Identifier: Apache-2.0
"""A colony that is controlled by files, and what writes them."""

import json
import os

from conftest import eventually


class Directories:
    """The two directories of a colony of conftest's, whatever else that is given."""

    def __init__(self, colony):
        self.colony = colony
        self.conf = colony.folder / "conf"
        self.messages = colony.folder / "messages"
        self.invalid = self.messages / ".invalid"
        self.conf.mkdir()
        self.messages.mkdir()

    def start(self, *args, settings="", **more):
        """Looks at regular times are too far apart to be what makes a test pass."""
        often = () if "--frequency" in args else ("--frequency", "1000")
        self.colony.start(settings, "--conf", str(self.conf), "--messages", str(self.messages),
                          *often, *args, **more)
        return self

    def write(self, name, *args, folder=None, **keys):
        """Write, then rename, as ncolony's ctl does; returns what was written."""
        text = args[0] if args and isinstance(args[0], bytes) else \
            json.dumps({"args": list(args), **keys} if args else keys).encode()
        new = (folder or self.conf) / (name + ".new")
        new.write_bytes(text)
        new.rename((folder or self.conf) / name)
        return text

    def send(self, file, **keys):
        return self.write(file, json.dumps(keys).encode(), folder=self.messages)

    def add(self, name, cmd):
        """Over HTTP, as somebody else would."""
        body = json.dumps({"name": name, "cmd": cmd})
        assert self.colony.http("POST", "/processes", body).status == 200

    def names(self):
        return self.colony.http("GET", "/processes").json()

    def wait_names(self, *names):
        eventually(lambda: sorted(self.names()) == sorted(names), what=f"just {names}")

    def running(self, name, number=1):
        """The pid of its process once that runs."""
        return self.colony.wait_state(name, "running", number)["os_pid"]

    def another(self, name, pid):
        """The pid of its next process."""
        def look():
            slot = self.colony.slot(name)
            return slot["state"] == "running" and slot["os_pid"] != pid and slot["os_pid"]
        return eventually(look, what=f"another process of {name}")

    def refusals(self):
        """What events of that kind say, as (name, cause)."""
        events = self.colony.http("GET", "/history?limit=1000").json()
        return [(e["name"] or None, e["cause"]) for e in events if e["event"] == "refuse"]

    def wait_refused(self, name, *parts):
        def look():
            return [cause for one, cause in self.refusals()
                    if one == name and all(part in cause for part in parts)]
        cause = eventually(look, what=f"a refusal of {name} for {parts}")[0]
        assert cause in self.colony.log.read_text()
        return cause

    def environment(self, name):
        pid = self.running(name)
        # That of a program that was just begun is there a moment later.
        text = eventually(lambda: open(f"/proc/{pid}/environ", "rb").read(), what="an environment")
        return dict(entry.split(b"=", 1) for entry in text.split(b"\0") if entry)


def is_root():
    return os.geteuid() == 0
