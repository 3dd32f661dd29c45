/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern becomes steps with jumps from each to others, and all ways through them are gone at
 * once, a byte at a time (Thompson 1968). Jumps are relative, so that repeated parts are copied.
 */
#include "core/pattern.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"

enum {
    DEPTH_MAX = 100,  /* of groups in each other */
    REPEAT_MAX = 255, /* RE_DUP_MAX of POSIX */
    FOR_EVER = -1,
    NO_NUMBER = -2,
    BYTES = 256,
};

enum step_kind {
    STEP_SET,    /* a byte of the set, then the next step */
    STEP_JUMP,   /* on to @to */
    STEP_SPLIT,  /* on to @to and to @or_to */
    STEP_ASSERT, /* the next step, if so */
    STEP_MATCH,
};

enum assertion {
    AT_BEGIN,
    AT_END,
    AT_WORD_BEGIN,
    AT_WORD_END,
    AT_WORD_EDGE,
    NOT_AT_WORD_EDGE,
};

struct step {
    enum step_kind kind;
    enum assertion assertion;
    int to; /* from this step */
    int or_to;
    uint8_t set[BYTES / 8];
};

/* The steps that wait for a byte. */
struct places {
    uint16_t items[COLONY_PATTERN_STEPS_MAX];
    size_t count;
};

struct colony_pattern {
    struct step steps[COLONY_PATTERN_STEPS_MAX];
    size_t count;
    uint64_t seen[COLONY_PATTERN_STEPS_MAX]; /* the round in which a step was come to last */
    uint64_t round;
    struct places now;
    struct places next;
    uint16_t stack[2 * COLONY_PATTERN_STEPS_MAX];
};

struct parser {
    const char *at;
    unsigned depth;
    struct colony_pattern *pattern;
    struct colony_error *reason;
};

/* --- from text to steps ----------------------------------------------------------------------- */

static int fail(const struct parser *parser, const char *reason)
{
    return colony_fail(parser->reason, -EINVAL, "%s", reason);
}

static int check_room(const struct parser *parser, size_t more)
{
    if (parser->pattern->count + more <= COLONY_PATTERN_STEPS_MAX)
        return 0;
    return fail(parser, "with its repetitions written out it is longer than 1000 bytes");
}

static int add_step(struct parser *parser, const struct step *step)
{
    int rc = check_room(parser, 1);

    if (rc == 0)
        parser->pattern->steps[parser->pattern->count++] = *step;
    return rc;
}

static int insert_step(struct parser *parser, size_t place, const struct step *step)
{
    struct step *steps = parser->pattern->steps;
    int rc = check_room(parser, 1);

    if (rc < 0)
        return rc;
    memmove(steps + place + 1, steps + place, (parser->pattern->count - place) * sizeof *steps);
    steps[place] = *step;
    parser->pattern->count++;
    return 0;
}

/* @times more of the @size steps from @place on. */
static int copy_steps(struct parser *parser, size_t place, size_t size, int times)
{
    struct colony_pattern *pattern = parser->pattern;
    int rc = 0;

    for (; times > 0 && size > 0 && rc == 0; times--) {
        rc = check_room(parser, size);
        if (rc < 0)
            break;
        memcpy(pattern->steps + pattern->count, pattern->steps + place,
               size * sizeof *pattern->steps);
        pattern->count += size;
    }
    return rc;
}

/* What stands from @place on: not at all, or at most @max times. */
static int make_optional(struct parser *parser, size_t place, int max)
{
    int size = (int)(parser->pattern->count - place);
    struct step split = {.kind = STEP_SPLIT, .to = 1, .or_to = size + 1};
    const struct step back = {.kind = STEP_JUMP, .to = -(size + 1)};
    int rc;

    if (max == 0) {
        parser->pattern->count = place;
        return 0;
    }
    if (max == FOR_EVER)
        split.or_to++;
    rc = insert_step(parser, place, &split);
    if (rc < 0)
        return rc;
    if (max == FOR_EVER)
        return add_step(parser, &back);
    return copy_steps(parser, place, (size_t)size + 1, max - 1);
}

