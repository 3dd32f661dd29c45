# SPDX-License-Identifier: Apache-2.0
"""A circle that somebody wrote into etc/session.yaml: told with its place, and in nobody's way."""

import re

import pytest

from conftest import alive, eventually
from sessions import Session, session  # noqa: F401

CIRCLE = r"etc/session\.yaml:3:7: each would wait for the next for ever: (a → b → a|b → a → b)"


@pytest.fixture
def circle(session):
    """a and b run, and would wait for each other; c waits for b."""
    session.pids = {}
    for number, name in enumerate("abc"):
        _, session.pids[name] = session.start(f"exec:///bin/sleep?{600 + number}", "--alias", name,
                                              "--restart", "1", "--shutdown", "1")
    (session.folder / "etc/session.yaml").write_text(
        "dependences:\n  a: [b]\n  b: [a]\n  c: [b]\n", encoding="utf-8")
    yield session
    session.run("deactivate")


def told_once(told):
    lines = told.stderr.splitlines()
    return len(lines) == 1 and re.search(CIRCLE.replace("3:7", "[23]:7"), lines[0])


def test_a_circle_is_told_with_its_place_by_who_shows_it(circle):
    for args in (["show"], ["show", "--graph"], ["dependence", "list"], ["status"]):
        told = circle.run(*args)
        assert told_once(told), (args, told.stderr)
    tree = circle.run("show", "--graph").stdout
    assert all(f"{name}: " in tree for name in "abc")


def test_a_circle_keeps_nobody_from_being_stopped(circle):
    told = circle.run("stop", "b")
    assert told_once(told) and not alive(circle.pids["b"])
    assert alive(circle.pids["a"])
    circle.run("stop", "--all")
    assert not circle.marked()
    assert told_once(circle.run("deactivate"))


def test_who_is_in_a_circle_is_not_started_without_a_supervisor(circle):
    circle.run("stop", "--all")
    for name in "abc":
        told = circle.run("start", name, check=78)
        assert re.search(r"cannot start \w: each would wait .* (a → b → a|b → a → b)", told.stderr)
    circle.run("dependence", "remove", "--parent", "b", "--child", "a")
    circle.run("start", "a")


def test_a_supervisor_is_not_kept_by_a_circle(circle):
    told = circle.run("activate")
    assert re.search(CIRCLE.replace("3:7", "[23]:7"), told.stderr)
    assert all(alive(pid) for pid in circle.pids.values())
    for name, pid in circle.pids.items():
        assert f"runs already: {name} (pid {pid})" in told.stdout
    log = circle.read(".colony/colony.log")
    assert re.search(r"etc/session\.yaml:[23]:7: (a does not wait for b|b does not wait for a) until", log)
    circle.run("stop", "--all")
    assert not circle.marked()
    circle.run("activate")
    circle.run("dependence", "remove", "--parent", "b", "--child", "a")
    circle.run("start", "a")
    eventually(circle.marked, what="a, which waits for nobody now")
