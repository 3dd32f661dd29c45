# SPDX-License-Identifier: Apache-2.0
"""/openapi.json: valid, whole, and true: each of its operations is called on a real colony."""
import json
import re
import socket

import pytest

from conftest import DEADLINE, eventually
from followed import Feed

METHODS = {"get", "put", "post", "delete"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
KEYWORDS = {"type", "properties", "items", "required", "enum", "const", "description", "format",
            "minimum", "maximum", "default", "additionalProperties", "examples", "anyOf", "$ref"}
LOOP = "while :; do echo line; sleep 0.05; done"
SETTINGS = {"processes": {
    "shop:web": {"cmd": LOOP, "shell": True, "redirect_output": ["out", "err"],
                 "redirect_input": True, "numprocesses": 2},
    "busy": {"cmd": "sleep", "args": ["0.1"], "restart": {"delay": "50ms", "factor": 1}},
    "extra:one": {"cmd": "sleep", "args": ["1000"]},
    "gone": {"cmd": "sleep", "args": ["1000"]},
}}


@pytest.fixture(name="document")
def document_fixture(colony):
    colony.start(SETTINGS)
    for name, number in (("shop:web", 1), ("shop:web", 2), ("extra:one", 1), ("gone", 1)):
        colony.wait_state(name, "running", number)
    answer = colony.http("GET", "/openapi.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    return answer.json()


def resolve(document, node):
    while "$ref" in node:
        assert node["$ref"].startswith("#/") and set(node) == {"$ref"}
        target = document
        for part in node["$ref"][2:].split("/"):
            target = target[part]
        node = target
    return node


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, item, operation


def schemas(document):
    """Each schema of the document, wherever it stands."""
    def walk(node, key=None):
        if isinstance(node, dict):
            if key in ("schema", "items"):
                yield node
            if key in ("schemas", "properties"):
                yield from node.values()
            for name, child in node.items():
                yield from walk(child, name)
        elif isinstance(node, list):
            for child in node:
                yield from walk(child)
    return list(walk(document))


def check(document, schema, value, where="answer"):
    """Raises unless @value is as @schema has it: the keywords that the document uses."""
    schema = resolve(document, schema)
    if "anyOf" in schema:
        required = [set(resolve(document, one)["required"]) for one in schema["anyOf"]]
        fitting = [one for one, keys in zip(schema["anyOf"], required) if keys <= set(value)]
        assert len(fitting) == 1, where
        check(document, fitting[0], value, where)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    numbers = {"integer": int, "number": (int, float)}
    assert not types or any(isinstance(value, {**TYPES, **numbers}[one]) and
                            (one in ("boolean",) or not isinstance(value, bool)) for one in types), \
        f"{where}: {value!r} is no {types}"
    assert "const" not in schema or value == schema["const"], f"{where}: {value!r}"
    assert "enum" not in schema or value in schema["enum"], f"{where}: {value!r}"
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value), f"{where}: {value}"
        for name, child in value.items():
            if name in schema.get("properties", {}):
                check(document, schema["properties"][name], child, f"{where}.{name}")
            elif schema.get("properties") and not schema.get("additionalProperties"):
                raise AssertionError(f"{where}.{name} is not in the schema")
    if isinstance(value, list) and "items" in schema:
        for child in value:
            check(document, schema["items"], child, f"{where}[]")


# The document


def test_it_is_valid(document):
    assert set(document) == {"openapi", "info", "servers", "paths", "webhooks", "components"}
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert {"title", "version", "license"} <= set(document["info"])
    shapes = [re.sub(r"\{\w+\}", "{}", path) for path in document["paths"]]
    assert len(shapes) == len(set(shapes)), "paths that are the same"
    ids = [operation["operationId"] for *_, operation in operations(document)]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"\w+", one) for one in ids)
    for path, item in document["paths"].items():
        assert path.startswith("/") and set(item) <= METHODS | {"parameters"} and len(item) > 1
        declared = [one["name"] for one in item["parameters"]]
        assert re.findall(r"\{(\w+)\}", path) == declared
        assert all(one["in"] == "path" and one["required"] is True and one["schema"]
                   for one in item["parameters"])
    for path, _, _, operation in operations(document):
        assert operation["summary"] and operation["tags"], path
        success = "101" if path.startswith("/wstreams/") else "200"
        assert success in operation["responses"] and "default" in operation["responses"]
        for status, answer in operation["responses"].items():
            assert re.fullmatch(r"default|[1-5]\d\d", status)
            answer = resolve(document, answer)
            assert answer["description"] and (status == "101" or answer["content"])
        for parameter in operation.get("parameters", []):
            parameter = resolve(document, parameter)
            assert parameter["in"] == "query" and parameter["name"] and parameter["schema"]
        for wish in operation["security"]:
            assert set(wish) <= set(document["components"]["securitySchemes"])
            assert all(scopes in (["read"], ["control"]) for scopes in wish.values())
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]


