/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <fcntl.h>
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
    assert_int_equal(colony_rpc_registry_add(&one, NULL), 0);
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
        cmocka_unit_test(test_files_of_others_are_passed_over),
        cmocka_unit_test(test_a_folder_that_others_may_write_is_not_believed),
        cmocka_unit_test(test_a_name_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
