/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messages_internal.h - the directory of messages: listed, read, and put away once they are acted
 * on, in the order of their names.
 *
 * All three go on a thread; while one is under way the messages are the thread's. A message is
 * deleted after it was acted on: who dies between finds it again.
 */
#ifndef COLONY_FSCTL_MESSAGES_INTERNAL_H
#define COLONY_FSCTL_MESSAGES_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "fsctl/entry_internal.h"
#include "fsctl/message_internal.h"

struct colony__messages;

enum {
    COLONY__MESSAGES_MAX = 512, /* that are handled in one go */
    COLONY__STUCK_MAX = 4096,   /* that could not be put away */
    COLONY__REFUSED_MAX = 9,    /* of one name that are set aside */
    COLONY__FILE_NAME_SIZE = 256,
};

/* One that was found. */
struct colony__letter {
    char name[COLONY__FILE_NAME_SIZE]; /* of its file */
    struct colony__identity identity;
    struct colony__message message;
    bool is_pending; /* not all there yet, or not to be touched: it stays for now */
    char *refusal;   /* why it is no message, or cannot be acted on; NULL: it is and was */
};

struct colony__post {
    struct colony__letter letters[COLONY__MESSAGES_MAX];
    size_t count;
    bool has_more;    /* than these */
    bool has_pending; /* one is being written, or was touched while it was acted on */
    uint32_t dropped; /* refused ones that were deleted */
    int rc;           /* negative: what is wrong with the directory, or putting away */
    struct colony_error err;
};

/* @path is borrowed for ever. -ENOMEM. */
int colony__messages_new(struct colony__messages **out, const char *path);
void colony__messages_free(struct colony__messages *messages);

/* Notes the first names that there are. Whatever was there before them is older. */
void colony__messages_list(struct colony__messages *messages, struct colony__post *post);
/* Reads those that were listed. */
void colony__messages_read(struct colony__messages *messages, struct colony__post *post);
/*
 * Deletes what was acted on, and moves what was refused to .invalid, with the reason beside it;
 * what has COLONY__REFUSED_MAX of its name there is deleted, too, and counted.
 */
void colony__messages_put_away(struct colony__messages *messages, struct colony__post *post);

/*
 * messages_aside.c: moves a refused message of @folder to .invalid, with the reason beside it. 1:
 * it was deleted, because there are too many of its name.
 */
int colony__messages_set_aside(int folder, const struct colony__letter *letter);

void colony__post_clear(struct colony__post *post);

#endif
