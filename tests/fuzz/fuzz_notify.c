/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams of sd_notify(3), as bytes and through a socket: what is told is what was said.
 *
 * An input is datagrams, each after its length: one byte, or 255 and all that is left.
 */
#include <errno.h>
#include <sys/socket.h>

#include <uv.h>

#include "core/ready_internal.h"
#include "core/template.h"
#include "core/utf8.h"

#include "fuzz.h"

enum {
    DATAGRAM_MAX = 6000, /* more than is taken */
    REST = 255,
    NEWS_KINDS = READY_NEWS_TRIED + 1,
};

/* What a slot was told, or should have been. */
struct heard {
    unsigned count[NEWS_KINDS];
    char status[COLONY__NOTIFY_STATUS_MAX + 1];
    uint64_t extend_ms;
};

static struct heard heard;

static void on_news(enum colony_ready_news news, const char *text, uint64_t ms, void *data)
{
    (void)data;
    heard.count[news]++;
    if (news == READY_NEWS_STATUS)
        (void)snprintf(heard.status, sizeof heard.status, "%s", text);
    if (news == READY_NEWS_EXTEND)
        heard.extend_ms = ms;
}

static void check_status(const char *status)
{
    size_t length = strlen(status);

    CHECK(length <= COLONY__NOTIFY_STATUS_MAX && colony_utf8_length(status, length) == length);
    for (const char *at = status; *at != '\0'; at++)
        CHECK((unsigned char)*at >= 0x20 && *at != 0x7f &&
              !((unsigned char)at[0] == 0xc2 && (unsigned char)at[1] < 0xa0));
}

/* A status that was cleaned stays as it is. */
static void check_again(const char *status)
{
    char text[COLONY__NOTIFY_STATUS_MAX + sizeof "STATUS="];
    struct colony__notify again;

    (void)snprintf(text, sizeof text, "STATUS=%s", status);
    CHECK(colony__notify_parse(&again, text, strlen(text)) == 0);
    CHECK(again.has_status && strcmp(again.status, status) == 0);
}

static void expect(struct heard *expected, const char *bytes, size_t size)
{
    struct colony__notify said;

    if (colony__notify_parse(&said, bytes, size) < 0) {
        CHECK(size > 1 && memchr(bytes, '\0', size - 1));
        return;
    }
    if (said.has_status) {
        check_status(said.status);
        check_again(said.status);
        (void)snprintf(expected->status, sizeof expected->status, "%s", said.status);
    }
    if (said.has_extend) {
        CHECK(said.extend_ms <= UINT64_MAX / 1000 + 1);
        expected->extend_ms = said.extend_ms;
    }
    expected->count[READY_NEWS_STATUS] += said.has_status;
    expected->count[READY_NEWS_EXTEND] += said.has_extend;
    expected->count[READY_NEWS_ALIVE] += said.is_alive;
    expected->count[READY_NEWS_TRIGGER] += said.is_trigger;
    expected->count[READY_NEWS_READY] |= said.is_ready; /* told once */
}

/* A slot that listens, as long as the process lives. */
static uv_loop_t *slot_loop(int *sender, struct colony_ready **ready)
{
    static const struct colony_ready_settings by_notify = {.kind = READY_NOTIFY};
    static const struct colony_template template = {.name = "web", .ready = &by_notify};
    static struct colony_ready *listener;
    static uv_loop_t loop;
    static int ends[2];
    const int on = 1;

    if (!listener) {
        const struct colony_ready_options options = {
            .loop = &loop, .template = &template, .cb = on_news};

        CHECK(uv_loop_init(&loop) == 0);
        CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        CHECK(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
        CHECK(colony_ready_new(&listener, &options) == 0);
        CHECK(colony_ready_take_fd(listener, ends[0]) == 0);
    }
    *sender = ends[1];
    *ready = listener;
    return &loop;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct heard expected = {0};
    struct colony_ready *ready;
    int sender;
    uv_loop_t *loop = slot_loop(&sender, &ready);

    memset(&heard, 0, sizeof heard);
    CHECK(colony_ready_expect(ready, NULL) == 0);
    CHECK(colony_ready_begin(ready, getuid(), NULL, 0) == 0);
    while (input.left > 0) {
        size_t length = fuzz_byte(&input);
        char *bytes;

        if (length == REST || length > input.left)
            length = input.left < DATAGRAM_MAX ? input.left : DATAGRAM_MAX;
        bytes = fuzz_text(input.at, length);
        input.at += length;
        input.left -= length;
        CHECK(send(sender, bytes, length, 0) == (ssize_t)length);
        if (length <= COLONY__NOTIFY_BYTES_MAX)
            expect(&expected, bytes, length);
        free(bytes);
        (void)uv_run(loop, UV_RUN_NOWAIT);
    }
    CHECK(memcmp(heard.count, expected.count, sizeof heard.count) == 0);
    CHECK(strcmp(heard.status, expected.status) == 0 && heard.extend_ms == expected.extend_ms);
    colony_ready_end(ready);
    return 0;
}
