/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router.c - plain ZeroMQ: a ROUTER that gives each message back, and a DEALER that measures.
 *
 *     router serve ENDPOINT
 *     router ask ENDPOINT SECONDS DEPTH MESSAGE
 *
 * `ask` keeps DEPTH messages under way, with a number for the `%` in MESSAGE, and prints how many
 * were answered a second, and the median and the 99th percentile of the time each took in µs.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zmq.h>

enum {
    DEPTH_MAX = 64,
    TIMES_MAX = 4000000,
    MESSAGE_MAX = 1024,
    PATIENCE_MS = 10000,
};

static double times[TIMES_MAX];

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "router: cannot %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void serve(void *context, const char *endpoint)
{
    void *socket = zmq_socket(context, ZMQ_ROUTER);

    if (!socket || zmq_bind(socket, endpoint) < 0)
        fail("bind");
    for (;;) {
        zmq_msg_t part;
        int more = 1;

        while (more) {
            (void)zmq_msg_init(&part);
            if (zmq_msg_recv(&part, socket, 0) < 0)
                fail("receive");
            more = zmq_msg_more(&part);
            if (zmq_msg_send(&part, socket, more ? ZMQ_SNDMORE : 0) < 0)
                fail("send");
        }
    }
}

/* The number is what an answer is known by: messages may overtake each other. */
static void send_one(void *socket, const char *message, unsigned number, double *began)
{
    char text[MESSAGE_MAX + 16];
    const char *place = strchr(message, '%');
    int size =
        snprintf(text, sizeof text, "%.*s%u%s", (int)(place - message), message, number, place + 1);

    *began = now_us();
    if (zmq_send(socket, text, (size_t)size, 0) < 0)
        fail("send");
}

static unsigned receive_one(void *socket)
{
    char text[MESSAGE_MAX + 64];
    int size = zmq_recv(socket, text, sizeof text - 1, 0);
    const char *id;

    if (size < 0)
        fail("receive");
    text[(size_t)size < sizeof text ? (size_t)size : sizeof text - 1] = '\0';
    id = strstr(text, "\"id\":");
    if (!id || strstr(text, "\"error\"")) {
        (void)fprintf(stderr, "router: this is no answer: %s\n", text);
        exit(1);
    }
    return (unsigned)strtoul(id + strlen("\"id\":"), NULL, 10);
}

static int compare(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;

    return (difference > 0) - (difference < 0);
}

static void ask(void *context, char **argv)
{
    static double began[DEPTH_MAX];
    const int patience = PATIENCE_MS;
    double end = now_us() + strtod(argv[1], NULL) * 1e6;
    unsigned depth = (unsigned)strtoul(argv[2], NULL, 10);
    unsigned number = 0;
    size_t count = 0;
    double start;
    void *socket = zmq_socket(context, ZMQ_DEALER);

    if (!socket || zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience) < 0 ||
        zmq_connect(socket, argv[0]) < 0)
        fail("connect");
    if (depth == 0 || depth > DEPTH_MAX || !strchr(argv[3], '%') || strlen(argv[3]) > MESSAGE_MAX)
        fail("use these arguments");
    while (number < depth) {
        send_one(socket, argv[3], number, &began[number]);
        number++;
    }
    start = now_us();
    while (now_us() < end && count < TIMES_MAX) {
        unsigned slot = receive_one(socket) % depth;

        times[count++] = now_us() - began[slot];
        while (number % depth != slot) /* the slot that is free is the number's */
            number++;
        send_one(socket, argv[3], number++, &began[slot]);
    }
    start = now_us() - start;
    qsort(times, count, sizeof times[0], compare);
    printf("%.1f %.2f %.2f\n", (double)count / start * 1e6, times[count / 2],
           times[count * 99 / 100]);
}

int main(int argc, char **argv)
{
    void *context = zmq_ctx_new();

    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        serve(context, argv[2]);
    if (argc != 6 || strcmp(argv[1], "ask") != 0) {
        (void)fprintf(stderr,
                      "usage: router serve ENDPOINT | ask ENDPOINT SECONDS DEPTH MESSAGE\n");
        return 2;
    }
    ask(context, argv + 2);
    (void)fflush(stdout);
    _Exit(0); /* nobody waits for what is still under way */
}
