/* SPDX-License-Identifier: Apache-2.0 */
#include "core/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/engine_internal.h"
#include "core/history.h"
#include "core/log.h"
#include "core/stats.h"
#include "core/store.h"

uint64_t engine_boot_ms(void)
{
    return colony_boot_now_ns() / 1000000;
}

struct slot *engine_entry_slot(struct template_entry *entry, uint32_t number)
{
    if (number >= 1 && number <= entry->slot_count && entry->slots[number - 1]->number == number)
        return entry->slots[number - 1];
    for (uint32_t i = 0; i < entry->slot_count; i++)
        if (entry->slots[i]->number == number)
            return entry->slots[i];
    return NULL;
}

const struct colony_record *engine_slot_record(const struct slot *slot)
{
    const struct colony_table *table = &slot->entry->engine->table;

    return slot->has_record && table->header ? &table->records[slot->index] : NULL;
}

static const char no_text[] = "";
static const char forgotten[] = "no memory was left to note why";

void engine_clear_text(const char **text)
{
    if (*text != no_text && *text != forgotten)
        free((void *)*text);
    *text = no_text;
}

void engine_set_text(const char **text, const char *value)
{
    const char *copy;

    if (strcmp(*text, value) == 0)
        return;
    copy = value[0] == '\0' ? no_text : strdup(value);
    engine_clear_text(text);
    *text = copy ? copy : forgotten;
}

void engine_set_why(struct template_entry *entry, const char *why)
{
    char text[WHY_SIZE];

    (void)snprintf(text, sizeof text, "%s", why ? why : "");
    engine_set_text(&entry->why, text);
}

void engine_publish_because(struct template_entry *entry, enum colony_event_type type,
                            const char *text)
{
    struct colony_event event = {.type = type, .name = entry->template->name, .text = text};

    if (!entry->is_check)
        colony_events_publish(entry->engine->events, &event);
}

void engine_publish(struct template_entry *entry, enum colony_event_type type)
{
    char why[WHY_SIZE]; /* a subscriber may set another */

    (void)snprintf(why, sizeof why, "%s", entry->why);
    engine_publish_because(entry, type, why);
}

static void on_log_status(void *owner, enum colony_log_status status, void *data)
{
    static const char *const texts[] = {
        [LOG_OK] = "is written again",
        [LOG_DROPPING] = "cannot be written: output is dropped and counted",
        [LOG_BLOCKED] = "cannot be written: the process waits",
        [LOG_STALLED] = "is stalled: a write has not come back",
    };
    struct slot *slot = owner;
    struct colony_event event = {
        .type = EVENT_LOG,
        .name = slot->entry->template->name,
        .slot = slot->number,
        .id = slot->id,
        .os_pid = slot->os_pid,
        .text = texts[status],
    };

    (void)data;
    colony_events_publish(slot->entry->engine->events, &event);
}

/* The keeper's end is seen by its socket or by its pidfd, whichever comes first. */
void engine_lose(struct colony_engine *engine)
{
    if (engine->is_lost || engine->is_closing)
        return;
    engine->is_lost = true;
    if (engine->callbacks.lost)
        engine->callbacks.lost(engine->callbacks.data);
}

/*
 * What was told and cannot be kept would be forgotten, and what lives would run twice or write into
 * a pipe that nobody reads: another engine takes our place, and is told all of it again.
 */
void engine_give_up(struct colony_engine *engine, const char *why)
{
    if (engine->is_lost || engine->is_closing)
        return;
    colony_engine_forsake(engine);
    colony_log(SEVERITY_ERROR, "begins anew: %s", why);
    if (engine->callbacks.fatal)
        engine->callbacks.fatal(engine->callbacks.data);
}

void colony_engine_tell_stuck(struct colony_engine *engine)
{
    if (engine->callbacks.stuck)
        engine->callbacks.stuck(engine->callbacks.data);
}

static void on_keeper_poll(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    (void)uv_poll_stop(poll);
    engine_lose(poll->data);
}

