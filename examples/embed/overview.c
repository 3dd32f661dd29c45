/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overview.c - gaffer's overview, step by step, in C.
 *
 * A manager keeps a process alive, an HTTP controller and one of our own look on, and the program
 * watches what the process uses, hears what it prints, writes to it, and stops when it has had its
 * answers. What begins with "seed:" is what gaffer says, or what one wrote with it. Best read from
 * main() upwards.
 *
 *     cc -o overview overview.c $(pkg-config --cflags --libs colony libuv libcjson)
 *     ./overview [COLONY [STATE]]    # the program run as keeper, the state folder
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <colony.h>
#include <uv.h>

/* seed: A process template describes the way a process will be launched. This one greets whoever
 * writes to it. */
/* clang-format off */
static const char template_of_greeter[] =
    "name: greeter\n"                     /* name of the process */
    "cmd: while read line; do echo \"$GREETING, $line\"; echo \"greeted $line\" >&2; done\n"
    "args: []\n"                          /* a list, or a text that is split */
    "env: {GREETING: Hello}\n"            /* the environment variables the command will run with */
    "uid: %u\n"                           /* number or name */
    "gid: %u\n"
    "cwd: /\n"                            /* working dir */
    "detach: false\n"                     /* true: launched, but not monitored */
    "shell: true\n"                       /* cmd is a script */
    "os_env: true\n"                      /* pass this program's environment, too */
    "numprocesses: 1\n"                   /* the number of OS processes to launch */
    "flapping: {attempts: 2, window: 1, retry_in: 7, max_retry: 5}\n"
    "redirect_output: [stdout, stderr]\n" /* labels of our own; their order counts */
    "redirect_input: true\n";             /* we want to write to its stdin */
/* clang-format on */

/* What the program has seen so far. */
struct overview {
    struct colony *manager;
    uint64_t process; /* the internal id of the greeter */
    struct colony_listener *spawns, *by_name, *by_id, *out, *all;
    unsigned samples, lines;
};

/* Ends the program when something could not be done. */
static void must(int rc, const struct colony_error *err)
{
    if (rc >= 0)
        return;
    (void)fprintf(stderr, "overview: %s\n", err->message);
    exit(EXIT_FAILURE);
}

/* --- IO events and stdin ------------------------------------------------------------- */

static void stop_when_all_is_heard(struct overview *overview)
{
    if (overview->lines < 9 || overview->by_name || overview->by_id)
        return;
    colony_unmonitor_io(overview->out); /* seed: process.unmonitor_io("stdout", somecallback) */
    colony_unmonitor_io(overview->all);
    (void)puts("stop");
    colony_engine_stop(overview->manager, "all was heard"); /* seed: manager.stop() */
}

/* seed: Callback signature: callback(evtype, msg). Here evtype is the label of the stream. */
static void on_output(const char *evtype, const struct colony_msg *msg, void *data)
{
    struct overview *overview = data;
    size_t size;
    const char *bytes = colony_msg_bytes(msg, &size);

    if (!bytes)
        return; /* the process has ended */
    for (const char *at = bytes; (at = memchr(at, '\n', size - (size_t)(at - bytes))); at++)
        overview->lines++;
    (void)printf("%s: %.*s", evtype, (int)size, bytes);
    stop_when_all_is_heard(overview);
}

static void listen_and_write(struct overview *overview)
{
    static const char *const friends[] = {"Grace", "Ada"};
    struct colony_io out = {overview->process, "stdout"};
    struct colony_io all = {overview->process, "."};
    struct colony_error err;

    /* seed: process.monitor_io("stdout", somecallback) */
    must(colony_monitor_io(overview->manager, out, on_output, overview, &overview->out, &err),
         &err);
    /* seed: To subscribe to all process streams replace the stream name by '.' */
    must(colony_monitor_io(overview->manager, all, on_output, overview, &overview->all, &err),
         &err);

    /* seed: process.write("somedata") */
    must(colony_write(overview->manager, overview->process, "World\n", 6, &err), &err);
    /* seed: process.writelines(["line", "line"]). This method is threadsafe. */
    must(colony_writelines(overview->manager, overview->process, friends, 2, &err), &err);
}

/* --- Watch stats --------------------------------------------------------------------- */

/* seed: evtype is always "STATS" here and msg is a dict. */
static void on_stats(const char *evtype, const struct colony_msg *msg, void *data)
{
    const struct cJSON *stats = colony_msg_json(msg);
    const struct cJSON *memory = cJSON_GetObjectItem(stats, "mem_info1");
    const struct cJSON *command = cJSON_GetObjectItem(stats, "cmdline");
    struct overview *overview = data;

    if (overview->samples++ == 0)
        (void)printf("%s: %.0f bytes, %s\n", evtype, cJSON_GetNumberValue(memory),
                     cJSON_GetStringValue(command));
    if (overview->samples < 4)
        return;
    colony_unmonitor(overview->by_name); /* seed: manager.unmonitor(<nameorid>, <listener>) */
    colony_unmonitor(overview->by_id);   /* seed: process.unmonitor(<listener>) */
    overview->by_name = overview->by_id = NULL;
    stop_when_all_is_heard(overview);
}

