/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_job.c - commands of job.h.
 *
 * As a check (engine_check.c) each is a slot of a template that nobody sees. Its stdin is a memfd,
 * which ends where the text does, whatever the command does with it; its output is a pipe of the
 * engine's own. Both go along with SPAWN.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/engine_internal.h"
#include "core/fd.h"
#include "core/job.h"
#include "core/log.h"

enum {
    READ_BYTES = 16384,
    READS_A_TURN = 16,
};

struct colony_job {
    struct colony_engine *engine;
    struct slot *slot;
    uv_poll_t poll; /* of its output */
    uv_timer_t timer;
    int output_fd;
    int child_fds[2]; /* what goes along with SPAWN: its stdin, and its output; -1: gone */
    bool has_errors;
    bool is_late;
    bool is_last;        /* it goes on when colony ends */
    bool is_cancelled;   /* and its time for that is over */
    unsigned open_count; /* handles */
    colony_job_cb cb;
    void *data;
    size_t output_max;
    size_t output_size;
    char output[]; /* and a NUL */
};

/* --- its descriptors -------------------------------------------------------------------------- */

static int make_input(const struct colony_job_wish *wish)
{
    int fd = memfd_create("colony-input", MFD_CLOEXEC);
    size_t done = 0;

    if (fd < 0)
        return -errno;
    while (done < wish->input_size) {
        ssize_t count = write(fd, wish->input + done, wish->input_size - done);

        if (count < 0 && errno != EINTR) {
            int rc = -errno;

            (void)close(fd);
            return rc;
        }
        done += count > 0 ? (size_t)count : 0;
    }
    (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

static int open_fds(struct colony_job *job, const struct colony_job_wish *wish)
{
    int ends[2];

    job->child_fds[0] = make_input(wish);
    if (job->child_fds[0] < 0)
        return job->child_fds[0];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK); /* the child's end stays as a program expects it */
    job->output_fd = ends[0];
    job->child_fds[1] = ends[1];
    return 0;
}

size_t engine_job_plan(struct colony_job *job, struct colony_spawn_order *order, int *fds)
{
    order->plan[0] = FD_PASSED | 0;
    order->plan[1] = FD_PASSED | 1;
    order->plan[2] = job->has_errors ? FD_PASSED | 1 : FD_NULL;
    fds[0] = job->child_fds[0];
    fds[1] = job->child_fds[1];
    job->child_fds[0] = -1;
    job->child_fds[1] = -1;
    return 2;
}

/* Once it has ended too: what others hold open after it is not waited for. */
static void read_output(struct colony_job *job)
{
    char bytes[READ_BYTES];
    ssize_t count = 1;

    for (int i = 0; i < READS_A_TURN && count > 0; i++) {
        size_t room = job->output_max - job->output_size;

        count = read(job->output_fd, bytes, sizeof bytes);
        if (count > 0) {
            size_t kept = (size_t)count < room ? (size_t)count : room;

            memcpy(job->output + job->output_size, bytes, kept);
            job->output_size += kept;
        }
    }
    if (count == 0)
        (void)uv_poll_stop(&job->poll);
}

static void on_output(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status < 0)
        (void)uv_poll_stop(poll);
    else
        read_output(poll->data);
}

/* --- its template and slot -------------------------------------------------------------------- */

static struct colony_template *make_template(const struct colony_job_wish *wish, uint64_t number)
{
    static const struct colony_restart_policy once = {.when = RESTART_NEVER, .expected = {1}};
    struct colony_template *plain = NULL;
    struct colony_template *template = NULL;
    struct colony_template changed;
    char name[COLONY_NAME_MAX];

    if (colony_template_restore(&plain, "{\"name\": \"job\", \"cmd\": \"-\"}", NULL) < 0)
        return NULL;
    /* One of an engine before this may still be there. */
    (void)snprintf(name, sizeof name, ENGINE_CHECK_MARK "%.60s %llu %llu", wish->label,
                   (unsigned long long)number, (unsigned long long)engine_boot_ms());
    changed = *plain;
    changed.name = name;
    changed.argv = (char **)wish->argv;
    changed.env = wish->env ? (char **)wish->env : plain->env;
    changed.log.mode = LOG_NONE;
    changed.restart = &once;
    (void)colony_template_copy(&template, &changed);
    colony_template_free(plain);
    return template;
}

static int make_slot(struct colony_job *job, const struct colony_job_wish *wish)
{
    struct colony_engine *engine = job->engine;
    struct colony_template *template = make_template(wish, ++engine->job_count);
    struct template_entry *entry;
    int rc = template ? engine_add_entry(engine, template, "", &entry) : -ENOMEM;

    if (rc < 0) {
        colony_template_free(template);
        return rc;
    }
    entry->is_check = true;
    entry->is_removed = true; /* nobody sees it */
    rc = engine_slot_new(&job->slot, entry, 1);
    if (rc < 0)
        engine_free_entry(entry);
    else
        entry->job = job;
    return rc;
}

/* --- its end ---------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct colony_job *job = handle->data;
    struct colony_engine *engine = job->engine;

    if (--job->open_count > 0)
        return;
    colony_fd_close(&job->output_fd);
    free(job);
    engine_on_part_closed(engine);
}

/* What it left behind is ended with its slot. */
static void let_go(struct colony_job *job)
{
    struct slot *slot = job->slot;

    slot->entry->job = NULL;
    colony_fd_close(&job->child_fds[0]);
    colony_fd_close(&job->child_fds[1]);
    uv_close((uv_handle_t *)&job->poll, on_handle_closed);
    uv_close((uv_handle_t *)&job->timer, on_handle_closed);
    engine_slot_leave(slot, false);
}

