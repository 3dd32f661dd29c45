/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_keeper_limits.c - limits of a slot's cgroup, and ends for want of memory.
 *
 * Few machines that tests run on hand controllers down, so the keeper is given a base of plain
 * files, which it finds as that of an earlier start. On a kernel without clone3(2) a process enters
 * such a "cgroup" by writing to its cgroup.procs; with clone3(2) it cannot be born there.
 */
#include "kept.h"

static struct kept kept;
static int base;

static void put_file(int folder, const char *name, const char *text)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static int set_up(void **state)
{
    static const char *const files[] = {"supervisor/cgroup.procs", "cgroup.subtree_control",
                                        "web.1/cgroup.procs",      "web.1/memory.max",
                                        "web.1/cpu.max",           "web.1/pids.max"};
    char path[128];

    (void)state;
    kept_init(&kept);
    assert_int_equal(mkdirat(kept.scratch.fd, "base", 0700), 0);
    base = openat(kept.scratch.fd, "base", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(base, "supervisor", 0700), 0);
    assert_int_equal(mkdirat(base, "web.1", 0700), 0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        put_file(base, files[i], "");
    put_file(base, "web.1/memory.events", "low 0\noom_kill 2\n");
    (void)snprintf(path, sizeof path, "%s/base", kept.scratch.path);
    put_file(kept.scratch.fd, "cgroup", path);
    kept.log = openat(kept.scratch.fd, "log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    kept.is_old_kernel = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)close(base);
    (void)close(kept.log);
    kept_clear(&kept);
    return 0;
}

/* False, and says so, where a kernel cannot be made to look old. */
static bool begin(void)
{
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) == 0 || errno != EFAULT) {
        skip_aloud("no seccomp filter here");
        return false;
    }
    kept_begin(&kept);
    return true;
}

static const struct colony_record *record(uint32_t index)
{
    return &kept.table.records[index];
}

/* What a process gets: a script, and these limits with @flags. */
static const struct colony_payload some = {
    .memory_max_bytes = 1 << 20, .cpu_max_milli = 250, .pids_max = 4};

static void make_limited(struct made_payload *made, const char *script,
                         const struct colony_payload *limits)
{
    made_init_shell(made, script);
    made->header.flags = limits->flags;
    made->header.memory_max_bytes = limits->memory_max_bytes;
    made->header.cpu_max_milli = limits->cpu_max_milli;
    made->header.pids_max = limits->pids_max;
}

/* web.1; replaces the ended one of @told, unless that is NULL. */
static struct told spawn_limited(const char *script, const struct colony_payload *limits,
                                 const struct told *before)
{
    struct colony_message order = spawn_order("web", 1);
    struct made_payload made;

    if (before) {
        order.index = before->message.index;
        order.id = before->message.id;
        order.u.spawn.flags = SPAWN_REPLACES;
    }
    make_limited(&made, script, limits);
    order_spawn(&kept, &order, &made);
    return hear(&kept);
}

/* It has run; @output of it. */
static void expect_run(const struct told *told, const char *output)
{
    assert_int_equal(told->message.type, MESSAGE_SPAWNED);
    (void)expect(&kept, MESSAGE_EXITED);
    if (output)
        expect_output(told->fds[0], output);
}

static void expect_failure(const struct told *told, const char *step, int error)
{
    assert_int_equal(told->message.type, MESSAGE_SPAWN_FAILED);
    assert_string_equal(colony_spawn_step_name(record(told->message.index)->failed_step), step);
    assert_int_equal(record(told->message.index)->failed_errno, error);
    assert_int_equal(record(told->message.index)->pid, 0);
}

static const char show[] = "cd %s/base/web.1; cat cgroup.procs memory.max; echo; cat cpu.max; "
                           "echo; cat pids.max; echo";

