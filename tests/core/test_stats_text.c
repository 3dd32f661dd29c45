/* SPDX-License-Identifier: Apache-2.0 */
/* test_stats_text.c - command lines and names of users. */
#include "sampled.h"

#include <pwd.h>

enum {
    NO_NAME = 54321, /* a uid that nobody has */
};

static void exec_with_odd_arguments(int fd)
{
    (void)fd;
    (void)execl("/bin/sh", "a\x01", "-c", "kill -STOP $$", "\xff\xc3\xa4\xc3", "b c", "", NULL);
    _exit(1);
}

/* Runs on as something else when it gets SIGCONT. */
static void exec_later(int fd)
{
    say_ready(fd);
    (void)raise(SIGSTOP);
    (void)execl("/bin/sleep", "sleep", "1000", NULL);
}

static void take_long_arguments(int fd)
{
    static char zeros[2 * STATS_CMDLINE_MAX];

    (void)fd;
    memset(zeros, '0', sizeof zeros - 1);
    memset(zeros + sizeof zeros - 6, '9', 5);
    (void)execl("/bin/sleep", "sleep", zeros, NULL);
}

static void become_nobody_known(int fd)
{
    CHECK(setuid(NO_NAME) == 0);
    sleep_on(fd);
}

static bool has_arguments(pid_t pid)
{
    char path[32];
    char byte;
    ssize_t count;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    count = read(fd, &byte, 1);
    (void)close(fd);
    return count == 1;
}

/* An exec closes descriptors before it has put the arguments where /proc finds them. */
static pid_t start_program(void (*body)(int fd))
{
    pid_t pid = start(body);

    EVENTUALLY(has_arguments(pid));
    return pid;
}

TEST(test_arguments_are_made_safe_to_show)
{
    struct colony__sampler sampler;
    struct colony__family family;
    struct colony__sample *sample;
    pid_t pid = start_program(exec_with_odd_arguments);

    sample_of(pid, true, &family, &sampler, &sample);
    assert_string_equal(sample->items[0].cmdline, "a? -c kill -STOP $$ ?\xc3\xa4? b c");
    forget_sample(&family, &sampler, sample);
    end(pid);
}

TEST(test_long_arguments_are_cut)
{
    struct colony__sampler sampler;
    struct colony__family family;
    struct colony__sample *sample;
    pid_t pid = start_program(take_long_arguments);

    sample_of(pid, true, &family, &sampler, &sample);
    assert_int_equal(strlen(sample->items[0].cmdline), STATS_CMDLINE_MAX);
    assert_memory_equal(sample->items[0].cmdline, "sleep 000", 9);
    forget_sample(&family, &sampler, sample);
    end(pid);
}

TEST(test_another_program_has_another_command_line)
{
    struct fixture f;
    pid_t pid = start(exec_later);

    fixture_init(&f);
    watch(&f.probes[0], pid);
    TURN_UNTIL(&f, strstr(f.probes[0].cmdline, "test_stats"));
    assert_int_equal(kill(pid, SIGCONT), 0);
    TURN_UNTIL(&f, f.probes[0].ends || strcmp(f.probes[0].cmdline, "sleep 1000") == 0);
    assert_int_equal(f.probes[0].ends, 0);
    end(pid);
    fixture_clear(&f);
}

TEST(test_without_arguments_the_name_is_shown)
{
    char *text = colony__proc_cmdline(0, "kworker/0:1-\xff\n");

    assert_string_equal(text, "[kworker/0:1-??]");
    free(text);
}

TEST(test_a_user_is_told_by_name)
{
    struct colony__users users = {0};
    const struct passwd *self = getpwuid(geteuid());
    char number[16];

    (void)snprintf(number, sizeof number, "%u", (unsigned)geteuid());
    for (int i = 0; i < 2; i++)
        assert_string_equal(colony__user_name(&users, geteuid()), self ? self->pw_name : number);
    (void)snprintf(number, sizeof number, "%u", (unsigned)NO_NAME);
    assert_string_equal(colony__user_name(&users, NO_NAME), number);
    (void)snprintf(number, sizeof number, "%u", (unsigned)NO_NAME + STATS_USERS_MAX);
    assert_string_equal(colony__user_name(&users, NO_NAME + STATS_USERS_MAX), number);
    (void)snprintf(number, sizeof number, "%u", (unsigned)NO_NAME);
    assert_string_equal(colony__user_name(&users, NO_NAME), number);
}

TEST(test_who_gave_up_rights_is_told_as_who_it_is_now)
{
    struct colony__sampler sampler;
    struct colony__family family;
    struct colony__sample *sample;
    pid_t pid;

    if (geteuid() != 0)
        skip_aloud("needs root");
    pid = start(become_nobody_known); /* most of its files in /proc stay root's */
    sample_of(pid, true, &family, &sampler, &sample);
    assert_string_equal(sample->items[0].username, "54321");
    forget_sample(&family, &sampler, sample);
    end(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments_are_made_safe_to_show),
        cmocka_unit_test(test_long_arguments_are_cut),
        cmocka_unit_test(test_another_program_has_another_command_line),
        cmocka_unit_test(test_without_arguments_the_name_is_shown),
        cmocka_unit_test(test_a_user_is_told_by_name),
        cmocka_unit_test(test_who_gave_up_rights_is_told_as_who_it_is_now),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
