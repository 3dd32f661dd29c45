/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - reads a command's options by one table and writes its --help from the same.
 *
 * A row is one option; a row without a name ends the table. Values are borrowed from argv. -h and
 * --help need no row.
 *
 *     static const struct colony_option serve_options[] = {
 *         {"config", 'c', "FILE", "read settings from FILE", OPTION_TEXT, AT(config), NULL},
 *         {"bind", 0, "ADDR", "control over ADDR, may repeat", OPTION_LIST, AT(bind), NULL},
 *         {"verbose", 'v', NULL, "say more; -vv: all", OPTION_COUNT, AT(verbose), NULL},
 *         {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
 *     };
 */
#ifndef COLONY_CLI_OPTIONS_H
#define COLONY_CLI_OPTIONS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct colony_error;

enum {
    COLONY_OPTION_LIST_MAX = 256,
    COLONY_OPERANDS_ANY = -1,
};

enum colony_option_type {
    OPTION_END,
    OPTION_FLAG,     /* bool, set to true */
    OPTION_COUNT,    /* unsigned, one more each time: -vv */
    OPTION_TEXT,     /* const char *; the last one given counts */
    OPTION_LIST,     /* struct colony_option_list; all that are given */
    OPTION_NUMBER,   /* uint64_t: decimal digits only */
    OPTION_PAIRS,    /* the same; each is K=V with a K */
    OPTION_DURATION, /* uint64_t milliseconds: "5", "500ms", "2m" */
    OPTION_CALL,     /* the callback */
};

/* NULL-terminated. */
struct colony_option_list {
    const char *items[COLONY_OPTION_LIST_MAX + 1];
    size_t count;
};

/* @target is the command's struct, @value NULL for a flag. 0, or a negative errno with its reason.
 */
typedef int (*colony_option_cb)(void *target, const char *value, struct colony_error *err);

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order a row is read in */
struct colony_option {
    const char *name;     /* without the dashes */
    char letter;          /* 0: none */
    const char *argument; /* NULL: a flag */
    const char *help;     /* NULL: works, but is not listed */
    enum colony_option_type type;
    size_t offset; /* of its field in the command's struct */
    colony_option_cb callback;
};

struct colony_usage;

/*
 * The @index-th subcommand: its bare name as `command`, a line about it as `summary`, `arguments`,
 * `examples`, `options`, the number of its operands and `child`; the rest is not set. False: there
 * are no more.
 */
typedef bool (*colony_usage_child_cb)(size_t index, struct colony_usage *child);

/* A command as its user sees it. */
struct colony_usage {
    const char *command;   /* "colony serve"; begins every message */
    const char *arguments; /* "[NAME...]", or "" for none */
    const char *summary;   /* one line, or more that are wrapped by hand; NULL: is not listed */
    const char *examples;  /* lines that end in \n, without indentation; or NULL */
    const struct colony_option *options; /* or NULL */
    int operands_min;
    int operands_max;            /* or COLONY_OPERANDS_ANY */
    colony_usage_child_cb child; /* the first operand is one of these, the rest is its; or NULL */
    bool precedes_command;       /* the first operand is a program: what follows is not ours */
    const char *children;        /* what they are called: "commands"; with `child` */
    const char *notes;           /* more of --help, after the children; or NULL */
};

/* Defines @name_, a colony_usage_child_cb of the rows of @table, which have these members. */
#define COLONY_DEFINE_CHILD(name_, table)                                                          \
    static bool name_(size_t index, struct colony_usage *child)                                    \
    {                                                                                              \
        if (index >= sizeof(table) / sizeof(table)[0])                                             \
            return false;                                                                          \
        *child = (struct colony_usage){                                                            \
            .command = (table)[index].name,                                                        \
            .arguments = (table)[index].arguments,                                                 \
            .summary = (table)[index].help,                                                        \
            .examples = (table)[index].examples,                                                   \
            .options = (table)[index].options,                                                     \
            .operands_min = (table)[index].operands_min,                                           \
            .operands_max = (table)[index].operands_max,                                           \
        };                                                                                         \
        return true;                                                                               \
    }

/* Where on a command line the next word would stand; for completion. */
struct colony_place {
    const struct colony_option *pending; /* the option whose value it would be; or NULL */
    int operand_count;                   /* operands before it */
    bool is_operand;                     /* after `--`: whatever it begins with */
};

/*
 * Reads the options in argv[1…] into @target and takes them out of argv, so that argv[1…*argc-1]
 * are the operands, whose number is checked. `--` ends the options and is taken out too. A number
 * such as -5 is an operand, too, where no option has its first digit.
 *
 * True: go on. False: return *exit_code, because help was asked for and printed (EXIT_OK), or
 * because something is wrong and was told on stderr (EXIT_USAGE).
 */
bool colony_options_parse(const struct colony_usage *usage, void *target, int *argc, char **argv,
                          int *exit_code);

/*
 * Reads what can be understood of argv[1…argc-1] into @target (NULL: nowhere), without a word about
 * the rest, and leaves the operands in argv[1…place->operand_count]. One with children reads to its
 * first operand only, and leaves all that follows.
 */
void colony_options_locate(const struct colony_usage *usage, void *target, int argc, char **argv,
                           struct colony_place *place);

/* The number of @usage's child called @name (colony_options_is_name); -1: there is none. */
int colony_options_find_child(const struct colony_usage *usage, const char *name);

/*
 * The number of the child that argv[1] names. -1: return *exit_code, because it is `help` alone,
 * which was printed, or because there is no such child, which was told.
 */
int colony_options_choose_child(const struct colony_usage *usage, int argc, char **argv,
                                int *exit_code);

/* Tells that @usage has no child @name, and the nearest there is. */
void colony_options_complain_of_child(const struct colony_usage *usage, const char *name);

/*
 * As colony_options_parse() for the @index-th child of @parent, argv[0] being its name: help and
 * messages begin with the names of both.
 */
bool colony_options_parse_child(const struct colony_usage *parent, size_t index, void *target,
                                int *argc, char **argv, int *exit_code);

/* True when @name is the name @known, with either of - and _ for the other. */
bool colony_options_is_name(const char *name, size_t length, const char *known);

/* One line on stderr, `COMMAND: …`; control bytes become '?'. */
void colony_options_complain(const struct colony_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void colony_options_complain_args(const struct colony_usage *usage, const char *format,
                                  va_list args) __attribute__((format(printf, 2, 0)));

/* `usage: COMMAND [OPTION...] ARGUMENTS` and all the rest, on stdout. */
void colony_options_help(const struct colony_usage *usage);

#endif
