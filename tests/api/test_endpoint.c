/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/endpoint.h"
#include "core/error.h"
#include "core/passed.h"
#include "core/settings.h"

#include "../test.h"

static const struct colony_http_settings closed_settings;
static const struct colony_http_settings insecure = {.insecure = true};

/* A folder for one test, and what listening there gave. */
struct fixture {
    char folder[64];
    char bind[4096];
    char name[4200];
    int fd;
    bool is_tls;
    struct colony_passed *passed;
    struct colony_error err;
};

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/colony-endpoint-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->fd = -1;
}

static void fixture_clear(struct fixture *f)
{
    char command[128];

    if (f->fd >= 0)
        (void)close(f->fd);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
}

static int listen_on(struct fixture *f, const char *bind,
                     const struct colony_http_settings *settings)
{
    const struct colony_endpoint endpoint = {
        .bind = bind, .passed = f->passed, .tls = f->is_tls ? 3 : COLONY_ENDPOINT_PLAIN};

    return colony_endpoint_listen(&f->fd, f->name, sizeof f->name, &endpoint, settings, &f->err);
}

static int listen_unix(struct fixture *f, const char *path)
{
    (void)snprintf(f->bind, sizeof f->bind, "unix:%s/%s", f->folder, path);
    return listen_on(f, f->bind, &closed_settings);
}

static mode_t mode_of(const struct fixture *f, const char *path)
{
    char full[4200];
    struct stat info;

    (void)snprintf(full, sizeof full, "%s/%s", f->folder, path);
    assert_int_equal(lstat(full, &info), 0);
    return info.st_mode & 07777;
}

TEST(test_a_free_port_is_found_and_named)
{
    struct fixture f;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    char expected[64];

    fixture_init(&f);
    assert_int_equal(listen_on(&f, "127.0.0.1:0", &closed_settings), 0);
    assert_int_equal(getsockname(f.fd, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(expected, sizeof expected, "http:127.0.0.1:%u", ntohs(address.sin_port));
    assert_string_equal(f.name, expected);
    assert_true(fcntl(f.fd, F_GETFD) & FD_CLOEXEC);
    fixture_clear(&f);
}

TEST(test_beyond_this_machine_it_takes_tls_and_tokens)
{
    const struct colony_http_settings tokens = {.tokens = (char *)"f"};
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(listen_on(&f, "0.0.0.0:0", &tokens), -EACCES);
    f.is_tls = true;
    assert_int_equal(listen_on(&f, "0.0.0.0:0", &closed_settings), -EACCES);
    assert_int_equal(listen_on(&f, "0.0.0.0:0", &tokens), 0);
    assert_memory_equal(f.name, "https:3:0.0.0.0:", strlen("https:3:0.0.0.0:"));
    fixture_clear(&f);
}

TEST(test_localhost_is_127_0_0_1)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(listen_on(&f, "localhost:0", &closed_settings), 0);
    assert_memory_equal(f.name, "http:127.0.0.1:", strlen("http:127.0.0.1:"));
    fixture_clear(&f);
}

TEST(test_a_port_in_use_is_told_with_a_hint)
{
    struct fixture f;
    struct fixture other;
    char expected[5000];

    fixture_init(&f);
    fixture_init(&other);
    assert_int_equal(listen_on(&f, "127.0.0.1:0", &closed_settings), 0);
    assert_int_equal(listen_on(&other, f.name + strlen("http:"), &closed_settings), -EADDRINUSE);
    (void)snprintf(expected, sizeof expected, "cannot listen on %s: Address already in use",
                   f.name + strlen("http:"));
    assert_memory_equal(other.err.message, expected, strlen(expected));
    fixture_clear(&other);
    fixture_clear(&f);
}

TEST(test_beyond_this_machine_needs_insecure)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(listen_on(&f, "0.0.0.0:0", &closed_settings), -EACCES);
    assert_non_null(strstr(f.err.message, "`insecure: true`"));
    assert_non_null(strstr(f.err.message, "TLS"));
    assert_int_equal(listen_on(&f, "0.0.0.0:0", &insecure), 0);
    fixture_clear(&f);
}

TEST(test_a_wildcard_of_ipv6_takes_ipv4_too)
{
    struct fixture f;
    struct sockaddr_in6 bound;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof bound;
    int client;

    fixture_init(&f);
    if (listen_on(&f, "[::]:0", &insecure) < 0) {
        fixture_clear(&f);
        print_message("skipped: there is no IPv6 here\n");
        skip();
    }
    assert_int_equal(getsockname(f.fd, (struct sockaddr *)&bound, &size), 0);
    address.sin_port = bound.sin6_port;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    (void)close(client);
    fixture_clear(&f);
}

TEST(test_a_socket_gets_mode_0660_and_its_folder_0751)
{
    struct fixture f;
    mode_t old_mask = umask(0077);

    fixture_init(&f);
    assert_int_equal(listen_unix(&f, "run/c.sock"), 0);
    (void)umask(old_mask);
    assert_int_equal(mode_of(&f, "run"), 0751);
    assert_int_equal(mode_of(&f, "run/c.sock"), 0660);
    assert_memory_equal(f.name, "http:unix:/", strlen("http:unix:/"));
    fixture_clear(&f);
}