/* Colony need not wait for it any more. */
static void leave_last(const struct colony_job *job)
{
    if (!job->is_last)
        return;
    job->engine->last_jobs--;
    engine_check_stopped(job->engine);
}

static bool was_cancelled(const struct colony_job *job)
{
    if (job->is_last)
        return job->is_cancelled;
    return !job->is_late && job->engine->is_stopping && job->slot->state == SLOT_STOPPED;
}

static int exit_status_of(const struct colony_job *job)
{
    const struct slot *slot = job->slot;

    if (job->is_late || slot->failure || !slot->has_exit || !slot->exit_known)
        return -1;
    return WIFSIGNALED(slot->wait_status) ? 128 + WTERMSIG(slot->wait_status)
                                          : WEXITSTATUS(slot->wait_status);
}

void engine_job_on_move(struct slot *slot)
{
    struct colony_job *job = slot->entry->job;
    char why[CAUSE_SIZE];
    struct colony_job_end end;

    if (slot->state != SLOT_COMPLETED && slot->state != SLOT_FAILED && slot->state != SLOT_STOPPED)
        return;
    (void)snprintf(why, sizeof why, "%s", job->is_late ? "took too long" : slot->cause);
    read_output(job);
    job->output[job->output_size] = '\0';
    end = (struct colony_job_end){.exit_status = exit_status_of(job),
                                  .is_cancelled = was_cancelled(job),
                                  .why = why,
                                  .output = job->output,
                                  .output_size = job->output_size};
    let_go(job); /* its memory is there until its handles are closed */
    job->cb(&end, job->data);
    leave_last(job); /* after that, which may have begun another */
}

void colony_job_cancel(struct colony_job *job)
{
    let_go(job);
    leave_last(job);
}

static void on_late(uv_timer_t *timer)
{
    struct colony_job *job = timer->data;
    const struct colony_engine *engine = job->engine;

    if (job->is_last && engine->is_stopping && uv_now(engine->loop) >= engine->last_until_ms)
        job->is_cancelled = true;
    else
        job->is_late = true;
    engine_slot_stop(job->slot);
}

/* --- when colony ends ------------------------------------------------------------------------- */

bool engine_job_is_last(const struct colony_job *job)
{
    return job && job->is_last;
}

void engine_jobs_limit(struct colony_engine *engine, uint64_t time_ms)
{
    engine->last_until_ms = uv_now(engine->loop) + time_ms;
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next) {
        struct colony_job *job = entry->job;

        if (!engine_job_is_last(job) || !uv_is_active((uv_handle_t *)&job->timer))
            continue; /* or it is being stopped already */
        if (uv_timer_get_due_in(&job->timer) > time_ms)
            (void)uv_timer_start(&job->timer, on_late, time_ms, 0);
    }
}

/* How long it may take; 0: no time is left for it. */
static uint64_t time_for(const struct colony_engine *engine, const struct colony_job_wish *wish)
{
    uint64_t now_ms = uv_now(engine->loop);
    uint64_t left_ms = engine->last_until_ms > now_ms ? engine->last_until_ms - now_ms : 0;

    if (!engine->is_stopping)
        return wish->timeout_ms;
    if (!wish->is_last)
        return 0;
    return wish->timeout_ms < left_ms ? wish->timeout_ms : left_ms;
}

/* --- its beginning ---------------------------------------------------------------------------- */

static void job_free(struct colony_job *job)
{
    colony_fd_close(&job->child_fds[0]);
    colony_fd_close(&job->child_fds[1]);
    colony_fd_close(&job->output_fd);
    free(job);
}

static int begin(struct colony_job *job, const struct colony_job_wish *wish)
{
    struct colony_engine *engine = job->engine;
    int rc = open_fds(job, wish);

    if (rc == 0)
        rc = uv_poll_init(engine->loop, &job->poll, job->output_fd);
    if (rc < 0) {
        job_free(job);
        return rc;
    }
    job->poll.data = job;
    (void)uv_timer_init(engine->loop, &job->timer);
    job->timer.data = job;
    job->open_count = 2;
    engine->open_handles++;
    rc = make_slot(job, wish);
    if (rc == 0)
        rc = uv_poll_start(&job->poll, UV_READABLE, on_output);
    if (rc == 0) {
        (void)uv_timer_start(&job->timer, on_late, time_for(engine, wish), 0);
        engine_slot_start(job->slot);
        return 0;
    }
    if (job->slot) {
        let_go(job);
        return rc;
    }
    colony_fd_close(&job->child_fds[0]);
    colony_fd_close(&job->child_fds[1]);
    uv_close((uv_handle_t *)&job->poll, on_handle_closed);
    uv_close((uv_handle_t *)&job->timer, on_handle_closed);
    return rc;
}

int colony_job_run(struct colony_job **out, struct colony_engine *engine,
                   const struct colony_job_wish *wish, struct colony_error *err)
{
    struct colony_job *job;
    int rc;

    if (engine->is_closing || (engine->is_stopping && time_for(engine, wish) == 0))
        return colony_fail(err, -ESHUTDOWN, "cannot run %s: colony is ending", wish->argv[0]);
    job = calloc(1, sizeof *job + wish->output_max + 1);
    if (!job)
        return colony_fail(err, -ENOMEM, "cannot run %s: out of memory", wish->argv[0]);
    job->engine = engine;
    job->output_fd = -1;
    job->child_fds[0] = -1;
    job->child_fds[1] = -1;
    job->has_errors = wish->has_errors;
    job->output_max = wish->output_max;
    job->cb = wish->cb;
    job->data = wish->data;
    rc = begin(job, wish);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot run %s", wish->argv[0]);
    job->is_last = wish->is_last;
    engine->last_jobs += job->is_last;
    *out = job;
    return 0;
}
