/* SPDX-License-Identifier: Apache-2.0 */
/* started.h - a daemon (colony_daemon_*) on a thread of the test's, and what it is asked by HTTP.
 */
#ifndef COLONY_TESTS_LIB_STARTED_H
#define COLONY_TESTS_LIB_STARTED_H

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include <cjson/cJSON.h>
#include <colony.h>

#include "../scratch.h"
#include "asked.h"

#define FREE_PORT "{master: {host: 127.0.0.1, port: 0}}"

/* A daemon on a thread, whose `run` waits until it is stopped. */
struct fixture {
    struct colony_daemon *daemon;
    pthread_t thread;
    sem_t is_up;
    sem_t gate; /* of callbacks that are held up */
    sem_t is_held;
    int rc;
    struct colony_error err;
    _Atomic int events;
    _Atomic int rounds;
    _Atomic int ends;
    int log[2]; /* 0: it has no pipe */
    char answer[ANSWER_SIZE];
};

static inline void run_until_stopped(struct colony_daemon *daemon, void *data)
{
    struct fixture *f = data;

    (void)sem_post(&f->is_up);
    while (colony_daemon_sleep(daemon, 1000000))
        ;
}

static inline void fixture_init(struct fixture *f, const struct colony_daemon_callbacks *more,
                                const char *settings)
{
    struct colony_daemon_callbacks callbacks = more ? *more : (struct colony_daemon_callbacks){0};

    memset(f, 0, sizeof *f);
    assert_int_equal(sem_init(&f->is_up, 0, 0), 0);
    assert_int_equal(sem_init(&f->gate, 0, 0), 0);
    assert_int_equal(sem_init(&f->is_held, 0, 0), 0);
    if (!callbacks.run)
        callbacks.run = run_until_stopped;
    callbacks.data = f;
    assert_int_equal(colony_daemon_open(&f->daemon, "tested", &callbacks, NULL), 0);
    assert_int_equal(colony_daemon_load_text(f->daemon, settings, strlen(settings), NULL), 0);
}

static inline void *start(void *data)
{
    struct fixture *f = data;

    f->rc = colony_daemon_start(f->daemon, &f->err);
    return NULL;
}

static inline void fixture_start(struct fixture *f)
{
    assert_int_equal(pthread_create(&f->thread, NULL, start, f), 0);
    (void)sem_wait(&f->is_up);
}

/* Until it has ended. */
static inline void fixture_join(struct fixture *f)
{
    (void)pthread_join(f->thread, NULL);
    f->thread = 0;
}

static inline void fixture_clear(struct fixture *f)
{
    if (f->thread) {
        colony_daemon_stop(f->daemon);
        fixture_join(f);
        assert_int_equal(f->rc, 0);
    }
    colony_daemon_free(f->daemon);
    for (int i = 0; i < 2 && f->log[1] > 0; i++)
        (void)close(f->log[i]);
    (void)sem_destroy(&f->is_up);
    (void)sem_destroy(&f->gate);
    (void)sem_destroy(&f->is_held);
}

static inline const char *ask(struct fixture *f, const char *method, const char *path,
                              const char *body)
{
    (void)ask_for(f->answer, colony_daemon_port(f->daemon), method, path, body);
    return f->answer;
}

#endif
