/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/value.h"

static struct colony_value *yaml(const char *text)
{
    struct colony_value *value = NULL;
    struct colony_error err = {0};
    int rc = colony_value_parse_yaml(&value, text, strlen(text), "f.yaml", &err);

    if (rc < 0)
        fail_msg("%s", err.message);
    return value;
}

static struct colony_value *json(const char *text)
{
    struct colony_value *value = NULL;
    struct colony_error err = {0};
    int rc = colony_value_parse_json(&value, text, strlen(text), &err);

    if (rc < 0)
        fail_msg("%s", err.message);
    return value;
}

/* @size 0: the text ends with its NUL. */
static void assert_yaml_fails(const char *text, size_t size, const char *why)
{
    struct colony_value *value = NULL;
    struct colony_error err = {0};

    assert_int_equal(
        colony_value_parse_yaml(&value, text, size ? size : strlen(text), "f.yaml", &err), -EINVAL);
    assert_null(value);
    if (!strstr(err.message, why))
        fail_msg("`%s` is not in `%s`", why, err.message);
}

static void assert_json_fails(const char *text, size_t size, int code, const char *why)
{
    struct colony_value *value = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony_value_parse_json(&value, text, size ? size : strlen(text), &err), code);
    assert_null(value);
    if (!strstr(err.message, why))
        fail_msg("`%s` is not in `%s`", why, err.message);
}

/* The JSON of a YAML or JSON text. */
static void assert_prints(struct colony_value *value, const char *expected)
{
    cJSON *tree = colony_value_to_json(value);
    char *text = cJSON_PrintUnformatted(tree);

    assert_string_equal(text, expected);
    cJSON_free(text);
    cJSON_Delete(tree);
    colony_value_free(value);
}

TEST(test_yaml_becomes_a_tree_with_places)
{
    struct colony_value *root = yaml("# hello\na: 1\nb:\n  - x\n  - {c: 'd'}\n");
    const struct colony_value *b = colony_value_get(root, "b");

    assert_int_equal(root->type, VALUE_MAP);
    assert_string_equal(root->child->key, "a");
    assert_int_equal(root->child->line, 2);
    assert_int_equal(root->child->column, 1);
    assert_int_equal(b->type, VALUE_LIST);
    assert_int_equal(b->child->line, 4);
    assert_int_equal(b->child->column, 5);
    assert_int_equal(b->child->next->child->line, 5);
    assert_int_equal(b->child->next->child->column, 6);
    assert_null(colony_value_get(root, "z"));
    assert_null(colony_value_get(b, "z"));
    assert_null(colony_value_get(NULL, "z"));
    assert_prints(root, "{\"a\":1,\"b\":[\"x\",{\"c\":\"d\"}]}");
}

TEST(test_plain_scalars_get_the_types_of_yaml)
{
    assert_prints(yaml("[null, Null, NULL, ~, nULL, '', ' ']"),
                  "[null,null,null,null,\"nULL\",\"\",\" \"]");
    assert_prints(yaml("[true, Yes, ON, false, no, Off, tRue, y, 'true', \"no\"]"),
                  "[true,true,true,false,false,false,\"tRue\",\"y\",\"true\",\"no\"]");
    assert_prints(yaml("[1, -2, +3, 1_000, 0x1F, 0b101, 022, 0, -022]"),
                  "[1,-2,3,1000,31,5,18,0,-18]");
    assert_prints(yaml("[1.5, .5, 5., 1e3, 1.5e-3, '1']"), "[1.5,0.5,5,1e3,1.5e-3,\"1\"]");
    assert_prints(yaml("[08, 1.2.3, 22:22, 0o17, 1a, -, '-', _1, ., 0x, 2020-01-01, e5, +]"),
                  "[\"08\",\"1.2.3\",\"22:22\",\"0o17\",\"1a\",\"-\",\"-\",\"_1\",\".\",\"0x\","
                  "\"2020-01-01\",\"e5\",\"+\"]");
}

TEST(test_numbers_keep_their_writing)
{
    struct colony_value *root = yaml("[022, 1.10, 1_000, yes, 12345678901234567890]");
    const struct colony_value *at = root->child;

    assert_string_equal(at->text, "022");
    assert_true(at->number == 18);
    at = at->next;
    assert_string_equal(at->text, "1.10");
    at = at->next;
    assert_string_equal(at->text, "1_000");
    at = at->next;
    assert_int_equal(at->type, VALUE_BOOL);
    assert_string_equal(at->text, "yes");
    at = at->next;
    assert_string_equal(at->text, "12345678901234567890");
    assert_prints(root, "[18,1.10,1000,true,12345678901234567890]");
    root = json("[1.10, -0, 1E2, 12345678901234567890, {\"a\": 3.0}]");
    assert_string_equal(root->child->text, "1.10");
    assert_prints(root, "[1.10,-0,1E2,12345678901234567890,{\"a\":3.0}]");
}

