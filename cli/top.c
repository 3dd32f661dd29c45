/* SPDX-License-Identifier: Apache-2.0 */
/* top.c - `colony top`: a live table of what runs, and one table with -b. */
#include <cjson/cJSON.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "columns.h"
#include "commands.h"
#include "core/error.h"
#include "core/template.h"
#include "top_internal.h"

enum {
    INTERVAL_MS = 1000,
    INTERVAL_MIN_MS = 100,
    INTERVAL_MAX_MS = 24 * 3600 * 1000,
    MEASURE_MS = 1000, /* over which one table measures */
};

struct top_options {
    struct ctl ctl;
    bool is_batch;
    const char *sort;
};

/* clang-format off */
#define AT(field) offsetof(struct top_options, field)

static const struct colony_option top_options[] = {
    {"batch",    'b', NULL,      "print one table and end; also without a terminal", OPTION_FLAG,     AT(is_batch),          NULL},
    {"interval", 'd', "SECONDS", "how often to look, default 1",                     OPTION_DURATION, AT(ctl.interval_ms),   NULL},
    {"sort",     's', "COLUMN",  "by name, cpu, mem, restarts, uptime or state; default cpu", OPTION_TEXT, AT(sort),          NULL},
    {"endpoint",   0, "ADDR", "unix:PATH or http[s]://HOST:PORT; also $COLONY_ENDPOINT", OPTION_TEXT, AT(ctl.endpoint_text), NULL},
    {"connect",    0, "ADDR", NULL,                                                      OPTION_TEXT, AT(ctl.endpoint_text), NULL},
    {"state",      0, "DIR",  "the colony that was started with --state DIR",            OPTION_TEXT, AT(ctl.state_dir),     NULL},
    {"conf",       0, "DIR",  "the colony that was started with nothing but --conf DIR and --messages", OPTION_TEXT, AT(ctl.conf_dir), NULL},
    {"token-file", 0, "FILE", "the token to show; also $COLONY_TOKEN itself",            OPTION_TEXT, AT(ctl.token_file),    NULL},
    {"cacert",     0, "FILE", "https: who may have signed its certificate",              OPTION_TEXT, AT(ctl.cacert),        NULL},
    {"cert",       0, "FILE", "https: a certificate of our own",                         OPTION_TEXT, AT(ctl.cert),          NULL},
    {"key",        0, "FILE", "https: its key, unless it is in the same file",           OPTION_TEXT, AT(ctl.key),           NULL},
    {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
};
/* clang-format on */

const struct colony_usage colony_top_usage = {
    .command = "colony top",
    .arguments = "",
    .summary = "Show what runs, live: cpu, memory, restarts and the output of the selected\n"
               "template, and start, stop, restart, signal and scale it. `h` tells the keys.",
    .examples = "colony top\n"
                "colony top --sort mem -d 5\n"
                "colony top -b\n"
                "colony top --endpoint https://shop.example:5443 --token-file token\n",
    .options = top_options,
};

static int parse_sort(enum top_sort *sort, const char *text)
{
    const char *names[TOP_SORT_COUNT + 1] = {NULL};
    const char *nearest;

    for (int i = 0; i < TOP_SORT_COUNT; i++) {
        names[i] = colony__top_sort_name((enum top_sort)i);
        if (strcmp(names[i], text) == 0) {
            *sort = (enum top_sort)i;
            return EXIT_OK;
        }
    }
    nearest = colony_name_nearest(text, names);
    colony_options_complain(&colony_top_usage,
                            nearest ? "--sort: no such column: %s: did you mean %s?"
                                    : "--sort: no such column: %s: name, cpu, mem, restarts, "
                                      "uptime or state%s",
                            text, nearest ? nearest : "");
    return EXIT_USAGE;
}

/* A look that is waited for. */
static int look(struct top *top)
{
    const struct ctl_question question =
        colony__ctl_look("/slots?stats=true", "show processes", NULL);
    struct cJSON *json;
    int exit_code = colony__ctl_ask_json(&top->ctl, &question, &json);
    int rc = exit_code == EXIT_OK ? colony__top_take(&top->model, json, colony_target_now_ms()) : 0;

    cJSON_Delete(json);
    if (rc < 0)
        return colony__ctl_fail(EXIT_FAILED, "cannot show processes: %s", strerror(-rc));
    return exit_code;
}

static int add_row(struct colony_columns *columns, const struct top_row *row)
{
    char up[CTL_NUMBER_MAX];
    char cpu[CTL_NUMBER_MAX] = "-";
    char mem[CTL_NUMBER_MAX];
    char restarts[CTL_NUMBER_MAX];
    char uptime[CTL_NUMBER_MAX];

    (void)snprintf(up, sizeof up, "%u/%u", row->running, row->slots);
    if (row->running > 0)
        (void)snprintf(cpu, sizeof cpu, "%.1f", row->cpu);
    colony__ctl_write_size(mem, row->running > 0 ? row->mem : -1);
    (void)snprintf(restarts, sizeof restarts, "%.0f", row->restarts);
    colony__ctl_write_duration(uptime, row->uptime);
    return colony_columns_add(columns, (const struct colony_cell[]){{row->name, NULL},
                                                                    {up, NULL},
                                                                    {row->state, NULL},
                                                                    {cpu, NULL},
                                                                    {mem, NULL},
                                                                    {restarts, NULL},
                                                                    {uptime, NULL},
                                                                    {row->note, NULL}});
}

/* What processes use is measured over a second. */
static int print_table(struct top *top)
{
    static const char *const headers[] = {"NAME", "UP",       "STATE",  "CPU",
                                          "MEM",  "RESTARTS", "UPTIME", "NOTE"};
    struct colony_columns *columns = NULL;
    int exit_code;
    int rc;

    (void)poll(NULL, 0, MEASURE_MS);
    exit_code = look(top);
    if (exit_code != EXIT_OK)
        return exit_code;
    rc = colony_columns_new(&columns, headers, sizeof headers / sizeof headers[0]);
    for (size_t i = 0; i < top->model.shown && rc == 0; i++)
        rc = add_row(columns, &top->model.rows[top->model.order[i]]);
    if (rc == 0)
        colony_columns_print(columns);
    colony_columns_free(columns);
    if (rc < 0)
        return colony__ctl_fail(EXIT_FAILED, "cannot show processes: out of memory");
    return EXIT_OK;
}

static int show_live(struct top *top)
{
    struct colony_error err = {0};
    int rc;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return colony__ctl_fail(EXIT_USAGE,
                                "cannot show a live table: this is no terminal (colony top -b "
                                "prints one table)");
    rc = colony_ncurses_get(&top->lib, &err);
    if (rc < 0)
        return colony__ctl_fail(EXIT_FAILED, "%s", err.message);
    top->slots_at_ms = colony_target_now_ms() + top->interval_ms;
    top->shows_output = true;
    return colony__top_run(top);
}

static int run(struct top *top, const struct top_options *options)
{
    uint64_t interval_ms = options->ctl.interval_ms;
    int exit_code;

    top->ctl = options->ctl;
    top->interval_ms = interval_ms == UINT64_MAX       ? INTERVAL_MS
                       : interval_ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS
                       : interval_ms > INTERVAL_MAX_MS ? INTERVAL_MAX_MS
                                                       : interval_ms;
    top->model.sort = TOP_SORT_CPU;
    exit_code = options->sort ? parse_sort(&top->model.sort, options->sort) : EXIT_OK;
    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_find_target(&top->ctl);
    if (exit_code == EXIT_OK)
        exit_code = look(top);
    if (exit_code == EXIT_OK)
        exit_code = options->is_batch ? print_table(top) : show_live(top);
    colony__top_clear(&top->model);
    return exit_code;
}

int colony_cmd_top(int argc, char **argv)
{
    struct top_options options = {.ctl = {.interval_ms = UINT64_MAX}};
    struct top *top;
    int exit_code;

    (void)signal(SIGPIPE, SIG_IGN); /* noticed as a failed write */
    if (!colony_options_parse(&colony_top_usage, &options, &argc, argv, &exit_code))
        return exit_code;
    colony__ctl_speak_as("colony top");
    top = calloc(1, sizeof *top);
    if (!top)
        return colony__ctl_fail(EXIT_FAILED, "cannot show processes: out of memory");
    exit_code = run(top, &options);
    free(top);
    return exit_code;
}
