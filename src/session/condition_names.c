/* SPDX-License-Identifier: Apache-2.0 */
/* condition_names.c - what a condition asks of a process: names, parts of fp, lengths. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/template.h"
#include "session/condition_internal.h"
#include "session/fingerprint.h"

int colony__name_value(struct evaluation *evaluation, const struct node *node, struct value *out)
{
    const struct colony_subject *subject = evaluation->subject;

    switch ((enum subject_name)node->op) {
    case NAME_FP:
        *out = (struct value){.type = CONDITION_FP};
        break;
    case NAME_STATE:
        *out =
            (struct value){.type = CONDITION_STRING, .text = subject->state ? subject->state : ""};
        break;
    case NAME_PID:
        *out = colony__number_value((double)subject->pid);
        break;
    case NAME_ALIVE:
        *out = colony__bool_value(subject->alive);
        break;
    case NAME_UPTIME:
        *out = colony__number_value(subject->uptime_seconds);
        break;
    case NAME_CPU:
        *out = colony__number_value(subject->cpu_percent);
        break;
    case NAME_MEM:
        *out = colony__number_value((double)subject->mem_bytes);
        break;
    }
    return 0;
}

int colony__condition_check_field(unsigned column, const char *word, struct colony_error *err)
{
    const char *names[FIELD_COUNT + 1] = {NULL};
    const char *near;

    for (unsigned field = 0; field < FIELD_COUNT; field++) {
        names[field] = colony_fingerprint_field_name(field);
        if (strcmp(word, names[field]) == 0)
            return 0;
    }
    near = colony_name_nearest(word, names);
    return colony__condition_fail(err, column,
                                  "cannot find '%.60s' in fp: it has files, listen, udp, "
                                  "established and cmdline%s%s%s",
                                  word, near ? "; did you mean '" : "", near ? near : "",
                                  near ? "'?" : "");
}

static int field_value(struct evaluation *evaluation, const struct node *node, const char *word,
                       struct value *out)
{
    const struct colony_fingerprint *fp = evaluation->subject->fp;

    for (unsigned field = 0; field < FIELD_COUNT; field++) {
        if (strcmp(word, colony_fingerprint_field_name(field)) != 0)
            continue;
        *out = (struct value){.type = CONDITION_TEXTS};
        if (fp) {
            out->texts = fp->fields[field].items;
            out->count = fp->fields[field].count;
        }
        return 0;
    }
    return colony__condition_check_field(node->column, word, evaluation->err);
}

static int length_of(struct evaluation *evaluation, const struct node *node,
                     const struct value *value, size_t *out)
{
    *out = 0;
    if (value->type == CONDITION_TEXTS) {
        *out = value->count;
    } else if (value->type == CONDITION_LIST) {
        for (const struct node *item = value->items; item; item = item->right)
            ++*out;
    } else if (value->type == CONDITION_FP) {
        *out = FIELD_COUNT;
    } else if (value->type == CONDITION_STRING) {
        for (const char *at = value->text; *at; at++) /* characters, as in Python */
            *out += ((unsigned char)*at & 0xc0) != 0x80;
    } else if (value->type != CONDITION_NONE) {
        return colony__condition_fail(evaluation->err, node->column, "cannot take the length of %s",
                                      colony__value_kind(value));
    }
    return colony__condition_spend(evaluation, *out);
}

/* Counted from the end where it is negative; None where there is no such item: not yet. */
static int item_value(struct evaluation *evaluation, const struct node *node,
                      const struct value *list, const struct value *index, struct value *out)
{
    struct walk walk = {0};
    double place = index->number;
    size_t count;
    int rc = length_of(evaluation, node, list, &count);

    if (rc < 0)
        return rc;
    if (place < 0)
        place += (double)count;
    if (floor(place) != place)
        return colony__condition_fail(evaluation->err, node->right->column,
                                      "cannot use this as an index: it is no whole number");
    if (!(place >= 0 && place < (double)count)) {
        *out = (struct value){.type = CONDITION_NONE};
        return 0;
    }
    rc = colony__walk_begin(&walk, list, evaluation, node->column);
    for (size_t i = 0; rc >= 0 && i <= (size_t)place; i++)
        rc = colony__walk_next(&walk, evaluation, out);
    return rc < 0 ? rc : 0;
}

int colony__index_value(struct evaluation *evaluation, const struct node *node, struct value *out)
{
    struct value whole = {0};
    struct value index = {0};
    int rc = colony__condition_value(evaluation, node->left, &whole);

    if (rc == 0)
        rc = colony__condition_value(evaluation, node->right, &index);
    if (rc < 0)
        return rc;
    if (whole.type == CONDITION_FP && index.type == CONDITION_STRING)
        return field_value(evaluation, node->right, index.text, out);
    if ((whole.type == CONDITION_TEXTS || whole.type == CONDITION_LIST) &&
        colony__value_is_number(&index))
        return item_value(evaluation, node, &whole, &index, out);
    if (whole.type == CONDITION_NONE) {
        *out = whole;
        return 0;
    }
    return colony__condition_fail(evaluation->err, node->column, "cannot take the item %s of %s",
                                  colony__value_kind(&index), colony__value_kind(&whole));
}

int colony__length_value(struct evaluation *evaluation, const struct node *node, struct value *out)
{
    struct value value = {0};
    size_t count = 0;
    int rc = colony__condition_value(evaluation, node->left, &value);

    if (rc == 0)
        rc = length_of(evaluation, node, &value, &count);
    if (rc < 0)
        return rc;
    *out = colony__number_value((double)count);
    return 0;
}
