/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_settings.h - what the sections `events:` and `juggler:` say: what becomes of events that
 * come from outside, and where states of templates are reported to.
 */
#ifndef COLONY_CORE_EVENT_SETTINGS_H
#define COLONY_CORE_EVENT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/settings.h"

struct colony_value;

enum colony_handler_kind {
    HANDLER_LOG,     /* a line of colony's log */
    HANDLER_EXEC,    /* a command, the event on its stdin */
    HANDLER_STDIN,   /* a line to a process of a template */
    HANDLER_WEBHOOK, /* a POST to a URL */
    HANDLER_BUS,     /* published to whoever watches events */
    HANDLER_ZMQ,     /* published on a ZeroMQ socket */
    HANDLER_PROGRAM, /* a function of the program that embeds colony; no settings say so */
    HANDLER_KIND_COUNT,
};

/* One of `events.handlers`. */
struct colony_handler_settings {
    enum colony_handler_kind kind;
    bool log;
    bool bus;
    char *exec;
    char **argv;                         /* of HANDLER_EXEC; NULL-terminated */
    char *input;                         /* HANDLER_STDIN: the template's name */
    char *socket;                        /* HANDLER_ZMQ: where it is bound */
    struct colony_webhook_settings hook; /* HANDLER_WEBHOOK: its url, and how it is posted */
    struct colony_value *when;           /* what an event must have; NULL: any event will do */
    bool envelope;                       /* it is given {"id", "time", "via", "peer", "event"} */
    uint32_t concurrency;                /* of HANDLER_EXEC */
    uint64_t timeout_ms;                 /* of HANDLER_EXEC */
    uint32_t messages_max;               /* HANDLER_ZMQ: that wait for one subscriber */
    bool insecure;                       /* HANDLER_ZMQ: others than this machine may subscribe */
};

enum {
    COLONY_HANDLERS_MAX = 32,
};

struct colony_events_settings {
    struct colony_handler_settings *handlers;
    size_t handler_count;
    bool durable;
    uint32_t events_max; /* that wait */
    uint64_t bytes_max;  /* the same in bytes */
    uint64_t size_max;   /* of one, in bytes */
    char *tokens;        /* file of them, for events from beyond this machine; NULL: none */
    bool insecure;       /* anybody may have commands run by events */
};

/* The setting that says what a handler is: "exec". */
const char *colony_handler_kind_name(enum colony_handler_kind kind);

/* Whether a handler runs commands or writes to processes: then not everybody may send events. */
bool colony_events_has_power(const struct colony_events_settings *events);

struct colony_juggler_settings {
    char *url;    /* NULL: nothing is reported */
    char *source; /* who reports */
    char *host;   /* whose services they are; NULL: this machine's name */
    char **tags;
    char **processes; /* names of templates; empty: all */
    char *ca;
    char **headers;
    uint64_t timeout_ms; /* of one request */
    uint64_t delay_ms;   /* changes wait so long for company */
    uint64_t resend_ms;  /* all states are told again so often; 0: never */
    uint32_t batch_max;  /* events in one request */
};

#endif
