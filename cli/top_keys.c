/* SPDX-License-Identifier: Apache-2.0 */
/* top_keys.c - what the keys of `colony top` do. What changes something asks first. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/signals.h"
#include "top_internal.h"

enum {
    KEY_ESCAPE = 27,
    KEY_CTRL_L = 'L' - 64,
    KEY_CTRL_N = 'N' - 64,
    KEY_CTRL_P = 'P' - 64,
    KEY_CTRL_U = 'U' - 64,
    KEY_CTRL_C = 'C' - 64,
    KEY_RUBOUT = 127,
};

/* clang-format off */
/* To a template: what is asked, and what is asked of colony then. */
static const struct wish {
    int key;
    enum top_asking asking;
    const char *question; /* with the name */
    const char *doing;
    const char *done;
    const char *before;   /* of the route, after the name */
    const char *argument; /* or what is typed */
} wishes[] = {
    {'s', ASKING_YES,  "start %s? y/n",        "start",            "starting",       "/_start",   ""},
    {'x', ASKING_YES,  "stop %s? y/n",         "stop",             "stopping",       "/_stop",    ""},
    {'r', ASKING_YES,  "restart %s? y/n",      "restart",          "restarting",     "/_restart", ""},
    {'+', ASKING_YES,  "one more of %s? y/n",  "scale",            "one more",       "/_add/",    "1"},
    {'-', ASKING_YES,  "one less of %s? y/n",  "scale",            "one less",       "/_sub/",    "1"},
    {'=', ASKING_TEXT, "how many of %s? ",     "scale",            "scaled to ",     "/_scale/",  NULL},
    {'k', ASKING_TEXT, "which signal to %s? ", "send a signal to", "sent ",          "/_signal/", NULL},
};

static const struct {
    int key;
    enum top_sort sort;
} sorts[] = {
    {'n', TOP_SORT_NAME},     {'c', TOP_SORT_CPU},    {'m', TOP_SORT_MEM},
    {'t', TOP_SORT_RESTARTS}, {'u', TOP_SORT_UPTIME}, {'e', TOP_SORT_STATE},
};
/* clang-format on */

static void ask(struct top *top, enum top_asking asking)
{
    top->asking = asking;
    top->input[0] = '\0';
}

static bool begin_wish(struct top *top, int key)
{
    const struct top_row *row = colony__top_selected(&top->model);

    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        const struct wish *wish = &wishes[i];
        const char *place = strstr(wish->question, "%s");

        if (wish->key != key)
            continue;
        if (!row) {
            colony__top_say(top, "there is no template to %s", wish->doing);
            return true;
        }
        top->deed =
            (struct top_deed){.doing = wish->doing, .done = wish->done, .before = wish->before};
        (void)snprintf(top->deed.name, sizeof top->deed.name, "%s", row->name);
        (void)snprintf(top->deed.argument, sizeof top->deed.argument, "%s",
                       wish->argument ? wish->argument : "");
        (void)snprintf(top->prompt, sizeof top->prompt, "%.*s%s%s", (int)(place - wish->question),
                       wish->question, row->name, place + 2);
        ask(top, wish->asking);
        return true;
    }
    return false;
}

static bool choose_sort(struct top *top, int key)
{
    for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++) {
        if (sorts[i].key != key)
            continue;
        top->model.is_reversed = top->model.sort == sorts[i].sort && !top->model.is_reversed;
        top->model.sort = sorts[i].sort;
        colony__top_arrange(&top->model);
        return true;
    }
    return false;
}

static bool move_selection(struct top *top, int key)
{
    long page = (long)colony__top_page(top);
    const struct {
        int key;
        int other;
        long by;
    } moves[] = {
        {KEY_UP, KEY_CTRL_P, -1}, {KEY_DOWN, KEY_CTRL_N, 1}, {KEY_PPAGE, 'b', -page},
        {KEY_NPAGE, 'f', page},   {KEY_HOME, '<', -1000000}, {KEY_END, '>', 1000000},
    };

    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
        if (moves[i].key == key || moves[i].other == key) {
            colony__top_move(&top->model, moves[i].by);
            return true;
        }
    return false;
}

