/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/frames_internal.h"

#include "../test.h"

struct fixture {
    struct colony__frames *frames;
    char got[256]; /* messages, each with a line end */
    bool is_greedy;
};

static void on_message(const char *bytes, size_t size, void *data)
{
    struct fixture *f = data;

    strncat(f->got, bytes, size);
    strcat(f->got, "\n");
    if (!f->is_greedy)
        colony__frames_pause(f->frames, true);
}

static void fixture_init(struct fixture *f, bool is_greedy)
{
    memset(f, 0, sizeof *f);
    f->is_greedy = is_greedy;
    assert_int_equal(colony__frames_new(&f->frames,
                                        &(struct colony__frames_options){
                                            .message_max = 1000, .message = on_message, .data = f}),
                     0);
}

static void fixture_clear(struct fixture *f)
{
    colony__frames_free(f->frames);
}

/* Its mask is of zeros. */
static size_t put_frame(char *out, unsigned first, const char *text)
{
    size_t size = strlen(text);

    out[0] = (char)first;
    out[1] = (char)(0x80U | size);
    memset(out + 2, 0, 4);
    memcpy(out + 6, text, size);
    return size + 6;
}

static void expect_replies(struct fixture *f, const char *bytes, size_t size)
{
    struct colony__buffer *replies = colony__frames_replies(f->frames);

    assert_int_equal(replies->size, size);
    assert_memory_equal(replies->data, bytes, size);
    colony__buffer_reset(replies);
}

TEST(test_a_head_says_the_size_in_as_few_bytes_as_can_be)
{
    char head[COLONY__FRAME_HEAD_MAX];

    assert_int_equal(colony__frame_head(head, FRAME_TEXT, 125), 2);
    assert_memory_equal(head, "\x81\x7d", 2);
    assert_int_equal(colony__frame_head(head, FRAME_BINARY, 126), 4);
    assert_memory_equal(head, "\x82\x7e\x00\x7e", 4);
    assert_int_equal(colony__frame_head(head, FRAME_BINARY, 65535), 4);
    assert_int_equal(colony__frame_head(head, FRAME_BINARY, 65536), 10);
    assert_memory_equal(head, "\x82\x7f\0\0\0\0\0\x01\0\0", 10);
}

TEST(test_a_message_is_joined_and_a_ping_within_it_is_answered)
{
    struct fixture f;
    char bytes[64];
    size_t size;

    fixture_init(&f, true);
    size = put_frame(bytes, 0x01, "one");
    size += put_frame(bytes + size, 0x89, "p");
    assert_int_equal(colony__frames_feed(f.frames, bytes, size), size);
    assert_true(colony__frames_is_midway(f.frames));
    expect_replies(&f, "\x8a\x01p", 3);
    size = put_frame(bytes, 0x80, "two");
    assert_int_equal(colony__frames_feed(f.frames, bytes, size), size);
    assert_false(colony__frames_is_midway(f.frames));
    assert_string_equal(f.got, "onetwo\n");
    fixture_clear(&f);
}

TEST(test_while_paused_nothing_is_taken)
{
    struct fixture f;
    char bytes[16];
    size_t size = put_frame(bytes, 0x81, "a");

    fixture_init(&f, false);
    assert_int_equal(colony__frames_feed(f.frames, bytes, size), size);
    assert_int_equal(colony__frames_feed(f.frames, bytes, size), 0);
    colony__frames_pause(f.frames, false);
    assert_int_equal(colony__frames_feed(f.frames, bytes, size), size);
    assert_string_equal(f.got, "a\na\n");
    fixture_clear(&f);
}

TEST(test_replies_that_are_not_taken_away_end_the_reading)
{
    struct fixture f;
    char text[101];
    char bytes[128];
    size_t size;
    int fed = 0;

    fixture_init(&f, true);
    memset(text, 'x', 100);
    text[100] = '\0';
    size = put_frame(bytes, 0x89, text);
    while (fed < 1000 && colony__frames_feed(f.frames, bytes, size) == size)
        fed++;
    assert_int_equal(fed, COLONY__REPLIES_PAUSE / 102 + 1);
    colony__buffer_reset(colony__frames_replies(f.frames));
    assert_int_equal(colony__frames_feed(f.frames, bytes, size), size);
    fixture_clear(&f);
}

TEST(test_after_a_close_nothing_more_is_read_or_said)
{
    struct fixture f;
    char bytes[16];
    size_t size = put_frame(bytes, 0x81, "late");

    fixture_init(&f, true);
    colony__frames_close(f.frames, CLOSE_GOING_AWAY, "end");
    assert_true(colony__frames_is_over(f.frames));
    colony__frames_close(f.frames, CLOSE_FAILED, "again");
    assert_int_equal(colony__frames_feed(f.frames, bytes, size), size);
    expect_replies(&f,
                   "\x88\x05\x03\xe9"
                   "end",
                   7);
    assert_string_equal(f.got, "");
    fixture_clear(&f);
}

TEST(test_a_fault_is_the_last_that_is_answered)
{
    struct fixture f;
    char bytes[64];
    size_t size = put_frame(bytes, 0x81, "good");

    fixture_init(&f, true);
    size += put_frame(bytes + size, 0x83, "");
    size += put_frame(bytes + size, 0x81, "late");
    assert_int_equal(colony__frames_feed(f.frames, bytes, size), size);
    assert_true(colony__frames_is_over(f.frames));
    assert_string_equal(f.got, "good\n");
    expect_replies(&f, "\x88\x02\x03\xea", 4);
    fixture_clear(&f);
}

TEST(test_a_message_above_the_limit_is_refused_with_a_reason)
{
    struct fixture f;
    char text[101];
    char bytes[128];
    size_t size;

    fixture_init(&f, true);
    memset(text, 'x', 100);
    text[100] = '\0';
    for (unsigned i = 0; i <= 10; i++) {
        size = put_frame(bytes, i == 0 ? 0x02 : 0x00, text);
        assert_false(colony__frames_is_over(f.frames));
        assert_int_equal(colony__frames_feed(f.frames, bytes, size), size);
    }
    assert_true(colony__frames_is_over(f.frames));
    assert_memory_equal(colony__frames_replies(f.frames)->data + 2, "\x03\xf1the message", 13);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head_says_the_size_in_as_few_bytes_as_can_be),
        cmocka_unit_test(test_a_message_is_joined_and_a_ping_within_it_is_answered),
        cmocka_unit_test(test_while_paused_nothing_is_taken),
        cmocka_unit_test(test_replies_that_are_not_taken_away_end_the_reading),
        cmocka_unit_test(test_after_a_close_nothing_more_is_read_or_said),
        cmocka_unit_test(test_a_fault_is_the_last_that_is_answered),
        cmocka_unit_test(test_a_message_above_the_limit_is_refused_with_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
