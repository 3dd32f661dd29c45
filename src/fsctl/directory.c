/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/directory_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Out of memory a table must say so instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "core/file_config.h"
#include "core/settings.h"
#include "core/utf8.h"
#include "fsctl/entry_internal.h"

enum known_state {
    KNOWN_NEW,     /* not read yet, or to be read again */
    KNOWN_GOOD,    /* read, and handed on */
    KNOWN_PENDING, /* no JSON: perhaps it is still being written */
    KNOWN_BAD,     /* cannot be used */
};

struct known {
    enum known_state state;
    bool is_fresh;       /* it may have changed without showing it */
    unsigned seen;       /* the pass that saw it last */
    uint64_t pending_ms; /* KNOWN_PENDING: since when */
    struct colony__identity identity;
    struct colony_file_config config; /* its groups; the template is handed on */
    bool has_given;                   /* a template */
    char *told;                       /* what was said of it last; NULL: nothing */
    char *misses;                     /* another file that it waits for; NULL: none */
    UT_hash_handle hh;
    char name[]; /* flexible */
};

struct colony__directory {
    const struct colony_files_settings *settings;
    struct known *files;
    struct known *swept; /* the next one to be looked for among those that are gone */
    DIR *stream;         /* of the pass under way; NULL: none is */
    bool is_sweeping;    /* all names are read */
    unsigned pass;
};

int colony__directory_new(struct colony__directory **out,
                          const struct colony_files_settings *settings)
{
    struct colony__directory *directory = calloc(1, sizeof *directory);

    if (!directory)
        return -ENOMEM;
    directory->settings = settings;
    *out = directory;
    return 0;
}

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc): the macros of uthash are counted as if they were written here */

static struct known *find(const struct colony__directory *directory, const char *name)
{
    struct known *known;

    HASH_FIND_STR(directory->files, name, known);
    return known;
}

static struct known *add(struct colony__directory *directory, const char *name)
{
    size_t length = strlen(name);
    struct known *known = calloc(1, sizeof *known + length + 1);

    if (!known)
        return NULL;
    memcpy(known->name, name, length + 1);
    HASH_ADD_KEYPTR(hh, directory->files, known->name, length, known);
    if (known->hh.tbl)
        return known;
    free(known);
    return NULL;
}

static void forget(struct colony__directory *directory, struct known *known)
{
    HASH_DEL(directory->files, known);
    colony_file_config_clear(&known->config);
    free(known->told);
    free(known->misses);
    free(known);
}

size_t colony__directory_count(const struct colony__directory *directory)
{
    return HASH_COUNT(directory->files);
}

/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc) */

static void end_pass(struct colony__directory *directory)
{
    if (directory->stream)
        (void)closedir(directory->stream);
    directory->stream = NULL;
    directory->is_sweeping = false;
    directory->swept = NULL;
}

void colony__directory_free(struct colony__directory *directory)
{
    struct known *next;

    if (!directory)
        return;
    end_pass(directory);
    for (struct known *known = directory->files; known; known = next) {
        next = known->hh.next;
        forget(directory, known);
    }
    free(directory);
}

void colony__batch_clear(struct colony__batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        colony_template_free(batch->changes[i].template);
        free(batch->changes[i].text);
    }
    *batch = (struct colony__batch){0};
}

/* --- one file --------------------------------------------------------------------------------- */

static struct colony__change *change(struct colony__batch *batch, enum colony__change_type type,
                                     const char *name)
{
    struct colony__change *made = &batch->changes[batch->count++];

    *made = (struct colony__change){.type = type};
    (void)snprintf(made->name, sizeof made->name, "%s", name);
    return made;
}

static void refuse(struct colony__batch *batch, struct known *known, const struct colony_error *err)
{
    struct colony__change *made = change(batch, CHANGE_REFUSE, known->name);

    known->state = KNOWN_BAD;
    made->text = strdup(err->message);
}

static void take(struct colony__batch *batch, struct known *known,
                 struct colony_file_config *config)
{
    struct colony__change *made = change(batch, CHANGE_PUT, known->name);

    made->template = config->template;
    config->template = NULL;
    colony_file_config_clear(&known->config);
    known->config = *config;
    known->state = KNOWN_GOOD;
    known->has_given = true;
}

