/* SPDX-License-Identifier: Apache-2.0 */
#include "top_model.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CPU_MAX = 100000000, /* percent: nobody uses as much */
};

/* From what needs no look to what needs it most. */
static const char *const ranks[] = {
    "stopped", "completed", "ready",    "running", "exited",
    "waiting", "starting",  "stopping", "backoff", "failed",
};

static const char *const sort_names[TOP_SORT_COUNT] = {
    [TOP_SORT_NAME] = "name",         [TOP_SORT_CPU] = "cpu",       [TOP_SORT_MEM] = "mem",
    [TOP_SORT_RESTARTS] = "restarts", [TOP_SORT_UPTIME] = "uptime", [TOP_SORT_STATE] = "state",
};

const char *colony__top_sort_name(enum top_sort sort)
{
    return sort_names[sort];
}

static int rank_of(const char *state)
{
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++)
        if (strcmp(ranks[i], state) == 0)
            return (int)i;
    return 0;
}

/* --- answers ---------------------------------------------------------------------------------- */

static struct top_row *find_row(struct top_model *model, const char *name)
{
    struct top_row *row;

    for (size_t i = 0; i < model->count; i++)
        if (strcmp(model->rows[i].name, name) == 0)
            return &model->rows[i];
    if (model->count == model->capacity) {
        size_t capacity = model->capacity ? model->capacity * 2 : 32;
        struct top_row *rows = reallocarray(model->rows, capacity, sizeof *rows);
        size_t *order;

        if (!rows)
            return NULL;
        model->rows = rows;
        order = reallocarray(model->order, capacity, sizeof *order);
        if (!order)
            return NULL;
        model->order = order;
        model->capacity = capacity;
    }
    row = &model->rows[model->count++];
    memset(row, 0, sizeof *row);
    (void)snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

static void begin_row(struct top_row *row)
{
    row->is_seen = true;
    row->slots = 0;
    row->running = 0;
    row->rank = -1;
    row->cpu = 0;
    row->mem = 0;
    row->restarts = 0;
    row->uptime = -1;
    row->note[0] = '\0';
}

/* The CPU time of process @id in the answer before, or -1. */
static double find_time(const struct top_row *row, double id)
{
    for (size_t i = 0; i < row->process_count; i++)
        if (row->processes[i].id >= id && row->processes[i].id <= id)
            return row->processes[i].cpu_time;
    return -1;
}

/* The processes of a row as this answer has them, which become those of the row at its end. */
struct fresh {
    struct top_process *items;
    size_t count;
    size_t capacity;
};

static int keep_time(struct fresh *fresh, double id, double cpu_time)
{
    if (fresh->count == fresh->capacity) {
        size_t capacity = fresh->capacity ? fresh->capacity * 2 : 8;
        struct top_process *items = reallocarray(fresh->items, capacity, sizeof *items);

        if (!items)
            return -ENOMEM;
        fresh->items = items;
        fresh->capacity = capacity;
    }
    fresh->items[fresh->count++] = (struct top_process){id, cpu_time};
    return 0;
}

/* What it used of a CPU in the @seconds since the answer before; 0: that is all of its life. */
static double cpu_of(const struct top_row *row, const struct cJSON *slot, double seconds)
{
    double before = find_time(row, colony__ctl_number(slot, "id"));
    double used = colony__ctl_number(slot, "cpu_time") - before;

    if (before < 0 || seconds <= 0 || used < 0)
        return colony__ctl_number(slot, "cpu");
    return 100 * used / seconds;
}

static void add_note(struct top_row *row, const struct cJSON *slot)
{
    struct ctl_slot_view view;
    int rank;

    colony__ctl_view_slot(&view, slot);
    rank = rank_of(view.state);
    if (rank > row->rank) {
        row->rank = rank;
        (void)snprintf(row->state, sizeof row->state, "%.31s", view.state);
        row->note[0] = '\0';
    }
    if (rank == row->rank && row->note[0] == '\0')
        (void)snprintf(row->note, sizeof row->note, "%s", view.note);
}

static int add_slot(struct top_row *row, struct fresh *fresh, const struct cJSON *slot,
                    double seconds)
{
    row->slots++;
    row->restarts += colony__ctl_number(slot, "restarts");
    add_note(row, slot);
    if (!colony__ctl_has_number(slot, "id"))
        return 0;
    row->running++;
    row->cpu += cpu_of(row, slot, seconds);
    row->mem += colony__ctl_number(slot, "mem");
    if (colony__ctl_number(slot, "uptime") > row->uptime)
        row->uptime = colony__ctl_number(slot, "uptime");
    return keep_time(fresh, colony__ctl_number(slot, "id"), colony__ctl_number(slot, "cpu_time"));
}

static void end_row(struct top_row *row, struct fresh *fresh)
{
    free(row->processes);
    row->processes = fresh->items;
    row->process_count = fresh->count;
    row->process_capacity = fresh->capacity;
    memset(fresh, 0, sizeof *fresh);
    row->history[row->history_count++ % TOP_HISTORY] =
        row->cpu > 0 && row->cpu < CPU_MAX ? (float)row->cpu : 0;
}

/* Those whose templates have gone. */
static void drop_unseen(struct top_model *model)
{
    size_t kept = 0;

    for (size_t i = 0; i < model->count; i++) {
        if (model->rows[i].is_seen)
            model->rows[kept++] = model->rows[i];
        else
            free(model->rows[i].processes);
    }
    model->count = kept;
}

static void sum_up(struct top_model *model)
{
    model->slots = model->running = 0;
    model->cpu = model->mem = 0;
    for (size_t i = 0; i < model->count; i++) {
        model->slots += model->rows[i].slots;
        model->running += model->rows[i].running;
        model->cpu += model->rows[i].cpu;
        model->mem += model->rows[i].mem;
    }
}

/* The slots of one template stand together. */
int colony__top_take(struct top_model *model, const struct cJSON *slots, uint64_t now_ms)
{
    double seconds = model->taken_ms > 0 ? (double)(now_ms - model->taken_ms) / 1000 : 0;
    const struct cJSON *slot = slots ? slots->child : NULL;
    int rc = 0;

    if (!cJSON_IsArray(slots))
        return -EPROTO;
    for (size_t i = 0; i < model->count; i++)
        model->rows[i].is_seen = false;
    while (slot && rc == 0) {
        const char *name = colony__ctl_text(slot, "name");
        struct top_row *row = find_row(model, name);
        struct fresh fresh = {0};

        if (!row)
            return -ENOMEM;
        begin_row(row);
        for (; slot && rc == 0 && strcmp(colony__ctl_text(slot, "name"), name) == 0;
             slot = slot->next)
            rc = add_slot(row, &fresh, slot, seconds);
        end_row(row, &fresh);
    }
    drop_unseen(model);
    sum_up(model);
    model->taken_ms = now_ms;
    colony__top_arrange(model);
    return rc;
}

/* --- order ------------------------------------------------------------------------------------ */

static int compare_numbers(double one, double other)
{
    return one < other ? -1 : one > other;
}

/* Figures from the greatest, names from the first. */
static int compare(const void *left, const void *right, void *data)
{
    const struct top_model *model = data;
    const struct top_row *one = &model->rows[*(const size_t *)left];
    const struct top_row *other = &model->rows[*(const size_t *)right];
    int order = 0;

    switch (model->sort) {
    case TOP_SORT_CPU:
        order = compare_numbers(other->cpu, one->cpu);
        break;
    case TOP_SORT_MEM:
        order = compare_numbers(other->mem, one->mem);
        break;
    case TOP_SORT_RESTARTS:
        order = compare_numbers(other->restarts, one->restarts);
        break;
    case TOP_SORT_UPTIME:
        order = compare_numbers(other->uptime, one->uptime);
        break;
    case TOP_SORT_STATE:
        order = other->rank - one->rank;
        break;
    case TOP_SORT_NAME:
    case TOP_SORT_COUNT:
        break;
    }
    if (order == 0)
        order = strcmp(one->name, other->name);
    return model->is_reversed ? -order : order;
}

void colony__top_arrange(struct top_model *model)
{
    model->shown = 0;
    for (size_t i = 0; i < model->count; i++)
        if (strstr(model->rows[i].name, model->filter))
            model->order[model->shown++] = i;
    if (model->shown > 1)
        qsort_r(model->order, model->shown, sizeof *model->order, compare, model);
}

size_t colony__top_selected_index(const struct top_model *model)
{
    for (size_t i = 0; i < model->shown; i++)
        if (strcmp(model->rows[model->order[i]].name, model->selected) == 0)
            return i;
    return 0;
}

static void select_index(struct top_model *model, size_t index)
{
    (void)snprintf(model->selected, sizeof model->selected, "%s",
                   model->rows[model->order[index]].name);
}

const struct top_row *colony__top_selected(struct top_model *model)
{
    size_t index = colony__top_selected_index(model);

    if (model->shown == 0)
        return NULL;
    select_index(model, index);
    return &model->rows[model->order[index]];
}

void colony__top_move(struct top_model *model, long by)
{
    long index = (long)colony__top_selected_index(model) + by;

    if (model->shown == 0)
        return;
    if (index >= (long)model->shown)
        index = (long)model->shown - 1;
    select_index(model, index < 0 ? 0 : (size_t)index);
}

void colony__top_history(const struct top_row *row, float *figures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t back = count - i; /* 1: the last */

        figures[i] = -1;
        if (back <= row->history_count && back <= TOP_HISTORY)
            figures[i] = row->history[(row->history_count - back) % TOP_HISTORY];
    }
}

void colony__top_clear(struct top_model *model)
{
    for (size_t i = 0; i < model->count; i++)
        free(model->rows[i].processes);
    free(model->rows);
    free(model->order);
    memset(model, 0, sizeof *model);
}
