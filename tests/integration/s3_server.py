# SPDX-License-Identifier: Apache-2.0
"""A small server that speaks S3's GET and PUT, and checks each signature (AWS Signature Version 4)."""
import hashlib
import hmac
import http.server
import re
import threading
import urllib.parse

KEY, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-test-1"


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def expected_signature(method, path, headers, names, amz_date, payload):
    """As the specification has it, written down from its text and not from libcurl."""
    scope = f"{amz_date[:8]}/{REGION}/s3/aws4_request"
    canonical = "\n".join([
        method, urllib.parse.quote(urllib.parse.unquote(path), safe="/~"), "",
        *[f"{name}:{' '.join(headers[name].split())}" for name in names], "",
        ";".join(names), payload])
    text = "\n".join(["AWS4-HMAC-SHA256", amz_date, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"):
        key = sign(key, part)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def end(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def is_signed(self, body):
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, "
            r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
            self.headers.get("Authorization", ""))
        payload = self.headers.get("x-amz-content-sha256", "")
        date = self.headers.get("X-Amz-Date", "")
        if not found or found[1] != KEY or found[3] != REGION or not date.startswith(found[2]):
            return False
        if payload not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
            return False
        names = found[4].split(";")
        if not {"host", "x-amz-date"} <= set(names) or names != sorted(names):
            return False
        headers = {name.lower(): value for name, value in self.headers.items()}
        return hmac.compare_digest(found[5], expected_signature(
            self.command, self.path, headers, names, date, payload))

    def do_GET(self):  # pylint: disable=invalid-name
        server = self.server
        server.requests.append(("GET", self.path, self.is_signed(b"")))
        if not server.requests[-1][2]:
            self.end(403)
        elif self.path in server.objects:
            self.end(200, server.objects[self.path])
        else:
            self.end(404)

    def do_PUT(self):  # pylint: disable=invalid-name
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.requests.append(("PUT", self.path, self.is_signed(body)))
        if not server.requests[-1][2]:
            self.end(403)
            return
        server.objects[self.path] = body
        self.end(200)


class S3(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects = {}
        self.requests = []
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
