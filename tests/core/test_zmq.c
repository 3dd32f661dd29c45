/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/zmq.h"

#include "../test.h"

TEST(test_a_message_goes_from_one_socket_to_another)
{
    const struct colony_zmq *zmq;
    zmq_msg_t message;
    void *context;
    void *from;
    void *to;

    assert_int_equal(colony_zmq_get(&zmq, NULL), 0);
    context = zmq->zmq_ctx_new();
    from = zmq->zmq_socket(context, ZMQ_DEALER);
    to = zmq->zmq_socket(context, ZMQ_DEALER);
    assert_int_equal(zmq->zmq_bind(to, "inproc://here"), 0);
    assert_int_equal(zmq->zmq_connect(from, "inproc://here"), 0);
    assert_int_equal(zmq->zmq_send(from, "word", 4, 0), 4);
    assert_int_equal(zmq->zmq_msg_init(&message), 0);
    assert_int_equal(zmq->zmq_msg_recv(&message, to, 0), 4);
    assert_memory_equal(zmq->zmq_msg_data(&message), "word", 4);
    assert_int_equal(zmq->zmq_msg_close(&message), 0);
    assert_int_equal(zmq->zmq_close(from), 0);
    assert_int_equal(zmq->zmq_close(to), 0);
    assert_int_equal(zmq->zmq_ctx_term(context), 0);
}

TEST(test_it_is_opened_once)
{
    const struct colony_zmq *one;
    const struct colony_zmq *other;

    assert_int_equal(colony_zmq_get(&one, NULL), 0);
    assert_int_equal(colony_zmq_get(&other, NULL), 0);
    assert_ptr_equal(one, other);
}

TEST(test_an_error_of_libzmqs_own_has_a_text)
{
    const struct colony_zmq *zmq;
    struct colony_error err;

    assert_int_equal(colony_zmq_get(&zmq, NULL), 0);
    errno = EFSM;
    assert_int_equal(colony_zmq_fail(zmq, &err, "cannot send"), -EFSM);
    assert_string_equal(err.message,
                        "cannot send: Operation cannot be accomplished in current state");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_goes_from_one_socket_to_another),
        cmocka_unit_test(test_it_is_opened_once),
        cmocka_unit_test(test_an_error_of_libzmqs_own_has_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