TEST(test_limits_stand_before_the_process_runs)
{
    char script[256];
    struct told told;
    struct told next;

    if (!begin())
        return;
    (void)snprintf(script, sizeof script, show, kept.scratch.path);
    told = spawn_limited(script, &some, NULL);
    expect_run(&told, "01048576\n25000 100000\n4\n");
    assert_false(record(told.message.index)->flags & RECORD_UNLIMITED);
    for (size_t i = 0; i < 3; i++)
        put_file(base, (const char *[]){"web.1/memory.max", "web.1/cpu.max", "web.1/pids.max"}[i],
                 "");
    next = spawn_limited(script, &(struct colony_payload){.pids_max = 9}, &told);
    assert_int_equal(next.message.type, MESSAGE_SPAWNED);
    (void)expect(&kept, MESSAGE_EXITED);
    expect_output(told.fds[0], "0max\nmax\n9\n"); /* none of the one before */
    close_told(&told);
}

/* Its file is a folder. */
static void break_limit(const char *name)
{
    assert_int_equal(unlinkat(base, name, 0), 0);
    assert_int_equal(mkdirat(base, name, 0700), 0);
}

TEST(test_a_limit_that_cannot_be_set_fails_the_spawn_by_name)
{
    struct told told;

    break_limit("web.1/cpu.max");
    if (!begin())
        return;
    told = spawn_limited(":", &some, NULL);
    expect_failure(&told, "limits.cpu", EISDIR);
    close_told(&told);
    told = spawn_limited(":", &(struct colony_payload){.pids_max = 1, .cpu_max_milli = 0}, &told);
    expect_failure(&told, "limits.cpu", EISDIR); /* nor can an old one be taken away */
}

static unsigned count_in_log(const char *wanted)
{
    char text[8192] = "";
    unsigned count = 0;

    assert_true(pread(kept.log, text, sizeof text - 1, 0) >= 0);
    for (const char *at = strstr(text, wanted); at; at = strstr(at + 1, wanted))
        count++;
    return count;
}

TEST(test_optional_limits_are_left_out_and_told_once_a_slot)
{
    struct colony_payload limits = some;
    struct told told;

    limits.flags = PAYLOAD_LIMITS_OPTIONAL;
    break_limit("web.1/memory.max");
    if (!begin())
        return;
    told = spawn_limited(":", &limits, NULL);
    expect_run(&told, NULL);
    close_told(&told);
    for (int i = 0; i < 3; i++) {
        told = spawn_limited(":", &limits, &told);
        expect_run(&told, NULL);
        assert_true(record(told.message.index)->flags & RECORD_UNLIMITED);
        close_told(&told);
    }
    assert_int_equal(count_in_log("web.1 runs without its limit of memory: Is a directory\n"), 1);
    assert_int_equal(count_in_log("without its limit"), 1);
    assert_int_equal(unlinkat(base, "web.1/memory.max", AT_REMOVEDIR), 0);
    put_file(base, "web.1/memory.max", "");
    told = spawn_limited(":", &limits, &told);
    expect_run(&told, NULL);
    assert_false(record(told.message.index)->flags & RECORD_UNLIMITED);
}

TEST(test_without_a_cgroup_of_its_slot_nothing_is_limited)
{
    struct colony_payload limits = some;
    struct colony_message order = spawn_order("db", 1);
    struct made_payload made;
    struct told told;

    put_file(base, "db.1", "no folder, and in its way");
    if (!begin())
        return;
    make_limited(&made, ":", &limits);
    order_spawn(&kept, &order, &made);
    told = expect(&kept, MESSAGE_SPAWN_FAILED);
    expect_failure(&told, "limits.memory", ENOTSUP);
    close_told(&told);
    limits.flags = PAYLOAD_LIMITS_OPTIONAL;
    make_limited(&made, ":", &limits);
    order_spawn(&kept, &order, &made);
    told = expect(&kept, MESSAGE_SPAWNED);
    assert_true(record(told.message.index)->flags & RECORD_UNLIMITED);
    assert_false(record(told.message.index)->flags & RECORD_HAS_CGROUP);
    close_told(&told);
}

