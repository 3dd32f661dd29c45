/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "core/error.h"
#include "core/sweep.h"
#include "core/table.h"
#include "session/config.h"
#include "session/launch.h"
#include "session/process.h"
#include "session/workspace.h"

#include "../scratch.h"

static const struct colony_session_config quick = {
    .stop_signals = {SIGQUIT, SIGTERM},
    .stop_count = 2,
    .stop_wait_ms = 300,
};

/* A workspace in a folder of its own, in a forked child that is nobody's heir. */
struct place {
    struct colony_workspace *workspace;
    char instance[COLONY_INSTANCE_SIZE];
};

static void place_init(struct place *place, const char *path)
{
    struct colony_error err = {0};
    size_t added;

    CHECK(colony_workspace_init(path, &added, &err) == 0);
    CHECK(colony_workspace_open(&place->workspace, path, &err) == 0);
    CHECK(colony_workspace_lock(place->workspace, 1000, &err) == 0);
    CHECK(colony_instance_settle(openat(colony_workspace_fd(place->workspace), ".colony",
                                        O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                                 place->instance, &err) == 0);
}

static char *copy(const char *text)
{
    char *own = strdup(text);

    CHECK(own);
    return own;
}

/* A process of the workspace that runs `sh -c @script`; NULL: what @program is. */
static void make(struct colony_session_process *out, struct place *place, const char *name,
                 const char *program, const char *script)
{
    struct colony_error err = {0};

    *out = (struct colony_session_process){.name = copy(name)};
    out->uri = copy(name);
    out->state = copy(COLONY_STATE_STOPPED);
    out->cmdline = calloc(4, sizeof *out->cmdline);
    CHECK(out->cmdline);
    out->cmdline[0] = copy(script ? "/bin/sh" : program);
    out->cmdline[1] = script ? copy("-c") : NULL;
    out->cmdline[2] = script ? copy(script) : NULL;
    CHECK(colony_session_process_put(place->workspace, out, &err) == 0);
}

static void launch(struct place *place, struct colony_session_process *process)
{
    struct colony_error err = {0};

    if (colony_session_launch(place->workspace, process, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.message);
        _exit(1);
    }
}

static void refuse(struct place *place, struct colony_session_process *process, int code,
                   const char *why)
{
    struct colony_error err = {0};
    int rc = colony_session_launch(place->workspace, process, &err);

    if (rc != code || !strstr(err.message, why))
        (void)fprintf(stderr, "%d: %s\n", rc, err.message);
    CHECK(rc == code && strstr(err.message, why));
}

static struct colony_session_stopped stop(struct place *place,
                                          struct colony_session_process *process)
{
    const struct colony_session_chosen chosen = {&process, 1};
    struct colony_session_stopped stopped;
    struct colony_error err = {0};

    CHECK(colony_session_stop_chosen(place->workspace, &chosen, &quick, &stopped, &err) == 0);
    return stopped;
}

static char *read_file(struct place *place, const char *path)
{
    static char text[4096];
    int fd = openat(colony_workspace_fd(place->workspace), path, O_RDONLY | O_CLOEXEC);
    ssize_t count;

    CHECK(fd >= 0);
    count = read(fd, text, sizeof text - 1);
    CHECK(count >= 0);
    text[count] = '\0';
    (void)close(fd);
    return text;
}

static bool is_alive(const struct colony_session_process *process)
{
    int pidfd = colony_session_process_pidfd(process);

    if (pidfd >= 0)
        (void)close(pidfd);
    return pidfd >= 0;
}

FOLDER_TEST(test_a_launched_process_is_noted_and_leads_a_session_of_its_own)
{
    struct colony_session_process process;
    struct colony_session_process found;
    struct colony_error err = {0};
    char mark[128];
    char expected[128];
    struct place place;

    place_init(&place, data);
    make(&process, &place, "yellow-panda", "/bin/sh", "echo $0; echo no >&2; exec sleep 60");
    launch(&place, &process);
    CHECK(process.pid > 0 && process.start_ticks > 0);
    CHECK(strcmp(process.state, COLONY_STATE_STARTING) == 0);
    CHECK(getsid(process.pid) == process.pid);
    CHECK(colony_session_process_find(&found, place.workspace, "yellow-panda", &err) == 0);
    CHECK(found.pid == process.pid && found.start_ticks == process.start_ticks);
    (void)snprintf(expected, sizeof expected, "%s/yellow-panda/1", place.instance);
    /* Within execve(2) it has no environment for a moment. */
    CHECK_SOON(colony_proc_get_env(process.pid, "COLONY_ID", mark, sizeof mark));
    CHECK(strcmp(mark, expected) == 0);
    CHECK_SOON(strcmp(read_file(&place, "out/yellow-panda.out"), "/bin/sh\n") == 0);
    CHECK_SOON(strcmp(read_file(&place, "err/yellow-panda.out"), "no\n") == 0);
    CHECK(stop(&place, &process).stopped == 1);
    CHECK(!is_alive(&process) && process.pid == 0);
}

FOLDER_TEST(test_a_launched_process_is_nobodys_child)
{
    struct colony_session_process process;
    struct place place;
    pid_t children[8];

    place_init(&place, data);
    make(&process, &place, "a-a", "/bin/sleep", "exec sleep 60");
    launch(&place, &process);
    CHECK(colony_proc_children(getpid(), children, 8) == 0);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    (void)stop(&place, &process);
}

/* Descriptors that @pid has. */
static unsigned count_fds_of(pid_t pid)
{
    char path[64];
    unsigned count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        count += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    }
    return count;
}

