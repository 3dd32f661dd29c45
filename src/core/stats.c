/* SPDX-License-Identifier: Apache-2.0 */
#include "core/stats.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

#include "core/stats_internal.h"

enum {
    BUCKET_COUNT = 1024,
};

struct colony_stats_watch {
    struct colony_stats_watch *next;
    struct target *target;
    colony_stats_cb cb; /* NULL: ended; freed once no callback is under way */
    void *data;
    uint64_t interval_ms;
    uint64_t due_ms; /* on the loop's clock */
};

/* A process that is watched, with its descendants. */
struct target {
    struct target *next; /* in its bucket */
    struct colony_stats_watch *watches;
    pid_t pid;
    struct colony__family family;
};

struct colony_stats {
    uv_loop_t *loop;
    uv_timer_t timer; /* to the earliest watch that is due; stopped while there is none */
    struct target *targets[BUCKET_COUNT];
    size_t target_count;
    bool is_telling; /* callbacks are under way: nothing is freed */
    struct colony__sampler sampler;
    colony_stats_close_cb close_cb;
    void *close_data;
};

static struct target **bucket_of(struct colony_stats *stats, pid_t pid)
{
    return &stats->targets[(unsigned)pid % BUCKET_COUNT];
}

static void target_free(struct colony_stats *stats, struct target *target)
{
    while (target->watches) {
        struct colony_stats_watch *next = target->watches->next;

        free(target->watches);
        target->watches = next;
    }
    colony__family_clear(&target->family, &stats->sampler);
    free(target);
}

/* Frees the ended watches of *link, and it with the last of them. Returns the next link. */
static struct target **tidy_target(struct colony_stats *stats, struct target **link)
{
    struct target *target = *link;

    for (struct colony_stats_watch **at = &target->watches; *at;) {
        struct colony_stats_watch *watch = *at;

        if (watch->cb) {
            at = &watch->next;
            continue;
        }
        *at = watch->next;
        free(watch);
    }
    if (target->watches)
        return &target->next;
    *link = target->next;
    target_free(stats, target);
    stats->target_count--;
    return link;
}

/* Nobody watches: nothing is kept, and nothing wakes the loop. */
static void rest(struct colony_stats *stats)
{
    (void)uv_timer_stop(&stats->timer);
    colony__sampler_rest(&stats->sampler);
}

static bool is_due(const struct colony_stats_watch *watch, uint64_t now_ms)
{
    return watch->cb && now_ms + COLONY_STATS_MS / 2 >= watch->due_ms;
}

/* Callbacks may end any watch: those stay in their lists until all have been called. */
static void tell(const struct target *target, const struct colony_process_stats *stats,
                 uint64_t now_ms)
{
    for (struct colony_stats_watch *watch = target->watches; watch; watch = watch->next) {
        colony_stats_cb cb = watch->cb;

        if (stats && !is_due(watch, now_ms))
            continue;
        watch->due_ms = now_ms + watch->interval_ms;
        if (!stats)
            watch->cb = NULL;
        if (cb)
            cb(stats, watch->data);
    }
}

static void look_at_target(struct colony_stats *stats, struct target *target,
                           struct colony__sample *sample)
{
    uint64_t now_ms = uv_now(stats->loop);
    bool has_due = false;
    int rc;

    for (struct colony_stats_watch *watch = target->watches; watch && !has_due; watch = watch->next)
        has_due = is_due(watch, now_ms);
    if (!has_due)
        return;
    rc = colony__family_sample(&target->family, &stats->sampler, sample);
    if (rc == 0)
        tell(target, sample->items, now_ms);
    else if (rc == -ESRCH)
        tell(target, NULL, now_ms);
    /* else it lives, and we are out of memory or descriptors: the next sample may do */
}

static void on_timer(uv_timer_t *timer);

static uint64_t earliest_due(const struct colony_stats *stats)
{
    uint64_t due_ms = UINT64_MAX;

    for (size_t i = 0; i < BUCKET_COUNT; i++)
        for (const struct target *target = stats->targets[i]; target; target = target->next)
            for (const struct colony_stats_watch *at = target->watches; at; at = at->next)
                due_ms = at->due_ms < due_ms ? at->due_ms : due_ms;
    return due_ms;
}

