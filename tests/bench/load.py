# SPDX-License-Identifier: Apache-2.0
"""Requests a second over kept connections on loopback TCP: colony, and nginx with one worker whose
answer is a constant of the same size. By wrk: one thread, 16 connections."""

import http.client
import re
import shutil
import socket
import subprocess
import time

from contestants import GROUP, Colony, Contestant, free_port

CONNECTIONS = 16
FACTORS = {"us": 1, "ms": 1e3, "s": 1e6}


class Nginx(Contestant):
    name = "limit"

    CHUNK = 1000  # nginx takes no word of more than 4 KB

    def body(self, size):
        return "${chunk}" * (size // self.CHUNK) + "x" * (size % self.CHUNK)

    def serve(self, sizes, secure=""):
        """@sizes: of the bodies, by path; @secure: what makes its port speak TLS."""
        self.port = free_port()
        places = "".join(f"location = {path} {{ return 200 '{self.body(size)}'; }}\n"
                         for path, size in sizes.items())
        config = self.folder / "nginx.conf"
        config.write_text(f"""worker_processes 1;
daemon off;
pid {self.folder}/pid;
error_log stderr crit;
events {{ worker_connections 256; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  default_type application/json;
  server {{
    listen 127.0.0.1:{self.port}{' ssl' if secure else ''};
    {secure}
    set $chunk {'x' * self.CHUNK};
{places} }}
}}
""")
        self.run(["nginx", "-p", self.folder, "-e", "stderr", "-c", config])
        self.wait(lambda: is_open(self.port) if secure else fetch(self.port, next(iter(sizes))))


def fetch(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def is_open(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        return True


def run_wrk(port, path, seconds, scheme="http", script=None):
    """Requests a second, and the median and p99 of the latency in µs."""
    more = ["-s", str(script)] if script else []
    result = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", *more,
         f"{scheme}://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True)
    text = result.stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"cannot measure {path}: {text}")
    latency = {share: float(number) * FACTORS[unit]
               for share, number, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)\b", text)}
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), latency["50"], latency["99"]


def requests(bench):
    if not shutil.which("wrk"):
        bench.note("requests a second are not measured: wrk is not installed")
        return
    paths = {"status": f"/status/{GROUP}:p0000", "processes": "/processes"}
    with Colony(bench.tools) as colony, Nginx(bench.tools) as nginx:
        colony.open(bench.scale.many)
        colony.start()
        colony.records.wait(bench.scale.many)
        time.sleep(bench.scale.settle_seconds)
        contestants = [(Colony, colony.port)]
        if shutil.which("nginx"):
            nginx.serve({path: len(fetch(colony.port, path)) for path in paths.values()})
            contestants.append(("limit", nginx.port))
        else:
            bench.note("requests a second have no limit beside them: nginx is not installed")
        for key, path in paths.items():
            for who, port in contestants:
                rate, median, p99 = run_wrk(port, path, bench.scale.load_seconds)
                bench.add(key, who, rate)
                bench.add(f"{key}-p50", who, median)
                bench.add(f"{key}-p99", who, p99)


def make_certificate(folder):
    """(certificate, key), of nobody in particular."""
    files = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-out", str(files[0]), "-keyout", str(files[1])], capture_output=True, check=True)
    files[1].chmod(0o600)
    return files


def secure_requests(bench):
    """The same over TLS: kept connections, so that it is the cost of records, not of handshakes."""
    missing = [tool for tool in ("wrk", "openssl") if not shutil.which(tool)]
    if missing:
        bench.note(f"requests over TLS are not measured: {missing[0]} is not installed")
        return
    path = f"/status/{GROUP}:p0000"
    with Colony(bench.tools) as colony, Nginx(bench.tools) as nginx:
        certificate, key = make_certificate(colony.folder)
        colony.options = ("--certfile", str(certificate), "--keyfile", str(key))
        colony.open(1)
        contestants = [(Colony, colony.port)]
        if shutil.which("nginx"):
            nginx.serve({path: len(colony.ask("GET", path))},
                        f"ssl_certificate {certificate}; ssl_certificate_key {key};")
            contestants.append(("limit", nginx.port))
        for who, port in contestants:
            rate, median, _ = run_wrk(port, path, bench.scale.load_seconds, "https")
            bench.add("tls", who, rate)
            bench.add("tls-p50", who, median)
