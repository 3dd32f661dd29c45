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

/* What is shown of a slot, in the order of the answer. */
enum field {
    FIELD_NAME,
    FIELD_SLOT,
    FIELD_ID,
    FIELD_PID,
    FIELD_STATE,
    FIELD_PAUSED,
    FIELD_UPTIME,
    FIELD_RESTARTS,
    FIELD_RETRY_IN,
    FIELD_LAST_EXIT,
    FIELD_FAILURE,
    FIELD_CAUSE,
    FIELD_STATUS,
    FIELD_HEALTH,
    FIELD_HEALTH_NOTE,
    FIELD_OUTPUT,
    FIELD_DROPPED_BYTES,
    FIELD_STREAMS,
    FIELD_CPU,
    FIELD_MEM,
    FIELD_COUNT,
};

/* The members of an answer, NULL where it has none. */
struct fields {
    const struct cJSON *items[FIELD_COUNT];
};

/* In one walk: a member is looked for from behind the last one that was found. */
static void find_fields(struct fields *fields, const struct cJSON *slot)
{
    static const char *const keys[FIELD_COUNT] = {
        "name",    "slot",          "id",       "os_pid",   "state",
        "paused",  "uptime",        "restarts", "retry_in", "last_exit",
        "failure", "cause",         "status",   "health",   "health_note",
        "output",  "dropped_bytes", "streams",  "cpu",      "mem"};
    const struct cJSON *item;
    size_t next = 0;

    memset(fields, 0, sizeof *fields);
    cJSON_ArrayForEach(item, slot)
    {
        size_t tried = 0;

        while (tried < FIELD_COUNT && strcmp(item->string, keys[(next + tried) % FIELD_COUNT]) != 0)
            tried++;
        if (tried == FIELD_COUNT)
            continue;
        next = (next + tried) % FIELD_COUNT;
        fields->items[next] = item;
    }
}

/* "" and 0 when it is missing or something else. */
static const char *text_of(const struct fields *fields, enum field field)
{
    const char *text = cJSON_GetStringValue(fields->items[field]);

    return text ? text : "";
}

static bool has_number(const struct fields *fields, enum field field)
{
    return cJSON_IsNumber(fields->items[field]);
}

static double number_of(const struct fields *fields, enum field field)
{
    return has_number(fields, field) ? cJSON_GetNumberValue(fields->items[field]) : 0;
}

