# SPDX-License-Identifier: Apache-2.0
"""Site plugins: files below NAME/_site and nothing else, for browsers and curl."""
import hashlib
import os
import socket
import time

import pytest

from conftest import BINARY, eventually
from test_access import free_port
from test_tokens import READ, bearer, get, write_tokens

PAGE = b"<!doctype html><title>panel</title><script src=app.js></script>"


@pytest.fixture(name="site")
def site_fixture(colony):
    """The _site of the plugin `panel`, beside what nobody may have."""
    site = colony.folder / "plugins" / "panel" / "_site"
    (site / "img").mkdir(parents=True)
    (site / "empty").mkdir()
    (site / "a b:ü").mkdir()
    (site / "a b:ü" / "index.html").write_text("odd")
    (site / "index.html").write_bytes(PAGE)
    (site / "app.js").write_text("fetch('/processes')")
    (site / "img" / "index.html").write_text("images")
    (site / "img" / "a b+ü.PNG").write_bytes(b"\x89PNG")
    (site / "odd.xyz").write_bytes(b"odd")
    (site / ".hidden").write_text("secret")
    (site / "nothing").write_text("")
    (site.parent / "config.json").write_text("secret")
    (colony.folder / "secret.txt").write_text("secret")
    (site / "link.txt").symlink_to(colony.folder / "secret.txt")
    (site / "here.js").symlink_to("app.js")
    (site / "out").symlink_to(colony.folder)
    (colony.folder / "plugins" / "linked").symlink_to(colony.folder / "plugins" / "panel")
    (colony.folder / "plugins" / "nosite").mkdir()
    os.mkfifo(site / "pipe")
    colony.start({"http": {"plugins": str(colony.folder / "plugins")},
                  "processes": {"web": {"cmd": "sleep", "args": ["1000"]}}})
    return site


