/* SPDX-License-Identifier: Apache-2.0 */
/*
 * greeter.c - a controller that `colony serve` loads: a route of its own on the control endpoint,
 * and a restart of its own.
 *
 *     cc -shared -fPIC -o greeter.so greeter.c         # -I include, in the source tree
 *     echo 'controllers: [./greeter.so]' > colony.yaml
 *     colony serve --config colony.yaml --state ./state
 *     curl --unix-socket ./state/colony.sock http://localhost/greet/Ada
 *
 * A restart (POST /greet) takes up another word without forgetting how many were greeted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <colony.h>

struct greeter {
    struct colony *colony;
    char word[64];      /* that it greets with */
    char next_word[64]; /* from the next restart on */
    unsigned long greeted;
};

static void answer(struct colony_http_request *request, const char *text)
{
    colony_http_request_answer(request, 200, "text/plain", text, strlen(text));
}

/* GET /greet/NAME: whoever may read may be greeted. */
static void on_greet(struct colony_http_request *request, void *data)
{
    struct greeter *greeter = data;
    char text[512];

    greeter->greeted++;
    (void)snprintf(text, sizeof text, "%s, %.200s! You are number %lu.\n", greeter->word,
                   colony_http_request_argument(request, 0), greeter->greeted);
    answer(request, text);
}

/* POST /greet with a word: that takes the right to control. */
static void on_word(struct colony_http_request *request, void *data)
{
    struct greeter *greeter = data;
    struct colony_error err;
    size_t size;
    const char *word = colony_http_request_body(request, &size);

    if (size == 0 || size >= sizeof greeter->next_word) {
        colony_http_request_answer(request, 400, "text/plain", "a word of 1 to 63 bytes\n", 24);
        return;
    }
    (void)snprintf(greeter->next_word, sizeof greeter->next_word, "%s", word);
    if (colony_engine_restart_controller(greeter->colony, "greeter", &err) < 0)
        colony_http_request_answer(request, 500, "text/plain", err.message, strlen(err.message));
    else
        answer(request, "from now on\n");
}

static int create(void **out, struct colony *colony, void *data, struct colony_error *err)
{
    struct greeter *greeter = calloc(1, sizeof *greeter);

    (void)data;
    if (!greeter) {
        (void)snprintf(err->message, sizeof err->message, "cannot greet: out of memory");
        return -12; /* ENOMEM */
    }
    greeter->colony = colony;
    (void)snprintf(greeter->word, sizeof greeter->word, "Hello");
    *out = greeter;
    return 0;
}

static int start(void *controller, struct colony_error *err)
{
    struct greeter *greeter = controller;
    int rc = colony_http_add_route(greeter->colony, "GET", "/greet/NAME", on_greet, greeter, err);

    return rc < 0 ? rc
                  : colony_http_add_route(greeter->colony, "POST", "/greet", on_word, greeter, err);
}

static void stop(void *controller)
{
    struct greeter *greeter = controller;

    (void)colony_http_remove_route(greeter->colony, "GET", "/greet/NAME", NULL);
    (void)colony_http_remove_route(greeter->colony, "POST", "/greet", NULL);
}

/* Instead of a stop and a start, between which nobody would be greeted. */
static int restart(void *controller, struct colony_error *err)
{
    struct greeter *greeter = controller;

    (void)err;
    memcpy(greeter->word, greeter->next_word, sizeof greeter->word);
    return 0;
}

static void close_greeter(void *controller, void (*cb)(void *data), void *data)
{
    free(controller);
    cb(data);
}

const struct colony_controller colony_controller_main = {
    .interface = COLONY_INTERFACE,
    .name = "greeter",
    .create = create,
    .start = start,
    .stop = stop,
    .restart = restart,
    .close = close_greeter,
};