TEST(test_who_cannot_be_born_in_its_cgroup_must_not_run_without_its_limits)
{
    struct colony_payload limits = some;
    struct told told;

    kept.is_old_kernel = false; /* clone3(2) takes no plain folder */
    kept_begin(&kept);
    told = spawn_limited(":", &limits, NULL);
    if (told.message.type == MESSAGE_SPAWNED) {
        skip_aloud("no clone3 here");
        return;
    }
    expect_failure(&told, "cgroup", EBADF);
    close_told(&told);
    told = spawn_limited(":", &(struct colony_payload){0}, &told); /* one without limits may */
    expect_run(&told, NULL);
    assert_false(record(told.message.index)->flags & RECORD_UNLIMITED);
    close_told(&told);
    limits.flags = PAYLOAD_LIMITS_OPTIONAL;
    told = spawn_limited(":", &limits, &told);
    expect_run(&told, NULL);
    assert_true(record(told.message.index)->flags & RECORD_UNLIMITED);
    close_told(&told);
}

TEST(test_an_end_for_want_of_memory_is_told)
{
    char script[256];
    struct told told;
    uint32_t flags;

    if (!begin())
        return;
    (void)snprintf(script, sizeof script,
                   "printf 'low 0\\noom_kill 3\\n' > %s/base/web.1/memory.events; kill -9 $$",
                   kept.scratch.path);
    told = spawn_limited(script, &some, NULL);
    expect_run(&told, NULL);
    flags = record(told.message.index)->flags;
    assert_true(flags & RECORD_OOM_KILLED && flags & RECORD_STATUS_KNOWN);
    assert_int_equal(record(told.message.index)->wait_status, SIGKILL);
    close_told(&told);
    told =
        spawn_limited("kill -9 $$", &some, &told); /* the count stays: this was another's doing */
    expect_run(&told, NULL);
    assert_int_equal(record(told.message.index)->wait_status, SIGKILL);
    assert_false(record(told.message.index)->flags & RECORD_OOM_KILLED);
    close_told(&told);
}

/* All eight may be planned; the way into the cgroup has a number of its own. */
TEST(test_the_highest_descriptor_does_not_get_in_the_way_of_the_cgroup)
{
    struct colony_message order = spawn_order("web", 1);
    struct made_payload made;
    struct told told;
    char text[8] = "";
    int fds[2];
    int fd;

    if (!begin())
        return;
    made_init_shell(&made, "readlink /proc/$$/fd/7");
    order.u.spawn.plan[7] = FD_PASSED | 0;
    fds[0] = made_file(&made, ALL_SEALS);
    fds[1] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    say(&kept, &order, fds, 2);
    (void)close(fds[0]);
    (void)close(fds[1]);
    made_clear(&made);
    told = expect(&kept, MESSAGE_SPAWNED);
    expect_output(told.fds[0], "/dev/zero\n");
    close_told(&told);
    fd = openat(base, "web.1/cgroup.procs", O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof text), 1);
    assert_string_equal(text, "0");
    (void)close(fd);
}

#define KEEPER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(test_limits_stand_before_the_process_runs),
        KEEPER_TEST(test_a_limit_that_cannot_be_set_fails_the_spawn_by_name),
        KEEPER_TEST(test_optional_limits_are_left_out_and_told_once_a_slot),
        KEEPER_TEST(test_without_a_cgroup_of_its_slot_nothing_is_limited),
        KEEPER_TEST(test_who_cannot_be_born_in_its_cgroup_must_not_run_without_its_limits),
        KEEPER_TEST(test_an_end_for_want_of_memory_is_told),
        KEEPER_TEST(test_the_highest_descriptor_does_not_get_in_the_way_of_the_cgroup),
    };

    if (argc > 1)
        return kept_role(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
