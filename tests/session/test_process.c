/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of a session: rows, files, and each made again from the other. */
#include "spaces.h"

#include <errno.h>

#include "core/table.h"

TEST(test_what_is_put_is_read_again)
{
    char *cmdline[] = {"/usr/bin/env", "a=1", "it's \"quoted\": #1\n\x7f", NULL};
    char *env[] = {"A=1", "B=yes", "C=", NULL};
    char *keywords[] = {"account=0", NULL};
    struct colony_session_process put = {
        .name = "yellow-panda",
        .alias = "master.tws",
        .uri = "exec://localhost/usr/bin/env?a=1",
        .state = COLONY_STATE_STARTING,
        .pid = 4321,
        .start_ticks = 99,
        .boot = "b",
        .cmdline = cmdline,
        .cwd = "/tmp",
        .env = env,
        .keywords = keywords,
        .restart = true,
    };
    struct colony_session_process got = {0};
    struct space space;

    space_init(&space);
    assert_int_equal(colony_session_process_put(space.workspace, &put, &space.err), 0);
    space_reopen(&space);
    assert_int_equal(colony_session_process_find(&got, space.workspace, "master.tws", &space.err),
                     0);
    assert_string_equal(got.name, put.name);
    assert_string_equal(got.alias, put.alias);
    assert_string_equal(got.uri, put.uri);
    assert_string_equal(got.state, put.state);
    assert_int_equal(got.pid, 4321);
    assert_int_equal(got.start_ticks, 99);
    assert_string_equal(got.cmdline[2], cmdline[2]);
    assert_null(got.cmdline[3]);
    assert_string_equal(got.env[1], "B=yes");
    assert_string_equal(got.env[2], "C=");
    assert_string_equal(got.keywords[0], "account=0");
    assert_string_equal(got.cwd, "/tmp");
    assert_true(got.restart);
    assert_false(got.shutdown);
    assert_non_null(got.date);
    assert_string_equal(space_read(&space, "pid/yellow-panda.pid"), "4321\n");
    assert_true(space_has(&space, "etc/master.tws.yaml"));
    colony_session_process_clear(&got);
    space_clear(&space);
}

TEST(test_a_comment_in_a_file_outlives_a_change)
{
    struct colony_session_process process = {0};
    struct space space;

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", NULL, "5"), 0);
    space_write(&space, "etc/yellow-panda.yaml",
                "# mine\nname: yellow-panda\ncmdline: [/bin/sleep, '5'] # five\nrestart: no # not "
                "yet\n# the end\nmemo: {a: 1}\n");
    assert_int_equal(
        colony_session_process_find(&process, space.workspace, "yellow-panda", &space.err), 0);
    process.restart = true;
    process.alias = strdup("nap");
    assert_int_equal(colony_session_process_put(space.workspace, &process, &space.err), 0);
    assert_false(space_has(&space, "etc/yellow-panda.yaml"));
    assert_string_equal(space_read(&space, "etc/nap.yaml"),
                        "# mine\nname: yellow-panda\ncmdline: [/bin/sleep, '5'] # five\n"
                        "restart: 1\n# the end\nmemo: {a: 1}\nuri: \"exec:///bin/sleep?5\"\n");
    colony_session_process_clear(&process);
    space_clear(&space);
}

TEST(test_a_lost_file_is_made_again_as_it_was)
{
    struct colony_session_list list;
    struct space space;

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "5"), 0);
    space_write(&space, "etc/nap.yaml", "name: yellow-panda\ncmdline: [/bin/sleep, 7]\n# seven\n");
    space_list(&space, &list);
    assert_int_equal(space.problem_count, 0);
    colony_session_list_clear(&list);
    assert_int_equal(unlinkat(space.scratch.fd, "etc/nap.yaml", 0), 0);
    space_list(&space, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].cmdline[1], "7");
    assert_non_null(strstr(space.problems[0], "etc/nap.yaml was gone: made again"));
    assert_string_equal(space_read(&space, "etc/nap.yaml"),
                        "name: yellow-panda\ncmdline: [/bin/sleep, 7]\n# seven\n");
    colony_session_list_clear(&list);
    space_clear(&space);
}