FOLDER_TEST(test_it_has_no_descriptors_but_three_and_no_signal_is_ignored)
{
    struct colony_session_process process;
    struct place place;
    int left = open("/dev/null", O_RDONLY); /* as a shell may leave one open */
    unsigned fds;

    place_init(&place, data);
    (void)signal(SIGPIPE, SIG_IGN);
    CHECK(fcntl(left, F_DUPFD, 100) >= 100);
    make(&process, &place, "a-a", "", "grep SigIgn /proc/$$/status; exec sleep 60");
    fds = count_fds();
    launch(&place, &process);
    CHECK(count_fds() == fds);
    CHECK_SOON(strcmp(read_file(&place, "out/a-a.out"), "SigIgn:\t0000000000000000\n") == 0);
    CHECK_SOON(count_fds_of(process.pid) == 3);
    (void)stop(&place, &process);
}

FOLDER_TEST(test_its_environment_is_the_callers_and_its_own_over_that)
{
    struct colony_session_process process;
    struct place place;

    place_init(&place, data);
    CHECK(setenv("A", "caller", 1) == 0 && setenv("B", "caller", 1) == 0);
    CHECK(setenv("NOTIFY_SOCKET", "/run/x", 1) == 0);
    make(&process, &place, "a-a", "", "echo $A $B $C ${NOTIFY_SOCKET-none}; pwd; exec sleep 60");
    process.env = calloc(4, sizeof *process.env);
    CHECK(process.env);
    process.env[0] = copy("B=own");
    process.env[1] = copy("C=own");
    process.env[2] = copy("COLONY_ID=another");
    launch(&place, &process);
    CHECK_SOON(strchr(read_file(&place, "out/a-a.out"), '/'));
    CHECK(strncmp(read_file(&place, "out/a-a.out"), "caller own own none\n", 20) == 0);
    CHECK(strstr(read_file(&place, "out/a-a.out"), colony_workspace_path(place.workspace)));
    CHECK(stop(&place, &process).stopped == 1);
}

FOLDER_TEST(test_output_is_appended)
{
    struct colony_session_process process;
    struct place place;

    place_init(&place, data);
    make(&process, &place, "a-a", "", "echo line");
    for (int i = 0; i < 3; i++) {
        launch(&place, &process);
        CHECK_SOON(!is_alive(&process));
    }
    CHECK(strcmp(read_file(&place, "out/a-a.out"), "line\nline\nline\n") == 0);
}

FOLDER_TEST(test_what_cannot_be_run_is_told_with_its_step_and_noted_as_stopped)
{
    struct colony_session_process process;
    struct place place;

    place_init(&place, data);
    make(&process, &place, "a-a", "/nowhere/at-all", NULL);
    refuse(&place, &process, -ENOENT, "exec /nowhere/at-all: No such file");
    CHECK(process.pid == 0 && strcmp(process.state, COLONY_STATE_STOPPED) == 0);
    make(&process, &place, "b-b", "no-such-program-at-all", NULL);
    refuse(&place, &process, -ENOENT, "PATH");
    make(&process, &place, "c-c", "/etc/passwd", NULL);
    refuse(&place, &process, -EACCES, "exec /etc/passwd: Permission denied");
    make(&process, &place, "d-d", "true", NULL); /* of PATH */
    launch(&place, &process);
    make(&process, &place, "e-e", "/bin/true", NULL);
    process.cwd = copy("/nowhere");
    refuse(&place, &process, -ENOENT, "chdir /nowhere");
    make(&process, &place, "f-f", "/bin/true", NULL);
    free(process.cmdline[0]);
    process.cmdline[0] = NULL;
    refuse(&place, &process, -ENOENT, "not known");
}

FOLDER_TEST(test_one_that_runs_is_not_started_again)
{
    struct colony_session_process process;
    struct place place;

    place_init(&place, data);
    make(&process, &place, "a-a", "", "exec sleep 60");
    launch(&place, &process);
    refuse(&place, &process, -EBUSY, "runs already");
    (void)stop(&place, &process);
    launch(&place, &process);
    (void)stop(&place, &process);
}

FOLDER_TEST(test_output_goes_through_no_link_and_into_no_pipe)
{
    struct colony_session_process process;
    struct place place;

    place_init(&place, data);
    CHECK(symlinkat("/tmp/colony-nobody-writes-here", colony_workspace_fd(place.workspace),
                    "out/a-a.out") == 0);
    make(&process, &place, "a-a", "/bin/true", NULL);
    refuse(&place, &process, -ELOOP, "out/a-a.out");
    CHECK(mkfifoat(colony_workspace_fd(place.workspace), "err/b-b.out", 0600) == 0);
    make(&process, &place, "b-b", "/bin/true", NULL);
    refuse(&place, &process, -ENXIO, "err/b-b.out");
}

