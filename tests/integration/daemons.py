# SPDX-License-Identifier: Apache-2.0
"""A colony with the endpoint of events, and who speaks to it as the users of mtutils' daemons do."""
import collections
import http.client
import json
import pathlib
import random
import re
import socket
import subprocess

from conftest import DEADLINE, Answer, eventually


def start(colony, settings=None, *args, host="::", **serve):
    """colony serve with an endpoint on a free port; its port."""
    settings = {} if settings is None else settings
    colony.start({"master": {"host": host, "port": 0}, **settings}, *args, **serve)
    return port_of(colony)


def port_of(colony):
    """What the log of the last start says."""
    def look():
        found = re.findall(r"takes events on .*:(\d+)$", colony.log.read_text(), re.MULTILINE)
        return found and int(found[-1])
    return eventually(look, what="an endpoint of events")


HELD = collections.deque(maxlen=100)


def free_port():
    """One that is free as TCP and as UDP, and which nobody gets but who names it: the kernel gives away
    higher ones, and another call of this, in whichever process, finds its TCP bound."""
    given = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(given // 2, given)
        one = socket.socket(socket.AF_INET6)
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
                other.bind(("::", port))
                one.bind(("::", port))
        except OSError:
            one.close()
            continue
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that colony can listen there
        HELD.append(one)
        return port


def ask(port, method, path, body=None, headers=None, host="::1", timeout=DEADLINE):
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


def send(port, body, **more):
    """POST /events."""
    return ask(port, "POST", "/events", body, **more)


def status(port, **more):
    answer = ask(port, "GET", "/status", **more)
    assert answer.status == 200, answer.text
    return answer.json()["message"]


def counts(port):
    return status(port)["events"]


def raw(port, data, host="::1", shuts=False):
    """What comes back for these bytes until the other side hangs up."""
    with socket.create_connection((host, port), timeout=DEADLINE) as peer:
        peer.sendall(data)
        if shuts:
            peer.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := peer.recv(65536):
            answer += chunk
    return answer


def datagram(port, data, host="::1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as peer:
        peer.sendto(data, (host, port))
        return peer.getsockname()


def curl(*args):
    return subprocess.run(["curl", "-sS", *args], capture_output=True, text=True, timeout=30)


def pretty(value):
    """As Python's json writes it."""
    return json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False)
