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

/* A command as its user sees it. */
struct colony_usage {
    const char *command;                 /* "colony serve"; begins every message */
    const char *arguments;               /* "[NAME...]", or "" for none */
    const char *summary;                 /* one line, or more that are wrapped by hand */
    const char *examples;                /* lines that end in \n, without indentation; or NULL */
    const struct colony_option *options; /* or NULL */
    int operands_min;
    int operands_max;          /* or COLONY_OPERANDS_ANY */
    void (*print_table)(void); /* more of --help, after the summary; or NULL */
    bool stops_at_operand;     /* what follows the first operand belongs to somebody else */
};

/*
 * Reads the options in argv[1…] into @target and takes them out of argv, so that argv[1…*argc-1]
 * are the operands, whose number is checked. `--` ends the options and is taken out too.
 *
 * True: go on. False: return *exit_code, because help was asked for and printed (EXIT_OK), or
 * because something is wrong and was told on stderr (EXIT_USAGE).
 */
bool colony_options_parse(const struct colony_usage *usage, void *target, int *argc, char **argv,
                          int *exit_code);

/* One line on stderr, `COMMAND: …`; control bytes become '?'. */
void colony_options_complain(const struct colony_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* `usage: COMMAND [OPTION...] ARGUMENTS` and all the rest, on stdout. */
void colony_options_help(const struct colony_usage *usage);

#endif
