/* SPDX-License-Identifier: Apache-2.0 */
/* condition_value.c - values of a condition: their truth, their lists, and how they compare. */
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/pattern.h"
#include "session/condition_internal.h"
#include "session/fingerprint.h"

static int compare_equal(struct evaluation *evaluation, const struct node *node,
                         const struct value *left, const struct value *right);

int colony__condition_spend(struct evaluation *evaluation, size_t steps)
{
    if (steps > evaluation->steps_left) {
        evaluation->steps_left = 0;
        return colony_fail(evaluation->err, -E2BIG,
                           "cannot tell: the condition takes more than %d steps; make it smaller",
                           (int)CONDITION_STEPS_MAX);
    }
    evaluation->steps_left -= steps;
    return 0;
}

/* Nothing of it is copied, but its length counts. */
static int spend_text(struct evaluation *evaluation, const struct value *value)
{
    return colony__condition_spend(evaluation, value->text ? strlen(value->text) : 0);
}

const char *colony__value_kind(const struct value *value)
{
    switch (value->type) {
    case CONDITION_NONE:
        return "None";
    case CONDITION_BOOL:
        return "True or False";
    case CONDITION_NUMBER:
        return "a number";
    case CONDITION_STRING:
        return "a text";
    case CONDITION_TEXTS:
    case CONDITION_LIST:
        return "a list";
    case CONDITION_FP:
        return "fp";
    }
    return "?";
}

bool colony__value_is_number(const struct value *value)
{
    return value->type == CONDITION_NUMBER || value->type == CONDITION_BOOL;
}

bool colony__value_is_true(const struct value *value)
{
    switch (value->type) {
    case CONDITION_NONE:
        return false;
    case CONDITION_BOOL:
    case CONDITION_NUMBER:
        return value->number != 0;
    case CONDITION_STRING:
        return value->text[0] != '\0';
    case CONDITION_TEXTS:
        return value->count > 0;
    case CONDITION_LIST:
        return value->items != NULL;
    case CONDITION_FP:
        return true;
    }
    return false;
}

struct value colony__number_value(double number)
{
    return (struct value){.type = CONDITION_NUMBER, .number = number};
}

