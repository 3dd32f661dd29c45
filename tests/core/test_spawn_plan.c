/* SPDX-License-Identifier: Apache-2.0 */
#include "made_payload.h"
#include "sealed_payload.h"

#include <errno.h>
#include <sys/resource.h>

#include "core/error.h"
#include "core/payload.h"
#include "core/spawn.h"
#include "core/template.h"
#include "core/value.h"

static const char *const some_paths[] = {"/a/x", "/b/x", NULL};
static const char *const some_argv[] = {"x", "", "three", NULL};
static const char *const some_env[] = {"A=1", "B=2", NULL};

static void good_payload(struct made_payload *made)
{
    made_init(made, some_paths, some_argv, some_env);
}

/* What a plan of the same bytes says, when they come inside a message. */
static int try_copy(int fd)
{
    struct colony_spawn_plan plan;
    struct stat info;
    void *bytes;
    int rc;

    assert_int_equal(fstat(fd, &info), 0);
    bytes = malloc((size_t)info.st_size);
    assert_int_equal(pread(fd, bytes, (size_t)info.st_size, 0), info.st_size);
    rc = colony_spawn_plan_copy(&plan, bytes, (size_t)info.st_size);
    free(bytes); /* it has a copy */
    if (rc == 0)
        colony_spawn_plan_clear(&plan);
    assert_null(plan.payload);
    assert_null(plan.paths);
    return rc;
}

/* What a plan of @made with @seals says; clears @made. */
static int try_plan(struct made_payload *made, int seals)
{
    struct colony_spawn_plan plan;
    unsigned before;
    int fd = made_file(made, seals);
    int rc;

    assert_true(fd >= 0);
    before = count_fds();
    rc = colony_spawn_plan_init(&plan, fd);
    assert_int_equal(count_fds(), before);
    if (rc == 0)
        colony_spawn_plan_clear(&plan);
    assert_null(plan.payload);
    assert_null(plan.paths);
    if (rc != -EPERM)
        assert_int_equal(try_copy(fd), rc);
    (void)close(fd);
    made_clear(made);
    return rc;
}

static void assert_lie(struct made_payload *made)
{
    assert_int_equal(try_plan(made, ALL_SEALS), -EBADMSG);
}

TEST(test_a_plan_points_to_the_strings_of_its_payload)
{
    struct colony_spawn_plan plan;
    struct made_payload made;
    int fd;

    good_payload(&made);
    made.header.flags = PAYLOAD_HAS_CWD;
    made_add_bytes(&made, "/tmp", sizeof "/tmp");
    fd = made_file(&made, ALL_SEALS);
    assert_int_equal(colony_spawn_plan_init(&plan, fd), 0);
    (void)close(fd); /* it takes nothing of it */
    for (size_t i = 0; i < 3; i++)
        assert_true(!some_paths[i] ? !plan.paths[i] : !strcmp(plan.paths[i], some_paths[i]));
    for (size_t i = 0; i < 4; i++)
        assert_true(!some_argv[i] ? !plan.argv[i] : !strcmp(plan.argv[i], some_argv[i]));
    for (size_t i = 0; i < 3; i++)
        assert_true(!some_env[i] ? !plan.env[i] : !strcmp(plan.env[i], some_env[i]));
    assert_string_equal(plan.cwd, "/tmp");
    colony_spawn_plan_clear(&plan);
    made_clear(&made);
}

TEST(test_a_payload_that_can_still_change_is_refused)
{
    static const int lacking[] = {F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW};
    struct made_payload made;

    for (size_t i = 0; i < sizeof lacking / sizeof lacking[0]; i++) {
        good_payload(&made);
        assert_int_equal(try_plan(&made, ALL_SEALS & ~lacking[i]), -EPERM);
    }
    good_payload(&made);
    assert_int_equal(try_plan(&made, 0), -EPERM);
    good_payload(&made); /* that no more seals can be added does not matter */
    assert_int_equal(try_plan(&made, ALL_SEALS & ~F_SEAL_SEAL), 0);
}

TEST(test_a_file_or_pipe_is_no_payload)
{
    struct colony_spawn_plan plan;
    struct scratch scratch;
    int ends[2];
    int fd;

    scratch_init(&scratch);
    fd = openat(scratch.fd, "x", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, 4096), 0);
    /* a file that can be sealed is on tmpfs alone, and then it must be sealed */
    assert_int_equal(colony_spawn_plan_init(&plan, fd), -EPERM);
    (void)close(fd);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(colony_spawn_plan_init(&plan, ends[0]), -EPERM);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_int_equal(colony_spawn_plan_init(&plan, -1), -EPERM);
    scratch_clear(&scratch);
}

/* A sealed file of @size bytes, all zero. */
static int try_size(off_t size)
{
    struct colony_spawn_plan plan;
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int rc;

    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, ALL_SEALS), 0);
    rc = colony_spawn_plan_init(&plan, fd);
    (void)close(fd);
    return rc;
}