TEST(test_infinities_are_numbers_without_json)
{
    struct colony_value *root = yaml("[.inf, -.Inf, .nan, 1e999]");

    assert_true(isinf(root->child->number));
    assert_true(root->child->next->number < 0);
    assert_true(isnan(root->child->next->next->number));
    assert_int_equal(root->child->next->next->type, VALUE_NUMBER);
    assert_prints(root, "[null,null,null,1e999]");
}

TEST(test_empty_yaml_is_an_empty_map)
{
    assert_prints(yaml(""), "{}");
    assert_prints(yaml("# nothing\n"), "{}");
    assert_prints(yaml("---\n...\n"), "{}");
    assert_prints(yaml("\xef\xbb\xbf"), "{}");
    assert_prints(yaml("null"), "{}");
}

TEST(test_byte_order_mark_and_crlf_are_fine)
{
    struct colony_value *root = yaml("\xef\xbb\xbf"
                                     "a: 1\r\nb: x\r\n");

    assert_int_equal(root->child->column, 1);
    assert_int_equal(root->child->next->line, 2);
    assert_prints(root, "{\"a\":1,\"b\":\"x\"}");
    assert_prints(json("\xef\xbb\xbf{\"a\":\r\n1}"), "{\"a\":1}");
}

TEST(test_known_tags_are_followed_and_others_refused)
{
    assert_prints(yaml("[!!str 5, !!int '5', !!float 1.5]"), "[\"5\",5,1.5]");
    assert_yaml_fails("a: !!python/object:os.system x", 0, "f.yaml:1:4: cannot use this tag");
    assert_yaml_fails("!!set {a, b}", 0, "tag");
    assert_yaml_fails("a: !mine [1]", 0, "tag");
}

TEST(test_yaml_that_does_not_parse_tells_where)
{
    assert_yaml_fails("a: [1, 2\nb: 3\n", 0, "f.yaml:2:");
    assert_yaml_fails("a: 'x\n", 0, "cannot read this YAML");
    assert_yaml_fails("a:\n\t- b\n", 0, "f.yaml:2:1: cannot read this YAML");
    assert_yaml_fails("a: 1\nb: @x\n", 0, "f.yaml:2:4:");
    assert_yaml_fails("? [a, b]\n: 1\n", 0, "f.yaml:1:3: cannot use this as a key");
    assert_yaml_fails("a: \x01\n", 0, "f.yaml:1:4: cannot read this YAML: control");
}

TEST(test_text_that_is_not_utf8_is_refused_with_its_place)
{
    assert_yaml_fails("a: 1\nb: \xc3\xa9\xff\n", 0, "f.yaml:2:5: cannot read this YAML: it is not");
    assert_yaml_fails("a: \xed\xa0\x80", 0, "f.yaml:1:4:");
    assert_yaml_fails("\xff\xfe"
                      "a\0:\0",
                      6, "f.yaml:1:1:"); /* UTF-16 */
    assert_json_fails("[\"\xff\"]", 0, -EBADMSG, "not UTF-8 at byte 3");
}

TEST(test_nul_bytes_are_refused)
{
    assert_yaml_fails("a: b\0c", 6, "f.yaml:1:5: cannot read this YAML: it has a NUL");
    assert_yaml_fails("a: \"b\\0c\"", 0, "f.yaml:1:4: cannot use this text: it has a NUL");
    assert_yaml_fails("\"a\\0\": b", 0, "NUL");
    assert_json_fails("[1]\0", 4, -EBADMSG, "NUL");
    assert_json_fails("[\"a\\u0000b\"]", 0, -EBADMSG, "NUL");
    assert_prints(json("[\"\\\\u0000\"]"), "[\"\\\\u0000\"]");
}

TEST(test_aliases_are_refused)
{
    assert_yaml_fails("a: &x [1]\nb: *x\n", 0, "f.yaml:2:4: cannot use an alias");
    assert_yaml_fails("a: &a [x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\n", 0, "alias");
    assert_yaml_fails("a: &a [*a]\n", 0, "alias");
}

TEST(test_a_second_document_is_refused)
{
    assert_yaml_fails("a: 1\n---\nb: 2\n", 0, "second document");
    assert_prints(yaml("---\na: 1\n...\n"), "{\"a\":1}");
}

