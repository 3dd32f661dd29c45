/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/error.h"
#include "core/table.h"
#include "session/fingerprint_internal.h"
#include "session/workspace.h"

/* --- helpers ---------------------------------------------------------------------------------- */

static struct colony_fingerprint parse(const char *text)
{
    struct colony_fingerprint out = {0};
    struct colony_error err = {0};

    if (colony__fingerprint_parse(&out, text, strlen(text), "x.yaml", &err) < 0)
        fail_msg("%s: %s", text, err.message);
    return out;
}

static double score(const char *saved_text, const char *live_text)
{
    struct colony_fingerprint saved = parse(saved_text);
    struct colony_fingerprint live = parse(live_text);
    double out = colony_fingerprint_score(&saved, &live);

    colony_fingerprint_clear(&saved);
    colony_fingerprint_clear(&live);
    return out;
}

static void assert_score(const char *saved, const char *live, double expected)
{
    double out = score(saved, live);

    if (fabs(out - expected) > 1e-9)
        fail_msg("%s against %s scores %g, not %g", saved, live, out, expected);
}

static bool has(const struct colony_fingerprint *fingerprint, enum colony_fingerprint_field field,
                const char *text)
{
    for (size_t i = 0; i < fingerprint->fields[field].count; i++)
        if (strcmp(fingerprint->fields[field].items[i], text) == 0)
            return true;
    return false;
}

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

/* --- scores ----------------------------------------------------------------------------------- */

TEST(test_the_same_scores_one)
{
    assert_score("cmdline: [a, b]", "cmdline: [a, b]", 1);
    assert_score("{cmdline: [a], files: [/x, /y], listen: ['::1:80'], established: ['1.2.3.4:5']}",
                 "{cmdline: [a], files: [/y, /x], listen: ['::1:80'], established: ['1.2.3.4:5']}",
                 1);
}

TEST(test_nothing_in_common_scores_minus_one)
{
    assert_score("cmdline: [a]", "cmdline: [b]", -1);
    assert_score("cmdline: [a]", "{}", -1);
    assert_score("{}", "listen: ['0.0.0.0:1']", -1);
}

TEST(test_a_field_that_neither_side_has_does_not_count)
{
    assert_score("{}", "{}", 0);
    assert_score("{cmdline: [a], files: []}", "cmdline: [a]", 1);
}

TEST(test_a_field_scores_by_its_items)
{
    /* two of three are there still, one is gone, one is new: 2+2-1-1 of 6 */
    assert_score("files: [/a, /b, /c]", "files: [/a, /b, /d]", 2.0 / 6);
    /* an item that is there once is taken once: 2-1 of 3 */
    assert_score("files: [/a, /a]", "files: [/a]", 1.0 / 3);
}

TEST(test_fields_have_their_weights)
{
    assert_score("{cmdline: [a], listen: ['0.0.0.0:1']}", "cmdline: [a]", (50.0 - 20) / 70);
    assert_score("{cmdline: [a], files: [/a]}", "cmdline: [a]", (50.0 - 30) / 80);
    assert_score("{cmdline: [a], established: ['1.1.1.1:1']}", "cmdline: [a]", (50.0 - 2) / 52);
    assert_score("{cmdline: [a], udp: ['1.1.1.1:1']}", "cmdline: [a]", 1); /* it has none */
}

TEST(test_a_lost_connection_alone_leaves_the_state)
{
    assert_true(score("{cmdline: [a], files: [/a], listen: ['1.1.1.1:1'], established: "
                      "['1.1.1.1:2']}",
                      "{cmdline: [a], files: [/a], listen: ['1.1.1.1:1']}") >=
                COLONY_FINGERPRINT_SAME);
}

TEST(test_the_best_of_the_states_is_told)
{
    struct colony_saved_state items[] = {
        {.state = "idle", .fingerprint = parse("cmdline: [a]")},
        {.state = "up", .fingerprint = parse("{cmdline: [a], listen: ['1.1.1.1:1']}")},
    };
    struct colony_saved_states states = {.items = items, .count = 2};
    struct colony_fingerprint live = parse("{cmdline: [a], listen: ['1.1.1.1:1']}");
    struct colony_fingerprint other = parse("{cmdline: [a], files: [/a]}");
    double best;

    assert_string_equal(colony_saved_states_match(&states, &live, &best), "up");
    assert_true(best == 1);
    assert_null(colony_saved_states_match(&states, &other, &best));
    assert_true(best > 0 && best < COLONY_FINGERPRINT_SAME);
    states.count = 0;
    assert_null(colony_saved_states_match(&states, &live, &best));
    for (size_t i = 0; i < 2; i++)
        colony_fingerprint_clear(&items[i].fingerprint);
    colony_fingerprint_clear(&live);
    colony_fingerprint_clear(&other);
}

