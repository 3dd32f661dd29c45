/* SPDX-License-Identifier: Apache-2.0 */
/* test_keeper_manager.c - what the keeper tells the service manager, which is the test. */
#include "kept.h"

#include "core/manager.h"

enum {
    TEXT_SIZE = 2048,
};

static struct kept kept;
static int manager; /* its notify socket */

static int set_up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    kept_init(&kept);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.80s/manager", kept.scratch.path);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(manager, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
    assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
    kept.options->is_managed = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kept_clear(&kept);
    (void)close(manager);
    return 0;
}

/* The next thing it is told. */
static const char *hear_manager(void)
{
    static char text[TEXT_SIZE];
    ssize_t count;

    await(manager);
    count = recv(manager, text, sizeof text - 1, 0);
    assert_true(count > 0);
    text[count] = '\0';
    return text;
}

static void say_reloaded(const char *problem)
{
    struct colony_message message = {.type = MESSAGE_RELOADED};

    (void)snprintf(message.u.name, sizeof message.u.name, "%s", problem);
    say(&kept, &message, NULL, 0);
}

static uint64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool has_variable(pid_t pid, const char *name)
{
    static char environment[1 << 16];
    char path[64];
    ssize_t count;
    int fd;
    bool found = false;

    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    count = read(fd, environment, sizeof environment - 1);
    assert_true(count > 0);
    environment[count] = '\0';
    (void)close(fd);
    for (const char *at = environment; at < environment + count; at += strlen(at) + 1)
        found |= strncmp(at, name, strlen(name)) == 0;
    return found;
}

TEST(test_it_tells_when_it_serves_and_what_runs)
{
    kept_begin(&kept);
    assert_string_equal(hear_manager(), "READY=1\nSTATUS=0 processes run");
    (void)spawn_script(&kept, "sleep 1000", NULL);
    assert_string_equal(hear_manager(), "STATUS=1 process runs");
}

TEST(test_the_engine_does_not_know_of_the_manager)
{
    kept_begin(&kept);
    assert_true(has_variable(kept.keeper, "PATH=") || has_variable(kept.keeper, "PWD="));
    assert_false(has_variable(kept.engine, "NOTIFY_SOCKET="));
}

TEST(test_a_reload_is_told_from_its_begin_to_its_end)
{
    static const char first[] = "RELOADING=1\nMONOTONIC_USEC=";
    const char *told;
    uint64_t asked_us;

    kept_begin(&kept);
    (void)hear_manager();
    asked_us = now_us();
    assert_int_equal(kill(kept.keeper, SIGHUP), 0);
    told = hear_manager();
    assert_memory_equal(told, first, strlen(first));
    assert_true(strtoull(told + strlen(first), NULL, 10) >= asked_us);
    (void)expect(&kept, MESSAGE_REQUEST);
    say_reloaded("colony.yaml:3:1: cannot");
    assert_string_equal(hear_manager(),
                        "READY=1\nSTATUS=0 processes run; the settings are not those of the file: "
                        "colony.yaml:3:1: cannot");
    say_reloaded("");
    assert_string_equal(hear_manager(), "READY=1\nSTATUS=0 processes run");
}

TEST(test_an_engine_cannot_say_more_than_one_line)
{
    kept_begin(&kept);
    (void)hear_manager();
    say_reloaded("x\nMAINPID=1");
    say_reloaded("x\rMAINPID=1");
    say_reloaded("y");
    assert_non_null(strstr(hear_manager(), ": y"));
}

TEST(test_the_end_is_told_when_it_is_asked_for)
{
    kept_begin(&kept);
    (void)hear_manager();
    assert_int_equal(kill(kept.keeper, SIGTERM), 0);
    assert_string_equal(hear_manager(), "STOPPING=1\nSTATUS=stops: 0 processes run");
}

TEST(test_it_lives_as_long_as_its_engine_answers)
{
    assert_int_equal(setenv("WATCHDOG_USEC", "2000000", 1), 0);
    kept_begin(&kept);
    assert_string_equal(hear_manager(), "READY=1\nWATCHDOG=1\nSTATUS=0 processes run");
    for (int i = 0; i < 2; i++) {
        (void)expect(&kept, MESSAGE_PING);
        say_simple(&kept, MESSAGE_ALIVE, 0);
        assert_string_equal(hear_manager(), "WATCHDOG=1\nSTATUS=0 processes run");
    }
}

TEST(test_an_engine_that_does_not_answer_is_replaced)
{
    pid_t hung;

    assert_int_equal(setenv("WATCHDOG_USEC", "800000", 1), 0);
    kept.log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    kept_begin(&kept);
    (void)hear_manager();
    hung = kept.engine;
    (void)expect(&kept, MESSAGE_PING);
    leave_engine(&kept);
    meet_engine(&kept);
    assert_int_not_equal(kept.engine, hung);
    hear_hello(&kept, NULL, NULL);
    assert_string_equal(hear_manager(), "READY=1\nWATCHDOG=1\nSTATUS=0 processes run");
}

TEST(test_without_a_watchdog_nobody_is_asked)
{
    kept_begin(&kept);
    (void)hear_manager();
    say_reloaded("");
    (void)hear_manager();
    assert_true(is_quiet(&kept));
}

TEST(test_a_watchdog_of_another_process_is_not_ours)
{
    struct colony_manager found;

    assert_int_equal(setenv("WATCHDOG_USEC", "2000000", 1), 0);
    colony_manager_open(&found);
    assert_int_equal(found.watchdog_ms, 2000);
    (void)close(found.fd);
    assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
    colony_manager_open(&found);
    assert_int_equal(found.watchdog_ms, 0);
    (void)close(found.fd);
    assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "-5", 1), 0);
    colony_manager_open(&found);
    assert_int_equal(found.watchdog_ms, 0);
    (void)close(found.fd);
}

TEST(test_an_abstract_socket_is_reached_by_its_name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct colony_manager found;
    char name[40];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int length = snprintf(name, sizeof name, "@colony-test-%d", (int)getpid());
    char text[16] = "";

    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
                     0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    colony_manager_open(&found);
    colony_manager_tell(&found, "READY=1");
    await(fd);
    assert_int_equal(recv(fd, text, sizeof text, 0), 7);
    assert_string_equal(text, "READY=1");
    (void)close(found.fd);
    (void)close(fd);
}

TEST(test_no_manager_is_no_failure)
{
    static const char *const names[] = {"relative", "", "@"};
    struct colony_manager found;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", names[i], 1), 0);
        colony_manager_open(&found);
        assert_int_equal(found.fd, -1);
        colony_manager_tell(&found, "READY=1");
    }
    assert_int_equal(setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1), 0);
    colony_manager_open(&found);
    colony_manager_tell(&found, "READY=1");
    (void)close(found.fd);
}

#define MANAGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        MANAGED(test_it_tells_when_it_serves_and_what_runs),
        MANAGED(test_the_engine_does_not_know_of_the_manager),
        MANAGED(test_a_reload_is_told_from_its_begin_to_its_end),
        MANAGED(test_an_engine_cannot_say_more_than_one_line),
        MANAGED(test_the_end_is_told_when_it_is_asked_for),
        MANAGED(test_it_lives_as_long_as_its_engine_answers),
        MANAGED(test_an_engine_that_does_not_answer_is_replaced),
        MANAGED(test_without_a_watchdog_nobody_is_asked),
        MANAGED(test_a_watchdog_of_another_process_is_not_ours),
        MANAGED(test_an_abstract_socket_is_reached_by_its_name),
        MANAGED(test_no_manager_is_no_failure),
    };

    if (argc > 1)
        return kept_role(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
