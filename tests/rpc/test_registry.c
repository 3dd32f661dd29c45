/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/table.h"
#include "rpc/registry.h"

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/colony-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    return setenv("COLONY_RUNTIME_DIR", folder, 1);
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void put(const char *file, const char *text)
{
    char path[256];
    FILE *out;

    (void)snprintf(path, sizeof path, "%s/rpc", folder);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof path, "%s/rpc/%s", folder, file);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static bool exists(const char *file)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/rpc/%s", folder, file);
    return access(path, F_OK) == 0;
}

static struct colony_rpc_entry entry(const char *name, int port)
{
    struct colony_rpc_entry out = {.port = port};

    (void)snprintf(out.name, sizeof out.name, "%s", name);
    (void)snprintf(out.endpoint, sizeof out.endpoint, "tcp://127.0.0.1:%d", port);
    return out;
}

TEST(test_a_daemon_is_found_by_its_name_until_it_is_removed)
{
    struct colony_rpc_entry one = entry("MessageDaemon", 51000);
    struct colony_rpc_entry found;
    struct colony_error err;

    assert_int_equal(colony_rpc_registry_find(&found, "MessageDaemon", 0, &err), -ENOENT);
    (void)snprintf(one.public_key, sizeof one.public_key, "%s", "key");
    put(".colony-0.new", "of one that was killed while it wrote");
    assert_int_equal(colony_rpc_registry_add(&one, NULL), 0);
    assert_false(exists(".colony-0.new"));
    assert_int_equal(colony_rpc_registry_find(&found, "MessageDaemon", 0, NULL), 0);
    assert_int_equal(found.pid, getpid());
    assert_int_equal(found.pid_start, colony_proc_start_ticks(getpid()));
    assert_string_equal(found.endpoint, "tcp://127.0.0.1:51000");
    assert_int_equal(found.port, 51000);
    assert_string_equal(found.public_key, "key");
    assert_int_equal(colony_rpc_registry_find(&found, "MessageDaemon", 51000, NULL), 0);
    assert_int_equal(colony_rpc_registry_find(&found, "MessageDaemon", 51001, &err), -ENOENT);
    assert_int_equal(colony_rpc_registry_find(&found, "MesageDaemon", 0, &err), -ENOENT);
    assert_string_equal(err.message, "cannot find a daemon named MesageDaemon: none runs here (did "
                                     "you mean MessageDaemon?)");
    colony_rpc_registry_remove(&one);
    assert_int_equal(colony_rpc_registry_find(&found, "MessageDaemon", 0, &err), -ENOENT);
}

TEST(test_entries_of_processes_that_ended_are_removed)
{
    struct colony_rpc_entry *list;
    struct colony_rpc_entry living = entry("b", 51001);
    char file[64];
    char text[256];
    size_t count;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)snprintf(file, sizeof file, "gone.%d.json", (int)pid);
    (void)snprintf(text, sizeof text,
                   "{\"name\":\"gone\",\"pid\":%d,\"pid_start\":7,\"endpoint\":\"tcp://h:1\","
                   "\"port\":1,\"public_key\":null}",
                   (int)pid);
    put(file, text);
    (void)snprintf(file, sizeof file, "other.%d.json", (int)getpid());
    (void)snprintf(text, sizeof text, /* its number is another's now */
                   "{\"name\":\"other\",\"pid\":%d,\"pid_start\":7,\"endpoint\":\"tcp://h:1\","
                   "\"port\":1,\"public_key\":null}",
                   (int)getpid());
    put(file, text);
    assert_int_equal(colony_rpc_registry_add(&living, NULL), 0);
    assert_int_equal(colony_rpc_registry_list(&list, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].name, "b");
    free(list);
    assert_false(exists(file));
    colony_rpc_registry_remove(&living);
}

