/* SPDX-License-Identifier: Apache-2.0 */
#include "heart.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "core/error.h"
#include "core/heartbeat.h"
#include "core/log.h"
#include "core/value.h"
#include "fsctl/check_settings.h"

enum {
    BEATS_A_PERIOD = 3,
    DEFAULT_PERIOD_MS = 30000, /* colony's own, when it says the path alone */
};

struct colony_heart {
    struct colony_heart_places places; /* the worker's while one is under way */
    struct colony_error result;        /* of that */
    uv_timer_t timer;
    uv_work_t work;
    bool is_beating;
    bool is_stopped;
    bool is_closed;                   /* the timer */
    char told[COLONY_ERROR_TEXT_MAX]; /* the last trouble that was told */
};

/* --- what the environment asks for ------------------------------------------------------------ */

static int add_place(struct colony_heart_places *places, const char *path, const char *name,
                     uint64_t period_ms)
{
    uint64_t interval_ms = period_ms / BEATS_A_PERIOD > 0 ? period_ms / BEATS_A_PERIOD : 1;

    if (strlen(path) >= sizeof places->items[0].path)
        return -ENAMETOOLONG;
    (void)snprintf(places->items[places->count].path, sizeof places->items[0].path, "%s", path);
    places->items[places->count].name = name;
    if (places->count++ == 0 || interval_ms < places->interval_ms)
        places->interval_ms = interval_ms;
    return 0;
}

static int find_ncolonys(struct colony_heart_places *places, struct colony_error *err)
{
    const char *text = getenv("NCOLONY_CONFIG");
    const char *name = getenv("NCOLONY_NAME");
    struct colony_value *config = NULL;
    struct colony_beat_settings settings = {0};
    struct colony_error reason = {0};
    int rc;

    if (!text)
        return 0;
    rc = colony_value_parse_json(&config, text, strlen(text), &reason);
    if (rc == 0)
        rc = colony_beat_settings_read(config, &settings, &reason);
    if (rc > 0 && settings.status) {
        if (name && (name[0] == '\0' || strchr(name, '/')))
            name = NULL; /* it names no file */
        rc = add_place(places, settings.status, name, settings.period_ms);
    }
    if (rc < 0)
        rc = colony_fail(err, rc, "cannot beat as $NCOLONY_CONFIG says: %s",
                         reason.code ? reason.message : strerror(-rc));
    colony_value_free(config);
    return rc;
}

/* As WATCHDOG_USEC is told beside NOTIFY_SOCKET. */
static int find_colonys(struct colony_heart_places *places, struct colony_error *err)
{
    const char *path = getenv("COLONY_HEARTBEAT");
    const char *text = getenv("COLONY_HEARTBEAT_USEC");
    uint64_t period_ms = DEFAULT_PERIOD_MS;
    char *end = NULL;

    if (!path || path[0] == '\0')
        return 0;
    errno = 0;
    if (text)
        period_ms = strtoull(text, &end, 10) / 1000;
    if (text && (errno != 0 || *end != '\0' || period_ms == 0))
        return colony_fail(err, -EINVAL, "cannot beat as $COLONY_HEARTBEAT_USEC says: %s", text);
    if (add_place(places, path, NULL, period_ms) < 0)
        return colony_fail(err, -ENAMETOOLONG, "cannot beat as $COLONY_HEARTBEAT says: too long");
    return 0;
}

int colony_heart_find(struct colony_heart_places *places, struct colony_error *err)
{
    int rc;

    places->count = 0;
    rc = find_ncolonys(places, err);
    return rc < 0 ? rc : find_colonys(places, err);
}

int colony_heart_beat(const struct colony_heart_places *places, struct colony_error *err)
{
    int first = 0;

    for (size_t i = 0; i < places->count; i++) {
        struct colony_error reason = {0};
        int rc = colony_heartbeat_touch(places->items[i].path, places->items[i].name, &reason);

        if (rc < 0 && first == 0)
            first = colony_fail(err, rc, "%s", reason.message);
    }
    return first;
}

/* --- on a loop -------------------------------------------------------------------------------- */

static void free_when_done(struct colony_heart *heart)
{
    if (heart->is_closed && !heart->is_beating)
        free(heart);
}

static void work(uv_work_t *request)
{
    struct colony_heart *heart = request->data;

    heart->result.code = 0;
    (void)colony_heart_beat(&heart->places, &heart->result);
}

static void on_worked(uv_work_t *request, int status)
{
    struct colony_heart *heart = request->data;

    heart->is_beating = false;
    if (status == 0 && !heart->is_stopped) {
        const char *trouble = heart->result.code ? heart->result.message : "";

        if (trouble[0] != '\0' && strcmp(trouble, heart->told) != 0)
            colony_log(SEVERITY_ERROR, "%s", trouble);
        (void)snprintf(heart->told, sizeof heart->told, "%s", trouble);
    }
    free_when_done(heart);
}

/* A disk that hangs is asked once: the supervisor sees that nothing beats. */
static void on_time(uv_timer_t *timer)
{
    struct colony_heart *heart = timer->data;

    if (heart->is_beating)
        return;
    heart->work.data = heart;
    heart->is_beating = uv_queue_work(timer->loop, &heart->work, work, on_worked) == 0;
}

int colony_heart_start(struct colony_heart **out, struct uv_loop_s *loop, struct colony_error *err)
{
    struct colony_heart *heart = calloc(1, sizeof *heart);
    int rc;

    *out = NULL;
    if (!heart)
        return colony_fail(err, -ENOMEM, "cannot beat: out of memory");
    rc = colony_heart_find(&heart->places, err);
    if (rc < 0 || heart->places.count == 0) {
        free(heart);
        return rc;
    }
    (void)uv_timer_init(loop, &heart->timer); /* never fails */
    heart->timer.data = heart;
    (void)uv_timer_start(&heart->timer, on_time, 0, heart->places.interval_ms);
    uv_unref((uv_handle_t *)&heart->timer);
    *out = heart;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct colony_heart *heart = handle->data;

    heart->is_closed = true;
    free_when_done(heart);
}

void colony_heart_stop(struct colony_heart *heart)
{
    if (!heart)
        return;
    heart->is_stopped = true;
    uv_close((uv_handle_t *)&heart->timer, on_timer_closed);
}