/* What stands from @place on, @min to @max times. */
static int repeat(struct parser *parser, size_t place, int min, int max)
{
    size_t size = parser->pattern->count - place;
    const struct step again = {.kind = STEP_SPLIT, .to = -(int)size, .or_to = 1};
    size_t first;
    int rc;

    if (min == 0)
        return make_optional(parser, place, max);
    rc = copy_steps(parser, place, size, min - 1);
    if (rc < 0 || max == min)
        return rc;
    if (max == FOR_EVER)
        return add_step(parser, &again);
    first = parser->pattern->count;
    rc = copy_steps(parser, place, size, 1);
    return rc < 0 ? rc : make_optional(parser, first, max - min);
}

/* Digits, up to REPEAT_MAX. */
static int take_number(struct parser *parser)
{
    int number = 0;

    if (!isdigit((unsigned char)*parser->at))
        return NO_NUMBER;
    for (; isdigit((unsigned char)*parser->at) && number <= REPEAT_MAX; parser->at++)
        number = number * 10 + *parser->at - '0';
    return number <= REPEAT_MAX ? number : NO_NUMBER;
}

/* {2} {2,} {2,5} {,5} */
static int parse_braces(struct parser *parser, size_t place)
{
    int min = *++parser->at == ',' ? 0 : take_number(parser);
    int max = min;

    if (*parser->at == ',')
        max = *++parser->at == '}' ? FOR_EVER : take_number(parser);
    if (min < 0 || *parser->at != '}' || (max != FOR_EVER && max < min))
        return fail(parser, "`{` must be followed by N}, N,} or N,M}, up to 255");
    parser->at++;
    return repeat(parser, place, min, max);
}

static void set_range(struct step *step, unsigned from, unsigned to)
{
    for (; from <= to; from++)
        step->set[from / 8] |= (uint8_t)(1U << from % 8);
}

static void invert(struct step *step)
{
    for (size_t i = 0; i < sizeof step->set; i++)
        step->set[i] = (uint8_t)~step->set[i];
}

static int is_word(int byte)
{
    return isalnum(byte) || byte == '_';
}

static void set_class(struct step *step, int (*has)(int byte))
{
    for (unsigned byte = 0; byte < 128; byte++)
        if (has((int)byte))
            set_range(step, byte, byte);
}

/* [:digit:] within brackets. */
static int parse_class(struct parser *parser, struct step *step)
{
    static const struct {
        const char *name;
        int (*has)(int byte);
    } classes[] = {
        {"alpha:]", isalpha}, {"digit:]", isdigit}, {"alnum:]", isalnum}, {"upper:]", isupper},
        {"lower:]", islower}, {"space:]", isspace}, {"blank:]", isblank}, {"punct:]", ispunct},
        {"print:]", isprint}, {"graph:]", isgraph}, {"cntrl:]", iscntrl}, {"xdigit:]", isxdigit},
    };

    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        size_t length = strlen(classes[i].name);

        if (strncmp(parser->at + 2, classes[i].name, length) != 0)
            continue;
        set_class(step, classes[i].has);
        parser->at += 2 + length;
        return 0;
    }
    return fail(parser, "it has a class that is unknown, such as [[:digit:]] is one");
}

static bool is_special(const char *at)
{
    return at[0] == '[' && at[1] != '\0' && strchr(":.=", at[1]);
}

/* A byte or A-Z within brackets. */
static int parse_range(struct parser *parser, struct step *step)
{
    unsigned char from = (unsigned char)*parser->at++;
    unsigned char to = from;

    if (parser->at[0] == '-' && parser->at[1] != ']' && parser->at[1] != '\0') {
        if (is_special(parser->at + 1))
            return fail(parser, "a range must end with a byte");
        to = (unsigned char)parser->at[1];
        parser->at += 2;
    }
    if (to < from)
        return fail(parser, "a range ends before it begins");
    set_range(step, from, to);
    return 0;
}

static int parse_brackets(struct parser *parser)
{
    struct step step = {.kind = STEP_SET};
    bool is_not = *++parser->at == '^';
    const char *first = parser->at += is_not;
    int rc = 0;

    while (rc == 0 && (*parser->at != ']' || parser->at == first)) {
        if (*parser->at == '\0')
            return fail(parser, "a `[` is not closed");
        if (!is_special(parser->at))
            rc = parse_range(parser, &step);
        else if (parser->at[1] == ':')
            rc = parse_class(parser, &step);
        else
            rc = fail(parser, "[. and [= are not known here");
    }
    if (rc < 0)
        return rc;
    parser->at++;
    if (is_not)
        invert(&step);
    return add_step(parser, &step);
}

