/* SPDX-License-Identifier: Apache-2.0 */
/* condition_evaluate.c - the value of a condition over one process. */
#include <errno.h>
#include <math.h>

#include "core/error.h"
#include "session/condition_internal.h"

/* --- any and all ------------------------------------------------------------------------------ */

/* What `any` and `all` ask of the item in the slot of @each: -1: it does not count. */
static int ask_item(struct evaluation *evaluation, const struct node *each, bool *is_true)
{
    struct value value = {0};
    int rc = each->right ? colony__condition_value(evaluation, each->right, &value) : 0;

    if (rc < 0)
        return rc;
    if (each->right && !colony__value_is_true(&value))
        return 0;
    rc = colony__condition_value(evaluation, each->left, &value);
    *is_true = colony__value_is_true(&value);
    return rc < 0 ? rc : 1;
}

/* The first item that is true ends `any`, the first that is not ends `all`. */
static int ask_all(struct evaluation *evaluation, const struct node *node, struct value *out)
{
    const struct node *each = node->left->kind == NODE_EACH ? node->left : NULL;
    const struct node *source = each ? each->middle : node->left;
    bool is_any = node->kind == NODE_ANY;
    struct value value = {0};
    struct walk walk = {0};
    int rc = colony__condition_value(evaluation, source, &value);

    if (rc == 0)
        rc = colony__walk_begin(&walk, &value, evaluation, source->column);
    while (rc == 0 && (rc = colony__walk_next(&walk, evaluation, &value)) == 1) {
        bool is_true = colony__value_is_true(&value);

        rc = 1;
        if (each) {
            evaluation->variables[each->slot] = value;
            rc = ask_item(evaluation, each, &is_true);
        }
        if (rc < 0)
            return rc;
        if (rc == 1 && is_true == is_any) {
            *out = colony__bool_value(is_any);
            return 0;
        }
        rc = 0;
    }
    *out = colony__bool_value(!is_any);
    return rc;
}

/* --- operators -------------------------------------------------------------------------------- */

static int compute(const struct evaluation *evaluation, const struct node *node, double left,
                   double right, struct value *out)
{
    enum arithmetic op = (enum arithmetic)node->op;

    if (right == 0 && op >= ARITHMETIC_DIVIDE)
        return colony__condition_fail(evaluation->err, node->column, "cannot divide by zero");
    switch (op) {
    case ARITHMETIC_ADD:
        *out = colony__number_value(left + right);
        break;
    case ARITHMETIC_SUBTRACT:
        *out = colony__number_value(left - right);
        break;
    case ARITHMETIC_MULTIPLY:
        *out = colony__number_value(left * right);
        break;
    case ARITHMETIC_DIVIDE:
        *out = colony__number_value(left / right);
        break;
    case ARITHMETIC_FLOOR:
        *out = colony__number_value(floor(left / right));
        break;
    case ARITHMETIC_MODULO: /* of the sign of what is divided by, as in Python */
        *out = colony__number_value(fmod(left, right));
        if (out->number != 0 && (out->number < 0) != (right < 0))
            out->number += right;
        break;
    }
    return 0;
}

static int arithmetic_value(struct evaluation *evaluation, const struct node *node,
                            struct value *out)
{
    struct value left = {0};
    struct value right = {0};
    int rc = colony__condition_value(evaluation, node->left, &left);

    if (rc == 0)
        rc = colony__condition_value(evaluation, node->right, &right);
    if (rc < 0)
        return rc;
    if (left.type == CONDITION_NONE || right.type == CONDITION_NONE) {
        *out = (struct value){.type = CONDITION_NONE}; /* not there yet */
        return 0;
    }
    if (!colony__value_is_number(&left) || !colony__value_is_number(&right))
        return colony__condition_fail(evaluation->err, node->column,
                                      "cannot calculate with %s and %s: that takes numbers",
                                      colony__value_kind(&left), colony__value_kind(&right));
    return compute(evaluation, node, left.number, right.number, out);
}

