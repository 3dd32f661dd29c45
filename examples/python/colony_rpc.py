# SPDX-License-Identifier: Apache-2.0
"""Daemons of colony, used as if they were objects of this program (docs/rpc-protocol.md)."""
import builtins
import json
import os
import subprocess
import time

import zmq

REPEAT_MS = 5000  # what is not answered is asked again: a daemon does nothing twice
SSH_WORDS = {"username": "User", "port": "Port", "key_filename": "IdentityFile"}
RemoteError = type("RemoteError", (Exception,), {})  # what a daemon raised that has no name here


def get(name, *, key=None, **ssh):
    """A proxy of NAME, NAME:PORT, NAME:HOST or NAME:HOST:PORT; keywords are options of ssh."""
    options = [f"--ssh-option={SSH_WORDS.get(word, word)}={value}" for word, value in ssh.items()]
    found = subprocess.run([os.environ.get("COLONY", "colony"), "rpc", "lookup", "--json", *options,
                            "--", name], stdout=subprocess.PIPE, check=False)
    if found.returncode != 0:
        raise LookupError(f"there is no daemon {name}")
    return Proxy(json.loads(found.stdout), key)


def stop(name, **ssh):
    """Ends that daemon."""
    return get(name, **ssh).stop()


class Proxy:
    def __init__(self, daemon, key):
        sock = zmq.Context.instance().socket(zmq.DEALER)
        sock.linger, sock.routing_id = 0, os.urandom(16).hex().encode()
        if daemon["public_key"]:
            with open(os.path.expanduser(key or daemon["key"]), "rb") as file:
                keys = dict(line.split() for line in file if line.strip() and line[:1] != b"#")
            sock.curve_serverkey = daemon["public_key"].encode()
            sock.curve_publickey, sock.curve_secretkey = keys[b"public"], keys[b"secret"]
        sock.connect(daemon["endpoint"])
        self.__dict__.update(_socket=sock, _max=daemon.get("max_message_bytes", float("inf")))

    def _ask(self, method, params, timeout=None):
        asked = {"jsonrpc": "2.0", "id": os.urandom(16).hex(), "method": method, "params": params}
        end, answer = time.monotonic() + timeout if timeout is not None else float("inf"), {"id": 0}
        text = json.dumps(asked, allow_nan=False).encode()
        if len(text) > self._max:
            raise ValueError(f"{method} is asked with {len(text)} bytes; {self._max} are taken")
        while self._socket.poll(0):
            self._socket.recv()  # answers to what was given up
        self._socket.send(text)
        while answer["id"] not in (asked["id"], None):  # None: it could not even read what we ask
            left_ms = 1000 * (end - time.monotonic())
            if self._socket.poll(max(0, min(REPEAT_MS, left_ms))):
                answer = self._socket.recv_json()
            elif left_ms <= 0:
                raise TimeoutError(f"no answer to {method} in {timeout} seconds")
            elif left_ms > REPEAT_MS:
                self._socket.send(text)
        if "result" in answer:
            return answer["result"]
        kind = getattr(builtins, answer["error"].get("data", {}).get("type", ""), RemoteError)
        is_known = isinstance(kind, type) and issubclass(kind, Exception)
        raise (kind if is_known else RemoteError)(answer["error"]["message"])

    def __getattr__(self, name):
        got = self._ask("getattr", [name])
        if "value" in got:
            return got["value"]

        def call(*args, timeout=None, **named):
            if args and named:
                raise TypeError("parameters go by place or by name, not both")
            return self._ask(name, named or list(args), timeout)
        call.__name__, call.__doc__ = name, got["doc"]
        return call

    def __setattr__(self, name, value):
        self._ask("setattr", [name, value])
