/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>

#include <colony.h>

struct fixture {
    struct scratch scratch;
    char config[96];
    char messages[96];
    struct colony_places places;
    struct colony_error err;
};

static const struct colony_file sleeper = {.cmd = "sleep",
                                           .args = (const char *const[]){"1000", NULL}};

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    scratch_init(&f->scratch);
    (void)snprintf(f->config, sizeof f->config, "%s/conf", f->scratch.path);
    (void)snprintf(f->messages, sizeof f->messages, "%s/messages", f->scratch.path);
    assert_int_equal(mkdir(f->config, 0700), 0);
    assert_int_equal(mkdir(f->messages, 0700), 0);
    f->places.config = f->config;
    f->places.messages = f->messages;
}

static void assert_file(struct fixture *f, const char *name, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;

    assert_int_equal(colony_files_read(&f->places, name, &text, &size, &f->err), 0);
    assert_int_equal(size, strlen(wanted));
    assert_string_equal(text, wanted);
    free(text);
}

/* What stands in the messages, in the order of their names. */
static void assert_messages(const struct fixture *f, const char *const *wanted)
{
    const struct colony_places messages = {.config = f->messages, .messages = f->messages};
    char **names = NULL;
    int count = colony_files_list(&messages, &names, NULL);

    for (int i = 0; i < count; i++) {
        char *text = NULL;
        size_t size = 0;

        assert_non_null(wanted[i]);
        assert_int_equal(colony_files_read(&messages, names[i], &text, &size, NULL), 0);
        assert_string_equal(text, wanted[i]);
        free(text);
    }
    assert_null(wanted[count]);
    colony_files_free(names);
}

TEST(test_a_file_has_what_is_said_and_nothing_else)
{
    const uid_t uid = 0;
    const gid_t gid = 0;
    const struct colony_file all = {
        .cmd = "x",
        .args = (const char *const[]){"-a", NULL},
        .env = (const char *const[]){"A=1", "B=b=c", "A=2", NULL},
        .env_inherit = (const char *const[]){"TERM", NULL},
        .uid = &uid,
        .gid = &gid,
        .extras = "{\"group\": [\"shop\"]}",
    };
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(colony_files_add(&f.places, "web", &sleeper, &f.err), 1);
    assert_file(&f, "web", "{\"args\": [\"sleep\", \"1000\"]}");
    assert_int_equal(colony_files_add(&f.places, "web", &sleeper, &f.err), 0);
    assert_int_equal(colony_files_add(&f.places, "web", &all, &f.err), 1);
    assert_file(&f, "web",
                "{\"args\": [\"x\", \"-a\"], \"env\": {\"A\": \"2\", \"B\": \"b=c\"}, \"uid\": 0, "
                "\"gid\": 0, \"env_inherit\": [\"TERM\"], \"group\": [\"shop\"]}");
    scratch_clear(&f.scratch);
}

TEST(test_a_user_that_is_none_here_is_written_and_told)
{
    const uid_t uid = 1234567;
    const struct colony_file stranger = {.cmd = "x", .uid = &uid};
    const struct colony_file bad = {.cmd = "x", .uid = &uid, .extras = "{\"group\": 1}"};
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(colony_files_add(&f.places, "web", &stranger, &f.err), 1);
    assert_file(&f, "web", "{\"args\": [\"x\"], \"uid\": 1234567}");
    assert_non_null(strstr(f.err.message, "no known user"));
    assert_int_equal(colony_files_add(&f.places, "bad", &bad, &f.err), -EINVAL);
    scratch_clear(&f.scratch);
}