static void watch(struct overview *overview)
{
    struct colony_error err;

    /* seed: manager.monitor(<nameorid>, <listener>) */
    must(colony_monitor(overview->manager, "greeter", on_stats, overview, &overview->by_name, &err),
         &err);
    /* seed: process = manager.running[pid]; process.monitor(<listener>) */
    must(colony_monitor_process(overview->manager, overview->process, on_stats, overview,
                                &overview->by_id, &err),
         &err);
}

/* --- Events -------------------------------------------------------------------------- */

static void on_spawn(const char *evtype, const struct colony_msg *msg, void *data)
{
    struct overview *overview = data;
    struct colony_process_info process;
    struct colony_error err;

    overview->process = colony_msg_id(msg);
    must(colony_process_find(overview->manager, overview->process, &process, &err), &err);
    (void)printf("%s: %s is process %llu, os pid %d\n", evtype, process.name,
                 (unsigned long long)process.id, (int)process.os_pid);
    watch(overview);
    listen_and_write(overview);
}

/* --- A controller of our own --------------------------------------------------------- */

/* seed: __init__(self) */
static int mine_init(void **mine, struct colony *manager, void *data, struct colony_error *err)
{
    (void)manager, (void)err;
    *mine = data;
    return 0;
}

/* seed: start(self, loop, manager): called by the manager to start the controller */
static int mine_start(void *mine, struct colony_error *err)
{
    struct overview *overview = mine;

    (void)puts("my controller starts");
    return colony_subscribe(overview->manager, "proc.greeter.spawn", on_spawn, overview,
                            &overview->spawns, err);
}

/* seed: stop(self): called when the manager stops */
static void mine_stop(void *mine)
{
    struct overview *overview = mine;

    (void)puts("my controller stops");
    colony_unsubscribe(overview->spawns);
}

/* seed: restart(self): called when the manager restarts it; without one it is a stop and a start */
static int mine_restart(void *mine, struct colony_error *err)
{
    (void)mine, (void)err;
    (void)puts("my controller restarts");
    return 0;
}

static void mine_close(void *mine, void (*closed)(void *data), void *data)
{
    (void)mine; /* it is main's */
    closed(data);
}

static const struct colony_controller my_controller = {
    .interface = COLONY_INTERFACE,
    .name = "mine",
    .create = mine_init,
    .start = mine_start,
    .stop = mine_stop,
    .restart = mine_restart,
    .close = mine_close,
};

/* --- The manager --------------------------------------------------------------------- */

/* All is there: the template may be added, which starts it. */
static void on_ready(struct colony *manager, void *data)
{
    char template[sizeof template_of_greeter + 32];
    struct colony_error err;

    (void)data;
    must(colony_engine_restart_controller(manager, "mine", &err), &err);
    (void)snprintf(template, sizeof template, template_of_greeter, getuid(), getgid());
    must(colony_template_add(manager, template, &err), &err); /* seed: manager.add_process(...) */
}

int main(int argc, char **argv)
{
    struct uv_loop_s *loop = uv_default_loop(); /* seed: loop = pyuv.Loop.default_loop() */
    struct overview overview = {0};
    struct colony *manager;
    struct colony_callbacks callbacks = {.ready = on_ready};
    struct colony_error err;

    (void)signal(SIGPIPE, SIG_IGN); /* clients that go away are no reason to end */

    /* seed: manager = Manager(loop=loop) */
    must(colony_engine_open(&overview.manager, loop, &callbacks, &err), &err);
    manager = overview.manager;
    must(colony_engine_set(manager, COLONY_PROGRAM, argc > 1 ? argv[1] : NULL, &err), &err);
    must(colony_engine_set(manager, COLONY_STATE, argc > 2 ? argv[2] : NULL, &err), &err);

    /* seed: manager.start(controllers=[HttpHandler]) */
    must(colony_engine_add_controller(manager, colony_http_controller(), NULL, &err), &err);
    must(colony_engine_add_controller(manager, &my_controller, &overview, &err), &err);
    must(colony_engine_start(manager, &err), &err);

    must(colony_engine_run(manager, &err), &err); /* seed: manager.run() */

    colony_engine_free(manager, NULL, NULL);
    (void)uv_run(loop, UV_RUN_DEFAULT); /* until its last handle is closed */
    return uv_loop_close(loop) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