def fetch(colony, path, method="GET", **headers):
    return colony.http(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def raw(colony, target):
    """The answer to a target that no client would write."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(colony.socket))
        client.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        data = b""
        while piece := client.recv(65536):
            data += piece
    return data


def test_a_site_has_its_index_and_its_files(colony, site):
    assert site
    answer = fetch(colony, "/_plugin/panel/")
    assert (answer.status, answer.body) == (200, PAGE)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Length"] == str(len(PAGE))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "Transfer-Encoding" not in answer.headers
    for path, kind, body in [("app.js", "text/javascript; charset=utf-8", b"fetch('/processes')"),
                             ("img/a%20b+%C3%BC.PNG", "image/png", b"\x89PNG"),
                             ("img/", "text/html; charset=utf-8", b"images"),
                             ("odd.xyz", "application/octet-stream", b"odd"),
                             ("nothing", "application/octet-stream", b"")]:
        answer = fetch(colony, f"/_plugin/panel/{path}")
        assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, kind, body), path


def test_a_missing_slash_is_added(colony, site):
    assert site
    for path, where in [("/_plugin/panel", "./panel/"), ("/_plugin/panel/img", "./img/"),
                        ("/_plugin/panel/a%20b:%C3%BC", "./a%20b%3A%C3%BC/")]:
        answer = fetch(colony, path)
        assert (answer.status, answer.headers["Location"], answer.body) == (301, where, b"")
    assert fetch(colony, "/_plugin/panel/app.js/").status == 404


def test_head_and_what_is_known_already_have_no_body(colony, site):
    whole = fetch(colony, "/_plugin/panel/app.js")
    head = fetch(colony, "/_plugin/panel/app.js", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    etag = whole.headers["ETag"]
    assert etag == head.headers["ETag"] and etag[0] == etag[-1] == '"'
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*", f'"a,b" , W/{etag},"c"'):
        answer = fetch(colony, "/_plugin/panel/app.js", If_None_Match=known)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag), known
    assert fetch(colony, "/_plugin/panel/app.js", If_None_Match='"x"').status == 200
    assert fetch(colony, "/_plugin/panel/app.js", If_None_Match=etag[:-1]).status == 200
    (site / "app.js").write_text("another text")
    answer = fetch(colony, "/_plugin/panel/app.js", If_None_Match=etag)
    assert (answer.status, answer.body) == (200, b"another text")


@pytest.mark.parametrize("path", [
    "none.js", "empty/", "empty", "img/none", ".hidden", "../config.json", "..%2fconfig.json",
    "%2e%2e/config.json", "img/../../config.json", "img/%2e%2e/%2e%2e/config.json",
    "..", ".", "./app.js", "img%2findex.html", "link.txt", "here.js", "out/secret.txt", "out",
    "pipe", "app.js%00.png", "//app.js", "img//index.html", "%252e%252e/config.json",
    "..%5cconfig.json", "/etc/passwd", "%2fetc%2fpasswd", "a/" * 20 + "b", "x" * 5000,
])
def test_what_is_no_file_of_the_site_is_not_there(colony, site, path):
    assert site
    data = raw(colony, b"/_plugin/panel/" + path.encode())
    assert data.split()[1] in (b"404", b"400"), data
    assert b"secret" not in data and b"root:" not in data


@pytest.mark.parametrize("name", ["none", "nosite", "linked", "..", "%2e%2e", ".", "panel%2f_site",
                                  "panel%2f..%2fpanel", "..%2fplugins%2fpanel", "x" * 300])
def test_what_is_no_plugin_is_not_there(colony, site, name):
    assert site
    for path in ("/", "", "/app.js", "/index.html"):
        data = raw(colony, b"/_plugin/" + name.encode() + path.encode())
        assert data.split()[1] in (b"404", b"400"), data
        assert b"panel</title>" not in data


def test_nothing_but_get_and_head(colony, site):
    assert site
    for method in ("POST", "PUT", "DELETE"):
        answer = fetch(colony, "/_plugin/panel/app.js", method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_without_the_setting_there_are_none(colony):
    colony.start("")
    assert fetch(colony, "/_plugin/panel/").status == 404


def test_tokens_and_origins_count_here_too(colony, site):
    assert site
    colony.stop()
    port = free_port()
    colony.start({"http": {"plugins": str(colony.folder / "plugins"), "insecure": True,
                           "tokens": str(write_tokens(colony))}}, "--bind", f"0.0.0.0:{port}")
    assert get(port, path="/_plugin/panel/")[0] == 401
    status, _, body = get(port, bearer(READ), path="/_plugin/panel/")
    assert (status, body) == (200, PAGE)
    assert fetch(colony, "/_plugin/panel/", Origin="https://evil.example").status == 403


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def test_a_large_file_comes_whole_and_takes_no_memory(colony, site):
    size = 64 << 20
    block = os.urandom(1 << 20)
    with open(site / "large.bin", "wb") as file:
        for _ in range(size >> 20):
            file.write(block)
    before = memory(colony.engine)
    clients = []
    for _ in range(8):  # who read nothing
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(colony.socket))
        client.sendall(b"GET /_plugin/panel/large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        clients.append(client)
    answer = fetch(colony, "/_plugin/panel/large.bin")
    assert len(answer.body) == size
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(block * (size >> 20)).digest()
    assert fetch(colony, "/ping").status == 200
    if "/asan/" not in BINARY:  # which keeps what was freed
        assert memory(colony.engine) - before < 16 * 1024
    for client in clients:
        client.close()
    assert fetch(colony, "/_plugin/panel/").status == 200


def test_a_file_that_is_cut_short_ends_the_connection(colony, site):
    with open(site / "cut.bin", "wb") as file:
        file.truncate(32 << 20)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(colony.socket))
        client.sendall(b"GET /_plugin/panel/cut.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        os.truncate(site / "cut.bin", 100)
        total = 0
        while piece := client.recv(1 << 20):
            total += len(piece)
        assert total < 32 << 20
    assert fetch(colony, "/ping").status == 200


def test_requests_one_after_the_other_on_a_connection(colony, site):
    assert site
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(colony.socket))
        one = b"GET /_plugin/panel/app.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        client.sendall(one * 20 + b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        data = b""
        while piece := client.recv(65536):
            data += piece
    assert data.count(b"fetch('/processes')") == 20 and data.endswith(b"OK")


def test_no_descriptor_is_left(colony, site):
    assert site

    colony.wait_state("web", "running")

    def count():
        return len(os.listdir(f"/proc/{colony.engine}/fd"))

    fetch(colony, "/_plugin/panel/")
    before = count()
    for path in ("", "app.js", "none", "img", "link.txt", "out/secret.txt", "pipe"):
        for _ in range(10):
            fetch(colony, f"/_plugin/panel/{path}")
    eventually(lambda: count() <= before)
    time.sleep(0)
