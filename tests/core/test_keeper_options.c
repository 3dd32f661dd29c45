/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/keeper_options.h"

static struct colony_keeper_options given; /* 70 KB each: not for the stack */
static struct colony_keeper_options parsed;

static int count_args(char **argv)
{
    int count = 0;

    while (argv[count])
        count++;
    return count;
}

/* Writes `given` as a command line and reads it back into `parsed`. */
static void round_trip(const char *role)
{
    struct colony_error err = {0};
    char **argv = colony_keeper_options_argv(&given, role);

    assert_non_null(argv);
    if (given.title[0] != '\0')
        assert_int_equal(strncmp(argv[0], "colony: ", strlen("colony: ")), 0);
    else
        assert_string_equal(argv[0], "colony");
    assert_string_equal(argv[1], role);
    memset(&parsed, 0x77, sizeof parsed);
    if (colony_keeper_options_parse(&parsed, count_args(argv) - 1, argv + 1, &err) < 0)
        fail_msg("%s", err.message);
    free(argv);
}

/* Parses a command line that would do, with one more argument. */
static int parse_with(const char *argument, struct colony_error *err)
{
    char *argv[] = {"keeper", "--state=/x", "--lock-fd=3", (char *)argument, NULL};

    return colony_keeper_options_parse(&parsed, 4, argv, err);
}

static void assert_refused(const char *argument)
{
    struct colony_error err = {0};

    if (parse_with(argument, &err) != -EINVAL)
        fail_msg("`%s` was taken", argument);
    if (!strstr(err.message, argument))
        fail_msg("`%s` is not in `%s`", argument, err.message);
}

static void fill_text(char *text, size_t size, char byte)
{
    memset(text, byte, size - 1);
    text[0] = '/';
    text[size - 1] = '\0';
}

static void fill_scalars(struct colony_keeper_options *options)
{
    fill_text(options->state_dir, sizeof options->state_dir, 's');
    fill_text(options->program, sizeof options->program, '=');
    fill_text(options->pidfile, sizeof options->pidfile, ' ');
    fill_text(options->title, sizeof options->title, 't');
    fill_text(options->config, sizeof options->config, 'c');
    fill_text(options->name, sizeof options->name, 'n');
    options->lock_fd = INT_MAX;
    options->link_fd = 0;
    options->ready_fd = 17;
    options->ending_with = 255;
    options->log_level = 3;
    options->log_style = 1;
    options->is_managed = true;
    options->has_user = true;
    options->grants = UINT32_MAX;
    options->nofile_soft = UINT64_MAX;
}

static void fill_lists(struct colony_keeper_options *options)
{
    options->identity_count = KEEPER_IDENTITIES_MAX;
    for (uint32_t i = 0; i < KEEPER_IDENTITIES_MAX; i++) {
        struct colony_keeper_identity *identity = &options->identities[i];

        identity->uid = UINT32_MAX - i;
        identity->gid = UINT32_MAX - 2 * i;
        identity->group_count = COLONY_PAYLOAD_GROUPS;
        for (uint32_t j = 0; j < COLONY_PAYLOAD_GROUPS; j++)
            identity->groups[j] = UINT32_MAX - i - j;
    }
    options->socket_count = KEEPER_SOCKETS_MAX;
    for (int i = 0; i < KEEPER_SOCKETS_MAX; i++) {
        struct colony_held_socket *held = &options->sockets[i];

        held->fd = INT_MAX - i;
        held->is_lent = i % 2 == 0;
        memset(held->name, 'n', sizeof held->name - 1);
        held->name[0] = (char)(' ' + i);
    }
}

