/* SPDX-License-Identifier: Apache-2.0 */
#include "opened.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

/* What a listener was told, in order. */
struct heard {
    struct opened *opened;
    struct colony_listener *listener;
    int count;
    char evtype[64];
    double number; /* of the last message; -1: it had none */
};

static void on_heard(const char *evtype, const struct colony_msg *msg, void *data)
{
    const cJSON *json = colony_msg_json(msg);
    struct heard *heard = data;
    size_t size = 1;

    assert_null(colony_msg_bytes(msg, &size));
    assert_int_equal(size, 0);
    assert_int_equal(colony_msg_id(msg), 0);
    assert_int_equal(colony_msg_lost(msg), 0);
    heard->count++;
    heard->number = json ? json->valuedouble : -1;
    (void)snprintf(heard->evtype, sizeof heard->evtype, "%s", evtype);
}

static void hear(struct heard *heard, struct opened *opened, const char *pattern,
                 colony_listen_cb cb)
{
    *heard = (struct heard){.opened = opened};
    assert_int_equal(colony_subscribe(opened->colony, pattern, cb, heard, &heard->listener, NULL),
                     0);
}

static void open_heard_by_two(struct opened *opened, struct heard *first, colony_listen_cb cb,
                              struct heard *second)
{
    opened_init(opened);
    hear(first, opened, "a", cb);
    hear(second, opened, "a", on_heard);
}

static void publish(struct opened *opened, const char *topic, double number)
{
    cJSON *message = cJSON_CreateNumber(number);

    assert_int_equal(colony_publish(opened->colony, topic, message, NULL), 0);
    cJSON_Delete(message);
}

TEST(test_a_topic_is_told_to_those_whose_pattern_begins_it)
{
    static const struct {
        const char *pattern;
        int count;
    } rows[] = {{".", 3}, {"orders", 2}, {"orders.paid", 1}, {"order", 0}, {"orders.paid.x", 0}};
    struct opened opened;
    struct heard heard[sizeof rows / sizeof rows[0]];

    opened_init(&opened);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        hear(&heard[i], &opened, rows[i].pattern, on_heard);
    publish(&opened, "orders", 1);
    publish(&opened, "orders.paid", 2);
    publish(&opened, "other", 3);
    assert_int_equal(heard[0].count, 0); /* never from inside */
    opened_turn(&opened);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(heard[i].count, rows[i].count);
    assert_string_equal(heard[1].evtype, "orders.paid");
    assert_int_equal((int)heard[0].number, 3);
    opened_clear(&opened); /* which frees those who listen still */
}

TEST(test_a_topic_without_a_message_has_none)
{
    struct opened opened;
    struct heard heard;

    opened_init(&opened);
    hear(&heard, &opened, "tick", on_heard);
    assert_int_equal(colony_publish(opened.colony, "tick", NULL, NULL), 0);
    opened_turn(&opened);
    assert_int_equal(heard.count, 1);
    assert_int_equal((int)heard.number, -1);
    opened_clear(&opened);
}

TEST(test_topics_of_the_engine_and_no_topics_are_refused)
{
    static const char *const topics[] = {"",           ".",           "a.",        ".a",
                                         "a..b",       "a b",         "spawn",     "exit",
                                         "spawn.mine", "event.x",     "proc",      "proc.web.x",
                                         "ü",          "stray.thing", "session.a", "topic.a"};
    struct colony_error err = {0};
    struct opened opened;
    char topic[202];

    opened_init(&opened);
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        assert_int_equal(colony_publish(opened.colony, topics[i], NULL, &err), -EINVAL);
        assert_ptr_equal(strstr(err.message, "cannot publish"), err.message);
    }
    memset(topic, 'a', sizeof topic - 1);
    topic[sizeof topic - 1] = '\0';
    assert_int_equal(colony_publish(opened.colony, topic, NULL, &err), -EINVAL);
    topic[200] = '\0';
    assert_int_equal(colony_publish(opened.colony, topic, NULL, &err), 0);
    assert_int_equal(colony_publish(opened.colony, "spawns.x-1_2:3", NULL, &err), 0);
    opened_clear(&opened);
}

TEST(test_what_is_published_is_bounded)
{
    size_t size = 9 << 20;
    char *text = malloc(size);
    cJSON *message = cJSON_CreateArray();
    struct colony_error err = {0};
    struct opened opened;
    struct heard heard;

    assert_non_null(text);
    memset(text, 'x', size - 1);
    text[size - 1] = '\0';
    assert_true(cJSON_AddItemToArray(message, cJSON_CreateString(text)));
    free(text);
    opened_init(&opened);
    hear(&heard, &opened, "big", on_heard);
    assert_int_equal(colony_publish(opened.colony, "big", message, NULL), 0);
    assert_int_equal(colony_publish(opened.colony, "big", message, &err), -EAGAIN);
    assert_non_null(strstr(err.message, "cannot publish big: 16 MiB wait"));
    assert_int_equal(colony_publish(opened.colony, "small", NULL, NULL), 0);
    opened_turn(&opened);
    assert_int_equal(heard.count, 1);
    assert_int_equal(colony_publish(opened.colony, "big", message, NULL), 0);
    opened_clear(&opened);
    cJSON_Delete(message);
}

