/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_writer.c - what the store's thread does: batches, and what becomes of a file that is
 * damaged, full or gone.
 *
 * The templates are known here as well as in the file. So whenever it is unsure what the file holds
 * of them (a write has failed, the file is a fresh one), all of them are written anew in one
 * transaction, and nothing that was acknowledged is lost with a file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "core/log.h"
#include "core/store_internal.h"
#include "core/table.h"

enum {
    STAMP_SIZE = 32,
    ASIDE_TRIES = 100, /* names within one second */
};

/* What a person is to do about an error. */
static const char *advice_of(int rc)
{
    static const struct {
        int rc;
        const char *advice;
    } advices[] = {
        {-ENOSPC, "the disk is full: free some space"},
        {-EDQUOT, "the disk quota is used up: free some space"},
        {-EFBIG, "it may not grow: raise the limit of file sizes (ulimit -f)"},
        {-EROFS, "it is read-only: mount its file system for writing"},
        {-EACCES, "permission denied: let colony's user read and write it and its folder"},
        {-EPERM, "permission denied: let colony's user read and write it and its folder"},
        {-EBUSY, "another program has it locked: end that one"},
        {-EIO, "the disk has failed: see the kernel's log (dmesg)"},
        {-ENOMEM, "out of memory"},
        {STORE_DAMAGED, "it is damaged again: see the kernel's log (dmesg) about its disk"},
    };

    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++)
        if (advices[i].rc == rc)
            return advices[i].advice;
    return strerror(-rc);
}

/* Moving aside. */

/* NULL: out of memory. */
static char *join(const char *path, const char *ending)
{
    char *joined;

    return asprintf(&joined, "%s%s", path, ending) < 0 ? NULL : joined;
}

static int rename_one(const char *from, const char *to, const char *ending)
{
    char *old = join(from, ending);
    char *moved = join(to, ending);
    int rc = 0;

    if (!old || !moved)
        rc = -ENOMEM;
    else if (rename(old, moved) < 0 && errno != ENOENT)
        rc = -errno;
    free(old);
    free(moved);
    return rc;
}

