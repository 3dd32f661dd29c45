/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhooks.h - the front-end that posts events to URLs (`webhooks:`).
 */
#ifndef COLONY_API_WEBHOOKS_H
#define COLONY_API_WEBHOOKS_H

struct colony_error;
struct colony_settings;

extern const struct colony_front colony_webhooks_front;

/* Reads the secrets, and opens libcurl if there are webhooks at all: what is wrong is told before
 * anything runs. */
int colony_webhooks_check(const struct colony_settings *settings, struct colony_error *err);

#endif
