/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/ini.h"
#include "core/keeper_options.h"
#include "core/value.h"

static struct colony_value *parse(const char *text)
{
    struct colony_value *value = NULL;
    struct colony_error err = {0};

    if (colony_value_parse_ini(&value, text, strlen(text), "f.ini", &err) < 0)
        fail_msg("%s", err.message);
    return value;
}

/* The tree, written as JSON. */
static void assert_means(const char *text, const char *json)
{
    struct colony_value *value = parse(text);
    cJSON *written = colony_value_to_json(value);
    char *printed = cJSON_PrintUnformatted(written);

    assert_non_null(printed);
    assert_string_equal(printed, json);
    cJSON_free(printed);
    cJSON_Delete(written);
    colony_value_free(value);
}

static void assert_refused_bytes(const char *text, size_t size, const char *message)
{
    struct colony_value *value = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony_value_parse_ini(&value, text, size, "f.ini", &err), -EINVAL);
    assert_null(value);
    if (!strstr(err.message, message))
        fail_msg("`%s` is not in `%s`", message, err.message);
    assert_int_equal(colony_value_parse_ini(&value, text, size, "f.ini", NULL), -EINVAL);
}

static void assert_refused(const char *text, const char *message)
{
    assert_refused_bytes(text, strlen(text), message);
}

TEST(test_gaffers_own_sample_is_read)
{
    assert_means("[gaffer]\n"
                 "http_endpoints = public\n"
                 "\n"
                 "[endpoint:public]\n"
                 "bind = 127.0.0.1:5000\n"
                 ";certfile=\n"
                 ";keyfile=\n"
                 "backlog = 128\n"
                 "\n"
                 "[process:dummy]\n"
                 "cmd = ./dummy.py\n"
                 ";cwd = .\n"
                 "detach = false\n"
                 "shell = 0\n"
                 "; flapping format: attempts=2, window=1., retry_in=7., max_retry=5\n"
                 "flapping = 2, 1., 7., 5\n"
                 "redirect_output = stdout, stderr\n"
                 "graceful_timeout = 30\n"
                 "\n"
                 "[env:dummy]\n"
                 "port = 8000\n",
                 "{\"http\":{\"bind\":[\"127.0.0.1:5000\"]},\"processes\":{\"dummy\":{"
                 "\"env\":{\"PORT\":\"8000\"},\"cmd\":\"./dummy.py\",\"detach\":false,"
                 "\"shell\":false,\"flapping\":\"2, 1., 7., 5\","
                 "\"redirect_output\":[\"stdout\",\"stderr\"],\"graceful_timeout\":30}}}");
}

TEST(test_values_have_the_types_of_yaml_where_they_are_no_text)
{
    assert_means("[process:a]\nnumprocesses=2\nuid=www\ngid=33\ngraceful_timeout=500ms\n"
                 "OS_ENV = no\numask=022\nfoo = bar\nratio=1.10\nstart=1\nnice =\n",
                 "{\"processes\":{\"a\":{\"numprocesses\":2,\"uid\":\"www\",\"gid\":33,"
                 "\"graceful_timeout\":\"500ms\",\"os_env\":false,\"umask\":18,\"foo\":\"bar\","
                 "\"ratio\":1.10,\"start\":true,\"nice\":null}}}");
    assert_means("[process:a]\ncmd = true\nargs = 5 6\ncwd = 1\nname = on\n[env:a]\nx = yes\ny =\n",
                 "{\"processes\":{\"a\":{\"env\":{\"X\":\"yes\",\"Y\":\"\"},\"cmd\":\"true\","
                 "\"args\":\"5 6\",\"cwd\":\"1\",\"name\":\"on\"}}}");
    assert_means("[process:a]\nenv_inherit = A,B ,, C,\n groups = D\ngroups = 33, www\n"
                 "depends_on = db\nenv_file=\n",
                 "{\"processes\":{\"a\":{\"env_inherit\":[\"A\",\"B\",\"C\",\"groups = D\"],"
                 "\"groups\":[33,\"www\"],\"depends_on\":[\"db\"],\"env_file\":null}}}");
}

