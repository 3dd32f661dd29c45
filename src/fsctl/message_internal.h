/* SPDX-License-Identifier: Apache-2.0 */
/* message_internal.h - what a message says (ORIGINALS §2, docs/files.md). Any thread. */
#ifndef COLONY_FSCTL_MESSAGE_INTERNAL_H
#define COLONY_FSCTL_MESSAGE_INTERNAL_H

#include <stddef.h>

#include "core/template.h"

struct colony_error;

enum colony__message_type {
    MESSAGE_RESTART_ONE,
    MESSAGE_RESTART_ALL,
    MESSAGE_RESTART_GROUP,
};

struct colony__message {
    enum colony__message_type type;
    char target[COLONY_NAME_MAX + 1]; /* of the process or the group */
};

/*
 * 0; -EBADMSG: it is no JSON, perhaps because it is not all there yet; -EINVAL: it is, but no
 * message. @path stands in what @err says. -ENOMEM.
 */
int colony__message_parse(struct colony__message *out, const char *text, size_t size,
                          const char *path, struct colony_error *err);

#endif
