/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /watch: events as they happen, as gaffer tells them and with what the history knows of them.
 *
 * What the history keeps is told with its seq as id: so a client that comes back with the last one
 * it has seen (Last-Event-ID) is first sent what it missed, from the store. Each id is given to one
 * event, and each event has one: where some are missing, the store holds them no more. But topics
 * of a program have none: who is not there misses them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/channel_internal.h"
#include "api/connection_internal.h"
#include "api/event_json_internal.h"
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/history.h"
#include "core/store.h"
#include "core/template.h"

enum {
    REPLAY_ROWS = 500, /* read from the store at once */
};

/* Which events. */
struct filter {
    char name[COLONY_NAME_MAX + 1];                         /* "": of all */
    char event[sizeof "topic." + COLONY_PROGRAM_TOPIC_MAX]; /* "": all */
};

/* One channel's subject. */
struct watch {
    struct colony_engine *engine;
    struct colony_subscription *subscription;
    struct colony__channel *channel;
    struct filter filter;
};

/* What one client has missed. Lives until the client and the store have both let go. */
struct replay {
    struct colony__follower *follower; /* NULL: it has gone */
    struct colony_engine *engine;
    struct filter filter;
    uint64_t after;  /* up to here it was told all, or that it is missing */
    uint64_t newest; /* when the store was asked */
    bool is_asked;   /* the store's turn */
};

static bool is_wanted(const struct filter *filter, const char *name, const char *event)
{
    if (*filter->name != '\0' && (!name || strcmp(name, filter->name) != 0))
        return false;
    return *filter->event == '\0' || colony_event_is_word(event, filter->event);
}

/* A topic of gaffer's: EVENT, or proc.NAME.EVENT to who watches one template. */
struct topic {
    char text[sizeof "proc.." + COLONY_NAME_MAX + sizeof((struct filter *)0)->event];
};

static void set_topic(struct topic *topic, const struct filter *filter, const char *event)
{
    if (*filter->name != '\0')
        (void)snprintf(topic->text, sizeof topic->text, "proc.%s.%s", filter->name, event);
    else
        (void)snprintf(topic->text, sizeof topic->text, "%s", event);
}

/* Live. */

static void on_event(const struct colony_event *event, void *data)
{
    const struct watch *watch = data;
    struct colony_store_event row;
    struct colony__json json = {0};
    struct topic topic;

    if (!colony_history_is_told(event) ||
        !is_wanted(&watch->filter, event->name, colony_event_word(event)))
        return;
    colony_history_row(&row, event);
    colony__event_add_json(&json, &row, event->detached);
    set_topic(&topic, &watch->filter, row.event);
    if (json.failed)
        (void)colony__channel_tell_dropped(watch->channel, 1);
    else
        (void)colony__channel_tell(
            watch->channel,
            &(struct colony__tidings){.event = topic.text,
                                      .id = event->type == EVENT_TOPIC ? COLONY__NO_ID : event->seq,
                                      .text = json.text.data,
                                      .size = json.text.size,
                                      .weight = 1});
    colony__json_clear(&json);
}

static void on_unfollowed(void *data)
{
    struct watch *watch = data;

    colony_events_unsubscribe(colony_engine_events(watch->engine), watch->subscription);
    free(watch);
}

static int subscribe(struct watch *watch)
{
    const struct filter *filter = &watch->filter;
    char pattern[sizeof "proc." + sizeof filter->event] = "."; /* longer than names are */

    if (*filter->name != '\0')
        (void)snprintf(pattern, sizeof pattern, "proc.%s", filter->name);
    else if (*filter->event != '\0')
        (void)snprintf(pattern, sizeof pattern, "%s", filter->event);
    return colony_events_subscribe(colony_engine_events(watch->engine), pattern, on_event, watch,
                                   &watch->subscription);
}

