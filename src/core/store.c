/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - the loop's side of the store, and its thread.
 *
 * The loop queues under the lock; the thread takes all that is queued, works without the lock, and
 * hands the answers back under it. Functions that end in _locked are called with it.
 */
#include "core/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "core/log.h"
#include "core/store_internal.h"
#include "core/template.h"

enum {
    STACK_BYTES = 256 << 10,
};

/* Something that is asked and answered: a sync, or with @history_cb a query. */
struct request {
    struct store_link link;        /* queued, in the thread's hands, or answered */
    TAILQ_ENTRY(request) in_asked; /* the loop's */
    colony_store_done_cb done_cb;
    colony_store_history_cb history_cb;
    void *data;
    struct colony_store_query query;
    int rc;
    struct store_rows rows;
    char name[COLONY_NAME_MAX + 1];
};
TAILQ_HEAD(asked, request);

struct colony_store {
    /* the loop's */
    uv_async_t async;
    uv_timer_t timer; /* while it is being closed: how long that may take */
    struct asked asked;
    uint64_t dropped;
    struct store_block *block; /* that the last event was put into */
    char trouble[COLONY_ERROR_TEXT_MAX];
    unsigned open_handles;
    colony_store_close_cb close_cb;
    void *close_data;

    /* under the lock */
    uv_mutex_t lock;
    uv_cond_t wake; /* the thread; and who waits for it to be idle */
    struct store_list changes;
    struct store_list events;
    struct store_list spool;
    struct store_list requests;
    struct store_list answered;
    struct colony_store_keep keep;
    size_t event_count; /* queued, and what the thread could not write yet */
    uint64_t due_ms;    /* when history, or what failed, is to be written; 0: nothing waits */
    bool is_hurried;    /* somebody may be waiting for what is queued */
    bool is_busy;       /* the thread is at work */
    bool is_read;       /* what is known is looked at: the thread may not change it */
    bool has_worked;
    bool is_closing;
    bool is_done;                     /* the thread has ended */
    bool is_given_up;                 /* nobody waits for the thread any more: it keeps all this */
    char news[COLONY_ERROR_TEXT_MAX]; /* what trouble is to become */

    uv_thread_t thread;
    struct store_writer writer; /* the thread's, but for giving ids */
};

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* The thread. */

static bool is_due_locked(const struct colony_store *store)
{
    return store->due_ms && now_ms() >= store->due_ms;
}

static bool has_work_locked(const struct colony_store *store)
{
    return store->is_hurried || store->is_closing || store->requests.first || is_due_locked(store);
}

/* True when there is work, false when there is time for what nobody waits for. */
static bool wait_for_work_locked(struct colony_store *store)
{
    while (store->is_read || !has_work_locked(store)) {
        uint64_t now = now_ms();

        if (!store->is_read && store->has_worked && store->writer.is_unchecked)
            return false;
        if (store->is_read || store->due_ms == 0)
            uv_cond_wait(&store->wake, &store->lock);
        else if (store->due_ms > now)
            (void)uv_cond_timedwait(&store->wake, &store->lock, (store->due_ms - now) * 1000000);
    }
    return true;
}

/* A query alone need not be written for: it finds what is queued as well. */
static void work(struct store_writer *writer, const struct store_list *requests, bool writes)
{
    int rc = writes ? colony__writer_write(writer) : 0;

    for (struct store_link *link = requests->first; link; link = link->next) {
        struct request *request = (struct request *)link;

        request->rc = rc;
        if (request->history_cb)
            request->rc = colony__writer_history(writer, &request->query, &request->rows);
    }
}

/* Takes all that is queued and works on it with the lock let go. */
static void work_locked(struct colony_store *store, bool is_check)
{
    struct store_writer *writer = &store->writer;
    struct store_list requests = {0};
    bool writes = !is_check && (store->is_hurried || store->is_closing || is_due_locked(store));
    size_t count = store->event_count;

    colony__store_list_move(&writer->changes, &store->changes);
    colony__store_list_move(&writer->events, &store->events);
    colony__store_list_move(&writer->spool, &store->spool);
    colony__store_list_move(&requests, &store->requests);
    writer->event_count = count;
    writer->keep = store->keep;
    if (writes)
        store->due_ms = 0;
    store->is_hurried = false;
    store->is_busy = true;
    uv_mutex_unlock(&store->lock);
    if (is_check)
        colony__writer_check(writer);
    else
        work(writer, &requests, writes);
    uv_mutex_lock(&store->lock);
    store->is_busy = false;
    store->has_worked = true;
    store->event_count -= count - writer->event_count;
    if (writer->is_unsure && (writes || store->due_ms == 0))
        store->due_ms = now_ms() + STORE_RETRY_MS;
    colony__store_list_move(&store->answered, &requests);
    uv_cond_broadcast(&store->wake);
}