TEST(test_a_socket_for_allowed_users_lets_all_connect)
{
    char *allow[] = {"nobody", NULL};
    struct colony_http_settings settings = {.allow = allow};
    struct fixture f;

    fixture_init(&f);
    (void)snprintf(f.bind, sizeof f.bind, "unix:%s/c.sock", f.folder);
    assert_int_equal(listen_on(&f, f.bind, &settings), 0);
    assert_int_equal(mode_of(&f, "c.sock"), 0666);
    fixture_clear(&f);
}

TEST(test_only_the_last_folder_is_made)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(listen_unix(&f, "a/b/c.sock"), -ENOENT);
    fixture_clear(&f);
}

TEST(test_a_stale_socket_is_replaced)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(listen_unix(&f, "c.sock"), 0);
    (void)close(f.fd); /* the file stays */
    assert_int_equal(listen_unix(&f, "c.sock"), 0);
    fixture_clear(&f);
}

TEST(test_a_live_socket_is_in_use)
{
    struct fixture f;
    int first;

    fixture_init(&f);
    assert_int_equal(listen_unix(&f, "c.sock"), 0);
    first = f.fd;
    assert_int_equal(listen_unix(&f, "c.sock"), -EADDRINUSE);
    assert_non_null(strstr(f.err.message, "Address already in use"));
    (void)close(first);
    f.fd = -1;
    fixture_clear(&f);
}

TEST(test_what_is_no_socket_is_left_alone)
{
    struct fixture f;
    char path[128];
    int fd;

    fixture_init(&f);
    (void)snprintf(path, sizeof path, "%s/c.sock", f.folder);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(listen_unix(&f, "c.sock"), -EEXIST);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/tmp", path), 0);
    assert_int_equal(listen_unix(&f, "c.sock"), -EEXIST);
    fixture_clear(&f);
}

TEST(test_a_path_that_does_not_fit_is_bound_all_the_same)
{
    struct fixture f;
    char folder[256];
    char path[512];

    fixture_init(&f);
    (void)snprintf(folder, sizeof folder, "%s/%0150d", f.folder, 1);
    assert_int_equal(mkdir(folder, 0700), 0);
    (void)snprintf(path, sizeof path, "%0150d/c.sock", 1);
    assert_int_equal(listen_unix(&f, path), 0);
    assert_int_equal(mode_of(&f, path), 0660);
    (void)close(f.fd);
    f.fd = -1;
    (void)snprintf(path, sizeof path, "%0150d", 2); /* the name itself is too long */
    assert_int_equal(listen_unix(&f, path), -ENAMETOOLONG);
    fixture_clear(&f);
}

/* As a service manager would, with an owner and mode of its own. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

TEST(test_a_socket_that_was_passed_is_taken_as_it_is)
{
    struct colony_passed passed = {.count = 2};
    struct fixture f;
    char paths[2][128];

    fixture_init(&f);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s/%d.sock", f.folder, i);
        passed.fds[i] = listen_at(paths[i]);
    }
    f.passed = &passed;
    assert_int_equal(listen_unix(&f, "1.sock"), 0);
    assert_int_equal(f.fd, passed.fds[1]);
    assert_true(colony_passed_has(&passed, f.fd));
    assert_false(colony_passed_has(&passed, passed.fds[0]));
    assert_int_equal(mode_of(&f, "1.sock"), 0600);
    f.fd = -1;
    assert_int_equal(listen_unix(&f, "1.sock"), -EADDRINUSE); /* it is used but once */
    assert_int_equal(listen_unix(&f, "2.sock"), 0);           /* nobody passed that one */
    assert_false(colony_passed_has(&passed, f.fd));
    (void)close(passed.fds[0]);
    (void)close(passed.fds[1]);
    fixture_clear(&f);
}

TEST(test_a_port_that_was_passed_is_found_by_its_address)
{
    struct colony_passed passed = {.count = 1};
    struct fixture f;
    char bind[64];

    fixture_init(&f);
    assert_int_equal(listen_on(&f, "127.0.0.1:0", &closed_settings), 0);
    (void)snprintf(bind, sizeof bind, "%.40s", f.name + strlen(COLONY_ENDPOINT_PREFIX));
    passed.fds[0] = f.fd;
    f.passed = &passed;
    f.fd = -1;
    assert_int_equal(listen_on(&f, bind, &closed_settings), 0);
    assert_int_equal(f.fd, passed.fds[0]);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_free_port_is_found_and_named),
        cmocka_unit_test(test_beyond_this_machine_it_takes_tls_and_tokens),
        cmocka_unit_test(test_localhost_is_127_0_0_1),
        cmocka_unit_test(test_a_port_in_use_is_told_with_a_hint),
        cmocka_unit_test(test_beyond_this_machine_needs_insecure),
        cmocka_unit_test(test_a_wildcard_of_ipv6_takes_ipv4_too),
        cmocka_unit_test(test_a_socket_gets_mode_0660_and_its_folder_0751),
        cmocka_unit_test(test_a_socket_for_allowed_users_lets_all_connect),
        cmocka_unit_test(test_only_the_last_folder_is_made),
        cmocka_unit_test(test_a_stale_socket_is_replaced),
        cmocka_unit_test(test_a_live_socket_is_in_use),
        cmocka_unit_test(test_what_is_no_socket_is_left_alone),
        cmocka_unit_test(test_a_path_that_does_not_fit_is_bound_all_the_same),
        cmocka_unit_test(test_a_socket_that_was_passed_is_taken_as_it_is),
        cmocka_unit_test(test_a_port_that_was_passed_is_found_by_its_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
