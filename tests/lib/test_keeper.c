/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper of an engine in a program, as that hears of it: a script in its stead. */
#include "../scratch.h"

#include <errno.h>

#include <uv.h>

#include "core/error.h"
#include "core/keeper_options.h"
#include "lib/keeper_internal.h"

enum {
    TURNS_MAX = 1000,
};

struct fixture {
    struct scratch scratch;
    uv_loop_t loop;
    uv_prepare_t turns;
    unsigned turn_count;
    struct colony_keeper_options options;
    struct colony__keeper *keeper;
};

/* Before it waits; its own reads may leave such an errno. */
static void count_turn(uv_prepare_t *turns)
{
    ((struct fixture *)turns->data)->turn_count++;
    errno = EAGAIN;
}

static void on_ended(void *data)
{
    struct fixture *f = data;

    colony__keeper_close(f->keeper);
    uv_close((uv_handle_t *)&f->turns, NULL);
}

static void fixture_init(struct fixture *f, const char *script)
{
    const struct colony__keeper_plan plan = {.options = &f->options, .ended = on_ended, .data = f};
    int fd;

    memset(f, 0, sizeof *f);
    scratch_init(&f->scratch);
    colony_keeper_options_init(&f->options);
    f->options.lock_fd = f->scratch.fd; /* some descriptor that goes along */
    (void)snprintf(f->options.program, sizeof f->options.program, "%s/keeper", f->scratch.path);
    fd = open(f->options.program, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_true(fd >= 0 && dprintf(fd, "#!/bin/sh\n%s\n", script) > 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    (void)uv_prepare_init(&f->loop, &f->turns);
    (void)uv_prepare_start(&f->turns, count_turn);
    f->turns.data = f;
    assert_int_equal(colony__keeper_new(&f->keeper, &f->loop, &plan, NULL), 0);
}

static void fixture_clear(struct fixture *f)
{
    assert_int_equal(uv_loop_close(&f->loop), 0);
    scratch_clear(&f->scratch);
}

TEST(test_the_end_of_its_log_is_heard_once)
{
    struct fixture f;

    fixture_init(&f, "exec 2>&-; sleep 0.3"); /* it lives on */
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    assert_true(f.turn_count < TURNS_MAX);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_end_of_its_log_is_heard_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