TEST(test_names_may_have_a_group)
{
    assert_means("[process:web:one]\ncmd=x\n[env:web:one]\na=b\n[process: two ]\ncmd: y\n",
                 "{\"processes\":{\"web:one\":{\"env\":{\"A\":\"b\"},\"cmd\":\"x\"},"
                 "\"two\":{\"cmd\":\"y\"}}}");
}

TEST(test_endpoints_that_are_named_are_bound)
{
    assert_means("[gaffer]\nHTTP_Endpoints = a, b\n[endpoint:b]\nbind = unix:/x\n"
                 "[endpoint:a]\nbind = [::1]:1\n[endpoint:c]\nbind = nowhere\n",
                 "{\"http\":{\"bind\":[\"[::1]:1\",\"unix:/x\"]}}");
    assert_means("[gaffer]\n[endpoint:a]\nbind = :1\n", "{}");
    assert_refused("[gaffer]\nhttp_endpoints = a\n", "f.ini:2:1: cannot use the endpoint `a`");
    assert_refused("[gaffer]\nhttp_endpoints = a\n[endpoint:a]\n",
                   "f.ini:3:1: cannot use "
                   "[endpoint:a]: `bind` is missing");
    assert_refused("[gaffer]\nhttp_endpoints=a\n[endpoint:a]\nbind=:1\nbacklog=x\n",
                   "f.ini:5:1: cannot use `backlog`");
    assert_refused("[gaffer]\nhttp_endpoints=a\n[endpoint:a]\nbind=:1\nbacklgo=1\n",
                   "did you mean `backlog`");
    assert_means("[gaffer]\nhttp_endpoints=a,b\n[endpoint:a]\nbind=:1\ncertfile=/c\nkeyfile=/k\n"
                 "[endpoint:b]\nbind=:2\ncertfile=\n",
                 "{\"http\":{\"bind\":[\":2\"],\"endpoints\":[{\"bind\":\":1\",\"certfile\":\"/c\","
                 "\"keyfile\":\"/k\"}]}}");
}

TEST(test_includes_are_one_list)
{
    assert_means("[gaffer]\ninclude = a.ini b/*.ini,\n c.yaml\ninclude_dir = conf.d\n",
                 "{\"include\":[\"a.ini\",\"b/*.ini\",\"c.yaml\",\"conf.d\"]}");
}

TEST(test_other_sections_are_the_users_own)
{
    assert_means("[mine]\nPort = 5\n[other:x]\n", "{\"mine\":{\"Port\":\"5\"},\"other:x\":{}}");
    assert_means("[webhooks]\n. = http://x/\n", "{\"webhooks\":{\".\":\"http://x/\"}}");
    assert_refused("[proces:a]\ncmd=x\n", "f.ini:1:1: cannot use the section [proces:a]: did you "
                                          "mean [process:NAME]?");
    assert_refused("[gafer]\n", "did you mean [gaffer]?");
    assert_refused("[process]\n", "did you mean [process:NAME]?");
    assert_refused("[http]\nbind=none\n", "write this one in YAML");
    assert_refused("[colony]\n", "write this one in YAML");
    assert_refused("[gaffer]\nhttp_endpoint=a\n", "did you mean `http_endpoints`");
}

TEST(test_what_is_there_twice_is_refused_with_its_place)
{
    assert_refused("[process:a]\ncmd=x\n  \n  cmd=z\ncmd=y\n",
                   "f.ini:5:1: cannot use the key `cmd` twice: it is on line 2 already");
    assert_refused("[process:a]\ncmd=x\nCMD=y\n", "f.ini:3:1: cannot use the key `cmd` twice");
    assert_refused("[mine]\n\n[mine]\n", "f.ini:3:1: cannot use the key `mine` twice");
    assert_refused("[process:a]\n[process: a]\n", "f.ini:2:1: cannot use the key `a` twice");
    assert_refused("[process:a]\ncmd=x\n[env:a]\nx=1\nX=2\n", "f.ini:5:1: cannot use the key `X`");
    assert_refused("[process:a]\nenv=x\n[env:a]\nx=1\n", "cannot use the key `env` twice");
}