TEST(test_what_colony_could_not_use_is_not_written)
{
    static const struct colony_file none = {0};
    const struct colony_file bad_env = {
        .cmd = "x",
        .env = (const char *const[]){"A", NULL},
    };
    static const struct colony_file bad_extras = {.cmd = "x", .extras = "{"};
    static const struct colony_file no_extras = {.cmd = "x", .extras = "/no/such/file"};
    static const struct colony_file a_folder = {.cmd = "x", .extras = "/"};
    static const struct colony_file a_device = {.cmd = "x", .extras = "/dev/zero"};
    char path[128];
    const struct colony_file a_pipe = {.cmd = "x", .extras = path};
    struct fixture f;
    char **names = NULL;

    fixture_init(&f);
    assert_int_equal(colony_files_add(&f.places, "web", &none, &f.err), -EINVAL);
    assert_int_equal(f.err.code, -EINVAL);
    assert_int_equal(colony_files_add(&f.places, "a/b", &sleeper, &f.err), -EINVAL);
    assert_int_equal(colony_files_add(&f.places, "web", &bad_env, NULL), -EINVAL);
    assert_int_equal(colony_files_add(&f.places, "web", &bad_extras, NULL), -EBADMSG);
    assert_int_equal(colony_files_add(&f.places, "web", &no_extras, NULL), -ENOENT);
    assert_int_equal(colony_files_add(&f.places, "web", &a_folder, NULL), -EINVAL);
    assert_int_equal(colony_files_add(&f.places, "web", &a_device, NULL), -EINVAL);
    (void)snprintf(path, sizeof path, "%s/pipe", f.scratch.path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(colony_files_add(&f.places, "web", &a_pipe, &f.err), -EINVAL);
    assert_non_null(strstr(f.err.message, "not a regular file"));
    assert_int_equal(colony_files_list(&f.places, &names, &f.err), 0);
    assert_null(names[0]);
    colony_files_free(names);
    scratch_clear(&f.scratch);
}

TEST(test_messages_are_in_the_order_they_were_sent)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(colony_files_add(&f.places, "web", &sleeper, &f.err), 1);
    assert_int_equal(colony_files_restart(&f.places, "web", &f.err), 0);
    assert_int_equal(colony_files_restart_group(&f.places, "shop", &f.err), 0);
    assert_int_equal(colony_files_restart_all(&f.places, &f.err), 0);
    assert_int_equal(colony_files_restart_group(&f.places, "", &f.err), -EINVAL);
    assert_messages(&f, (const char *const[]){
                            "{\"type\": \"RESTART\", \"name\": \"web\"}",
                            "{\"type\": \"RESTART-GROUP\", \"group\": \"shop\"}",
                            "{\"type\": \"RESTART-ALL\"}",
                            NULL,
                        });
    scratch_clear(&f.scratch);
}

TEST(test_thousands_of_messages_are_in_the_order_they_were_sent)
{
    enum { COUNT = 1200 };

    char sent[COUNT][64];
    const char *wanted[COUNT + 1] = {NULL};
    struct fixture f;

    fixture_init(&f);
    for (int i = 0; i < COUNT; i++) {
        char group[16];

        (void)snprintf(group, sizeof group, "%d", i);
        assert_int_equal(colony_files_restart_group(&f.places, group, &f.err), 0);
        (void)snprintf(sent[i], sizeof sent[i], "{\"type\": \"RESTART-GROUP\", \"group\": \"%d\"}",
                       i);
        wanted[i] = sent[i];
    }
    assert_messages(&f, wanted);
    scratch_clear(&f.scratch);
}

TEST(test_a_name_that_nobody_has_is_told_with_the_nearest)
{
    struct fixture f;
    char *text = NULL;
    size_t size = 0;

    fixture_init(&f);
    assert_int_equal(colony_files_remove(&f.places, "web", &f.err), -ENOENT);
    assert_int_equal(colony_files_add(&f.places, "web", &sleeper, &f.err), 1);
    assert_int_equal(colony_files_restart(&f.places, "wbe", &f.err), -ENOENT);
    assert_non_null(strstr(f.err.message, "did you mean web?"));
    assert_int_equal(colony_files_read(&f.places, "wbe", &text, &size, &f.err), -ENOENT);
    assert_null(text);
    assert_int_equal(colony_files_remove(&f.places, "web", &f.err), 0);
    assert_int_equal(colony_files_restart(&f.places, "web", &f.err), -ENOENT);
    assert_messages(&f, (const char *const[]){NULL});
    scratch_clear(&f.scratch);
}

