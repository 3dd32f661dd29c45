/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/notify.h"

struct fixture {
    struct scratch scratch;
    int folder;
};

static void fixture_init(struct fixture *f)
{
    scratch_init(&f->scratch);
    f->folder = colony_notify_open_folder(f->scratch.fd);
    assert_true(f->folder >= 0);
}

static void fixture_clear(struct fixture *f)
{
    (void)close(f->folder);
    scratch_clear(&f->scratch);
}

/* The slot's path as a process gets it. */
static const char *path_of(const struct fixture *f, const char *name, uint32_t slot)
{
    static char path[COLONY_NOTIFY_PATH_SIZE];

    assert_int_equal(colony_notify_path(path, sizeof path, f->scratch.path, name, slot), 0);
    return path;
}

static int send_to(const char *path, const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = 0;

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (sendto(fd, text, strlen(text), 0, (const struct sockaddr *)&address, sizeof address) < 0)
        rc = -errno;
    (void)close(fd);
    return rc;
}

static struct stat stat_of(const char *path)
{
    struct stat info;

    assert_int_equal(lstat(path, &info), 0);
    return info;
}

TEST(test_the_path_is_a_hash_of_name_and_slot)
{
    char path[COLONY_NOTIFY_PATH_SIZE];

    /* FNV-1a 64 of "web/1", by another implementation */
    assert_int_equal(colony_notify_path(path, sizeof path, "/s", "web", 1), 0);
    assert_string_equal(path, "/s/notify/66764e2e09617bb1");
    assert_int_equal(colony_notify_path(path, sizeof path, "/s", "a", 4294967295U), 0);
    assert_string_equal(path, "/s/notify/8f318c378aa8d44e");
}

TEST(test_a_path_that_no_process_can_reach_is_too_long)
{
    char folder[128] = "/";
    char path[256];
    const size_t longest = COLONY_NOTIFY_PATH_SIZE - 1 - strlen("/notify/0123456789abcdef");

    memset(folder + 1, 'x', longest - 1);
    assert_int_equal(colony_notify_path(path, sizeof path, folder, "web", 1), 0);
    assert_int_equal(strlen(path), COLONY_NOTIFY_PATH_SIZE - 1);
    assert_int_equal(colony_notify_path(path, COLONY_NOTIFY_PATH_SIZE - 1, folder, "web", 1),
                     -ENAMETOOLONG);
    folder[longest] = 'x';
    assert_int_equal(colony_notify_path(path, sizeof path, folder, "web", 1), -ENAMETOOLONG);
}

TEST(test_what_is_sent_to_the_path_comes_with_its_sender)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    char text[32] = "";
    struct iovec part = {text, sizeof text - 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct ucred sender = {0};
    struct fixture f;
    int fd;

    fixture_init(&f);
    fd = colony_notify_bind(f.folder, "web", 1);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(send_to(path_of(&f, "web", 1), "READY=1"), 0);
    assert_int_equal(recvmsg(fd, &message, 0), 7);
    assert_string_equal(text, "READY=1");
    assert_non_null(CMSG_FIRSTHDR(&message));
    memcpy(&sender, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof sender);
    assert_int_equal(sender.pid, getpid());
    assert_int_equal(sender.uid, getuid());
    assert_int_equal(send_to(path_of(&f, "web", 2), "READY=1"), -ENOENT); /* another slot's */
    (void)close(fd);
    fixture_clear(&f);
}

TEST(test_whatever_the_umask_only_the_owner_may_send)
{
    struct fixture f;
    mode_t before = umask(0);
    int fd;

    fixture_init(&f);
    fd = colony_notify_bind(f.folder, "web", 1);
    assert_int_equal(stat_of(path_of(&f, "web", 1)).st_mode, S_IFSOCK | 0600);
    (void)close(fd);
    (void)umask(0077);
    assert_int_equal(close(f.folder), 0);
    f.folder = colony_notify_open_folder(f.scratch.fd);
    {
        struct stat info;

        assert_int_equal(fstat(f.folder, &info), 0);
        assert_int_equal(info.st_mode, S_IFDIR | 0711);
    }
    (void)umask(before);
    fixture_clear(&f);
}

TEST(test_a_socket_takes_the_place_of_what_is_left_of_another)
{
    struct fixture f;
    char text[8] = "";
    int old;
    int fd;

    fixture_init(&f);
    old = colony_notify_bind(f.folder, "web", 1);
    fd = colony_notify_bind(f.folder, "web", 1);
    assert_true(old >= 0 && fd >= 0);
    assert_int_equal(send_to(path_of(&f, "web", 1), "new"), 0);
    assert_int_equal(recv(old, text, sizeof text, 0), -1);
    assert_int_equal(recv(fd, text, sizeof text, 0), 3);
    (void)close(old);
    (void)close(fd);
    fixture_clear(&f);
}

