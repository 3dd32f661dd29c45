/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Out of memory a table must say so instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "core/error.h"
#include "core/log.h"
#include "core/value.h"
#include "fsctl/entry_internal.h"
#include "fsctl/places.h"
#include "fsctl/places_internal.h"

struct entry {
    struct colony_scan_file file; /* first: it is what callbacks get */
    char *name;
    struct colony__identity identity; /* as it was when it was read */
    char *text;                       /* what was read last; NULL: nothing yet */
    bool is_settled;                  /* then @identity tells whether it has changed */
    bool is_used;                     /* _changed was called */
    unsigned look;                    /* the last one that saw it */
    char told[COLONY_ERROR_TEXT_MAX]; /* the trouble that was told last */
    UT_hash_handle hh;
};

struct colony_scan {
    const char *folder;
    struct colony_scan_callbacks callbacks;
    struct entry *entries;
    unsigned look;
};

int colony_scan_new(struct colony_scan **out, const char *folder,
                    const struct colony_scan_callbacks *callbacks)
{
    struct colony_scan *scan = calloc(1, sizeof *scan);

    if (!scan)
        return -ENOMEM;
    scan->folder = folder;
    scan->callbacks = *callbacks;
    *out = scan;
    return 0;
}

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-*): the macros of uthash are counted as if written here */
static struct entry *find_entry(struct colony_scan *scan, const char *name)
{
    struct entry *entry = NULL;

    HASH_FIND_STR(scan->entries, name, entry);
    if (entry)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->name = strdup(name);
    if (!entry->name) {
        free(entry);
        return NULL;
    }
    entry->file.name = entry->name;
    HASH_ADD_KEYPTR(hh, scan->entries, entry->name, strlen(entry->name), entry);
    if (entry->hh.tbl)
        return entry;
    free(entry->name);
    free(entry);
    return NULL;
}

static void drop_entry(struct colony_scan *scan, struct entry *entry)
{
    HASH_DEL(scan->entries, entry);
    if (entry->is_used)
        scan->callbacks.gone(&entry->file, scan->callbacks.data);
    free(entry->name);
    free(entry->text);
    free(entry);
}
/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-*) */

/* Each trouble once, however often it is met. */
static void complain(struct entry *entry, const char *message)
{
    if (strcmp(entry->told, message) != 0)
        colony_log(SEVERITY_ERROR, "%s", message);
    (void)snprintf(entry->told, sizeof entry->told, "%s", message);
}

/* Takes @text over. */
static void use_text(struct colony_scan *scan, struct entry *entry, char *text, size_t size)
{
    struct colony_value *config = NULL;
    struct colony_error reason = {0};
    struct colony_error told = {0};

    if (entry->text && strcmp(entry->text, text) == 0) {
        free(text);
        return;
    }
    free(entry->text);
    entry->text = text;
    if (colony_value_parse_json(&config, text, size, &reason) < 0) {
        (void)colony_fail(&told, reason.code, "%s/%s: %s", scan->folder, entry->name,
                          reason.message);
        complain(entry, told.message);
        return;
    }
    entry->told[0] = '\0';
    entry->is_used = true;
    scan->callbacks.changed(&entry->file, config, scan->callbacks.data);
    colony_value_free(config);
}

static void read_entry(struct colony_scan *scan, struct entry *entry, int folder)
{
    struct colony_error reason = {0};
    char *text = NULL;
    int size = colony__places_read_at(folder, scan->folder, entry->name, &text, &reason);

    if (size < 0) {
        complain(entry, reason.message);
        entry->is_settled = false;
        return;
    }
    use_text(scan, entry, text, (size_t)size);
}

/* -ENOMEM. One that has just gone is no trouble. */
static int look_at(struct colony_scan *scan, int folder, const char *name)
{
    struct colony__identity identity;
    struct entry *entry;
    struct stat st;

    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    entry = find_entry(scan, name);
    if (!entry)
        return -ENOMEM;
    entry->look = scan->look;
    entry->file.changed_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    colony__entry_identify(&identity, &st);
    if (!entry->is_settled || !colony__entry_is_same(&entry->identity, &identity)) {
        entry->is_settled = !colony__entry_is_fresh(&identity);
        entry->identity = identity;
        read_entry(scan, entry, folder);
    }
    if (entry->is_used && scan->callbacks.seen)
        scan->callbacks.seen(&entry->file, scan->callbacks.data);
    return 0;
}

static void drop_unseen(struct colony_scan *scan)
{
    struct entry *entry = scan->entries;

    while (entry) {
        struct entry *next = entry->hh.next;

        if (entry->look != scan->look)
            drop_entry(scan, entry);
        entry = next;
    }
}

int colony_scan_look(struct colony_scan *scan, struct colony_error *err)
{
    char **names = NULL;
    size_t count = 0;
    int folder = -1;
    int rc = colony_places_list(scan->folder, false, &names, &count, err);

    if (rc < 0)
        return rc;
    folder = colony__places_open(scan->folder, err);
    rc = folder < 0 ? folder : 0;
    scan->look++;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = look_at(scan, folder, names[i]);
    if (rc == 0)
        drop_unseen(scan);
    else if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot look at %s: out of memory", scan->folder);
    if (folder >= 0)
        (void)close(folder);
    colony_places_free(names);
    return rc;
}

void colony_scan_free(struct colony_scan *scan)
{
    if (!scan)
        return;
    scan->look++; /* which has seen none of them */
    drop_unseen(scan);
    free(scan);
}
