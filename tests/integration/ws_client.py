# SPDX-License-Identifier: Apache-2.0
"""A WebSocket client that sends any frames, also wrong ones, on a plain socket."""

import base64
import contextlib
import os
import socket
import struct

from conftest import DEADLINE

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
KEY = base64.b64encode(b"0123456789abcdef").decode()


def frame(opcode, payload=b"", fin=True, rsv=0, mask=True, length=None):
    """The bytes of one; @length: what it says to be as long as."""
    size = len(payload) if length is None else length
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    repeated = (key * (len(payload) // 4 + 1))[:len(payload)]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + key + masked.to_bytes(len(payload), "big")


def request(path, **replaced):
    """A good handshake; a header is replaced, or left out with None."""
    headers = {"Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade",
               "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}
    headers.update({name.replace("_", "-"): value for name, value in replaced.items()})
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


class Raw:
    """One connection; after `101` it is open."""

    def __init__(self, colony, path, *, more=b"", patience=DEADLINE, **headers):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(patience)
        self.file = self.sock.makefile("rb")
        try:
            self.sock.connect(str(colony.socket))
            self.shake_hands(request(path, **headers) + more)
        except BaseException:
            self.__exit__()
            raise

    def shake_hands(self, asked):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(asked)  # it may have answered already
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, value = line.decode().split(":", 1)
            self.headers.setdefault(name.lower(), value.strip())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def body(self):
        """Of a refusal."""
        return self.file.read(int(self.headers["content-length"]))

    def send(self, *args, **kwargs):
        self.sock.sendall(frame(*args, **kwargs))

    def receive(self):
        """(opcode, payload) of the next frame; None when it was hung up."""
        head = self.file.read(2)
        if len(head) < 2:
            return None
        assert head[0] & 0xf0 == 0x80 and not head[1] & 0x80, head
        size = head[1]
        if size == 126:
            size, = struct.unpack(">H", self.file.read(2))
        elif size == 127:
            size, = struct.unpack(">Q", self.file.read(8))
        payload = self.file.read(size)
        assert len(payload) == size
        return head[0] & 15, payload

    def text(self, size):
        """Messages until there are so many bytes of them."""
        got = b""
        while len(got) < size:
            opcode, payload = self.receive()
            assert opcode in (TEXT, BINARY)
            got += payload
        return got

    def closed(self):
        """(code, reason) of the Close that comes next, after which it hangs up."""
        opcode, payload = self.receive()
        assert opcode == CLOSE, (opcode, payload[:100])
        assert self.receive() is None
        if not payload:
            return None, ""
        return struct.unpack(">H", payload[:2])[0], payload[2:].decode()