TEST(test_no_pattern_is_refused)
{
    struct opened opened;
    struct colony_listener *listener;

    opened_init(&opened);
    assert_int_equal(colony_subscribe(opened.colony, "", on_heard, NULL, &listener, NULL), -EINVAL);
    opened_clear(&opened);
}

static void end_itself(const char *evtype, const struct colony_msg *msg, void *data)
{
    struct heard *heard = data;

    on_heard(evtype, msg, data);
    colony_unsubscribe(heard->listener);
}

TEST(test_a_listener_may_end_in_its_callback)
{
    struct opened opened;
    struct heard first;
    struct heard second;

    open_heard_by_two(&opened, &first, end_itself, &second);
    publish(&opened, "a", 1);
    publish(&opened, "a", 2);
    opened_turn(&opened);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 2);
    opened_clear(&opened);
}

static void end_the_other(const char *evtype, const struct colony_msg *msg, void *data)
{
    struct heard *heard = data;

    on_heard(evtype, msg, data);
    colony_unsubscribe(heard->listener);
    heard->listener = NULL;
}

TEST(test_a_listener_ended_by_one_before_it_is_not_told)
{
    struct opened opened;
    struct heard first;
    struct heard second;

    open_heard_by_two(&opened, &first, end_the_other, &second);
    first.listener = second.listener;
    publish(&opened, "a", 1);
    opened_turn(&opened);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 0);
    opened_clear(&opened);
}

static struct heard late;

static void begin_another(const char *evtype, const struct colony_msg *msg, void *data)
{
    struct heard *heard = data;

    on_heard(evtype, msg, data);
    if (heard->count == 1)
        hear(&late, heard->opened, "a", on_heard);
}

TEST(test_a_listener_begun_in_a_callback_is_told_of_what_comes_then)
{
    struct opened opened;
    struct heard first;

    opened_init(&opened);
    hear(&first, &opened, "a", begin_another);
    publish(&opened, "a", 1);
    publish(&opened, "a", 2);
    opened_turn(&opened);
    assert_int_equal(first.count, 2);
    assert_int_equal(late.count, 1);
    assert_int_equal((int)late.number, 2);
    opened_clear(&opened);
}

TEST(test_monitors_want_a_living_engine)
{
    struct colony_error err = {0};
    struct opened opened;
    struct colony_listener *listener;
    struct colony_io stream = {1, "."};

    opened_init(&opened);
    assert_int_equal(colony_monitor(opened.colony, "web", on_heard, NULL, &listener, &err),
                     -EAGAIN);
    assert_int_equal(colony_monitor_process(opened.colony, 1, on_heard, NULL, &listener, NULL),
                     -EAGAIN);
    assert_int_equal(colony_monitor_io(opened.colony, stream, on_heard, NULL, &listener, NULL),
                     -EAGAIN);
    assert_non_null(strstr(err.message, "does not run"));
    colony_unsubscribe(NULL);
    opened_clear(&opened);
}

/* Several threads at once. */

enum {
    THREADS = 4,
    ROUNDS = 500,
};

static atomic_int told;

static void count_told(const char *evtype, const struct colony_msg *msg, void *data)
{
    (void)evtype, (void)msg, (void)data;
    atomic_fetch_add(&told, 1);
}

static atomic_int finished;

static void *come_and_go(void *data)
{
    struct opened *opened = data;
    struct heard heard;

    for (int i = 0; i < ROUNDS; i++) {
        hear(&heard, opened, "busy", count_told);
        publish(opened, "busy.now", i);
        publish(opened, "calm", i);
        colony_unsubscribe(heard.listener);
    }
    atomic_fetch_add(&finished, 1);
    return NULL;
}

TEST(test_threads_subscribe_and_publish_while_the_loop_tells)
{
    struct opened opened;
    struct heard all;
    pthread_t threads[THREADS];

    opened_init(&opened);
    hear(&all, &opened, ".", on_heard);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &opened), 0);
    while (atomic_load(&finished) < THREADS)
        opened_turn(&opened);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    opened_turn(&opened);
    assert_int_equal(all.count, 2 * THREADS * ROUNDS);
    colony_unsubscribe(all.listener);
    opened_clear(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_topic_is_told_to_those_whose_pattern_begins_it),
        cmocka_unit_test(test_a_topic_without_a_message_has_none),
        cmocka_unit_test(test_topics_of_the_engine_and_no_topics_are_refused),
        cmocka_unit_test(test_what_is_published_is_bounded),
        cmocka_unit_test(test_no_pattern_is_refused),
        cmocka_unit_test(test_a_listener_may_end_in_its_callback),
        cmocka_unit_test(test_a_listener_ended_by_one_before_it_is_not_told),
        cmocka_unit_test(test_a_listener_begun_in_a_callback_is_told_of_what_comes_then),
        cmocka_unit_test(test_monitors_want_a_living_engine),
        cmocka_unit_test(test_threads_subscribe_and_publish_while_the_loop_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
