/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>

#include "core/error.h"
#include "core/secret.h"

#include "../scratch.h"

struct fixture {
    struct scratch scratch;
    char path[PATH_MAX];
    char *text;
    size_t size;
    struct colony_error err;
};

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    scratch_init(&f->scratch);
    (void)snprintf(f->path, sizeof f->path, "%s/secret", f->scratch.path);
}

static void fixture_clear(struct fixture *f)
{
    colony_secret_free(f->text, f->size);
    scratch_clear(&f->scratch);
}

static void write_secret(const struct fixture *f, const char *text, size_t size, mode_t mode)
{
    int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
}

static int read_secret(struct fixture *f)
{
    return colony_secret_read(&f->text, &f->size, f->path, &f->err);
}

TEST(test_a_file_of_ones_own_is_read)
{
    struct fixture f;

    fixture_init(&f);
    write_secret(&f, "word\n", 5, 0600);
    assert_int_equal(read_secret(&f), 0);
    assert_int_equal(f.size, 5);
    assert_string_equal(f.text, "word\n");
    assert_int_equal(colony_secret_check(f.path, &f.err), 0);
    fixture_clear(&f);
}

TEST(test_its_group_may_read_it)
{
    struct fixture f;

    fixture_init(&f);
    write_secret(&f, "word", 4, 0640);
    assert_int_equal(read_secret(&f), 0);
    fixture_clear(&f);
}

TEST(test_what_others_can_read_or_change_is_refused)
{
    static const mode_t modes[] = {0604, 0602, 0601, 0620, 0666, 0644};
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        write_secret(&f, "word", 4, modes[i]);
        assert_int_equal(read_secret(&f), -EACCES);
        assert_int_equal(colony_secret_check(f.path, NULL), -EACCES);
        assert_non_null(strstr(f.err.message, "chmod 600"));
        assert_null(strstr(f.err.message, "word"));
    }
    fixture_clear(&f);
}

TEST(test_what_belongs_to_somebody_else_is_refused)
{
    struct fixture f;

    if (geteuid() != 0)
        skip_aloud("needs root");
    fixture_init(&f);
    write_secret(&f, "word", 4, 0600);
    assert_int_equal(chown(f.path, NOBODY, (gid_t)-1), 0);
    assert_int_equal(read_secret(&f), -EACCES);
    assert_non_null(strstr(f.err.message, "chown"));
    fixture_clear(&f);
}

TEST(test_what_is_no_regular_file_is_refused_without_waiting)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(mkfifo(f.path, 0600), 0);
    assert_int_equal(read_secret(&f), -EACCES);
    assert_int_equal(unlink(f.path), 0);
    assert_int_equal(mkdir(f.path, 0700), 0);
    assert_int_equal(read_secret(&f), -EACCES);
    fixture_clear(&f);
}

TEST(test_what_is_missing_too_large_or_binary_is_told)
{
    char *large = calloc(1, COLONY_SECRET_BYTES_MAX + 1);
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(read_secret(&f), -ENOENT);
    assert_non_null(large);
    memset(large, 'x', COLONY_SECRET_BYTES_MAX + 1);
    write_secret(&f, large, COLONY_SECRET_BYTES_MAX + 1, 0600);
    assert_int_equal(read_secret(&f), -EFBIG);
    write_secret(&f, "a\0b", 3, 0600);
    assert_int_equal(read_secret(&f), -EINVAL);
    write_secret(&f, large, COLONY_SECRET_BYTES_MAX, 0600);
    assert_int_equal(read_secret(&f), 0);
    assert_int_equal(f.size, COLONY_SECRET_BYTES_MAX);
    free(large);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_of_ones_own_is_read),
        cmocka_unit_test(test_its_group_may_read_it),
        cmocka_unit_test(test_what_others_can_read_or_change_is_refused),
        cmocka_unit_test(test_what_belongs_to_somebody_else_is_refused),
        cmocka_unit_test(test_what_is_no_regular_file_is_refused_without_waiting),
        cmocka_unit_test(test_what_is_missing_too_large_or_binary_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
