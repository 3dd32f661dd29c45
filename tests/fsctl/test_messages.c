/* SPDX-License-Identifier: Apache-2.0 */
/* test_messages.c - the directory of messages: what is read, acted on and put away. */
#include "../scratch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsctl/messages_internal.h"
#include "fsctl/places.h"

static const char all[] = "{\"type\": \"RESTART-ALL\"}";

struct folder {
    struct scratch scratch;
    struct colony__messages *messages;
    struct colony__post *post;
};

static void set_up(struct folder *folder)
{
    scratch_init(&folder->scratch);
    assert_int_equal(colony__messages_new(&folder->messages, folder->scratch.path), 0);
    folder->post = calloc(1, sizeof *folder->post);
    assert_non_null(folder->post);
}

static void tear_down(struct folder *folder)
{
    colony__post_clear(folder->post);
    free(folder->post);
    colony__messages_free(folder->messages);
    scratch_clear(&folder->scratch);
}

static void read_all(struct folder *folder)
{
    colony__post_clear(folder->post);
    colony__messages_list(folder->messages, folder->post);
    colony__messages_read(folder->messages, folder->post);
}

TEST(test_one_that_was_acted_on_is_deleted)
{
    struct folder folder;

    set_up(&folder);
    assert_int_equal(colony_places_send(folder.scratch.path, all, NULL), 0);
    read_all(&folder);
    assert_int_equal(folder.post->count, 1);
    assert_false(folder.post->letters[0].is_pending);
    colony__messages_put_away(folder.messages, folder.post);
    assert_false(folder.post->has_pending);
    read_all(&folder);
    assert_int_equal(folder.post->count, 0);
    tear_down(&folder);
}

TEST(test_one_that_was_acted_on_is_not_again_when_it_cannot_be_deleted_for_a_moment)
{
    struct folder folder;
    struct rlimit had;
    struct rlimit none;

    set_up(&folder);
    assert_int_equal(colony_places_send(folder.scratch.path, all, NULL), 0);
    read_all(&folder);
    assert_int_equal(folder.post->count, 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &had), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = had.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    colony__messages_put_away(folder.messages, folder.post);
    assert_int_equal(folder.post->rc, -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &had), 0);
    read_all(&folder);
    assert_int_equal(folder.post->count, 0);
    assert_int_equal(rmdir(folder.scratch.path), 0); /* it was deleted now */
    assert_int_equal(mkdir(folder.scratch.path, 0700), 0);
    tear_down(&folder);
}

/* As a link does it, of which nobody is told. */
static void change(const struct folder *folder, const char *name)
{
    struct stat before;
    struct stat after;

    assert_int_equal(fstatat(folder->scratch.fd, name, &before, 0), 0);
    do { /* until the clock of the file system has gone on */
        assert_int_equal(linkat(folder->scratch.fd, name, folder->scratch.fd, "other.new", 0), 0);
        assert_int_equal(unlinkat(folder->scratch.fd, "other.new", 0), 0);
        assert_int_equal(fstatat(folder->scratch.fd, name, &after, 0), 0);
    } while (before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
             before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

TEST(test_one_that_changes_while_it_is_acted_on_stays_and_is_looked_at_soon)
{
    struct folder folder;
    char name[COLONY__FILE_NAME_SIZE];

    set_up(&folder);
    assert_int_equal(colony_places_send(folder.scratch.path, all, NULL), 0);
    read_all(&folder);
    (void)snprintf(name, sizeof name, "%s", folder.post->letters[0].name);
    change(&folder, name);
    colony__messages_put_away(folder.messages, folder.post);
    assert_true(folder.post->has_pending);
    assert_int_equal(faccessat(folder.scratch.fd, name, F_OK, 0), 0);
    read_all(&folder);
    assert_int_equal(folder.post->count, 1);
    colony__messages_put_away(folder.messages, folder.post);
    assert_false(folder.post->has_pending);
    tear_down(&folder);
}

/* It comes whole and in one step: what is done to it after that would be a change. */
TEST(test_one_that_is_sent_is_there_at_once_as_it_stays)
{
    _Alignas(struct inotify_event) char buffer[4096];
    struct folder folder;
    bool was_moved = false;
    ssize_t size;
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    set_up(&folder);
    assert_true(inotify_add_watch(watch, folder.scratch.path, IN_CREATE | IN_MOVED_TO) >= 0);
    assert_int_equal(colony_places_send(folder.scratch.path, all, NULL), 0);
    size = read(watch, buffer, sizeof buffer);
    for (const char *at = buffer; at < buffer + size;) {
        const struct inotify_event *event = (const struct inotify_event *)(const void *)at;

        if (!colony__entry_is_ignored(event->name)) {
            assert_true(event->mask & IN_MOVED_TO);
            was_moved = true;
        }
        at += sizeof *event + event->len;
    }
    assert_true(was_moved);
    (void)close(watch);
    tear_down(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_was_acted_on_is_deleted),
        cmocka_unit_test(
            test_one_that_was_acted_on_is_not_again_when_it_cannot_be_deleted_for_a_moment),
        cmocka_unit_test(test_one_that_changes_while_it_is_acted_on_stays_and_is_looked_at_soon),
        cmocka_unit_test(test_one_that_is_sent_is_there_at_once_as_it_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
