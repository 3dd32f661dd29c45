/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_stats.c - `colony ctl stats`: what processes use, once or again and again. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"

enum {
    INTERVAL_MS = 1000,
    INTERVAL_MIN_MS = 100, /* a measurement takes as long */
};

#define CLEAR_SCREEN "\033[H\033[2J"

/* One look at all that was asked for. */
struct look {
    const struct ctl *ctl;
    struct colony_columns *columns; /* NULL: lines */
    char when[32];
    bool has_failed; /* no memory for a row */
};

static const char *const headers[] = {"NAME", "ID",   "PID",  "USER",     "CPU",
                                      "MEM",  "VIRT", "TIME", "CHILDREN", "COMMAND"};

/* --- rows ------------------------------------------------------------------------------------- */

struct row {
    char id[CTL_NUMBER_MAX];
    char pid[CTL_NUMBER_MAX];
    char cpu[CTL_NUMBER_MAX];
    char mem[CTL_NUMBER_MAX];
    char virtual[CTL_NUMBER_MAX];
    char time[CTL_NUMBER_MAX];
    char children[CTL_NUMBER_MAX];
};

static unsigned count_family(const struct cJSON *process)
{
    const struct cJSON *child;
    unsigned count = 0;

    cJSON_ArrayForEach(child, cJSON_GetObjectItemCaseSensitive(process, "children"))
    {
        count += 1 + count_family(child);
    }
    return count;
}

static void write_row(struct row *row, const struct cJSON *process)
{
    unsigned children = count_family(process);

    (void)snprintf(row->id, sizeof row->id, "%.0f", colony__ctl_number(process, "id"));
    (void)snprintf(row->pid, sizeof row->pid, "%.0f", colony__ctl_number(process, "pid"));
    (void)snprintf(row->cpu, sizeof row->cpu, "%.1f", colony__ctl_number(process, "cpu"));
    colony__ctl_write_size(row->mem, colony__ctl_number(process, "mem_info1"));
    colony__ctl_write_size(row->virtual, colony__ctl_number(process, "mem_info2"));
    colony__ctl_write_duration(row->time, colony__ctl_number(process, "ctime"));
    (void)snprintf(row->children, sizeof row->children, "%.*u", children > 0, children);
}

/* For whoever reads it line by line. */
static void print_line(const struct look *look, const char *name, const struct row *row,
                       const struct cJSON *process)
{
    printf("%s  ", look->when);
    colony__ctl_print_text(name);
    printf("  id %s  pid %s  cpu %s  mem %s  virt %s  time %s  ", row->id, row->pid, row->cpu,
           row->mem, row->virtual, row->time);
    colony__ctl_print_text(colony__ctl_text(process, "cmdline"));
    printf("\n");
}

static void show_process(struct look *look, const char *name, const struct cJSON *process)
{
    struct row row;

    write_row(&row, process);
    if (!look->columns)
        print_line(look, name, &row, process);
    else if (colony_columns_add(
                 look->columns,
                 (const struct colony_cell[]){{name, NULL},
                                              {row.id, NULL},
                                              {row.pid, NULL},
                                              {colony__ctl_text(process, "username"), NULL},
                                              {row.cpu, NULL},
                                              {row.mem, NULL},
                                              {row.virtual, NULL},
                                              {row.time, NULL},
                                              {row.children, NULL},
                                              {colony__ctl_text(process, "cmdline"), NULL}}) < 0)
        look->has_failed = true;
}

static void show_template(struct look *look, const struct cJSON *template)
{
    const struct cJSON *process;

    cJSON_ArrayForEach(process, cJSON_GetObjectItemCaseSensitive(template, "stats"))
    {
        show_process(look, colony__ctl_text(template, "name"), process);
    }
}

/* --- questions -------------------------------------------------------------------------------- */

