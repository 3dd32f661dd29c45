/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top_internal.h - `colony top` under way: what is asked for, what is known, what is on the screen.
 */
#ifndef COLONY_CLI_TOP_INTERNAL_H
#define COLONY_CLI_TOP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/client.h"
#include "ctl_internal.h"
#include "followed.h"
#include "log_reader.h"
#include "ncurses.h"
#include "top_model.h"

enum {
    TOP_LINES = 256,     /* of output that are kept */
    TOP_LINE_MAX = 1024, /* bytes of one; more are not shown */
    TOP_INPUT_MAX = 64,
    TOP_MESSAGE_MAX = 256,
    TOP_COLUMNS_MAX = 1024, /* of a line on the screen */
};

/* What the selected one prints. */
struct top_output {
    struct colony_followed followed;
    struct colony_log_reader reader;
    bool is_followed;
    char name[COLONY_NAME_MAX + 1]; /* "": of nobody */
    char path[CTL_PATH_MAX];
    char again[CTL_PATH_MAX + COLONY_LOG_QUERY_MAX];
    char lines[TOP_LINES][TOP_LINE_MAX];
    size_t count; /* of lines, ever; the last one may go on */
    size_t used;  /* bytes of the last one */
    char problem[TOP_MESSAGE_MAX];
};

struct top;

/* What is asked of the user in the last line. */
enum top_asking {
    ASKING_NOTHING,
    ASKING_YES, /* y does it */
    ASKING_TEXT,
    ASKING_FILTER,
};

/* Something to do to a template, once the user has said so. */
struct top_deed {
    const char *doing;  /* "stop" */
    const char *done;   /* "stopping" */
    const char *before; /* of the path, before a number or name that was typed */
    char name[COLONY_NAME_MAX + 1];
    char argument[TOP_INPUT_MAX + 1];
    char told[TOP_INPUT_MAX + 1]; /* of what was typed, after @done; or "" */
};

struct top {
    struct ctl ctl;
    const struct colony_ncurses *lib;
    SCREEN *screen;
    WINDOW *window;
    struct top_model model;
    struct top_output output;
    bool shows_output;
    bool shows_help;
    bool has_colour;
    bool is_over;
    size_t first; /* row on the screen */

    uint64_t interval_ms;
    struct colony_exchange *slots; /* the question under way, or NULL */
    struct colony_request slots_request;
    uint64_t slots_at_ms; /* when to ask next */
    bool is_cut;          /* nobody answers */

    struct colony_exchange *acting; /* a deed under way, or NULL */
    struct colony_request act_request;
    char act_path[CTL_PATH_MAX];
    struct top_deed deed;

    enum top_asking asking;
    char prompt[TOP_MESSAGE_MAX];
    char input[TOP_INPUT_MAX + 1];
    char message[TOP_MESSAGE_MAX];
    uint64_t message_until_ms;
};

/* top_view.c: draws all of it. */
void colony__top_draw(struct top *top);
/* How many rows of the table are on the screen. */
size_t colony__top_page(const struct top *top);

/* top_keys.c: what a key does. */
void colony__top_key(struct top *top, int key);

/* top_output.c: follows what the selected one prints, when that is shown; forgets the rest. */
void colony__top_follow(struct top *top);
void colony__top_step_output(struct top *top, bool is_readable);
void colony__top_clear_output(struct top_output *output);

/* top_live.c: questions under way. */
void colony__top_say(struct top *top, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void colony__top_act(struct top *top);
void colony__top_ask_slots(struct top *top);
/* Until it is over. An exit code. */
int colony__top_run(struct top *top);

#endif
