#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""colony rpc serve --name MessageDaemon -- examples/rpc/message_daemon.py"""
import json
import sys

attributes = {"pst_counter": 0}


def insert_message(msg):
    """Prints a message, and counts it."""
    attributes["pst_counter"] += 1
    print("Found a new message:", msg, file=sys.stderr, flush=True)
    return "Message received!"


methods = {"getattr": attributes.get, "setattr": attributes.__setitem__, "insert_message": insert_message}
hello = {"methods": {"insert_message": insert_message.__doc__}, "attributes": {"pst_counter": "messages so far"}}
print(json.dumps({"id": 0, "method": "hello", "params": hello}), flush=True)
for line in map(json.loads, sys.stdin):
    if "method" not in line:
        continue  # the answer to our hello: what was saved is set
    try:
        call, given = methods[line["method"]], line["params"]
        answer = {"result": call(**given) if isinstance(given, dict) else call(*given)}
    except Exception as error:  # it is raised again where it was called
        answer = {"error": {"message": str(error), "data": {"type": type(error).__name__}}}
    print(json.dumps({"id": line["id"], **answer}), flush=True)