static int add_byte(struct parser *parser)
{
    struct step step = {.kind = STEP_SET};

    set_range(&step, (unsigned char)*parser->at, (unsigned char)*parser->at);
    parser->at++;
    return add_step(parser, &step);
}

static int add_any(struct parser *parser)
{
    struct step step = {.kind = STEP_SET};

    set_range(&step, 1, BYTES - 1); /* POSIX has a NUL match no `.` */
    parser->at++;
    return add_step(parser, &step);
}

static int add_assertion(struct parser *parser, enum assertion assertion)
{
    const struct step step = {.kind = STEP_ASSERT, .assertion = assertion};

    parser->at++;
    return add_step(parser, &step);
}

static int add_class(struct parser *parser, int (*has)(int byte), bool is_not)
{
    struct step step = {.kind = STEP_SET};

    set_class(&step, has);
    if (is_not)
        invert(&step);
    parser->at++;
    return add_step(parser, &step);
}

static int parse_escape(struct parser *parser)
{
    switch (*++parser->at) {
    case '`':
        return add_assertion(parser, AT_BEGIN);
    case '\'':
        return add_assertion(parser, AT_END);
    case '<':
        return add_assertion(parser, AT_WORD_BEGIN);
    case '>':
        return add_assertion(parser, AT_WORD_END);
    case 'b':
        return add_assertion(parser, AT_WORD_EDGE);
    case 'B':
        return add_assertion(parser, NOT_AT_WORD_EDGE);
    case 'w':
    case 'W':
        return add_class(parser, is_word, *parser->at == 'W');
    case 's':
    case 'S':
        return add_class(parser, isspace, *parser->at == 'S');
    case '\0':
        return fail(parser, "nothing follows the backslash at its end");
    default:
        break;
    }
    if (isalnum((unsigned char)*parser->at))
        return fail(parser, "of letters and digits only w, W, s, S, b and B may follow a "
                            "backslash (for a digit write [0-9])");
    return add_byte(parser);
}

static int parse_choice(struct parser *parser);

static int parse_group(struct parser *parser)
{
    int rc;

    if (++parser->depth > DEPTH_MAX)
        return fail(parser, "more than 100 groups are in each other");
    parser->at++;
    rc = parse_choice(parser);
    if (rc < 0)
        return rc;
    if (*parser->at != ')')
        return fail(parser, "a `(` is not closed");
    parser->at++;
    parser->depth--;
    return 0;
}

static int parse_atom(struct parser *parser)
{
    switch (*parser->at) {
    case '(':
        return parse_group(parser);
    case '[':
        return parse_brackets(parser);
    case '\\':
        return parse_escape(parser);
    case '.':
        return add_any(parser);
    case '^':
        return add_assertion(parser, AT_BEGIN);
    case '$':
        return add_assertion(parser, AT_END);
    case '*':
    case '+':
    case '?':
    case '{':
        return fail(parser, "there is nothing to repeat before a `*`, `+`, `?` or `{`");
    default:
        return add_byte(parser);
    }
}

static int parse_piece(struct parser *parser)
{
    size_t place = parser->pattern->count;
    int rc = parse_atom(parser);

    while (rc == 0 && *parser->at != '\0' && strchr("*+?{", *parser->at)) {
        if (*parser->at == '{') {
            rc = parse_braces(parser, place);
            continue;
        }
        rc = repeat(parser, place, *parser->at == '+', *parser->at == '?' ? 1 : FOR_EVER);
        parser->at++;
    }
    return rc;
}