static void tell_loop_locked(struct colony_store *store)
{
    bool is_news = strcmp(store->news, store->writer.trouble) != 0;

    if (is_news)
        memcpy(store->news, store->writer.trouble, sizeof store->news);
    if (!store->is_given_up && (is_news || store->answered.first))
        (void)uv_async_send(&store->async);
}

static void run_thread(void *data)
{
    struct colony_store *store = data;
    bool is_last = false;
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    uv_mutex_lock(&store->lock);
    while (!is_last) {
        bool has_work = wait_for_work_locked(store);

        is_last = store->is_closing;
        work_locked(store, !has_work);
        tell_loop_locked(store);
    }
    uv_mutex_unlock(&store->lock);
    colony__writer_close(&store->writer);
    uv_mutex_lock(&store->lock);
    store->is_done = true;
    if (!store->is_given_up)
        (void)uv_async_send(&store->async);
    uv_mutex_unlock(&store->lock);
}

/* The loop's side: ending. */

static void free_store(struct colony_store *store)
{
    uv_cond_destroy(&store->wake);
    uv_mutex_destroy(&store->lock);
    colony__store_block_end(&store->block);
    free(store);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct colony_store *store = handle->data;
    colony_store_close_cb cb = store->close_cb;
    void *data = store->close_data;

    if (--store->open_handles > 0)
        return;
    if (!store->is_given_up)
        free_store(store);
    if (cb)
        cb(data); /* last, so that the caller may close the loop */
}

static void close_handles(struct colony_store *store)
{
    uv_close((uv_handle_t *)&store->async, on_handle_closed);
    uv_close((uv_handle_t *)&store->timer, on_handle_closed);
}

static void tell_request(struct colony_store *store, struct request *request, int rc)
{
    TAILQ_REMOVE(&store->asked, request, in_asked);
    if (TAILQ_EMPTY(&store->asked))
        uv_unref((uv_handle_t *)&store->async);
    if (request->history_cb)
        request->history_cb(rc, rc < 0 ? NULL : request->rows.array,
                            rc < 0 ? 0 : request->rows.count, request->data);
    else
        request->done_cb(rc, request->data);
}

static void on_async(uv_async_t *async)
{
    struct colony_store *store = async->data;
    struct store_list answered = {0};
    struct request *request;
    bool is_done;

    uv_mutex_lock(&store->lock);
    colony__store_list_move(&answered, &store->answered);
    memcpy(store->trouble, store->news, sizeof store->trouble);
    is_done = store->is_done;
    uv_mutex_unlock(&store->lock);
    while ((request = (struct request *)colony__store_list_pop(&answered))) {
        tell_request(store, request, request->rc);
        colony__store_rows_clear(&request->rows);
        free(request);
    }
    if (!is_done)
        return;
    (void)uv_thread_join(&store->thread);
    close_handles(store);
}

/* The thread is stuck in a disk that hangs: it keeps what it has, and ends with the process. */
static void on_closing_for_long(uv_timer_t *timer)
{
    struct colony_store *store = timer->data;

    uv_mutex_lock(&store->lock);
    store->is_given_up = !store->is_done;
    uv_mutex_unlock(&store->lock);
    if (!store->is_given_up) {
        on_async(&store->async);
        return;
    }
    colony_log(SEVERITY_ERROR,
               "store: a write has not come back for %d s: what was not written is lost",
               STORE_CLOSE_MS / 1000);
    (void)pthread_detach(store->thread);
    while (!TAILQ_EMPTY(&store->asked))
        tell_request(store, TAILQ_FIRST(&store->asked), -ECANCELED);
    close_handles(store);
}

void colony_store_close(struct colony_store *store, colony_store_close_cb cb, void *data)
{
    store->close_cb = cb;
    store->close_data = data;
    (void)uv_timer_start(&store->timer, on_closing_for_long, STORE_CLOSE_MS, 0);
    uv_mutex_lock(&store->lock);
    store->is_closing = true;
    uv_cond_broadcast(&store->wake);
    uv_mutex_unlock(&store->lock);
}

/* The loop's side: opening and asking. */

