/* SPDX-License-Identifier: Apache-2.0 */
/* A workspace, what runs in it, and who supervises it; test_session_changes.c has the rest. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <spawn.h>

#include "placed.h"

/* --- the workspace ------------------------------------------------------------------------------
 */

TEST(test_a_workspace_is_made_once_and_opened)
{
    struct place place;

    place_init(&place);
    assert_int_equal(colony_session_init(place.scratch.path, &place.err), 0);
    assert_string_equal(colony_session_path(place.session), place.scratch.path);
    assert_int_equal(colony_session_supervisor(place.session), 0);
    assert_int_equal(place.err.code, 0);
    place_clear(&place);
}

TEST(test_a_folder_that_is_none_is_not_opened)
{
    struct colony_session *session = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony_session_open(&session, "/proc", &err), -ENOENT);
    assert_int_equal(err.code, -ENOENT);
    assert_non_null(strstr(err.message, "/proc"));
    assert_null(session);
    colony_session_close(NULL);
}

/* --- processes ----------------------------------------------------------------------------------
 */

TEST(test_what_an_uri_says_runs_and_is_nobodys_child)
{
    struct colony_session_ended ended = {0};
    struct colony_session_started one;
    struct place place;
    cJSON *json;

    place_init(&place);
    one = start(&place, "exec:///bin/sleep?60", "one");
    assert_int_equal(kill(one.pid, 0), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* ECHILD */
    json = find(&place, one.name);
    assert_string_equal(text_of(json, "alias"), "one");
    assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(json, "pid")), one.pid);
    cJSON_Delete(json);
    assert_int_equal(colony_session_stop(place.session, "one", &ended, &place.err), 0);
    assert_int_equal(ended.stopped, 1);
    assert_int_equal(ended.killed, 0);
    json = find(&place, "one");
    assert_string_equal(text_of(json, "state"), "stopped");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "pid")));
    cJSON_Delete(json);
    assert_int_equal(start(&place, "one", NULL).pid > 0, 1); /* again, as it is known */
    place_clear(&place);
}

static int told; /* of children */

static void on_child(int signo)
{
    (void)signo;
    told++;
}

static void on_fork(void)
{
    told++;
}

/* Also of one that cannot be started, and of a supervisor that ends. */
TEST(test_the_program_is_told_of_no_children)
{
    struct sigaction before;
    struct sigaction seen = {.sa_handler = on_child};
    struct place place;

    place_init(&place);
    told = 0;
    assert_int_equal(sigaction(SIGCHLD, &seen, &before), 0);
    assert_int_equal(pthread_atfork(on_fork, on_fork, on_fork), 0);
    (void)start(&place, "exec:///bin/sleep?60", "one");
    expect(&place, colony_session_start(place.session, "exec:///no/such", NULL, NULL, &place.err),
           -EIO, "/no/such");
    assert_int_equal(colony_session_set_program(place.session, "false", &place.err), 0);
    expect(&place, colony_session_activate(place.session, &place.err), -EIO, "the code 1");
    assert_int_equal(colony_session_set_program(place.session, "/bin/true", &place.err), 0);
    expect(&place, colony_session_activate(place.session, &place.err), -EIO,
           "/bin/true has ended and left none");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(told, 0);
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
    place_clear(&place);
}

TEST(test_what_runs_is_not_started_twice)
{
    struct place place;

    place_init(&place);
    (void)start(&place, "exec:///bin/sleep?60", "one");
    expect(&place, colony_session_start(place.session, "one", NULL, NULL, &place.err), -EBUSY,
           "cannot start one: it runs already");
    place_clear(&place);
}

static bool is_empty(struct place *place, const char *folder)
{
    DIR *dir = fdopendir(openat(place->scratch.fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count == 2; /* itself and the one above */
}

TEST(test_a_program_that_is_not_there_leaves_nothing)
{
    cJSON *json = NULL;
    struct place place;

    place_init(&place);
    expect(&place, colony_session_start(place.session, "exec:///no/such", NULL, NULL, &place.err),
           -EIO, "/no/such");
    expect(&place, colony_session_find(place.session, "no-such", &json, &place.err), -ENOENT,
           "no-such");
    assert_null(json);
    assert_true(is_empty(&place, "out") && is_empty(&place, "err"));
    expect(&place, colony_session_start(place.session, "what:else", NULL, NULL, &place.err),
           -EINVAL, "");
    expect(&place, colony_session_start(place.session, "nobody", NULL, NULL, &place.err), -ENOENT,
           "nobody");
    place_clear(&place);
}

TEST(test_what_runs_is_attached_and_detached_and_runs_on)
{
    const struct colony_session_change change = {.alias = "mine", .shutdown = COLONY_YES};
    char *const argv[] = {(char *)"sleep", (char *)"61", NULL};
    struct colony_session_started taken = {0};
    struct place place;
    pid_t child;
    cJSON *json;

    place_init(&place);
    assert_int_equal(posix_spawn(&child, "/bin/sleep", NULL, NULL, argv, NULL), 0);
    assert_int_equal(colony_session_attach(place.session, child, &change, &taken, &place.err), 0);
    assert_int_equal(taken.pid, child);
    json = find(&place, "mine");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(json, "shutdown")));
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(json, "restart")));
    cJSON_Delete(json);
    assert_int_equal(colony_session_detach(place.session, "mine", &place.err), 0);
    expect(&place, colony_session_detach(place.session, "mine", &place.err), -ENOENT, "mine");
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    expect(&place, colony_session_attach(place.session, child, NULL, NULL, &place.err), -ESRCH, "");
    place_clear(&place);
}