TEST(test_equal_is_exact)
{
    struct colony_fingerprint a = parse("{cmdline: [a, b], udp: ['1.1.1.1:1']}");
    struct colony_fingerprint b = parse("{cmdline: [b, a], udp: ['1.1.1.1:1']}");
    struct colony_fingerprint c = parse("{cmdline: [a, b]}");

    assert_true(colony_fingerprint_is_equal(&a, &a));
    assert_false(colony_fingerprint_is_equal(&a, &b));
    assert_false(colony_fingerprint_is_equal(&a, &c));
    colony_fingerprint_clear(&a);
    colony_fingerprint_clear(&b);
    colony_fingerprint_clear(&c);
}

/* --- files ------------------------------------------------------------------------------------ */

TEST(test_what_is_written_is_read_again)
{
    static const char *const texts[] = {
        "",
        " ",
        "22",
        "yes",
        "~",
        "null",
        "a: b",
        "- x",
        "#c",
        "'",
        "\"",
        "a\nb",
        "\t",
        "\x7f",
        "\xc2\x85",
        "\xe2\x80\xa8",
        "\xef\xbb\xbf",
        "\xff\xfe",
        "caf\xe9",
        "*a",
        "&a",
        "!x",
        "%",
    };
    struct colony__items items = {0};
    struct colony_fingerprint before = {0};
    struct colony_fingerprint after;
    char *text = NULL;
    size_t size = 0;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(colony__items_add(&items, texts[i], strlen(texts[i])), 0);
    colony__items_settle(&items, FIELD_CMDLINE, &before);
    assert_int_equal(colony__items_add(&items, "/a b: #c\n\xfe", 10), 0);
    colony__items_settle(&items, FIELD_FILES, &before);
    assert_int_equal(colony_fingerprint_format(&before, &text, &size), 0);
    assert_int_equal(strlen(text), size);
    after = parse(text);
    assert_true(colony_fingerprint_is_equal(&before, &after));
    assert_string_equal(after.fields[FIELD_FILES].items[0], "/a b: #c\n\\xfe");
    colony_fingerprint_clear(&before);
    colony_fingerprint_clear(&after);
    free(text);
}

TEST(test_the_dict_of_python_is_read)
{
    struct colony_fingerprint out =
        parse("{'files': ['/a b'], 'listen': ['0.0.0.0:80', ':::80'], 'cmdline': ['x', '-v']}");

    assert_true(has(&out, FIELD_FILES, "/a b"));
    assert_true(has(&out, FIELD_LISTEN, ":::80"));
    assert_true(has(&out, FIELD_CMDLINE, "-v"));
    colony_fingerprint_clear(&out);
}

TEST(test_nonsense_is_told_with_its_place)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"files: [/a]\nlisten: 80\n", "x.yaml:2:1: cannot use listen: it must be a list"},
        {"listen:\n- {a: b}\n", "x.yaml:2:3: cannot use this: it must be a text"},
        {"listen:\n- '80'\n", "x.yaml:2:3: cannot use listen: a socket is told as ip:port"},
        {"files: [a]\n", "x.yaml:1:9: cannot use files: a file is told by its whole path"},
        {"cmdline: [~]\n", "x.yaml:1:11: cannot use this: it must be a text"},
        {"file: [/a]\n", "did you mean `files`?"},
        {"- a\n", "x.yaml:1:1: cannot use this: it must be a map"},
        {"files: [/a\n", "x.yaml:2:1: cannot read this YAML"},
        {"files: []\nfiles: []\n", "x.yaml:2:1: "},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct colony_fingerprint out = {0};
        struct colony_error err = {0};

        assert_int_equal(
            colony__fingerprint_parse(&out, cases[i].text, strlen(cases[i].text), "x.yaml", &err),
            -EINVAL);
        if (!strstr(err.message, cases[i].message))
            fail_msg("%s: %s", cases[i].text, err.message);
    }
}

/* --- of a workspace --------------------------------------------------------------------------- */

struct place {
    struct scratch scratch;
    struct colony_workspace *workspace;
};

static void place_init(struct place *place)
{
    struct colony_error err = {0};
    size_t added;

    scratch_init(&place->scratch);
    if (colony_workspace_init(place->scratch.path, &added, &err) < 0 ||
        colony_workspace_open(&place->workspace, place->scratch.path, &err) < 0)
        fail_msg("%s", err.message);
}

static void place_clear(struct place *place)
{
    colony_workspace_close(place->workspace);
    scratch_clear(&place->scratch);
}

