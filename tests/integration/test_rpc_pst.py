# SPDX-License-Identifier: Apache-2.0
"""What RPC keeps in S3, with a server that checks each signature."""
import json

from conftest import eventually
from rpc_client import raises, served_fixture  # pylint: disable=unused-import
from s3_server import KEY, REGION, SECRET, S3


def settings(served, s3, secret=SECRET, **more):
    credentials = served.colony.folder / "credentials"
    credentials.write_text(f"{KEY} {secret}\n", encoding="utf-8")
    credentials.chmod(0o600)
    return {"class_name": "s3", "url": s3.url + "/bucket/colony.json", "region": REGION,
            "credentials": str(credentials), **more}


def test_attributes_are_kept_in_s3(served):
    with S3() as s3:
        pst = settings(served, s3, frequency=0.1)
        with served.start({}, pst=pst).client() as rpc:
            rpc.set("pst_counter", 5)
            eventually(lambda: json.loads(s3.objects["/bucket/colony.json"]) == {"pst_counter": 5})
            rpc.set("pst_counter", 6)
        served.colony.stop()
        assert json.loads(s3.objects["/bucket/colony.json"]) == {"pst_counter": 6}
        with served.start({}, pst=pst).client() as rpc:
            assert rpc.get("pst_counter") == 6
        assert all(signed for _, _, signed in s3.requests), s3.requests


def test_what_is_no_json_in_s3_is_copied_aside(served):
    with S3() as s3:
        s3.objects["/bucket/colony.json"] = b"half of"
        with served.start({}, pst=settings(served, s3)).client() as rpc:
            with raises("AttributeError"):
                rpc.get("pst_counter")
        aside = [name for name in s3.objects if ".damaged-" in name]
        assert len(aside) == 1 and s3.objects[aside[0]] == b"half of"
        assert "are damaged: begins anew" in served.colony.log.read_text()


def test_a_wrong_secret_is_told_and_nothing_is_saved_over_what_is_there(served):
    with S3() as s3:
        s3.objects["/bucket/colony.json"] = b'{"pst_counter": 1}'
        pst = settings(served, s3, secret="wrong", frequency=0.1)
        with served.start({}, pst=pst).client() as rpc:
            rpc.set("pst_counter", 2)
            assert "the answer was 403" in served.colony.log.read_text()
        assert served.colony.stop() == 0
        assert "the engine ended" not in served.colony.log.read_text()
        assert s3.objects["/bucket/colony.json"] == b'{"pst_counter": 1}'
        assert not any(signed for _, _, signed in s3.requests)


def test_a_store_that_cannot_be_reached_is_told_and_colony_serves(served):
    with S3() as s3:
        pst = settings(served, s3)
    with served.start({}, pst=pst).client() as rpc:
        assert rpc.get("running") is True
    assert "cannot reach http://127.0.0.1:" in served.colony.log.read_text()