TEST(test_a_folder_that_is_not_there_is_no_name_that_is_missing)
{
    struct fixture f;
    char **names = NULL;

    fixture_init(&f);
    assert_int_equal(colony_files_add(&f.places, "web", &sleeper, &f.err), 1);
    f.places.messages = "/no/such/folder";
    assert_int_equal(colony_files_add(&f.places, "ewb", &sleeper, &f.err), -ENOTDIR);
    assert_int_equal(colony_files_remove(&f.places, "web", &f.err), -ENOTDIR);
    f.places.dry_run = stderr;
    assert_int_equal(colony_files_add(&f.places, "ewb", &sleeper, &f.err), -ENOTDIR);
    f.places.dry_run = NULL;
    f.places.messages = f.messages;
    f.places.config = "/no/such/folder";
    assert_int_equal(colony_files_restart_all(&f.places, &f.err), -ENOTDIR);
    assert_non_null(strstr(f.err.message, "/no/such/folder"));
    f.places.messages = f.places.config;
    assert_int_equal(colony_files_add(&f.places, "web", &sleeper, &f.err), -ENOTDIR);
    assert_int_equal(colony_files_remove(&f.places, "web", &f.err), -ENOTDIR);
    assert_int_equal(colony_files_restart(&f.places, "web", &f.err), -ENOTDIR);
    assert_int_equal(colony_files_restart_all(&f.places, &f.err), -ENOTDIR);
    assert_int_equal(colony_files_list(&f.places, &names, &f.err), -ENOTDIR);
    colony_files_free(names);
    scratch_clear(&f.scratch);
}

TEST(test_a_dry_run_writes_to_its_file_alone)
{
    char *text = NULL;
    char wanted[256];
    size_t size = 0;
    struct fixture f;
    char **names = NULL;

    fixture_init(&f);
    assert_int_equal(colony_files_add(&f.places, "old", &sleeper, &f.err), 1);
    f.places.dry_run = open_memstream(&text, &size);
    assert_non_null(f.places.dry_run);
    assert_int_equal(colony_files_add(&f.places, "web", &sleeper, &f.err), 0);
    assert_int_equal(colony_files_restart_all(&f.places, &f.err), 0);
    assert_int_equal(colony_files_remove(&f.places, "old", &f.err), 0);
    assert_int_equal(colony_files_remove(&f.places, "web", &f.err), -ENOENT);
    assert_int_equal(fclose(f.places.dry_run), 0);
    (void)snprintf(
        wanted, sizeof wanted,
        "{\"args\": [\"sleep\", \"1000\"]}\n{\"type\": \"RESTART-ALL\"}\nremove %s/old\n",
        f.config);
    assert_string_equal(text, wanted);
    free(text);
    assert_int_equal(colony_files_list(&f.places, &names, &f.err), 1);
    colony_files_free(names);
    assert_messages(&f, (const char *const[]){NULL});
    scratch_clear(&f.scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_has_what_is_said_and_nothing_else),
        cmocka_unit_test(test_a_user_that_is_none_here_is_written_and_told),
        cmocka_unit_test(test_what_colony_could_not_use_is_not_written),
        cmocka_unit_test(test_messages_are_in_the_order_they_were_sent),
        cmocka_unit_test(test_thousands_of_messages_are_in_the_order_they_were_sent),
        cmocka_unit_test(test_a_name_that_nobody_has_is_told_with_the_nearest),
        cmocka_unit_test(test_a_folder_that_is_not_there_is_no_name_that_is_missing),
        cmocka_unit_test(test_a_dry_run_writes_to_its_file_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