static bool may_not_be_all(const struct known *known, int rc)
{
    return rc == -EBADMSG &&
           (known->state != KNOWN_PENDING ||
            colony__entry_now_ms() - known->pending_ms < COLONY__ENTRY_PATIENCE_MS);
}

static int check_name(const char *name, const char *folder, struct colony_error *err)
{
    struct colony_error reason;
    int rc = colony_name_check_file(name, &reason);

    return rc < 0 ? colony_fail(err, rc, "%.200s: %s", folder, reason.message) : 0;
}

/* @bytes: those read for the batch. */
static void read_file(struct colony__directory *directory, struct colony__batch *batch,
                      struct known *known, size_t *bytes)
{
    struct colony_file_config config = {0};
    struct colony_error err = {0};
    char path[PATH_MAX];
    const struct colony__entry_place place = {dirfd(directory->stream), known->name, path};
    struct colony_file_text from = {.name = known->name, .path = path};
    char *text = NULL;
    int rc;

    (void)snprintf(path, sizeof path, "%.3800s/%s", directory->settings->config, known->name);
    rc = check_name(known->name, directory->settings->config, &err);
    if (rc == 0)
        rc = colony__entry_read(&text, &from.size, &place, &err);
    from.text = text;
    *bytes += from.size;
    if (rc == 0)
        rc = colony_file_config_read(&config, &from, directory->settings, &err);
    free(text);
    if (rc == 0) {
        take(batch, known, &config);
    } else if (rc == -ENOENT) {
        known->seen--;                   /* gone: the sweep tells */
    } else if (colony_is_shortage(rc)) { /* or it changes while it is read */
        known->state = KNOWN_NEW;
        batch->has_pending = true;
    } else if (may_not_be_all(known, rc)) {
        if (known->state != KNOWN_PENDING)
            known->pending_ms = colony__entry_now_ms();
        known->state = KNOWN_PENDING;
        batch->has_pending = true;
    } else {
        refuse(batch, known, &err);
    }
}

static bool is_as_it_was(const struct known *known, const struct colony__identity *identity)
{
    return known->state != KNOWN_NEW && known->state != KNOWN_PENDING && !known->is_fresh &&
           colony__entry_is_same(&known->identity, identity);
}