TEST(test_a_payload_of_a_wrong_size_is_refused)
{
    assert_int_equal(try_size(0), -EBADMSG);
    assert_int_equal(try_size(1), -EBADMSG);
    assert_int_equal(try_size(sizeof(struct colony_payload) - 1), -EBADMSG);
    assert_int_equal(try_size(sizeof(struct colony_payload)), -EBADMSG);
    assert_int_equal(try_size(COLONY_PAYLOAD_MAX + 1), -EBADMSG);
    assert_int_equal(try_size(1LL << 40), -EBADMSG);
}

TEST(test_counts_that_lie_are_refused)
{
    static const size_t places[] = {offsetof(struct colony_payload, path_count),
                                    offsetof(struct colony_payload, argc),
                                    offsetof(struct colony_payload, envc)};
    static const uint32_t lies[] = {1, 100, 1U << 24, UINT32_MAX / 8, UINT32_MAX - 8};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        for (size_t j = 0; j < sizeof lies / sizeof lies[0]; j++) {
            struct made_payload made;

            good_payload(&made);
            *(uint32_t *)(void *)((char *)&made.header + places[i]) += lies[j];
            assert_lie(&made);
        }
}

TEST(test_counts_that_lie_together_are_refused)
{
    struct made_payload made;

    good_payload(&made); /* each is within the size, their sum is not */
    made.header.path_count = made.header.argc = made.header.envc =
        (uint32_t)(sizeof made.header + made.size);
    assert_lie(&made);
    good_payload(&made);
    made.header.path_count = made.header.argc = made.header.envc = UINT32_MAX;
    assert_lie(&made);
}

TEST(test_a_string_without_an_end_is_refused)
{
    struct made_payload made;

    good_payload(&made);
    made.strings[made.size - 1] = 'x';
    assert_lie(&made);
    good_payload(&made);
    made.header.flags = PAYLOAD_HAS_CWD; /* but has none */
    assert_lie(&made);
    good_payload(&made);
    made.header.flags = PAYLOAD_HAS_CWD;
    made_add_bytes(&made, "/tmp", 4);
    assert_lie(&made);
}

TEST(test_nothing_to_run_is_refused)
{
    struct made_payload made;

    made_init(&made, NULL, some_argv, some_env);
    assert_lie(&made);
    made_init(&made, some_paths, NULL, some_env);
    assert_lie(&made);
    made_init(&made, some_paths, some_argv, NULL);
    assert_int_equal(try_plan(&made, ALL_SEALS), 0);
}

TEST(test_more_groups_or_limits_than_may_be_are_refused)
{
    struct made_payload made;

    good_payload(&made);
    made.header.group_count = COLONY_PAYLOAD_GROUPS;
    made.header.rlimit_count = COLONY_PAYLOAD_RLIMITS;
    assert_int_equal(try_plan(&made, ALL_SEALS), 0);
    good_payload(&made);
    made.header.group_count = COLONY_PAYLOAD_GROUPS + 1;
    assert_lie(&made);
    good_payload(&made);
    made.header.rlimit_count = COLONY_PAYLOAD_RLIMITS + 1;
    assert_lie(&made);
}

TEST(test_a_payload_of_no_version_is_refused)
{
    struct made_payload made;

    good_payload(&made);
    made.header.version = 0;
    assert_lie(&made);
}

TEST(test_random_headers_are_never_read_beyond_their_end)
{
    uint32_t seed = 5;

    for (int round = 0; round < 500; round++) {
        struct made_payload made;
        unsigned char *bytes = (unsigned char *)&made.header;

        good_payload(&made);
        for (int i = 0; i < 4; i++) {
            seed = seed * 1664525U + 1013904223U;
            bytes[(seed >> 8) % 32] = (unsigned char)(seed >> 24);
        }
        (void)try_plan(&made, ALL_SEALS); /* the sanitizers would tell */
    }
}

/* What colony_payload_make makes of a template. */

static void make_plan(struct colony_spawn_plan *plan, const char *yaml,
                      const struct colony_identity *identity)
{
    const struct colony_payload_context context = {.instance = "0123456789abcdef",
                                                   .nofile_soft = 1024,
                                                   .nofile_hard = 4096,
                                                   .identity = identity};
    struct colony_template *template = NULL;
    struct colony_value *source = NULL;
    struct colony_error err = {0};
    int fd = -1;

    if (colony_value_parse_yaml(&source, yaml, strlen(yaml), "f", &err) < 0 ||
        colony_template_new(&template, "web", source, "f", true, &err) < 0 ||
        (fd = make_fd(template, 3, &context, &err)) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GET_SEALS), ALL_SEALS);
    assert_int_equal(colony_spawn_plan_init(plan, fd), 0);
    (void)close(fd);
    colony_template_free(template);
    colony_value_free(source);
}

