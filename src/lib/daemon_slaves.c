/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_slaves.c - `run` and its slaves: threads that work until the daemon stops. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "api/hosted.h"
#include "core/error.h"
#include "lib/daemon_internal.h"

static _Thread_local struct colony__slave *current; /* of the calling thread; NULL: it is none */

/* --- one thread ------------------------------------------------------------------------------- */

static void end_slave(struct colony__slave *slave)
{
    struct colony_daemon *daemon = slave->daemon;

    colony__daemon_lock(daemon);
    while (slave->is_asked)
        (void)pthread_cond_wait(&daemon->turn, &daemon->lock);
    slave->has_returned = true;
    colony__daemon_unlock(daemon);
    if (slave->own.end)
        slave->own.end(slave->own.data);
    if (slave->number == 0)
        colony_daemon_stop(daemon);
    colony__daemon_lock(daemon);
    slave->is_over = true;
    colony__daemon_unlock(daemon);
    colony__daemon_wake_loop(daemon);
}

static void *run_slave(void *data)
{
    struct colony__slave *slave = data;

    current = slave;
    colony__daemon_label_thread(slave->label);
    slave->own.run(slave->daemon, slave->own.data);
    end_slave(slave);
    return NULL;
}

/* The least that no other of its name has. */
static uint32_t find_number(const struct colony_daemon *daemon, const char *name)
{
    const struct colony__slave *slave = LIST_FIRST(&daemon->slaves);
    uint32_t number = 1;

    while (slave)
        if (slave->number == number && strcmp(slave->name, name) == 0) {
            number++;
            slave = LIST_FIRST(&daemon->slaves);
        } else {
            slave = LIST_NEXT(slave, place);
        }
    return number;
}

/* The lock is held. */
static int begin_slave(struct colony_daemon *daemon, struct colony__slave *slave)
{
    int rc;

    if (slave->number > 0) {
        slave->number = find_number(daemon, slave->name);
        (void)snprintf(slave->label, sizeof slave->label, "%s-%u", slave->name, slave->number);
    }
    rc = pthread_create(&slave->thread, NULL, run_slave, slave);
    if (rc != 0)
        return -rc;
    LIST_INSERT_HEAD(&daemon->slaves, slave, place);
    daemon->slave_count++;
    return 0;
}

static struct colony__slave *make_slave(struct colony_daemon *daemon,
                                        const struct colony_daemon_slave *own)
{
    struct colony__slave *slave = calloc(1, sizeof *slave);
    struct timespec now = {0};

    if (!slave)
        return NULL;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    slave->daemon = daemon;
    slave->own = *own;
    slave->started_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    (void)snprintf(slave->name, sizeof slave->name, "%s", own->name);
    slave->own.name = slave->name;
    return slave;
}

int colony__slaves_run_main(struct colony_daemon *daemon, struct colony_error *err)
{
    static const char label[] = "MainThread";
    const struct colony_daemon_slave own = {
        .name = label, .run = daemon->callbacks.run, .data = daemon->callbacks.data};
    struct colony__slave *slave = make_slave(daemon, &own);
    int rc = -ENOMEM;

    if (slave) {
        (void)snprintf(slave->label, sizeof slave->label, "%s", label);
        colony__daemon_lock(daemon);
        rc = begin_slave(daemon, slave);
        colony__daemon_unlock(daemon);
    }
    if (rc == 0)
        return 0;
    free(slave);
    return colony_fail_os(err, rc, "cannot start the daemon");
}

int colony_daemon_run_slave(struct colony_daemon *daemon, const struct colony_daemon_slave *slave,
                            struct colony_error *err)
{
    struct colony__slave *made;
    int rc = -ESHUTDOWN;

    if (!slave->run || !colony__daemon_is_name(slave->name))
        return colony_fail(err, -EINVAL,
                           "cannot run a slave: it needs a function, and a name of 1 to %d bytes "
                           "of UTF-8, without control bytes",
                           COLONY__DAEMON_NAME_MAX);
    made = make_slave(daemon, slave);
    if (!made)
        return colony_fail(err, -ENOMEM, "cannot run a slave: out of memory");
    made->number = 1;
    colony__daemon_lock(daemon);
    if (daemon->phase == DAEMON_RUNNING && !daemon->is_stopping)
        rc = begin_slave(daemon, made);
    colony__daemon_unlock(daemon);
    if (rc == 0)
        return 0;
    free(made);
    if (rc == -ESHUTDOWN)
        return colony_fail(err, rc, "cannot run the slave %s: the daemon does not run",
                           slave->name);
    return colony_fail_os(err, rc, "cannot run the slave %s", slave->name);
}

