/* SPDX-License-Identifier: Apache-2.0 */
/* Needs root and a cgroup2 that can be written; each test says so aloud where there is none. */
#include "spawned.h"

#include "core/cgroup.h"
#include "core/error.h"

struct fixture {
    struct colony_cgroups cgroups;
    struct scratch *scratch;
    char instance[17];
};

static void fixture_open(struct fixture *f, void *scratch)
{
    struct colony_error err = {0};

    memset(f, 0, sizeof *f);
    f->scratch = scratch;
    make_instance(f->instance);
    prepare_to_spawn();
    f->scratch->fd = open(f->scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (colony_cgroups_open(&f->cgroups, f->scratch->fd, f->instance, &err) < 0)
        skip_in_child(err.message);
}

static void fixture_close(struct fixture *f)
{
    colony_cgroups_remove(&f->cgroups, f->scratch->fd);
    CHECK(access(f->cgroups.path, F_OK) < 0);
    CHECK(faccessat(f->scratch->fd, "cgroup", F_OK, 0) < 0);
}

static void run_in_scratch(void (*body)(void *scratch))
{
    struct scratch scratch;

    scratch_init(&scratch);
    run_forked(body, &scratch);
    scratch_clear(&scratch);
}

/* A test in a forked child with a folder, because it moves itself into a cgroup. */
#define CGROUP_TEST(name)                                                                          \
    static void name##_in_child(void *scratch);                                                    \
    TEST(name)                                                                                     \
    {                                                                                              \
        run_in_scratch(name##_in_child);                                                           \
    }                                                                                              \
    static void name##_in_child(void *scratch)

/* The cgroup2 of @pid ends with @tail. */
static bool is_in(pid_t pid, const char *tail)
{
    char path[64];
    char line[8192];
    bool found = false;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    file = fopen(path, "re");
    CHECK(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::", 3) == 0 && strlen(line) >= strlen(tail))
            found = strcmp(line + strlen(line) - strlen(tail), tail) == 0;
    }
    (void)fclose(file);
    return found;
}

static bool has_leaf(const struct fixture *f, const char *leaf)
{
    return faccessat(f->cgroups.base_fd, leaf, F_OK, 0) == 0;
}

/* Spawns a sleeping process into web.@slot; returns its pidfd. */
static int spawn_into(const struct fixture *f, uint32_t slot, const char *script, pid_t *pid)
{
    int fds[COLONY_CHILD_FDS_MAX] = {3, 3, 3, -1, -1, -1, -1, -1};
    int cgroup_fd = colony_cgroup_enter(&f->cgroups, "web", slot);
    struct colony_spawn_result result;
    struct colony_spawn_plan plan;
    struct made_payload made;
    int payload;

    CHECK(cgroup_fd >= 0);
    made_init_shell(&made, script);
    payload = made_file(&made, ALL_SEALS);
    CHECK(colony_spawn_plan_init(&plan, payload) == 0);
    colony_spawn(&plan, fds, cgroup_fd, pid, &result);
    CHECK_FAILED((struct spawned){.result = result}, STEP_EXEC, 0);
    CHECK(result.cgroup_error == 0);
    colony_spawn_release_fds();
    colony_spawn_plan_clear(&plan);
    made_clear(&made);
    (void)close(payload);
    (void)close(cgroup_fd);
    return result.pidfd;
}

static void wait_until_dead(int pidfd, pid_t pid, int signo)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    int status;

    CHECK(poll(&ended, 1, DEADLINE_MS) == 1);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signo);
    (void)close(pidfd);
}

CGROUP_TEST(test_we_move_into_a_leaf_of_our_own)
{
    struct fixture f;
    char tail[64];

    fixture_open(&f, scratch);
    (void)snprintf(tail, sizeof tail, "/colony-%s/supervisor", f.instance);
    CHECK(is_in(getpid(), tail));
    fixture_close(&f);
    CHECK(!is_in(getpid(), tail));
}

CGROUP_TEST(test_opened_again_it_is_the_same_place)
{
    struct colony_cgroups again;
    struct fixture f;

    fixture_open(&f, scratch);
    CHECK(colony_cgroups_open(&again, f.scratch->fd, f.instance, NULL) == 0);
    CHECK(strcmp(again.path, f.cgroups.path) == 0);
    (void)close(again.base_fd);
    fixture_close(&f);
}

