/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of plain files stand for cgroups: what a machine can give must not decide the test. */
#include "../scratch.h"

#include <errno.h>

#include "core/cgroup.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/template.h"

enum {
    MEMORY = 1 << CONTROLLER_MEMORY,
    CPU = 1 << CONTROLLER_CPU,
    PIDS = 1 << CONTROLLER_PIDS,
};

static struct scratch folder;

static void put_file(const char *name, const char *text)
{
    int fd = openat(folder.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

/* A cgroup with all controllers that hands none down yet, and has no members. */
static int set_up(void **state)
{
    (void)state;
    scratch_init(&folder);
    put_file("cgroup.type", "domain\n");
    put_file("cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
    put_file("cgroup.subtree_control", "\n");
    put_file("cgroup.procs", "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_clear(&folder);
    return 0;
}

static unsigned look(void)
{
    struct colony_limits_place place;

    colony_limits_look(&place, folder.path, geteuid());
    assert_string_equal(place.path, folder.path);
    return place.controllers;
}

TEST(test_what_can_be_handed_down_is_there)
{
    assert_int_equal(look(), MEMORY | CPU | PIDS);
    put_file("cgroup.controllers", "cpuset io pids");
    assert_int_equal(look(), PIDS);
    put_file("cgroup.controllers", "memoryless cpuset cpuacct\n");
    assert_int_equal(look(), 0);
}

TEST(test_members_that_are_not_us_keep_it_from_handing_down_more)
{
    char pid[16];

    put_file("cgroup.subtree_control", "pids\n");
    put_file("cgroup.procs", "1\n");
    assert_int_equal(look(), PIDS);
    (void)snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    put_file("cgroup.procs", pid); /* we leave it */
    assert_int_equal(look(), MEMORY | CPU | PIDS);
    put_file("cgroup.procs", "1\n2\n");
    assert_int_equal(unlinkat(folder.fd, "cgroup.type", 0), 0); /* the root is free to */
    assert_int_equal(look(), MEMORY | CPU | PIDS);
}

TEST(test_where_we_may_not_write_there_is_nothing)
{
    struct colony_limits_place place;

    put_file("cgroup.subtree_control", "pids\n");
    assert_int_equal(fchmodat(folder.fd, "cgroup.subtree_control", 0444, 0), 0);
    colony_limits_look(&place, folder.path, geteuid());
    assert_int_equal(place.controllers, geteuid() == 0 ? MEMORY | CPU | PIDS : PIDS);
    colony_limits_look(&place, folder.path, geteuid() + 1); /* cannot even make a base */
    assert_int_equal(place.controllers, 0);
    colony_limits_look(&place, "/nonexistent", 0);
    assert_string_equal(place.path, "");
    assert_int_equal(place.controllers, 0);
}

TEST(test_the_message_names_the_controller_and_the_way_out)
{
    const struct colony_limits_place place = {"/sys/fs/cgroup/here", CPU | PIDS};
    const struct colony_limits_place nowhere = {"", 0};
    struct colony_limits limits = {.cpu_milli = 500, .pids = 5};
    const struct colony_template template = {.name = "web", .limits = &limits};
    struct colony_error err = {0};

    assert_int_equal(colony_limits_check_at(&template, &place, &err), 0);
    limits.memory_bytes = 1;
    assert_int_equal(colony_limits_check_at(&template, &place, &err), -ENOTSUP);
    assert_non_null(strstr(err.message, "cannot limit memory of web: the cgroup "
                                        "/sys/fs/cgroup/here has no controller memory"));
    assert_non_null(strstr(err.message, "limits.optional: true"));
    assert_int_equal(colony_limits_check_at(&template, &nowhere, &err), -ENOTSUP);
    assert_non_null(strstr(err.message, "there is no cgroup2 here"));
    limits.is_optional = true;
    assert_int_equal(colony_limits_check_at(&template, &place, &err), 0);
    assert_int_equal(colony_limits_check_at(&template, &nowhere, &err), 0);
}

/* On the real machine: either answer is right, but it must be that of what can be seen. */
TEST(test_this_machine_is_judged_by_its_own_cgroup)
{
    const struct colony_limits limits = {.memory_bytes = 1 << 30};
    struct colony_template template = {.name = "web", .limits = &limits};
    struct colony_limits_place place = {"", 0};
    struct colony_error err = {0};
    char own[4096];
    int rc = colony_limits_check(&template, &err);

    if (colony_cgroup_find_own(own, sizeof own) == 0) {
        (void)colony_cgroup_leave_base(own);
        colony_limits_look(&place, own, geteuid());
    }
    assert_int_equal(rc, place.controllers & MEMORY ? 0 : -ENOTSUP);
    print_message("           here: %s\n", rc == 0 ? "memory can be limited" : err.message);
    template.limits = &colony_limits_none;
    assert_int_equal(colony_limits_check(&template, &err), 0);
}

#define LIMITS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMITS_TEST(test_what_can_be_handed_down_is_there),
        LIMITS_TEST(test_members_that_are_not_us_keep_it_from_handing_down_more),
        LIMITS_TEST(test_where_we_may_not_write_there_is_nothing),
        LIMITS_TEST(test_the_message_names_the_controller_and_the_way_out),
        LIMITS_TEST(test_this_machine_is_judged_by_its_own_cgroup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