/* However much there is to read, the loop has at least half of its time for others. */
static void schedule_next(struct colony_stats *stats, uint64_t began_ms)
{
    uint64_t due_ms = earliest_due(stats);
    uint64_t now_ms;
    uint64_t spent_ms;
    uint64_t left_ms;

    uv_update_time(stats->loop);
    now_ms = uv_now(stats->loop);
    spent_ms = now_ms - began_ms;
    left_ms =
        due_ms > now_ms ? due_ms - now_ms : COLONY_STATS_MS; /* else it failed, or took long */
    (void)uv_timer_start(&stats->timer, on_timer, left_ms > spent_ms ? left_ms : spent_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct colony_stats *stats = timer->data;
    struct colony__sample *sample = malloc(sizeof *sample);
    uint64_t began_ms = uv_now(stats->loop);

    stats->is_telling = true;
    for (size_t i = 0; sample && i < BUCKET_COUNT; i++)
        for (struct target *target = stats->targets[i]; target; target = target->next)
            look_at_target(stats, target, sample);
    stats->is_telling = false;
    free(sample);
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        for (struct target **link = &stats->targets[i]; *link;)
            link = tidy_target(stats, link);
    if (stats->target_count > 0)
        schedule_next(stats, began_ms);
    else
        rest(stats);
}

/* The target of that process; one that has ended, and has yet to be told so, is another. */
static struct target *find_target(struct colony_stats *stats, pid_t pid, uint64_t start_ticks)
{
    for (struct target *target = *bucket_of(stats, pid); target; target = target->next)
        if (colony__family_is(&target->family, &stats->sampler, pid, start_ticks))
            return target;
    return NULL;
}

static int add_target(struct colony_stats *stats, pid_t pid, uint64_t start_ticks,
                      struct target **out)
{
    struct target *target = calloc(1, sizeof *target);
    struct colony__sample *sample = malloc(sizeof *sample);
    int rc = -ENOMEM;

    if (target && sample)
        rc = colony__family_init(&target->family, pid, start_ticks);
    if (rc == 0) /* what the first that is told is measured from */
        rc = colony__family_sample(&target->family, &stats->sampler, sample);
    free(sample);
    if (rc < 0) {
        if (target)
            target_free(stats, target);
        return rc;
    }
    target->pid = pid;
    target->next = *bucket_of(stats, pid);
    *bucket_of(stats, pid) = target;
    stats->target_count++;
    *out = target;
    return 0;
}

int colony_stats_watch(struct colony_stats *stats, const struct colony_stats_wish *wish,
                       struct colony_stats_watch **out)
{
    struct colony_stats_watch *watch = calloc(1, sizeof *watch);
    struct target *target;
    int rc = 0;

    if (!watch)
        return -ENOMEM;
    target = find_target(stats, wish->pid, wish->start_ticks);
    if (!target)
        rc = add_target(stats, wish->pid, wish->start_ticks, &target);
    if (rc < 0) {
        free(watch);
        return rc;
    }
    watch->target = target;
    watch->cb = wish->cb;
    watch->data = wish->data;
    watch->interval_ms = (uint64_t)(wish->every > 0 ? wish->every : 1) * COLONY_STATS_MS;
    watch->due_ms = uv_now(stats->loop) + watch->interval_ms;
    watch->next = target->watches;
    target->watches = watch;
    if (!uv_is_active((uv_handle_t *)&stats->timer) ||
        uv_timer_get_due_in(&stats->timer) > watch->interval_ms)
        (void)uv_timer_start(&stats->timer, on_timer, watch->interval_ms, 0);
    *out = watch;
    return 0;
}

void colony_stats_unwatch(struct colony_stats *stats, struct colony_stats_watch *watch)
{
    struct target **link;

    if (!watch)
        return;
    watch->cb = NULL;
    if (stats->is_telling)
        return;
    for (link = bucket_of(stats, watch->target->pid); *link != watch->target;)
        link = &(*link)->next;
    (void)tidy_target(stats, link);
    if (stats->target_count == 0)
        rest(stats);
}

int colony_stats_look(struct colony_stats *stats, pid_t pid, uint64_t uptime_ms,
                      struct colony_process_stats *out)
{
    const struct target *target = find_target(stats, pid, 0);
    int rc = colony__sampler_look(&stats->sampler, pid, uptime_ms, out);

    if (rc == 0 && target)
        out->cpu_percent = colony__family_cpu(&target->family);
    return rc;
}

/* Beginning and end. */

int colony_stats_new(struct colony_stats **out, struct uv_loop_s *loop)
{
    struct colony_stats *stats = calloc(1, sizeof *stats);
    int rc;

    if (!stats)
        return -ENOMEM;
    rc = uv_timer_init(loop, &stats->timer);
    if (rc < 0) {
        free(stats);
        return rc;
    }
    stats->timer.data = stats;
    stats->loop = loop;
    colony__sampler_init(&stats->sampler);
    *out = stats;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct colony_stats *stats = handle->data;
    colony_stats_close_cb cb = stats->close_cb;
    void *data = stats->close_data;

    for (size_t i = 0; i < BUCKET_COUNT; i++)
        while (stats->targets[i]) {
            struct target *next = stats->targets[i]->next;

            target_free(stats, stats->targets[i]);
            stats->targets[i] = next;
        }
    colony__sampler_rest(&stats->sampler);
    free(stats);
    if (cb)
        cb(data); /* last, so that the caller may close the loop */
}

void colony_stats_close(struct colony_stats *stats, colony_stats_close_cb cb, void *data)
{
    stats->close_cb = cb;
    stats->close_data = data;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        for (struct target *target = stats->targets[i]; target; target = target->next)
            for (struct colony_stats_watch *watch = target->watches; watch; watch = watch->next)
                watch->cb = NULL;
    uv_close((uv_handle_t *)&stats->timer, on_timer_closed);
}