FOLDER_TEST(test_a_stop_goes_on_to_the_next_signal_and_then_to_sigkill)
{
    struct colony_session_process process;
    struct colony_session_stopped stopped;
    struct place place;

    place_init(&place, data);
    make(&process, &place, "a-a", "",
         "trap 'echo quit' QUIT; trap 'echo term' TERM; echo up; while :; do read x <>/dev/zero; "
         "sleep 1; done");
    launch(&place, &process);
    CHECK_SOON(strcmp(read_file(&place, "out/a-a.out"), "up\n") == 0);
    stopped = stop(&place, &process);
    CHECK(stopped.stopped == 1 && stopped.killed >= 1);
    CHECK(!is_alive(&process));
}

FOLDER_TEST(test_what_it_left_behind_is_stopped_with_it)
{
    struct colony_session_process process;
    struct colony_session_stopped stopped;
    struct place place;
    pid_t stray;

    place_init(&place, data);
    make(&process, &place, "a-a", "",
         "setsid sh -c 'trap \"\" QUIT TERM; echo $$; exec sleep 60' & exec sleep 60");
    launch(&place, &process);
    CHECK_SOON(strchr(read_file(&place, "out/a-a.out"), '\n'));
    stray = (pid_t)strtol(read_file(&place, "out/a-a.out"), NULL, 10);
    CHECK(colony_proc_is_running(stray));
    stopped = stop(&place, &process);
    CHECK(stopped.stopped == 1 && stopped.killed == 1);
    CHECK(!colony_proc_is_running(stray));
}

FOLDER_TEST(test_a_stopped_process_is_woken_to_be_ended)
{
    struct colony_session_process process;
    struct place place;

    place_init(&place, data);
    make(&process, &place, "a-a", "", "exec sleep 60");
    launch(&place, &process);
    CHECK(kill(process.pid, SIGSTOP) == 0);
    CHECK(stop(&place, &process).killed == 0);
    CHECK(!is_alive(&process));
}

FOLDER_TEST(test_a_number_that_is_anothers_by_now_is_never_signalled)
{
    struct colony_session_process process;
    struct place place;
    pid_t other = fork();

    if (other == 0)
        pause();
    place_init(&place, data);
    make(&process, &place, "a-a", "", "exec sleep 60");
    launch(&place, &process);
    (void)stop(&place, &process);
    process.pid = other;
    process.start_ticks = 1;
    CHECK(stop(&place, &process).stopped == 0);
    CHECK(colony_proc_is_running(other));
    (void)kill(other, SIGKILL);
}

FOLDER_TEST(test_one_that_belongs_to_somebody_else_is_told)
{
    struct colony_session_process process = {.pid = getppid()};
    struct colony_session_process *items[] = {&process};
    const struct colony_session_chosen chosen = {items, 1};
    struct colony_session_stopped stopped;
    struct colony_error err = {0};
    struct place place;

    if (geteuid() != 0)
        skip_in_child("only root can have another user's process beside its own");
    CHECK(chown(data, NOBODY, NOBODY) == 0);
    drop_rights();
    place_init(&place, data);
    make(&process, &place, "a-a", "", "exec sleep 60");
    launch(&place, &process);
    (void)stop(&place, &process);
    process.pid = getppid();
    process.start_ticks = colony_proc_start_ticks(getppid());
    CHECK(colony_session_stop_chosen(place.workspace, &chosen, &quick, &stopped, &err) == -EPERM);
    CHECK(strstr(err.message, "somebody else") && stopped.stopped == 0);
    CHECK(process.pid == getppid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_launched_process_is_noted_and_leads_a_session_of_its_own),
        cmocka_unit_test(test_a_launched_process_is_nobodys_child),
        cmocka_unit_test(test_it_has_no_descriptors_but_three_and_no_signal_is_ignored),
        cmocka_unit_test(test_its_environment_is_the_callers_and_its_own_over_that),
        cmocka_unit_test(test_output_is_appended),
        cmocka_unit_test(test_what_cannot_be_run_is_told_with_its_step_and_noted_as_stopped),
        cmocka_unit_test(test_one_that_runs_is_not_started_again),
        cmocka_unit_test(test_output_goes_through_no_link_and_into_no_pipe),
        cmocka_unit_test(test_a_stop_goes_on_to_the_next_signal_and_then_to_sigkill),
        cmocka_unit_test(test_what_it_left_behind_is_stopped_with_it),
        cmocka_unit_test(test_a_stopped_process_is_woken_to_be_ended),
        cmocka_unit_test(test_a_number_that_is_anothers_by_now_is_never_signalled),
        cmocka_unit_test(test_one_that_belongs_to_somebody_else_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
