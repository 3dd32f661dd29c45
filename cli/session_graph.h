/* SPDX-License-Identifier: Apache-2.0 */
/* session_graph.h - who waits for whom in a session, for people and for graphviz. */
#ifndef COLONY_CLI_SESSION_GRAPH_H
#define COLONY_CLI_SESSION_GRAPH_H

struct colony_error;
struct colony_view;

/* A tree: children below the parents that they wait for; what was printed before is not repeated.
 * -ENOMEM. */
int session_graph_print(const struct colony_view *view, struct colony_error *err);

void session_graph_print_dot(const struct colony_view *view);

#endif