TEST(test_duplicate_keys_are_refused_with_both_lines)
{
    assert_yaml_fails("a: 1\nb: 2\na: 3\n", 0,
                      "f.yaml:3:1: cannot use the key `a` twice: it is on line 1 already");
    assert_yaml_fails("x:\n  a: 1\n  'a': 3\n", 0, "f.yaml:3:3:");
    assert_json_fails("{\"a\": 1, \"a\": 2}", 0, -EINVAL, "the key `a` twice");
    assert_json_fails("[{\"\\u0061\": 1, \"a\": 2}]", 0, -EINVAL, "the key `a` twice");
}

static char *nested(char open, char close, size_t depth)
{
    char *text = malloc(2 * depth + 1);

    assert_non_null(text);
    memset(text, open, depth);
    memset(text + depth, close, depth);
    text[2 * depth] = '\0';
    return text;
}

TEST(test_depth_is_limited)
{
    char *good = nested('[', ']', COLONY_VALUE_DEPTH_MAX);
    char *bad = nested('[', ']', COLONY_VALUE_DEPTH_MAX + 1);
    char *awful = nested('[', ']', 200000);

    colony_value_free(yaml(good));
    colony_value_free(json(good));
    assert_yaml_fails(bad, 0, "f.yaml:1:33: cannot read this: lists and maps are more than 32");
    assert_json_fails(bad, 0, -EINVAL, "more than 32");
    assert_yaml_fails(awful, 0, "f.yaml:1:33:");
    assert_json_fails(awful, 0, -EINVAL, "more than 32");
    free(good);
    free(bad);
    free(awful);
}

TEST(test_depth_of_blocks_is_limited)
{
    char *text = malloc(2 * 5000 + 2);

    assert_non_null(text);
    for (size_t i = 0; i < 5000; i++)
        memcpy(text + 2 * i, "- ", 2);
    memcpy(text + 10000, "x", 2);
    assert_yaml_fails(text, 0, "more than 32 deep");
    free(text);
}

TEST(test_number_of_values_is_limited)
{
    size_t size = 2 * (size_t)COLONY_VALUE_NODES_MAX + 2;
    char *text = malloc(size);

    assert_non_null(text);
    for (size_t i = 0; i + 1 < size; i += 2)
        memcpy(text + i, ",0", 2);
    text[0] = '[';
    assert_json_fails(text, size, -EINVAL, "values");
    assert_yaml_fails(text, size, "values");
    free(text);
}

TEST(test_json_that_does_not_parse_is_a_bad_message)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":}",
        "{a: 1}",
        "[1] x",
        "[1][2]",
        "nul",
        "'a'",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[1e]",
        "[-]",
        "[NaN]",
        "[1 2]",
        "\"a",
        "\"a\\\"",
        "[\"\n\"]",
        "[1-1]",
        "]",
        "{]",
        "[1}",
        "\"\\x\"",
        "\v1",
        "[\"\\ud800\"]",
        "[0x10]",
        "[Infinity]",
        "\xef\xbb\xbf",
        "[1]\xef\xbb\xbf",
        "\"\\",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_json_fails(bad[i], 0, -EBADMSG, "cannot read this JSON");
}

static void assert_file_fails(const char *text, const char *why)
{
    struct colony_value *value = NULL;
    struct colony_error err = {0};

    assert_true(colony_value_parse_json_file(&value, text, strlen(text), "a", &err) < 0);
    assert_null(value);
    if (strncmp(err.message, why, strlen(why)) != 0)
        fail_msg("`%s` does not begin with `%s`", err.message, why);
}

TEST(test_json_of_a_file_tells_where_it_cannot_be_read)
{
    assert_file_fails("", "a:1:1: cannot read");
    assert_file_fails("{\n  \"a\": 01}", "a:2:8: cannot read this JSON: not a number");
    assert_file_fails("{\"\xc3\xa9\": \"x\n\"}", "a:1:9: cannot read this JSON: a control byte");
    assert_file_fails("{\"a\": 1,\n\n \"b\": 2, \"a\": 3}",
                      "a:3:10: cannot use the key `a` twice: it is on line 1");
    assert_file_fails("{\"a\": ", "a:1:");
}

