/* SPDX-License-Identifier: Apache-2.0 */
/* openapi_schemas.c - what bodies and answers look like, as JSON Schema. */
#include "api/openapi_internal.h"

#define JSON(...) #__VA_ARGS__
/* The name of a schema, within the text of one. */
#define OF(name) "{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/" name "\"}}}"
#define LIST_OF(name)                                                                              \
    "{\"application/json\":{\"schema\":{\"type\":\"array\",\"items\":"                             \
    "{\"$ref\":\"#/components/schemas/" name "\"}}}}"
#define FEED_OF(name)                                                                              \
    "{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/" name "\"}},"             \
    "\"text/event-stream\":{\"schema\":{\"type\":\"string\"}}}"

/* clang-format off */
const struct colony__openapi_part colony__openapi_schemas[] = {
    {"Count", JSON({"type": "object", "required": ["ok", "numprocesses"], "properties": {
        "ok": {"const": true}, "numprocesses": {"type": "integer"}}})},
    {"Error", JSON({"type": "object", "required": ["error", "reason"], "properties": {
        "error": {"type": "string", "description": "a word for programs"},
        "reason": {"type": "string", "description": "a line for people"}}})},
    {"Event", JSON({"type": "object", "required": ["event", "time", "cause"], "properties": {
        "event": {"type": "string"}, "name": {"type": "string"},
        "pid": {"type": "integer", "description": "id of the process, counted by colony"},
        "os_pid": {"type": "integer"}, "detached": {"type": "boolean"},
        "exit_status": {"type": ["integer", "null"]},
        "term_signal": {"type": ["integer", "null"], "description": "a number; 0: none"},
        "from": {"type": "string"}, "to": {"type": "string"},
        "seq": {"type": "integer", "description": "of the history"},
        "time": {"type": "string", "format": "date-time"}, "slot": {"type": "integer"},
        "id": {"type": "integer", "description": "of an event from outside"},
        "data": {"description": "what was sent"}, "cause": {"type": "string"}}})},
    {"Exit", JSON({"type": ["object", "null"], "required": ["known", "status", "signal"], "properties": {
        "known": {"type": "boolean"}, "status": {"type": "integer"}, "signal": {"type": ["string", "null"]}}})},
    {"History", JSON({"type": "object", "required": ["seq", "time", "name", "event"], "properties": {
        "seq": {"type": "integer"}, "time": {"type": ["string", "null"], "format": "date-time"},
        "name": {"type": "string"}, "slot": {"type": "integer"}, "id": {"type": "integer"},
        "os_pid": {"type": "integer"}, "event": {"type": "string"}, "from": {"type": "string"},
        "to": {"type": "string"}, "exit_status": {"type": ["integer", "null"]},
        "term_signal": {"type": ["string", "null"], "description": "a name such as SIGTERM"},
        "cause": {"type": "string"}, "data": {"description": "of an event from outside: what was sent"}}})},
    {"Ok", JSON({"type": "object", "required": ["ok"], "properties": {"ok": {"const": true},
        "stopped": {"type": "integer"}, "killed": {"type": "integer"},
        "unclaimed": {"type": "integer"}, "partial": {"type": "boolean"},
        "held": {"type": "array", "items": {"type": "string"}, "description": "what needs it and stops with it"}}})},
    {"Pids", JSON({"type": "object", "required": ["ok", "pids"], "properties": {
        "ok": {"const": true}, "pids": {"type": "array", "items": {"type": "integer"}}}})},
    {"ProcessStats", JSON({"type": "object", "required": ["mem_info1", "mem_info2", "cpu", "mem", "ctime", "pid", "children"], "properties": {
        "id": {"type": "integer"},
        "mem_info1": {"type": "integer", "description": "resident bytes"},
        "mem_info2": {"type": "integer", "description": "virtual bytes"},
        "cpu": {"type": "number", "description": "percent"},
        "mem": {"type": "number", "description": "percent"},
        "ctime": {"type": "integer", "description": "seconds of CPU time"},
        "pid": {"type": "integer", "description": "of the system"},
        "username": {"type": "string"}, "nice": {"type": "integer"}, "cmdline": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/components/schemas/ProcessStats"}}}})},
    {"Reload", JSON({"type": "object", "required": ["ok", "dry_run", "steps"], "properties": {
        "ok": {"const": true}, "dry_run": {"type": "boolean"},
        "steps": {"type": "array", "items": {"type": "object", "required": ["action", "name", "why"], "properties": {
            "action": {"enum": ["start", "stop", "restart", "update", "ignore"]},
            "name": {"type": "string"}, "why": {"type": "string"}}}}}})},
    {"Slot", JSON({"type": "object", "required": ["name", "slot", "state"], "properties": {
        "name": {"type": "string"}, "origin": {"type": "string"}, "slot": {"type": "integer"},
        "id": {"type": ["integer", "null"]}, "os_pid": {"type": ["integer", "null"]},
        "state": {"enum": ["stopped", "waiting", "starting", "running", "ready", "stopping", "exited", "backoff", "failed", "completed"]},
        "paused": {"type": "boolean", "description": "colony sent it SIGSTOP, and no SIGCONT since"},
        "uptime": {"type": ["number", "null"]}, "started": {"type": ["number", "null"]},
        "restarts": {"type": "integer"}, "retry_in": {"type": ["number", "null"]},
        "next_in": {"type": ["number", "null"], "description": "seconds until its schedule runs it next"},
        "last_exit": {"$ref": "#/components/schemas/Exit"}, "failure": {"type": "string"},
        "cause": {"type": "string"}, "status": {"type": "string"},
        "health": {"enum": ["unknown", "healthy", "unhealthy", null]},
        "health_note": {"type": "string", "description": "how its last check failed"},
        "since": {"type": ["string", "null"], "format": "date-time"}, "output": {"type": "string"},
        "dropped_bytes": {"type": "integer"}, "dropped_lines": {"type": "integer"},
        "streams": {"enum": ["none", "open", "lost"], "description": "custom_streams of its process"},
        "unread_bytes": {"type": "integer", "description": "that custom streams brought while nobody followed them"},
        "cpu": {"type": ["number", "null"]}, "mem": {"type": ["integer", "null"]},
        "cpu_time": {"type": ["number", "null"], "description": "seconds"}}})},
    {"Status", JSON({"type": "object", "required": ["active", "running", "numprocesses", "max_processes"], "properties": {
        "active": {"type": "boolean"}, "running": {"type": "integer"},
        "numprocesses": {"type": "integer"}, "max_processes": {"type": "integer"},
        "next_in": {"type": "number", "description": "seconds until its schedule runs it next"},
        "healthy": {"type": "integer", "description": "with `health` only"}}})},
    {"Template", JSON({"type": "object", "required": ["cmd"], "properties": {
        "name": {"type": "string"}, "cmd": {"type": "string"},
        "args": {"type": ["array", "string", "null"]}, "env": {"type": ["object", "null"]},
        "numprocesses": {"type": "integer", "minimum": 0}},
        "additionalProperties": true,
        "description": "All settings of a process, as in the settings file. A key that is unknown is kept and given back."})},
    {"TemplateStats", JSON({"type": "object", "required": ["name", "stats"], "properties": {
        "name": {"type": "string"},
        "stats": {"type": "array", "items": {"$ref": "#/components/schemas/ProcessStats"}},
        "mem": {"type": "number"}, "max_mem": {"type": "number"}, "min_mem": {"type": "number"},
        "cpu": {"type": "number"}, "max_cpu": {"type": "number"}, "min_cpu": {"type": "number"}}})},
    {"Variable", JSON({"type": "object", "required": ["name", "value", "source"], "properties": {
        "name": {"type": "string"}, "value": {"type": "string"}, "source": {"type": "string"}}})},
    {"Welcome", JSON({"type": "object", "required": ["welcome", "version"], "properties": {
        "welcome": {"type": "string"}, "version": {"type": "string"}}})},
    {"Why", JSON({"type": "object", "required": ["name", "slots", "waits", "history"], "properties": {
        "name": {"type": "string"},
        "slots": {"type": "array", "items": {"$ref": "#/components/schemas/Slot"}},
        "waits": {"type": "array", "items": {"type": "string"}},
        "history": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/History"}}}})},
    {NULL, NULL},
};

const struct colony__openapi_part colony__openapi_bodies[] = {
    {"bytes",    JSON({"application/octet-stream": {"schema": {"type": "string"}}})},
    {"template", OF("Template")},
    {NULL, NULL},
};

const struct colony__openapi_part colony__openapi_answers[] = {
    {"all_stats",      LIST_OF("TemplateStats")},
    {"bytes",          JSON({"application/octet-stream": {"schema": {"type": "string"}}, "text/event-stream": {"schema": {"type": "string"}}})},
    {"count",          OF("Count")},
    {"env",            LIST_OF("Variable")},
    {"event",          FEED_OF("Event")},
    {"file",           JSON({"*/*": {"schema": {"type": "string"}}})},
    {"history",        LIST_OF("History")},
    {"metrics",        JSON({"text/plain": {"schema": {"type": "string"}}})},
    {"names",          JSON({"application/json": {"schema": {"type": "array", "items": {"type": ["string", "integer"]}}}})},
    {"ok",             OF("Ok")},
    {"openapi",        JSON({"application/json": {"schema": {"type": "object"}}})},
    {"pids",           OF("Pids")},
    {"process_stats",  FEED_OF("ProcessStats")},
    {"reload",         OF("Reload")},
    {"slots",          LIST_OF("Slot")},
    {"status",         OF("Status")},
    {"template",       OF("Template")},
    {"template_stats", JSON({"application/json": {"schema": {"description": "followed, it is samples of processes", "anyOf": [
        {"$ref": "#/components/schemas/TemplateStats"}, {"$ref": "#/components/schemas/ProcessStats"}]}},
        "text/event-stream": {"schema": {"type": "string"}}})},
    {"text",           JSON({"text/plain": {"schema": {"type": "string"}}})},
    {"tree",           JSON({"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}})},
    {"websocket",      "{}"},
    {"welcome",        OF("Welcome")},
    {"why",            OF("Why")},
    {NULL, NULL},
};
/* clang-format on */