/* The channel of what @filter lets through, made if nobody follows that yet. */
static int open_channel(struct colony__channel **out, struct colony__connection *connection,
                        const struct filter *filter, enum colony__feed feed)
{
    char subject[sizeof "watch " + sizeof filter->name + sizeof filter->event];
    struct watch *watch;
    int rc;

    (void)snprintf(subject, sizeof subject, "watch %s %s", filter->event, filter->name);
    *out = colony__channel_find(connection->server, subject, feed);
    if (*out)
        return 0;
    watch = calloc(1, sizeof *watch);
    if (!watch)
        return -ENOMEM;
    watch->engine = colony__connection_engine(connection);
    watch->filter = *filter;
    rc = colony__channel_new(&watch->channel, connection->server,
                             &(struct colony__channel_options){.subject = subject,
                                                               .feed = feed,
                                                               .unit = "events",
                                                               .closed = on_unfollowed,
                                                               .data = watch});
    if (rc == 0)
        rc = subscribe(watch);
    if (rc < 0) {
        if (watch->channel)
            colony__channel_free(watch->channel);
        free(watch);
        return rc;
    }
    *out = watch->channel;
    return 0;
}

/* What was missed. */

static void replay_release(struct replay *replay)
{
    if (!replay->follower && !replay->is_asked)
        free(replay);
}

/*
 * What the history holds no more up to @seq is told as a number. Whether it would have been wanted
 * nobody knows. False: the client has gone.
 */
static bool tell_missing(struct replay *replay, uint64_t seq)
{
    uint64_t missing = seq > replay->after ? seq - replay->after : 0;

    replay->after += missing;
    return missing == 0 || colony__follower_tell_dropped(replay->follower, missing);
}

/* False: the client has gone, or got all it wanted. */
static bool tell_row(struct replay *replay, const struct colony_store_event *row)
{
    const struct colony_template *template = colony_engine_find_template(replay->engine, row->name);
    struct colony__json json = {0};
    struct topic topic;
    bool goes_on = true;

    if (!tell_missing(replay, row->seq - 1))
        return false;
    replay->after = row->seq;
    if (!is_wanted(&replay->filter, row->name, row->event))
        return true;
    colony__event_add_json(&json, row, template && template->detach);
    set_topic(&topic, &replay->filter, row->event);
    if (!json.failed)
        goes_on = colony__follower_tell(replay->follower,
                                        &(struct colony__tidings){.event = topic.text,
                                                                  .id = row->seq,
                                                                  .text = json.text.data,
                                                                  .size = json.text.size,
                                                                  .weight = 1});
    else
        colony__follower_close(replay->follower);
    goes_on = goes_on && !json.failed;
    colony__json_clear(&json);
    return goes_on;
}

static void ask(struct replay *replay);

static void on_rows(int rc, const struct colony_store_event *rows, size_t count, void *data)
{
    struct replay *replay = data;
    struct colony__follower *follower = replay->follower;
    bool goes_on = follower != NULL;

    for (size_t i = 0; goes_on && i < count; i++)
        goes_on = tell_row(replay, &rows[i]);
    if (goes_on && rc == 0 && count < REPLAY_ROWS)
        goes_on = tell_missing(replay, replay->newest);
    replay->is_asked = false;
    if (!goes_on || !replay->follower) {
        replay_release(replay);
    } else if (rc < 0) {
        colony__follower_close(follower); /* it comes again */
    } else if (count < REPLAY_ROWS) {
        uint64_t after = replay->after;

        replay->follower = NULL;
        replay_release(replay);
        colony__follower_release(follower, after);
    } else if (!colony__follower_flush(follower)) {
        ask(replay);
    }
}

/*
 * The next rows, of all templates, as only those show what is missing; what happens from here on
 * waits in the channel.
 */
static void ask(struct replay *replay)
{
    struct colony_store *store = colony_engine_store(replay->engine);
    const struct colony_store_query query = {
        .limit = REPLAY_ROWS,
        .after = replay->after,
        .goes_on = true,
    };

    colony__follower_catch_up(replay->follower);
    replay->newest = colony_store_last_seq(store);
    replay->is_asked = true;
    if (colony_store_history(store, &query, on_rows, replay) == 0)
        return;
    replay->is_asked = false;
    colony__follower_close(replay->follower); /* it comes again */
}

