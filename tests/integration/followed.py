# SPDX-License-Identifier: Apache-2.0
"""A client that follows a feed, chunk by chunk, on a plain socket."""

import json
import socket
import time

from conftest import DEADLINE


class Feed:
    """One request; its answer is read as it comes."""

    def __init__(self, colony, path, headers=(), version="1.1", method="GET"):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(str(colony.socket))
        lines = [f"{method} {path} HTTP/{version}", "Host: localhost",
                 *(f"{name}: {value}" for name, value in dict(headers).items())]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        self.file = self.sock.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, value = line.decode().split(":", 1)
            self.headers[name.lower()] = value.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def chunk(self):
        """The next one; b"" is the proper end of the answer."""
        size = int(self.file.readline(), 16)
        data = self.file.read(size)
        assert len(data) == size and self.file.read(2) == b"\r\n"
        return data

    def rest(self):
        """All chunks up to the end."""
        return list(iter(self.chunk, b""))

    def event(self):
        """The next event of an event source, as gaffer's client reads it; None at the end."""
        while data := self.chunk():
            assert data.endswith(b"\r\n\r\n")
            fields = {}
            for line in data.strip(b"\r\n").split(b"\r\n"):
                name, value = line.split(b":", 1)
                fields.setdefault(name.decode(), []).append(value[1:].decode())
            if "data" in fields:
                return {"id": fields.get("id", [None])[0], "event": fields["event"][0],
                        "data": "\n".join(fields["data"])}
        return None

    def wait(self, event, **wanted):
        """The data of the first event of that name whose keys are as wanted."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            found = self.event()
            assert found, f"the feed ended before {event}"
            data = json.loads(found["data"])
            if found["event"] == event and all(data.get(k) == v for k, v in wanted.items()):
                return {**data, "id": found["id"]}
        raise AssertionError(f"{event} did not come")
