/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/messages_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One that stays where it is. */
struct kept {
    char name[COLONY__FILE_NAME_SIZE];
    struct colony__identity identity;
    uint64_t since_ms; /* when it was first seen so */
    bool is_stuck;     /* it was acted on, or refused, and cannot be put away; else not all there */
    bool is_done;      /* it was acted on: deleting it is tried again */
    bool is_seen;      /* it is still there */
};

struct colony__messages {
    const char *path;
    struct kept *kept;
    size_t kept_count;
};

int colony__messages_new(struct colony__messages **out, const char *path)
{
    struct colony__messages *messages = calloc(1, sizeof *messages);

    if (!messages)
        return -ENOMEM;
    messages->path = path;
    *out = messages;
    return 0;
}

void colony__messages_free(struct colony__messages *messages)
{
    if (!messages)
        return;
    free(messages->kept);
    free(messages);
}

void colony__post_clear(struct colony__post *post)
{
    for (size_t i = 0; i < post->count; i++)
        free(post->letters[i].refusal);
    *post = (struct colony__post){0};
}

static int open_folder(const struct colony__messages *messages, struct colony__post *post)
{
    int fd = open(messages->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        post->rc = colony_fail_os(&post->err, -errno, "cannot look into %s", messages->path);
    return fd;
}

/* --- those that stay -------------------------------------------------------------------------- */

static struct kept *find_kept(const struct colony__messages *messages, const char *name)
{
    for (size_t i = 0; i < messages->kept_count; i++)
        if (strcmp(messages->kept[i].name, name) == 0)
            return &messages->kept[i];
    return NULL;
}

static void keep(struct colony__messages *messages, const struct colony__letter *letter,
                 bool is_stuck)
{
    struct kept *kept = find_kept(messages, letter->name);
    uint64_t since_ms = colony__entry_now_ms();
    struct kept *grown;

    if (kept && !kept->is_stuck && colony__entry_is_same(&kept->identity, &letter->identity))
        since_ms = kept->since_ms;
    if (!kept) {
        if (messages->kept_count == COLONY__STUCK_MAX)
            return; /* nothing new is looked at while there are so many */
        grown = realloc(messages->kept, (messages->kept_count + 1) * sizeof *grown);
        if (!grown)
            return;
        messages->kept = grown;
        kept = &grown[messages->kept_count++];
    }
    *kept = (struct kept){.identity = letter->identity,
                          .since_ms = since_ms,
                          .is_stuck = is_stuck,
                          .is_done = is_stuck && !letter->refusal,
                          .is_seen = true};
    memcpy(kept->name, letter->name, sizeof kept->name);
}

static void drop_kept(struct colony__messages *messages, const char *name)
{
    struct kept *kept = find_kept(messages, name);

    if (kept)
        *kept = messages->kept[--messages->kept_count];
}

static void drop_unseen(struct colony__messages *messages)
{
    for (size_t i = 0; i < messages->kept_count;) {
        if (messages->kept[i].is_seen)
            i++;
        else
            messages->kept[i] = messages->kept[--messages->kept_count];
    }
}

/* --- the list --------------------------------------------------------------------------------- */

/* The first names, sorted. */
struct listing {
    char *names[COLONY__MESSAGES_MAX];
    size_t count;
    bool has_more;
    bool has_failed; /* no memory, or the folder could not be read to its end */
};

/* Where @name belongs among those that are listed. */
static size_t place_of(const struct listing *listing, const char *name)
{
    size_t low = 0;
    size_t high = listing->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(listing->names[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void list(struct listing *listing, const char *name)
{
    size_t place = place_of(listing, name);
    char *copy;

    if (listing->count == COLONY__MESSAGES_MAX) {
        listing->has_more = true;
        if (place == listing->count)
            return;
    }
    copy = strdup(name);
    if (!copy) {
        listing->has_failed = true;
        return;
    }
    if (listing->count == COLONY__MESSAGES_MAX)
        free(listing->names[--listing->count]);
    memmove(&listing->names[place + 1], &listing->names[place],
            (listing->count - place) * sizeof listing->names[0]);
    listing->names[place] = copy; /* NOLINT(clang-analyzer-unix.Malloc): take_listing frees it */
    listing->count++;
}

/* With some left out, those after them must wait too. */
static void take_listing(struct colony__post *post, struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        if (!listing->has_failed) {
            struct colony__letter *letter = &post->letters[post->count++];

            *letter = (struct colony__letter){0};
            (void)snprintf(letter->name, sizeof letter->name, "%s", listing->names[i]);
        }
        free(listing->names[i]);
    }
    post->has_more = listing->has_more;
    post->has_pending |= listing->has_failed;
}

/* True when it is one that was acted on and could not be put away. */
static bool is_stuck(struct colony__messages *messages, int folder, const char *name)
{
    struct kept *kept = find_kept(messages, name);
    struct colony__identity identity;
    struct stat info;

    if (!kept)
        return messages->kept_count == COLONY__STUCK_MAX;
    kept->is_seen = true;
    if (!kept->is_stuck || fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    colony__entry_identify(&identity, &info);
    if (!colony__entry_is_same(&identity, &kept->identity))
        return false;
    if (kept->is_done)
        (void)unlinkat(folder, name, 0);
    return true;
}

void colony__messages_list(struct colony__messages *messages, struct colony__post *post)
{
    int fd = open_folder(messages, post);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    struct listing listing = {.count = 0};
    struct dirent *entry;

    if (!stream) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    for (size_t i = 0; i < messages->kept_count; i++)
        messages->kept[i].is_seen = false;
    while ((errno = 0, entry = readdir(stream)))
        if (!colony__entry_is_ignored(entry->d_name) && !is_stuck(messages, fd, entry->d_name))
            list(&listing, entry->d_name);
    listing.has_failed |= errno != 0;
    (void)closedir(stream);
    take_listing(post, &listing);
    if (!listing.has_failed)
        drop_unseen(messages);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool was_pending(const struct colony__messages *messages,
                        const struct colony__letter *letter)
{
    const struct kept *kept = find_kept(messages, letter->name);

    return kept && !kept->is_stuck && colony__entry_is_same(&kept->identity, &letter->identity) &&
           colony__entry_now_ms() - kept->since_ms >= COLONY__ENTRY_PATIENCE_MS;
}

static void settle(struct colony__messages *messages, struct colony__letter *letter, int rc,
                   const struct colony_error *err)
{
    if (rc == 0) {
        drop_kept(messages, letter->name);
        return;
    }
    letter->is_pending = rc == -ENOENT || colony_is_shortage(rc) ||
                         (rc == -EBADMSG && !was_pending(messages, letter));
    if (letter->is_pending && rc != -ENOENT)
        keep(messages, letter, false);
    if (letter->is_pending)
        return;
    letter->refusal = strdup(err->message);
    letter->is_pending = !letter->refusal; /* no memory: at the next look */
}

static void read_letter(struct colony__messages *messages, int folder,
                        struct colony__letter *letter)
{
    struct colony_error err = {0};
    char path[PATH_MAX];
    const struct colony__entry_place place = {folder, letter->name, path};
    struct stat info;
    char *text = NULL;
    size_t size = 0;
    int rc = 0;

    (void)snprintf(path, sizeof path, "%.3800s/%s", messages->path, letter->name);
    if (fstatat(folder, letter->name, &info, AT_SYMLINK_NOFOLLOW) < 0) {
        letter->is_pending = true;
        return;
    }
    colony__entry_identify(&letter->identity, &info);
    rc = colony__entry_read(&text, &size, &place, &err);
    if (rc == 0)
        rc = colony__message_parse(&letter->message, text, size, path, &err);
    free(text);
    settle(messages, letter, rc, &err);
}

void colony__messages_read(struct colony__messages *messages, struct colony__post *post)
{
    int folder = post->count > 0 ? open_folder(messages, post) : -1;

    if (folder < 0) {
        post->count = 0;
        return;
    }
    for (size_t i = 0; i < post->count; i++) {
        read_letter(messages, folder, &post->letters[i]);
        post->has_pending |= post->letters[i].is_pending;
    }
    (void)close(folder);
}

/* --- putting away ----------------------------------------------------------------------------- */

/* Another message may have taken the place of the one that was acted on. */
static bool is_another(int folder, const struct colony__letter *letter)
{
    struct colony__identity identity;
    struct stat info;

    if (fstatat(folder, letter->name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return true;
    colony__entry_identify(&identity, &info);
    return !colony__entry_is_same(&identity, &letter->identity);
}

static void put_away(struct colony__messages *messages, int folder, struct colony__post *post,
                     const struct colony__letter *letter)
{
    int rc = 0;

    if (letter->is_pending)
        return;
    if (is_another(folder, letter)) {
        post->has_pending = true; /* of a mere change, as by a link, nobody may tell us */
        return;
    }
    if (letter->refusal)
        rc = colony__messages_set_aside(folder, letter);
    else if (unlinkat(folder, letter->name, 0) < 0 && errno != ENOENT)
        rc = -errno;
    post->dropped += rc == 1;
    if (rc < 0)
        keep(messages, letter, true);
    if (rc < 0 && post->rc == 0)
        post->rc = colony_fail_os(&post->err, rc,
                                  "cannot %s the message %s/%s, which was %s: remove it yourself",
                                  letter->refusal ? "set aside" : "delete", messages->path,
                                  letter->name, letter->refusal ? "refused" : "acted on");
}

void colony__messages_put_away(struct colony__messages *messages, struct colony__post *post)
{
    int folder = post->count > 0 ? open_folder(messages, post) : -1;

    for (size_t i = 0; i < post->count; i++) {
        const struct colony__letter *letter = &post->letters[i];

        if (folder >= 0)
            put_away(messages, folder, post, letter);
        else if (!letter->is_pending && !letter->refusal)
            keep(messages, letter, true); /* or it would be acted on again */
    }
    post->has_pending |= folder < 0;
    if (folder >= 0)
        (void)close(folder);
}