static bool has_entry(char *const *env, const char *prefix)
{
    for (; *env; env++)
        if (strncmp(*env, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

TEST(test_a_template_becomes_a_plan)
{
    struct colony_spawn_plan plan;

    make_plan(&plan, "{cmd: /bin/echo, args: [a, b c], env: {X: y}, cwd: /tmp}", NULL);
    assert_string_equal(plan.paths[0], "/bin/echo");
    assert_null(plan.paths[1]);
    assert_string_equal(plan.argv[0], "/bin/echo");
    assert_string_equal(plan.argv[1], "a");
    assert_string_equal(plan.argv[2], "b c");
    assert_null(plan.argv[3]);
    assert_true(has_entry(plan.env, "COLONY_ID=0123456789abcdef/web/3"));
    assert_true(has_entry(plan.env, "X=y"));
    assert_string_equal(plan.cwd, "/tmp");
    assert_int_equal(plan.payload->flags, PAYLOAD_HAS_CWD);
    assert_int_equal(plan.payload->rlimit_count, 1);
    assert_int_equal(plan.payload->rlimits[0].resource, RLIMIT_NOFILE);
    assert_int_equal(plan.payload->rlimits[0].soft, 1024);
    colony_spawn_plan_clear(&plan);
}

TEST(test_candidates_come_from_the_path_of_the_child)
{
    struct colony_spawn_plan plan;

    make_plan(&plan, "{cmd: run, env: {PATH: '/a::/b:'}}", NULL);
    assert_string_equal(plan.paths[0], "/a/run");
    assert_string_equal(plan.paths[1], "./run");
    assert_string_equal(plan.paths[2], "/b/run");
    assert_string_equal(plan.paths[3], "./run");
    assert_null(plan.paths[4]);
    colony_spawn_plan_clear(&plan);
}

TEST(test_what_is_our_managers_never_reaches_a_child)
{
    static const char *const ours[] = {"NOTIFY_SOCKET", "LISTEN_FDS",       "LISTEN_FDNAMES",
                                       "WATCHDOG_USEC", "MAINPID",          "JOURNAL_STREAM",
                                       "INVOCATION_ID", "SYSTEMD_EXEC_PID", "COLONY_TOKEN"};
    struct colony_spawn_plan plan;

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        assert_int_equal(setenv(ours[i], "1", 1), 0);
    assert_int_equal(setenv("NOTIFY_SOCKETS", "1", 1), 0); /* not ours */
    make_plan(&plan, "{cmd: /x, os_env: true, env_inherit: [NOTIFY_SOCKET]}", NULL);
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        assert_false(has_entry(plan.env, ours[i]) && strcmp(ours[i], "NOTIFY_SOCKET") != 0);
        (void)unsetenv(ours[i]);
    }
    assert_false(has_entry(plan.env, "NOTIFY_SOCKET="));
    assert_true(has_entry(plan.env, "NOTIFY_SOCKETS="));
    (void)unsetenv("NOTIFY_SOCKETS");
    colony_spawn_plan_clear(&plan);
}

TEST(test_a_template_without_identity_gets_that_of_the_context)
{
    const struct colony_identity identity = {
        .is_set = true, .uid = 5, .gid = 6, .group_count = 1, .groups = {7}};
    struct colony_spawn_plan plan;

    make_plan(&plan, "{cmd: /x}", &identity);
    assert_int_equal(plan.payload->flags, PAYLOAD_HAS_IDENTITY);
    assert_int_equal(plan.payload->uid, 5);
    assert_int_equal(plan.payload->gid, 6);
    assert_int_equal(plan.payload->group_count, 1);
    assert_int_equal(plan.payload->groups[0], 7);
    colony_spawn_plan_clear(&plan);
    make_plan(&plan, "{cmd: /x, uid: 8, gid: 9}", &identity);
    assert_int_equal(plan.payload->uid, 8);
    assert_int_equal(plan.payload->gid, 9);
    colony_spawn_plan_clear(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_plan_points_to_the_strings_of_its_payload),
        cmocka_unit_test(test_a_payload_that_can_still_change_is_refused),
        cmocka_unit_test(test_a_file_or_pipe_is_no_payload),
        cmocka_unit_test(test_a_payload_of_a_wrong_size_is_refused),
        cmocka_unit_test(test_counts_that_lie_are_refused),
        cmocka_unit_test(test_counts_that_lie_together_are_refused),
        cmocka_unit_test(test_a_string_without_an_end_is_refused),
        cmocka_unit_test(test_nothing_to_run_is_refused),
        cmocka_unit_test(test_more_groups_or_limits_than_may_be_are_refused),
        cmocka_unit_test(test_a_payload_of_no_version_is_refused),
        cmocka_unit_test(test_random_headers_are_never_read_beyond_their_end),
        cmocka_unit_test(test_a_template_becomes_a_plan),
        cmocka_unit_test(test_candidates_come_from_the_path_of_the_child),
        cmocka_unit_test(test_what_is_our_managers_never_reaches_a_child),
        cmocka_unit_test(test_a_template_without_identity_gets_that_of_the_context),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
