/* SPDX-License-Identifier: Apache-2.0 */
/* What fingerprints say of one another, and their files; test_fingerprint_take.c has the rest. */
#include "fingerprints.h"

#include <errno.h>
#include <math.h>

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
