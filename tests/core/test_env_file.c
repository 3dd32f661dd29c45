/* SPDX-License-Identifier: Apache-2.0 */
/* Files of variables: what their lines mean, and what a template makes of them. */
#include "../scratch.h"

#include <stdint.h>

#include "core/env_file_internal.h"
#include "core/settings.h"
#include "core/words_internal.h"
#include "templates.h"

static int parse(struct colony__words *words, const char *text, size_t size,
                 struct colony_error *err)
{
    char *copy = calloc(1, size + 1);
    int rc;

    assert_non_null(copy);
    memcpy(copy, text, size);
    assert_int_equal(colony__words_init(words), 0);
    rc = colony__env_file_parse(words, copy, size, "a.env", err);
    free(copy);
    return rc;
}

static void assert_parsed(const char *text, const char *expected)
{
    struct colony__words words = {0};
    struct colony_error err = {0};

    if (parse(&words, text, strlen(text), &err) < 0)
        fail_msg("%s is refused: %s", text, err.message);
    assert_words(words.items, expected);
    colony__words_free(words.items);
}

static void assert_bad_bytes(const char *text, size_t size, const char *why)
{
    struct colony__words words = {0};
    struct colony_error err = {0};

    assert_int_equal(parse(&words, text, size, &err), -EINVAL);
    if (strncmp(err.message, why, strlen(why)) != 0)
        fail_msg("`%s` does not begin with `%s`", err.message, why);
    colony__words_free(words.items);
}

static void assert_bad(const char *text, const char *why)
{
    assert_bad_bytes(text, strlen(text), why);
}

TEST(test_plain_lines)
{
    assert_parsed("", "");
    assert_parsed("\n\n  \n\t\n", "");
    assert_parsed("A=b", "A=b|");
    assert_parsed("A=b\nC=d\n", "A=b|C=d|");
    assert_parsed("A=\n_x1=y\n", "A=|_x1=y|");
    assert_parsed("  A=b c  \t\n", "A=b c|");
    assert_parsed("A=  b\n", "A=b|");
    assert_parsed("A=b=c\n", "A=b=c|");
    assert_parsed("A=1\nA=2\n", "A=1|A=2|");
    assert_parsed("A=it's \"so\" \\n $HOME\n", "A=it's \"so\" \\n $HOME|");
    assert_parsed("A=\xc3\xa4\n", "A=\xc3\xa4|");
}

TEST(test_comments_follow_a_blank)
{
    assert_parsed("# A=b\n  # c\nB=1 # one\nC=a#b\nD=#c\nE= # nothing\nF=a\t#b", "B=1|C=a#b|D=#c|"
                                                                                 "E=|F=a|");
}

TEST(test_export_may_stand_before_a_name)
{
    assert_parsed("export A=b\n export\tB=c\nexport=d\nexporter=e\n",
                  "A=b|B=c|export=d|exporter=e|");
}

TEST(test_single_quotes_are_literal)
{
    assert_parsed("A='b # \"c\" \\n $X'\nB=''\n", "A=b # \"c\" \\n $X|B=|");
    assert_parsed("A='one\ntwo'  # c\nB=x", "A=one\ntwo|B=x|");
}

TEST(test_double_quotes_know_escapes_and_go_on_over_lines)
{
    assert_parsed("A=\"a\\nb\\tc\\\"d\\\\e\\$f\\dg\"\n", "A=a\nb\tc\"d\\e$f\\dg|");
    assert_parsed("A=\"-----BEGIN\nx#y\n\n-----END\"\nB='c'\n",
                  "A=-----BEGIN\nx#y\n\n-----END|B=c|");
    assert_parsed("A= \" b \" \n", "A= b |");
}

TEST(test_windows_files_are_fine)
{
    assert_parsed("\xef\xbb\xbf"
                  "A=b\r\n# c\r\n\r\nB='c'\r\nC=\"d\r\ne\"\r\n",
                  "A=b|B=c|C=d\ne|");
    assert_parsed("\xef\xbb\xbf", "");
    assert_parsed("A=a\rb\n", "A=a\rb|");
}

