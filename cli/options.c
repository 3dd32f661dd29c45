/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/settings.h"
#include "core/template.h"

enum {
    LINE_COLUMNS = 80,
    HELP_COLUMN = 26, /* where help texts begin; a longer option has a line of its own */
    CHILD_COLUMN = 28,
    NAMES_MAX = 64, /* rows of one table */
};

static const struct colony_option no_options[] = {{NULL, 0, NULL, NULL, OPTION_END, 0, NULL}};
static const struct colony_option help_option = {"help",      'h', NULL, "show this help and exit",
                                                 OPTION_FLAG, 0,   NULL};

/* What one call works on. */
struct parser {
    const struct colony_usage *usage;
    const struct colony_option *options;
    void *target;
    int argc;
    char **argv;
    int next; /* index of the argument to read next */
    int kept; /* operands at the front of argv, and the command's name */
    bool wants_help;
    bool has_ended;                      /* by `--` */
    const struct colony_option *pending; /* lacks its value, at the end of argv */
    struct colony_error err;
};

void colony_options_complain_args(const struct colony_usage *usage, const char *format,
                                  va_list args)
{
    char text[COLONY_ERROR_TEXT_MAX];
    struct colony_error line;

    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    (void)colony_fail(&line, 0, "%s", text); /* blanks control bytes */
    (void)fprintf(stderr, "%s: %s\n", usage->command, line.message);
}

void colony_options_complain(const struct colony_usage *usage, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    colony_options_complain_args(usage, format, args);
    va_end(args);
}

/* Writes "usage: colony serve [OPTION...] NAME" without an end of line. */
static void usage_line(const struct colony_usage *usage, char *text, size_t size)
{
    (void)snprintf(text, size, "usage: %s%s%s%s", usage->command,
                   usage->options ? " [OPTION...]" : "", usage->arguments[0] ? " " : "",
                   usage->arguments);
}

static void print_option(const struct colony_option *option)
{
    char left[80];
    int used =
        snprintf(left, sizeof left, "  %c%c%c --%s%s%s", option->letter ? '-' : ' ',
                 option->letter ? option->letter : ' ', option->letter ? ',' : ' ', option->name,
                 option->argument ? " " : "", option->argument ? option->argument : "");

    if (used < HELP_COLUMN - 1)
        printf("%-*s%s\n", HELP_COLUMN, left, option->help);
    else
        printf("%s\n%*s%s\n", left, HELP_COLUMN, "", option->help);
}

