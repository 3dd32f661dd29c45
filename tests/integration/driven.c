/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driven.c - colony itself, whose engine also does what it is asked at the socket `driven` of its
 * state folder: what a session asks for, and nobody can from outside.
 *
 * A datagram is a call and its arguments; the answer is its result, and after a blank the message.
 * With DRIVEN_LEAVES in its environment the engine leaves its processes when it ends.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <uv.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/keeper_options.h"
#include "core/template.h"
#include "core/value.h"

enum {
    WORDS_MAX = 5,
    ORDER_MAX = 8192,
};

/* By the linker: what calls colony_engine_new() calls the first, and that calls the real one. */
int __wrap_colony_engine_new(struct colony_engine **out, struct uv_loop_s *loop,
                             const struct colony_engine_options *options, struct colony_error *err);
int __real_colony_engine_new(struct colony_engine **out, struct uv_loop_s *loop,
                             const struct colony_engine_options *options, struct colony_error *err);

static struct {
    struct colony_engine *engine;
    uv_poll_t poll;
    int fd;
} driven;

static int put(const char *text, struct colony_error *err)
{
    struct colony_template *template = NULL;
    struct colony_value *source = NULL;
    int rc = colony_value_parse_json(&source, text, strlen(text), err);

    if (rc == 0)
        rc = colony_template_new(&template, NULL, source, NULL, true, err);
    colony_value_free(source);
    return rc < 0 ? rc
                  : colony_engine_put_owned(driven.engine, COLONY_ORIGIN_SESSION, template, "test",
                                            err);
}

static int carry_out(char *words[WORDS_MAX], struct colony_error *err)
{
    struct colony_engine *engine = driven.engine;
    const char *call = words[0];

    if (strcmp(call, "put") == 0)
        return put(words[1], err);
    if (strcmp(call, "drop") == 0)
        return colony_engine_drop_owned(engine, COLONY_ORIGIN_SESSION, words[1], "test", err);
    if (strcmp(call, "let-go") == 0)
        return colony_engine_let_go(engine, words[1], "test", err);
    if (strcmp(call, "adopt") == 0)
        return colony_engine_adopt(engine, words[1], (uint32_t)strtoul(words[2], NULL, 10),
                                   (pid_t)strtol(words[3], NULL, 10), strtoull(words[4], NULL, 10),
                                   "test", err);
    if (strcmp(call, "let-go-unclaimed") == 0)
        colony_engine_let_go_unclaimed(engine, "test");
    else if (strcmp(call, "state") == 0)
        colony_engine_set_state(engine, words[1], *words[2] ? words[2] : NULL);
    else
        return colony_fail(err, -ENOSYS, "no such call: %s", call);
    return 0;
}

/* The last word of `put` has blanks of its own. */
static void split(char *text, char *words[WORDS_MAX])
{
    static char none[1];
    size_t most = strncmp(text, "put ", 4) == 0 ? 2 : WORDS_MAX;

    for (size_t i = 0; i < WORDS_MAX; i++) {
        char *blank = i + 1 < most ? strchr(text, ' ') : NULL;

        words[i] = text;
        if (blank)
            *blank = '\0';
        text = blank ? blank + 1 : none;
    }
}

static void on_order(uv_poll_t *poll, int status, int events)
{
    struct sockaddr_un from;
    socklen_t size = sizeof from;
    struct colony_error err = {0};
    char text[ORDER_MAX];
    char answer[1024];
    char *words[WORDS_MAX];
    ssize_t length = recvfrom(driven.fd, text, sizeof text - 1, 0, (struct sockaddr *)&from, &size);
    int rc;

    (void)poll, (void)status, (void)events;
    if (length < 0)
        return;
    text[length] = '\0';
    split(text, words);
    rc = carry_out(words, &err);
    (void)snprintf(answer, sizeof answer, "%d %s", rc, err.message);
    (void)sendto(driven.fd, answer, strlen(answer), 0, (struct sockaddr *)&from, size);
}

static int listen_to_tests(struct uv_loop_s *loop, const char *state_dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (snprintf(address.sun_path, sizeof address.sun_path, "%s/engine/driven", state_dir) >=
        (int)sizeof address.sun_path)
        return -ENAMETOOLONG;
    driven.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(address.sun_path);
    if (driven.fd < 0 || bind(driven.fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        uv_poll_init(loop, &driven.poll, driven.fd) < 0)
        return -errno;
    (void)uv_poll_start(&driven.poll, UV_READABLE, on_order);
    return 0;
}

int __wrap_colony_engine_new(struct colony_engine **out, struct uv_loop_s *loop,
                             const struct colony_engine_options *options, struct colony_error *err)
{
    struct colony_engine_options changed = *options;
    int rc;

    changed.leaves = getenv("DRIVEN_LEAVES") != NULL;
    rc = __real_colony_engine_new(out, loop, &changed, err);
    if (rc < 0)
        return rc;
    driven.engine = *out;
    rc = listen_to_tests(loop, options->keeper->state_dir);
    return rc < 0 ? colony_fail_os(err, rc, "cannot listen to tests") : 0;
}
