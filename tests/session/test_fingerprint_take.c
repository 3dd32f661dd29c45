/* SPDX-License-Identifier: Apache-2.0 */
/* Fingerprints of living processes: taken, and found again by. */
#include "fingerprints.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/table.h"

static void take(struct colony_fingerprint *out, pid_t pid)
{
    struct colony_error err = {0};

    if (colony_fingerprint_take(out, pid, NULL, &err) < 0)
        fail_msg("%s", err.message);
}

/* A socket bound to a free port of @ip, and what a fingerprint says of it. */
static int bind_socket(int family, int type, const char *ip, char *text, size_t size)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr *address =
        family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
    socklen_t length = family == AF_INET ? sizeof four : sizeof six;
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    assert_int_equal(
        inet_pton(family, ip, family == AF_INET ? (void *)&four.sin_addr : (void *)&six.sin6_addr),
        1);
    if (bind(fd, address, length) < 0) {
        (void)close(fd);
        return -1;
    }
    assert_int_equal(getsockname(fd, address, &length), 0);
    (void)snprintf(text, size, "%s:%u", ip,
                   ntohs(family == AF_INET ? four.sin_port : six.sin6_port));
    return fd;
}

TEST(test_it_has_files_and_sockets_of_a_process)
{
    struct colony_fingerprint out = {0};
    struct sockaddr_in to = {.sin_family = AF_INET};
    socklen_t length = sizeof to;
    struct scratch scratch;
    size_t inherited;
    char path[128];
    char listen_text[64];
    char udp_text[64];
    char six_text[64] = "";
    char local_text[64];
    int file;
    int gone;
    int listener = bind_socket(AF_INET, SOCK_STREAM, "127.0.0.1", listen_text, sizeof listen_text);
    int udp = bind_socket(AF_INET, SOCK_DGRAM, "127.0.0.1", udp_text, sizeof udp_text);
    int six = bind_socket(AF_INET6, SOCK_STREAM, "::1", six_text, sizeof six_text);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int twice = dup(listener);

    take(&out, getpid());
    inherited = out.fields[FIELD_FILES].count;
    colony_fingerprint_clear(&out);
    scratch_init(&scratch);
    (void)snprintf(path, sizeof path, "%s/data", scratch.path);
    file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    gone = openat(scratch.fd, "gone", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(unlinkat(scratch.fd, "gone", 0), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_true(six < 0 || listen(six, 1) == 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &length), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), 0);
    (void)snprintf(local_text, sizeof local_text, "127.0.0.1:%u", ntohs(to.sin_port));
    take(&out, getpid());
    assert_true(has(&out, FIELD_FILES, path));
    /* neither folders nor what is unlinked; who runs the tests may leave us files of its own */
    assert_int_equal(out.fields[FIELD_FILES].count, inherited + 1);
    assert_true(has(&out, FIELD_LISTEN, listen_text));
    assert_int_equal(out.fields[FIELD_LISTEN].count,
                     six < 0 ? 1 : 2); /* once, for both of its fds */
    assert_true(six < 0 || has(&out, FIELD_LISTEN, six_text));
    assert_true(has(&out, FIELD_UDP, udp_text));
    assert_true(has(&out, FIELD_ESTABLISHED, local_text));
    assert_true(out.fields[FIELD_CMDLINE].count >= 1);
    colony_fingerprint_clear(&out);
    (void)close(listener), (void)close(udp), (void)close(client), (void)close(twice);
    (void)close(file), (void)close(gone);
    if (six >= 0)
        (void)close(six);
    scratch_clear(&scratch);
}