TEST(test_json_of_a_file_has_places)
{
    static const char text[] = "{\"a\": [true, null,\n \"x\", -1.5, {\"b\": {}}, []],\n"
                               "\t\"\xc3\xa9\": false, \"z\": [[1], \"\\\"\"]}";
    static const unsigned places[][2] = {{1, 1},  {1, 2},  {1, 8},  {1, 14}, {2, 2},
                                         {2, 7},  {2, 13}, {2, 14}, {2, 24}, {3, 2},
                                         {3, 14}, {3, 20}, {3, 21}, {3, 25}};
    struct colony_value *root = NULL;
    const struct colony_value *path[4];
    size_t depth = 1;
    size_t count = 0;

    assert_int_equal(colony_value_parse_json_file(&root, text, strlen(text), "a", NULL), 0);
    path[0] = root;
    while (depth > 0) { /* each node, parents first */
        const struct colony_value *node = path[depth - 1];

        assert_true(count < sizeof places / sizeof places[0]);
        if (node->line != places[count][0] || node->column != places[count][1])
            fail_msg("node %zu is at %u:%u", count, node->line, node->column);
        count++;
        if (node->child) {
            path[depth++] = node->child;
            continue;
        }
        while (depth > 0 && !path[depth - 1]->next)
            depth--;
        if (depth > 0)
            path[depth - 1] = path[depth - 1]->next;
    }
    assert_int_equal(count, sizeof places / sizeof places[0]);
    colony_value_free(root);
}

TEST(test_json_need_not_end_with_a_nul)
{
    static const char text[] = "{\"1\":1,2345";
    char *exact = malloc(7);
    struct colony_value *value = NULL;

    assert_non_null(exact);
    memcpy(exact, text, 7);
    assert_int_equal(colony_value_parse_json(&value, exact, 7, NULL), -EBADMSG);
    memcpy(exact, "{\"a\":12", 7);
    exact[6] = '}';
    assert_int_equal(colony_value_parse_json(&value, exact, 7, NULL), 0);
    colony_value_free(value);
    free(exact);
}

TEST(test_json_of_every_type_is_read)
{
    struct colony_value *root =
        json(" {\"a\": [null, true, false, -1.5e3, \"\\u00e9\\n\"], \"\": {}, \"e\": []} ");

    assert_int_equal(root->line, 0);
    assert_int_equal(root->child->line, 0);
    assert_true(root->child->child->next->next->next->number == -1500);
    assert_prints(root, "{\"a\":[null,true,false,-1.5e3,\"\xc3\xa9\\n\"],\"\":{},\"e\":[]}");
}

TEST(test_a_copy_is_the_same_and_its_own)
{
    struct colony_value *root = yaml("a: [1, {b: 022, c: ~}, yes]\nd: x\n");
    struct colony_value *copy = NULL;

    assert_int_equal(colony_value_copy(&copy, root), 0);
    assert_true(colony_value_hash(copy) == colony_value_hash(root));
    assert_int_equal(colony_value_get(copy, "d")->line, 2);
    colony_value_free(root);
    assert_prints(copy, "{\"a\":[1,{\"b\":18,\"c\":null},true],\"d\":\"x\"}");
    colony_value_free(NULL);
}

static uint64_t hash_of(struct colony_value *value)
{
    uint64_t hash = colony_value_hash(value);

    colony_value_free(value);
    return hash;
}

TEST(test_hash_tells_contents_apart)
{
    static const char *const different[] = {
        "a: 1",
        "a: 2",
        "a: '1'",
        "a: true",
        "a: 'true'",
        "a: ~",
        "a: []",
        "a: {}",
        "b: 1",
        "a: [1]",
        "a: [1, 2]",
        "a: [2, 1]",
        "a: [12]",
        "a: {b: 1}",
        "a: [[1], 2]",
        "a: [[1, 2]]",
        "a: [b, c]",
        "a: [bc, '']",
        "a: {b: c, d: e}",
        "a: {b: e, d: c}",
        "a: 1.0",
        "{}",
        "[]",
        "a: [[], [[]]]",
        "a: [[[]], []]",
    };
    const size_t count = sizeof different / sizeof different[0];

    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            assert_true(hash_of(yaml(different[i])) != hash_of(yaml(different[j])));
    assert_true(hash_of(yaml("a: 1\nb: {c: 2, d: 3}")) ==
                hash_of(json("{\"b\": {\"d\": 3, \"c\": 2}, \"a\": 1}")));
    assert_true(hash_of(yaml("[.inf, -.inf, .nan]")) == hash_of(json("[null, null, null]")));
    assert_true(hash_of(yaml("a: 0x10\nb: yes")) == hash_of(json("{\"a\": 16, \"b\": true}")));
}