/* A name beside @path that nothing has. NULL: out of memory. */
static char *name_aside(const char *path)
{
    char ending[sizeof ".damaged-" + STAMP_SIZE + 16];
    char stamp[STAMP_SIZE];
    time_t now = time(NULL);
    struct tm utc;
    char *name;

    (void)gmtime_r(&now, &utc);
    (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    (void)snprintf(ending, sizeof ending, ".damaged-%s", stamp);
    name = join(path, ending);
    for (int i = 2; name && access(name, F_OK) == 0 && i < ASIDE_TRIES; i++) {
        free(name);
        (void)snprintf(ending, sizeof ending, ".damaged-%s.%d", stamp, i);
        name = join(path, ending);
    }
    return name;
}

static int move_aside(const char *path, char **aside)
{
    char *name = name_aside(path);
    int rc = name ? rename_one(path, name, "") : -ENOMEM;

    /* The database first: the others, without it, are nothing to sqlite. */
    if (rc == 0)
        rc = rename_one(path, name, "-wal");
    if (rc == 0)
        rc = rename_one(path, name, "-shm");
    if (rc == 0)
        *aside = name;
    else
        free(name);
    return rc;
}

/* Opening. */

struct loading {
    struct store_known *known;
    int rc;
};

static void load_row(const struct colony_store_template *row, void *data)
{
    struct loading *loading = data;
    struct store_template *copy = *row->name ? colony__store_template_new(row) : NULL;

    if (copy)
        colony__store_known_apply(loading->known, copy);
    else if (loading->rc == 0)
        loading->rc = *row->name ? -ENOMEM : STORE_DAMAGED;
}

static int open_and_load(struct store_writer *writer)
{
    struct loading loading = {.known = &writer->known};
    int rc = colony__store_db_open(&writer->db, writer->path);

    if (rc == 0)
        rc = colony__store_db_each_template(&writer->db, load_row, &loading);
    return rc < 0 ? rc : loading.rc;
}

static void abandon(struct store_writer *writer)
{
    colony__store_db_close(&writer->db, true);
    colony__store_known_clear(&writer->known);
}

int colony__writer_open(struct store_writer *writer, const char *path, char **aside,
                        struct colony_error *err)
{
    char *moved = NULL;
    int rc;

    colony__store_known_init(&writer->known);
    writer->path = strdup(path);
    rc = writer->path ? open_and_load(writer) : -ENOMEM;
    if (rc == STORE_DAMAGED) { /* a read that failed looks the same, and not twice */
        abandon(writer);
        rc = open_and_load(writer);
    }
    if (rc == STORE_DAMAGED) {
        abandon(writer);
        rc = move_aside(path, &moved);
        if (rc < 0)
            return colony_fail(err, rc, "cannot move the damaged %s aside: %s", path,
                               advice_of(rc));
        rc = open_and_load(writer);
    }
    if (rc < 0) {
        free(moved);
        return colony_fail(err, rc, "cannot open %s: %s", path, advice_of(rc));
    }
    writer->is_unchecked = writer->db.was_killed;
    colony__ids_open(&writer->ids, path, writer->db.last_seq);
    *aside = moved;
    return 0;
}

void colony__writer_close(struct store_writer *writer)
{
    colony__store_db_close(&writer->db, false);
    colony__ids_close(&writer->ids);
    colony__store_known_clear(&writer->known);
    colony__store_list_clear(&writer->changes);
    colony__store_events_clear(&writer->events);
    colony__store_list_clear(&writer->spool);
    free(writer->path);
    *writer = (struct store_writer){0};
}

/* Writing. */

static const struct colony_store_event *row_of(const struct store_link *link)
{
    return &((const struct store_event *)link)->row;
}

static void apply_changes(struct store_writer *writer)
{
    struct store_link *change;

    while ((change = colony__store_list_pop(&writer->changes)))
        colony__store_known_apply(&writer->known, (struct store_template *)change);
}

static int write_templates(struct store_writer *writer)
{
    const struct store_link *change = writer->changes.first;
    const struct store_template *template;
    int rc = 0;

    if (!writer->is_unsure) {
        for (; rc == 0 && change; change = change->next)
            rc = colony__store_db_change(&writer->db, (const struct store_template *)change);
        return rc;
    }
    apply_changes(writer);
    rc = colony__store_db_run(&writer->db, STATEMENT_CLEAR);
    template = TAILQ_FIRST(&writer->known.order);
    for (; rc == 0 && template; template = TAILQ_NEXT(template, in_order))
        rc = colony__store_db_change(&writer->db, template);
    return rc;
}

uint64_t colony__store_oldest_ms(const struct colony_store_keep *keep)
{
    uint64_t now_ms = colony_wall_now_ms();

    return keep->age_ms == 0 || keep->age_ms >= now_ms ? 0 : now_ms - keep->age_ms;
}

static int write_events(struct store_writer *writer)
{
    const struct store_link *event = writer->events.first;
    int rc = 0;

    for (; rc == 0 && event; event = event->next)
        rc = colony__store_db_add_event(&writer->db, row_of(event));
    if (rc < 0 || writer->event_count == 0)
        return rc;
    return colony__store_db_prune(&writer->db, writer->keep.rows,
                                  colony__store_oldest_ms(&writer->keep));
}

static int write_spool(struct store_writer *writer)
{
    const struct store_link *change = writer->spool.first;
    int rc = 0;

    for (; rc == 0 && change; change = change->next)
        rc = colony__store_db_spool(&writer->db, (const struct store_spooled *)change);
    return rc;
}

static int write_batch(struct store_writer *writer)
{
    int rc = 0;

    if (writer->db.sqlite && colony__store_db_is_gone(&writer->db)) {
        colony_log(SEVERITY_ERROR, "%s was removed while it was in use: it is written anew",
                   writer->path);
        colony__store_db_close(&writer->db, true);
    }
    if (!writer->db.sqlite) {
        writer->is_unsure = true;
        rc = colony__store_db_open(&writer->db, writer->path);
        if (rc < 0)
            return rc;
    }
    rc = colony__store_db_run(&writer->db, STATEMENT_BEGIN);
    if (rc < 0)
        return rc;
    rc = write_templates(writer);
    if (rc == 0)
        rc = write_events(writer);
    if (rc == 0)
        rc = write_spool(writer);
    if (rc == 0)
        rc = colony__store_db_run(&writer->db, STATEMENT_COMMIT);
    if (rc < 0) /* which also fails when sqlite has rolled back already */
        (void)colony__store_db_run(&writer->db, STATEMENT_ROLLBACK);
    return rc;
}

/* Goes on with a fresh file in place of a damaged one. */
static int begin_anew(struct store_writer *writer)
{
    uint64_t now_ms = uv_hrtime() / 1000000;
    char *aside = NULL;
    int rc;

    if (writer->aside_at_ms && now_ms - writer->aside_at_ms < STORE_ASIDE_MS)
        return STORE_DAMAGED;
    writer->aside_at_ms = now_ms;
    writer->is_unsure = true;
    colony__store_db_close(&writer->db, true);
    rc = move_aside(writer->path, &aside);
    if (rc < 0)
        return rc;
    colony_log(SEVERITY_ERROR,
               "%s is damaged: it is now %s, and a new one is begun: templates are kept, the "
               "history so far is lost",
               writer->path, aside);
    free(aside);
    return colony__store_db_open(&writer->db, writer->path);
}

static void tell_result(struct store_writer *writer, int rc)
{
    char trouble[sizeof writer->trouble] = "";

    if (rc < 0)
        (void)snprintf(trouble, sizeof trouble, "cannot write %s: %s", writer->path, advice_of(rc));
    if (strcmp(trouble, writer->trouble) == 0)
        return;
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "%s; it is tried again every %d s", trouble,
                   STORE_RETRY_MS / 1000);
    else
        colony_log(SEVERITY_INFO, "%s is written again", writer->path);
    memcpy(writer->trouble, trouble, sizeof trouble);
}

