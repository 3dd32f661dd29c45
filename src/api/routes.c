/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers_internal.h"

/* clang-format off */
static const struct colony__route rows[] = {
    {METHOD_GET,  ACCESS_READ,    "/",                                   colony__get_welcome,
     "what this is, and its version"},
    {METHOD_GET,  ACCESS_READ,    "/ping",                               colony__get_ping,
     "OK"},
    {METHOD_GET,  ACCESS_READ,    "/processes",                          colony__get_processes,
     "names; ?running=true: ids of what runs"},
    {METHOD_GET,  ACCESS_READ,    "/processes/NAME_OR_ID",               colony__get_process,
     "settings of a template"},
    {METHOD_POST, ACCESS_CONTROL, "/processes/NAME/_start",              colony__post_start,
     "start a template"},
    {METHOD_POST, ACCESS_CONTROL, "/processes/NAME_OR_ID/_stop",         colony__post_stop,
     "stop; ?wait=SECONDS: answer when it is down"},
    {METHOD_POST, ACCESS_CONTROL, "/processes/NAME/_restart",            colony__post_restart,
     "restart; ?wait=SECONDS: answer when it runs"},
    {METHOD_GET,  ACCESS_READ,    "/processes/NAME/_pids",               colony__get_pids,
     "ids of its processes"},
    {METHOD_POST, ACCESS_CONTROL, "/processes/NAME_OR_ID/_signal/SIG",   colony__post_signal,
     "send a signal, by number or name"},
    {METHOD_GET,  ACCESS_READ,    "/status/NAME",                        colony__get_status,
     "whether and how many run"},
    {METHOD_GET,  ACCESS_READ,    "/slots",                              colony__get_slots,
     "the state of every slot; ?name=NAME &stats=true: with cpu and memory"},
    {METHOD_GET,  ACCESS_READ,    "/stats",                              colony__get_stats,
     "cpu and memory of all processes"},
    {METHOD_GET,  ACCESS_READ,    "/stats/NAME",                         colony__get_template_stats,
     "the same of a template"},
    {METHOD_GET,  ACCESS_READ,    "/stats/NAME/ID",                      colony__get_process_stats,
     "the same of one process"},
    {METHOD_GET,  ACCESS_READ,    "/logs/NAME",                          colony__get_logs,
     "output; ?lines=N|all &slot=K &follow=true"},
    {METHOD_GET,  ACCESS_READ,    "/history",                            colony__get_history,
     "what happened, newest first; ?name=NAME &slot=K &limit=N &before=SEQ"},
    {METHOD_GET,  ACCESS_READ,    "/tree",                               colony__get_tree,
     "all processes with their descendants"},
    {METHOD_POST, ACCESS_CONTROL, "/_shutdown",                          colony__post_shutdown,
     "stop all processes and colony"},
    {METHOD_POST, ACCESS_CONTROL, "/_upgrade",                           colony__post_upgrade,
     "replace colony, not its processes"},
};
/* clang-format on */

const struct colony__routes colony__control_routes = {rows, sizeof rows / sizeof rows[0]};
