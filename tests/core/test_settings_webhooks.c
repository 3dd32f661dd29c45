/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/settings.h"

#include "../test.h"

static struct colony_settings *parse(const char *json)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    if (colony_settings_parse_json(&settings, json, strlen(json), &err) < 0)
        fail_msg("%s", err.message);
    return settings;
}

static void assert_refused(const char *json, const char *message)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony_settings_parse_json(&settings, json, strlen(json), &err), -EINVAL);
    if (!strstr(err.message, message))
        fail_msg("`%s` is not in `%s`", message, err.message);
}

TEST(test_a_map_of_events_and_urls_is_a_hook_for_each)
{
    struct colony_settings *settings =
        parse("{\"webhooks\": {\".\": \"http://a/\", \"exit\": [\"http://b/\", {\"url\": "
              "\"https://c/\", \"retries\": 0}], \"proc.web\": {\"url\": \"http://d/\"}}}");
    const struct colony_webhooks_settings *webhooks = &settings->webhooks;
    static const char *const wanted[][2] = {{"http://a/", "."},
                                            {"http://b/", "exit"},
                                            {"https://c/", "exit"},
                                            {"http://d/", "proc.web"}};

    assert_int_equal(webhooks->count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(webhooks->list[i].url, wanted[i][0]);
        assert_string_equal(webhooks->list[i].events[0], wanted[i][1]);
        assert_null(webhooks->list[i].events[1]);
    }
    assert_int_equal(webhooks->list[2].retries, 0);
    assert_int_equal(webhooks->list[0].retries, 8);
    assert_int_equal(webhooks->list[0].events_max, 1000);
    assert_int_equal(webhooks->list[0].timeout_ms, 10000);
    colony_settings_free(settings);
}

TEST(test_a_list_and_a_single_one_have_every_event_unless_they_say_which)
{
    struct colony_settings *list =
        parse("{\"webhooks\": [\"http://a/\", {\"url\": \"http://b/\", \"events\": [\"exit\", "
              "\"proc.a.b\"]}]}");
    struct colony_settings *one = parse("{\"webhooks\": {\"url\": \"http://a/\"}}");

    assert_int_equal(list->webhooks.count, 2);
    assert_string_equal(list->webhooks.list[0].events[0], ".");
    assert_string_equal(list->webhooks.list[1].events[1], "proc.a.b");
    assert_int_equal(one->webhooks.count, 1);
    assert_string_equal(one->webhooks.list[0].events[0], ".");
    colony_settings_free(list);
    colony_settings_free(one);
}

TEST(test_they_are_the_same_after_being_written)
{
    struct colony_settings *settings =
        parse("{\"webhooks\": [{\"url\": \"https://u:p@h:8/?a=b\", \"events\": \"exit\", "
              "\"secret_file\": \"/s\", \"ca\": \"/c\", \"headers\": {\"X-A\": \"b: c\", "
              "\"X-N\": 5}, \"timeout\": 2.5, \"max_bytes\": \"64k\"}]}");
    struct colony_settings *copy;
    char *text = NULL;

    assert_int_equal(colony_settings_to_json(settings, &text), 0);
    copy = parse(text);
    assert_string_equal(copy->webhooks.list[0].headers[0], "X-A: b: c");
    assert_string_equal(copy->webhooks.list[0].headers[1], "X-N: 5");
    assert_string_equal(copy->webhooks.list[0].ca, "/c");
    assert_int_equal(copy->webhooks.list[0].timeout_ms, 2500);
    assert_int_equal(copy->webhooks.list[0].bytes_max, 65536);
    free(text);
    assert_int_equal(colony_settings_to_json(copy, &text), 0);
    free(text);
    colony_settings_free(copy);
    colony_settings_free(settings);
}

TEST(test_people_see_where_an_url_leads_and_no_secret_of_it)
{
    static const char *const wanted[][2] = {
        {"http://a/", "http://a"},
        {"https://a.b:8443/x?y#z", "https://a.b:8443"},
        {"https://user:secret@a.b/x@y", "https://a.b"},
        {"https://a@b@c:1?secret", "https://c:1"},
        {"http://[::1]:80/secret", "http://[::1]:80"},
    };
    char text[64];

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        colony_webhook_origin(wanted[i][0], text, sizeof text);
        assert_string_equal(text, wanted[i][1]);
    }
    colony_webhook_origin("http://0123456789/", text, 12);
    assert_string_equal(text, "http://0123");
}

TEST(test_what_cannot_be_used_is_refused)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "http://",
                                      "http:///a",
                                      "http://:8",
                                      "ftp://a/",
                                      "HTTP://a/",
                                      "http://a b/",
                                      "http://@/",
                                      "http://a\n",
                                      "http://a/\xc3\xa9",
                                      "http://[zz",
                                      "http://[::1",
                                      "http://[zz]/",
                                      "http://[::1]8",
                                      "http://a:b",
                                      "http://a:8x/",
                                      "http://a:65536/",
                                      "http://{a}/"};
    static const char *const good[] = {"http://a:8",
                                       "http://a:/x",
                                       "http://[::1]:65535?y",
                                       "https://u@a_b",
                                       "http://[fe80::1%25eth0]/",
                                       "http://a/[x]"};
    char json[128];

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(colony_is_http_url(good[i]));

    for (size_t i = 1; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(json, sizeof json, "{\"webhooks\": {\".\": \"%s\"}}",
                       strcmp(bad[i], "http://a\n") == 0 ? "http://a\\n" : bad[i]);
        assert_refused(json, "it must be http:// or https://, a host, and no blanks");
    }
    assert_refused("{\"webhooks\": {\".\": \"\"}}", "it is empty");
    assert_refused("{\"webhooks\": {\"stray\": \"http://a/\"}}", "cannot use the event `stray`");
    assert_refused("{\"webhooks\": {\"proc.\": \"http://a/\"}}", "cannot use the event `proc.`");
    assert_refused("{\"webhooks\": [{\"url\": \"http://a/\", \"headers\": [1]}]}",
                   "it must be a map of names and texts");
    assert_refused("{\"webhooks\": [{\"url\": \"http://a/\", \"headers\": {\"x-colony-a\": "
                   "\"1\"}}]}",
                   "no name of a header");
    assert_refused("{\"webhooks\": [5]}", "it must be a map of settings");
}

TEST(test_there_are_so_many_at_most)
{
    char json[4096] = "{\"webhooks\": [\"http://a/\"";

    for (int i = 0; i < COLONY_WEBHOOKS_MAX; i++)
        (void)strcat(json, ", \"http://a/\"");
    (void)strcat(json, "]}");
    assert_refused(json, "there are more than 64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_map_of_events_and_urls_is_a_hook_for_each),
        cmocka_unit_test(test_a_list_and_a_single_one_have_every_event_unless_they_say_which),
        cmocka_unit_test(test_they_are_the_same_after_being_written),
        cmocka_unit_test(test_people_see_where_an_url_leads_and_no_secret_of_it),
        cmocka_unit_test(test_what_cannot_be_used_is_refused),
        cmocka_unit_test(test_there_are_so_many_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