TEST(test_it_is_given_away_and_told_whose_it_is)
{
    struct fixture f;
    uid_t uid = 1;
    int fd;

    fixture_init(&f);
    assert_int_equal(colony_notify_give(f.folder, "web", 1, geteuid()), -ENOENT);
    assert_int_equal(colony_notify_owner(f.folder, "web", 1, &uid), -ENOENT);
    fd = colony_notify_bind(f.folder, "web", 1);
    assert_int_equal(colony_notify_owner(f.folder, "web", 1, &uid), 0);
    assert_int_equal(uid, geteuid());
    uid = geteuid() == 0 ? NOBODY : geteuid();
    assert_int_equal(colony_notify_give(f.folder, "web", 1, uid), 0);
    assert_int_equal(stat_of(path_of(&f, "web", 1)).st_uid, uid);
    colony_notify_remove(f.folder, "web", 1);
    assert_int_equal(access(path_of(&f, "web", 1), F_OK), -1);
    (void)close(fd);
    fixture_clear(&f);
}

/* A link where the socket should be must not make root give away what it points to. */
TEST(test_a_link_is_not_followed)
{
    struct fixture f;
    struct stat info;

    fixture_init(&f);
    assert_int_equal(symlinkat("../precious", f.folder, strrchr(path_of(&f, "web", 1), '/') + 1),
                     0);
    (void)close(openat(f.scratch.fd, "precious", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    (void)colony_notify_give(f.folder, "web", 1, geteuid() == 0 ? NOBODY : geteuid());
    assert_int_equal(fstatat(f.scratch.fd, "precious", &info, 0), 0);
    assert_int_equal(info.st_uid, geteuid());
    (void)close(colony_notify_bind(f.folder, "web", 1));
    assert_int_equal(fstatat(f.scratch.fd, "precious", &info, 0), 0);
    assert_true(S_ISREG(info.st_mode));
    assert_true(S_ISSOCK(stat_of(path_of(&f, "web", 1)).st_mode));
    fixture_clear(&f);
}

TEST(test_a_folder_that_is_a_link_is_refused)
{
    struct scratch scratch;

    scratch_init(&scratch);
    assert_int_equal(symlinkat("/tmp", scratch.fd, "notify"), 0);
    assert_int_equal(colony_notify_open_folder(scratch.fd), -ENOTDIR);
    colony_notify_remove_folder(scratch.fd); /* nothing of it */
    assert_int_equal(faccessat(scratch.fd, "notify", F_OK, AT_SYMLINK_NOFOLLOW), 0);
    scratch_clear(&scratch);
}

TEST(test_a_colony_that_ends_leaves_nothing)
{
    unsigned fds = count_fds();
    struct fixture f;

    fixture_init(&f);
    for (uint32_t slot = 1; slot <= 5; slot++)
        (void)close(colony_notify_bind(f.folder, "web", slot));
    colony_notify_remove_folder(f.scratch.fd);
    assert_int_equal(faccessat(f.scratch.fd, "notify", F_OK, 0), -1);
    colony_notify_remove_folder(f.scratch.fd); /* nor does a second time harm */
    fixture_clear(&f);
    assert_int_equal(count_fds(), fds);
}

TEST(test_such_a_socket_is_told_from_others)
{
    struct fixture f;
    int pair[2];
    int fd;

    fixture_init(&f);
    fd = colony_notify_bind(f.folder, "web", 1);
    assert_true(colony_notify_is_socket(fd));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_false(colony_notify_is_socket(pair[0]));
    assert_false(colony_notify_is_socket(f.folder));
    assert_false(colony_notify_is_socket(-1));
    for (int i = 0; i < 2; i++)
        (void)close(pair[i]);
    (void)close(fd);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* as syslog(3) has one */
    assert_false(colony_notify_is_socket(fd));
    (void)close(fd);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_path_is_a_hash_of_name_and_slot),
        cmocka_unit_test(test_a_path_that_no_process_can_reach_is_too_long),
        cmocka_unit_test(test_what_is_sent_to_the_path_comes_with_its_sender),
        cmocka_unit_test(test_whatever_the_umask_only_the_owner_may_send),
        cmocka_unit_test(test_a_socket_takes_the_place_of_what_is_left_of_another),
        cmocka_unit_test(test_it_is_given_away_and_told_whose_it_is),
        cmocka_unit_test(test_a_link_is_not_followed),
        cmocka_unit_test(test_a_folder_that_is_a_link_is_refused),
        cmocka_unit_test(test_a_colony_that_ends_leaves_nothing),
        cmocka_unit_test(test_such_a_socket_is_told_from_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
