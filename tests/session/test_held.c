/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "session/held_internal.h"
#include "session/workspace.h"

#include "../scratch.h"
#include "../test.h"

struct fixture {
    struct scratch scratch;
    struct colony_workspace *workspace;
};

static void fixture_init(struct fixture *f)
{
    struct colony_error err = {0};
    size_t added;

    scratch_init(&f->scratch);
    if (colony_workspace_init(f->scratch.path, &added, &err) < 0 ||
        colony_workspace_open(&f->workspace, f->scratch.path, &err) < 0)
        fail_msg("%s", err.message);
}

static void fixture_clear(struct fixture *f)
{
    colony_workspace_close(f->workspace);
    scratch_clear(&f->scratch);
}

TEST(test_without_a_file_nobody_is_held)
{
    struct fixture f;
    char *held;

    fixture_init(&f);
    assert_int_equal(session_held_read(&held, f.workspace, NULL), 0);
    assert_string_equal(held, "");
    assert_false(session_held_has(held, "yellow-panda"));
    assert_false(session_held_has(held, ""));
    free(held);
    fixture_clear(&f);
}

TEST(test_what_is_written_is_read_and_whole_names_count)
{
    struct fixture f;
    char *held;

    fixture_init(&f);
    assert_int_equal(session_held_write(f.workspace, "yellow-panda\nred-fox\n", NULL), 0);
    assert_int_equal(session_held_read(&held, f.workspace, NULL), 0);
    assert_true(session_held_has(held, "yellow-panda"));
    assert_true(session_held_has(held, "red-fox"));
    assert_false(session_held_has(held, "red"));
    assert_false(session_held_has(held, "red-foxes"));
    free(held);
    assert_int_equal(session_held_write(f.workspace, "", NULL), 0);
    assert_int_equal(session_held_read(&held, f.workspace, NULL), 0);
    assert_string_equal(held, "");
    free(held);
    fixture_clear(&f);
}

TEST(test_a_link_in_its_place_is_not_followed)
{
    struct fixture f;
    char path[4096];
    char *held;

    fixture_init(&f);
    (void)snprintf(path, sizeof path, "%.4000s/held", colony_workspace_state_dir(f.workspace));
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(session_held_read(&held, f.workspace, NULL), 0);
    assert_string_equal(held, "");
    free(held);
    assert_int_equal(session_held_write(f.workspace, "red-fox\n", NULL), 0); /* replaces the link */
    assert_int_equal(session_held_read(&held, f.workspace, NULL), 0);
    assert_true(session_held_has(held, "red-fox"));
    free(held);
    fixture_clear(&f);
}

TEST(test_what_cannot_be_read_is_not_taken_for_nothing)
{
    struct rlimit had;
    struct rlimit none;
    struct fixture f;
    char *held = NULL;

    fixture_init(&f);
    assert_int_equal(session_held_write(f.workspace, "red-fox\n", NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &had), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = had.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(session_held_read(&held, f.workspace, NULL), -EMFILE);
    assert_null(held);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &had), 0);
    assert_int_equal(session_held_read(&held, f.workspace, NULL), 0);
    assert_true(session_held_has(held, "red-fox"));
    free(held);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_file_nobody_is_held),
        cmocka_unit_test(test_what_is_written_is_read_and_whole_names_count),
        cmocka_unit_test(test_a_link_in_its_place_is_not_followed),
        cmocka_unit_test(test_what_cannot_be_read_is_not_taken_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