struct value colony__bool_value(bool is_true)
{
    return (struct value){.type = CONDITION_BOOL, .number = is_true};
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool is_list(const struct value *value)
{
    return value->type == CONDITION_TEXTS || value->type == CONDITION_LIST;
}

int colony__walk_begin(struct walk *walk, const struct value *list, const struct evaluation *in,
                       unsigned column)
{
    /* what is not there has no items */
    if (!is_list(list) && list->type != CONDITION_NONE)
        return colony__condition_fail(in->err, column, "cannot look into %s: it is no list",
                                      colony__value_kind(list));
    *walk = (struct walk){.list = *list, .item = list->items};
    return 0;
}

int colony__walk_next(struct walk *walk, struct evaluation *evaluation, struct value *out)
{
    const struct node *item = walk->item;
    int rc = colony__condition_spend(evaluation, 1);

    if (rc < 0)
        return rc;
    if (walk->list.type == CONDITION_TEXTS && walk->index < walk->list.count) {
        *out = (struct value){.type = CONDITION_STRING, .text = walk->list.texts[walk->index++]};
        return 1;
    }
    if (walk->list.type != CONDITION_LIST || !item)
        return 0;
    walk->item = item->right;
    rc = colony__condition_value(evaluation, item->left, out);
    return rc < 0 ? rc : 1;
}

/* --- comparing -------------------------------------------------------------------------------- */

static int equal_lists(struct evaluation *evaluation, const struct node *node,
                       const struct value *left, const struct value *right)
{
    struct walk left_walk = {0};
    struct walk right_walk = {0};

    (void)colony__walk_begin(&left_walk, left, evaluation, node->column);
    (void)colony__walk_begin(&right_walk, right, evaluation, node->column);
    for (;;) {
        struct value a = {0};
        struct value b = {0};
        int has_left = colony__walk_next(&left_walk, evaluation, &a);
        int has_right = has_left < 0 ? 0 : colony__walk_next(&right_walk, evaluation, &b);
        int rc;

        if (has_left < 0 || has_right < 0)
            return has_left < 0 ? has_left : has_right;
        if (has_left != has_right || !has_left)
            return has_left == has_right;
        rc = compare_equal(evaluation, node, &a, &b);
        if (rc != 1)
            return rc;
    }
}

/* Values of different kinds differ. */
static int compare_equal(struct evaluation *evaluation, const struct node *node,
                         const struct value *left, const struct value *right)
{
    if (colony__value_is_number(left) && colony__value_is_number(right))
        return left->number == right->number;
    if (is_list(left) && is_list(right))
        return equal_lists(evaluation, node, left, right);
    if (left->type != right->type)
        return 0;
    if (left->type != CONDITION_STRING)
        return 1; /* None and None, fp and fp */
    if (spend_text(evaluation, left) < 0)
        return -E2BIG;
    return strcmp(left->text, right->text) == 0;
}

static int fail_pair(const struct evaluation *evaluation, const struct node *node,
                     const struct value *left, const struct value *right)
{
    return colony__condition_fail(evaluation->err, node->column, "cannot compare %s with %s",
                                  colony__value_kind(left), colony__value_kind(right));
}

static bool is_ordered(enum comparison op, int order)
{
    switch (op) {
    case COMPARE_LESS:
        return order < 0;
    case COMPARE_AT_MOST:
        return order <= 0;
    case COMPARE_GREATER:
        return order > 0;
    case COMPARE_AT_LEAST:
        return order >= 0;
    case COMPARE_EQUAL:
    case COMPARE_UNEQUAL:
    case COMPARE_IN:
    case COMPARE_NOT_IN:
    case COMPARE_MATCHES:
        break;
    }
    return false;
}

/* What is not there is neither less nor more than anything. */
static int compare_order(struct evaluation *evaluation, const struct node *node,
                         const struct value *left, const struct value *right)
{
    enum comparison op = (enum comparison)node->op;

    if (left->type == CONDITION_NONE || right->type == CONDITION_NONE)
        return 0;
    if (left->type == CONDITION_STRING && right->type == CONDITION_STRING) {
        if (spend_text(evaluation, left) < 0)
            return -E2BIG;
        return is_ordered(op, strcmp(left->text, right->text));
    }
    if (!colony__value_is_number(left) || !colony__value_is_number(right))
        return fail_pair(evaluation, node, left, right);
    if (left->number != left->number || right->number != right->number)
        return 0; /* neither is what no number says */
    return is_ordered(op, (left->number > right->number) - (left->number < right->number));
}

/* --- in and matches --------------------------------------------------------------------------- */

static int is_field(const struct value *value)
{
    for (unsigned field = 0; value->type == CONDITION_STRING && field < FIELD_COUNT; field++)
        if (strcmp(value->text, colony_fingerprint_field_name(field)) == 0)
            return 1;
    return 0;
}

/* A part of a text, an item of a list, a field of fp. */
static int compare_in(struct evaluation *evaluation, const struct node *node,
                      const struct value *left, const struct value *right)
{
    struct value item = {0};
    struct walk walk = {0};
    int rc;

    if (right->type == CONDITION_FP)
        return is_field(left);
    if (right->type == CONDITION_STRING && left->type == CONDITION_NONE)
        return 0;
    if (right->type == CONDITION_STRING) {
        if (left->type != CONDITION_STRING)
            return colony__condition_fail(evaluation->err, node->column,
                                          "cannot look for %s in a text", colony__value_kind(left));
        if (spend_text(evaluation, right) < 0)
            return -E2BIG;
        return strstr(right->text, left->text) != NULL;
    }
    rc = colony__walk_begin(&walk, right, evaluation, node->column);
    while (rc == 0 && (rc = colony__walk_next(&walk, evaluation, &item)) == 1) {
        rc = compare_equal(evaluation, node, left, &item);
        if (rc != 0)
            return rc;
    }
    return rc;
}

static int match_text(struct evaluation *evaluation, const struct node *node,
                      const struct value *value)
{
    size_t size;
    int rc;

    if (value->type == CONDITION_NONE)
        return 0;
    if (value->type != CONDITION_STRING)
        return colony__condition_fail(evaluation->err, node->column,
                                      "cannot match %s: `matches` is for texts and lists of them",
                                      colony__value_kind(value));
    size = strlen(value->text);
    rc = colony__condition_spend(evaluation, size);
    if (rc < 0)
        return rc;
    return colony_pattern_matches(node->pattern, value->text, size);
}

/* A list matches when one of its items does. */
static int compare_matches(struct evaluation *evaluation, const struct node *node,
                           const struct value *left)
{
    struct value item = {0};
    struct walk walk = {0};
    int rc;

    if (!is_list(left))
        return match_text(evaluation, node, left);
    rc = colony__walk_begin(&walk, left, evaluation, node->column);
    while (rc == 0 && (rc = colony__walk_next(&walk, evaluation, &item)) == 1) {
        rc = match_text(evaluation, node, &item);
        if (rc != 0)
            return rc;
    }
    return rc;
}

int colony__condition_compare(struct evaluation *evaluation, const struct node *node,
                              const struct value *left, const struct value *right)
{
    int rc;

    switch ((enum comparison)node->op) {
    case COMPARE_EQUAL:
        return compare_equal(evaluation, node, left, right);
    case COMPARE_UNEQUAL:
        rc = compare_equal(evaluation, node, left, right);
        return rc < 0 ? rc : !rc;
    case COMPARE_LESS:
    case COMPARE_AT_MOST:
    case COMPARE_GREATER:
    case COMPARE_AT_LEAST:
        return compare_order(evaluation, node, left, right);
    case COMPARE_IN:
        return compare_in(evaluation, node, left, right);
    case COMPARE_NOT_IN:
        rc = compare_in(evaluation, node, left, right);
        return rc < 0 ? rc : !rc;
    case COMPARE_MATCHES:
        return compare_matches(evaluation, node, left);
    }
    return -EINVAL;
}