TEST(test_a_lost_database_is_made_again_from_the_files)
{
    struct colony_session_list list;
    struct space space;

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "5"), 0);
    assert_int_equal(space_put(&space, "questionable-dish", NULL, "6"), 0);
    assert_int_equal(unlinkat(space.scratch.fd, "db/session.db", 0), 0);
    space_list(&space, &list); /* with the database still open, too */
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].name, "questionable-dish");
    assert_null(list.items[0].alias);
    assert_string_equal(list.items[1].name, "yellow-panda");
    assert_string_equal(list.items[1].alias, "nap");
    assert_string_equal(list.items[1].uri, "exec:///bin/sleep?5");
    assert_int_equal(space.problem_count, 1);
    assert_non_null(strstr(space.problems[0], "was not there: made again from etc (2 processes)"));
    colony_session_list_clear(&list);
    space_reopen(&space);
    space_list(&space, &list);
    assert_int_equal(list.count, 2);
    assert_int_equal(space.problem_count, 0);
    colony_session_list_clear(&list);
    space_clear(&space);
}

TEST(test_a_damaged_database_is_moved_aside_and_made_again)
{
    struct colony_session_list list;
    struct space space;

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "5"), 0);
    colony_workspace_close(space.workspace);
    space_write(&space, "db/session.db",
                "this is no database, and long enough to be looked at: "
                "this is no database, and long enough to be looked at");
    assert_int_equal(colony_workspace_open(&space.workspace, space.scratch.path, NULL), 0);
    space_list(&space, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].alias, "nap");
    assert_int_equal(space.problem_count, 1);
    assert_non_null(strstr(space.problems[0], "was damaged"));
    assert_true(space_has(&space, "db/session.db.damaged"));
    colony_session_list_clear(&list);
    space_clear(&space);
}

TEST(test_of_a_file_that_is_nonsense_the_last_good_text_counts)
{
    struct colony_session_list list;
    struct space space;

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "5"), 0);
    space_write(&space, "etc/nap.yaml", "name: yellow-panda\ncmdline: {nonsense\n");
    space_list(&space, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].cmdline[1], "5");
    assert_int_equal(space.problem_count, 1);
    assert_non_null(strstr(space.problems[0], "/etc/nap.yaml:3:1: "));
    colony_session_list_clear(&list);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "6"), -EINVAL);
    assert_non_null(strstr(space.err.message, "/etc/nap.yaml:3:1: "));
    assert_string_equal(space_read(&space, "etc/nap.yaml"),
                        "name: yellow-panda\ncmdline: {nonsense\n");
    space_clear(&space);
}

TEST(test_two_files_of_one_process_are_told_by_name)
{
    struct colony_session_list list;
    struct space space;

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "5"), 0);
    space_write(&space, "etc/yellow-panda.yaml", "name: yellow-panda\ncmdline: [/bin/false]\n");
    space_list(&space, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].cmdline[0], "/bin/sleep");
    assert_int_equal(space.problem_count, 1);
    assert_non_null(strstr(space.problems[0], "etc/nap.yaml and "));
    assert_non_null(strstr(space.problems[0], "etc/yellow-panda.yaml are both files of"));
    colony_session_list_clear(&list);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "6"), -EEXIST);
    space_clear(&space);
}

TEST(test_a_file_that_a_user_writes_is_a_process)
{
    struct colony_session_list list;
    struct space space;
    char name[64];

    space_init(&space);
    space_write(&space, "etc/web.yaml", "cmdline: [/bin/sleep, a=1]\nrestart: 1\n");
    space_list(&space, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].alias, "web");
    assert_string_equal(list.items[0].uri, "exec://localhost/bin/sleep?a=1");
    assert_non_null(strchr(list.items[0].name, '-'));
    (void)snprintf(name, sizeof name, "%s", list.items[0].name);
    colony_session_list_clear(&list);
    space_write(&space, "etc/web.yaml", "cmdline: [/bin/sleep, a=2]\n");
    space_list(&space, &list);
    assert_string_equal(list.items[0].name, name);
    assert_string_equal(list.items[0].cmdline[1], "a=2");
    assert_int_equal(space.problem_count, 0);
    colony_session_list_clear(&list);
    space_clear(&space);
}