TEST(test_lines_that_cannot_be_are_told_by_their_number)
{
    assert_bad("A=b\nsecret\n", "a.env:2: cannot use this line: write NAME=VALUE");
    assert_bad("export A\n", "a.env:1: cannot use this line: write NAME=VALUE");
    assert_bad("\n\n1A=b\n", "a.env:3: cannot use this line: before `=`");
    assert_bad("=b\n", "a.env:1: cannot use this line: before `=`");
    assert_bad("A =b\n", "a.env:1: cannot use this line: before `=`");
    assert_bad("A-B=c\n", "a.env:1: cannot use this line: before `=`");
    assert_bad("\xc3\xa4=c\n", "a.env:1: cannot use this line: before `=`");
    assert_bad("A='b\nc\nd", "a.env:1: cannot use this line: its quote is not closed");
    assert_bad("X='1\n2'\nA=\"b\\\"\nc", "a.env:3: cannot use this line: its quote is not closed");
    assert_bad("X='1\n2'\nA=\"b\\", "a.env:3: cannot use this line: its quote is not closed");
    assert_bad("A='b'c\n", "a.env:1: cannot use this line: something follows");
    assert_bad("A=\"b\"#c\n", "a.env:1: cannot use this line: something follows");
    assert_bad("A='1\n2' 'b'\n", "a.env:2: cannot use this line: something follows");
    assert_bad("A=b\n\xff\n", "a.env:2: cannot use this line: it is not UTF-8 text");
    assert_bad_bytes("A=b\nB=\0c\n", 9, "a.env:2: cannot use this line: it is not UTF-8 text");
}

TEST(test_no_message_shows_a_value)
{
    static const char *const texts[] = {"A='hush'x", "A=b\nhush", "A B=hush", "A='hush"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct colony__words words = {0};
        struct colony_error err = {0};

        assert_int_equal(parse(&words, texts[i], strlen(texts[i]), &err), -EINVAL);
        assert_null(strstr(err.message, "hush"));
        colony__words_free(words.items);
    }
}

TEST(test_a_value_longer_than_linux_takes_is_refused)
{
    size_t size = COLONY__WORD_BYTES_MAX + 10;
    char *text = malloc(size + 1);

    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, "\nA=", 3);
    text[size] = '\0';
    assert_bad(text, "a.env:2: cannot use this line: a text of it is longer than 128 KiB");
    free(text);
}

/* Whatever the bytes are, it ends, and with a reason when they are refused. */
TEST(test_random_bytes_never_break_it)
{
    static const char bytes[] = "A=b'\"\\ \t\n\r#$xport\xc3\xa4\xff";
    uint32_t seed = 1;

    for (int i = 0; i < 20000; i++) {
        struct colony__words words = {0};
        struct colony_error err = {0};
        char text[40];
        size_t size = (seed >> 16) % sizeof text;

        for (size_t j = 0; j < size; j++) {
            seed = seed * 1664525U + 1013904223U;
            text[j] = bytes[(seed >> 16) % (sizeof bytes)]; /* the NUL too */
        }
        seed = seed * 1664525U + 1013904223U;
        if (parse(&words, text, size, &err) < 0)
            assert_non_null(strstr(err.message, ": cannot use this line: "));
        for (size_t j = 0; j < words.count; j++)
            assert_non_null(strchr(words.items[j], '='));
        colony__words_free(words.items);
    }
}