/* Each line of @text with two spaces before it. */
static void print_indented(const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        printf("  %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void print_children(const struct colony_usage *usage)
{
    struct colony_usage child;

    printf("\n%s:\n", usage->children);
    for (size_t i = 0; usage->child(i, &child); i++) {
        int used = printf("  %s %s", child.command, child.arguments);

        if (used >= CHILD_COLUMN)
            used = printf("\n") - 1;
        printf("%*s%s\n", CHILD_COLUMN - used, "", child.summary);
    }
}

static void print_exit_codes(void)
{
    int column = printf("\nexit codes:") - 1;
    const int indent = column;

    for (const struct colony_exit_info *info = colony_exits; info->help; info++) {
        char text[64];
        int length = snprintf(text, sizeof text, " %d %s%s", info->code, info->help,
                              info[1].help ? "," : "");

        if (column + length > LINE_COLUMNS)
            column = printf("\n%*s", indent, "") - 1;
        column += printf("%s", text);
    }
    printf("\n");
}

void colony_options_help(const struct colony_usage *usage)
{
    const struct colony_option *options = usage->options ? usage->options : no_options;
    char line[256];

    usage_line(usage, line, sizeof line);
    printf("%s\n\n%s\n", line, usage->summary);
    if (usage->child)
        print_children(usage);
    if (usage->notes)
        printf("\n%s", usage->notes);
    if (usage->child)
        print_exit_codes();
    printf("\noptions:\n");
    for (; options->name; options++)
        if (options->help)
            print_option(options);
    print_option(&help_option);
    if (usage->examples) {
        printf("\nexamples:\n");
        print_indented(usage->examples);
    }
}

static bool is_beginning(const char *name, size_t length, const char *known)
{
    for (size_t i = 0; i < length; i++)
        if ((name[i] == '_' ? '-' : name[i]) != (known[i] == '_' ? '-' : known[i]))
            return false;
    return true;
}

bool colony_options_is_name(const char *name, size_t length, const char *known)
{
    return strlen(known) == length && is_beginning(name, length, known);
}

static const struct colony_option *find_long(const struct parser *parser, const char *name,
                                             size_t length)
{
    for (const struct colony_option *row = parser->options; row->name; row++)
        if (colony_options_is_name(name, length, row->name))
            return row;
    return strncmp("help", name, length) == 0 && length == 4 ? &help_option : NULL;
}

/* Two words for one thing. */
static bool is_same(const struct colony_option *left, const struct colony_option *right)
{
    return left->type == right->type && left->offset == right->offset &&
           left->callback == right->callback;
}

/* One that @name is the beginning of, as getopt_long has it; *other is one that it means as well.
 */
static const struct colony_option *find_beginning(const struct parser *parser, const char *name,
                                                  size_t length, const struct colony_option **other)
{
    const struct colony_option *found = NULL;

    for (const struct colony_option *row = parser->options; row->name && length > 0; row++) {
        if (!is_beginning(name, length, row->name))
            continue;
        if (found && !is_same(found, row))
            *other = row;
        else
            found = row;
    }
    if (length == 0 || strncmp("help", name, length) != 0)
        return found;
    if (found)
        *other = &help_option;
    return found ? found : &help_option;
}

static const struct colony_option *find_letter(const struct parser *parser, char letter)
{
    for (const struct colony_option *row = parser->options; row->name; row++)
        if (row->letter == letter)
            return row;
    return letter == 'h' ? &help_option : NULL;
}

/* What may be an option of the command that is an operand. */
static const char *hint_of(const struct parser *parser)
{
    return parser->kept > 1 && strstr(parser->usage->arguments, "CMD")
               ? "write -- before a command with options; "
               : "";
}

static int fail_unknown(struct parser *parser, const char *name, size_t length)
{
    const char *names[NAMES_MAX + 2] = {"help"};
    char word[64];
    const char *nearest;
    size_t count = 1;

    for (const struct colony_option *row = parser->options; row->name; row++)
        if (row->help && count <= NAMES_MAX)
            names[count++] = row->name;
    (void)snprintf(word, sizeof word, "%.*s", (int)length, name);
    nearest = colony_name_nearest(word, names);
    if (nearest)
        return colony_fail(&parser->err, -EINVAL, "unknown option --%s: did you mean --%s?", word,
                           nearest);
    return colony_fail(&parser->err, -EINVAL, "unknown option --%s: %ssee %s --help", word,
                       hint_of(parser), parser->usage->command);
}

static int read_number(const char *value, uint64_t *out)
{
    char *end;
    unsigned long long number;

    if (value[0] < '0' || value[0] > '9')
        return -EINVAL;
    errno = 0;
    number = strtoull(value, &end, 10);
    if (*end != '\0' || errno != 0)
        return -EINVAL;
    *out = number;
    return 0;
}

static int add_to_list(struct parser *parser, const struct colony_option *row, const char *value)
{
    struct colony_option_list *list = (void *)((char *)parser->target + row->offset);

    if (list->count == COLONY_OPTION_LIST_MAX)
        return colony_fail(&parser->err, -E2BIG, "too many --%s: at most %d", row->name,
                           COLONY_OPTION_LIST_MAX);
    list->items[list->count++] = value;
    list->items[list->count] = NULL;
    return 0;
}

static int add_pair(struct parser *parser, const struct colony_option *row, const char *value)
{
    const char *sign = value ? strchr(value, '=') : NULL;

    if (sign && sign != value)
        return add_to_list(parser, row, value);
    return colony_fail(&parser->err, -EINVAL, "--%s: not %s: %s", row->name, row->argument, value);
}

static int store_value(struct parser *parser, const struct colony_option *row, const char *value)
{
    void *field = (char *)parser->target + row->offset;

    if (!parser->target)
        return 0; /* only looked over */
    switch (row->type) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return 0;
    case OPTION_COUNT:
        ++*(unsigned *)field;
        return 0;
    case OPTION_TEXT:
        *(const char **)field = value;
        return 0;
    case OPTION_LIST:
        return add_to_list(parser, row, value);
    case OPTION_PAIRS:
        return add_pair(parser, row, value);
    case OPTION_NUMBER:
        if (read_number(value, field) < 0)
            return colony_fail(&parser->err, -EINVAL, "--%s: not a number: %s", row->name, value);
        return 0;
    case OPTION_DURATION:
        if (colony_settings_parse_duration(value, field) < 0)
            return colony_fail(&parser->err, -EINVAL,
                               "--%s: not a time such as 10, 500ms or 2m: %s", row->name, value);
        return 0;
    case OPTION_CALL:
        return row->callback(parser->target, value, &parser->err);
    case OPTION_END:
        break;
    }
    return -EINVAL;
}

/* @value is what was written with the option, or NULL. Takes the next argument when it needs to. */
static int handle_option(struct parser *parser, const struct colony_option *row, const char *value)
{
    if (row == &help_option) {
        parser->wants_help = true;
        return 0;
    }
    if (!row->argument && value)
        return colony_fail(&parser->err, -EINVAL, "option --%s takes no value", row->name);
    if (row->argument && !value) {
        parser->pending = parser->next < parser->argc ? NULL : row;
        if (parser->pending)
            return colony_fail(&parser->err, -EINVAL, "option --%s needs a value: --%s %s",
                               row->name, row->name, row->argument);
        value = parser->argv[parser->next++];
    }
    return store_value(parser, row, value);
}

/* `--name`, `--name=value`, `--name value`. */
static int parse_long(struct parser *parser, const char *name)
{
    size_t length = strcspn(name, "=");
    const struct colony_option *other = NULL;
    const struct colony_option *row = find_long(parser, name, length);

    if (!row)
        row = find_beginning(parser, name, length, &other);
    if (other)
        return colony_fail(&parser->err, -EINVAL, "unknown option --%.*s: --%s or --%s?",
                           (int)length, name, row->name, other->name);
    if (!row)
        return fail_unknown(parser, name, length);
    return handle_option(parser, row, name[length] == '=' ? name + length + 1 : NULL);
}

/* `-f`, `-vv`, `-n 20`, `-n20`. */
static int parse_short(struct parser *parser, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const struct colony_option *row = find_letter(parser, *letters);
        int rc;

        if (!row)
            return colony_fail(&parser->err, -EINVAL, "unknown option -%c: %ssee %s --help",
                               *letters, hint_of(parser), parser->usage->command);
        if (row->argument)
            return handle_option(parser, row, letters[1] != '\0' ? letters + 1 : NULL);
        rc = handle_option(parser, row, NULL);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* -5, -.5, -1.5e3: no option, where none has that digit. */
static bool is_number(const struct parser *parser, const char *text)
{
    char *end;

    if (text[0] != '-' || text[1] == '\0' || text[strspn(text, "+-.0123456789eE")] != '\0' ||
        !strchr(".0123456789", text[1]) || find_letter(parser, text[1]))
        return false;
    (void)strtod(text, &end);
    return *end == '\0';
}

/* Leaves the operands at the front of argv. */
static int parse_arguments(struct parser *parser)
{
    int rc = 0;

    while (parser->next < parser->argc && !parser->wants_help && rc == 0) {
        char *text = parser->argv[parser->next];

        if (text[0] != '-' || text[1] == '\0' || is_number(parser, text)) {
            if (parser->usage->child || parser->usage->precedes_command)
                break;
            parser->argv[parser->kept++] = text;
            parser->next++;
            continue;
        }
        parser->next++;
        parser->has_ended = strcmp(text, "--") == 0;
        if (parser->has_ended)
            break;
        rc = text[1] == '-' ? parse_long(parser, text + 2) : parse_short(parser, text + 1);
    }
    return rc;
}

/* What was not read is operands, too. */
static void keep_rest(struct parser *parser)
{
    while (parser->next < parser->argc)
        parser->argv[parser->kept++] = parser->argv[parser->next++];
    parser->argc = parser->kept;
}

static int check_operands(const struct colony_usage *usage, int count)
{
    char line[256];

    usage_line(usage, line, sizeof line);
    if (count < usage->operands_min) {
        colony_options_complain(usage, "too few arguments: %s", line);
        return -EINVAL;
    }
    if (usage->operands_max != COLONY_OPERANDS_ANY && count > usage->operands_max) {
        colony_options_complain(usage, "too many arguments: %s", line);
        return -EINVAL;
    }
    return 0;
}

bool colony_options_parse(const struct colony_usage *usage, void *target, int *argc, char **argv,
                          int *exit_code)
{
    struct parser parser = {
        .usage = usage,
        .options = usage->options ? usage->options : no_options,
        .target = target,
        .argc = *argc,
        .argv = argv,
        .next = 1,
        .kept = 1,
    };
    int rc = parse_arguments(&parser);

    keep_rest(&parser);
    *exit_code = EXIT_USAGE;
    if (rc < 0) {
        colony_options_complain(usage, "%s", parser.err.message);
        return false;
    }
    if (parser.wants_help) {
        colony_options_help(usage);
        *exit_code = EXIT_OK;
        return false;
    }
    if (check_operands(usage, parser.argc - 1) < 0)
        return false;
    *argc = parser.argc;
    argv[parser.argc] = NULL;
    return true;
}

void colony_options_locate(const struct colony_usage *usage, void *target, int argc, char **argv,
                           struct colony_place *place)
{
    struct parser parser = {
        .usage = usage,
        .options = usage->options ? usage->options : no_options,
        .target = target,
        .argc = argc,
        .argv = argv,
        .next = 1,
        .kept = 1,
    };

    while (parse_arguments(&parser) < 0) /* what is wrong was passed over */
        ;
    keep_rest(&parser);
    *place = (struct colony_place){
        .pending = parser.pending,
        .operand_count = parser.argc - 1,
        .is_operand = parser.has_ended,
    };
}
