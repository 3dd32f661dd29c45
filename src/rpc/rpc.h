/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc.h - the front-end of `rpc:`: the engine as an object that clients of ZeroMQ call.
 */
#ifndef COLONY_RPC_RPC_H
#define COLONY_RPC_RPC_H

struct colony_front;
struct colony_error;
struct colony_rpc_settings;

extern const struct colony_front colony_rpc_front;

/* Opens libzmq and reads the files that the settings name, as the front-end will: `colony serve`
 * and `check` tell of what is wrong with them. */
int colony_rpc_check(const struct colony_rpc_settings *settings, struct colony_error *err);

#endif