def test_its_schemas_are_schemas(document):
    found = schemas(document)
    assert len(found) > 100
    for schema in found:
        if set(schema) & KEYWORDS:
            assert set(schema) <= KEYWORDS, schema
        resolve(document, schema)
    jsonschema = pytest.importorskip("jsonschema")
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_is_used_and_leads_somewhere(document):
    text = json.dumps(document)
    for kind in ("schemas", "parameters"):
        for name in document["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name
    for target in re.findall(r'"\$ref": "([^"]+)"', text):
        resolve(document, {"$ref": target})


def test_reading_and_control_are_told_apart(document):
    for path, method, _, operation in operations(document):
        scope = "read" if method == "get" else "control"
        assert operation["security"] == [{}, {"token": [scope]}], path


# Each operation, called


def values(colony):
    return {"name": "shop:web", "name_or_id": "shop:web", "id": colony.slot("shop:web")["id"],
            "group": "shop", "n": 1, "sig": "CONT", "label": "out", "event": "spawn",
            "plugin": "panel"}


SAMPLES = {"before": "1000000", "dry_run": "true", "feed": "longpoll", "follow": "true",
           "heartbeat": "5", "limit": "10", "lines": "3", "name": "shop:web", "running": "true",
           "places": "true", "from": None, "binary": "true",
           "since": "0", "slot": "1", "stay_stopped": "true", "stats": "true", "template": "shop:web", "verbose": "true",
           "wait": "20"}
OTHERS = {  # what is not as for all
    ("post", "/processes"): {"body": {"name": "fresh", "cmd": "sleep 1000"}},
    ("put", "/processes/{name_or_id}"): {"body": SETTINGS["processes"]["shop:web"]},
    ("post", "/processes/{name_or_id}"): {"body": SETTINGS["processes"]["shop:web"]},
    ("delete", "/processes/{name_or_id}"): {"name_or_id": "gone"},
    ("delete", "/groups/{group}"): {"group": "extra"},
    ("post", "/streams/{id}/{label}"): {"label": "stdin", "body": b"hello\n"},
    ("get", "/watch/proc/{name}"): {"name": "busy"},
    ("get", "/watch/proc/{name}/{event}"): {"name": "busy"},
}
LAST = ["/groups/{group}/_stop", "/processes/{name_or_id}/_stop", "/processes/{name}/_stop",
        "/_upgrade", "/_shutdown"]
ELSEWHERE = ("/_plugin/", "/wstreams/")  # test_plugins.py; what takes an upgrade
ENDLESS = {("/logs/{name}", "follow")}


def fill(path, given):
    return re.sub(r"\{(\w+)\}", lambda m: str(given[m[1]]).replace(" ", "%20"), path)


def call(colony, method, path, given):
    body = given.get("body")
    if isinstance(body, dict):
        body = json.dumps(body)
    return colony.http(method.upper(), fill(path, given), body)


def expect(document, operation, answer, where):
    assert answer.status == 200, f"{where}: {answer.status} {answer.text}"
    kind = answer.headers["Content-Type"].split(";")[0]
    content = operation["responses"]["200"]["content"]
    assert kind in content, f"{where}: {kind}"
    if kind == "application/json":
        check(document, content[kind]["schema"], answer.json(), where)


def test_every_operation_answers_as_it_says(colony, document):
    called = set()
    rows = sorted(operations(document), key=lambda row: (row[0] in LAST and LAST.index(row[0]) + 1,
                                                         row[1] == "delete"))
    for path, method, _, operation in rows:
        if path.startswith(ELSEWHERE):
            continue
        if path not in LAST:  # the one before may just have restarted it
            colony.wait_state("shop:web", "running")
        given = {**values(colony), **OTHERS.get((method, path), {})} if path != "/_shutdown" else {}
        expect(document, operation, call(colony, method, path, given), f"{method} {path}")
        called.add((method, path))
        if path == "/_upgrade":
            eventually(colony.answers)
    assert len(called) >= len(rows) - 4 and ("post", "/_shutdown") in called
    assert colony.process.wait(DEADLINE) == 0


def place_of_log(colony):
    """Where the log of shop:web goes on, from an answer with places."""
    return eventually(lambda: colony.http("GET", "/logs/shop:web?places=true").text.split(" ")[0])


def test_every_parameter_is_taken(colony, document):
    tried = set()
    samples = {**SAMPLES, "from": place_of_log(colony)}
    for path, method, _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            name = resolve(document, parameter)["name"]
            if path.startswith("/wstreams/") or name == "stay_stopped":
                tried.add(name)  # test_websocket.py, test_gaffer_routes.py
                continue
            if method != "get" and name != "wait" and name != "dry_run":
                raise AssertionError(f"a parameter of {method} {path} that is not tried: {name}")
            given = {**values(colony), **OTHERS.get((method, path), {})}
            target = f"{fill(path, given)}?{name}={samples[name]}"
            tried.add(name)
            if (path, name) in ENDLESS:
                with Feed(colony, target) as feed:
                    assert feed.status == 200 and feed.chunk()
                continue
            colony.http("POST", "/processes/shop:web/_start?wait=20")
            given["id"] = colony.slot("shop:web")["id"]
            target = f"{fill(path, given)}?{name}={samples[name]}"
            expect(document, operation, colony.http(method.upper(), target), target)
    assert tried == set(document["components"]["parameters"]) == set(SAMPLES)


def test_every_feed_is_an_event_source_too(colony, document):
    count = 0
    for path, method, _, operation in operations(document):
        names = [resolve(document, one)["name"] for one in operation.get("parameters", [])]
        if "feed" not in names:
            continue
        count += 1
        given = {**values(colony), **OTHERS.get((method, path), {})}
        if path == "/watch/{event}":
            given["event"] = "exit"
        assert "text/event-stream" in operation["responses"]["200"]["content"], path
        with Feed(colony, f"{fill(path, given)}?feed=eventsource") as feed:
            assert feed.status == 200 and feed.headers["content-type"] == "text/event-stream"
            assert feed.event()["event"]
    assert count >= 8


def test_what_is_not_there_is_the_error_it_says(colony, document):
    schema = document["components"]["schemas"]["Error"]
    count = 0
    for path, method, _, operation in operations(document):
        if "404" not in operation["responses"] or path.startswith(ELSEWHERE):
            continue
        given = {**values(colony), "name": "none", "name_or_id": "none", "id": 999999, "group": "none",
                 "event": "none", "body": {"cmd": "x"}}
        target = fill(path, given) + ("?name=none" if path == "/slots" else "")
        answer = colony.http(method.upper(), target,
                             json.dumps(given["body"]) if "requestBody" in operation else None)
        assert answer.status == 404, f"{method} {target}: {answer.status} {answer.text}"
        check(document, schema, answer.json())
        count += 1
    assert count > 25


def test_it_is_served_to_head_and_not_to_post(colony, document):
    assert document
    assert colony.http("HEAD", "/openapi.json").body == b""
    assert colony.http("POST", "/openapi.json").status == 405
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(colony.socket))
        client.sendall(b"GET /openapi.json HTTP/1.0\r\n\r\n")
        data = b""
        while piece := client.recv(65536):
            data += piece
    assert json.loads(data.split(b"\r\n\r\n", 1)[1])["openapi"]
