/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zmq.h - the functions of libzmq that colony uses, opened on first use (library.h).
 *
 * libzmq keeps its error in errno, and some numbers of its own (EFSM, ETERM, …) beside the
 * system's: colony_zmq_fail() knows the texts of both.
 */
#ifndef COLONY_CORE_ZMQ_H
#define COLONY_CORE_ZMQ_H

#include <stdbool.h>

#include <zmq.h>

struct colony_error;

#define COLONY_ZMQ_FUNCTIONS(F)                                                                    \
    F(zmq_bind)                                                                                    \
    F(zmq_close)                                                                                   \
    F(zmq_connect)                                                                                 \
    F(zmq_ctx_new)                                                                                 \
    F(zmq_ctx_set)                                                                                 \
    F(zmq_ctx_term)                                                                                \
    F(zmq_curve_keypair)                                                                           \
    F(zmq_curve_public)                                                                            \
    F(zmq_getsockopt)                                                                              \
    F(zmq_msg_close)                                                                               \
    F(zmq_msg_data)                                                                                \
    F(zmq_msg_gets)                                                                                \
    F(zmq_msg_init)                                                                                \
    F(zmq_msg_init_data)                                                                           \
    F(zmq_msg_init_size)                                                                           \
    F(zmq_msg_more)                                                                                \
    F(zmq_msg_recv)                                                                                \
    F(zmq_msg_send)                                                                                \
    F(zmq_msg_size)                                                                                \
    F(zmq_poll)                                                                                    \
    F(zmq_send)                                                                                    \
    F(zmq_setsockopt)                                                                              \
    F(zmq_socket)                                                                                  \
    F(zmq_socket_monitor)                                                                          \
    F(zmq_strerror)                                                                                \
    F(zmq_unbind)                                                                                  \
    F(zmq_z85_decode)                                                                              \
    F(zmq_z85_encode)

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it is a name, which has none */
#define COLONY_ZMQ_MEMBER(function) __typeof__(function) *function;

struct colony_zmq {
    COLONY_ZMQ_FUNCTIONS(COLONY_ZMQ_MEMBER)
};

/*
 * The first call opens the library. Any thread. -ENOENT, -ENOTSUP with what to install.
 */
int colony_zmq_get(const struct colony_zmq **out, struct colony_error *err);

/*
 * Whether there are descriptors enough for a new context, or for a connection that libzmq accepts;
 * false with EMFILE or ENFILE in errno. Where libzmq does not get one of its own it ends the whole
 * program, so ask right before. Any thread.
 */
bool colony_zmq_has_room(void);
/* zmq_ctx_new(), or NULL where there is no room. Make its first socket soon. */
void *colony_zmq_context_new(const struct colony_zmq *zmq);

/* Fills @err with "@what: " and the text of libzmq's last error, which is in errno; returns its
 * negative. */
int colony_zmq_fail(const struct colony_zmq *zmq, struct colony_error *err, const char *what);

#endif