int colony__writer_write(struct store_writer *writer)
{
    int rc;

    if (!writer->is_unsure && !writer->changes.first && !writer->events.first &&
        !writer->spool.first)
        return 0;
    rc = write_batch(writer);
    if (rc == STORE_DAMAGED) {
        rc = begin_anew(writer);
        if (rc == 0)
            rc = write_batch(writer);
    }
    apply_changes(writer);
    writer->is_unsure = rc < 0;
    if (rc == 0) {
        colony__ids_settle(&writer->ids, writer->db.last_seq);
        colony__store_events_clear(&writer->events);
        colony__store_list_clear(&writer->spool);
        writer->event_count = 0;
    } else {
        colony__store_spool_keep_removals(&writer->spool);
    }
    tell_result(writer, rc);
    return rc;
}

/* After damage was found by reading. */
static void recover(struct store_writer *writer)
{
    int rc = begin_anew(writer);

    if (rc == 0)
        (void)colony__writer_write(writer);
    else
        tell_result(writer, rc);
}

void colony__writer_check(struct store_writer *writer)
{
    writer->is_unchecked = false;
    if (writer->db.sqlite && colony__store_db_check(&writer->db) == STORE_DAMAGED)
        recover(writer);
}

/* History. */

static int collect_row(const struct colony_store_event *row, void *data)
{
    struct store_rows *rows = data;
    struct store_event *copy = colony__store_event_new(&rows->block, row);

    if (!copy)
        return -ENOMEM;
    colony__store_list_append(&rows->list, &copy->link);
    rows->count++;
    return 0;
}

static bool matches(const struct colony_store_query *query, const struct colony_store_event *row)
{
    return (!query->name || strcmp(query->name, row->name) == 0) &&
           (query->slot == 0 || query->slot == row->slot) && row->seq > query->after &&
           (query->goes_on || query->before == 0 || row->seq < query->before) &&
           row->at_ms >= query->since_ms;
}

/* Of those that are still to be written, which are newer than all in the file, oldest first. */
static int collect_unwritten(const struct store_writer *writer,
                             const struct colony_store_query *query, struct store_rows *rows)
{
    const struct store_link *event;
    size_t found = 0;
    int rc = 0;

    for (event = writer->events.first; event; event = event->next)
        found += matches(query, row_of(event));
    for (event = writer->events.first; rc == 0 && event; event = event->next)
        if (matches(query, row_of(event)) && found-- <= query->limit)
            rc = collect_row(row_of(event), rows);
    return rc;
}

/* Oldest first: what is in the file comes before what is still to be written. */
static int collect_on(struct store_writer *writer, const struct colony_store_query *query,
                      struct store_rows *rows)
{
    const struct store_link *event;
    size_t i = 0;
    int rc =
        writer->db.sqlite ? colony__store_db_history(&writer->db, query, collect_row, rows) : 0;

    for (event = writer->events.first; rc == 0 && event; event = event->next)
        if (rows->count < query->limit && matches(query, row_of(event)))
            rc = collect_row(row_of(event), rows);
    if (rc < 0 || rows->count == 0)
        return rc;
    rows->array = calloc(rows->count, sizeof *rows->array);
    if (!rows->array)
        return -ENOMEM;
    for (event = rows->list.first; event; event = event->next)
        rows->array[i++] = *row_of(event);
    return 0;
}

static int collect(struct store_writer *writer, const struct colony_store_query *query,
                   struct store_rows *rows)
{
    struct colony_store_query rest = *query;
    const struct store_link *event;
    size_t unwritten;
    size_t i = 0;
    int rc = collect_unwritten(writer, query, rows);

    if (rc < 0)
        return rc;
    unwritten = rows->count;
    rest.limit -= (uint32_t)unwritten;
    if (rest.limit > 0 && writer->db.sqlite)
        rc = colony__store_db_history(&writer->db, &rest, collect_row, rows);
    if (rc < 0 || rows->count == 0)
        return rc;
    rows->array = calloc(rows->count, sizeof *rows->array);
    if (!rows->array)
        return -ENOMEM;
    for (event = rows->list.first; event; event = event->next, i++)
        rows->array[i < unwritten ? unwritten - 1 - i : i] = *row_of(event);
    return 0;
}

int colony__writer_history(struct store_writer *writer, const struct colony_store_query *query,
                           struct store_rows *rows)
{
    int (*find)(struct store_writer *, const struct colony_store_query *, struct store_rows *) =
        query->goes_on ? collect_on : collect;
    int rc = find(writer, query, rows);

    if (rc == STORE_DAMAGED) {
        colony__store_rows_clear(rows);
        recover(writer);
        rc = find(writer, query, rows);
    }
    if (rc < 0)
        colony__store_rows_clear(rows);
    return rc;
}

void colony__store_rows_clear(struct store_rows *rows)
{
    colony__store_events_clear(&rows->list);
    colony__store_block_end(&rows->block);
    free(rows->array);
    rows->array = NULL;
    rows->count = 0;
}
