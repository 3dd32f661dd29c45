/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach_internal.h - `colony ctl attach` under way.
 */
#ifndef COLONY_CLI_ATTACH_INTERNAL_H
#define COLONY_CLI_ATTACH_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/exchange.h"
#include "ctl_internal.h"
#include "event_source.h"
#include "followed.h"
#include "log_reader.h"
#include "terminal.h"

enum {
    ATTACH_INPUT_MAX = 65536, /* bytes that are written at once, and that may wait for it */
};

struct attach {
    const struct ctl *ctl;
    struct ctl_slot_view view; /* of the slot, as it was at first */
    const char *name;
    char id[CTL_NUMBER_MAX]; /* of the process */

    struct colony_followed log;
    struct colony_log_reader reader;
    char log_path[CTL_PATH_MAX];
    char log_again[CTL_PATH_MAX + COLONY_LOG_QUERY_MAX];

    struct colony_followed exits;
    struct colony_event_source source;
    char exits_path[CTL_PATH_MAX];

    struct colony_exchange *writing; /* NULL: nothing is being written */
    struct colony_request body;
    char input_path[CTL_PATH_MAX];
    char input[ATTACH_INPUT_MAX];
    size_t input_size; /* that was read and is not known to be written */
    char ahead[ATTACH_INPUT_MAX];
    size_t ahead_size; /* that was typed meanwhile: ctrl-] leaves at any time */
    bool is_lost;      /* some was typed that there was no room for */
    uint64_t write_at_ms;
    bool input_is_over;

    struct colony_terminal terminal;
    uint64_t end_ms; /* 0: not yet; else when it is over if nothing more is printed */
    uint64_t quiet_ms;
    bool is_left;
    int exit_code;
};

/* attach_input.c: what is typed, on its way to the process. */
void colony__attach_read_input(struct attach *attach);
bool colony__attach_waits_to_write(const struct attach *attach);
/* 0; negative when it is over, told, with the exit code set. */
int colony__attach_begin_write(struct attach *attach);
int colony__attach_read_reply(struct attach *attach);
/* Nothing more can be written. */
void colony__attach_close_input(struct attach *attach);
/* It is over once nothing was printed for @quiet_ms. */
void colony__attach_begin_end(struct attach *attach, uint64_t quiet_ms);

#endif
