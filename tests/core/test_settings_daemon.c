/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/settings.h"

static char folder[] = "/tmp/colony-test-XXXXXX";
static char path[128];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/MyDaemon.yaml", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return unlink(path) | rmdir(folder);
}

static int try_load(const char *text, struct colony_settings **out, struct colony_error *err)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return colony_settings_load(out, path, err);
}

static struct colony_settings *load(const char *text)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    if (try_load(text, &settings, &err) < 0)
        fail_msg("%s", err.message);
    return settings;
}

static struct colony_settings *round_trip(struct colony_settings *settings)
{
    struct colony_settings *copy = NULL;
    struct colony_error err = {0};
    char *text = NULL;

    assert_int_equal(colony_settings_to_json(settings, &text), 0);
    if (colony_settings_parse_json(&copy, text, strlen(text), &err) < 0)
        fail_msg("%s", err.message);
    free(text);
    colony_settings_free(settings);
    return copy;
}

static void assert_refused(const char *text, const char *why)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    assert_int_equal(try_load(text, &settings, &err), -EINVAL);
    if (!strstr(err.message, why))
        fail_msg("`%s` is not in `%s`", why, err.message);
}

TEST(test_nothing_is_opened_unless_there_is_a_master)
{
    struct colony_settings *settings = round_trip(load("ping: {exec: 'true'}\n"));

    assert_false(settings->master.is_wanted);
    assert_string_equal(settings->master.host, "::");
    assert_int_equal(settings->master.port, 5151);
    assert_null(settings->master.hidden_opts[0]);
    assert_string_equal(settings->ping.exec, "true");
    assert_null(settings->status.exec);
    colony_settings_free(settings);
}

TEST(test_an_empty_master_is_the_defaults)
{
    struct colony_settings *settings = round_trip(load("master: {}\n"));

    assert_true(settings->master.is_wanted);
    assert_string_equal(settings->master.host, "::");
    assert_int_equal(settings->master.port, 5151);
    colony_settings_free(settings);
}

TEST(test_all_of_it_survives)
{
    struct colony_settings *settings =
        round_trip(load("master: {port: 3322, host: 127.0.0.1, hidden_opts: [yt_token, other]}\n"
                        "ping: {exec: './ok -v', timeout: 2s, blocked: 500ms}\n"
                        "status: {exec: ./more, timeout: 1s}\nyt_token: secret\n"));

    assert_int_equal(settings->master.port, 3322);
    assert_string_equal(settings->master.host, "127.0.0.1");
    assert_true(colony_master_hides(&settings->master, "yt_token"));
    assert_true(colony_master_hides(&settings->master, "other"));
    assert_false(colony_master_hides(&settings->master, "yt_toke"));
    assert_string_equal(settings->ping.exec, "./ok -v");
    assert_int_equal(settings->ping.timeout_ms, 2000);
    assert_int_equal(settings->ping.blocked_ms, 500);
    assert_string_equal(settings->status.exec, "./more");
    assert_int_equal(settings->status.timeout_ms, 1000);
    colony_settings_free(settings);
}

TEST(test_what_cannot_be_is_refused)
{
    assert_refused("master: {port: 65536}\n", "`port`");
    assert_refused("master: {prot: 1}\n", "did you mean `port`");
    assert_refused("master: 5151\n", "master");
    assert_refused("ping: {exec: ''}\n", "`exec`");
    assert_refused("ping: {exec: \"'\"}\n", "`exec`");
    assert_refused("status: {timeout: 1ms}\n", "100ms or more");
}

TEST(test_it_is_called_as_its_file_unless_it_has_a_name)
{
    struct colony_settings *settings = round_trip(load("master: {}\n"));

    assert_string_equal(settings->name, "MyDaemon");
    colony_settings_free(settings);
    settings = round_trip(load("name: other\n"));
    assert_string_equal(settings->name, "other");
    colony_settings_free(settings);
}

static void assert_address(const char *text, const char *host, uint32_t port)
{
    struct colony_master_settings master = {0};

    assert_int_equal(colony_master_set_address(&master, text, NULL), 0);
    assert_true(master.is_wanted);
    assert_string_equal(master.host, host);
    assert_int_equal(master.port, port);
    free(master.host);
}

TEST(test_an_address_has_a_port_and_perhaps_a_host)
{
    struct colony_master_settings master = {0};

    assert_address("5152", "::", 5152);
    assert_address("[::1]:0", "::1", 0);
    assert_address("127.0.0.1:65535", "127.0.0.1", 65535);
    assert_address("events.example:80", "events.example", 80);
    assert_int_equal(colony_master_set_address(&master, "", NULL), -EINVAL);
    assert_int_equal(colony_master_set_address(&master, "65536", NULL), -EINVAL);
    assert_int_equal(colony_master_set_address(&master, "localhost", NULL), -EINVAL);
    assert_int_equal(colony_master_set_address(&master, "::1:80", NULL), -EINVAL);
    assert_int_equal(colony_master_set_address(&master, "[::1]", NULL), -EINVAL);
    assert_int_equal(colony_master_set_address(&master, ":80", NULL), -EINVAL);
    assert_int_equal(colony_master_set_address(&master, "a:", NULL), -EINVAL);
    assert_null(master.host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_opened_unless_there_is_a_master),
        cmocka_unit_test(test_an_empty_master_is_the_defaults),
        cmocka_unit_test(test_all_of_it_survives),
        cmocka_unit_test(test_what_cannot_be_is_refused),
        cmocka_unit_test(test_it_is_called_as_its_file_unless_it_has_a_name),
        cmocka_unit_test(test_an_address_has_a_port_and_perhaps_a_host),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