/* The answers for @names, or for all when there are none, in @all, an array. */
static int ask(const struct ctl *ctl, const struct cJSON *names, struct cJSON **all)
{
    const struct ctl_question question = colony__ctl_look("/stats", "show figures", NULL);
    const struct cJSON *name;
    int exit_code = EXIT_OK;

    if (!names->child)
        return colony__ctl_ask_json(ctl, &question, all);
    *all = cJSON_CreateArray();
    cJSON_ArrayForEach(name, names)
    {
        struct cJSON *one = NULL;

        exit_code = colony__ctl_get(ctl, "/stats/", "show figures of", name->valuestring, &one);
        if (exit_code != EXIT_OK || !cJSON_AddItemToArray(*all, one)) {
            cJSON_Delete(one);
            return exit_code != EXIT_OK
                       ? exit_code
                       : colony__ctl_fail(EXIT_FAILED, "cannot show figures: out of memory");
        }
    }
    return exit_code;
}

static int print_table(struct look *look, const struct cJSON *all, bool is_redrawn)
{
    const struct cJSON *template;

    if (colony_columns_new(&look->columns, headers, sizeof headers / sizeof headers[0]) < 0)
        return colony__ctl_fail(EXIT_FAILED, "cannot show figures: out of memory");
    cJSON_ArrayForEach(template, all)
    {
        show_template(look, template);
    }
    if (is_redrawn)
        printf(CLEAR_SCREEN);
    colony_columns_print(look->columns);
    colony_columns_free(look->columns);
    look->columns = NULL;
    if (look->has_failed)
        return colony__ctl_fail(EXIT_FAILED, "cannot show figures: out of memory");
    return EXIT_OK;
}

static int print_lines(struct look *look, const struct cJSON *all)
{
    const struct cJSON *template;
    time_t now = time(NULL);
    struct tm tm;

    if (!localtime_r(&now, &tm) || strftime(look->when, sizeof look->when, "%H:%M:%S", &tm) == 0)
        look->when[0] = '\0';
    cJSON_ArrayForEach(template, all)
    {
        show_template(look, template);
    }
    return EXIT_OK;
}

/* Once; *is_over: nobody reads it any more. */
static int show(const struct ctl *ctl, const struct cJSON *names, bool *is_over)
{
    struct look look = {.ctl = ctl};
    struct cJSON *all = NULL;
    int exit_code = ask(ctl, names, &all);

    if (exit_code == EXIT_OK && ctl->is_json)
        exit_code = colony__ctl_print_tree(all);
    else if (exit_code == EXIT_OK && ctl->follows && !isatty(STDOUT_FILENO))
        exit_code = print_lines(&look, all);
    else if (exit_code == EXIT_OK)
        exit_code = print_table(&look, all, ctl->follows);
    cJSON_Delete(all);
    errno = 0;
    *is_over = fflush(stdout) != 0;
    if (*is_over && errno == EPIPE)
        clearerr(stdout); /* whoever read our output has had enough */
    return exit_code;
}

/* Until the next look; false: nobody reads our output any more. */
static bool pause_for(uint64_t interval_ms)
{
    struct pollfd wait = {.fd = STDOUT_FILENO, .events = 0};

    if (interval_ms < INTERVAL_MIN_MS)
        interval_ms = INTERVAL_MIN_MS;
    if (interval_ms > INT32_MAX)
        interval_ms = INT32_MAX;
    return poll(&wait, 1, (int)interval_ms) <= 0 || !(wait.revents & POLLERR);
}

int colony__ctl_stats(struct ctl *ctl, int argc, char **argv)
{
    uint64_t interval_ms = ctl->interval_ms != UINT64_MAX ? ctl->interval_ms : INTERVAL_MS;
    struct cJSON *names;
    bool is_over = false;
    int exit_code = colony__ctl_expand(ctl, "show figures of", argc, argv, &names);

    if (exit_code == EXIT_OK)
        exit_code = show(ctl, names, &is_over);
    while (exit_code == EXIT_OK && ctl->follows && !is_over && pause_for(interval_ms))
        exit_code = show(ctl, names, &is_over);
    cJSON_Delete(names);
    return exit_code;
}
