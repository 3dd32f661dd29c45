/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers_internal.h"

/* clang-format off */
static const struct colony__route rows[] = {
    {METHOD_GET,  "/",                              ACCESS_READ,    colony__get_welcome,   "what this is, and its version"},
    {METHOD_GET,  "/ping",                          ACCESS_READ,    colony__get_ping,      "OK"},
    {METHOD_GET,  "/processes",                     ACCESS_READ,    colony__get_processes, "names; ?running=true: ids of what runs"},
    {METHOD_GET,  "/processes/NAME_OR_ID",          ACCESS_READ,    colony__get_process,   "settings of a template"},
    {METHOD_POST, "/processes/NAME/_start",         ACCESS_CONTROL, colony__post_start,    "start a template"},
    {METHOD_POST, "/processes/NAME_OR_ID/_stop",    ACCESS_CONTROL, colony__post_stop,     "stop; ?wait=SECONDS: answer when it is down"},
    {METHOD_POST, "/processes/NAME/_restart",       ACCESS_CONTROL, colony__post_restart,  "restart; ?wait=SECONDS: answer when it runs"},
    {METHOD_GET,  "/processes/NAME/_pids",          ACCESS_READ,    colony__get_pids,      "ids of its processes"},
    {METHOD_POST, "/processes/NAME_OR_ID/_signal/SIG", ACCESS_CONTROL, colony__post_signal, "send a signal, by number or name"},
    {METHOD_GET,  "/status/NAME",                   ACCESS_READ,    colony__get_status,    "whether and how many run"},
    {METHOD_GET,  "/slots",                         ACCESS_READ,    colony__get_slots,     "the state of every slot; ?name=NAME"},
    {METHOD_GET,  "/logs/NAME",                     ACCESS_READ,    colony__get_logs,      "output; ?lines=N|all &slot=K &follow=true"},
    {METHOD_GET,  "/tree",                          ACCESS_READ,    colony__get_tree,      "all processes with their descendants"},
    {METHOD_POST, "/_shutdown",                     ACCESS_CONTROL, colony__post_shutdown, "stop all processes and colony"},
    {METHOD_POST, "/_upgrade",                      ACCESS_CONTROL, colony__post_upgrade,  "replace colony, not its processes"},
};
/* clang-format on */

const struct colony__routes colony__control_routes = {rows, sizeof rows / sizeof rows[0]};
