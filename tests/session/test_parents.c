/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "core/error.h"
#include "core/table.h"
#include "session/config.h"
#include "session/fingerprint.h"
#include "session/parents.h"
#include "session/process.h"
#include "session/workspace.h"

#include "../scratch.h"

/* A parent, which is this test itself or nothing, and a child. */
struct family {
    struct colony_workspace *workspace;
    struct colony_session_process items[2];
    struct colony_session_list list;
    struct colony_dependence dependence;
    struct colony_session_config config;
    char boot[COLONY_SESSION_BOOT_SIZE];
};

static void family_init(struct family *family, const char *path, char *state)
{
    size_t added;

    *family = (struct family){
        .items = {{.name = "child-name", .alias = "child"}, {.name = "parent-name"}},
        .list = {.items = family->items, .count = 2},
        .dependence = {.child = "child", .parent = "parent-name", .state = state},
        .config = {.period_ms = 1, .dependences = &family->dependence, .dependence_count = 1},
    };
    CHECK(colony_workspace_init(path, &added, NULL) == 0);
    CHECK(colony_workspace_open(&family->workspace, path, NULL) == 0);
    CHECK(colony_session_boot_id(family->boot) == 0);
}

static void let_parent_live(struct family *family)
{
    family->items[1].pid = getpid();
    family->items[1].start_ticks = colony_proc_start_ticks(getpid());
    family->items[1].boot = family->boot;
}

static bool is_refused(struct family *family, const char *why)
{
    struct colony_error err = {0};
    int rc = colony_session_parents_check(family->workspace, &family->config, &family->list,
                                          &family->items[0], &err);

    CHECK(rc == 0 || (rc == -EBUSY && strstr(err.message, "child")));
    CHECK(rc == 0 || strstr(err.message, why));
    return rc == -EBUSY;
}

FOLDER_TEST(test_who_waits_for_one_that_is_down_may_not_start)
{
    struct family family;

    family_init(&family, data, NULL);
    CHECK(is_refused(&family, "which is stopped"));
}

FOLDER_TEST(test_without_a_state_one_that_has_run_for_a_period_will_do)
{
    struct family family;

    family_init(&family, data, NULL);
    let_parent_live(&family);
    family.config.period_ms = UINT64_C(1) << 40;
    CHECK(is_refused(&family, "which is starting"));
    family.config.period_ms = 1;
    CHECK_SOON(!is_refused(&family, "which is starting"));
}

FOLDER_TEST(test_a_state_is_met_by_what_looks_like_it)
{
    struct family family;
    struct colony_fingerprint now;
    struct colony_error err;

    family_init(&family, data, "operative");
    let_parent_live(&family);
    family.config.period_ms = UINT64_C(1) << 40;
    CHECK(is_refused(&family, "which is starting"));
    CHECK(colony_workspace_lock(family.workspace, 1000, &err) == 0); /* which opens a file */
    CHECK(colony_fingerprint_take(&now, getpid(), NULL, &err) == 0);
    CHECK(colony_fingerprint_save(&now, family.workspace, "parent-name", "idle", &err) == 0);
    CHECK(is_refused(&family, "which is idle"));
    family.dependence.state = "idle";
    CHECK(!is_refused(&family, ""));
}

FOLDER_TEST(test_who_waits_for_nobody_may_start)
{
    struct family family;

    family_init(&family, data, NULL);
    family.dependence.child = "parent-name";
    CHECK(!is_refused(&family, ""));
}

FOLDER_TEST(test_a_parent_that_is_not_there_is_told)
{
    struct family family;
    struct colony_error err = {0};

    family_init(&family, data, NULL);
    family.dependence.parent = "nobody";
    CHECK(colony_session_parents_check(family.workspace, &family.config, &family.list,
                                       &family.items[0], &err) == -ENOENT);
    CHECK(strstr(err.message, "nobody"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_waits_for_one_that_is_down_may_not_start),
        cmocka_unit_test(test_without_a_state_one_that_has_run_for_a_period_will_do),
        cmocka_unit_test(test_a_state_is_met_by_what_looks_like_it),
        cmocka_unit_test(test_who_waits_for_nobody_may_start),
        cmocka_unit_test(test_a_parent_that_is_not_there_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
