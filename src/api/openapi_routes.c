/* SPDX-License-Identifier: Apache-2.0 */
/* openapi_routes.c - what each route takes and answers, a row for each of routes.c. */
#include <string.h>

#include "api/openapi_internal.h"
#include "api/request_internal.h"

#define JSON(...) #__VA_ARGS__

/* clang-format off */
const struct colony__operation colony__operations[] = {
    {METHOD_GET,  "/",                                 "colony",  "",               NULL, "welcome", ""},
    {METHOD_GET,  "/ping",                             "colony",  "",               NULL, "text", ""},
    {METHOD_GET,  "/livez",                            "colony",  "",               NULL, "text", ""},
    {METHOD_GET,  "/readyz",                           "colony",  "verbose",        NULL, "text", ""},
    {METHOD_GET,  "/openapi.json",                     "colony",  "",               NULL, "openapi", ""},
    {METHOD_GET,  "/processes",                        "templates", "running",      NULL, "names", ""},
    {METHOD_GET,  "/processes/NAME_OR_ID",             "templates", "",             NULL, "template", "404"},
    {METHOD_POST, "/processes",                        "templates", "",             "template", "ok", "409"},
    {METHOD_PUT | METHOD_POST,
                  "/processes/NAME",                   "templates", "",             "template", "ok", "404 409"},
    {METHOD_DELETE,
                  "/processes/NAME_OR_ID",             "templates", "wait stay_stopped",        NULL, "ok", "404 408 409"},
    {METHOD_POST, "/processes/NAME/_start",            "actions", "wait",           NULL, "ok", "404 408 409"},
    {METHOD_POST, "/processes/NAME/_once",             "actions", "wait",           NULL, "ok", "404 408 409"},
    {METHOD_POST, "/processes/NAME_OR_ID/_stop",       "actions", "wait stay_stopped", NULL, "ok", "404 408 409"},
    {METHOD_POST, "/processes/NAME/_restart",          "actions", "wait",           NULL, "ok", "404 408 409"},
    {METHOD_POST, "/processes/NAME/_add",              "actions", "wait",           NULL, "count", "404 408 409"},
    {METHOD_POST, "/processes/NAME/_add/N",            "actions", "wait",           NULL, "count", "404 408 409"},
    {METHOD_POST, "/processes/NAME/_sub",              "actions", "wait",           NULL, "count", "404 408 409"},
    {METHOD_POST, "/processes/NAME/_sub/N",            "actions", "wait",           NULL, "count", "404 408 409"},
    {METHOD_POST, "/processes/NAME/_scale/N",          "actions", "wait",           NULL, "count", "404 408 409"},
    {METHOD_GET,  "/processes/NAME/_pids",             "templates", "",             NULL, "pids", "404"},
    {METHOD_POST, "/processes/NAME_OR_ID/_signal/SIG", "actions", "",               NULL, "ok", "404 409"},
    {METHOD_GET,  "/status/NAME",                      "templates", "",             NULL, "status", "404"},
    {METHOD_GET,  "/groups",                           "groups",  "",               NULL, "names", ""},
    {METHOD_GET,  "/groups/GROUP",                     "groups",  "",               NULL, "names", "404"},
    {METHOD_POST, "/groups/GROUP/_start",              "groups",  "wait",           NULL, "ok", "404 408 409"},
    {METHOD_POST, "/groups/GROUP/_once",               "groups",  "wait",           NULL, "ok", "404 408 409"},
    {METHOD_POST, "/groups/GROUP/_stop",               "groups",  "wait",           NULL, "ok", "404 408 409"},
    {METHOD_POST, "/groups/GROUP/_restart",            "groups",  "wait",           NULL, "ok", "404 408 409"},
    {METHOD_DELETE,
                  "/groups/GROUP",                     "groups",  "wait",           NULL, "ok", "404 408 409"},
    {METHOD_GET,  "/why/NAME",                         "state",   "slot",           NULL, "why", "404"},
    {METHOD_GET,  "/env/NAME",                         "state",   "",               NULL, "env", "404"},
    {METHOD_GET,  "/slots",                            "state",   "name stats",     NULL, "slots", "404"},
    {METHOD_GET,  "/stats",                            "state",   "",               NULL, "all_stats", ""},
    {METHOD_GET,  "/stats/NAME",                       "state",   "feed heartbeat", NULL, "template_stats", "404"},
    {METHOD_GET,  "/stats/NAME/ID",                    "state",   "feed heartbeat", NULL, "process_stats", "404"},
    {METHOD_GET,  "/metrics",                          "state",   "",               NULL, "metrics", ""},
    {METHOD_GET,  "/logs/NAME",                        "output",  "lines slot follow places from", NULL, "text", "404"},
    {METHOD_GET,  "/history",                          "events",  "template name slot limit before since", NULL, "history", ""},
    {METHOD_GET,  "/watch",                            "events",  "feed heartbeat since", NULL, "event", ""},
    {METHOD_GET,  "/watch/EVENT",                      "events",  "feed heartbeat since", NULL, "event", "404"},
    {METHOD_GET,  "/watch/proc/NAME",                  "events",  "feed heartbeat since", NULL, "event", ""},
    {METHOD_GET,  "/watch/proc/NAME/EVENT",            "events",  "feed heartbeat since", NULL, "event", "404"},
    {METHOD_GET,  "/streams/ID",                       "output",  "feed heartbeat", NULL, "bytes", "404"},
    {METHOD_GET,  "/streams/ID/LABEL",                 "output",  "feed heartbeat", NULL, "bytes", "404"},
    {METHOD_POST, "/streams/ID/LABEL",                 "output",  "",               "bytes", "ok", "404 409"},
    {METHOD_GET,  "/wstreams/ID",                      "output",  "binary heartbeat", NULL, "websocket", "404 426"},
    {METHOD_GET,  "/wstreams/ID/LABEL",                "output",  "binary heartbeat", NULL, "websocket", "404 426"},
    {METHOD_GET,  "/tree",                             "state",   "",               NULL, "tree", ""},
    {METHOD_GET,  "/_plugin/NAME",                     "plugins", "",               NULL, "file", "404"},
    {METHOD_GET,  "/_plugin/NAME/PATH",                "plugins", "",               NULL, "file", "404"},
    {METHOD_POST, "/_reload",                          "colony",  "dry_run",        NULL, "reload", "409"},
    {METHOD_POST, "/_shutdown",                        "colony",  "",               NULL, "ok", ""},
    {METHOD_POST, "/_upgrade",                         "colony",  "",               NULL, "ok", ""},
    {0},
};

