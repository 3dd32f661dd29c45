# SPDX-License-Identifier: Apache-2.0
"""A client of RPC by python3-zmq, and how a colony with `rpc:` is found."""
import contextlib
import itertools
import json
import os

import pytest

from conftest import DEADLINE, eventually

zmq = pytest.importorskip("zmq", reason="python3-zmq is not installed")


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]
        self.type = error["data"]["type"]


class Client:
    """One socket; call() waits for the answer of its request."""

    def __init__(self, endpoint, kind=None, name=None, keys=None):
        self.context = zmq.Context()
        self.socket = self.context.socket(kind or zmq.DEALER)
        self.socket.linger = 0
        self.kind = kind or zmq.DEALER
        if name:
            self.socket.setsockopt(zmq.IDENTITY, name)
        if keys:
            self.socket.curve_serverkey, self.socket.curve_publickey, self.socket.curve_secretkey = keys
        self.socket.connect(endpoint)
        self.ids = itertools.count(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.context.term()

    def hear(self, seconds=DEADLINE):
        """The next message, or None."""
        if not self.socket.poll(seconds * 1000):
            return None
        return self.socket.recv()

    def say(self, message):
        self.socket.send(message if isinstance(message, bytes) else json.dumps(message).encode())

    def ask(self, method, params=None, seconds=DEADLINE, **request):
        message = {"jsonrpc": "2.0", "id": next(self.ids), "method": method, **request}
        if params is not None:
            message["params"] = params
        self.say(message)
        while True:
            heard = self.hear(seconds)
            assert heard is not None, f"no answer to {message}"
            answer = json.loads(heard)
            if answer["id"] in (message["id"], None):
                return answer

    def call(self, method, *params, seconds=DEADLINE, **named):
        answer = self.ask(method, named or list(params), seconds)
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def get(self, name):
        return self.call("getattr", name)["value"]

    def set(self, name, value):
        assert self.call("setattr", name, value) is True


def entries(runtime):
    return [json.loads(path.read_text()) for path in (runtime / "rpc").glob("[!.]*.json")]


@contextlib.contextmanager
def raises(kind):
    with pytest.raises(RpcError) as caught:
        yield caught
    assert caught.value.type == kind, caught.value


class Served:
    """A colony with `rpc:` in a registry of its own."""

    def __init__(self, colony):
        self.colony = colony
        self.runtime = colony.folder / "run"

    def start(self, settings=None, *args, **rpc):
        settings = dict(settings or {})
        settings["rpc"] = {"bind": "127.0.0.1:0", **rpc}
        self.colony.start(settings, *args, env={**os.environ, "COLONY_RUNTIME_DIR": str(self.runtime)})
        self.entry()
        return self

    def entry(self):
        return eventually(lambda: [e for e in entries(self.runtime)
                                   if e["pid"] == self.colony.engine], what="the registry")[0]

    def client(self, *args, **options):
        return Client(self.entry()["endpoint"], *args, **options)


@pytest.fixture(name="served")
def served_fixture(colony):
    return Served(colony)
