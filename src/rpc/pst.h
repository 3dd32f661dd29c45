/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pst.h - keeps a JSON text over restarts: in a file, in sqlite, as an object of S3, or where a
 * program that embeds colony keeps it.
 *
 * The work is done on a thread of libuv's, one thing after the other. Loop thread only.
 */
#ifndef COLONY_RPC_PST_H
#define COLONY_RPC_PST_H

#include <stddef.h>
#include <stdint.h>

#include "core/settings.h"

struct colony_error;
struct colony_rpc_pst;
struct uv_loop_s;

enum {
    COLONY_RPC_PST_BYTES_MAX = 16 << 20,
};

/* @text NULL: there was nothing, or it could not be read (rc < 0). Borrowed for the call. */
typedef void (*colony_rpc_pst_loaded_cb)(int rc, const char *text, const struct colony_error *err,
                                         void *data);
typedef void (*colony_rpc_pst_saved_cb)(int rc, const struct colony_error *err, void *data);

/*
 * @settings: class_name and what that needs; @path stands for a file_path that is NULL; @name is
 * the row in sqlite. All are copied. For PST_NONE *out is NULL. -ENOMEM; -ENOENT, -EACCES, -EINVAL
 * for the credentials.
 */
int colony_rpc_pst_new(struct colony_rpc_pst **out, struct uv_loop_s *loop,
                       const struct colony_pst_settings *settings, const char *path,
                       const char *name, struct colony_error *err);

/* What keeps it otherwise, on a thread of libuv's, one call after the other. */
struct colony_rpc_keeping {
    /* *text is freed with free(); NULL: there is nothing. */
    int (*load)(void *data, char **text, struct colony_error *err);
    int (*save)(void *data, const char *text, struct colony_error *err);
    void *data;
};
/* -ENOMEM. */
int colony_rpc_pst_new_kept(struct colony_rpc_pst **out, struct uv_loop_s *loop,
                            const struct colony_rpc_keeping *keeping, struct colony_error *err);

/* A JSON object that was saved. What is none is moved aside (a file to PATH.damaged-TIME), which is
 * logged, and rc is 0 then, without a text; -EBADMSG of a program's. -EBUSY while something else is
 * under way. */
int colony_rpc_pst_load(struct colony_rpc_pst *pst, colony_rpc_pst_loaded_cb cb, void *data);

/* Replaces it by @text, which is copied; it is on disk when @cb says 0. -EBUSY as above; -ENOMEM.
 */
int colony_rpc_pst_save(struct colony_rpc_pst *pst, const char *text, size_t size,
                        colony_rpc_pst_saved_cb cb, void *data);

/* Not while something is under way. NULL is fine. */
void colony_rpc_pst_free(struct colony_rpc_pst *pst);

#endif
