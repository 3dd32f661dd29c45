/* SPDX-License-Identifier: Apache-2.0 */
/* feed.c - what a client that follows asks for. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "api/channel_internal.h"
#include "api/request_internal.h"
#include "core/error.h"

enum {
    HEARTBEAT_DEFAULT_S = 60, /* gaffer's */
    HEARTBEAT_MAX_S = 86400,
};

static const struct {
    const char *name;
    enum colony__feed feed;
} feeds[] = {
    {"longpoll", FEED_LONGPOLL},
    {"continuous", FEED_CONTINUOUS},
    {"eventsource", FEED_EVENTSOURCE},
};

static int parse_feed(const struct colony__request *request, struct colony__feed_wish *wish,
                      struct colony_error *err)
{
    const char *name = colony__request_query(request, "feed");
    const char *accept = colony__request_header(request, "Accept", NULL);

    if (!name && accept && strncasecmp(accept, "text/event-stream", 17) == 0)
        name = "eventsource"; /* a browser's EventSource says so */
    if (!name)
        return 0;
    for (size_t i = 0; i < sizeof feeds / sizeof feeds[0]; i++)
        if (strcmp(name, feeds[i].name) == 0) {
            wish->feed = feeds[i].feed;
            return 0;
        }
    if (wish->feed == FEED_NONE && strcmp(name, "normal") == 0)
        return 0; /* gaffer's word for none */
    return colony_fail(err, -EINVAL,
                       "cannot follow with feed=%s: use longpoll, continuous or eventsource", name);
}

static int parse_heartbeat(const struct colony__request *request, bool is_silent,
                           struct colony__feed_wish *wish, struct colony_error *err)
{
    const char *text = colony__request_query(request, "heartbeat");
    unsigned long long seconds = is_silent ? 0 : HEARTBEAT_DEFAULT_S;

    if (text && (*text == '\0' || strcasecmp(text, "true") == 0))
        seconds = HEARTBEAT_DEFAULT_S;
    else if (text && strcasecmp(text, "false") == 0)
        seconds = 0;
    else if (text && colony__parse_number(text, HEARTBEAT_MAX_S, &seconds) < 0)
        return colony_fail(err, -EINVAL,
                           "cannot use heartbeat=%s: true, false or a number of seconds up to %d",
                           text, HEARTBEAT_MAX_S);
    wish->heartbeat_ms = seconds * 1000;
    return 0;
}

static int parse_last_id(const struct colony__request *request, struct colony__feed_wish *wish,
                         struct colony_error *err)
{
    const char *text = colony__request_header(request, "Last-Event-ID", NULL);
    unsigned long long id;

    if (!text ||
        *text == '\0') /* a browser that has come anew says where it was; then that counts */
        text = colony__request_query(request, "since");
    if (!text)
        return 0;
    if (colony__parse_number(text, INT64_MAX, &id) < 0)
        return colony_fail(err, -EINVAL,
                           "cannot go on from event '%s': it must be the id (seq) of an event",
                           text);
    wish->has_last_id = true;
    wish->last_id = id;
    return 0;
}

int colony__feed_parse(const struct colony__request *request,
                       const struct colony__feed_defaults *defaults, struct colony__feed_wish *wish,
                       struct colony_error *err)
{
    int rc;

    *wish = (struct colony__feed_wish){.feed = defaults->feed};
    rc = parse_feed(request, wish, err);
    if (rc == 0)
        rc = parse_heartbeat(request, defaults->is_silent && wish->feed != FEED_EVENTSOURCE, wish,
                             err);
    return rc == 0 && defaults->resumes ? parse_last_id(request, wish, err) : rc;
}