TEST(test_a_start_that_fails_changes_nothing)
{
    const struct colony_session_change new_one = {.alias = "newk", .restart = COLONY_YES};
    const struct colony_session_change no_choice = {.restart = (enum colony_choice)7};
    const char *const nothing[] = {"/no/such", NULL};
    const struct colony_session_change broken = {.alias = "newk", .cmdline = nothing};
    struct colony_session_started k;
    struct place place;
    char path[300];
    cJSON *json;

    place_init(&place);
    (void)start(&place, "exec:///bin/sleep?60", "p");
    k = start(&place, "exec:///bin/sleep?61", "k");
    assert_int_equal(colony_session_stop(place.session, "k", NULL, &place.err), 0);
    expect(&place, colony_session_start(place.session, "k", &no_choice, NULL, &place.err), -EINVAL,
           "colony_choice");
    expect(&place, colony_session_start(place.session, "k", &broken, NULL, &place.err), -EIO,
           "/no/such");
    assert_int_equal(colony_session_dependence_add(place.session, "p:no", "k", NULL, &place.err),
                     1);
    expect(&place, colony_session_start(place.session, "k", &new_one, NULL, &place.err), -EBUSY,
           "p:no");
    json = find(&place, "k");
    assert_string_equal(text_of(json, "name"), k.name);
    assert_string_equal(text_of(json, "state"), "stopped");
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(json, "restart")));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "parents")), 1);
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(json, "cmdline"), 0)),
        "/bin/sleep");
    cJSON_Delete(json);
    assert_int_equal(colony_session_dependence_remove(place.session, "p", "k", &place.err), 1);
    (void)snprintf(path, sizeof path, "out/%s.out", k.name);
    assert_int_equal(faccessat(place.scratch.fd, path, F_OK, 0), 0);
    place_clear(&place);
}

/* --- threads ------------------------------------------------------------------------------------
 */

enum { ROUNDS = 5 };

struct worker {
    pthread_t thread;
    const char *folder;
    const char *uri;
    int rc;
};

static void *work(void *data)
{
    struct worker *worker = data;
    struct colony_session *session = NULL;
    struct colony_session_started started;

    worker->rc = colony_session_open(&session, worker->folder, NULL);
    for (int i = 0; worker->rc == 0 && i < ROUNDS; i++) {
        worker->rc = colony_session_start(session, worker->uri, NULL, &started, NULL);
        if (worker->rc == 0)
            worker->rc = colony_session_stop(session, started.name, NULL, NULL);
    }
    colony_session_close(session);
    return NULL;
}

TEST(test_threads_have_sessions_of_one_workspace_at_once)
{
    struct worker workers[] = {{.uri = "exec:///bin/sleep?60"}, {.uri = "exec:///bin/sleep?61"}};
    struct place place;

    place_init(&place);
    for (size_t i = 0; i < 2; i++) {
        workers[i].folder = place.scratch.path;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].rc, 0);
    }
    place_clear(&place);
}

/* --- a supervisor that cannot begin -------------------------------------------------------------
 */

TEST(test_a_supervisor_that_cannot_begin_is_told_with_its_last_line)
{
    struct place place;
    char path[128];

    place_init(&place);
    assert_int_equal(colony_session_set_program(place.session, "/no/such", &place.err), 0);
    expect(&place, colony_session_activate(place.session, &place.err), -ENOENT, "/no/such");
    place_write(&place, "bin/fake",
                "#!/bin/sh\necho more >&2\necho 'colony serve: broken' >&2\nexit 78\n");
    assert_int_equal(fchmodat(place.scratch.fd, "bin/fake", 0700, 0), 0);
    (void)snprintf(path, sizeof path, "%s/bin/fake", place.scratch.path);
    assert_int_equal(colony_session_set_program(place.session, path, &place.err), 0);
    expect(&place, colony_session_activate(place.session, &place.err), -EILSEQ, "broken");
    assert_int_equal(colony_session_set_program(place.session, "/bin/false", &place.err), 0);
    expect(&place, colony_session_activate(place.session, &place.err), -EIO,
           "its program ended with the code 1");
    place_clear(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_workspace_is_made_once_and_opened),
        cmocka_unit_test(test_a_folder_that_is_none_is_not_opened),
        cmocka_unit_test(test_what_an_uri_says_runs_and_is_nobodys_child),
        cmocka_unit_test(test_the_program_is_told_of_no_children),
        cmocka_unit_test(test_what_runs_is_not_started_twice),
        cmocka_unit_test(test_a_program_that_is_not_there_leaves_nothing),
        cmocka_unit_test(test_what_runs_is_attached_and_detached_and_runs_on),
        cmocka_unit_test(test_a_start_that_fails_changes_nothing),
        cmocka_unit_test(test_threads_have_sessions_of_one_workspace_at_once),
        cmocka_unit_test(test_a_supervisor_that_cannot_begin_is_told_with_its_last_line),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