TEST(test_a_file_with_an_uri_alone_is_a_process_that_runs_it)
{
    struct colony_session_list list;
    struct space space;

    space_init(&space);
    space_write(&space, "etc/session.yaml", "schemes: {ib: [/usr/bin/ib, '{path}']}\n");
    space_write(&space, "etc/web.yaml", "uri: ib://localhost/sync?uid=1\n");
    space_list(&space, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].cmdline[0], "/usr/bin/ib");
    assert_string_equal(list.items[0].cmdline[1], "/sync");
    assert_int_equal(space.problem_count, 0);
    colony_session_list_clear(&list);
    space_clear(&space);
}

TEST(test_a_file_that_is_renamed_by_hand_renames_the_alias)
{
    struct colony_session_list list;
    struct space space;

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "5"), 0);
    assert_int_equal(renameat(space.scratch.fd, "etc/nap.yaml", space.scratch.fd, "etc/doze.yaml"),
                     0);
    space_list(&space, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].alias, "doze");
    colony_session_list_clear(&list);
    space_reopen(&space);
    space_list(&space, &list);
    assert_string_equal(list.items[0].alias, "doze");
    assert_int_equal(space.problem_count, 0);
    assert_false(space_has(&space, "etc/nap.yaml"));
    colony_session_list_clear(&list);
    space_clear(&space);
}

TEST(test_an_alias_is_of_one_process)
{
    struct space space;

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "5"), 0);
    assert_int_equal(space_put(&space, "questionable-dish", "nap", "6"), -EEXIST);
    assert_non_null(strstr(space.err.message, "yellow-panda"));
    assert_int_equal(space_put(&space, "questionable-dish", "yellow-panda", "6"), -EEXIST);
    assert_int_equal(space_put(&space, "nap", NULL, "6"), -EEXIST);
    assert_int_equal(space_put(&space, "questionable-dish", "a/b", "6"), -EINVAL);
    assert_int_equal(space_put(&space, "questionable-dish", "a:b", "6"), -EINVAL);
    assert_int_equal(space_put(&space, "questionable-dish", "session", "6"), -EINVAL);
    assert_int_equal(space_put(&space, "..", NULL, "6"), -EINVAL);
    space_clear(&space);
}

TEST(test_what_is_removed_leaves_only_its_output)
{
    struct colony_session_list list;
    struct space space;

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "5"), 0);
    space_write(&space, "fp/yellow-panda.yaml", "listen: []\n");
    space_write(&space, "fp/yellow-panda.ready.yaml", "listen: []\n");
    space_write(&space, "fp/yellow-pandas.yaml", "listen: []\n");
    space_write(&space, "out/yellow-panda.out", "said\n");
    assert_int_equal(colony_session_process_remove(space.workspace, "yellow-panda", &space.err), 0);
    assert_false(space_has(&space, "etc/nap.yaml"));
    assert_false(space_has(&space, "fp/yellow-panda.yaml"));
    assert_false(space_has(&space, "fp/yellow-panda.ready.yaml"));
    assert_true(space_has(&space, "fp/yellow-pandas.yaml"));
    assert_true(space_has(&space, "out/yellow-panda.out"));
    space_list(&space, &list);
    assert_int_equal(list.count, 0);
    colony_session_list_clear(&list);
    assert_int_equal(colony_session_process_remove(space.workspace, "yellow-panda", &space.err),
                     -ENOENT);
    space_clear(&space);
}

TEST(test_a_change_that_was_planned_is_carried_out_by_who_comes_next)
{
    struct colony_session_list list;
    struct space space;
    char command[256];

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "5"), 0);
    colony_workspace_close(space.workspace);
    (void)snprintf(command, sizeof command,
                   "sqlite3 %s/db/session.db \"UPDATE u_process SET alias = 'doze'; UPDATE u_etc "
                   "SET next_file = 'doze', next_text = 'name: yellow-panda\ncmdline: [/x]\n'\"",
                   space.scratch.path);
    if (system("command -v sqlite3 >/dev/null") != 0)
        skip_aloud("there is no sqlite3(1)");
    assert_int_equal(system(command), 0);
    assert_int_equal(colony_workspace_open(&space.workspace, space.scratch.path, NULL), 0);
    space_list(&space, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].alias, "doze");
    assert_string_equal(list.items[0].cmdline[0], "/x");
    assert_false(space_has(&space, "etc/nap.yaml"));
    assert_true(space_has(&space, "etc/doze.yaml"));
    colony_session_list_clear(&list);
    space_clear(&space);
}