/* A child that waits until it is killed. */
static pid_t start_child(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static void end_child(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static size_t count_all(void)
{
    struct colony_rpc_entry *list;
    size_t count;

    assert_int_equal(colony_rpc_registry_list(&list, &count, NULL), 0);
    free(list);
    return count;
}

TEST(test_an_entry_stays_while_the_keeper_may_start_another)
{
    struct colony_rpc_entry found;
    pid_t keeper = start_child();
    pid_t pid = start_child();
    char file[64];
    char text[400];

    (void)snprintf(file, sizeof file, "kept.%d.json", (int)keeper);
    (void)snprintf(text, sizeof text,
                   "{\"name\":\"kept\",\"pid\":%d,\"pid_start\":%llu,\"keeper\":%d,"
                   "\"keeper_start\":%llu,\"endpoint\":\"tcp://h:1\",\"port\":1}",
                   (int)pid, (unsigned long long)colony_proc_start_ticks(pid), (int)keeper,
                   (unsigned long long)colony_proc_start_ticks(keeper));
    put(file, text);
    end_child(pid);
    assert_int_equal(colony_rpc_registry_find(&found, "kept", 0, NULL), 0);
    assert_int_equal(found.keeper, keeper);
    end_child(keeper);
    assert_int_equal(count_all(), 0);
    assert_false(exists(file));
}

TEST(test_who_takes_the_place_of_another_is_there_once)
{
    struct colony_rpc_entry first = entry("a", 51000);
    struct colony_rpc_entry other = entry("a", 51001);
    struct colony_rpc_entry next = first;
    pid_t keeper = start_child();
    pid_t new_keeper = start_child();

    first.keeper = keeper;
    assert_int_equal(colony_rpc_registry_add(&other, NULL), 0);
    assert_int_equal(colony_rpc_registry_add(&first, NULL), 0);
    next.keeper = new_keeper; /* as when the engine has become its keeper */
    assert_int_equal(colony_rpc_registry_add(&next, NULL), 0);
    assert_int_equal(count_all(), 2);
    colony_rpc_registry_remove(&next);
    colony_rpc_registry_remove(&other);
    assert_int_equal(count_all(), 0);
    end_child(keeper);
    end_child(new_keeper);
}

TEST(test_a_new_one_takes_no_place_but_of_who_has_ended)
{
    struct colony_rpc_entry one = entry("a", 51000);
    struct colony_rpc_entry other = entry("a", 51001);
    struct colony_error err;
    char file[64];
    char text[256];

    (void)snprintf(file, sizeof file, "a.%d.json", (int)getpid());
    (void)snprintf(text, sizeof text,
                   "{\"name\":\"a\",\"pid\":%d,\"pid_start\":7,\"endpoint\":\"tcp://h:1\","
                   "\"port\":1,\"public_key\":null}",
                   (int)getpid());
    put(file, text);
    assert_int_equal(colony_rpc_registry_add_new(&one, NULL), 0);
    assert_int_equal(colony_rpc_registry_add_new(&other, &err), -EEXIST);
    assert_string_equal(err.message,
                        "cannot serve a: this program has a daemon of that name already");
    assert_int_equal(colony_rpc_registry_find(&other, "a", 0, NULL), 0);
    assert_int_equal(other.port, 51000);
    colony_rpc_registry_remove(&one);
    put(file, "nonsense");
    assert_int_equal(colony_rpc_registry_add_new(&one, NULL), 0);
    assert_int_equal(count_all(), 1);
    colony_rpc_registry_remove(&one);
    assert_false(exists(file));
    (void)snprintf(file, sizeof file, ".%d.new", (int)getpid());
    assert_false(exists(file));
}

TEST(test_a_name_may_begin_with_a_dot)
{
    struct colony_rpc_entry one = entry(".a", 51000);
    struct colony_rpc_entry found;

    assert_int_equal(colony_rpc_registry_add(&one, NULL), 0);
    assert_int_equal(colony_rpc_registry_find(&found, ".a", 0, NULL), 0);
    assert_int_equal(found.port, 51000);
    colony_rpc_registry_remove(&one);
}

TEST(test_files_of_others_are_passed_over)
{
    struct colony_rpc_entry *list;
    size_t count;

    put("x.1.json", "nonsense");
    put("y.json", "{}");
    put("z.1.json", "{\"name\":\"../z\",\"pid\":1,\"pid_start\":1,\"endpoint\":\"e\",\"port\":1}");
    put("v.1.json", "{\"name\":\"w\",\"pid\":1,\"pid_start\":1,\"endpoint\":\"e\",\"port\":1}");
    put(".hidden.json", "{}");
    assert_int_equal(colony_rpc_registry_list(&list, &count, NULL), 0);
    assert_int_equal(count, 0);
    free(list);
    assert_true(exists("x.1.json"));
}

TEST(test_a_folder_that_others_may_write_is_not_believed)
{
    struct colony_rpc_entry one = entry("a", 51000);
    struct colony_error err;
    char path[256];

    (void)snprintf(path, sizeof path, "%s/rpc", folder);
    (void)mkdir(path, 0700);
    assert_int_equal(chmod(path, 0777), 0);
    assert_int_equal(colony_rpc_registry_add(&one, &err), -EACCES);
    assert_int_equal(chmod(path, 0700), 0);
}

TEST(test_a_name_that_is_none_is_refused)
{
    struct colony_rpc_entry one = entry("../a", 51000);

    assert_int_equal(colony_rpc_registry_add(&one, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_daemon_is_found_by_its_name_until_it_is_removed),
        cmocka_unit_test(test_entries_of_processes_that_ended_are_removed),
        cmocka_unit_test(test_an_entry_stays_while_the_keeper_may_start_another),
        cmocka_unit_test(test_who_takes_the_place_of_another_is_there_once),
        cmocka_unit_test(test_a_new_one_takes_no_place_but_of_who_has_ended),
        cmocka_unit_test(test_a_name_may_begin_with_a_dot),
        cmocka_unit_test(test_files_of_others_are_passed_over),
        cmocka_unit_test(test_a_folder_that_others_may_write_is_not_believed),
        cmocka_unit_test(test_a_name_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