/* What was typed is a number or a signal, as the wish has it; told when it is not. Asks for a yes.
 */
static void take_argument(struct top *top)
{
    struct top_deed *deed = &top->deed;
    char *end = NULL;
    int signo;

    if (top->input[0] == '\0')
        return;
    if (strcmp(deed->before, "/_scale/") == 0) {
        unsigned long count = strtoul(top->input, &end, 10);

        if (!isdigit((unsigned char)top->input[0]) || *end != '\0' || count > 10000) {
            colony__top_say(top, "cannot scale to %s: a number up to 10000", top->input);
            return;
        }
        (void)snprintf(deed->argument, sizeof deed->argument, "%lu", count);
        (void)snprintf(deed->told, sizeof deed->told, "%lu", count);
        (void)snprintf(top->prompt, sizeof top->prompt, "scale %.150s to %s? y/n", deed->name,
                       deed->told);
        ask(top, ASKING_YES);
        return;
    }
    signo = colony_signal_parse(top->input);
    if (signo < 0) {
        colony__top_say(top, "cannot send %s: no such signal", top->input);
        return;
    }
    (void)snprintf(deed->argument, sizeof deed->argument, "%d", signo);
    (void)snprintf(deed->told, sizeof deed->told, "%s", colony_signal_name(signo));
    (void)snprintf(top->prompt, sizeof top->prompt, "send %.150s %s? y/n", deed->name, deed->told);
    ask(top, ASKING_YES);
}

/* A character of a text; false: it is no part of one. */
static bool edit(struct top *top, int key)
{
    size_t used = strlen(top->input);

    if (key == KEY_BACKSPACE || key == KEY_RUBOUT || key == '\b') {
        if (used > 0)
            top->input[used - 1] = '\0';
    } else if (key == KEY_CTRL_U) {
        top->input[0] = '\0';
    } else if (key >= ' ' && key < 0x100 && used + 1 < sizeof top->input) {
        top->input[used] = (char)key;
        top->input[used + 1] = '\0';
    } else {
        return false;
    }
    return true;
}

static void use_filter(struct top *top)
{
    (void)snprintf(top->model.filter, sizeof top->model.filter, "%s", top->input);
    colony__top_arrange(&top->model);
}

/* An answer to what is asked in the last line. */
static void answer(struct top *top, int key)
{
    enum top_asking asking = top->asking;

    if (key == KEY_ESCAPE || key == KEY_CTRL_C) {
        if (asking == ASKING_FILTER) {
            top->input[0] = '\0';
            use_filter(top);
        }
        ask(top, ASKING_NOTHING);
        return;
    }
    if (asking == ASKING_YES) {
        ask(top, ASKING_NOTHING);
        if (key == 'y' || key == 'Y')
            colony__top_act(top);
        return;
    }
    if (key == '\n' || key == '\r' || key == KEY_ENTER) {
        top->asking = ASKING_NOTHING;
        if (asking == ASKING_TEXT)
            take_argument(top);
        return;
    }
    if (edit(top, key) && asking == ASKING_FILTER)
        use_filter(top);
}

void colony__top_key(struct top *top, int key)
{
    if (key == KEY_RESIZE)
        return; /* drawing looks at the size */
    if (top->asking != ASKING_NOTHING) {
        answer(top, key);
        return;
    }
    top->message[0] = '\0';
    if (top->shows_help) {
        top->shows_help = false;
        if (key != 'q' && key != KEY_CTRL_C)
            return;
    }
    if (key == 'q' || key == KEY_CTRL_C)
        top->is_over = true;
    else if (key == 'h' || key == '?' || key == KEY_F(1))
        top->shows_help = true;
    else if (key == 'o')
        top->shows_output = !top->shows_output;
    else if (key == ' ')
        colony__top_ask_slots(top);
    else if (key == KEY_CTRL_L)
        (void)top->lib->clearok(top->window, true);
    else if (key == '/') {
        (void)snprintf(top->prompt, sizeof top->prompt, "names with: ");
        ask(top, ASKING_FILTER);
    } else if (!move_selection(top, key) && !choose_sort(top, key) && !begin_wish(top, key))
        colony__top_say(top, "h tells what the keys do");
}
