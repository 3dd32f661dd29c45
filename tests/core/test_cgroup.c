/* SPDX-License-Identifier: Apache-2.0 */
/* Needs root and a cgroup2 that can be written; each test says so aloud where there is none. */
#include "spawned.h"

#include "core/cgroup.h"
#include "core/error.h"
#include "core/message.h"

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

static struct scratch folder_of_test;

static int set_up(void **state)
{
    (void)state;
    scratch_init(&folder_of_test);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_clear(&folder_of_test);
    return 0;
}

/* A test in a forked child with a folder, because it moves itself into a cgroup. */
#define CGROUP_TEST(name)                                                                          \
    static void name##_in_child(void *scratch);                                                    \
    TEST(name)                                                                                     \
    {                                                                                              \
        run_forked(name##_in_child, &folder_of_test);                                              \
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

static void read_file(int folder, const char *name, char *text, size_t size)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t count = read(fd, text, size - 1);

    CHECK(fd >= 0 && count >= 0);
    text[count] = '\0';
    (void)close(fd);
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
    struct spawned spawned = spawned_none();
    struct colony_spawn_plan plan;
    struct made_payload made;
    int payload;

    CHECK(cgroup_fd >= 0);
    spawned.cgroup_fd = cgroup_fd;
    made_init_shell(&made, script);
    payload = made_file(&made, ALL_SEALS);
    CHECK(colony_spawn_plan_init(&plan, payload) == 0);
    spawn_and_land(&plan, fds, &spawned);
    CHECK_FAILED(spawned, STEP_EXEC, 0);
    CHECK(spawned.result.cgroup_error == 0);
    *pid = spawned.pid;
    colony_spawn_plan_clear(&plan);
    made_clear(&made);
    (void)close(payload);
    (void)close(cgroup_fd);
    return spawned.result.pidfd;
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

/* What this machine cannot do is told by name; what it can is really set. */
CGROUP_TEST(test_limits_are_set_in_the_cgroup_of_a_slot)
{
    const struct colony_payload payload = {
        .memory_max_bytes = 64 << 20, .cpu_max_milli = 500, .pids_max = 50};
    enum colony_cgroup_controller failed = CONTROLLER_COUNT;
    struct fixture f;
    char text[64];
    int folder;
    int rc;

    fixture_open(&f, scratch);
    folder = colony_cgroup_enter(&f.cgroups, "web", 1);
    rc = colony_cgroup_limit(&f.cgroups, folder, &payload, &failed);
    if (rc < 0) {
        CHECK(failed < CONTROLLER_COUNT);
        CHECK(rc == -ENOTSUP || rc == -EBUSY || rc == -EACCES);
        (void)printf("           no %s here: %s\n", colony_cgroup_controller_name(failed),
                     strerror(-rc));
    } else {
        read_file(folder, "memory.max", text, sizeof text);
        CHECK(strcmp(text, "67108864\n") == 0);
        read_file(folder, "cpu.max", text, sizeof text);
        CHECK(strcmp(text, "50000 100000\n") == 0);
        read_file(folder, "pids.max", text, sizeof text);
        CHECK(strcmp(text, "50\n") == 0);
        CHECK(colony_cgroup_oom_kills(&f.cgroups, "web", 1) == 0);
    }
    (void)close(folder);
    colony_cgroup_leave(&f.cgroups, "web", 1);
    fixture_close(&f);
    if (rc < 0)
        skip_in_child("needs the controllers memory, cpu and pids");
}

/* From here on a folder of plain files is the base: it shows what is written. */

struct plain {
    struct scratch scratch; /* the cgroup that colony was started in */
    struct colony_cgroups cgroups;
    int folder; /* of web.1 */
};

static void put_file(int folder, const char *name, const char *text)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static void plain_init(struct plain *plain)
{
    static const char *const limits[] = {"memory.max", "cpu.max", "pids.max"};

    memset(plain, 0, sizeof *plain);
    scratch_init(&plain->scratch);
    assert_int_equal(mkdirat(plain->scratch.fd, "base", 0700), 0);
    plain->cgroups.base_fd = openat(plain->scratch.fd, "base", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put_file(plain->scratch.fd, "cgroup.subtree_control", "");
    put_file(plain->cgroups.base_fd, "cgroup.subtree_control", "");
    plain->folder = colony_cgroup_enter(&plain->cgroups, "web", 1);
    assert_true(plain->folder >= 0);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        put_file(plain->folder, limits[i], "");
}

static void plain_clear(struct plain *plain)
{
    (void)close(plain->folder);
    (void)close(plain->cgroups.base_fd);
    scratch_clear(&plain->scratch);
}

/* What was written to the three, and that it went well. */
static void assert_limits(struct plain *plain, const struct colony_payload *payload,
                          const char *wanted)
{
    enum colony_cgroup_controller failed;
    char text[3][64];
    char all[256];

    assert_int_equal(colony_cgroup_limit(&plain->cgroups, plain->folder, payload, &failed), 0);
    read_file(plain->folder, "memory.max", text[0], sizeof text[0]);
    read_file(plain->folder, "cpu.max", text[1], sizeof text[1]);
    read_file(plain->folder, "pids.max", text[2], sizeof text[2]);
    (void)snprintf(all, sizeof all, "%s, %s, %s", text[0], text[1], text[2]);
    assert_string_equal(all, wanted);
    for (size_t i = 0; i < 3; i++)
        put_file(plain->folder, (const char *[]){"memory.max", "cpu.max", "pids.max"}[i], "");
}

TEST(test_limits_are_written_as_the_kernel_wants_them)
{
    struct plain plain;

    plain_init(&plain);
    assert_limits(&plain,
                  &(struct colony_payload){
                      .memory_max_bytes = 1ULL << 40, .cpu_max_milli = 1500, .pids_max = 7},
                  "1099511627776, 150000 100000, 7");
    assert_limits(&plain, &(struct colony_payload){.cpu_max_milli = 10},
                  "max, 1000 100000, max"); /* what an earlier process of the slot had is gone */
    assert_limits(&plain, &(struct colony_payload){.cpu_max_milli = 1}, "max, 1000 1000000, max");
    assert_limits(&plain, &(struct colony_payload){.cpu_max_milli = UINT32_MAX},
                  "max, 429496729500 100000, max");
    assert_limits(&plain, &(struct colony_payload){.pids_max = UINT32_MAX}, "max, max, 4294967295");
    plain_clear(&plain);
}

TEST(test_no_controller_is_switched_on_before_one_is_needed)
{
    struct plain plain;
    char text[64];

    plain_init(&plain);
    assert_limits(&plain, &(struct colony_payload){0}, ", , "); /* nothing can have limited it */
    read_file(plain.cgroups.base_fd, "cgroup.subtree_control", text, sizeof text);
    assert_string_equal(text, "");
    assert_limits(&plain, &(struct colony_payload){.pids_max = 5}, ", , 5");
    read_file(plain.cgroups.base_fd, "cgroup.subtree_control", text, sizeof text);
    assert_string_equal(text, "+pids");
    read_file(plain.scratch.fd, "cgroup.subtree_control", text, sizeof text);
    assert_string_equal(text, ""); /* the base had it already */
    put_file(plain.cgroups.base_fd, "cgroup.subtree_control", "");
    assert_limits(&plain, &(struct colony_payload){.pids_max = 6}, ", , 6");
    read_file(plain.cgroups.base_fd, "cgroup.subtree_control", text, sizeof text);
    assert_string_equal(text, ""); /* once */
    plain_clear(&plain);
}

TEST(test_the_first_limit_that_cannot_be_set_is_named_and_the_others_are_set)
{
    const struct colony_payload payload = {
        .memory_max_bytes = 4096, .cpu_max_milli = 100, .pids_max = 3};
    enum colony_cgroup_controller failed = CONTROLLER_COUNT;
    struct plain plain;
    char text[64];

    plain_init(&plain);
    assert_int_equal(unlinkat(plain.folder, "cpu.max", 0), 0);
    assert_int_equal(mkdirat(plain.folder, "cpu.max", 0700), 0);
    assert_int_equal(colony_cgroup_limit(&plain.cgroups, plain.folder, &payload, &failed), -EISDIR);
    assert_int_equal(failed, CONTROLLER_CPU);
    read_file(plain.folder, "pids.max", text, sizeof text);
    assert_string_equal(text, "3");
    plain_clear(&plain);
}

TEST(test_where_no_cgroup_can_be_made_nothing_can_be_limited)
{
    const struct colony_payload payload = {.pids_max = 3};
    const struct colony_payload free = {.flags = 0};
    struct colony_cgroups none = {.base_fd = -1};
    enum colony_cgroup_controller failed = CONTROLLER_COUNT;
    struct plain plain;
    char text[64];

    assert_int_equal(colony_cgroup_limit(&none, -1, &payload, &failed), -ENOTSUP);
    assert_int_equal(failed, CONTROLLER_PIDS);
    assert_int_equal(colony_cgroup_limit(&none, -1, &free, &failed), 0);
    assert_int_equal(colony_cgroup_oom_kills(&none, "web", 1), 0);
    plain_init(&plain);
    put_file(plain.cgroups.base_fd, "db.1", "a file where the cgroup should be");
    assert_int_equal(colony_cgroup_enter(&plain.cgroups, "db", 1), -1);
    assert_int_equal(colony_cgroup_limit(&plain.cgroups, -1, &payload, &failed), -ENOTSUP);
    assert_int_equal(unlinkat(plain.cgroups.base_fd, "cgroup.subtree_control", 0), 0);
    assert_int_equal(colony_cgroup_limit(&plain.cgroups, plain.folder, &payload, &failed),
                     -ENOTSUP); /* the one above was asked, too */
    read_file(plain.scratch.fd, "cgroup.subtree_control", text, sizeof text);
    assert_string_equal(text, "+pids");
    plain_clear(&plain);
}

TEST(test_kills_for_memory_are_counted)
{
    struct plain plain;

    plain_init(&plain);
    put_file(plain.folder, "memory.events",
             "low 0\nhigh 1\nmax 9\noom 4\noom_kill 3\noom_group_kill 8\n");
    assert_int_equal(colony_cgroup_oom_kills(&plain.cgroups, "web", 1), 0); /* not switched on */
    plain.cgroups.controllers = 1U << CONTROLLER_MEMORY;
    assert_int_equal(colony_cgroup_oom_kills(&plain.cgroups, "web", 1), 3);
    assert_int_equal(colony_cgroup_oom_kills(&plain.cgroups, "web", 2), 0);
    put_file(plain.folder, "memory.events", "low 0\noom 4\noom_group_kill 8\n");
    assert_int_equal(colony_cgroup_oom_kills(&plain.cgroups, "web", 1), 0);
    plain_clear(&plain);
}

TEST(test_controllers_are_whole_words)
{
    struct plain plain;

    plain_init(&plain);
    put_file(plain.folder, "cgroup.controllers", "cpuset memoryx xpids cpu\n");
    assert_int_equal(colony_cgroup_controllers(plain.folder, "cgroup.controllers"),
                     1U << CONTROLLER_CPU);
    assert_int_equal(colony_cgroup_controllers(plain.folder, "nonexistent"), 0);
    plain_clear(&plain);
}

TEST(test_a_supervisor_is_told_from_a_cgroup_of_that_name)
{
    char ours[] = "/sys/fs/cgroup/a/colony-0123/supervisor";
    char top[] = "/colony-0123/supervisor";
    char theirs[] = "/sys/fs/cgroup/a/other/supervisor";
    char plain[] = "/sys/fs/cgroup/a/colony-0123/web.1";
    char empty[] = "";

    assert_true(colony_cgroup_leave_base(ours));
    assert_string_equal(ours, "/sys/fs/cgroup/a");
    assert_true(colony_cgroup_leave_base(top));
    assert_string_equal(top, "");
    assert_false(colony_cgroup_leave_base(theirs));
    assert_string_equal(theirs, "/sys/fs/cgroup/a/other/supervisor");
    assert_false(colony_cgroup_leave_base(plain));
    assert_false(colony_cgroup_leave_base(empty));
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

#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_we_move_into_a_leaf_of_our_own),
        IN_FOLDER(test_opened_again_it_is_the_same_place),
        IN_FOLDER(test_a_new_base_is_not_made_within_the_old),
        IN_FOLDER(test_a_process_is_born_in_the_cgroup_of_its_slot),
        IN_FOLDER(test_on_an_old_kernel_it_enters_the_cgroup_by_itself),
        IN_FOLDER(test_a_kill_takes_all_that_it_has_started),
        IN_FOLDER(test_a_detached_process_has_a_cgroup_of_its_own),
        IN_FOLDER(test_limits_are_set_in_the_cgroup_of_a_slot),
        cmocka_unit_test(test_limits_are_written_as_the_kernel_wants_them),
        cmocka_unit_test(test_no_controller_is_switched_on_before_one_is_needed),
        cmocka_unit_test(test_the_first_limit_that_cannot_be_set_is_named_and_the_others_are_set),
        cmocka_unit_test(test_where_no_cgroup_can_be_made_nothing_can_be_limited),
        cmocka_unit_test(test_kills_for_memory_are_counted),
        cmocka_unit_test(test_controllers_are_whole_words),
        cmocka_unit_test(test_a_supervisor_is_told_from_a_cgroup_of_that_name),
        cmocka_unit_test(test_without_cgroups_nothing_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
