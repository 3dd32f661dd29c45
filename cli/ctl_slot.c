/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_slot.c - one slot of GET /slots as texts for people. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "ctl_internal.h"

#define GREEN "32"
#define YELLOW "33"
#define RED "31"

/* clang-format off */
static const struct state {
    const char *name;
    const char *colour;
    bool shows_cause; /* it cannot be guessed, and no failure tells it */
} states[] = {
    {"running",  GREEN,  false},
    {"ready",    GREEN,  false},
    {"waiting",  YELLOW, true},
    {"starting", YELLOW, false},
    {"stopping", YELLOW, true},
    {"backoff",  RED,    false},
    {"failed",   RED,    true},
};
/* clang-format on */

/* NULL: nothing is known of it. */
static const struct state *find_state(const char *name)
{
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (strcmp(states[i].name, name) == 0)
            return &states[i];
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

void colony__ctl_write_duration(char text[CTL_NUMBER_MAX], double value)
{
    unsigned long long seconds;

    if (!(value >= 0 && value < 1e15)) {
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

static void write_duration(char text[CTL_NUMBER_MAX], const struct cJSON *object, const char *key)
{
    bool is_known = colony__ctl_has_number(object, key);

    colony__ctl_write_duration(text, is_known ? colony__ctl_number(object, key) : -1);
}

/* "0.0", "12.5"; nothing where colony does not tell it, "-" where nothing lives. */
static void write_percent(char text[CTL_NUMBER_MAX], const struct cJSON *slot, bool lives)
{
    double percent = colony__ctl_number(slot, "cpu");
    bool is_known = colony__ctl_has_number(slot, "cpu");

    (void)snprintf(text, CTL_NUMBER_MAX, "%s", is_known ? "-" : "");
    if (is_known && lives && percent >= 0 && percent < 1e9)
        (void)snprintf(text, CTL_NUMBER_MAX, "%.1f", percent);
}

/* "812K", "4.1M", "128M", "1.5G"; else as above. */
static void write_size(char text[CTL_NUMBER_MAX], const struct cJSON *slot, bool lives)
{
    static const char units[] = "BKMGTP";
    double size = colony__ctl_number(slot, "mem");
    size_t unit = 0;
    bool is_known = colony__ctl_has_number(slot, "mem");

    (void)snprintf(text, CTL_NUMBER_MAX, "%s", is_known ? "-" : "");
    if (!is_known || !lives || !(size >= 0 && size < 1e18))
        return;
    while (size >= 999.5 && units[unit + 1] != '\0') {
        size /= 1024;
        unit++;
    }
    (void)snprintf(text, CTL_NUMBER_MAX, "%.*f%c", unit > 0 && size < 9.95 ? 1 : 0, size,
                   units[unit]);
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

/* Puts @text, if there is any, behind what is in @note. */
static void add_note(char note[CTL_NOTE_MAX], const char *text)
{
    size_t used = strlen(note);

    if (text[0] != '\0')
        (void)snprintf(note + used, CTL_NOTE_MAX - used, "%s%s", used > 0 ? "; " : "", text);
}

/* What a person should know beyond the columns; "" for nothing. */
static void write_note(char note[CTL_NOTE_MAX], const struct cJSON *slot, const struct state *state)
{
    const char *failure = colony__ctl_text(slot, "failure");
    double dropped = colony__ctl_number(slot, "dropped_bytes");
    char text[CTL_NOTE_MAX];
    char retry[CTL_NUMBER_MAX];

    note[0] = '\0';
    if (colony__ctl_has_number(slot, "retry_in")) {
        write_duration(retry, slot, "retry_in");
        (void)snprintf(text, sizeof text, "starts again in %s", retry);
        add_note(note, text);
    }
    if (strcmp(colony__ctl_text(slot, "output"), "lost") == 0)
        add_note(note, "output: lost");
    if (dropped > 0 && dropped < 1e15) {
        (void)snprintf(text, sizeof text, "dropped %.0f bytes of output", dropped);
        add_note(note, text);
    }
    add_note(note, colony__ctl_text(slot, "status"));
    if (failure[0] == '\0' && state && state->shows_cause)
        failure = colony__ctl_text(slot, "cause");
    add_note(note, failure); /* last, so that only it is cut off */
}

void colony__ctl_view_slot(struct ctl_slot_view *view, const struct cJSON *slot)
{
    const struct state *state = find_state(colony__ctl_text(slot, "state"));
    bool lives = colony__ctl_has_number(slot, "id");

    view->name = colony__ctl_text(slot, "name");
    view->state = colony__ctl_text(slot, "state");
    view->colour = state ? state->colour : NULL;
    write_number(view->slot, slot, "slot");
    write_number(view->id, slot, "id");
    write_number(view->pid, slot, "os_pid");
    write_duration(view->uptime, slot, "uptime");
    write_number(view->restarts, slot, "restarts");
    write_last_exit(view->last_exit, slot);
    write_percent(view->cpu, slot, lives);
    write_size(view->mem, slot, lives);
    write_note(view->note, slot, state);
}
