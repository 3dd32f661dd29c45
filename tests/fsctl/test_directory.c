/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/directory_internal.h"

#include "../scratch.h"

#include <errno.h>

#include "core/settings.h"
#include "fsctl/entry_internal.h"

#define GOOD "{\"args\": [\"x\"]}"

struct fixture {
    struct scratch scratch;
    struct colony_files_settings settings;
    struct colony__directory *directory;
    struct colony__batch *batch;
};

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.settings = {.max_delay_ms = 1}};
    scratch_init(&f->scratch);
    f->settings.config = f->scratch.path;
    f->batch = calloc(1, sizeof *f->batch);
    assert_non_null(f->batch);
    assert_int_equal(colony__directory_new(&f->directory, &f->settings), 0);
}

static void fixture_clear(struct fixture *f)
{
    colony__batch_clear(f->batch);
    free(f->batch);
    colony__directory_free(f->directory);
    scratch_clear(&f->scratch);
}

static void write_text(const struct fixture *f, const char *name, const char *text)
{
    int fd = openat(f->scratch.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

static bool is_fresh(const struct fixture *f, const char *name)
{
    struct stat info;
    struct colony__identity identity;

    assert_int_equal(fstatat(f->scratch.fd, name, &info, AT_SYMLINK_NOFOLLOW), 0);
    colony__entry_identify(&identity, &info);
    return colony__entry_is_fresh(&identity);
}

/* So old that a change must show. */
static void age(const struct fixture *f, const char *name)
{
    while (is_fresh(f, name))
        (void)poll(NULL, 0, 10);
}

/* One batch, as "+NAME -NAME !NAME …"; "…" at its end: there is more. */
static const char *look(struct fixture *f)
{
    static char text[COLONY__BATCH_MAX * 260];
    static const char marks[] = {[CHANGE_PUT] = '+', [CHANGE_GONE] = '-', [CHANGE_REFUSE] = '!'};

    colony__batch_clear(f->batch);
    colony__directory_look(f->directory, f->batch);
    text[0] = '\0';
    for (size_t i = 0; i < f->batch->count; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%c%s", i ? " " : "",
                       marks[f->batch->changes[i].type], f->batch->changes[i].name);
    return text;
}

TEST(test_only_changes_are_told)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(look(&f), "");
    assert_true(f.batch->is_last);
    write_text(&f, "web", GOOD);
    age(&f, "web");
    assert_string_equal(look(&f), "+web");
    assert_string_equal(f.batch->changes[0].template->name, "web");
    assert_string_equal(look(&f), "");
    do { /* on a busy machine it may have aged before the look */
        write_text(&f, "web", GOOD " ");
        assert_string_equal(look(&f), "+web");
    } while (!is_fresh(&f, "web"));
    age(&f, "web");
    assert_string_equal(look(&f), "+web"); /* it was too fresh to be sure */
    assert_string_equal(look(&f), "");
    assert_int_equal(unlinkat(f.scratch.fd, "web", 0), 0);
    assert_string_equal(look(&f), "-web");
    assert_string_equal(look(&f), "");
    fixture_clear(&f);
}

TEST(test_what_is_no_json_gets_one_more_look)
{
    struct fixture f;

    fixture_init(&f);
    write_text(&f, "web", "{\"ar");
    assert_string_equal(look(&f), "");
    assert_true(f.batch->has_pending);
    write_text(&f, "web", "{\"args\"");
    assert_string_equal(look(&f), ""); /* it goes on */
    assert_string_equal(look(&f), ""); /* perhaps in a moment */
    EVENTUALLY(look(&f)[0] != '\0');
    assert_int_equal(f.batch->changes[0].type, CHANGE_REFUSE);
    assert_non_null(strstr(f.batch->changes[0].text, "/web:1:8: cannot read this JSON"));
    write_text(&f, "web", GOOD);
    assert_string_equal(look(&f), "+web");
    fixture_clear(&f);
}

TEST(test_a_file_that_was_good_is_not_gone_when_it_is_bad)
{
    struct fixture f;

    fixture_init(&f);
    write_text(&f, "web", GOOD);
    assert_string_equal(look(&f), "+web");
    write_text(&f, "web", "{\"args\": 1}");
    assert_string_equal(look(&f), "!web");
    assert_true(colony__directory_has(f.directory, "web"));
    assert_true(colony__directory_tells(f.directory, "web", "a"));
    assert_false(colony__directory_tells(f.directory, "web", "a"));
    assert_true(colony__directory_tells(f.directory, "web", "b"));
    fixture_clear(&f);
}

TEST(test_what_is_asked_for_again_is_read_again)
{
    struct fixture f;

    fixture_init(&f);
    write_text(&f, "web", GOOD);
    age(&f, "web");
    assert_string_equal(look(&f), "+web");
    colony__directory_again(f.directory, "web");
    colony__directory_again(f.directory, "none");
    assert_string_equal(look(&f), "+web");
    assert_string_equal(look(&f), "");
    fixture_clear(&f);
}

TEST(test_a_directory_that_cannot_be_read_takes_nothing_away)
{
    char away[96];
    struct fixture f;

    fixture_init(&f);
    write_text(&f, "web", GOOD);
    age(&f, "web");
    assert_string_equal(look(&f), "+web");
    (void)snprintf(away, sizeof away, "%s.away", f.scratch.path);
    assert_int_equal(rename(f.scratch.path, away), 0);
    assert_string_equal(look(&f), "");
    assert_int_equal(f.batch->rc, -ENOENT);
    assert_true(f.batch->is_last);
    assert_int_equal(rename(away, f.scratch.path), 0);
    assert_string_equal(look(&f), "");
    assert_int_equal(f.batch->rc, 0);
    fixture_clear(&f);
}

TEST(test_many_files_come_in_batches_and_go_in_batches)
{
    enum { COUNT = COLONY__BATCH_MAX * 2 + 5 };
    struct fixture f;
    char name[16];
    size_t count = 0;
    unsigned batches = 0;

    fixture_init(&f);
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "p%u", i);
        write_text(&f, name, GOOD);
    }
    do {
        (void)look(&f);
        count += f.batch->count;
        batches++;
        assert_true(batches < 10);
    } while (!f.batch->is_last);
    assert_int_equal(count, COUNT);
    assert_int_equal(colony__directory_count(f.directory), COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "p%u", i);
        assert_int_equal(unlinkat(f.scratch.fd, name, 0), 0);
    }
    count = 0;
    do {
        (void)look(&f);
        count += f.batch->count;
    } while (!f.batch->is_last);
    assert_int_equal(count, COUNT);
    assert_int_equal(colony__directory_count(f.directory), 0);
    fixture_clear(&f);
}