const struct colony__openapi_part colony__openapi_arguments[] = {
    {"EVENT",      JSON({"type": "string", "description": "kind of event", "examples": ["exit"]})},
    {"GROUP",      JSON({"type": "string", "description": "what stands before the colon in the names of its templates"})},
    {"ID",         JSON({"type": "integer", "minimum": 1, "description": "id of a process, counted by colony"})},
    {"LABEL",      JSON({"type": "string", "description": "label of redirect_output or custom_streams, or a full stop for all; stdin, ttin or a custom stream to write"})},
    {"N",          JSON({"type": "integer", "minimum": 0, "maximum": 10000, "description": "how many"})},
    {"NAME",       JSON({"type": "string", "description": "name of a template"})},
    {"NAME_OR_ID", JSON({"type": "string", "description": "name of a template, or id of a process where one can be meant"})},
    {"PATH",       JSON({"type": "string", "description": "path of a file below the plugin's _site, slashes included"})},
    {"SIG",        JSON({"type": "string", "description": "number or name of a signal", "examples": ["HUP", "15"]})},
    {NULL, NULL},
};

const struct colony__openapi_part colony__openapi_parameters[] = {
    {"before",    JSON({"in": "query", "name": "before", "description": "only events older than the one of this seq", "schema": {"type": "integer", "minimum": 1}})},
    {"binary",    JSON({"in": "query", "name": "binary", "description": "output as it is, not as text", "schema": {"type": "boolean"}})},
    {"dry_run",   JSON({"in": "query", "name": "dry_run", "description": "only tell the steps", "schema": {"type": "boolean"}})},
    {"feed",      JSON({"in": "query", "name": "feed", "description": "follow: the next one, one after the other, or as an event source", "schema": {"type": "string", "enum": ["longpoll", "continuous", "eventsource"]}})},
    {"follow",    JSON({"in": "query", "name": "follow", "description": "go on with what is written from now on", "schema": {"type": "boolean"}})},
    {"from",      JSON({"in": "query", "name": "from", "description": "go on where an answer with places ended", "schema": {"type": "string"}})},
    {"heartbeat", JSON({"in": "query", "name": "heartbeat", "description": "seconds after which a silent feed shows that it lives; true is 60, false is never", "schema": {"type": ["integer", "boolean"], "maximum": 86400}})},
    {"limit",     JSON({"in": "query", "name": "limit", "description": "at most so many", "schema": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 100}})},
    {"lines",     JSON({"in": "query", "name": "lines", "description": "how many of the last lines, or all", "schema": {"type": ["integer", "string"], "default": 100}})},
    {"name",      JSON({"in": "query", "name": "name", "description": "only of this template", "schema": {"type": "string"}})},
    {"places",    JSON({"in": "query", "name": "places", "description": "tell where each part stands, to go on from there", "schema": {"type": "boolean"}})},
    {"running",   JSON({"in": "query", "name": "running", "description": "ids of what runs, not names", "schema": {"type": "boolean"}})},
    {"since",     JSON({"in": "query", "name": "since", "description": "only events after the one of this seq; in the history also since a time, or so long ago", "schema": {"type": ["integer", "string"]}, "examples": {"seq": {"value": 4711}, "time": {"value": "2026-03-01T12:00:00Z"}, "age": {"value": "1h"}}})},
    {"slot",      JSON({"in": "query", "name": "slot", "description": "only of this slot", "schema": {"type": "integer", "minimum": 1}})},
    {"stats",     JSON({"in": "query", "name": "stats", "description": "with cpu and memory", "schema": {"type": "boolean"}})},
    {"stay_stopped", JSON({"in": "query", "name": "stay_stopped", "description": "of an id: no other process takes its place", "schema": {"type": "boolean"}})},
    {"template",  JSON({"in": "query", "name": "template", "description": "only of this template", "schema": {"type": "string"}})},
    {"verbose",   JSON({"in": "query", "name": "verbose", "description": "a line for each check", "schema": {"type": "boolean"}})},
    {"wait",      JSON({"in": "query", "name": "wait", "description": "answer when it has come about, within so many seconds, a duration, or true: for ever", "schema": {"type": ["number", "string", "boolean"]}})},
    {NULL, NULL},
};
/* clang-format on */

const struct colony__openapi_part *colony__openapi_find(const struct colony__openapi_part *list,
                                                        const char *name, size_t length)
{
    for (; list->name; list++)
        if (strlen(list->name) == length && memcmp(list->name, name, length) == 0)
            return list;
    return NULL;
}

const struct colony__operation *colony__operation_find(unsigned methods, const char *pattern)
{
    for (const struct colony__operation *at = colony__operations; at->pattern; at++)
        if (at->methods == methods && strcmp(at->pattern, pattern) == 0)
            return at;
    return NULL;
}
