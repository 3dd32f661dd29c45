/* SPDX-License-Identifier: Apache-2.0 */
/* test_spawn_failures.c - spawns that fail: each names its step; and kernels that lack calls. */
#include "spawned.h"

static void spawn_paths(struct spawned *spawned, const char *const *paths)
{
    const char *const argv[] = {"program", NULL};
    struct made_payload made;

    made_init(&made, paths, argv, NULL);
    spawn_made(spawned, &made);
}

static void spawn_path(struct spawned *spawned, const char *path)
{
    const char *const paths[] = {path, NULL};

    spawn_paths(spawned, paths);
}

static void make_file(const char *folder, const char *name, const char *text, mode_t mode)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(fchmod(fd, mode) == 0);
    (void)close(fd);
}

/* A test of programs in a folder of its own, which outlives the child that uses it. */
static void run_in_scratch(void (*body)(void *path))
{
    struct scratch scratch;

    scratch_init(&scratch);
    (void)chmod(scratch.path, 0755);
    run_forked(body, scratch.path);
    scratch_clear(&scratch);
}

FORKED_TEST(test_a_program_that_is_not_there_is_enoent)
{
    struct spawned spawned = spawned_none();

    prepare_to_spawn();
    spawn_path(&spawned, "/nonexistent/program");
    CHECK_FAILED(spawned, STEP_EXEC, -ENOENT);
    CHECK(strcmp(colony_spawn_step_name(spawned.result.step), "exec") == 0);
    CHECK(WIFEXITED(spawned.wait_status)); /* and its child is gone, to be waited for */
    spawn_path(&spawned, "/dev/null/program");
    CHECK_FAILED(spawned, STEP_EXEC, -ENOTDIR);
}

static void spawn_what_cannot_run(void *data)
{
    struct spawned spawned = spawned_none();
    const char *folder = data;
    char path[256];

    prepare_to_spawn();
    make_file(folder, "plain", "#!/bin/sh\n", 0644);
    make_file(folder, "noise", "no program", 0755);
    (void)snprintf(path, sizeof path, "%s/plain", folder);
    spawn_path(&spawned, path);
    CHECK_FAILED(spawned, STEP_EXEC, -EACCES);
    spawn_path(&spawned, folder);
    CHECK_FAILED(spawned, STEP_EXEC, -EACCES);
    (void)snprintf(path, sizeof path, "%s/noise", folder);
    spawn_path(&spawned, path);
    CHECK_FAILED(spawned, STEP_EXEC, -ENOEXEC);
}

TEST(test_what_cannot_be_run_says_why)
{
    run_in_scratch(spawn_what_cannot_run);
}

static void try_candidates(void *data)
{
    struct spawned spawned = spawned_none();
    const char *folder = data;
    char plain[256];
    char noise[256];
    char good[256];
    const char *const found[] = {"/nonexistent/x", plain, "/dev/null/x", good, "/bin/sh", NULL};
    const char *const denied[] = {plain, "/nonexistent/x", NULL};
    const char *const missing[] = {"/nonexistent/x", "/dev/null/x", "/nonexistent/y", NULL};
    const char *const broken[] = {plain, noise, good, NULL};

    prepare_to_spawn();
    (void)snprintf(plain, sizeof plain, "%s/plain", folder);
    (void)snprintf(noise, sizeof noise, "%s/noise", folder);
    (void)snprintf(good, sizeof good, "%s/good", folder);
    make_file(folder, "plain", "#!/bin/sh\n", 0644);
    make_file(folder, "noise", "no program", 0755);
    make_file(folder, "good", "#!/bin/sh\necho good\n", 0755);
    spawn_paths(&spawned, found);
    CHECK(spawned.result.error == 0);
    CHECK(strcmp(spawned.output, "good\n") == 0);
    spawn_paths(&spawned, denied);
    CHECK_FAILED(spawned, STEP_EXEC, -EACCES);
    spawn_paths(&spawned, missing);
    CHECK_FAILED(spawned, STEP_EXEC, -ENOENT);
    spawn_paths(&spawned, broken); /* one that is there but broken is not passed over */
    CHECK_FAILED(spawned, STEP_EXEC, -ENOEXEC);
}