static void look_at(struct colony__directory *directory, struct colony__batch *batch,
                    const char *name, size_t *bytes)
{
    struct known *known = find(directory, name);
    struct colony__identity identity;
    struct stat info;

    if (fstatat(dirfd(directory->stream), name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return; /* gone again: the sweep finds out */
    colony__entry_identify(&identity, &info);
    if (known && is_as_it_was(known, &identity)) {
        known->seen = directory->pass;
        return;
    }
    if (!known && colony__directory_count(directory) < COLONY__DIRECTORY_FILES_MAX)
        known = add(directory, name);
    if (!known) {
        batch->rc = colony_fail(&batch->err, -ENOMEM,
                                "cannot look after all files of %s: out of memory, or more than %d",
                                directory->settings->config, COLONY__DIRECTORY_FILES_MAX);
        return;
    }
    if (known->state == KNOWN_PENDING && !colony__entry_is_same(&known->identity, &identity))
        known->state = KNOWN_NEW; /* it was written to meanwhile */
    known->seen = directory->pass;
    known->identity = identity;
    known->is_fresh = colony__entry_is_fresh(&identity);
    read_file(directory, batch, known, bytes);
}

/* --- all of them ------------------------------------------------------------------------------ */

static int begin_pass(struct colony__directory *directory, struct colony__batch *batch)
{
    const char *path = directory->settings->config;
    int fd;

    if (directory->stream)
        return 0;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        directory->stream = fdopendir(fd);
    if (!directory->stream) {
        batch->rc = -errno;
        if (fd >= 0)
            (void)close(fd);
        return colony_fail_os(&batch->err, batch->rc,
                              "cannot look into %s, what it said last goes on", path);
    }
    directory->pass++;
    return 0;
}

static bool has_room(const struct colony__batch *batch, size_t bytes)
{
    return batch->count < COLONY__BATCH_MAX && bytes < COLONY__BATCH_BYTES_MAX && batch->rc == 0;
}

static void read_names(struct colony__directory *directory, struct colony__batch *batch)
{
    struct dirent *entry = NULL;
    size_t bytes = 0;

    while (has_room(batch, bytes)) {
        errno = 0;
        entry = readdir(directory->stream);
        if (!entry)
            break;
        if (!colony__entry_is_ignored(entry->d_name))
            look_at(directory, batch, entry->d_name, &bytes);
    }
    if (batch->rc < 0 || entry)
        return;
    if (errno != 0) {
        batch->rc = colony_fail_os(&batch->err, -errno,
                                   "cannot read %s to its end, what it said last goes on",
                                   directory->settings->config);
        return;
    }
    directory->is_sweeping = true;
    directory->swept = directory->files;
}

/* What was renamed while names were read may have been missed: nothing is gone that is there. */
static bool is_there(const struct colony__directory *directory, const char *name)
{
    struct stat info;

    return fstatat(dirfd(directory->stream), name, &info, AT_SYMLINK_NOFOLLOW) == 0 ||
           errno != ENOENT;
}

static void sweep(struct colony__directory *directory, struct colony__batch *batch)
{
    while (directory->swept && has_room(batch, 0)) {
        struct known *known = directory->swept;

        directory->swept = known->hh.next;
        if (known->seen == directory->pass)
            continue;
        if (is_there(directory, known->name)) {
            batch->has_pending = true;
            continue;
        }
        (void)change(batch, CHANGE_GONE, known->name);
        forget(directory, known);
    }
    batch->is_last = !directory->swept;
}

void colony__directory_look(struct colony__directory *directory, struct colony__batch *batch)
{
    if (begin_pass(directory, batch) == 0 && !directory->is_sweeping)
        read_names(directory, batch);
    if (batch->rc == 0 && directory->is_sweeping)
        sweep(directory, batch);
    if (batch->rc < 0 || batch->is_last) {
        batch->is_last = true;
        end_pass(directory);
    }
}

/* --- between looks ---------------------------------------------------------------------------- */

void colony__directory_again(struct colony__directory *directory, const char *name)
{
    struct known *known = find(directory, name);

    if (known)
        known->state = KNOWN_NEW;
}

bool colony__directory_tells(struct colony__directory *directory, const char *name,
                             const char *text)
{
    struct known *known = find(directory, name);

    if (!known)
        return text != NULL;
    if (known->told && text && strcmp(known->told, text) == 0)
        return false;
    free(known->told);
    known->told = text ? strdup(text) : NULL;
    return true;
}

void colony__directory_misses(struct colony__directory *directory, const char *name,
                              const char *missed)
{
    struct known *known = find(directory, name);

    if (!known)
        return;
    free(known->misses);
    known->misses = missed ? strdup(missed) : NULL;
}

/* The next one on the way; NULL: it waits for none. */
static const struct known *next_missed(const struct colony__directory *directory,
                                       const struct known *known)
{
    return known && known->misses ? find(directory, known->misses) : NULL;
}

bool colony__directory_circle(const struct colony__directory *directory, const char *name,
                              char *text, size_t size)
{
    const struct known *first = find(directory, name);
    const struct known *known = first;
    size_t left = colony__directory_count(directory); /* others may go round without it */
    size_t used = 0;

    do {
        if (known && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s → ", known->name);
        known = next_missed(directory, known);
    } while (known && known != first && left-- > 0);
    if (!known || known != first)
        return false;
    if (used < size)
        (void)snprintf(text + used, size - used, "%s", name);
    text[colony_utf8_length(text, strlen(text))] = '\0'; /* no part of a character */
    return true;
}

const char *colony__directory_told(const struct colony__directory *directory, const char *name)
{
    const struct known *known = find(directory, name);

    return known ? known->told : NULL;
}

bool colony__directory_has(const struct colony__directory *directory, const char *name)
{
    return find(directory, name) != NULL;
}

static bool is_in(const struct known *known, const char *group)
{
    for (char **at = known->config.groups; at && *at; at++)
        if (strcmp(*at, group) == 0)
            return true;
    return false;
}

bool colony__directory_each(const struct colony__directory *directory, const char *group,
                            colony__file_cb cb, void *data)
{
    bool is_any = false;

    for (const struct known *known = directory->files; known; known = known->hh.next) {
        if (!known->has_given || (group && !is_in(known, group)))
            continue;
        is_any = true;
        cb(known->name, data);
    }
    return is_any;
}