TEST(test_a_default_holds_where_nothing_else_is_said)
{
    assert_means(
        "[process:a]\ncmd = x\n[DEFAULT]\nNumProcesses = 3\nwho = me\n"
        "[process:b]\ncmd = y\nNUMPROCESSES = 1\n[env:b]\n[webhooks]\n. = http://x\n[own]\n",
        "{\"processes\":{\"a\":{\"who\":\"me\",\"numprocesses\":3,\"cmd\":\"x\"},"
        "\"b\":{\"env\":{\"WHO\":\"me\",\"NUMPROCESSES\":\"3\"},\"who\":\"me\",\"cmd\":\"y\","
        "\"numprocesses\":1}},"
        "\"webhooks\":{\".\":\"http://x\"},\"own\":{\"who\":\"me\",\"NumProcesses\":\"3\"}}");
    assert_refused("[DEFAULT]\na = 1\n[DEFAULT]\n", "f.ini:3:1");
    assert_refused("[DEFAULT]\na = 1\na = 2\n", "f.ini:3:1");
}

TEST(test_a_default_does_not_grow_without_end)
{
    size_t sections = 3000;
    size_t size = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    fprintf(out, "[DEFAULT]\nx = %08000d\n", 0);
    for (size_t i = 0; i < sections; i++)
        fprintf(out, "[s%zu]\n", i);
    assert_int_equal(fclose(out), 0);
    assert_refused_bytes(text, size, "more than 16 MiB");
    free(text);
    text = NULL;
    out = open_memstream(&text, &size);
    assert_non_null(out);
    fprintf(out, "[DEFAULT]\n");
    for (size_t i = 0; i < 65; i++)
        fprintf(out, "k%zu = 1\n", i);
    assert_int_equal(fclose(out), 0);
    assert_refused_bytes(text, size, "more than 64 keys");
    free(text);
}

