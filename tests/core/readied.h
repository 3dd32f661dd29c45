/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readied.h - an object that finds out about readiness, on a loop that is turned until something is
 * so, and what it told. For forked children (CHECK).
 */
#ifndef COLONY_TESTS_READIED_H
#define COLONY_TESTS_READIED_H

#include "logged.h"

#include "core/ready.h"

enum {
    NEWS_KINDS = READY_NEWS_TRIED + 1,
    TOLD_MAX = 32,
};

struct readied {
    uv_loop_t loop;
    struct colony_template template;
    struct colony_ready_settings settings; /* of the template */
    struct colony_ready *ready;
    int count[NEWS_KINDS];
    char told[TOLD_MAX + 1]; /* a letter each: Ready, Status, Extend, Alive, triGger, tried (X) */
    char text[1024];         /* the last of STATUS or TRIED */
    uint64_t ms;             /* the last of EXTEND */
    void (*act)(struct readied *readied);
    bool is_closed;
};

static inline void on_news(enum colony_ready_news news, const char *text, uint64_t ms, void *data)
{
    struct readied *readied = data;
    size_t length = strlen(readied->told);
    void (*act)(struct readied * readied) = readied->act;

    CHECK(!readied->is_closed);
    readied->count[news]++;
    if (length < TOLD_MAX)
        readied->told[length] = "RSEAGX"[news];
    if (text)
        (void)snprintf(readied->text, sizeof readied->text, "%s", text);
    if (news == READY_NEWS_EXTEND)
        readied->ms = ms;
    readied->act = NULL;
    if (act)
        act(readied);
}

static inline void on_ready_closed(void *data)
{
    ((struct readied *)data)->is_closed = true;
}

static inline int readied_try(struct readied *readied, struct colony_ready_settings settings,
                              const struct colony_ready_runner *runner)
{
    const struct colony_ready_options options = {.loop = &readied->loop,
                                                 .template = &readied->template,
                                                 .runner = runner,
                                                 .cb = on_news,
                                                 .data = readied};

    readied->settings = settings;
    readied->template = (struct colony_template){.name = "web", .ready = &readied->settings};
    return colony_ready_new(&readied->ready, &options);
}

static inline void readied_init(struct readied *readied, struct colony_ready_settings settings)
{
    CHECK(uv_loop_init(&readied->loop) == 0);
    CHECK(readied_try(readied, settings, NULL) == 0);
}

/* Closes it, and checks that nothing of it is left on the loop. */
static inline void readied_close(struct readied *readied)
{
    if (readied->ready) {
        colony_ready_close(readied->ready, on_ready_closed, readied);
        CHECK(!readied->is_closed); /* never from inside close */
        TURN_UNTIL(readied, readied->is_closed);
    }
    (void)uv_run(&readied->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&readied->loop) == 0);
    if (__lsan_do_leak_check)
        __lsan_do_leak_check();
}

static inline void turn_some(struct readied *readied)
{
    for (int i = 0; i < 20; i++) {
        (void)uv_run(&readied->loop, UV_RUN_NOWAIT);
        (void)poll(NULL, 0, 1);
    }
}

static inline bool has_told(const struct readied *readied, const char *told)
{
    return strcmp(readied->told, told) == 0;
}

#endif