static int watch_keeper(struct colony_engine *engine, struct colony_error *err)
{
    int rc;

    engine->keeper_pidfd = -1;
    if (engine->keeper->keeper_pid < 0)
        return 0; /* nobody else has its end of the socket */
    /* One that has ended already is noticed by its socket. */
    engine->keeper_pidfd = (int)syscall(SYS_pidfd_open, engine->keeper->keeper_pid, 0);
    if (engine->keeper_pidfd < 0 && errno != ESRCH)
        return colony_fail_os(err, -errno, "cannot watch the keeper");
    if (engine->keeper_pidfd < 0)
        return 0;
    rc = uv_poll_init(engine->loop, &engine->keeper_poll, engine->keeper_pidfd);
    if (rc < 0) {
        (void)close(engine->keeper_pidfd);
        engine->keeper_pidfd = -1;
        return colony_fail_os(err, rc, "cannot watch the keeper");
    }
    engine->keeper_poll.data = engine;
    (void)uv_poll_start(&engine->keeper_poll, UV_READABLE, on_keeper_poll);
    return 0;
}

/* What could not be made. NULL: nothing is left of it. */
static struct colony_engine *abandon(struct colony_engine *engine)
{
    engine->is_lost = true; /* nothing is told to the keeper */
    if (!engine->link)
        (void)close(engine->keeper->link_fd);
    if (engine->timers)
        return engine;
    free(engine);
    return NULL;
}

int colony_engine_new(struct colony_engine **out, struct uv_loop_s *loop,
                      const struct colony_engine_options *options, struct colony_error *err)
{
    struct colony_engine *engine = calloc(1, sizeof *engine);
    int rc;

    if (!engine) {
        (void)close(options->keeper->link_fd);
        *out = NULL;
        return colony_fail(err, -ENOMEM, "cannot start: out of memory");
    }
    engine->loop = loop;
    engine->keeper_pidfd = engine->table.fd = -1; /* the table comes with HELLO, if ever */
    engine->settings = options->settings;
    engine->keeper = options->keeper;
    engine->callbacks = options->callbacks;
    engine->leaves = options->leaves;
    engine->drops_groups = engine_may_drop_groups();
    rc = colony_timers_new(&engine->timers, loop);
    if (rc == 0)
        engine_trim_init(engine);
    if (rc == 0)
        rc = colony_timers_add(engine->timers); /* for what is recorded later */
    if (rc == 0)
        rc = colony_events_new(&engine->events);
    if (rc == 0)
        rc = colony_logs_new(&engine->logs, loop, on_log_status, engine);
    if (rc == 0)
        rc = colony_stats_new(&engine->stats, loop);
    if (rc == 0)
        rc = colony_link_new(&engine->link, loop, engine->keeper->link_fd, engine_on_message,
                             engine);
    if (rc < 0)
        (void)colony_fail_os(err, rc, "cannot start the engine");
    else
        rc = watch_keeper(engine, err);
    if (rc == 0)
        rc = engine_load_templates(engine, err);
    if (rc < 0) {
        *out = abandon(engine);
        return rc;
    }
    engine_stir(engine, true);
    *out = engine;
    return 0;
}

void colony_engine_forsake(struct colony_engine *engine)
{
    engine->is_lost = true;
    colony_link_drop(engine->link);
}

const struct colony_error *colony_engine_why_lost(const struct colony_engine *engine)
{
    return &engine->lost_why;
}

bool colony_engine_has_history(const struct colony_engine *engine)
{
    return engine->hello.record_count > 0;
}

void colony_engine_ready(struct colony_engine *engine)
{
    struct colony_message message = {.type = MESSAGE_READY};

    (void)colony_link_send(engine->link, &message, NULL, 0);
}

/* Ending. */

void engine_check_stopped(struct colony_engine *engine)
{
    if (!engine->is_stopping || !engine->is_welcomed || engine->is_closing)
        return;
    if ((engine->up_count > 0 && !engine->leaves) || engine->last_jobs > 0)
        return;
    engine->is_closing = true;
    if (engine->callbacks.stopped)
        engine->callbacks.stopped(engine->callbacks.data);
}

