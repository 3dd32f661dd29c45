/* SPDX-License-Identifier: Apache-2.0 */
/* ends.c - scenarios of how an engine in a program ends, or does not begin. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "scenarios.h"

static int is_freed;
static int handles_left; /* on the loop, when it is told that the engine is freed */

static void count_handle(uv_handle_t *handle, void *data)
{
    ++*(int *)data;
    (void)handle;
}

static void on_freed_look(void *data)
{
    (void)data;
    is_freed = 1;
    handles_left = 0;
    uv_walk(&loop, count_handle, &handles_left);
}

static void free_it(void)
{
    is_freed = 0;
    colony_engine_free(colony, on_freed_look, NULL);
    UNTIL(is_freed);
    CHECK(handles_left == 1); /* the deadline's */
    colony = NULL;
}

static int count_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void limit_fds(rlim_t limit)
{
    struct rlimit now;

    CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0);
    now.rlim_cur = limit;
    CHECK(setrlimit(RLIMIT_NOFILE, &now) == 0);
}

/* With one descriptor more each time, until there are enough: it ends, and nothing is left. */
static void scarce(void)
{
    const int before = count_fds();
    int is_enough = 0;
    int late = 0;    /* starts that failed with an engine half made */
    int unheard = 0; /* that could not hear their keeper */
    struct rlimit all;

    CHECK(getrlimit(RLIMIT_NOFILE, &all) == 0);
    for (rlim_t more = 0; !is_enough; more++) {
        int rc;

        begin(NULL);
        limit_fds((rlim_t)before + more);
        rc = colony_engine_start(colony, &err);
        if (rc == 0)
            UNTIL(is_ready || has_stopped);
        limit_fds(all.rlim_cur);
        is_enough = is_ready;
        late += rc < 0 && strstr(err.message, "colony.db");
        unheard += rc == 0 && has_stopped;
        CHECK(is_enough || err.code == -EMFILE);
        free_it();
        CHECK(count_fds() <= before + 1); /* libuv keeps one of its own */
    }
    CHECK(late > 0 && unheard > 0);
}

/* What a stop has given is not taken by who frees it afterwards. */
static void graceful(void)
{
    char text[512];
    struct stat info;
    char clean[256];

    (void)snprintf(clean, sizeof clean, "%s.clean", state);
    (void)snprintf(text, sizeof text,
                   "name: slow\nshell: true\ngraceful_timeout: 15\nredirect_output: [out]\n"
                   "redirect_input: true\ncmd: \"trap 'sleep 0.5; : > %s; exit 0' TERM; "
                   "read line; echo up; while :; do sleep 0.1; done\"\n",
                   clean);
    begin(NULL);
    start();
    CHECK(colony_template_add(colony, text, &err) == 0);
    UNTIL(one_of("slow").id != 0);
    hear_io(&first, (struct colony_io){one_of("slow").id, "out"});
    CHECK(colony_write(colony, one_of("slow").id, "go\n", 3, &err) == 0);
    UNTIL(first.size == 3);
    colony_engine_stop(colony, "the test");
    free_it();
    CHECK(stat(clean, &info) == 0);
}

/* The program at @keeper_program says nothing. */
static void mute(void)
{
    begin(NULL);
    CHECK(colony_engine_start(colony, &err) == 0);
    free_it();
}

static int create_nothing(void **out, struct colony *it, void *data, struct colony_error *error)
{
    (void)out, (void)it, (void)error;
    ++*(int *)data;
    return 0;
}

/* While it runs; those of colony's that have sockets must be there before. */
static void added(void)
{
    static const struct colony_controller own = {
        .interface = COLONY_INTERFACE, .name = "own", .create = create_nothing};
    int made = 0;

    begin(NULL);
    start();
    CHECK(colony_engine_add_controller(colony, colony_http_controller(), NULL, &err) == -EBUSY);
    CHECK(strstr(err.message, "controller http"));
    CHECK(colony_engine_add_controller(colony, colony_daemon_controller(), NULL, &err) == -EBUSY);
    CHECK(colony_engine_add_controller(colony, colony_rpc_controller(), NULL, &err) == -EBUSY);
    CHECK(colony_engine_add_controller(colony, &own, &made, &err) == 0 && made == 1);
    colony_engine_stop(colony, "the test");
    UNTIL(has_stopped);
    CHECK(colony_engine_add_controller(colony, colony_http_controller(), NULL, &err) == 0);
    end();
}

static const struct scenario scenarios[] = {
    {"scarce", scarce}, {"graceful", graceful}, {"mute", mute}, {"added", added}, {NULL, NULL},
};

int main(int argc, char **argv)
{
    return run_scenario(argc, argv, scenarios);
}