/* One `|` another. A `)` that closes nothing is a byte. */
static int parse_choice(struct parser *parser)
{
    struct step *steps = parser->pattern->steps;
    size_t place = parser->pattern->count;
    const struct step over = {.kind = STEP_JUMP};
    struct step split = {.kind = STEP_SPLIT, .to = 1};
    size_t jump;
    int rc = 0;

    while (rc == 0 && *parser->at != '\0' && *parser->at != '|' &&
           (*parser->at != ')' || parser->depth == 0))
        rc = parse_piece(parser);
    if (rc < 0 || *parser->at != '|')
        return rc;
    parser->at++;
    split.or_to = (int)(parser->pattern->count - place) + 2;
    rc = insert_step(parser, place, &split);
    jump = parser->pattern->count;
    if (rc == 0)
        rc = add_step(parser, &over);
    if (rc == 0)
        rc = parse_choice(parser);
    if (rc == 0)
        steps[jump].to = (int)(parser->pattern->count - jump);
    return rc;
}

int colony_pattern_new(struct colony_pattern **out, const char *text, struct colony_error *reason)
{
    const struct step match = {.kind = STEP_MATCH};
    struct colony_pattern *pattern = calloc(1, sizeof *pattern);
    struct parser parser = {.at = text, .pattern = pattern, .reason = reason};
    int rc;

    if (!pattern)
        return -ENOMEM;
    rc = parse_choice(&parser);
    if (rc == 0)
        rc = add_step(&parser, &match);
    if (rc < 0)
        free(pattern);
    else
        *out = pattern;
    return rc;
}

void colony_pattern_free(struct colony_pattern *pattern)
{
    free(pattern);
}

/* --- a text ----------------------------------------------------------------------------------- */

struct text {
    const char *bytes;
    size_t size;
};

static bool has_word(const struct text *text, size_t at)
{
    return at < text->size && (unsigned char)text->bytes[at] < 128 &&
           is_word((unsigned char)text->bytes[at]);
}

static bool is_so(enum assertion assertion, const struct text *text, size_t at)
{
    bool before = at > 0 && has_word(text, at - 1);
    bool after = has_word(text, at);

    switch (assertion) {
    case AT_BEGIN:
        return at == 0;
    case AT_END:
        return at == text->size;
    case AT_WORD_BEGIN:
        return !before && after;
    case AT_WORD_END:
        return before && !after;
    case AT_WORD_EDGE:
        return before != after;
    case NOT_AT_WORD_EDGE:
        return before == after;
    }
    return false;
}

/* Goes from step @first to all that wait for a byte; true when it comes to the end. */
static bool go_on(struct colony_pattern *pattern, struct places *places, size_t first,
                  const struct text *text, size_t at)
{
    size_t depth = 0;

    pattern->stack[depth++] = (uint16_t)first;
    while (depth > 0) {
        uint16_t place = pattern->stack[--depth];
        const struct step *step = &pattern->steps[place];

        if (pattern->seen[place] == pattern->round)
            continue; /* so each is put on the stack twice at most */
        pattern->seen[place] = pattern->round;
        switch (step->kind) {
        case STEP_SET:
            places->items[places->count++] = place;
            break;
        case STEP_SPLIT:
            pattern->stack[depth++] = (uint16_t)(place + step->or_to);
            pattern->stack[depth++] = (uint16_t)(place + step->to);
            break;
        case STEP_JUMP:
            pattern->stack[depth++] = (uint16_t)(place + step->to);
            break;
        case STEP_ASSERT:
            if (is_so(step->assertion, text, at))
                pattern->stack[depth++] = (uint16_t)(place + 1);
            break;
        case STEP_MATCH:
            return true;
        }
    }
    return false;
}

bool colony_pattern_matches(struct colony_pattern *pattern, const char *bytes, size_t size)
{
    const struct text text = {bytes, size};
    struct places *now = &pattern->now;
    struct places *next = &pattern->next;

    now->count = 0;
    pattern->round++;
    for (size_t at = 0;; at++) {
        unsigned char byte = at < size ? (unsigned char)bytes[at] : 0;
        struct places *done = now;

        if (go_on(pattern, now, 0, &text, at)) /* a match may begin anywhere */
            return true;
        if (at == size)
            return false;
        next->count = 0;
        pattern->round++;
        for (size_t i = 0; i < now->count; i++)
            if (pattern->steps[now->items[i]].set[byte / 8] & 1U << byte % 8 &&
                go_on(pattern, next, (size_t)now->items[i] + 1, &text, at + 1))
                return true;
        now = next;
        next = done;
    }
}