TEST(test_large_files_fill_a_batch_by_their_bytes)
{
    enum { SIZE = 1000000, COUNT = 12 };
    char *text = malloc(SIZE + 1);
    struct fixture f;
    char name[16];

    fixture_init(&f);
    assert_non_null(text);
    memset(text, ' ', SIZE);
    text[SIZE] = '\0';
    memcpy(text, GOOD, strlen(GOOD));
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "p%u", i);
        write_text(&f, name, text);
    }
    (void)look(&f);
    assert_false(f.batch->is_last);
    assert_true(f.batch->count < COUNT);
    free(text);
    fixture_clear(&f);
}

TEST(test_names_that_others_leave_are_ignored)
{
    static const char *const ignored[] = {"a.new", ".a.swp", "a~", "#a#", ".#a", ".", ".."};
    static const char *const names[] = {"a", "new", ".new", "a#", "#a", "a.newer", "4913"};

    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        assert_true(colony__entry_is_ignored(ignored[i]));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(colony__entry_is_ignored(names[i]), names[i][0] == '.');
}

static void count_file(const char *name, void *data)
{
    unsigned *count = data;

    (void)name;
    (*count)++;
}

TEST(test_groups_are_walked)
{
    struct fixture f;
    unsigned count = 0;

    fixture_init(&f);
    write_text(&f, "a", "{\"args\": [\"x\"], \"group\": [\"g\", \"h\"]}");
    write_text(&f, "b", "{\"args\": [\"x\"], \"group\": [\"g\"]}");
    write_text(&f, "c", GOOD);
    (void)look(&f);
    assert_true(colony__directory_each(f.directory, "g", count_file, &count));
    assert_int_equal(count, 2);
    assert_true(colony__directory_each(f.directory, NULL, count_file, &count));
    assert_int_equal(count, 5);
    assert_false(colony__directory_each(f.directory, "none", count_file, &count));
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_changes_are_told),
        cmocka_unit_test(test_what_is_no_json_gets_one_more_look),
        cmocka_unit_test(test_a_file_that_was_good_is_not_gone_when_it_is_bad),
        cmocka_unit_test(test_what_is_asked_for_again_is_read_again),
        cmocka_unit_test(test_a_directory_that_cannot_be_read_takes_nothing_away),
        cmocka_unit_test(test_many_files_come_in_batches_and_go_in_batches),
        cmocka_unit_test(test_large_files_fill_a_batch_by_their_bytes),
        cmocka_unit_test(test_names_that_others_leave_are_ignored),
        cmocka_unit_test(test_groups_are_walked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