/* Each is still wanted: the next start of colony starts it again. */
void engine_stop_all(struct colony_engine *engine, const char *why)
{
    bool is_told = engine->is_stopping; /* by the engine before this one */
    struct template_entry *next;

    engine->is_stopping = true;
    engine_jobs_limit(engine, ENGINE_LAST_JOBS_MS);
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next) {
        if (engine_job_is_last(entry->job))
            continue;
        engine_set_why(entry, why);
        for (uint32_t i = 0; i < entry->slot_count; i++) {
            engine_slot_because(entry->slots[i], "%s", why);
            entry->slots[i]->stop_is_due = true;
        }
    }
    for (struct template_entry *entry = engine->entries; entry; entry = next) {
        next = entry->hh.next;
        if (engine_job_is_last(entry->job))
            continue;
        if (!is_told && entry->is_wanted && !entry->is_removed)
            engine_publish(entry, EVENT_STOP);
        engine_gates_stop(entry);
    }
    engine_check_stopped(engine);
}

static void hurry_all(struct colony_engine *engine)
{
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next)
        for (uint32_t i = entry->slot_count; i-- > 0;)
            engine_slot_hurry(entry->slots[i]);
}

/* Said before anything is stopped: notes tell of a slot what it was, and not what for. */
static void tell_ending(struct colony_engine *engine)
{
    struct colony_message message = {.type = MESSAGE_ENDING, .value = engine->exit_code};

    if (engine->keeper_version >= COLONY_PROTOCOL_ENDING)
        (void)colony_link_send(engine->link, &message, NULL, 0);
}

void colony_engine_shutdown(struct colony_engine *engine, const char *why)
{
    if (engine->is_stopping) {
        engine->is_hurried = true;
        engine_jobs_limit(engine, 0);
        hurry_all(engine); /* asked twice: no more grace */
        return;
    }
    tell_ending(engine);
    if (engine->leaves) {
        colony_log(SEVERITY_INFO, "ends, and leaves its processes running: asked by %s", why);
        engine->is_stopping = true;
        engine_check_stopped(engine);
        return;
    }
    colony_log(SEVERITY_INFO, "stops all processes: asked by %s", why);
    engine_stop_all(engine, why);
}

/* Colony was there for one process, and that is over. */
void engine_end_with(struct colony_engine *engine, int exit_code, const char *why)
{
    if (engine->is_stopping)
        return;
    engine->exit_code = exit_code;
    colony_engine_shutdown(engine, why);
}

static void on_timers_closed(void *data)
{
    struct colony_engine *engine = data;
    colony_engine_close_cb cb = engine->close_cb;
    void *close_data = engine->close_data;

    if (engine->keeper_pidfd >= 0)
        (void)close(engine->keeper_pidfd);
    for (size_t i = 0; i < engine->socket_count; i++)
        (void)close(engine->sockets[i].fd);
    engine_free_entries(engine);
    colony_table_close(&engine->table);
    colony_notes_clear(&engine->notes);
    colony_events_free(engine->events);
    free(engine);
    if (cb)
        cb(close_data); /* last, so that the caller may close the loop */
}

/* The last of all that the loop holds for us is closed, but for the timers: slots end by them. */
void engine_on_part_closed(struct colony_engine *engine)
{
    if (--engine->open_handles == 0 && engine->is_closed)
        colony_timers_close(engine->timers, on_timers_closed, engine);
}

static void on_part_closed(void *data)
{
    engine_on_part_closed(data);
}

static void on_poll_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

/* All is written: now the keeper may end. */
static void on_store_closed(void *data)
{
    struct colony_engine *engine = data;
    struct colony_message message = {.type = MESSAGE_SHUTDOWN, .value = engine->exit_code};

    if (engine->is_stopping && !engine->is_lost)
        (void)colony_link_send(engine->link, &message, NULL, 0);
    engine->is_closed = true;
    engine->open_handles += 4;
    if (engine->link)
        colony_link_close(engine->link, on_part_closed, engine);
    else
        engine->open_handles--;
    if (engine->stats)
        colony_stats_close(engine->stats, on_part_closed, engine);
    else
        engine->open_handles--;
    if (engine->keeper_pidfd >= 0)
        uv_close((uv_handle_t *)&engine->keeper_poll, on_poll_closed);
    else
        engine->open_handles--;
    engine_on_part_closed(engine);
}