TEST(test_candidates_are_tried_as_execvp_does)
{
    run_in_scratch(try_candidates);
}

FORKED_TEST(test_a_folder_that_is_not_there_fails_at_chdir)
{
    struct spawned spawned = spawned_none();
    struct made_payload made;

    prepare_to_spawn();
    made_init_shell(&made, ":");
    made.header.flags = PAYLOAD_HAS_CWD;
    made_add_bytes(&made, "/nonexistent", sizeof "/nonexistent");
    spawn_made(&spawned, &made);
    CHECK_FAILED(spawned, STEP_CHDIR, -ENOENT);
    CHECK(strcmp(colony_spawn_step_name(spawned.result.step), "chdir") == 0);
}

FORKED_TEST(test_an_identity_that_may_not_be_taken_fails_at_its_step)
{
    struct spawned spawned = spawned_none();
    struct made_payload made;

    drop_rights();
    prepare_to_spawn();
    made_init_shell(&made, ":");
    made_set_identity(&made, getuid() + 1, getgid());
    spawn_made(&spawned, &made);
    CHECK_FAILED(spawned, STEP_SETUID, -EPERM);
    made_init_shell(&made, ":");
    made_set_identity(&made, getuid(), getgid() + 1);
    spawn_made(&spawned, &made);
    CHECK_FAILED(spawned, STEP_SETGID, -EPERM);
    made_init_shell(&made, ":");
    made_set_identity(&made, getuid(), getgid());
    made.header.group_count = 1;
    made.header.groups[0] = 4;
    spawn_made(&spawned, &made);
    CHECK_FAILED(spawned, STEP_SETGROUPS, -EPERM);
}

FORKED_TEST(test_a_privilege_that_is_lacking_fails_at_its_step)
{
    struct spawned spawned = spawned_none();
    struct made_payload made;

    drop_rights();
    prepare_to_spawn();
    made_init_shell(&made, ":");
    made.header.flags = PAYLOAD_HAS_NICE;
    made.header.nice = -20;
    spawn_made(&spawned, &made);
    CHECK_FAILED(spawned, STEP_NICE, -EACCES);
    made_init_shell(&made, ":");
    made.header.flags = PAYLOAD_HAS_OOM;
    made.header.oom_score_adj = -1000;
    spawn_made(&spawned, &made);
    CHECK_FAILED(spawned, STEP_OOM, -EACCES);
}

FORKED_TEST(test_a_limit_that_is_none_fails_at_setrlimit)
{
    struct spawned spawned = spawned_none();
    struct made_payload made;

    prepare_to_spawn();
    made_init_shell(&made, ":");
    made_set_rlimit(&made, RLIMIT_NOFILE, 20, 10);
    spawn_made(&spawned, &made);
    CHECK_FAILED(spawned, STEP_RLIMIT, -EINVAL);
    made_init_shell(&made, ":");
    made_set_rlimit(&made, 999, 1, 1);
    spawn_made(&spawned, &made);
    CHECK_FAILED(spawned, STEP_RLIMIT, -EINVAL);
}

FORKED_TEST(test_one_string_that_is_too_long_is_e2big)
{
    static char text[128 << 10];
    const char *const paths[] = {"/bin/true", NULL};
    const char *const argv[] = {"true", text, NULL};
    struct spawned spawned = spawned_none();
    struct made_payload made;

    prepare_to_spawn();
    memset(text, 'x', sizeof text - 1); /* with its NUL as long as the kernel takes */
    made_init(&made, paths, argv, NULL);
    spawn_made(&spawned, &made);
    CHECK(spawned.result.error == 0);
    made_init(&made, paths, argv, NULL);
    made.strings[made.size - 1] = 'x';
    made_add_bytes(&made, "", 1);
    spawn_made(&spawned, &made);
    CHECK_FAILED(spawned, STEP_EXEC, -E2BIG);
}

