/* SPDX-License-Identifier: Apache-2.0 */
/* juggler_reports.c - what was told of each template, and what has changed since. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "api/juggler_internal.h"
#include "core/engine.h"
#include "core/event_settings.h"

/* What was told of one template. */
struct colony__report {
    UT_hash_handle hh;
    enum colony_juggler_status told;
    bool is_due;  /* to be told whatever it is */
    bool is_seen; /* the template is there */
    char name[];
};

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc): the macros of uthash are counted as if they were written here */

static struct colony__report *find_report(const struct colony__reports *reports, const char *name)
{
    struct colony__report *report;

    HASH_FIND_STR(reports->all, name, report);
    return report;
}

/* NULL: out of memory. */
static struct colony__report *add_report(struct colony__reports *reports, const char *name)
{
    size_t size = strlen(name) + 1;
    struct colony__report *report = calloc(1, sizeof *report + size);

    if (!report)
        return NULL;
    memcpy(report->name, name, size);
    report->is_due = true;
    HASH_ADD_STR(reports->all, name, report);
    if (!report->hh.tbl) {
        free(report);
        return NULL;
    }
    return report;
}

static bool is_reported(const struct colony_juggler_settings *settings, const char *name)
{
    char *const *wanted = settings->processes;

    if (!wanted || !*wanted)
        return true;
    for (; *wanted; wanted++)
        if (strcmp(*wanted, name) == 0)
            return true;
    return false;
}

struct look {
    struct colony__juggler_verdict verdict;
    bool has_ready;
};

static void look_at_slot(const struct colony_slot_info *slot, void *data)
{
    struct look *look = data;

    colony__juggler_judge(&look->verdict, slot, look->has_ready);
}

static void look_at_template(const struct colony_template *template, void *data)
{
    struct colony__reports *reports = data;
    struct look look = {.has_ready = template->ready->kind != READY_NONE};
    struct colony__report *report;
    struct colony__told *told;

    if (!is_reported(reports->settings, template->name))
        return;
    report = find_report(reports, template->name);
    if (!report)
        report = add_report(reports, template->name);
    if (!report) /* it is tried again with the next change, or at the next resend */
        return;
    report->is_seen = true;
    (void)colony_engine_each_slot(reports->engine, template->name, look_at_slot, &look);
    if ((!report->is_due && look.verdict.status == report->told) ||
        reports->batch_count == reports->settings->batch_max)
        return;
    told = &reports->batch[reports->batch_count++];
    told->status = look.verdict.status;
    (void)snprintf(told->name, sizeof told->name, "%s", template->name);
    colony__juggler_describe(&look.verdict, told->description, sizeof told->description);
}

/* What is gone is not reported any more. */
static void forget_gone(struct colony__reports *reports)
{
    struct colony__report *report;
    struct colony__report *next;

    HASH_ITER(hh, reports->all, report, next)
    {
        if (!report->is_seen) {
            HASH_DEL(reports->all, report);
            free(report);
            continue;
        }
        report->is_seen = false;
    }
}

void colony__reports_look(struct colony__reports *reports)
{
    reports->batch_count = 0;
    colony_engine_each_template(reports->engine, look_at_template, reports);
    forget_gone(reports);
}

void colony__reports_note(struct colony__reports *reports, const struct colony__told *told)
{
    struct colony__report *report = find_report(reports, told->name);

    if (!report)
        return;
    report->told = told->status;
    report->is_due = false;
}

void colony__reports_make_due(struct colony__reports *reports)
{
    struct colony__report *report;
    struct colony__report *next;

    HASH_ITER(hh, reports->all, report, next)
    {
        report->is_due = true;
    }
}

void colony__reports_clear(struct colony__reports *reports)
{
    struct colony__report *report;
    struct colony__report *next;

    HASH_ITER(hh, reports->all, report, next)
    {
        HASH_DEL(reports->all, report);
        free(report);
    }
    free(reports->batch);
    reports->batch = NULL;
}

/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc) */