TEST(test_with_everything_set_all_of_it_comes_back)
{
    colony_keeper_options_init(&given);
    fill_scalars(&given);
    fill_lists(&given);
    round_trip("engine");
    assert_string_equal(parsed.state_dir, given.state_dir);
    assert_string_equal(parsed.program, given.program);
    assert_string_equal(parsed.pidfile, given.pidfile);
    assert_string_equal(parsed.title, given.title);
    assert_string_equal(parsed.config, given.config);
    assert_string_equal(parsed.name, given.name);
    assert_int_equal(parsed.lock_fd, given.lock_fd);
    assert_int_equal(parsed.link_fd, given.link_fd);
    assert_int_equal(parsed.ready_fd, given.ready_fd);
    assert_int_equal(parsed.ending_with, given.ending_with);
    assert_int_equal(parsed.log_level, given.log_level);
    assert_int_equal(parsed.log_style, given.log_style);
    assert_true(parsed.is_managed && parsed.has_user);
    assert_int_equal(parsed.grants, given.grants);
    assert_int_equal(parsed.nofile_soft, given.nofile_soft);
    assert_int_equal(parsed.identity_count, given.identity_count);
    assert_memory_equal(parsed.identities, given.identities, sizeof given.identities);
    assert_int_equal(parsed.socket_count, given.socket_count);
    for (size_t i = 0; i < given.socket_count; i++) {
        assert_int_equal(parsed.sockets[i].fd, given.sockets[i].fd);
        assert_int_equal(parsed.sockets[i].is_lent, given.sockets[i].is_lent);
        assert_string_equal(parsed.sockets[i].name, given.sockets[i].name);
    }
}

TEST(test_with_little_set_the_rest_is_empty)
{
    colony_keeper_options_init(&given);
    (void)snprintf(given.state_dir, sizeof given.state_dir, "/x");
    given.lock_fd = 3;
    round_trip("keeper");
    assert_memory_equal(&parsed, &given, sizeof given);
}

TEST(test_an_identity_without_groups_has_none)
{
    assert_int_equal(parse_with("--identity=5:6", NULL), 0);
    assert_int_equal(parsed.identity_count, 1);
    assert_int_equal(parsed.identities[0].uid, 5);
    assert_int_equal(parsed.identities[0].gid, 6);
    assert_int_equal(parsed.identities[0].group_count, 0);
}

TEST(test_a_name_of_a_socket_may_hold_anything)
{
    assert_int_equal(parse_with("--socket=9=http:unix:/a=b c,d", NULL), 0);
    assert_int_equal(parsed.sockets[0].fd, 9);
    assert_string_equal(parsed.sockets[0].name, "http:unix:/a=b c,d");
}

TEST(test_what_is_no_option_is_refused)
{
    static const char *const bad[] = {
        "x",       "--",          "--state", "-state=/x",  "state=/x", "--=",       "--=x",
        "--st=/x", "--states=/x", "--help",  "--identity", "--socket", "--lock-fd", "--lock fd=3"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i]);
}

TEST(test_what_is_no_number_is_refused)
{
    static const char *const bad[] = {"--lock-fd=",     "--lock-fd=x",  "--lock-fd=3x",
                                      "--lock-fd= 3",   "--lock-fd=+3", "--lock-fd=-3",
                                      "--link-fd=-1",   "--grants=0x1", "--nofile=1e3",
                                      "--managed=true", "--user=",      "--log-level=-1"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i]);
}

TEST(test_a_number_that_does_not_fit_is_refused)
{
    static const char *const bad[] = {
        "--lock-fd=2147483648",
        "--lock-fd=4294967299",
        "--grants=4294967296",
        "--nofile=18446744073709551616",
        "--managed=2",
        "--identity=4294967296:0",
        "--identity=0:4294967296",
        "--identity=0:0:4294967296",
        "--socket=4294967299=x",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i]);
}

TEST(test_what_is_no_identity_is_refused)
{
    static const char *const bad[] = {
        "--identity=",     "--identity=5",    "--identity=5:",      "--identity=:6",
        "--identity=5:6:", "--identity=5:6,", "--identity=5:6:7,",  "--identity=5:6:x",
        "--identity=5:6 ", "--identity=-1:6", "--identity= 5:6",    "--identity=5:+6",
        "--identity=5:6x", "--identity=5;6",  "--identity=5:6:7;8", "--identity=root:root"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i]);
}