TEST(test_what_begins_with_a_section_looks_like_ini)
{
    static const char *const yes[] = {"[gaffer]",
                                      "\xef\xbb\xbf\r\n ; a\n# b\n\n [process:a] \r\nx"};
    static const char *const no[] = {"",          "a: b\n[gaffer]\n", "[",    "[]",
                                     "[a, b]: c", "[{a: b}]",         "- [a]"};

    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(colony_value_looks_like_ini(yes[i], strlen(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(colony_value_looks_like_ini(no[i], strlen(no[i])));
}

TEST(test_an_environment_needs_its_process)
{
    assert_refused("[env:a]\nx=1\n[env:b]\n",
                   "f.ini:1:1: cannot use [env:a]: there is no section [process:a] in this file");
}

TEST(test_lines_that_are_none_are_refused_with_their_number)
{
    assert_refused("[process:a]\ncmd\n", "f.ini:2:1: cannot read this INI: write KEY = VALUE");
    assert_refused("\n[process:a\ncmd=x\n", "f.ini:2:1: cannot read this INI");
    assert_refused("cmd=x\n", "f.ini:1:1: cannot use this key: put it below a [SECTION]");
    assert_refused("[mine]\n = x\n", "f.ini:2:2: cannot use this value: its key is missing");
    /* The first mistake is told, whoever finds it. */
    assert_refused("[mine]\nx\n[mine]\n= y\n", "f.ini:2:1: ");
}

TEST(test_comments_and_lines_that_go_on)
{
    assert_means("# a\n; b\n[mine] ; c\nx = 1 ; d\ny = 1;2 # 3\n",
                 "{\"mine\":{\"x\":\"1\",\"y\":\"1;2 # 3\"}}");
    assert_means("[mine]\nx = 1\n  2\n ; no\n\n\t[3]\ny = 4\n", "{\"mine\":{\"x\":\"1\\n2\\n[3]\","
                                                                "\"y\":\"4\"}}");
    assert_means("[mine]\n  x = 1\n", "{\"mine\":{\"x\":\"1\"}}");
}

TEST(test_encodings)
{
    assert_means("\xef\xbb\xbf[mine]\r\nx = \xc3\xa9\r\ny = 2", "{\"mine\":{\"x\":\"\xc3\xa9\","
                                                                "\"y\":\"2\"}}");
    assert_means("", "{}");
    assert_means("\xef\xbb\xbf", "{}");
    assert_refused("[mine]\nx = a\xff\n", "f.ini:2:6: cannot read this INI: it is not UTF-8");
    assert_refused_bytes("[mine]\nx\0y\n", 11,
                         "f.ini:2:2: cannot read this INI: it has a NUL byte");
}

/* "[process:LONG]\nLONG = LONG" with @size bytes of each; the caller frees it. */
static char *make_long(size_t name, size_t value)
{
    size_t size = name + value + 64;
    char *text = malloc(size);

    assert_non_null(text);
    (void)snprintf(text, size, "[process:%0*d]\ncmd = x\nargs = %0*d\n", (int)name, 0, (int)value,
                   0);
    return text;
}

TEST(test_long_lines_are_whole_or_refused)
{
    static const size_t sizes[] = {40, 60, 190, 191, 192, 193, 198, 200, 1000, 65000, 70000};
    struct colony_error err;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct colony_value *value = NULL;
        const struct colony_value *process;
        char *text = make_long(190, sizes[i]);
        int rc = colony_value_parse_ini(&value, text, strlen(text), "f.ini", &err);

        if (rc < 0) {
            assert_true(sizes[i] > 180);
            assert_non_null(
                strstr(err.message, "f.ini:3:1: cannot read this line: it is too long"));
        } else {
            process = colony_value_get(value, "processes")->child;
            assert_int_equal(strlen(process->key), 190);
            assert_int_equal(strlen(colony_value_get(process, "args")->text), sizes[i]);
        }
        assert_true(rc < 0 || sizes[i] < 70000);
        colony_value_free(value);
        free(text);
    }
}

TEST(test_a_value_of_many_lines_has_a_limit)
{
    const size_t lines = 100000;
    char *text = calloc(1, lines * 3 + 64);
    char *end = text;

    assert_non_null(text);
    end = stpcpy(end, "[process:a]\ncmd = x\n");
    for (size_t i = 0; i < lines; i++)
        end = stpcpy(end, " y\n");
    assert_refused(text, "cannot use this value: it has more than 128 KiB");
    free(text);
}

/* As many as a keeper holds: each is looked for among all sections. */
TEST(test_no_more_endpoints_are_named_than_can_be_held)
{
    char text[1024] = "[gaffer]\nhttp_endpoints = a";
    char *end = text + strlen(text);
    struct colony_value *value;

    for (size_t i = 1; i < KEEPER_SOCKETS_MAX; i++)
        end = stpcpy(end, ",a");
    memcpy(end, "\n[endpoint:a]\nbind = 1\n", sizeof "\n[endpoint:a]\nbind = 1\n");
    value = parse(text);
    colony_value_free(value);
    memcpy(end, ",a\n[endpoint:a]\nbind = 1\n", sizeof ",a\n[endpoint:a]\nbind = 1\n");
    assert_refused(text, "f.ini:2:1: cannot use `http_endpoints`: there are more than 64");
}

TEST(test_nodes_know_their_places)
{
    struct colony_value *value = parse("\n[process:a]\n\n  cmd = x\n");
    const struct colony_value *process = colony_value_get(value, "processes")->child;

    assert_int_equal(process->line, 2);
    assert_int_equal(process->column, 1);
    assert_int_equal(process->child->line, 4);
    assert_int_equal(process->child->column, 3);
    colony_value_free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaffers_own_sample_is_read),
        cmocka_unit_test(test_values_have_the_types_of_yaml_where_they_are_no_text),
        cmocka_unit_test(test_names_may_have_a_group),
        cmocka_unit_test(test_endpoints_that_are_named_are_bound),
        cmocka_unit_test(test_includes_are_one_list),
        cmocka_unit_test(test_other_sections_are_the_users_own),
        cmocka_unit_test(test_what_is_there_twice_is_refused_with_its_place),
        cmocka_unit_test(test_a_default_holds_where_nothing_else_is_said),
        cmocka_unit_test(test_a_default_does_not_grow_without_end),
        cmocka_unit_test(test_what_begins_with_a_section_looks_like_ini),
        cmocka_unit_test(test_an_environment_needs_its_process),
        cmocka_unit_test(test_lines_that_are_none_are_refused_with_their_number),
        cmocka_unit_test(test_comments_and_lines_that_go_on),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_long_lines_are_whole_or_refused),
        cmocka_unit_test(test_a_value_of_many_lines_has_a_limit),
        cmocka_unit_test(test_no_more_endpoints_are_named_than_can_be_held),
        cmocka_unit_test(test_nodes_know_their_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
