/* SPDX-License-Identifier: Apache-2.0 */
/* What is changed of a session's processes, and what they look like. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "placed.h"

/* --- changes ------------------------------------------------------------------------------------
 */

TEST(test_an_update_is_written_and_counts_at_the_next_start)
{
    const char *const cmdline[] = {"/bin/sh", "-c", "echo \"$GREETING from $PWD\"; exec sleep 60",
                                   NULL};
    const char *const env[] = {"GREETING=hello", NULL};
    const char *const nothing[] = {NULL};
    struct colony_session_change change = {
        .restart = COLONY_YES, .cmdline = cmdline, .env = env, .cwd = "/"};
    struct colony_session_started one;
    struct place place;
    char path[300];

    place_init(&place);
    one = start(&place, "exec:///bin/sleep?60", "one");
    assert_int_equal(colony_session_update(place.session, "one", &change, &place.err), 0);
    assert_int_equal(kill(one.pid, 0), 0);
    assert_true(place_says(&place, "etc/one.yaml", "restart: 1"));
    assert_true(place_says(&place, "etc/one.yaml", "GREETING: \"hello\""));
    assert_int_equal(colony_session_stop(place.session, "one", NULL, &place.err), 0);
    one = start(&place, "one", NULL);
    assert_int_equal(
        colony_session_wait(place.session, "one", "'sleep' in fp['cmdline']", 20000, &place.err),
        0);
    (void)snprintf(path, sizeof path, "out/%s.out", one.name);
    assert_true(place_says(&place, path, "hello from /\n"));
    change = (struct colony_session_change){.restart = COLONY_NO, .env = nothing, .cwd = ""};
    assert_int_equal(colony_session_update(place.session, "one", &change, &place.err), 0);
    assert_true(place_says(&place, "etc/one.yaml", "restart: 0"));
    assert_false(place_says(&place, "etc/one.yaml", "GREETING: "));
    assert_false(place_says(&place, "etc/one.yaml", "cwd"));
    place_clear(&place);
}

TEST(test_an_update_that_could_not_be_read_again_changes_nothing)
{
    const char *const empty[] = {"", NULL};
    const char *const loose[] = {"LOOSE", NULL};
    const char *const nameless[] = {"=x", NULL};
    const char *const binary[] = {"A=\xff", NULL};
    const struct {
        struct colony_session_change change;
        const char *why;
    } cases[] = {
        {{.cwd = "not/absolute"}, "cwd"},
        {{.cmdline = empty}, "cmdline"},
        {{.cmdline = empty + 1}, "empty"},
        {{.env = loose}, "LOOSE"},
        {{.env = nameless}, "a name is not empty"},
        {{.env = binary}, "UTF-8"},
        {{.alias = "../x"}, "../x"},
        {{.alias = ""}, ""},
    };
    struct place place;

    place_init(&place);
    (void)start(&place, "exec:///bin/sleep?60", "one");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(&place, colony_session_update(place.session, "one", &cases[i].change, &place.err),
               -EINVAL, cases[i].why);
    assert_true(place_says(&place, "etc/one.yaml", "cmdline:\n  - \"/bin/sleep\""));
    cJSON_Delete(find(&place, "one"));
    assert_string_equal(place.problem, "");
    place_clear(&place);
}

TEST(test_a_new_alias_is_that_of_dependences_too_and_another_ones_is_not)
{
    const struct colony_session_change taken = {.alias = "two"};
    const struct colony_session_change fresh = {.alias = "uno"};
    struct place place;

    place_init(&place);
    (void)start(&place, "exec:///bin/sleep?60", "one");
    (void)start(&place, "exec:///bin/sleep?61", "two");
    assert_int_equal(colony_session_dependence_add(place.session, "one", "two", "stop", &place.err),
                     1);
    expect(&place, colony_session_update(place.session, "one", &taken, &place.err), -EEXIST, "two");
    assert_true(place_says(&place, "etc/session.yaml", "parent: \"one\""));
    assert_int_equal(colony_session_update(place.session, "one", &fresh, &place.err), 0);
    assert_true(place_says(&place, "etc/session.yaml", "parent: \"uno\""));
    place_clear(&place);
}

TEST(test_a_file_that_cannot_be_used_is_told_and_what_it_said_counts)
{
    struct place place;
    cJSON *json;

    place_init(&place);
    (void)start(&place, "exec:///bin/sleep?60", "one");
    place_write(&place, "etc/one.yaml", "cmdline: [");
    json = find(&place, "one");
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(json, "cmdline"), 1)), "60");
    cJSON_Delete(json);
    if (!strstr(place.problem, "/etc/one.yaml:"))
        fail_msg("%s", place.problem);
    place_clear(&place);
}

/* --- what they are like -------------------------------------------------------------------------
 */

TEST(test_a_wait_ends_when_it_holds_or_time_is_over_or_nothing_can_come_of_it)
{
    struct place place;

    place_init(&place);
    (void)start(&place, "exec:///bin/sleep?60", "one");
    assert_int_equal(colony_session_wait(place.session, "one", "alive and pid > 1",
                                         COLONY_SESSION_FOREVER, &place.err),
                     0);
    assert_int_equal(place.err.code, 0);
    expect(&place, colony_session_wait(place.session, "one", "not alive", 50, &place.err),
           -ETIMEDOUT, "one: not so after 0.05 seconds");
    expect(&place, colony_session_wait(place.session, "one", "alive and", 50, &place.err), -EINVAL,
           "column 10");
    assert_int_equal(colony_session_stop(place.session, "one", NULL, &place.err), 0);
    expect(&place,
           colony_session_wait(place.session, "one", "len(fp['listen']) > 0", 60000, &place.err),
           -ESRCH, "it is not running");
    place_clear(&place);
}

