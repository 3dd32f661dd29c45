# SPDX-License-Identifier: Apache-2.0
"""A daemon of RPC that says what a test wants, for tests of the client's side."""

import contextlib
import json
import os
import pathlib
import subprocess
import threading

import zmq

from conftest import BINARY


def rpc(*args, runtime=None, env=None, timeout=30, **more):
    """`colony rpc ARGS…`, with a registry of its own."""
    environment = {**os.environ, **(env or {})}
    if runtime:
        environment["COLONY_RUNTIME_DIR"] = str(runtime)
    return subprocess.run([BINARY, "rpc", *map(str, args)], capture_output=True, text=True,
                          timeout=timeout, env=environment, **more)


def start_time(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])


def register(runtime, name, port, host="127.0.0.1", pid=None, public_key=None):
    """Writes the file of a daemon into the registry, as docs/rpc-protocol.md has it."""
    folder = pathlib.Path(runtime) / "rpc"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pid = pid or os.getpid()
    file = folder / f"{name}.{pid}.json"
    file.write_text(json.dumps({"name": name, "pid": pid, "pid_start": start_time(pid),
                                "endpoint": f"tcp://{host}:{port}", "port": port,
                                "public_key": public_key}))
    file.chmod(0o600)
    return file


class Fake:
    """answers: {METHOD: result, exception to raise, None (silence) or a function of the params}."""

    def __init__(self, answers=None, raw=None, port=None):
        self.answers = answers or {}
        self.raw = raw  # said to every question as it is
        self.asked = []
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger = 0
        if port:
            self.socket.bind(f"tcp://127.0.0.1:{port}")
        self.port = port or self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.place = f"127.0.0.1:{self.port}"
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.ending.is_set():
            if not self.socket.poll(20):
                continue
            *envelope, body = self.socket.recv_multipart()
            question = json.loads(body)
            self.asked.append(question)
            if self.raw is not None:
                self.socket.send_multipart([*envelope, self.raw])
                continue
            answer = self.answer(question)
            if answer is not None:
                self.socket.send_multipart([*envelope, json.dumps(
                    {"jsonrpc": "2.0", "id": question["id"], **answer}).encode()])

    def answer(self, question):
        method = question["method"]
        if method not in self.answers:
            return {"error": {"code": -32601, "message": f"there is no {method}",
                              "data": {"type": "AttributeError"}}}
        answer = self.answers[method]
        if callable(answer):
            answer = answer(question["params"])
        if answer is None:
            return None
        if isinstance(answer, dict) and "error" in answer:
            return answer
        return {"result": answer}

    def close(self):
        self.ending.set()
        self.thread.join(10)
        self.socket.close()
        self.context.term()


@contextlib.contextmanager
def fake(answers=None, raw=None, port=None):
    server = Fake(answers, raw, port)
    try:
        yield server
    finally:
        server.close()
