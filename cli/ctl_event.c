/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_event.c - one row of GET /history as texts for people. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/events.h"
#include "core/signals.h"
#include "ctl_internal.h"

enum {
    SIGNAL_MAX = 64,
};

/* clang-format off */
static const struct word {
    const char *event;
    const char *phrase;
    bool says_cause; /* the cause, where there is one, is the better sentence */
    bool is_detail;  /* what else is told of the same implies it */
} words[] = {
    {"create",   "was added",                    false, false},
    {"update",   "got new settings",             false, false},
    {"delete",   "was removed",                  false, false},
    {"start",    "was asked to start",           false, false},
    {"stop",     "was asked to stop",            false, false},
    {"restart",  "was asked to restart",         false, false},
    {"spawn",    "started",                      false, false},
    {"reap",     "was stopped, being too many",  false, false},
    {"exit",     "ended",                        true,  false},
    {"stop_pid", "is being stopped",             false, true},
    {"flap",     "dies too often",               true,  false},
    {"fail",     "cannot start",                 false, false},
    {"healthy",  "is healthy",                   false, false},
    {"unhealthy", "is unhealthy",                false, false},
    {"refuse",   "was refused",                  true,  false},
    {"log",      "has trouble with its log",     true,  false},
    {"event",    "came from outside",            false, false},
    {"session",  "is in another state",          false, false},
}, states[] = {
    {"stopped",   "was stopped",                 false, true},
    {"waiting",   "waits",                       true,  false},
    {"starting",  "is being started",            false, true},
    {"running",   "runs",                        false, true},
    {"ready",     "became ready",                false, false},
    {"stopping",  "is being stopped",            false, true},
    {"exited",    "ended",                       false, true},
    {"backoff",   "waits before it starts again", true, true},
    {"failed",    "was given up",                false, false},
    {"completed", "is done",                     false, false},
};
/* clang-format on */

static const struct word *find_word(const struct cJSON *event)
{
    const char *name = colony__ctl_text(event, "event");
    bool is_state = strcmp(name, "state") == 0;
    const struct word *rows = is_state ? states : words;
    size_t count = is_state ? sizeof states / sizeof states[0] : sizeof words / sizeof words[0];

    if (is_state)
        name = colony__ctl_text(event, "to");
    for (size_t i = 0; i < count; i++)
        if (colony_event_is_word(name, rows[i].event))
            return &rows[i];
    return NULL;
}

bool colony__ctl_event_is_detail(const struct cJSON *event)
{
    const struct word *word = find_word(event);

    return !word || word->is_detail;
}

/* "ended with status 1", "ended by SIGKILL" */
static void write_end(char text[CTL_NOTE_MAX], const struct cJSON *event)
{
    const char *signal_name = colony__ctl_text(event, "term_signal");
    double signo = colony__ctl_number(event, "term_signal"); /* as events tell it */

    if (signo >= 1 && signo <= SIGNAL_MAX)
        signal_name = colony_signal_name((int)signo);
    if (signal_name[0] != '\0')
        (void)snprintf(text, CTL_NOTE_MAX, "ended by %.40s", signal_name);
    else if (colony__ctl_has_number(event, "exit_status"))
        (void)snprintf(text, CTL_NOTE_MAX, "ended with status %.0f",
                       colony__ctl_number(event, "exit_status"));
    else
        (void)snprintf(text, CTL_NOTE_MAX, "ended, nobody can tell how");
}

/* Of an event from outside, what was sent; of a session's, alias and states. False: it is none. */
static bool write_data(char text[CTL_NOTE_MAX], const struct cJSON *event)
{
    const struct cJSON *data = cJSON_GetObjectItemCaseSensitive(event, "data");
    char *json;

    if (colony_event_parse(colony__ctl_text(event, "event")) == EVENT_SESSION) {
        const char *alias = colony__ctl_text(data, "alias");

        (void)snprintf(text, CTL_NOTE_MAX, "%s%.150s%sis in state %.150s, was %.150s",
                       *alias ? "(" : "", alias, *alias ? ") " : "",
                       colony__ctl_text(data, "state"), colony__ctl_text(data, "previous"));
        return true;
    }
    json = data ? cJSON_PrintUnformatted(data) : NULL;
    if (json)
        (void)snprintf(text, CTL_NOTE_MAX, "%s %s", colony__ctl_text(event, "event"), json);
    free(json);
    return json != NULL;
}

void colony__ctl_describe_event(char text[CTL_NOTE_MAX], const struct cJSON *event)
{
    const struct word *word = find_word(event);
    const char *name = colony__ctl_text(event, "event");
    const char *cause = colony__ctl_text(event, "cause");
    bool is_again =
        strcmp(colony__ctl_text(event, "to"), "backoff") != 0 && strstr(cause, CTL_STARTS_AGAIN);

    if (is_again)
        cause = ""; /* the policy's, which the end before it has told */
    if (write_data(text, event))
        return;
    if (word && word->says_cause && cause[0] != '\0')
        (void)snprintf(text, CTL_NOTE_MAX, "%s", cause);
    else if (strcmp(name, "exit") == 0)
        write_end(text, event);
    else
        (void)snprintf(text, CTL_NOTE_MAX, "%s%s%s%s", word ? word->phrase : name,
                       is_again && strcmp(name, "spawn") == 0 ? " again" : "",
                       cause[0] != '\0' ? ": " : "", cause);
}

double colony__ctl_parse_time(const char *text)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    double fraction = 0;
    double digit = 0.1;

    if (!rest)
        return -1;
    if (*rest == '.')
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, digit /= 10)
            fraction += digit * (*rest - '0');
    return (double)timegm(&tm) + fraction;
}