static void on_logs_closed(void *data)
{
    struct colony_engine *engine = data;

    colony_history_free(engine->history);
    (void)engine_record_rest(engine);
    if (engine->store)
        colony_store_close(engine->store, on_store_closed, engine);
    else
        on_store_closed(engine);
}

void colony_engine_close(struct colony_engine *engine, int exit_code, colony_engine_close_cb cb,
                         void *data)
{
    engine->is_closing = true;
    engine->exit_code = exit_code;
    engine->close_cb = cb;
    engine->close_data = data;
    engine_trim_close(engine);
    engine_schedule_close(engine);
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next)
        for (uint32_t i = 0; i < entry->slot_count; i++)
            engine_run_free(entry->slots[i]);
    engine_http_close(engine);
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next)
        while (entry->slot_count > 0) {
            struct slot *slot = entry->slots[entry->slot_count - 1];

            slot->has_record = false; /* SHUTDOWN lets go of all records at once */
            engine_slot_retire(slot);
        }
    if (engine->logs)
        colony_logs_close(engine->logs, on_logs_closed, engine);
    else
        on_logs_closed(engine);
}

/* What was told and waits to be written, or posted, would go with us. */
static void save_all(struct colony_engine *engine)
{
    for (const struct colony_leaver *leaver = engine->leavers; leaver; leaver = leaver->next)
        leaver->leave(leaver->data);
    (void)engine_record_rest(engine);
    if (engine->store)
        colony_store_flush(engine->store);
}

void colony_engine_upgrade(struct colony_engine *engine)
{
    struct colony_message message = {.type = MESSAGE_UPGRADE};

    if (engine->is_stopping)
        return;
    colony_log(SEVERITY_INFO, "keeper and engine are replaced by what is installed");
    save_all(engine);
    colony_log_finish(); /* we are killed as soon as it is said */
    if (colony_link_send(engine->link, &message, NULL, 0) == -ENOMEM)
        engine_give_up(engine, "cannot ask for an upgrade: out of memory"); /* nobody serves */
}

void colony_engine_each_fd(struct colony_engine *engine, void (*cb)(int fd, void *data), void *data)
{
    colony_logs_each_pipe(engine->logs, cb, data);
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next)
        for (uint32_t i = 0; i < entry->slot_count; i++) {
            engine_run_each_fd(entry->slots[i], cb, data);
            engine_input_each_fd(entry->slots[i]->input, cb, data);
            engine_custom_each_fd(entry->slots[i], cb, data);
        }
}

static void keep_over_exec(int fd, void *data)
{
    (void)data;
    (void)fcntl(fd, F_SETFD, 0);
}

int colony_engine_become_keeper(struct colony_engine *engine, struct colony_error *err)
{
    struct colony_keeper_options options = *engine->keeper;
    struct pollfd keeper = {.fd = engine->keeper_pidfd, .events = POLLIN};
    char **argv;

    save_all(engine);
    /* It may only have let go of us; and a parent that is another's says surely that it ended. */
    if (getppid() == options.keeper_pid && poll(&keeper, 1, 1000) != 1)
        return colony_fail(err, -EBUSY, "cannot take over: the keeper lives");
    options.keeper_pid = -1;
    if (options.is_managed || options.has_user)
        return colony_fail(err, -EPERM,
                           "ends with the keeper: whoever started colony starts it again");
    options.link_fd = -1;
    options.ending_with = colony_engine_ending_with(engine);
    options.socket_count = engine->socket_count;
    for (size_t i = 0; i < engine->socket_count; i++) {
        options.sockets[i] = engine->sockets[i];
        keep_over_exec(engine->sockets[i].fd, NULL);
    }
    keep_over_exec(options.lock_fd, NULL);
    colony_engine_each_fd(engine, keep_over_exec, NULL); /* what was not read yet goes on with us */
    argv = colony_keeper_options_argv(&options, "keeper");
    if (!argv)
        return colony_fail(err, -ENOMEM, "cannot take over: out of memory");
    colony_log(SEVERITY_ERROR, "the keeper is gone: takes its place, processes go on");
    colony_log_finish();
    (void)execv("/proc/self/exe", argv);
    free(argv);
    return colony_fail_os(err, -errno, "cannot take over");
}