/* Spawns with every descriptor in use; nothing may be left running that nobody knows of. */
static void spawn_without_descriptors(void)
{
    int fds[COLONY_CHILD_FDS_MAX] = {3, 3, 3, -1, -1, -1, -1, -1};
    struct spawned spawned = spawned_none();
    struct colony_spawn_plan plan;
    struct made_payload made;
    struct rlimit limit;
    int payload;

    made_init_shell(&made, ":");
    spawn_made(&spawned, &made); /* what it needs for all is there now */

    made_init_shell(&made, "exec sleep 60");
    payload = made_file(&made, ALL_SEALS);
    CHECK(colony_spawn_plan_init(&plan, payload) == 0);
    (void)close(payload);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)payload; /* the lowest number that is free */
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    spawn_and_land(&plan, fds, &spawned);
    CHECK(spawned.result.error == -EMFILE);
    CHECK(spawned.result.pidfd == -1);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    made_clear(&made);
}

FORKED_TEST(test_without_a_descriptor_for_it_no_process_is_left)
{
    prepare_to_spawn();
    spawn_without_descriptors();
}

FORKED_TEST(test_on_an_old_kernel_no_process_is_left_either)
{
    prepare_to_spawn();
    forbid_new_calls(ENOSYS);
    spawn_without_descriptors();
}

/* The whole of spawning by the calls that older kernels have. */
static void spawn_by_old_calls(int error)
{
    struct spawned spawned = spawned_none();
    struct made_payload made;
    struct stat info;

    prepare_to_spawn();
    forbid_new_calls(error);
    for (int i = 0; i < 3; i++) {
        CHECK(open("/dev/zero", O_RDONLY | O_CLOEXEC) >= 0);
        CHECK(strtol(spawn_shell(&spawned, "echo $$"), NULL, 10) == spawned.pid);
        CHECK(spawned.pid == spawned.result.pid);
        CHECK(strcmp(spawn_shell(&spawned, "ls /proc/$$/fd"), "0\n1\n2\n") == 0);
        CHECK(fstat(COLONY_RESERVED_NULL_FD, &info) == 0); /* ours are still open */
    }
    (void)spawn_shell(&spawned, "exit 5");
    CHECK(WIFEXITED(spawned.wait_status) && WEXITSTATUS(spawned.wait_status) == 5);
    spawn_path(&spawned, "/nonexistent");
    CHECK_FAILED(spawned, STEP_EXEC, -ENOENT);
    made_init_shell(&made, ":");
    made.header.flags = PAYLOAD_HAS_CWD;
    made_add_bytes(&made, "/nonexistent", sizeof "/nonexistent");
    spawn_made(&spawned, &made);
    CHECK_FAILED(spawned, STEP_CHDIR, -ENOENT);
}

FORKED_TEST(test_a_kernel_without_the_new_calls_will_do)
{
    spawn_by_old_calls(ENOSYS);
}

FORKED_TEST(test_a_container_that_forbids_the_new_calls_will_do)
{
    spawn_by_old_calls(EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_program_that_is_not_there_is_enoent),
        cmocka_unit_test(test_what_cannot_be_run_says_why),
        cmocka_unit_test(test_candidates_are_tried_as_execvp_does),
        cmocka_unit_test(test_a_folder_that_is_not_there_fails_at_chdir),
        cmocka_unit_test(test_an_identity_that_may_not_be_taken_fails_at_its_step),
        cmocka_unit_test(test_a_privilege_that_is_lacking_fails_at_its_step),
        cmocka_unit_test(test_a_limit_that_is_none_fails_at_setrlimit),
        cmocka_unit_test(test_one_string_that_is_too_long_is_e2big),
        cmocka_unit_test(test_without_a_descriptor_for_it_no_process_is_left),
        cmocka_unit_test(test_on_an_old_kernel_no_process_is_left_either),
        cmocka_unit_test(test_a_kernel_without_the_new_calls_will_do),
        cmocka_unit_test(test_a_container_that_forbids_the_new_calls_will_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
