/* SPDX-License-Identifier: Apache-2.0 */
/*
 * complete.c - `colony complete WORD... CURRENT`: what the word under the cursor may become.
 *
 * Called by the scripts of `colony completion`, which print nothing else to the user: a line each,
 * `CANDIDATE TAB HELP`. A line that begins with a tab asks the shell for files or folders, too.
 * Everything comes from the tables that --help is printed from; an operand is what its word in the
 * usage line says: NAME, FILE, SIG, …
 */
#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "commands.h"
#include "complete_internal.h"
#include "core/error.h"
#include "core/events.h"
#include "core/signals.h"
#include "ctl_internal.h"
#include "files_ctl.h"
#include "fsctl/places.h"
#include "options.h"
#include "rpc/registry.h"
#include "session_internal.h"

enum {
    WORD_MAX = 64, /* of a usage line */
    SIGNAL_MAX = 31,
};

#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define LITERALS "abcdefghijklmnopqrstuvwxyz0123456789"

typedef void (*kind_cb)(const struct cursor *cursor, const char *data, const char *suffix);

/* What a word in capitals stands for. */
struct kind {
    const char *word;
    kind_cb run;
    const char *data;
};

void colony__complete_offer(const struct cursor *cursor, const char *candidate, const char *suffix,
                            const char *help)
{
    const char *typed = cursor->word + cursor->fixed;
    size_t length = strlen(candidate);
    size_t same = strlen(typed) < length ? strlen(typed) : length;

    if (candidate[0] == '\0' || strncmp(candidate, typed, same) != 0 ||
        strncmp(suffix, typed + same, strlen(typed + same)) != 0)
        return;
    for (const char *byte = candidate; *byte != '\0'; byte++)
        if ((unsigned char)*byte < ' ' || *byte == 0x7f)
            return;
    printf("%.*s%s%s\t%s\n", (int)cursor->fixed, cursor->word, candidate, suffix, help);
}

static void offer_path(const struct cursor *cursor, const char *data, const char *suffix)
{
    (void)cursor;
    (void)suffix;
    printf("\t%s\n", data);
}

/* @data: words with blanks between. */
static void offer_words(const struct cursor *cursor, const char *data, const char *suffix)
{
    while (*data != '\0') {
        size_t length = strcspn(data, " ");
        char word[WORD_MAX];

        (void)snprintf(word, sizeof word, "%.*s", (int)length, data);
        colony__complete_offer(cursor, word, suffix, "");
        data += length + (data[length] == ' ');
    }
}

/* As it is being typed: USR1 or SIGUSR1. */
static void offer_signals(const struct cursor *cursor, const char *data, const char *suffix)
{
    size_t left_out = strncmp(cursor->word + cursor->fixed, "SI", 2) == 0 ? 0 : 3;

    (void)data;
    for (int signo = 1; signo <= SIGNAL_MAX; signo++) {
        const char *name = colony_signal_name(signo);

        if (strncmp(name, "SIG", 3) == 0)
            colony__complete_offer(cursor, name + left_out, suffix, "");
    }
}

static void offer_events(const struct cursor *cursor, const char *data, const char *suffix)
{
    (void)data;
    for (int type = 0; type < EVENT_STRAY; type++) /* which is never told */
        colony__complete_offer(cursor, colony_event_name((enum colony_event_type)type), suffix, "");
}

static void on_late(int signo)
{
    (void)signo;
    _exit(EXIT_OK);
}