static int start_thread(struct colony_store *store, struct uv_loop_s *loop)
{
    const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                         .stack_size = STACK_BYTES};
    int rc = uv_async_init(loop, &store->async, on_async);

    if (rc < 0)
        return rc;
    store->async.data = store;
    uv_unref((uv_handle_t *)&store->async); /* it keeps the loop only while somebody waits */
    (void)uv_timer_init(loop, &store->timer);
    store->timer.data = store;
    store->open_handles = 2;
    return uv_thread_create_ex(&store->thread, &options, run_thread, store);
}

static int init_lock(struct colony_store *store)
{
    int rc = uv_mutex_init(&store->lock);

    if (rc < 0)
        return rc;
    rc = uv_cond_init(&store->wake);
    if (rc < 0)
        uv_mutex_destroy(&store->lock);
    return rc;
}

int colony_store_open(struct colony_store **out, struct uv_loop_s *loop, const char *path,
                      char **aside, struct colony_error *err)
{
    struct colony_store *store = calloc(1, sizeof *store);
    char *moved = NULL;
    int rc = store ? init_lock(store) : -ENOMEM;

    if (rc < 0) {
        free(store);
        return colony_fail_os(err, rc, "cannot open %s", path);
    }
    TAILQ_INIT(&store->asked);
    rc = colony__writer_open(&store->writer, path, &moved, err);
    store->dropped = store->writer.ids.lost;
    store->keep.rows = COLONY_STORE_HISTORY_MAX;
    if (rc == 0) {
        rc = start_thread(store, loop);
        if (rc < 0)
            (void)colony_fail_os(err, rc, "cannot start the thread of %s", path);
    }
    if (rc == 0) {
        *aside = moved;
        *out = store;
        return 0;
    }
    free(moved);
    colony__writer_close(&store->writer);
    if (store->open_handles > 0)
        close_handles(store); /* the loop frees it */
    else
        free_store(store);
    return rc;
}

/* Keeps the thread from its work, which is not to change what is looked at. */
static void begin_reading(struct colony_store *store)
{
    uv_mutex_lock(&store->lock);
    store->is_read = true;
    while (store->is_busy)
        uv_cond_wait(&store->wake, &store->lock);
    uv_mutex_unlock(&store->lock);
}

static void end_reading(struct colony_store *store)
{
    uv_mutex_lock(&store->lock);
    store->is_read = false;
    uv_cond_broadcast(&store->wake);
    uv_mutex_unlock(&store->lock);
}

int colony_store_each_template(struct colony_store *store, colony_store_template_cb cb, void *data,
                               struct colony_error *err)
{
    const struct store_template *known;

    (void)err; /* they were read when it was opened */
    begin_reading(store);
    TAILQ_FOREACH(known, &store->writer.known.order, in_order)
    cb(&known->row, data);
    end_reading(store);
    return 0;
}

static int queue_change(struct colony_store *store, const struct colony_store_template *row,
                        bool is_removal)
{
    struct store_template *change;

    if (!row->name || *row->name == '\0' || strlen(row->name) > COLONY_NAME_MAX)
        return -EINVAL;
    if (row->settings && strlen(row->settings) > STORE_SETTINGS_BYTES_MAX)
        return -EMSGSIZE;
    change = colony__store_template_new(row);
    if (!change)
        return -ENOMEM;
    change->is_removal = is_removal;
    uv_mutex_lock(&store->lock);
    colony__store_list_append(&store->changes, &change->link);
    store->is_hurried = true;
    uv_cond_broadcast(&store->wake);
    uv_mutex_unlock(&store->lock);
    return 0;
}

int colony_store_put_template(struct colony_store *store, const struct colony_store_template *row)
{
    return queue_change(store, row, false);
}

int colony_store_remove_template(struct colony_store *store, const char *name)
{
    const struct colony_store_template row = {.name = name};

    return queue_change(store, &row, true);
}

uint64_t colony_store_add_event(struct colony_store *store, const struct colony_store_event *row)
{
    struct store_event *event = colony__store_event_new(&store->block, row);
    uint64_t seq = colony__ids_give(&store->writer.ids);
    bool is_full;

    if (!event) {
        store->dropped++;
        return seq;
    }
    event->row.seq = seq;
    uv_mutex_lock(&store->lock);
    is_full = store->event_count >= COLONY_STORE_QUEUE_MAX;
    if (!is_full) {
        colony__store_list_append(&store->events, &event->link);
        store->event_count++;
    }
    if (!is_full && store->due_ms == 0) {
        store->due_ms = now_ms() + STORE_BATCH_MS;
        uv_cond_broadcast(&store->wake);
    }
    uv_mutex_unlock(&store->lock);
    if (is_full) {
        store->dropped++;
        colony__store_event_free(event);
    }
    return seq;
}

