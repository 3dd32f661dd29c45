/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.h - a request to a running colony and its answer as it arrives, for who waits for more
 * than one thing at once. client.h waits for the whole answer.
 *
 * Open one, poll its descriptor for POLLIN, and read until it is complete. Only opening it waits:
 * for the connection, as long as colony_channel_open() does.
 */
#ifndef COLONY_CORE_EXCHANGE_H
#define COLONY_CORE_EXCHANGE_H

#include <stdbool.h>

struct colony_error;
struct colony_exchange;
struct colony_reply;
struct colony_request;
struct colony_target;

/*
 * Connects and sends the request, which is borrowed, as @target is, until the exchange is closed;
 * its timeout_ms and what follows it in the struct, but the callback, mean nothing here. Errors of
 * colony_channel_open(); -EINVAL: the request is too long.
 */
int colony_exchange_open(struct colony_exchange **out, const struct colony_target *target,
                         const struct colony_request *request, struct colony_error *err);

int colony_exchange_fd(const struct colony_exchange *exchange);

/*
 * Reads what is there, without waiting. 1: the answer is complete; 0: there is more to come.
 * -ECONNRESET, -EPROTO, -EACCES and what the callback returned, as colony_client_request().
 */
int colony_exchange_read(struct colony_exchange *exchange, struct colony_error *err);

/* Some of the body was handed to the callback. */
bool colony_exchange_was_used(const struct colony_exchange *exchange);

/* What there is of the answer; status 0: not even its head. Borrowed. */
const struct colony_reply *colony_exchange_reply(const struct colony_exchange *exchange);

/* The answer, and with @keeps_connection the connection, are the caller's now. */
void colony_exchange_take(struct colony_exchange *exchange, struct colony_reply *reply,
                          bool keeps_connection);

/* NULL is fine. */
void colony_exchange_close(struct colony_exchange *exchange);

#endif