TEST(test_long_maps_are_read_in_time)
{
    enum { KEYS = 100000, LINE = 12 };
    char *text = calloc(KEYS, LINE + 1);
    struct colony_value *root;
    size_t used = 0;

    assert_non_null(text);
    for (int i = 0; i < KEYS; i++)
        used += (size_t)snprintf(text + used, LINE + 1, "k%d: %d\n", i, i % 10);
    root = yaml(text);
    assert_string_equal(root->child->next->key, "k1");
    colony_value_free(root);
    free(text);
}

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int load(struct colony_value **out, const char *text, size_t size, struct colony_error *err)
{
    char path[] = "/tmp/colony-test-XXXXXX";
    int fd = mkstemp(path);
    int rc;

    assert_true(fd >= 0);
    (void)close(fd);
    write_file(path, text, size);
    rc = colony_value_load_yaml(out, path, err);
    (void)unlink(path);
    return rc;
}

TEST(test_files_are_loaded)
{
    struct colony_value *value = NULL;
    struct colony_error err = {0};

    assert_int_equal(load(&value, "a: 1\n", 5, &err), 0);
    assert_prints(value, "{\"a\":1}");
    assert_int_equal(load(&value, "", 0, &err), 0);
    assert_prints(value, "{}");
    assert_int_equal(load(&value, "a: [", 4, &err), -EINVAL);
    assert_non_null(strstr(err.message, "/tmp/colony-test-"));
    assert_non_null(strstr(err.message, ":2:1: cannot read this YAML"));
}

TEST(test_files_that_cannot_be_read_are_told)
{
    struct colony_value *value = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony_value_load_yaml(&value, "/nonexistent/x.yaml", &err), -ENOENT);
    assert_non_null(strstr(err.message, "cannot open /nonexistent/x.yaml: No such file"));
    assert_int_equal(colony_value_load_yaml(&value, "/tmp", &err), -EISDIR);
    assert_non_null(strstr(err.message, "cannot read /tmp: Is a directory"));
    assert_int_equal(colony_value_load_yaml(&value, "/dev/zero", &err), -EFBIG);
    assert_int_equal(colony_value_load_yaml(&value, "/dev/null", &err), 0);
    colony_value_free(value);
}

TEST(test_files_above_16_mib_are_refused)
{
    const size_t limit = 16 << 20;
    struct colony_value *value = NULL;
    struct colony_error err = {0};
    char *text = malloc(limit + (1 << 20));

    assert_non_null(text);
    memset(text, '#', limit + (1 << 20));
    assert_int_equal(load(&value, text, limit + (1 << 20), &err), -EFBIG);
    assert_non_null(strstr(err.message, "larger than 16 MiB"));
    assert_int_equal(load(&value, text, limit + 1, &err), -EFBIG);
    assert_int_equal(load(&value, text, limit, &err), 0);
    colony_value_free(value);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_becomes_a_tree_with_places),
        cmocka_unit_test(test_plain_scalars_get_the_types_of_yaml),
        cmocka_unit_test(test_numbers_keep_their_writing),
        cmocka_unit_test(test_infinities_are_numbers_without_json),
        cmocka_unit_test(test_empty_yaml_is_an_empty_map),
        cmocka_unit_test(test_byte_order_mark_and_crlf_are_fine),
        cmocka_unit_test(test_known_tags_are_followed_and_others_refused),
        cmocka_unit_test(test_yaml_that_does_not_parse_tells_where),
        cmocka_unit_test(test_text_that_is_not_utf8_is_refused_with_its_place),
        cmocka_unit_test(test_nul_bytes_are_refused),
        cmocka_unit_test(test_aliases_are_refused),
        cmocka_unit_test(test_a_second_document_is_refused),
        cmocka_unit_test(test_duplicate_keys_are_refused_with_both_lines),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_depth_of_blocks_is_limited),
        cmocka_unit_test(test_number_of_values_is_limited),
        cmocka_unit_test(test_json_that_does_not_parse_is_a_bad_message),
        cmocka_unit_test(test_json_of_a_file_tells_where_it_cannot_be_read),
        cmocka_unit_test(test_json_of_a_file_has_places),
        cmocka_unit_test(test_json_need_not_end_with_a_nul),
        cmocka_unit_test(test_json_of_every_type_is_read),
        cmocka_unit_test(test_a_copy_is_the_same_and_its_own),
        cmocka_unit_test(test_hash_tells_contents_apart),
        cmocka_unit_test(test_long_maps_are_read_in_time),
        cmocka_unit_test(test_files_are_loaded),
        cmocka_unit_test(test_files_that_cannot_be_read_are_told),
        cmocka_unit_test(test_files_above_16_mib_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