CGROUP_TEST(test_a_new_base_is_not_made_within_the_old)
{
    char path[sizeof((struct colony_cgroups *)0)->path];
    struct fixture f;

    fixture_open(&f, scratch);
    memcpy(path, f.cgroups.path, sizeof path);
    (void)close(f.cgroups.base_fd);
    CHECK(unlinkat(f.scratch->fd, "cgroup", 0) == 0); /* forgotten, while we are in its leaf */
    CHECK(colony_cgroups_open(&f.cgroups, f.scratch->fd, f.instance, NULL) == 0);
    CHECK(strcmp(f.cgroups.path, path) == 0);
    fixture_close(&f);
}

static void spawn_and_stop(struct fixture *f)
{
    char tail[64];
    pid_t pid = 0;
    int pidfd = spawn_into(f, 2, "exec sleep 60", &pid);

    (void)snprintf(tail, sizeof tail, "/colony-%s/web.2", f->instance);
    CHECK(is_in(pid, tail));
    CHECK(colony_cgroup_signal(&f->cgroups, "web", 2, 0) == 1);
    colony_cgroup_leave(&f->cgroups, "web", 2);
    CHECK(has_leaf(f, "web.2")); /* somebody is in it */
    CHECK(colony_cgroup_signal(&f->cgroups, "web", 2, SIGUSR1) == 1);
    wait_until_dead(pidfd, pid, SIGUSR1);
    CHECK(colony_cgroup_signal(&f->cgroups, "web", 2, 0) == 0);
    colony_cgroup_leave(&f->cgroups, "web", 2);
    CHECK(!has_leaf(f, "web.2"));
}

CGROUP_TEST(test_a_process_is_born_in_the_cgroup_of_its_slot)
{
    struct fixture f;

    fixture_open(&f, scratch);
    spawn_and_stop(&f);
    fixture_close(&f);
}

CGROUP_TEST(test_on_an_old_kernel_it_enters_the_cgroup_by_itself)
{
    struct fixture f;

    fixture_open(&f, scratch);
    forbid_new_calls(ENOSYS);
    spawn_and_stop(&f);
    fixture_close(&f);
}

CGROUP_TEST(test_a_kill_takes_all_that_it_has_started)
{
    struct fixture f;
    uint64_t until_ms;
    pid_t pid = 0;
    int pidfd;

    fixture_open(&f, scratch);
    pidfd = spawn_into(&f, 1, "setsid sleep 60 & setsid sleep 60 & exec sleep 60", &pid);
    until_ms = clock_ms() + DEADLINE_MS;
    while (colony_cgroup_signal(&f.cgroups, "web", 1, 0) != 3)
        CHECK(clock_ms() < until_ms);
    CHECK(colony_cgroup_signal(&f.cgroups, "web", 1, SIGKILL) == 3);
    wait_until_dead(pidfd, pid, SIGKILL);
    while (colony_cgroup_signal(&f.cgroups, "web", 1, 0) > 0)
        CHECK(clock_ms() < until_ms);
    colony_cgroup_leave(&f.cgroups, "web", 1);
    fixture_close(&f);
}

CGROUP_TEST(test_a_detached_process_has_a_cgroup_of_its_own)
{
    struct fixture f;
    int fd;

    fixture_open(&f, scratch);
    fd = colony_cgroup_enter_detached(&f.cgroups, "web", 77);
    CHECK(fd >= 0);
    CHECK(has_leaf(&f, "web.detached-77"));
    (void)close(fd);
    fixture_close(&f);
}

TEST(test_without_cgroups_nothing_is_done)
{
    struct colony_cgroups none = {.base_fd = -1};

    assert_int_equal(colony_cgroup_enter(&none, "web", 1), -1);
    assert_int_equal(colony_cgroup_enter_detached(&none, "web", 1), -1);
    assert_int_equal(colony_cgroup_signal(&none, "web", 1, SIGKILL), -ENOTSUP);
    colony_cgroup_leave(&none, "web", 1);
    colony_cgroups_remove(&none, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_we_move_into_a_leaf_of_our_own),
        cmocka_unit_test(test_opened_again_it_is_the_same_place),
        cmocka_unit_test(test_a_new_base_is_not_made_within_the_old),
        cmocka_unit_test(test_a_process_is_born_in_the_cgroup_of_its_slot),
        cmocka_unit_test(test_on_an_old_kernel_it_enters_the_cgroup_by_itself),
        cmocka_unit_test(test_a_kill_takes_all_that_it_has_started),
        cmocka_unit_test(test_a_detached_process_has_a_cgroup_of_its_own),
        cmocka_unit_test(test_without_cgroups_nothing_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
