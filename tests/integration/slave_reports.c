/* SPDX-License-Identifier: Apache-2.0 */
/* slave_reports.c CONFIG - a daemon whose slave tells Juggler of something, for test_my_daemon. */
#include <stdio.h>

#include <colony.h>

static void report(struct colony_daemon *daemon, void *data)
{
    (void)data;
    if (colony_daemon_send_event_to_juggler(daemon, "other.box", "disk", "WARN",
                                            "90 %\nof \xc3\xa9, \xff") == 0)
        (void)colony_daemon_sleep(daemon, 60000);
}

static void run(struct colony_daemon *daemon, void *data)
{
    const struct colony_daemon_slave slave = {.name = "Reporter", .run = report};

    (void)data;
    if (colony_daemon_run_slave(daemon, &slave, NULL) == 0)
        while (colony_daemon_sleep(daemon, 60000))
            ;
}

int main(int argc, char **argv)
{
    const struct colony_daemon_callbacks callbacks = {.run = run};
    struct colony_daemon *daemon = NULL;
    struct colony_error err = {0};
    int rc = argc == 2 ? colony_daemon_open(&daemon, "reports", &callbacks, &err) : -1;

    if (rc == 0)
        rc = colony_daemon_load(daemon, argv[1], &err);
    if (rc == 0) {
        colony_daemon_stop_on_signals(daemon);
        rc = colony_daemon_start(daemon, &err);
    }
    if (rc < 0)
        (void)fprintf(stderr, "slave_reports: %s\n", err.message);
    colony_daemon_free(daemon);
    return rc < 0;
}