static void place_write(struct place *place, const char *path, const char *text)
{
    int fd = openat(place->scratch.fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static bool place_has(const struct place *place, const char *path)
{
    return faccessat(place->scratch.fd, path, F_OK, 0) == 0;
}

TEST(test_states_of_a_process_are_its_files)
{
    struct place place;
    struct colony_saved_states states = {0};
    struct colony_fingerprint up = parse("{cmdline: [a], listen: ['1.1.1.1:1']}");
    struct colony_fingerprint again = {0};

    place_init(&place);
    assert_int_equal(colony_fingerprint_save(&up, place.workspace, "red-fox", NULL, NULL), 0);
    assert_int_equal(colony_fingerprint_save(&up, place.workspace, "red-fox", "up", NULL), 0);
    assert_int_equal(colony_fingerprint_save(&up, place.workspace, "red-fox", "a.b", NULL), 0);
    assert_int_equal(colony_fingerprint_save(&up, place.workspace, "red-foxes", "other", NULL), 0);
    assert_int_equal(colony_saved_states_load(&states, place.workspace, "red-fox", NULL), 0);
    assert_int_equal(states.count, 2);
    assert_string_equal(states.items[0].state, "a.b");
    assert_string_equal(states.items[1].state, "up");
    assert_int_equal(colony_fingerprint_load(&again, place.workspace, "red-fox", NULL, NULL), 0);
    assert_true(colony_fingerprint_is_equal(&up, &again));
    colony_fingerprint_clear(&again);
    assert_int_equal(colony_fingerprint_load(&again, place.workspace, "no-body", NULL, NULL),
                     -ENOENT);
    colony_saved_states_clear(&states);
    colony_fingerprint_clear(&up);
    place_clear(&place);
}

TEST(test_an_old_file_is_written_anew)
{
    struct place place;
    struct colony_saved_states states = {0};
    char text[512];

    place_init(&place);
    (void)snprintf(text, sizeof text,
                   "{'cmdline': ['a'], 'files': ['/etc/passwd', '%s/out/red-fox.out']}",
                   colony_workspace_path(place.workspace));
    place_write(&place, "fp/red-fox.up.fp", text);
    assert_int_equal(colony_saved_states_load(&states, place.workspace, "red-fox", NULL), 0);
    assert_int_equal(states.count, 1);
    assert_string_equal(states.items[0].state, "up");
    assert_int_equal(states.items[0].fingerprint.fields[FIELD_FILES].count, 1);
    assert_true(place_has(&place, "fp/red-fox.up.yaml"));
    assert_false(place_has(&place, "fp/red-fox.up.fp"));
    colony_saved_states_clear(&states);
    place_clear(&place);
}

TEST(test_a_bad_file_is_told_with_its_path_and_the_others_count)
{
    struct place place;
    struct colony_saved_states states = {0};

    place_init(&place);
    place_write(&place, "fp/red-fox.down.yaml", "cmdline: [a]\n");
    place_write(&place, "fp/red-fox.old.fp", "{'files': [");
    place_write(&place, "fp/red-fox.up.yaml", "cmdline: [a]\nlisten: yes\n");
    assert_int_equal(colony_saved_states_load(&states, place.workspace, "red-fox", NULL), 0);
    assert_int_equal(states.count, 1);
    assert_string_equal(states.items[0].state, "down");
    assert_non_null(states.problem);
    assert_true(strstr(states.problem, "/fp/red-fox.up.yaml:2:1: ") ||
                strstr(states.problem, "/fp/red-fox.old.fp:1:"));
    colony_saved_states_clear(&states);
    place_clear(&place);
}

/* --- of living processes ---------------------------------------------------------------------- */

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
        cmocka_unit_test(test_the_same_scores_one),
        cmocka_unit_test(test_nothing_in_common_scores_minus_one),
        cmocka_unit_test(test_a_field_that_neither_side_has_does_not_count),
        cmocka_unit_test(test_a_field_scores_by_its_items),
        cmocka_unit_test(test_fields_have_their_weights),
        cmocka_unit_test(test_a_lost_connection_alone_leaves_the_state),
        cmocka_unit_test(test_the_best_of_the_states_is_told),
        cmocka_unit_test(test_equal_is_exact),
        cmocka_unit_test(test_what_is_written_is_read_again),
        cmocka_unit_test(test_the_dict_of_python_is_read),
        cmocka_unit_test(test_nonsense_is_told_with_its_place),
        cmocka_unit_test(test_states_of_a_process_are_its_files),
        cmocka_unit_test(test_an_old_file_is_written_anew),
        cmocka_unit_test(test_a_bad_file_is_told_with_its_path_and_the_others_count),
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