static void write_file(const struct scratch *scratch, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", scratch->path, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* As if it stood in SCRATCH/f.yaml. */
static int make_in(const struct scratch *scratch, struct colony_template **out, const char *yaml,
                   struct colony_error *err)
{
    struct colony_value *source = NULL;
    char file[128];
    int rc;

    (void)snprintf(file, sizeof file, "%s/f.yaml", scratch->path);
    assert_int_equal(colony_value_parse_yaml(&source, yaml, strlen(yaml), file, err), 0);
    rc = colony_template_new(out, "web", source, file, true, err);
    colony_value_free(source);
    return rc;
}

static struct colony_template *web_in(const struct scratch *scratch, const char *yaml)
{
    struct colony_template *template = NULL;
    struct colony_error err = {0};

    if (make_in(scratch, &template, yaml, &err) < 0)
        fail_msg("%s", err.message);
    return template;
}

static void assert_refused_in(const struct scratch *scratch, const char *yaml, const char *why)
{
    struct colony_template *template = NULL;
    struct colony_error err = {0};

    assert_int_equal(make_in(scratch, &template, yaml, &err), -EINVAL);
    if (!strstr(err.message, why) ||
        strncmp(err.message, scratch->path, strlen(scratch->path)) != 0)
        fail_msg("`%s` is not in `%s`", why, err.message);
}

TEST(test_later_files_win_and_env_wins_over_all)
{
    struct scratch scratch;
    struct colony_template *template;

    scratch_init(&scratch);
    write_file(&scratch, "a.env", "A=a\nB=a\nC=a\nB=a2\n");
    write_file(&scratch, "b.env", "B=b\nC=b\nZ=b\n");
    template = web_in(&scratch, "cmd: x\nenv_file: [a.env, b.env]\nenv: {C: own, D: own}\n"
                                "args: [$A, $B, $C, $D, '${Z}']\n");
    assert_words(template->env_file, "A=a|B=b|Z=b|");
    assert_words(template->env, "C=own|D=own|");
    assert_words(template->argv, "x|a|b|own|own|b|");
    colony_template_free(template);
    assert_refused_in(&scratch, "cmd: x\nenv_file: a.env\nargs: [$Z]\n",
                      "$Z is not in `env` or `env_file`");
    scratch_clear(&scratch);
}

TEST(test_a_path_is_from_the_folder_of_the_settings_unless_it_is_absolute)
{
    struct scratch scratch;
    struct colony_template *template;
    char yaml[256];

    scratch_init(&scratch);
    assert_int_equal(mkdirat(scratch.fd, "sub", 0700), 0);
    write_file(&scratch, "sub/a.env", "A=a\n");
    template = web_in(&scratch, "cmd: x\nenv_file: sub/a.env");
    assert_words(template->env_file, "A=a|");
    colony_template_free(template);
    (void)snprintf(yaml, sizeof yaml, "cmd: x\nenv_file: %s/sub/a.env", scratch.path);
    template = web(yaml);
    assert_words(template->env_file, "A=a|");
    colony_template_free(template);
    scratch_clear(&scratch);
}

TEST(test_a_missing_file_is_an_error_without_a_dash)
{
    struct scratch scratch;
    struct colony_template *template;

    scratch_init(&scratch);
    assert_refused_in(&scratch, "cmd: x\nenv_file: no.env", "f.yaml:2:1: cannot open /tmp/");
    assert_refused_in(&scratch, "cmd: x\nenv_file: no.env", "write -PATH in `env_file` if it may");
    template = web_in(&scratch, "cmd: x\nenv_file: -no.env");
    assert_words(template->env_file, "");
    colony_template_free(template);
    write_file(&scratch, "bad.env", "oops\n");
    assert_refused_in(&scratch, "cmd: x\nenv_file: -bad.env", "/bad.env:1: cannot use this line");
    scratch_clear(&scratch);
}

TEST(test_what_is_no_file_or_too_large_is_refused_at_once)
{
    struct scratch scratch;
    char *text = malloc(COLONY__ENV_FILE_BYTES_MAX + 2);
    struct colony_template *template;

    assert_non_null(text);
    scratch_init(&scratch);
    assert_int_equal(mkfifoat(scratch.fd, "fifo", 0600), 0);
    assert_refused_in(&scratch, "cmd: x\nenv_file: fifo", "it is no plain file");
    assert_refused_in(&scratch, "cmd: x\nenv_file: /dev/zero", "it is no plain file");
    assert_refused_in(&scratch, "cmd: x\nenv_file: /", "it is no plain file");
    memset(text, '#', COLONY__ENV_FILE_BYTES_MAX + 1);
    text[COLONY__ENV_FILE_BYTES_MAX + 1] = '\0';
    write_file(&scratch, "big.env", text);
    assert_refused_in(&scratch, "cmd: x\nenv_file: big.env", "it is larger than 1 MiB");
    text[COLONY__ENV_FILE_BYTES_MAX] = '\0';
    write_file(&scratch, "big.env", text);
    template = web_in(&scratch, "cmd: x\nenv_file: big.env");
    colony_template_free(template);
    free(text);
    scratch_clear(&scratch);
}

TEST(test_many_variables_are_settled_in_no_time)
{
    enum { COUNT = 100000, LINE = 10 };
    struct scratch scratch;
    char *text = calloc(COUNT + 1, LINE);
    uint64_t begun_ms = clock_ms();
    struct colony_template *template;
    size_t used = 0;

    assert_non_null(text);
    for (int i = 0; i < COUNT; i++)
        used += (size_t)snprintf(text + used, LINE + 1, "A%07d=\n", i % (COUNT - 1));
    scratch_init(&scratch);
    write_file(&scratch, "many.env", text);
    template = web_in(&scratch, "cmd: x\nenv_file: [many.env, many.env]");
    for (used = 0; template->env_file[used];)
        used++;
    assert_int_equal(used, COUNT - 1);
    assert_true(clock_ms() - begun_ms < DEADLINE_MS);
    colony_template_free(template);
    free(text);
    scratch_clear(&scratch);
}

TEST(test_a_changed_file_is_a_changed_template_and_a_new_process)
{
    struct scratch scratch;
    struct colony_template *before;
    struct colony_template *same;
    struct colony_template *after;
    char text[64];

    scratch_init(&scratch);
    write_file(&scratch, "a.env", "A=a\nB=b\n");
    before = web_in(&scratch, "cmd: x\nenv_file: a.env\nenv: {B: own}");
    write_file(&scratch, "a.env", "# moved\nB=changed, but env has it\n\nexport A='a'\n");
    same = web_in(&scratch, "cmd: x\nenv_file: a.env\nenv: {B: own}");
    write_file(&scratch, "a.env", "A=changed\n");
    after = web_in(&scratch, "cmd: x\nenv_file: a.env\nenv: {B: own}");
    assert_true(before->hash == same->hash && before->process_hash == same->process_hash);
    assert_true(before->hash != after->hash);
    assert_true(before->process_hash != after->process_hash);
    colony_template_difference(before, after, text, sizeof text);
    assert_string_equal(text, "env_file");
    colony_template_free(before);
    colony_template_free(same);
    colony_template_free(after);
    scratch_clear(&scratch);
}

TEST(test_a_new_engine_does_not_read_the_files_again)
{
    struct scratch scratch;
    struct colony_template *template;
    struct colony_template *again;

    scratch_init(&scratch);
    write_file(&scratch, "a.env", "A=\"one\ntwo \\\" three\"\nB=\xc3\xa4\n");
    template = web_in(&scratch, "cmd: x\nenv_file: a.env\nargs: [$A]");
    write_file(&scratch, "a.env", "A=other\n");
    again = restored(template);
    assert_words(again->env_file, "A=one\ntwo \" three|B=\xc3\xa4|");
    assert_words(again->argv, "x|one\ntwo \" three|");
    assert_true(again->hash == template->hash && again->process_hash == template->process_hash);
    colony_template_free(again);
    assert_int_equal(unlinkat(scratch.fd, "a.env", 0), 0);
    again = restored(template);
    assert_true(again->hash == template->hash);
    colony_template_free(again);
    colony_template_free(template);
    scratch_clear(&scratch);
}

TEST(test_settings_written_for_the_engine_bring_the_variables_along)
{
    struct scratch scratch;
    struct colony_settings *settings = NULL;
    struct colony_settings *again = NULL;
    struct colony_error err = {0};
    char path[128];
    char *text = NULL;

    scratch_init(&scratch);
    (void)snprintf(path, sizeof path, "%s/c.yaml", scratch.path);
    write_file(&scratch, "a.env", "A=a\n");
    write_file(&scratch, "c.yaml", "processes: {web: {cmd: x, env_file: a.env, args: [$A]}}\n");
    if (colony_settings_load(&settings, path, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(unlinkat(scratch.fd, "a.env", 0), 0);
    assert_int_equal(colony_settings_to_json(settings, &text), 0);
    if (colony_settings_parse_json(&again, text, strlen(text), &err) < 0)
        fail_msg("%s", err.message);
    assert_words(again->templates[0]->env_file, "A=a|");
    assert_true(again->templates[0]->hash == settings->templates[0]->hash);
    free(text);
    colony_settings_free(again);
    colony_settings_free(settings);
    scratch_clear(&scratch);
}

TEST(test_nobody_sees_or_says_what_a_file_says)
{
    struct scratch scratch;
    struct colony_template *template;
    struct colony_error err = {0};
    char *text;
    cJSON *json;

    scratch_init(&scratch);
    write_file(&scratch, "a.env", "A=hush\n");
    template = web_in(&scratch, "cmd: x\nenv_file: a.env");
    json = colony_template_to_json(template);
    text = cJSON_PrintUnformatted(json);
    assert_null(strstr(text, "hush"));
    assert_non_null(strstr(text, "\"env_file\":\"a.env\""));
    cJSON_free(text);
    cJSON_Delete(json);
    colony_template_free(template);
    assert_refused("cmd: x\ncolony.env_file: ['A=b']\n",
                   "cannot use the key `colony.env_file`: it is unknown");
    assert_int_equal(from_json(&template,
                               "{\"name\": \"w\", \"cmd\": \"x\", \"colony.env_file\": [\"A=b\"]}",
                               false, &err),
                     -EINVAL);
    scratch_clear(&scratch);
}

TEST(test_a_damaged_record_of_a_file_is_refused)
{
    static const char *const cases[] = {"5",       "{}",          "[5]",
                                        "[\"A\"]", "[[\"A=b\"]]", "{\"A\": \"b\"}"};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct colony_template *template = NULL;
        struct colony_error err = {0};
        char text[128];

        (void)snprintf(text, sizeof text,
                       "{\"name\": \"w\", \"cmd\": \"x\", \"colony.env_file\": %s}", cases[i]);
        assert_int_equal(colony_template_restore(&template, text, &err), -EINVAL);
        assert_null(template);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_lines),
        cmocka_unit_test(test_comments_follow_a_blank),
        cmocka_unit_test(test_export_may_stand_before_a_name),
        cmocka_unit_test(test_single_quotes_are_literal),
        cmocka_unit_test(test_double_quotes_know_escapes_and_go_on_over_lines),
        cmocka_unit_test(test_windows_files_are_fine),
        cmocka_unit_test(test_lines_that_cannot_be_are_told_by_their_number),
        cmocka_unit_test(test_no_message_shows_a_value),
        cmocka_unit_test(test_a_value_longer_than_linux_takes_is_refused),
        cmocka_unit_test(test_random_bytes_never_break_it),
        cmocka_unit_test(test_later_files_win_and_env_wins_over_all),
        cmocka_unit_test(test_a_path_is_from_the_folder_of_the_settings_unless_it_is_absolute),
        cmocka_unit_test(test_a_missing_file_is_an_error_without_a_dash),
        cmocka_unit_test(test_what_is_no_file_or_too_large_is_refused_at_once),
        cmocka_unit_test(test_many_variables_are_settled_in_no_time),
        cmocka_unit_test(test_a_changed_file_is_a_changed_template_and_a_new_process),
        cmocka_unit_test(test_a_new_engine_does_not_read_the_files_again),
        cmocka_unit_test(test_settings_written_for_the_engine_bring_the_variables_along),
        cmocka_unit_test(test_nobody_sees_or_says_what_a_file_says),
        cmocka_unit_test(test_a_damaged_record_of_a_file_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
