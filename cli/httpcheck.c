/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpcheck.c - `colony httpcheck`: asks for a restart of what does not answer (ORIGINALS §2).
 *
 * The folder is looked at on a worker's thread, which hands over what has changed; requests and
 * their timers are the loop's. Whatever is slow holds up nobody else.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Out of memory a table must say so instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "checker.h"
#include "commands.h"
#include "core/array.h"
#include "core/error.h"
#include "core/http_client.h"
#include "core/log.h"
#include "core/settings.h"
#include "fsctl/check_settings.h"
#include "fsctl/scan.h"
#include "options.h"

/* What a look has found: a file that asks for a check now, or that does not any more. */
struct change {
    char *name;
    char *url; /* NULL: it does not */
    struct colony_httpcheck_settings settings;
};

/* One process that is checked. */
struct target {
    char *name;
    char *url;
    struct colony_httpcheck_settings settings;
    struct httpcheck *owner;
    uv_timer_t timer; /* of the next check */
    struct colony_http_job *job;
    uv_work_t work; /* that asks for a restart */
    bool is_asking;
    bool is_closing;
    bool is_closed;
    uint32_t bad; /* in a row */
    UT_hash_handle hh;
};

struct httpcheck {
    struct checker *checker;
    struct colony_scan *scan;
    struct colony_http_client *client;
    struct change *changes; /* the worker's while a look is under way */
    size_t change_count;
    size_t change_capacity;
    struct target *targets; /* by name */
};

const struct colony_usage colony_httpcheck_usage = {
    .command = "colony httpcheck",
    .arguments = "",
    .summary =
        "Ask ncolony's processes by HTTP whether they are well: whose file says\n"
        "\"ncolony.httpcheck\" and whose URL fails more than maxBad times in a row (no answer in\n"
        "time, refused, or a status of 400 and above) is asked to be restarted.",
    .examples = "colony httpcheck --messages /messages --config /conf\n"
                "colony httpcheck --messages /messages --config /conf --freq 1\n",
    .options = colony_checker_options,
};

/* --- the files, on the worker's thread -------------------------------------------------------- */

static void free_change(struct change *change)
{
    free(change->name);
    free(change->url);
}

static void add_change(struct httpcheck *check, const char *name,
                       const struct colony_httpcheck_settings *settings)
{
    struct change *changes = colony_array_room(check->changes, check->change_count,
                                               &check->change_capacity, sizeof *changes);
    struct change change = {.name = strdup(name)};

    if (settings) {
        change.url = strdup(settings->url);
        change.settings = *settings;
    }
    if (changes)
        check->changes = changes;
    if (!changes || !change.name || (settings && !change.url)) {
        colony_log(SEVERITY_ERROR, "cannot check %s: out of memory", name);
        free_change(&change);
        return;
    }
    check->changes[check->change_count++] = change;
}

static void on_changed(struct colony_scan_file *file, const struct colony_value *config, void *data)
{
    struct colony_httpcheck_settings settings = {0};
    struct colony_error err = {0};
    int rc = colony_httpcheck_settings_read(config, &settings, &err);

    if (rc > 0 && !colony_is_http_url(settings.url))
        rc = colony_fail(&err, -EINVAL,
                         "cannot use `url`: it must be http:// or https://, a host, and no blanks");
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot check %s: %s", file->name, err.message);
    add_change(data, file->name, rc > 0 ? &settings : NULL);
}

static void on_gone(struct colony_scan_file *file, void *data)
{
    add_change(data, file->name, NULL);
}

/* --- checks, on the loop ---------------------------------------------------------------------- */

static void check_now(uv_timer_t *timer);

static void arm(struct target *target, uint64_t ms)
{
    (void)uv_timer_start(&target->timer, check_now, ms, 0);
}

static void free_target(struct target *target)
{
    if (!target->is_closed || target->is_asking)
        return;
    free(target->name);
    free(target->url);
    free(target);
}

static void ask(uv_work_t *request)
{
    const struct target *target = request->data;

    (void)checker_ask_restart(target->owner->checker, target->name);
}

/* It has its grace again, as one that has just been added. */
static void on_asked(uv_work_t *request, int status)
{
    struct target *target = request->data;
    const struct colony_httpcheck_settings *settings = &target->settings;

    (void)status;
    target->is_asking = false;
    target->bad = 0;
    if (target->is_closing)
        free_target(target);
    else
        arm(target,
            settings->grace_ms > settings->period_ms ? settings->grace_ms : settings->period_ms);
}

static void begin_restart(struct target *target)
{
    target->work.data = target;
    target->is_asking = uv_queue_work(target->timer.loop, &target->work, ask, on_asked) == 0;
    if (!target->is_asking)
        arm(target, target->settings.period_ms);
}

static void count_bad(struct target *target, const char *why)
{
    const struct colony_httpcheck_settings *settings = &target->settings;

    if (++target->bad <= settings->max_bad) {
        colony_log(SEVERITY_INFO, "%s fails: %s (%u in a row)", target->name, why, target->bad);
        return;
    }
    colony_log(SEVERITY_WARNING, "%s fails: %s (%u in a row): asks for a restart", target->name,
               why, target->bad);
    begin_restart(target);
}

