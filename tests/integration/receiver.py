# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server that events are posted to, and that does to them what a test wants."""
import contextlib
import http.server
import json
import queue
import ssl
import threading
import time

from conftest import DEADLINE


class Post:
    """What was posted, and when it came."""

    def __init__(self, handler, body):
        self.path = handler.path
        self.headers = handler.headers
        self.body = body
        self.at = time.monotonic()
        self.peer = handler.client_address

    def json(self):
        return json.loads(self.body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.receiver.take(self, Post(self, body))

    def answer(self, status=200, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.receiver.redirected.set()
        self.answer()

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


class Receiver:
    """`react(handler, post, n)` answers the n-th post, from 1; by default with 200."""

    def __init__(self, react=None, port=0, cert=None):
        self.posts = queue.Queue()
        self.react = react or (lambda handler, post, n: handler.answer())
        self.count = 0
        self.lock = threading.Lock()
        self.redirected = threading.Event()
        self.scheme = "https" if cert else "http"
        self.server = Server(("127.0.0.1", port), Handler)
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*cert)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.server.receiver = self
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def take(self, handler, post):
        with self.lock:
            self.count += 1
            number = self.count
        self.posts.put(post)
        self.react(handler, post, number)

    def url(self, path="/"):
        return f"{self.scheme}://localhost:{self.port}{path}"

    def next(self, event=None, seconds=None, **wanted):
        """The next post of that event whose keys are as wanted."""
        end = time.monotonic() + (seconds or DEADLINE)
        while True:
            try:
                post = self.posts.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{event or 'an event'} was not posted in time") from None
            told = post.json()
            if event in (None, told.get("event")) and all(told.get(k) == v for k, v in wanted.items()):
                return post

    def all(self):
        """What has come so far."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self.posts.get_nowait())
        return found

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