TEST(test_what_is_no_socket_is_refused)
{
    static const char *const bad[] = {"--socket=", "--socket=5", "--socket==x", "--socket=x=y",
                                      "--socket=-1=x"};
    char long_name[COLONY_SOCKET_NAME_SIZE + 32] = "--socket=5=";

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i]);
    memset(long_name + strlen("--socket=5="), 'n', COLONY_SOCKET_NAME_SIZE);
    assert_refused(long_name);
}

TEST(test_a_text_that_is_too_long_is_refused)
{
    static char argument[5000] = "--pidfile=";
    struct colony_error err = {0};

    memset(argument + strlen("--pidfile="), 'p', 4096);
    assert_int_equal(parse_with(argument, &err), -ENAMETOOLONG);
}

/* @count times the same argument. */
static int parse_many(const char *argument, int count)
{
    static char *argv[KEEPER_ARGS_MAX];

    argv[0] = "keeper";
    argv[1] = "--state=/x";
    argv[2] = "--lock-fd=3";
    for (int i = 0; i < count; i++)
        argv[3 + i] = (char *)argument;
    return colony_keeper_options_parse(&parsed, 3 + count, argv, NULL);
}

TEST(test_more_of_a_kind_than_may_be_are_refused)
{
    char groups[COLONY_PAYLOAD_GROUPS * 2 + 32] = "--identity=1:2:3";

    assert_int_equal(parse_many("--identity=1:2", KEEPER_IDENTITIES_MAX), 0);
    assert_int_equal(parse_many("--identity=1:2", KEEPER_IDENTITIES_MAX + 1), -E2BIG);
    assert_int_equal(parse_many("--socket=1=x", KEEPER_SOCKETS_MAX), 0);
    assert_int_equal(parse_many("--socket=1=x", KEEPER_SOCKETS_MAX + 1), -E2BIG);
    for (int i = 1; i < COLONY_PAYLOAD_GROUPS; i++)
        memcpy(groups + strlen(groups), ",4", 3);
    assert_int_equal(parse_with(groups, NULL), 0);
    assert_int_equal(parsed.identities[0].group_count, COLONY_PAYLOAD_GROUPS);
    memcpy(groups + strlen(groups), ",4", 3);
    assert_refused(groups);
}

TEST(test_without_state_or_lock_nothing_runs)
{
    char *no_lock[] = {"keeper", "--state=/x", NULL};
    char *no_state[] = {"keeper", "--lock-fd=3", NULL};
    char *nothing[] = {"keeper", NULL};
    struct colony_error err = {0};

    assert_int_equal(colony_keeper_options_parse(&parsed, 2, no_lock, &err), -EINVAL);
    assert_int_equal(colony_keeper_options_parse(&parsed, 2, no_state, &err), -EINVAL);
    assert_int_equal(colony_keeper_options_parse(&parsed, 1, nothing, &err), -EINVAL);
    assert_non_null(strstr(err.message, "colony serve"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_everything_set_all_of_it_comes_back),
        cmocka_unit_test(test_with_little_set_the_rest_is_empty),
        cmocka_unit_test(test_an_identity_without_groups_has_none),
        cmocka_unit_test(test_a_name_of_a_socket_may_hold_anything),
        cmocka_unit_test(test_what_is_no_option_is_refused),
        cmocka_unit_test(test_what_is_no_number_is_refused),
        cmocka_unit_test(test_a_number_that_does_not_fit_is_refused),
        cmocka_unit_test(test_what_is_no_identity_is_refused),
        cmocka_unit_test(test_what_is_no_socket_is_refused),
        cmocka_unit_test(test_a_text_that_is_too_long_is_refused),
        cmocka_unit_test(test_more_of_a_kind_than_may_be_are_refused),
        cmocka_unit_test(test_without_state_or_lock_nothing_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
