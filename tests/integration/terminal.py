# SPDX-License-Identifier: Apache-2.0
"""A command on a terminal of its own: what it shows, and keys for it."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from conftest import BINARY, DEADLINE


class Terminal:
    """@screen takes what is written, if it is given (pyte); all of it is in `text`, too."""

    def __init__(self, *args, lines=24, columns=80, screen=None, env=None):
        self.master, slave = pty.openpty()
        self.screen, self.stream = screen or (None, None)
        self.text = b""
        self.resize(lines, columns, notify=False)
        self.before = termios.tcgetattr(slave)
        clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM", "LC_ALL")}
        self.process = subprocess.Popen(
            [BINARY, *map(str, args)], stdin=slave, stdout=slave, stderr=slave,
            env={**clean, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})},
            preexec_fn=self.own)
        self.slave = slave

    @staticmethod
    def own():
        """A session of its own, with the terminal as its controlling one."""
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        for signo in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(signo, signal.SIG_DFL)  # whatever these tests run under: nohup, a shell's &

    def resize(self, lines, columns, notify=True):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if self.screen and notify:
            self.screen.resize(lines, columns)

    def read(self, seconds=0.05):
        """What it has written since; False: it has closed the terminal."""
        with contextlib.suppress(OSError):
            while select.select([self.master], [], [], seconds)[0]:
                piece = os.read(self.master, 65536)
                if not piece:
                    return False
                self.text += piece
                if self.stream:
                    self.stream.feed(piece)
                seconds = 0
        return True

    def type(self, keys):
        os.write(self.master, keys.encode())

    def shown(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait(self, what, seconds=DEADLINE):
        """Until @what (a text on the screen, or a function) is so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read()
            found = what() if callable(what) else what in (self.shown() if self.screen else
                                                          self.text.decode(errors="replace"))
            if found:
                return found
        raise AssertionError(f"{what} was not shown:\n"
                             + (self.shown() if self.screen else self.text.decode()))

    def end(self, seconds=DEADLINE):
        """Waits for its end; its exit code."""
        limit = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < limit:
            self.read()
        code = self.process.wait(0)
        self.read_all(limit)
        return code

    def read_all(self, limit):
        """A thread of the kernel's brings what was written, in its order, and when it gets to it."""
        os.write(self.slave, b"\0")
        while not self.text.endswith(b"\0"):
            assert time.monotonic() < limit, "what was written does not come"
            self.read()
        self.text = self.text[:-1]

    def echoes(self):
        """What is typed now would be shown in the middle of what it draws."""
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def is_restored(self):
        """The terminal's settings are what they were."""
        return termios.tcgetattr(self.slave) == self.before

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(10)
        os.close(self.slave)
        os.close(self.master)