static void on_writable(struct colony__follower *follower, void *data)
{
    struct replay *replay = data;

    replay->follower = follower;
    if (!replay->is_asked)
        ask(replay);
}

static void on_closed(void *data)
{
    struct replay *replay = data;

    replay->follower = NULL;
    replay_release(replay);
}

static const struct colony__prelude replay_prelude = {.writable = on_writable, .closed = on_closed};

/*
 * An id that was never given is one of an engine that was killed before it could write it down: all
 * that this engine has told is new to the client.
 */
static struct replay *replay_new(struct colony_engine *engine, const struct filter *filter,
                                 uint64_t last_id)
{
    const struct colony_store *store = colony_engine_store(engine);
    struct replay *replay = calloc(1, sizeof *replay);

    if (!replay)
        return NULL;
    replay->engine = engine;
    replay->filter = *filter;
    replay->after =
        last_id > colony_store_last_seq(store) ? colony_store_opened_seq(store) : last_id;
    return replay;
}

static int follow(struct colony__connection *connection, const struct colony__request *request,
                  const struct filter *filter, struct colony_error *err)
{
    static const struct colony__feed_defaults defaults = {.feed = FEED_LONGPOLL, .resumes = true};
    struct colony_engine *engine = colony__connection_engine(connection);
    struct colony__feed_wish wish;
    struct colony__channel *channel;
    struct replay *replay = NULL;
    int rc = colony__feed_parse(request, &defaults, &wish, err);

    if (rc < 0)
        return rc;
    if (wish.has_last_id && colony_engine_store(engine)) {
        replay = replay_new(engine, filter, wish.last_id);
        rc = replay ? 0 : -ENOMEM;
    }
    if (rc == 0)
        rc = open_channel(&channel, connection, filter, wish.feed);
    if (rc == 0)
        rc = colony__channel_follow(channel, connection, &wish, replay ? &replay_prelude : NULL,
                                    replay);
    if (rc == 0)
        return 0;
    free(replay);
    return colony_fail_os(err, rc, "cannot watch events");
}

/* gaffer's word for it. */
static int refuse_event(struct colony__connection *connection, const char *name)
{
    struct colony_error reason;

    (void)colony_fail(&reason, -ENOENT, "cannot watch '%.64s': there is no such event", name);
    colony__respond_failure(connection, 404, "bad_event_type", reason.message);
    return 0;
}

int colony__get_watch(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err)
{
    const struct filter filter = {.event = ""};

    return follow(connection, request, &filter, err);
}

/* False: there is no such event. */
static bool set_event(struct filter *filter, const char *event)
{
    int type = colony_event_parse(event);

    if (type < 0 || type == EVENT_STRAY || strlen(event) >= sizeof filter->event)
        return false; /* STRAY is never told */
    (void)snprintf(filter->event, sizeof filter->event, "%s", event);
    return true;
}

int colony__get_watch_event(struct colony__connection *connection,
                            const struct colony__request *request, struct colony_error *err)
{
    struct filter filter = {.event = ""};

    if (!set_event(&filter, request->args[0]))
        return refuse_event(connection, request->args[0]);
    return follow(connection, request, &filter, err);
}

/* Also of a template that is still to come. */
int colony__get_watch_process(struct colony__connection *connection,
                              const struct colony__request *request, struct colony_error *err)
{
    const char *name = request->args[0];
    const char *event = request->args[1];
    struct filter filter = {.event = ""};

    if (event && !set_event(&filter, event))
        return refuse_event(connection, event);
    if (strlen(name) > COLONY_NAME_MAX)
        return colony_fail(err, -EINVAL, "cannot watch a template: its name has over %d bytes",
                           COLONY_NAME_MAX);
    (void)snprintf(filter.name, sizeof filter.name, "%s", name);
    return follow(connection, request, &filter, err);
}