void colony__complete_deadline(int ms)
{
    const struct itimerval timer = {.it_value = {.tv_usec = (suseconds_t)ms * 1000}};

    (void)fflush(stdout);
    (void)signal(SIGALRM, on_late);
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

/* The files of ncolony's folder. */
static void offer_files(const struct cursor *cursor, const char *suffix)
{
    char **names = NULL;
    size_t count = 0;

    if (colony_places_list(cursor->ctl->config, true, &names, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        colony__complete_offer(cursor, names[i], suffix, "");
    colony_places_free(names);
}

/* @data: the path of a list of names. */
static void offer_live(const struct cursor *cursor, const char *data, const char *suffix)
{
    struct cJSON *names = NULL;
    const struct cJSON *name;

    if (!cursor->ctl)
        return;
    if (cursor->ctl->config) {
        offer_files(cursor, suffix);
        return;
    }
    colony__complete_deadline(COMPLETE_LIVE_MS);
    if (colony__ctl_find_target(cursor->ctl) == EXIT_OK)
        names = colony__ctl_peek(cursor->ctl, data);
    colony__complete_deadline(0);
    cJSON_ArrayForEach(name, names)
    {
        if (cJSON_IsString(name))
            colony__complete_offer(cursor, name->valuestring, suffix, "");
    }
    cJSON_Delete(names);
}

/* Those that are registered here. */
static void offer_daemons(const struct cursor *cursor, const char *data, const char *suffix)
{
    struct colony_rpc_entry *entries = NULL;
    size_t count = 0;

    (void)data;
    colony__complete_deadline(COMPLETE_LIVE_MS);
    if (colony_rpc_registry_list(&entries, &count, NULL) < 0)
        count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(entries[i - 1].name, entries[i].name) != 0)
            colony__complete_offer(cursor, entries[i].name, suffix, entries[i].endpoint);
    free(entries);
    colony__complete_deadline(0);
}

/* clang-format off */
static const struct kind kinds[] = {
    {"ARG",    offer_path,    "files"},
    {"CHILD",  colony__complete_children, NULL},
    {"CMD",    offer_path,    "files"},
    {"COLUMN", offer_words,   "name cpu mem restarts uptime state"},
    {"DAEMON", offer_daemons, NULL},
    {"DIR",    offer_path,    "folders"},
    {"EVENT",  offer_events,  NULL},
    {"FILE",   offer_path,    "files"},
    {"FORMAT", offer_words,   "text json"},
    {"FORM",   offer_words,   "ini json systemd yaml"},
    {"GROUP",  offer_live,    "/groups"},
    {"HOW",    offer_words,   "skip queue kill"},
    {"LEVEL",  offer_words,   "error warning info debug"},
    {"NAME",   offer_live,    "/processes"},
    {"PARENT", colony__complete_parents, NULL},
    {"PROCESS", colony__complete_processes, NULL},
    {"PROGRAM", offer_path,   "files"},
    {"SHELL",  offer_words,   "bash fish zsh"},
    {"SIG",    offer_signals, NULL},
    {"STATE",  colony__complete_states, NULL},
};
/* clang-format on */

/* @word is one of `NAME`, `GROUP:*`, `NAME=N`, `NAME[.SLOT]`: what follows the kind, up to the next
 * part that the user chooses, is offered with it. */
static void offer_kind(const struct cursor *cursor, const char *word)
{
    size_t length = strspn(word, CAPITALS);
    char suffix[WORD_MAX];

    if (length == 0 && strspn(word, LITERALS) == strlen(word))
        colony__complete_offer(cursor, word, "", ""); /* one of `add|remove|list` */
    (void)snprintf(suffix, sizeof suffix, "%.*s", (int)strcspn(word + length, CAPITALS "["),
                   word + length);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strlen(kinds[i].word) == length && strncmp(kinds[i].word, word, length) == 0)
            kinds[i].run(cursor, kinds[i].data, suffix);
}

/* @text: `NAME|GROUP:*`. */
static void offer_kinds(const struct cursor *cursor, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "|");
        char word[WORD_MAX];

        (void)snprintf(word, sizeof word, "%.*s", (int)length, text);
        offer_kind(cursor, word);
        text += length + (text[length] == '|');
    }
}

/* The @index-th word of a usage line without `[`, `]` and `...`; a last one that may repeat stands
 * for all that follow. False: there is no such operand. */