uint64_t colony_store_last_seq(const struct colony_store *store)
{
    return colony__ids_last(&store->writer.ids);
}

uint64_t colony_store_opened_seq(const struct colony_store *store)
{
    return store->writer.ids.opened;
}

/* With @row it is asked whether that is safe: both are queued at once, as one may not be written
 * without the other. */
static void queue_request(struct colony_store *store, struct request *request,
                          struct store_spooled *row)
{
    TAILQ_INSERT_TAIL(&store->asked, request, in_asked);
    uv_ref((uv_handle_t *)&store->async);
    uv_mutex_lock(&store->lock);
    if (row)
        colony__store_list_append(&store->spool, &row->link);
    colony__store_list_append(&store->requests, &request->link);
    if (!request->history_cb)
        store->is_hurried = true;
    uv_cond_broadcast(&store->wake);
    uv_mutex_unlock(&store->lock);
}

void colony_store_set_keep(struct colony_store *store, const struct colony_store_keep *keep)
{
    uv_mutex_lock(&store->lock);
    store->keep = *keep;
    uv_mutex_unlock(&store->lock);
}

int colony_store_sync(struct colony_store *store, colony_store_done_cb cb, void *data)
{
    struct request *request = calloc(1, sizeof *request);

    if (!request)
        return -ENOMEM;
    request->done_cb = cb;
    request->data = data;
    queue_request(store, request, NULL);
    return 0;
}

int colony_store_spool(struct colony_store *store, const struct colony_store_spooled *row,
                       colony_store_done_cb cb, void *data)
{
    struct request *request = calloc(1, sizeof *request);
    struct store_spooled *copy = request ? colony__store_spooled_new(row) : NULL;

    if (!copy) {
        free(request);
        return -ENOMEM;
    }
    request->done_cb = cb;
    request->data = data;
    queue_request(store, request, copy);
    return 0;
}

int colony_store_unspool(struct colony_store *store, uint64_t id)
{
    struct store_spooled *removal = calloc(1, sizeof *removal);

    if (!removal)
        return -ENOMEM;
    removal->is_removal = true;
    removal->row.id = id;
    uv_mutex_lock(&store->lock);
    colony__store_list_append(&store->spool, &removal->link);
    if (store->due_ms == 0) {
        store->due_ms = now_ms() + STORE_BATCH_MS;
        uv_cond_broadcast(&store->wake);
    }
    uv_mutex_unlock(&store->lock);
    return 0;
}

int colony_store_each_spooled(struct colony_store *store, colony_store_spooled_cb cb, void *data)
{
    int rc;

    begin_reading(store);
    rc = colony__store_db_each_spooled(&store->writer.db, cb, data);
    end_reading(store);
    return rc;
}

void colony_store_flush(struct colony_store *store)
{
    uint64_t now = now_ms();
    uint64_t until_ms = now + STORE_CLOSE_MS;

    uv_mutex_lock(&store->lock);
    store->is_hurried = true;
    uv_cond_broadcast(&store->wake);
    for (; (store->is_hurried || store->is_busy) && now < until_ms; now = now_ms())
        (void)uv_cond_timedwait(&store->wake, &store->lock, (until_ms - now) * 1000000);
    uv_mutex_unlock(&store->lock);
}

int colony_store_history(struct colony_store *store, const struct colony_store_query *query,
                         colony_store_history_cb cb, void *data)
{
    struct request *request;
    uint64_t oldest_ms;
    size_t length = query->name ? strlen(query->name) : 0;

    if (length > COLONY_NAME_MAX)
        return -EINVAL;
    request = calloc(1, sizeof *request);
    if (!request)
        return -ENOMEM;
    request->history_cb = cb;
    request->data = data;
    request->query = *query;
    if (query->name)
        request->query.name = memcpy(request->name, query->name, length + 1);
    if (query->limit > COLONY_STORE_HISTORY_MAX)
        request->query.limit = COLONY_STORE_HISTORY_MAX;
    oldest_ms = colony__store_oldest_ms(&store->keep);
    if (query->since_ms < oldest_ms)
        request->query.since_ms = oldest_ms;
    queue_request(store, request, NULL);
    return 0;
}

const char *colony_store_trouble(const struct colony_store *store)
{
    return store->trouble;
}

uint64_t colony_store_dropped(const struct colony_store *store)
{
    return store->dropped;
}
