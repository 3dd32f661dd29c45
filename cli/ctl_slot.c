/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_slot.c - one slot of GET /slots as texts for people. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "ctl_internal.h"

#define GREEN "32"
#define YELLOW "33"
#define RED "31"

static const struct {
    const char *state;
    const char *colour;
} state_colours[] = {
    {"running", GREEN},   {"ready", GREEN}, {"waiting", YELLOW}, {"starting", YELLOW},
    {"stopping", YELLOW}, {"backoff", RED}, {"failed", RED},
};

static const char *state_colour(const char *state)
{
    for (size_t i = 0; i < sizeof state_colours / sizeof state_colours[0]; i++)
        if (strcmp(state_colours[i].state, state) == 0)
            return state_colours[i].colour;
    return NULL;
}

/* A number of the answer, or "-". */
static void write_number(char text[CTL_NUMBER_MAX], const struct cJSON *object, const char *key)
{
    double number = colony__ctl_number(object, key);

    if (colony__ctl_has_number(object, key) && number > -1e15 && number < 1e15)
        (void)snprintf(text, CTL_NUMBER_MAX, "%.0f", number);
    else
        (void)snprintf(text, CTL_NUMBER_MAX, "-");
}

/* "42s", "3m12s", "5h03m", "2d04h" or "-". */
static void write_duration(char text[CTL_NUMBER_MAX], const struct cJSON *object, const char *key)
{
    double value = colony__ctl_number(object, key);
    unsigned long long seconds;

    if (!colony__ctl_has_number(object, key) || !(value >= 0 && value < 1e15)) {
        (void)snprintf(text, CTL_NUMBER_MAX, "-");
        return;
    }
    seconds = (unsigned long long)value;
    if (seconds < 60)
        (void)snprintf(text, CTL_NUMBER_MAX, "%llus", seconds);
    else if (seconds < 3600)
        (void)snprintf(text, CTL_NUMBER_MAX, "%llum%02llus", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        (void)snprintf(text, CTL_NUMBER_MAX, "%lluh%02llum", seconds / 3600, seconds / 60 % 60);
    else
        (void)snprintf(text, CTL_NUMBER_MAX, "%llud%02lluh", seconds / 86400, seconds / 3600 % 24);
}

static void write_last_exit(char text[CTL_NUMBER_MAX], const struct cJSON *slot)
{
    const struct cJSON *last = cJSON_GetObjectItemCaseSensitive(slot, "last_exit");
    const char *signal_name = colony__ctl_text(last, "signal");

    if (!cJSON_IsObject(last))
        (void)snprintf(text, CTL_NUMBER_MAX, "-");
    else if (!colony__ctl_is_true(last, "known"))
        (void)snprintf(text, CTL_NUMBER_MAX, "unknown");
    else if (signal_name[0] != '\0')
        (void)snprintf(text, CTL_NUMBER_MAX, "%.20s", signal_name);
    else
        write_number(text, last, "status");
}

/* What a person should know beyond the columns; "" for nothing. */
static void write_note(char note[CTL_NOTE_MAX], const struct cJSON *slot)
{
    const char *failure = colony__ctl_text(slot, "failure");
    double dropped = colony__ctl_number(slot, "dropped_bytes");
    char retry[CTL_NUMBER_MAX];
    const char *between = "";
    size_t used = 0;

    note[0] = '\0';
    if (colony__ctl_has_number(slot, "retry_in")) {
        write_duration(retry, slot, "retry_in");
        used += (size_t)snprintf(note, CTL_NOTE_MAX, "starts again in %s", retry);
        between = "; ";
    }
    if (strcmp(colony__ctl_text(slot, "output"), "lost") == 0) {
        used += (size_t)snprintf(note + used, CTL_NOTE_MAX - used, "%soutput: lost", between);
        between = "; ";
    }
    if (dropped > 0 && dropped < 1e15) {
        used += (size_t)snprintf(note + used, CTL_NOTE_MAX - used, "%sdropped %.0f bytes of output",
                                 between, dropped);
        between = "; ";
    }
    if (failure[0] != '\0') /* last, so that only it is cut off */
        (void)snprintf(note + used, CTL_NOTE_MAX - used, "%s%s", between, failure);
}

void colony__ctl_view_slot(struct ctl_slot_view *view, const struct cJSON *slot)
{
    view->name = colony__ctl_text(slot, "name");
    view->state = colony__ctl_text(slot, "state");
    view->colour = state_colour(view->state);
    write_number(view->slot, slot, "slot");
    write_number(view->id, slot, "id");
    write_number(view->pid, slot, "os_pid");
    write_duration(view->uptime, slot, "uptime");
    write_number(view->restarts, slot, "restarts");
    write_last_exit(view->last_exit, slot);
    write_note(view->note, slot);
}
