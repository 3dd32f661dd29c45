/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zap_internal.h - tells libzmq which keys may connect (ZAP, https://rfc.zeromq.org/spec/27/).
 */
#ifndef COLONY_RPC_ZAP_INTERNAL_H
#define COLONY_RPC_ZAP_INTERNAL_H

struct colony__rpc_zap;
struct colony_error;
struct colony_rpc_curve;
struct colony_zmq;
struct uv_loop_s;

struct colony__rpc_zap_options {
    struct uv_loop_s *loop;
    const struct colony_zmq *zmq;
    void *context;                        /* of libzmq's */
    const struct colony_rpc_curve *curve; /* kept */
};

/* Answers for all sockets of the context, which come after it. */
int colony__rpc_zap_new(struct colony__rpc_zap **out, const struct colony__rpc_zap_options *options,
                        struct colony_error *err);
/* Its socket is closed at once. */
void colony__rpc_zap_close(struct colony__rpc_zap *zap, void (*cb)(void *data), void *data);

#endif