static int compare_value(struct evaluation *evaluation, const struct node *node, struct value *out)
{
    struct value left = {0};
    struct value right = {0};
    int rc = colony__condition_value(evaluation, node->left, &left);

    if (rc == 0)
        rc = colony__condition_value(evaluation, node->right, &right);
    if (rc == 0)
        rc = colony__condition_compare(evaluation, node, &left, &right);
    if (rc < 0)
        return rc;
    *out = colony__bool_value(rc == 1);
    return 0;
}

static int negative_value(struct evaluation *evaluation, const struct node *node, struct value *out)
{
    int rc = colony__condition_value(evaluation, node->left, out);

    if (rc < 0 || out->type == CONDITION_NONE)
        return rc;
    if (!colony__value_is_number(out))
        return colony__condition_fail(evaluation->err, node->column,
                                      "cannot calculate with %s: that takes numbers",
                                      colony__value_kind(out));
    *out = colony__number_value(out->number * node->number);
    return 0;
}

/* The value that decides, as in Python. */
static int logic_value(struct evaluation *evaluation, const struct node *node, struct value *out)
{
    int rc = colony__condition_value(evaluation, node->left, out);

    if (rc < 0 || colony__value_is_true(out) == (node->kind == NODE_OR))
        return rc;
    return colony__condition_value(evaluation, node->right, out);
}

/* --- all of it -------------------------------------------------------------------------------- */

static int literal_value(struct evaluation *evaluation, const struct node *node, struct value *out)
{
    (void)evaluation;
    *out = (struct value){.type = CONDITION_NONE};
    if (node->kind == NODE_NUMBER)
        *out = colony__number_value(node->number);
    else if (node->kind == NODE_STRING)
        *out = (struct value){.type = CONDITION_STRING, .text = node->text};
    else if (node->kind == NODE_LIST)
        *out = (struct value){.type = CONDITION_LIST, .items = node->left};
    else if (node->kind == NODE_TRUE || node->kind == NODE_FALSE)
        *out = colony__bool_value(node->kind == NODE_TRUE);
    return 0;
}

static int variable_value(struct evaluation *evaluation, const struct node *node, struct value *out)
{
    *out = evaluation->variables[node->slot];
    return 0;
}

static int not_value(struct evaluation *evaluation, const struct node *node, struct value *out)
{
    int rc = colony__condition_value(evaluation, node->left, out);

    if (rc == 0)
        *out = colony__bool_value(!colony__value_is_true(out));
    return rc;
}

typedef int (*value_cb)(struct evaluation *evaluation, const struct node *node, struct value *out);

/* Parts of lists and calls (NODE_ITEM, NODE_EACH) have no value of their own. */
static const value_cb values[] = {
    [NODE_NUMBER] = literal_value,
    [NODE_STRING] = literal_value,
    [NODE_TRUE] = literal_value,
    [NODE_FALSE] = literal_value,
    [NODE_NONE] = literal_value,
    [NODE_LIST] = literal_value,
    [NODE_NAME] = colony__name_value,
    [NODE_VARIABLE] = variable_value,
    [NODE_INDEX] = colony__index_value,
    [NODE_LEN] = colony__length_value,
    [NODE_ANY] = ask_all,
    [NODE_ALL] = ask_all,
    [NODE_NOT] = not_value,
    [NODE_NEGATE] = negative_value,
    [NODE_AND] = logic_value,
    [NODE_OR] = logic_value,
    [NODE_COMPARE] = compare_value,
    [NODE_ARITHMETIC] = arithmetic_value,
};

int colony__condition_value(struct evaluation *evaluation, const struct node *node,
                            struct value *out)
{
    int rc = colony__condition_spend(evaluation, 1);

    return rc < 0 ? rc : values[node->kind](evaluation, node, out);
}

int colony_condition_evaluate(const struct colony_condition_tree *tree,
                              const struct colony_subject *subject, struct colony_error *err)
{
    struct evaluation evaluation = {
        .subject = subject, .steps_left = CONDITION_STEPS_MAX, .err = err};
    struct value value = {0};
    int rc = colony__condition_value(&evaluation, tree->root, &value);

    return rc < 0 ? rc : colony__value_is_true(&value);
}