TEST(test_a_pidfd_is_only_of_the_process_that_is_noted)
{
    char boot[COLONY_SESSION_BOOT_SIZE];
    struct colony_session_process process = {.pid = getpid(), .boot = boot};
    int fd;

    assert_int_equal(colony_session_boot_id(boot), 0);
    assert_int_equal(colony_session_process_pidfd(&process), -ESRCH); /* since when? */
    process.start_ticks = colony_proc_start_ticks(getpid());
    fd = colony_session_process_pidfd(&process);
    assert_true(fd >= 0);
    (void)close(fd);
    process.start_ticks++;
    assert_int_equal(colony_session_process_pidfd(&process), -ESRCH);
    process.start_ticks--;
    process.boot = "another boot";
    assert_int_equal(colony_session_process_pidfd(&process), -ESRCH);
}

TEST(test_life_is_noted_with_its_pid_file_and_date)
{
    struct colony_session_process life = {
        .name = "yellow-panda", .state = "operative", .pid = 77, .start_ticks = 5, .boot = "b"};
    struct colony_session_process got = {0};
    struct space space;

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "5"), 0);
    assert_int_equal(colony_session_process_put_life(space.workspace, &life, 1, &space.err), 0);
    assert_int_equal(colony_session_process_find(&got, space.workspace, "nap", &space.err), 0);
    assert_string_equal(got.state, "operative");
    assert_int_equal(got.pid, 77);
    assert_string_equal(space_read(&space, "pid/yellow-panda.pid"), "77\n");
    colony_session_process_clear(&got);
    assert_int_equal(unlinkat(space.scratch.fd, "pid/yellow-panda.pid", 0), 0);
    assert_int_equal(colony_session_process_find(&got, space.workspace, "nap", &space.err), 0);
    assert_string_equal(space_read(&space, "pid/yellow-panda.pid"), "77\n");
    colony_session_process_clear(&got);
    life.pid = 0;
    life.state = COLONY_STATE_STOPPED;
    assert_int_equal(colony_session_process_put_life(space.workspace, &life, 1, &space.err), 0);
    assert_false(space_has(&space, "pid/yellow-panda.pid"));
    space_clear(&space);
}

TEST(test_a_word_that_is_no_process_gets_the_nearest)
{
    struct colony_session_process got = {0};
    struct space space;

    space_init(&space);
    assert_int_equal(space_put(&space, "yellow-panda", "master.tws", "5"), 0);
    assert_int_equal(colony_session_process_find(&got, space.workspace, "master.tsw", &space.err),
                     -ENOENT);
    assert_non_null(strstr(space.err.message, "did you mean master.tws?"));
    space_clear(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_put_is_read_again),
        cmocka_unit_test(test_a_comment_in_a_file_outlives_a_change),
        cmocka_unit_test(test_a_lost_file_is_made_again_as_it_was),
        cmocka_unit_test(test_a_lost_database_is_made_again_from_the_files),
        cmocka_unit_test(test_a_damaged_database_is_moved_aside_and_made_again),
        cmocka_unit_test(test_of_a_file_that_is_nonsense_the_last_good_text_counts),
        cmocka_unit_test(test_two_files_of_one_process_are_told_by_name),
        cmocka_unit_test(test_a_file_that_a_user_writes_is_a_process),
        cmocka_unit_test(test_a_file_with_an_uri_alone_is_a_process_that_runs_it),
        cmocka_unit_test(test_a_file_that_is_renamed_by_hand_renames_the_alias),
        cmocka_unit_test(test_an_alias_is_of_one_process),
        cmocka_unit_test(test_what_is_removed_leaves_only_its_output),
        cmocka_unit_test(test_a_change_that_was_planned_is_carried_out_by_who_comes_next),
        cmocka_unit_test(test_a_pidfd_is_only_of_the_process_that_is_noted),
        cmocka_unit_test(test_life_is_noted_with_its_pid_file_and_date),
        cmocka_unit_test(test_a_word_that_is_no_process_gets_the_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
