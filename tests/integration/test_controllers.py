# SPDX-License-Identifier: Apache-2.0
"""Controllers that `controllers:` names: built outside the tree, with just cc and colony.h."""

import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from conftest import BINARY, eventually

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(name="outside")
def outside_fixture(tmp_path):
    """A folder that has the header and the example, and nothing else of colony's."""
    shutil.copytree(ROOT / "include", tmp_path / "include")
    shutil.copy(ROOT / "examples/controllers/greeter.c", tmp_path)
    tmp_path.chmod(0o755)
    return tmp_path


def build(folder, name="greeter", *options):
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I", "include", *options,
                    "-o", f"{name}.so", "greeter.c"], cwd=folder, check=True, timeout=60)
    (folder / f"{name}.so").chmod(0o755)
    (folder / "colony.yaml").write_text(f"controllers: [./{name}.so]\nprocesses: [{{name: web, cmd: sleep 1000}}]\n")


def check(folder):
    """What `colony check` and `colony serve` say before anything runs: the same."""
    said = set()
    for command in (["check", "colony.yaml"], ["serve", "--config", "colony.yaml", "--state", "state"]):
        done = subprocess.run([BINARY, *command], cwd=folder, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 78, done
        said.add(done.stderr.partition("cannot load")[2])
        assert not (folder / "state").exists()
    assert len(said) == 1, said
    return said.pop()


def test_the_example_greets_and_takes_up_another_word(colony, outside):
    build(outside)
    colony.start((outside / "colony.yaml").read_text().replace("./", f"{outside}/"))
    assert colony.http("GET", "/greet/Ada").text == "Hello, Ada! You are number 1.\n"
    assert colony.http("GET", "/greet/B%C3%A4r").text == "Hello, Bär! You are number 2.\n"
    assert colony.http("POST", "/greet", body=b"Servus").text == "from now on\n"
    assert colony.http("GET", "/greet/Ada").text == "Servus, Ada! You are number 3.\n", "its own restart forgets nothing"
    assert colony.http("GET", "/greet").status == 405
    assert colony.http("GET", "/ping").text == "OK"
    assert colony.http("GET", "/greet/a/b").status == 404


def test_its_routes_are_in_the_document_of_all(colony, outside):
    source = outside / "greeter.c"
    source.write_text(source.read_text().replace('"POST", "/greet"', '"POST", "/greet/OTHER/\\"b\u00fc"')
                      .replace('"GET", "/greet/NAME"', '"PUT", "/ping"'))
    build(outside)
    colony.start((outside / "colony.yaml").read_text().replace("./", f"{outside}/"))
    paths = colony.http("GET", "/openapi.json").json()["paths"]
    added = {path: item for path, item in paths.items()
             if any("added" in one["tags"] for method, one in item.items() if method != "parameters")}
    assert set(added) == {"/greet/{other}/%22b%C3%BC", "/ping"}
    item = added["/greet/{other}/%22b%C3%BC"]
    assert item["parameters"] == [{"in": "path", "name": "other", "required": True, "schema": {"type": "string"}}]
    assert set(item) == {"parameters", "post"}
    assert item["post"]["security"] == [{}, {"token": ["control"]}] and item["post"]["requestBody"]
    assert item["post"]["summary"] and item["post"]["responses"]["default"]["description"]
    assert set(added["/ping"]) == {"parameters", "get", "put"}, "beside colony's own"
    assert added["/ping"]["get"]["operationId"] == "get_ping"


def test_it_is_there_again_with_another_engine(colony, outside):
    build(outside)
    colony.start((outside / "colony.yaml").read_text().replace("./", f"{outside}/"))
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine)
    assert eventually(lambda: colony.http("GET", "/greet/Ada").text) == "Hello, Ada! You are number 1.\n"


def test_one_of_another_interface_is_refused_with_both_versions(outside):
    header = outside / "include/colony.h"
    header.write_text(header.read_text().replace("#define COLONY_INTERFACE 0", "#define COLONY_INTERFACE 7"))
    build(outside)
    said = check(outside)
    assert "interface 7 of colony.h" in said and "with interface 0" in said


def test_two_of_one_name_are_refused(outside):
    build(outside)
    shutil.copy(outside / "greeter.so", outside / "other.so")
    settings = outside / "colony.yaml"
    settings.write_text(settings.read_text().replace("./greeter.so", "./greeter.so, ./other.so"))
    said = check(outside)
    assert "other.so: there is one called greeter" in said


def test_one_that_is_called_like_one_of_colony_is_refused(outside):
    source = outside / "greeter.c"
    source.write_text(source.read_text().replace('.name = "greeter"', '.name = "http"'))
    build(outside)
    assert "greeter.so: there is one called http" in check(outside)


def test_one_that_is_missing_is_told(outside):
    build(outside)
    (outside / "greeter.so").unlink()
    assert "greeter.so: No such file or directory" in check(outside)


def test_one_without_its_symbol_is_told(outside):
    build(outside, "greeter", "-Dcolony_controller_main=another_main")
    assert "has no colony_controller_main" in check(outside)


def test_one_that_is_no_shared_object_is_told(outside):
    build(outside)
    (outside / "greeter.so").write_text("no object\n")
    assert "greeter.so" in check(outside)


@pytest.mark.parametrize("what", ["greeter.so", "."])
def test_code_that_others_may_write_is_refused(outside, what):
    build(outside)
    (outside / what).chmod(0o777)
    assert "be writable by nobody else" in check(outside)
