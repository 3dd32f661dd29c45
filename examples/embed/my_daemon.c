/* SPDX-License-Identifier: Apache-2.0 */
/*
 * my_daemon.c - a daemon with a slave, as mtutils had it:
 *
 *     my_daemon [CONFIG.yaml]
 *     curl -v -g -6 '[::1]:5151/status'
 *     curl -v -g -6 '[::1]:5151/events' -X POST -d '{"Hello": "World"}'
 *     echo -n '{"Hello": "World"}'|nc -6u ::1 5151 -w 0
 *
 * cc -o my_daemon my_daemon.c $(pkg-config --cflags --libs colony libcjson)
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <colony.h>

struct my_daemon {
    _Atomic int rounds; /* of the worker */
    _Atomic int events;
    _Atomic int is_broken; /* since an event said so */
};

static void work(struct colony_daemon *daemon, void *data)
{
    struct my_daemon *my = data;

    do
        my->rounds++;
    while (colony_daemon_sleep(daemon, 1000));
}

static void add_rounds(struct colony_daemon *daemon, cJSON *status, void *data)
{
    struct my_daemon *my = data;

    (void)daemon;
    (void)cJSON_AddNumberToObject(status, "rounds", my->rounds);
}

static void run(struct colony_daemon *daemon, void *data)
{
    const struct colony_daemon_slave worker = {
        .name = "MyWorker", .run = work, .status = add_rounds, .data = data};
    struct colony_error err;

    if (colony_daemon_run_slave(daemon, &worker, &err) < 0) {
        colony_daemon_log(daemon, COLONY_DAEMON_ERROR, "%s", err.message);
        return;
    }
    while (!colony_daemon_is_stopping(daemon)) {
        colony_daemon_log(daemon, COLONY_DAEMON_INFO, "I'm running");
        (void)colony_daemon_sleep(daemon, 5000);
    }
    colony_daemon_log(daemon, COLONY_DAEMON_INFO, "I'm done");
}

static void process_event(struct colony_daemon *daemon, const cJSON *event, void *data)
{
    struct my_daemon *my = data;
    char *text = cJSON_PrintUnformatted(event);

    colony_daemon_log(daemon, COLONY_DAEMON_INFO, "Event: %s", text ? text : "?");
    cJSON_free(text);
    my->events++;
    if (!cJSON_HasObjectItem(event, "broken"))
        return;
    my->is_broken = cJSON_IsTrue(cJSON_GetObjectItem(event, "broken"));
    (void)colony_daemon_send_event_to_juggler(daemon, NULL, "my_daemon",
                                              my->is_broken ? "CRIT" : "OK", "An event said so");
}

static void status(struct colony_daemon *daemon, cJSON *status, void *data)
{
    struct my_daemon *my = data;

    (void)daemon;
    (void)cJSON_AddNumberToObject(status, "awesome_status", 42);
    (void)cJSON_AddNumberToObject(status, "events_processed", my->events);
}

static void ping(struct colony_daemon *daemon, struct colony_daemon_ping *ping, void *data)
{
    struct my_daemon *my = data;

    (void)daemon;
    if (my->is_broken)
        colony_daemon_answer_ping(ping, 500, "I f*c**d up!");
    else
        colony_daemon_answer_ping(ping, 200, "OK\n");
}

int main(int argc, char **argv)
{
    struct my_daemon my = {0};
    const struct colony_daemon_callbacks callbacks = {
        .run = run, .process_event = process_event, .status = status, .ping = ping, .data = &my};
    struct colony_daemon *daemon = NULL;
    struct colony_error err;
    int rc;

    (void)signal(SIGPIPE, SIG_IGN);
    rc = colony_daemon_open(&daemon, "MyDaemon", &callbacks, &err);
    if (rc == 0 && argc > 1)
        rc = colony_daemon_load(daemon, argv[1], &err);
    if (rc == 0) {
        colony_daemon_log_to(daemon, STDOUT_FILENO, COLONY_DAEMON_DEBUG);
        colony_daemon_stop_on_signals(daemon);
        rc = colony_daemon_start(daemon, &err);
    }
    if (rc < 0)
        (void)fprintf(stderr, "my_daemon: %s\n", err.message);
    colony_daemon_free(daemon);
    return rc < 0;
}