static void on_answer(const struct colony_http_result *result, void *data)
{
    struct target *target = data;
    char why[64];

    target->job = NULL;
    if (result->status > 0 && result->status < 400) {
        target->bad = 0;
        return;
    }
    (void)snprintf(why, sizeof why, "status %d", result->status);
    count_bad(target, result->status > 0 ? why : result->reason);
}

/* The next one is due a period later, by which time this one is over. */
static void check_now(uv_timer_t *timer)
{
    struct target *target = timer->data;
    const struct colony_http_request request = {
        .url = target->url,
        .timeout_ms = target->settings.timeout_ms,
        .cb = on_answer,
        .data = target,
    };

    arm(target, target->settings.period_ms);
    if (target->job || target->is_asking)
        return;
    if (colony_http_client_send(target->owner->client, &request, &target->job) < 0)
        colony_log(SEVERITY_ERROR, "cannot check %s: out of memory", target->name);
}

/* --- what a look has found, on the loop ------------------------------------------------------- */

static void on_target_closed(uv_handle_t *handle)
{
    struct target *target = handle->data;

    target->is_closed = true;
    free_target(target);
}

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-*): the macros of uthash are counted as if written here */
static void drop_target(struct httpcheck *check, struct target *target)
{
    HASH_DEL(check->targets, target);
    if (target->job)
        colony_http_job_cancel(target->job);
    target->is_closing = true;
    uv_close((uv_handle_t *)&target->timer, on_target_closed);
}

/* Takes the texts of @change over. */
static void add_target(struct httpcheck *check, struct change *change)
{
    struct target *target = calloc(1, sizeof *target);

    if (!target) {
        colony_log(SEVERITY_ERROR, "cannot check %s: out of memory", change->name);
        return;
    }
    target->name = change->name;
    target->url = change->url;
    target->settings = change->settings;
    target->settings.url = target->url;
    target->owner = check;
    change->name = change->url = NULL;
    (void)uv_timer_init(&check->checker->loop, &target->timer); /* never fails */
    target->timer.data = target;
    HASH_ADD_KEYPTR(hh, check->targets, target->name, strlen(target->name), target);
    if (target->hh.tbl) {
        arm(target, target->settings.grace_ms);
        return;
    }
    colony_log(SEVERITY_ERROR, "cannot check %s: out of memory", target->name);
    uv_close((uv_handle_t *)&target->timer, on_target_closed);
}

static void apply(struct httpcheck *check, struct change *change)
{
    struct target *target = NULL;

    HASH_FIND_STR(check->targets, change->name, target);
    if (target)
        drop_target(check, target); /* what has changed begins anew */
    if (change->url)
        add_target(check, change);
}
/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-*) */

static void looked(struct checker *checker)
{
    struct httpcheck *check = checker->data;

    for (size_t i = 0; i < check->change_count; i++) {
        apply(check, &check->changes[i]);
        free_change(&check->changes[i]);
    }
    check->change_count = 0;
}

/* --- the checker ------------------------------------------------------------------------------ */

static int open_check(struct checker *checker, struct colony_error *err)
{
    struct httpcheck *check = calloc(1, sizeof *check);
    const struct colony_scan_callbacks callbacks = {on_changed, NULL, on_gone, check};
    int rc = check ? 0 : -ENOMEM;

    if (rc == 0)
        rc = colony_scan_new(&check->scan, checker->config, &callbacks);
    if (rc < 0)
        (void)colony_fail(err, rc, "cannot begin to check: out of memory");
    else
        rc = colony_http_client_new(&check->client, &checker->loop, err);
    if (rc < 0) {
        if (check)
            colony_scan_free(check->scan);
        free(check);
        return rc;
    }
    check->checker = checker;
    checker->data = check;
    return 0;
}

static int look(struct checker *checker, struct colony_error *err)
{
    struct httpcheck *check = checker->data;

    return colony_scan_look(check->scan, err);
}

static void on_client_closed(void *data)
{
    (void)data;
}

static void close_check(struct checker *checker)
{
    struct httpcheck *check = checker->data;

    while (check->targets)
        drop_target(check, check->targets);
    colony_http_client_close(check->client, on_client_closed, NULL);
}

static void free_check(struct checker *checker)
{
    struct httpcheck *check = checker->data;

    colony_scan_free(check->scan);
    for (size_t i = 0; i < check->change_count; i++)
        free_change(&check->changes[i]);
    free(check->changes);
    free(check);
}

int colony_cmd_httpcheck(int argc, char **argv)
{
    static const struct checker_kind kind = {
        .usage = &colony_httpcheck_usage,
        .name = "httpcheck",
        .open = open_check,
        .look = look,
        .looked = looked,
        .close = close_check,
        .free = free_check,
    };

    return checker_run(&kind, argc, argv);
}
