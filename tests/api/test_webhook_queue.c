/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "api/webhook_internal.h"
#include "api/webhook_queue_internal.h"

#include "../test.h"

static const struct colony__webhook_limits three = {3, 1 << 20};

static void add(struct colony__webhook_queue *queue, const struct colony__webhook_limits *limits,
                const char *body)
{
    colony__webhook_queue_add(
        queue, limits,
        &(const struct colony__webhook_news){.name = "exit", .body = body, .size = strlen(body)});
}

/* "a b c " */
static const char *all(const struct colony__webhook_queue *queue)
{
    static char text[256];
    size_t used = 0;

    text[0] = '\0';
    for (const struct colony__webhook_event *at = queue->first; at; at = at->next)
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s ", (int)at->size, at->body);
    return text;
}

TEST(test_events_come_out_in_their_order)
{
    struct colony__webhook_queue queue = {0};

    add(&queue, &three, "a");
    add(&queue, &three, "b");
    assert_string_equal(queue.first->body[0] == 'a' ? queue.first->name : "", "exit");
    colony__webhook_queue_pop(&queue);
    add(&queue, &three, "c");
    assert_string_equal(all(&queue), "b c ");
    colony__webhook_queue_pop(&queue);
    colony__webhook_queue_pop(&queue);
    assert_true(queue.count == 0 && queue.bytes == 0 && !queue.first && !queue.last);
    colony__webhook_queue_pop(&queue); /* of nothing */
    add(&queue, &three, "d");
    assert_string_equal(all(&queue), "d ");
    colony__webhook_queue_clear(&queue);
    assert_int_equal(queue.dropped, 0);
}

TEST(test_above_the_limit_the_oldest_goes_but_not_what_is_being_sent)
{
    struct colony__webhook_queue queue = {0};

    for (const char *const *at = (const char *const[]){"a", "b", "c", "d", NULL}; *at; at++)
        add(&queue, &three, *at);
    assert_string_equal(all(&queue), "b c d ");
    queue.is_first_held = true;
    add(&queue, &three, "e");
    add(&queue, &three, "f");
    assert_string_equal(all(&queue), "b e f ");
    assert_int_equal(queue.dropped, 3);
    colony__webhook_queue_pop(&queue);
    add(&queue, &three, "g");
    add(&queue, &three, "h");
    assert_string_equal(all(&queue), "f g h ");
    colony__webhook_queue_clear(&queue);
}

TEST(test_bytes_are_bounded_too)
{
    const struct colony__webhook_limits limits = {100,
                                                  3 * (sizeof(struct colony__webhook_event) + 4)};
    const struct colony__webhook_limits none = {1, 1};
    struct colony__webhook_queue queue = {0};

    add(&queue, &limits, "aaaa");
    add(&queue, &limits, "bbbb");
    add(&queue, &limits, "cccc");
    assert_int_equal(queue.dropped, 0);
    add(&queue, &limits, "ddddd");
    assert_string_equal(all(&queue), "cccc ddddd ");
    queue.is_first_held = true;
    colony__webhook_queue_trim(&queue, &none);
    assert_string_equal(all(&queue), "cccc "); /* it is on its way */
    queue.is_first_held = false;
    colony__webhook_queue_trim(&queue, &none);
    assert_true(queue.count == 0 && queue.bytes == 0 && !queue.last);
    assert_int_equal(queue.dropped, 4);
}

TEST(test_attempts_are_made_more_and_more_seldom)
{
    static const uint64_t wanted_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};

    for (uint32_t i = 0; i < sizeof wanted_ms / sizeof wanted_ms[0]; i++) {
        assert_int_equal(colony__webhook_delay_ms(i, 0, 0), wanted_ms[i]);
        for (uint32_t random = 1; random != 0 && random < UINT32_C(1) << 31; random *= 3) {
            uint64_t delay_ms = colony__webhook_delay_ms(i, 0, random);

            assert_true(delay_ms <= wanted_ms[i] && delay_ms >= wanted_ms[i] * 3 / 4);
        }
    }
    assert_int_equal(colony__webhook_delay_ms(UINT32_MAX, 0, 0), 60000);
}

TEST(test_a_server_may_ask_for_more_time_within_reason)
{
    assert_int_equal(colony__webhook_delay_ms(0, 30, 0), 30000);
    assert_int_equal(colony__webhook_delay_ms(5, 1, 0), 32000);
    assert_int_equal(colony__webhook_delay_ms(0, UINT64_MAX, 0), 600000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_come_out_in_their_order),
        cmocka_unit_test(test_above_the_limit_the_oldest_goes_but_not_what_is_being_sent),
        cmocka_unit_test(test_bytes_are_bounded_too),
        cmocka_unit_test(test_attempts_are_made_more_and_more_seldom),
        cmocka_unit_test(test_a_server_may_ask_for_more_time_within_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