/* Takes those out of the list that are over: how many are not. */
static size_t take_over(struct colony_daemon *daemon, struct colony__slaves *over)
{
    struct colony__slave *slave;
    struct colony__slave *next;
    size_t count;

    colony__daemon_lock(daemon);
    for (slave = LIST_FIRST(&daemon->slaves); slave; slave = next) {
        next = LIST_NEXT(slave, place);
        if (!slave->is_over)
            continue;
        LIST_REMOVE(slave, place);
        LIST_INSERT_HEAD(over, slave, place);
        daemon->slave_count--;
    }
    count = daemon->slave_count;
    colony__daemon_unlock(daemon);
    return count;
}

size_t colony__slaves_reap(struct colony_daemon *daemon)
{
    struct colony__slaves over = LIST_HEAD_INITIALIZER(over);
    struct colony__slave *slave;
    size_t count = take_over(daemon, &over);

    /* Without the lock: destructors of the program's own thread-specific data may run still, and
     * may ask anything of the daemon. */
    while ((slave = LIST_FIRST(&over))) {
        LIST_REMOVE(slave, place);
        (void)pthread_join(slave->thread, NULL);
        free(slave);
    }
    return count;
}

/* --- what they say of themselves -------------------------------------------------------------- */

/* The lock is held. */
static bool has_several(const struct colony_daemon *daemon, const struct colony__slave *one)
{
    const struct colony__slave *slave;

    LIST_FOREACH(slave, &daemon->slaves, place)
    {
        if (slave != one && slave->number > 0 && !slave->has_returned &&
            strcmp(slave->name, one->name) == 0)
            return true;
    }
    return false;
}

/* NULL: out of memory. */
static cJSON *add_slave(const struct colony__slave *slave, const char *name, cJSON *list)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *started = colony_hosted_make_time(slave->started_us);

    if (json && cJSON_AddStringToObject(json, "name", name) && started &&
        cJSON_AddItemToObject(json, "started", started)) {
        if (cJSON_AddItemToArray(list, json))
            return json;
    } else {
        cJSON_Delete(started);
    }
    cJSON_Delete(json);
    return NULL;
}

/* Neither ends while it is asked, so the list goes on behind it; the lock is held but for that. */
static void ask(struct colony__slave *slave, cJSON *list)
{
    struct colony_daemon *daemon = slave->daemon;
    cJSON *json = add_slave(slave, has_several(daemon, slave) ? slave->label : slave->name, list);

    if (!json || !slave->own.status)
        return;
    slave->is_asked = true;
    colony__daemon_unlock(daemon);
    slave->own.status(daemon, json, slave->own.data);
    colony__daemon_lock(daemon);
    slave->is_asked = false;
    (void)pthread_cond_broadcast(&daemon->turn);
}

/* The oldest first. */
static struct colony__slave *find_next(const struct colony_daemon *daemon,
                                       const struct colony__slave *last)
{
    struct colony__slave *slave;
    struct colony__slave *next = NULL;

    LIST_FOREACH(slave, &daemon->slaves, place)
    {
        if (slave == last)
            break;
        if (slave->number > 0 && !slave->has_returned)
            next = slave;
    }
    return next;
}

void colony__slaves_add_status(struct colony_daemon *daemon, cJSON *status)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(status, "slaves");
    struct colony__slave *slave;

    colony__daemon_lock(daemon);
    for (slave = find_next(daemon, NULL); slave && list; slave = find_next(daemon, slave))
        ask(slave, list);
    colony__daemon_unlock(daemon);
}

/* --- for their use ---------------------------------------------------------------------------- */

bool colony_daemon_is_stopping(const struct colony_daemon *daemon)
{
    return daemon->is_stopping;
}

static struct timespec time_in(uint64_t ms)
{
    const uint64_t ms_max = UINT64_C(1000) * 86400 * 36500;
    struct timespec at = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    if (ms > ms_max)
        ms = ms_max;
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool colony_daemon_sleep(struct colony_daemon *daemon, uint64_t ms)
{
    const struct timespec until = time_in(ms);
    struct colony__slave *slave = current && current->daemon == daemon ? current : NULL;
    int rc = 0;

    colony__daemon_lock(daemon);
    while (rc == 0 && !daemon->is_stopping && !(slave && slave->is_woken))
        rc = pthread_cond_timedwait(&daemon->turn, &daemon->lock, &until);
    if (slave)
        slave->is_woken = false;
    colony__daemon_unlock(daemon);
    return !daemon->is_stopping;
}

void colony_daemon_wake(struct colony_daemon *daemon, const char *name)
{
    struct colony__slave *slave;

    colony__daemon_lock(daemon);
    LIST_FOREACH(slave, &daemon->slaves, place)
    {
        if (slave->number > 0 && strcmp(slave->name, name) == 0)
            slave->is_woken = true;
    }
    (void)pthread_cond_broadcast(&daemon->turn);
    colony__daemon_unlock(daemon);
}