/* A number of the answer, or "-". */
static void write_number(char text[CTL_NUMBER_MAX], const struct cJSON *item)
{
    double number = cJSON_GetNumberValue(item); /* else NaN, which is in no range */

    if (number > -1e15 && number < 1e15)
        (void)snprintf(text, CTL_NUMBER_MAX, "%lld", (long long)number);
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

static void write_duration(char text[CTL_NUMBER_MAX], const struct fields *fields, enum field field)
{
    colony__ctl_write_duration(text, has_number(fields, field) ? number_of(fields, field) : -1);
}

/* Nothing where colony does not tell it, "-" where nothing lives. */
static void write_nothing(char text[CTL_NUMBER_MAX], const struct fields *fields, enum field field)
{
    (void)snprintf(text, CTL_NUMBER_MAX, "%s", fields->items[field] ? "-" : "");
}

/* "12.5" and what follows; %f takes five times as long. */
static void write_tenths(char text[CTL_NUMBER_MAX], double number, const char *unit)
{
    unsigned long long tenths = (unsigned long long)(number * 10 + 0.5);

    (void)snprintf(text, CTL_NUMBER_MAX, "%llu.%llu%s", tenths / 10, tenths % 10, unit);
}

/* "0.0", "12.5"; else as above. */
static void write_percent(char text[CTL_NUMBER_MAX], const struct fields *fields)
{
    double percent = number_of(fields, FIELD_CPU);

    if (has_number(fields, FIELD_ID) && has_number(fields, FIELD_CPU) && percent >= 0 &&
        percent < 1e9)
        write_tenths(text, percent, "");
    else
        write_nothing(text, fields, FIELD_CPU);
}

void colony__ctl_write_size(char text[CTL_NUMBER_MAX], double size)
{
    static const char *const units[] = {"B", "K", "M", "G", "T", "P"};
    size_t unit = 0;

    if (!(size >= 0 && size < 1e18)) {
        (void)snprintf(text, CTL_NUMBER_MAX, "-");
        return;
    }
    while (size >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        size /= 1024;
        unit++;
    }
    if (unit > 0 && size < 9.95)
        write_tenths(text, size, units[unit]);
    else
        (void)snprintf(text, CTL_NUMBER_MAX, "%llu%s", (unsigned long long)(size + 0.5),
                       units[unit]);
}

static void write_memory(char text[CTL_NUMBER_MAX], const struct fields *fields)
{
    if (has_number(fields, FIELD_ID) && has_number(fields, FIELD_MEM))
        colony__ctl_write_size(text, number_of(fields, FIELD_MEM));
    else
        write_nothing(text, fields, FIELD_MEM);
}

static void write_last_exit(char text[CTL_NUMBER_MAX], const struct cJSON *last)
{
    const char *signal_name = colony__ctl_text(last, "signal");

    if (!cJSON_IsObject(last))
        (void)snprintf(text, CTL_NUMBER_MAX, "-");
    else if (!colony__ctl_is_true(last, "known"))
        (void)snprintf(text, CTL_NUMBER_MAX, "unknown");
    else if (signal_name[0] != '\0')
        (void)snprintf(text, CTL_NUMBER_MAX, "%.20s", signal_name);
    else
        write_number(text, cJSON_GetObjectItemCaseSensitive(last, "status"));
}

/* Puts @text, if there is any, behind what is in @note. */
static void add_note(char note[CTL_NOTE_MAX], const char *text)
{
    size_t used = strlen(note);

    if (text[0] != '\0')
        (void)snprintf(note + used, CTL_NOTE_MAX - used, "%s%s", used > 0 ? "; " : "", text);
}

/* What a person should know beyond the columns; "" for nothing. */
static void write_note(char note[CTL_NOTE_MAX], const struct fields *fields,
                       const struct state *state)
{
    const char *failure = text_of(fields, FIELD_FAILURE);
    double dropped = number_of(fields, FIELD_DROPPED_BYTES);
    char text[CTL_NOTE_MAX];
    char figure[CTL_NUMBER_MAX];

    note[0] = '\0';
    if (cJSON_IsTrue(fields->items[FIELD_PAUSED]))
        add_note(note, "paused until `ctl cont`");
    if (has_number(fields, FIELD_RETRY_IN)) {
        write_duration(figure, fields, FIELD_RETRY_IN);
        (void)snprintf(text, sizeof text, "starts again in %s", figure);
        add_note(note, text);
    }
    if (strcmp(text_of(fields, FIELD_HEALTH), "unhealthy") == 0) {
        (void)snprintf(text, sizeof text, "unhealthy: %.300s", text_of(fields, FIELD_HEALTH_NOTE));
        add_note(note, text);
    }
    if (strcmp(text_of(fields, FIELD_OUTPUT), "lost") == 0)
        add_note(note, "output: lost");
    if (strcmp(text_of(fields, FIELD_STREAMS), "lost") == 0)
        add_note(note, "custom streams: lost");
    if (dropped > 0 && dropped < 1e15) {
        colony__ctl_write_size(figure, dropped);
        (void)snprintf(text, sizeof text, "dropped %s of output", figure);
        add_note(note, text);
    }
    add_note(note, text_of(fields, FIELD_STATUS));
    if (failure[0] == '\0' && state && state->shows_cause)
        failure = text_of(fields, FIELD_CAUSE);
    add_note(note, failure); /* last, so that only it is cut off */
}

void colony__ctl_view_slot(struct ctl_slot_view *view, const struct cJSON *slot)
{
    struct fields fields;
    const struct state *state;

    find_fields(&fields, slot);
    view->name = text_of(&fields, FIELD_NAME);
    view->state = text_of(&fields, FIELD_STATE);
    state = find_state(view->state);
    view->colour = state ? state->colour : NULL;
    write_number(view->slot, fields.items[FIELD_SLOT]);
    write_number(view->id, fields.items[FIELD_ID]);
    write_number(view->pid, fields.items[FIELD_PID]);
    write_duration(view->uptime, &fields, FIELD_UPTIME);
    write_number(view->restarts, fields.items[FIELD_RESTARTS]);
    write_last_exit(view->last_exit, fields.items[FIELD_LAST_EXIT]);
    write_percent(view->cpu, &fields);
    write_memory(view->mem, &fields);
    write_note(view->note, &fields, state);
}