TEST(test_addresses_are_written_as_people_do)
{
    static const struct {
        const char *line;
        uint8_t family;
        bool is_udp;
        const char *text; /* NULL: does not count */
    } cases[] = {
        {" 0: 0100007F:1538 00000000:0000 0A 0:0 0:0 0 0 0 77 1\n", AF_INET, false,
         "127.0.0.1:5432"},
        {" 1: 0100007F:1538 0200007F:0050 01 0:0 0:0 0 0 0 77 1\n", AF_INET, false, "127.0.0.2:80"},
        {" 2: 0100007F:1538 0200007F:0050 06 0:0 0:0 0 0 0 0 1\n", AF_INET, false, NULL},
        {" 3: 0100007F:1538 0200007F:0050 08 0:0 0:0 0 0 0 77 1\n", AF_INET, false, NULL},
        {" 4: 00000000:0035 00000000:0000 07 0:0 0:0 0 0 0 77 1\n", AF_INET, true, "0.0.0.0:53"},
        {" 5: 00000000000000000000000001000000:141F 0:0 0A 0:0 0:0 0 0 0 77 1\n", AF_INET6, false,
         "::1:5151"},
        {" 6: 0:0 0000000000000000FFFF00000100007F:141F 01 0:0 0:0 0 0 0 77 1\n", AF_INET6, false,
         "127.0.0.1:5151"},
        {" sl local_address rem_address st tx rx tr tm re uid timeout inode\n", AF_INET, false,
         NULL},
        {" 7: XX00007F:1538 00000000:0000 0A 0:0 0:0 0 0 0 77 1\n", AF_INET, false, NULL},
        {" 8: 0100007F:1538\n", AF_INET, false, NULL},
        {"", AF_INET, false, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct colony__socket socket;
        char text[COLONY__ADDRESS_SIZE];
        char *line = strdup(cases[i].line);
        bool counts = colony__socket_parse(&socket, line, cases[i].is_udp, cases[i].family);

        free(line);
        assert_int_equal(counts, cases[i].text != NULL);
        if (!counts)
            continue;
        assert_int_equal(socket.inode, 77);
        colony__socket_format(text, &socket);
        assert_string_equal(text, cases[i].text);
    }
}

/* A child that sleeps under a name that no other process has. */
static pid_t start_sleeper(const char *word, const char *mark)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (mark)
            (void)setenv("COLONY_ID", mark, 1);
        (void)execlp("sleep", word, "1000", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static bool runs_as(pid_t pid, const char *word)
{
    struct colony_fingerprint out = {0};
    bool is = colony_fingerprint_take(&out, pid, NULL, NULL) == 0 && has(&out, FIELD_CMDLINE, word);

    colony_fingerprint_clear(&out);
    return is;
}

static void end_child(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)wait_for_child(pid);
}

/* Among all that live now, but @taken (0: nobody). */
static pid_t find_now(const struct colony_fingerprint *saved, pid_t taken, const char *mark)
{
    struct colony_process_index *index;
    pid_t pid;

    assert_int_equal(colony_process_index_new(&index, NULL), 0);
    if (taken)
        colony_process_index_take(index, taken);
    pid = colony_process_index_find(index, saved, mark);
    if (pid)
        assert_int_not_equal(colony_process_index_find(index, saved, mark), pid);
    colony_process_index_free(index);
    return pid;
}

TEST(test_a_process_is_found_by_its_fingerprint)
{
    char word[32];
    struct colony_fingerprint saved = {0};
    pid_t pid;

    (void)snprintf(word, sizeof word, "sleeper-%d", (int)getpid());
    pid = start_sleeper(word, NULL);
    EVENTUALLY(runs_as(pid, word));
    take(&saved, pid);
    assert_int_equal(find_now(&saved, 0, NULL), pid);
    assert_int_equal(find_now(&saved, pid, NULL), 0);
    end_child(pid);
    assert_int_equal(find_now(&saved, 0, NULL), 0);
    colony_fingerprint_clear(&saved);
    assert_int_equal(find_now(&saved, 0, NULL), 0);
}

TEST(test_a_process_with_the_mark_of_another_session_is_not_found)
{
    const char *mark = "0123456789abcdef/red-fox/1";
    char word[32];
    struct colony_fingerprint saved = {0};
    pid_t theirs;
    pid_t ours;

    (void)snprintf(word, sizeof word, "marked-%d", (int)getpid());
    theirs = start_sleeper(word, "fedcba9876543210/red-fox/1");
    EVENTUALLY(runs_as(theirs, word));
    take(&saved, theirs);
    assert_int_equal(find_now(&saved, 0, mark), 0);
    ours = start_sleeper(word, mark);
    EVENTUALLY(runs_as(ours, word));
    assert_int_equal(find_now(&saved, 0, mark), ours);
    end_child(ours);
    end_child(theirs);
    colony_fingerprint_clear(&saved);
}

TEST(test_the_standard_streams_are_left_out)
{
    struct scratch scratch;
    struct colony_fingerprint out = {0};
    char path[128];
    pid_t pid;

    scratch_init(&scratch);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = openat(scratch.fd, "out", O_CREAT | O_WRONLY, 0600);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(fd, 1), (void)dup2(fd, 2);
        (void)execlp("sleep", "outputs", "1000", (char *)NULL); /* fd itself stays open, too */
        _exit(127);
    }
    EVENTUALLY(runs_as(pid, "outputs"));
    take(&out, pid);
    (void)snprintf(path, sizeof path, "%s/out", scratch.path);
    assert_false(has(&out, FIELD_FILES, path));
    colony_fingerprint_clear(&out);
    end_child(pid);
    scratch_clear(&scratch);
}

static int try_to_take(pid_t pid, struct colony_error *err)
{
    struct colony_fingerprint out = {0};
    int rc = colony_fingerprint_take(&out, pid, NULL, err);

    colony_fingerprint_clear(&out);
    return rc;
}

TEST(test_a_process_that_has_ended_is_told)
{
    struct colony_error err = {0};
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    EVENTUALLY(try_to_take(pid, &err) == -ESRCH); /* not reaped */
    assert_non_null(strstr(err.message, "it has ended"));
    (void)wait_for_child(pid);
    assert_int_equal(try_to_take(pid, &err), -ESRCH);
}

FORKED_TEST(test_a_process_of_somebody_else_is_told)
{
    struct colony_fingerprint out = {0};
    struct colony_error err = {0};

    if (geteuid() != 0)
        skip_in_child("takes root");
    drop_rights();
    CHECK(colony_fingerprint_take(&out, 1, NULL, &err) == -EACCES);
    CHECK(strstr(err.message, "it is not ours"));
}

TEST(test_one_table_of_sockets_does_for_many)
{
    struct colony_socket_table *table = NULL;
    struct colony_fingerprint out = {0};
    char text[64];
    int fd = bind_socket(AF_INET, SOCK_DGRAM, "127.0.0.1", text, sizeof text);

    assert_int_equal(colony_socket_table_read(&table, getpid(), NULL), 0);
    assert_int_equal(colony_fingerprint_take(&out, getpid(), table, NULL), 0);
    assert_true(has(&out, FIELD_UDP, text));
    colony_fingerprint_clear(&out);
    colony_socket_table_free(table);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_has_files_and_sockets_of_a_process),
        cmocka_unit_test(test_addresses_are_written_as_people_do),
        cmocka_unit_test(test_a_process_is_found_by_its_fingerprint),
        cmocka_unit_test(test_a_process_with_the_mark_of_another_session_is_not_found),
        cmocka_unit_test(test_the_standard_streams_are_left_out),
        cmocka_unit_test(test_a_process_that_has_ended_is_told),
        cmocka_unit_test(test_a_process_of_somebody_else_is_told),
        cmocka_unit_test(test_one_table_of_sockets_does_for_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
