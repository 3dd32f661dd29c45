/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/feed_form_internal.h"

#include "../test.h"

static const struct colony__form source = {.feed = FEED_EVENTSOURCE, .unit = "events"};
static const struct colony__form lines = {.feed = FEED_CONTINUOUS, .unit = "events"};
static const struct colony__form raw = {.feed = FEED_LONGPOLL, .is_raw = true, .unit = "bytes"};

/* @text of @size bytes becomes @expected, within what was promised. */
static void expect(const struct colony__form *form, const char *text, size_t size,
                   const char *expected)
{
    const struct colony__tidings tidings = {.event = "out", .id = 7, .text = text, .size = size};
    char out[512];
    size_t written;

    memset(out, '#', sizeof out);
    written = colony__form_write(form, &tidings, out);
    assert_int_equal(written, strlen(expected));
    assert_memory_equal(out, expected, written);
    assert_true(written <= colony__form_size(form, &tidings));
}

#define BEGIN "id: 7\r\nevent: out\r\n"

TEST(test_each_line_of_an_event_is_a_line_of_data)
{
    expect(&source, "{}", 2, BEGIN "data: {}\r\n\r\n");
    expect(&source, "a\nb", 3, BEGIN "data: a\r\ndata: b\r\n\r\n");
    expect(&source, "a\n", 2, BEGIN "data: a\r\ndata: \r\n\r\n");
    expect(&source, "\n\n", 2, BEGIN "data: \r\ndata: \r\ndata: \r\n\r\n");
    expect(&source, "a\r\nb\rc", 6, BEGIN "data: a\r\ndata: b\r\ndata: c\r\n\r\n");
    expect(&source, "a\r", 2, BEGIN "data: a\r\ndata: \r\n\r\n");
    expect(&source, "", 0, BEGIN "data: \r\n\r\n");
}

TEST(test_an_event_without_an_id_has_no_line_of_it)
{
    const struct colony__tidings tidings = {
        .event = "topic.a", .id = COLONY__NO_ID, .text = "{}", .size = 2};
    const char *expected = "event: topic.a\r\ndata: {}\r\n\r\n";
    char out[64];

    assert_int_equal(colony__form_write(&source, &tidings, out), strlen(expected));
    assert_memory_equal(out, expected, strlen(expected));
}

TEST(test_the_data_of_an_event_is_utf_8)
{
    expect(&source, "a\xff\xc3", 3, BEGIN "data: a??\r\n\r\n");
    expect(&source, "\0\xc3\xa4\0", 4, BEGIN "data: ?\xc3\xa4?\r\n\r\n");
    expect(&source, "\xed\xa0\x80", 3, BEGIN "data: ???\r\n\r\n");
}

TEST(test_json_is_a_line_and_bytes_are_as_they_are)
{
    expect(&lines, "{}", 2, "{}\r\n");
    expect(&raw, "a\r\n\xff", 4, "a\r\n\xff");
    expect(&raw, "", 0, "");
}

TEST(test_only_an_event_source_begins_with_something)
{
    size_t size;

    assert_memory_equal(colony__form_begin(&source, &size), "retry: 2000\r\n\r\n", 15);
    assert_int_equal(size, 15);
    (void)colony__form_begin(&lines, &size);
    assert_int_equal(size, 0);
    assert_string_equal(colony__form_type(&source), "text/event-stream");
    assert_string_equal(colony__form_type(&lines), "application/json");
    assert_string_equal(colony__form_type(&raw), "application/octet-stream");
}

TEST(test_a_loss_is_told_in_the_form_and_the_unit)
{
    static const struct {
        const struct colony__form *form;
        const char *text;
    } told[] = {
        {&source, "event: dropped\r\ndata: {\"events\":18446744073709551615}\r\n\r\n"},
        {&lines, "{\"event\":\"dropped\",\"events\":18446744073709551615}\r\n"},
        {&raw, "\n[colony: 18446744073709551615 bytes are missing here: they were not read in "
               "time]\n"},
    };

    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        char out[COLONY__DROPPED_MAX];
        size_t size = colony__form_dropped(told[i].form, out, UINT64_MAX);

        assert_int_equal(size, strlen(told[i].text));
        assert_memory_equal(out, told[i].text, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_line_of_an_event_is_a_line_of_data),
        cmocka_unit_test(test_an_event_without_an_id_has_no_line_of_it),
        cmocka_unit_test(test_the_data_of_an_event_is_utf_8),
        cmocka_unit_test(test_json_is_a_line_and_bytes_are_as_they_are),
        cmocka_unit_test(test_only_an_event_source_begins_with_something),
        cmocka_unit_test(test_a_loss_is_told_in_the_form_and_the_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