static bool find_operand(const char *arguments, int index, char word[WORD_MAX])
{
    for (; *arguments != '\0'; index--) {
        size_t length = strcspn(arguments, " ");
        size_t skipped = arguments[0] == '[';
        size_t end = length - (skipped && arguments[length - 1] == ']');
        bool repeats = end > 3 && strncmp(arguments + end - 3, "...", 3) == 0;

        if (index <= 0 || (repeats && arguments[length] == '\0')) {
            (void)snprintf(word, WORD_MAX, "%.*s", (int)(end - skipped - (repeats ? 3 : 0)),
                           arguments + skipped);
            return true;
        }
        arguments += length + (arguments[length] == ' ');
    }
    return false;
}

static void offer_options(const struct cursor *cursor, const struct colony_option *options)
{
    char word[WORD_MAX];

    for (; options && options->name; options++) {
        (void)snprintf(word, sizeof word, "--%s", options->name);
        if (options->help)
            colony__complete_offer(cursor, word, "", options->help);
    }
    colony__complete_offer(cursor, "--help", "", "show this help and exit");
}

/* The value in `--option=VALUE`. */
static void offer_value(struct cursor *cursor, const struct colony_option *options)
{
    size_t length = strcspn(cursor->word, "=");

    for (; options && options->name; options++) {
        if (!options->argument || length < 2 ||
            !colony_options_is_name(cursor->word + 2, length - 2, options->name))
            continue;
        cursor->fixed = length + 1;
        offer_kinds(cursor, options->argument);
        return;
    }
}

static void offer_children(const struct cursor *cursor, const struct colony_usage *usage)
{
    struct colony_usage child;

    for (size_t i = 0; usage->child(i, &child); i++)
        colony__complete_offer(cursor, child.command, "", child.summary);
}

/* The word after argv[1…argc-1], an operand of @usage or an option of it. */
static void offer_here(struct cursor *cursor, const struct colony_usage *usage,
                       const struct colony_place *place)
{
    bool is_option = cursor->word[0] == '-' && !place->is_operand;
    char word[WORD_MAX];

    if (place->pending)
        offer_kinds(cursor, place->pending->argument);
    else if (is_option && strchr(cursor->word, '='))
        offer_value(cursor, usage->options);
    else if (is_option)
        offer_options(cursor, usage->options);
    else if (usage->child)
        offer_children(cursor, usage);
    else if (find_operand(usage->arguments, place->operand_count, word))
        offer_kinds(cursor, word);
}

int colony_cmd_complete(int argc, char **argv)
{
    static struct session session;
    struct ctl ctl = {0};
    void *target = NULL; /* what the options are of; NULL: they mean nothing here */
    struct cursor cursor = {.word = argc > 1 ? argv[argc - 1] : ""};
    struct colony_usage usage = colony_usage;
    struct colony_place place;
    bool is_files = false;               /* its actions' options are no fields of struct ctl */
    int count = argc > 1 ? argc - 1 : 1; /* of words before it, and the command's name */

    for (;;) {
        struct colony_usage child;
        int index;

        colony_options_locate(&usage, is_files ? NULL : target, count, argv, &place);
        if (cursor.ctl && ctl.messages && ctl.config && usage.child) {
            usage.child = colony_files_ctl_usage.child;
            is_files = true;
        }
        if (!usage.child || place.operand_count == 0)
            break;
        index = colony_options_find_child(&usage, argv[1]);
        if (index < 0 || !usage.child((size_t)index, &child))
            return EXIT_OK;
        if (child.child == colony_ctl_usage.child)
            target = cursor.ctl = &ctl;
        if (child.child == colony_session_usage.child)
            target = cursor.session = &session;
        if (strcmp(child.arguments, "[COMMAND...]") == 0)
            child = usage; /* `help` is followed by what could stand without it */
        usage = child;
        argv++;
        count = place.operand_count;
    }
    offer_here(&cursor, &usage, &place);
    return EXIT_OK;
}