/* While it is being loaded, it has files open that it has not later. */
static void wait_until_asleep(pid_t pid)
{
    char path[64];
    char stat[256] = "";
    char state = '\0';

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    while (state != 'S') {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        assert_true(read(fd, stat, sizeof stat - 1) > 0);
        (void)close(fd);
        assert_int_equal(sscanf(stat, "%*d (%*[^)]) %c", &state), 1);
        (void)sched_yield();
    }
}

TEST(test_a_state_is_saved_and_known_again)
{
    const struct colony_session_look save = {.state = "idle", .saves = true};
    const struct colony_session_look compare = {.state = "idle", .compares = true};
    const struct colony_session_look other = {.state = "busy"};
    cJSON *json = NULL;
    const cJSON *idle;
    struct place place;

    place_init(&place);
    wait_until_asleep(start(&place, "exec:///bin/sleep?60", "one").pid);
    assert_int_equal(colony_session_fingerprint(place.session, "one", &save, NULL, &place.err), 0);
    expect(&place, colony_session_fingerprint(place.session, "one", &other, &json, &place.err),
           -ENOENT, "busy");
    assert_int_equal(colony_session_fingerprint(place.session, "one", &compare, &json, &place.err),
                     0);
    assert_string_equal(text_of(json, "state"), "idle");
    idle = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "states"), "idle");
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(idle, "score")) == 1.0);
    assert_int_equal(
        cJSON_GetNumberValue(cJSON_GetObjectItem(
            cJSON_GetObjectItem(cJSON_GetObjectItem(idle, "changes"), "cmdline"), "kept")),
        2);
    cJSON_Delete(json);
    assert_int_equal(colony_session_stop(place.session, "one", NULL, &place.err), 0);
    json = NULL;
    expect(&place, colony_session_fingerprint(place.session, "one", &compare, &json, &place.err),
           -ESRCH, "not running");
    assert_int_equal(colony_session_fingerprint(place.session, "one", NULL, &json, &place.err), 0);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "fingerprint")));
    cJSON_Delete(json);
    place_clear(&place);
}

static int count_one(const struct cJSON *process, void *data)
{
    int *left = data;

    assert_non_null(text_of(process, "name"));
    return --*left == 0 ? 7 : 0;
}

TEST(test_each_is_told_until_that_is_enough)
{
    struct place place;
    int left = 3;

    place_init(&place);
    (void)start(&place, "exec:///bin/sleep?60", "one");
    (void)start(&place, "exec:///bin/sleep?61", "two");
    assert_int_equal(colony_session_each(place.session, count_one, &left, &place.err), 0);
    assert_int_equal(left, 1);
    assert_int_equal(colony_session_each(place.session, count_one, &left, &place.err), 7);
    place_clear(&place);
}

TEST(test_dependences_are_added_listed_and_removed_and_circles_refused)
{
    struct colony_session_started three;
    struct place place;
    cJSON *list = NULL;

    place_init(&place);
    (void)start(&place, "exec:///bin/sleep?60", "one");
    (void)start(&place, "exec:///bin/sleep?61", "two");
    assert_int_equal(
        colony_session_dependence_add(place.session, "one:idle", "two", NULL, &place.err), 1);
    assert_int_equal(
        colony_session_dependence_add(place.session, "one:idle", "two", "keep", &place.err), 0);
    expect(&place, colony_session_dependence_add(place.session, "two", "one", NULL, &place.err),
           -ELOOP, "one");
    expect(&place, colony_session_dependence_add(place.session, "one", "two", "weep", &place.err),
           -EINVAL, "weep");
    assert_int_equal(colony_session_dependence_list(place.session, &list, &place.err), 0);
    assert_int_equal(cJSON_GetArraySize(list), 1);
    assert_string_equal(text_of(cJSON_GetArrayItem(list, 0), "state"), "idle");
    cJSON_Delete(list);
    assert_int_equal(colony_session_stop(place.session, "two", NULL, &place.err), 0);
    expect(&place, colony_session_start(place.session, "two", NULL, NULL, &place.err), -EBUSY,
           "idle");
    assert_int_equal(colony_session_dependence_remove(place.session, "one", "two", &place.err), 1);
    assert_int_equal(colony_session_dependence_remove(place.session, "one", "two", &place.err), 0);
    expect(&place, colony_session_dependence_remove(place.session, "one", "towt", &place.err),
           -ENOENT, "no process towt");
    expect(&place,
           colony_session_dependence_add(place.session, "one:bad*", "two", NULL, &place.err),
           -EINVAL, "`bad*`");
    expect(&place,
           colony_session_dependence_add(place.session, "one:x\ny", "two", NULL, &place.err),
           -EINVAL, "");
    assert_int_equal(
        colony_session_dependence_add(place.session, "one:running", "two", NULL, &place.err), 1);
    assert_int_equal(colony_session_dependence_remove(place.session, "one", "two", &place.err), 1);
    three = start(&place, "two", NULL);
    assert_true(three.pid > 0);
    place_clear(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_update_is_written_and_counts_at_the_next_start),
        cmocka_unit_test(test_an_update_that_could_not_be_read_again_changes_nothing),
        cmocka_unit_test(test_a_new_alias_is_that_of_dependences_too_and_another_ones_is_not),
        cmocka_unit_test(test_a_file_that_cannot_be_used_is_told_and_what_it_said_counts),
        cmocka_unit_test(test_a_wait_ends_when_it_holds_or_time_is_over_or_nothing_can_come_of_it),
        cmocka_unit_test(test_a_state_is_saved_and_known_again),
        cmocka_unit_test(test_each_is_told_until_that_is_enough),
        cmocka_unit_test(test_dependences_are_added_listed_and_removed_and_circles_refused),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
