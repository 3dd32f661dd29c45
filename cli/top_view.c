/* SPDX-License-Identifier: Apache-2.0 */
/* top_view.c - draws `colony top`: a summary, the table, the output and the last line. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "columns.h"
#include "top_internal.h"

enum {
    PANE_FROM = 12,    /* lines of a screen that shows output, too */
    PANE_MIN = 4,      /* of them, with its title */
    NAME_MIN = 8,      /* columns */
    HISTORY_FROM = 76, /* columns of a screen that shows the history of cpu */
    NOTE_MIN = 8,
    NOTE_WANTED = 10, /* where there is one: it may be why something fails */
    LINE_SIZE = TOP_COLUMNS_MAX * 4 + 1,
};

/* Pairs of colours, as ncurses numbers them. */
enum {
    PAIR_GREEN = 1,
    PAIR_YELLOW,
    PAIR_RED,
    PAIR_CYAN,
};

#define A_PAIR(top, pair) ((top)->has_colour ? (int)NCURSES_BITS((chtype)(pair), 0) : 0)

struct area {
    int height;
    int width;
    int rows;  /* of the table, without its header */
    int pane;  /* first line of the output's; 0: it is not shown */
    int below; /* the last line */
};

static struct area measure(const struct top *top)
{
    struct area area = {.height = top->lib->getmaxy(top->window),
                        .width = top->lib->getmaxx(top->window)};

    if (area.width > TOP_COLUMNS_MAX)
        area.width = TOP_COLUMNS_MAX;
    area.below = area.height - 1;
    area.rows = area.height - 3;
    if (top->shows_output && area.height >= PANE_FROM) {
        int pane = area.height / 3 > PANE_MIN ? area.height / 3 : PANE_MIN;

        area.pane = area.below - pane;
        area.rows = area.pane - 2;
    }
    if (area.rows < 0)
        area.rows = 0;
    return area;
}

size_t colony__top_page(const struct top *top)
{
    struct area area = measure(top);

    return area.rows > 0 ? (size_t)area.rows : 1;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* A line at @y, cut to the screen and filled up, with what is not fit for a terminal replaced. */
static void put_line(const struct top *top, int y, int attributes, const char *text)
{
    char line[LINE_SIZE];
    int width = top->lib->getmaxx(top->window);
    size_t used;

    if (width > TOP_COLUMNS_MAX)
        width = TOP_COLUMNS_MAX;
    if (y < 0 || y >= top->lib->getmaxy(top->window) || width < 1)
        return;
    used = colony_columns_clean(line, sizeof line, text, (size_t)width);
    if (!colony_columns_shows_utf8())
        for (char *byte = line; *byte != '\0'; byte++)
            if ((unsigned char)*byte >= 0x80)
                *byte = '?';
    (void)top->lib->wmove(top->window, y, 0);
    (void)top->lib->wattrset(top->window, attributes);
    (void)top->lib->waddnstr(top->window, line, -1);
    if (attributes & (int)A_REVERSE)
        for (; used < (size_t)width; used++)
            (void)top->lib->waddnstr(top->window, " ", 1);
    (void)top->lib->wattrset(top->window, 0);
}

/* A line that is put together piece by piece; each piece is as wide as it is told to be. */
struct line {
    char text[LINE_SIZE];
    size_t used;
    size_t left; /* columns */
};

static void add(struct line *line, size_t width, bool is_right, const char *text)
{
    char clean[LINE_SIZE];
    size_t wanted = width < line->left ? width : line->left;
    size_t taken = wanted > 0 ? colony_columns_clean(clean, sizeof clean, text, wanted) : 0;
    int length;

    if (wanted == 0)
        return;
    length = snprintf(line->text + line->used, sizeof line->text - line->used, "%*s%s%*s",
                      is_right ? (int)(wanted - taken) : 0, "", clean,
                      is_right ? 0 : (int)(wanted - taken), "");
    if (length > 0 && line->used + (size_t)length < sizeof line->text)
        line->used += (size_t)length;
    line->left -= wanted;
    if (line->left > 0 && line->used + 1 < sizeof line->text) {
        line->text[line->used++] = ' ';
        line->text[line->used] = '\0';
        line->left--;
    }
}

/* --- the table -------------------------------------------------------------------------------- */

/* Widths of the columns on a screen of this width; 0: not shown. */
struct widths {
    size_t name;
    size_t history;
    size_t note;
};

enum {
    UP_WIDTH = 7,
    STATE_WIDTH = 9,
    CPU_WIDTH = 6,
    MEM_WIDTH = 6,
    RESTARTS_WIDTH = 8,
    UPTIME_WIDTH = 7,
    FIXED = UP_WIDTH + STATE_WIDTH + CPU_WIDTH + MEM_WIDTH + RESTARTS_WIDTH + UPTIME_WIDTH + 6,
};

/* What name and note share. */
static size_t width_left(size_t width, size_t history)
{
    return width > FIXED + history + 2 ? width - FIXED - history - 2 : NAME_MIN;
}

/* The history makes room for notes, then names do. */
static struct widths choose_widths(const struct top *top, size_t width)
{
    struct widths widths = {.name = NAME_MIN, .history = width >= HISTORY_FROM ? 10 : 0};
    size_t wanted = 0; /* for notes */
    size_t left;

    if (width >= 100)
        widths.history = TOP_HISTORY;
    for (size_t i = 0; i < top->model.shown; i++) {
        const struct top_row *row = &top->model.rows[top->model.order[i]];
        size_t length = strlen(row->name);

        if (length > widths.name)
            widths.name = length;
        if (row->note[0] != '\0')
            wanted = NOTE_WANTED;
    }
    if (wanted > 0 && width_left(width, widths.history) < widths.name + 1 + wanted)
        widths.history = 0;
    left = width_left(width, widths.history);
    if (wanted > 0 && wanted < left / 3)
        wanted = left / 3;
    if (widths.name + 1 + wanted > left)
        widths.name = left > NAME_MIN + 1 + wanted ? left - 1 - wanted : NAME_MIN;
    if (left > widths.name + 1 + NOTE_MIN)
        widths.note = left - widths.name - 1;
    return widths;
}

/* A figure of CPU as one character, the highest of those shown is full; 10 % of a CPU at least. */
static void write_history(char *text, const struct top_row *row, size_t count)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const marks[] = {"_", ".", ",", "-", "=", "+", "*", "#"};
    const char *const *signs = colony_columns_shows_utf8() ? blocks : marks;
    float figures[TOP_HISTORY];
    float highest = 10;

    colony__top_history(row, figures, count);
    for (size_t i = 0; i < count; i++)
        highest = figures[i] > highest ? figures[i] : highest;
    for (size_t i = 0; i < count; i++) {
        size_t level = figures[i] <= 0 ? 0 : (size_t)(figures[i] / highest * 7 + 0.5F);
        const char *sign = figures[i] < 0 ? " " : signs[level > 7 ? 7 : level];
        size_t size = strlen(sign);

        memcpy(text, sign, size);
        text += size;
    }
    *text = '\0';
}

static void draw_header(const struct top *top, const struct area *area, const struct widths *widths)
{
    static const struct {
        const char *text;
        size_t width;
        enum top_sort sort;
    } columns[] = {
        {"UP", UP_WIDTH, TOP_SORT_COUNT},
        {"STATE", STATE_WIDTH, TOP_SORT_STATE},
        {"CPU%", CPU_WIDTH, TOP_SORT_CPU},
        {"MEM", MEM_WIDTH, TOP_SORT_MEM},
        {"RESTARTS", RESTARTS_WIDTH, TOP_SORT_RESTARTS},
        {"UPTIME", UPTIME_WIDTH, TOP_SORT_UPTIME},
    };
    struct line line = {.left = (size_t)area->width};

    add(&line, widths->name, false, "NAME");
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        add(&line, columns[i].width, i != 1, columns[i].text);
    add(&line, widths->history, false, widths->history > 0 ? "CPU BEFORE" : "");
    add(&line, widths->note, false, widths->note > 0 ? "NOTE" : "");
    put_line(top, 1, (int)A_REVERSE, line.text);
}

static int pair_of(const struct top *top, const struct top_row *row)
{
    static const struct {
        const char *state;
        int pair;
    } pairs[] = {
        {"running", PAIR_GREEN},   {"ready", PAIR_GREEN},     {"waiting", PAIR_YELLOW},
        {"starting", PAIR_YELLOW}, {"stopping", PAIR_YELLOW}, {"backoff", PAIR_RED},
        {"failed", PAIR_RED},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (strcmp(pairs[i].state, row->state) == 0)
            return A_PAIR(top, pairs[i].pair);
    return 0;
}

static void draw_row(const struct top *top, const struct area *area, const struct widths *widths,
                     const struct top_row *row, int y)
{
    bool is_selected = strcmp(row->name, top->model.selected) == 0;
    struct line line = {.left = (size_t)area->width};
    char history[TOP_HISTORY * 3 + 1];
    char text[CTL_NUMBER_MAX];

    add(&line, widths->name, false, row->name);
    (void)snprintf(text, sizeof text, "%u/%u", row->running, row->slots);
    add(&line, UP_WIDTH, true, text);
    add(&line, STATE_WIDTH, false, row->state);
    (void)snprintf(text, sizeof text, "%.1f", row->cpu);
    add(&line, CPU_WIDTH, true, row->running > 0 ? text : "-");
    colony__ctl_write_size(text, row->running > 0 ? row->mem : -1);
    add(&line, MEM_WIDTH, true, text);
    (void)snprintf(text, sizeof text, "%.0f", row->restarts);
    add(&line, RESTARTS_WIDTH, true, text);
    colony__ctl_write_duration(text, row->uptime);
    add(&line, UPTIME_WIDTH, true, text);
    if (widths->history > 0) {
        write_history(history, row, widths->history);
        add(&line, widths->history, false, history);
    }
    if (widths->note > 0)
        add(&line, widths->note, false, row->note);
    put_line(top, y, pair_of(top, row) | (is_selected ? (int)(A_REVERSE | A_BOLD) : 0), line.text);
}

static void draw_table(struct top *top, const struct area *area)
{
    struct widths widths = choose_widths(top, (size_t)area->width);
    size_t rows = (size_t)area->rows;
    size_t index = colony__top_selected_index(&top->model);

    draw_header(top, area, &widths);
    if (rows > 0 && index >= top->first + rows)
        top->first = index - rows + 1;
    if (index < top->first)
        top->first = index;
    if (top->first + rows > top->model.shown)
        top->first = top->model.shown > rows ? top->model.shown - rows : 0;
    for (size_t i = 0; i < rows && top->first + i < top->model.shown; i++)
        draw_row(top, area, &widths, &top->model.rows[top->model.order[top->first + i]],
                 2 + (int)i);
    if (top->model.shown == 0 && rows > 0)
        put_line(top, 2, 0,
                 top->model.filter[0] != '\0' ? "no name has that in it: / asks for another"
                                              : "there is no template yet");
}

/* --- the rest --------------------------------------------------------------------------------- */

static void draw_summary(const struct top *top)
{
    char text[TOP_MESSAGE_MAX * 2];
    char mem[CTL_NUMBER_MAX];
    char clock[16] = "";
    time_t now = time(NULL);
    struct tm tm;

    if (localtime_r(&now, &tm))
        (void)strftime(clock, sizeof clock, "%H:%M:%S", &tm);
    colony__ctl_write_size(mem, top->model.mem);
    (void)snprintf(text, sizeof text,
                   "colony top  %s  %zu template%s  %u of %u up  cpu %.1f%%  mem %s  by %s%s%s%s",
                   clock, top->model.count, top->model.count == 1 ? "" : "s", top->model.running,
                   top->model.slots, top->model.cpu, mem, colony__top_sort_name(top->model.sort),
                   top->model.is_reversed ? ", reversed" : "",
                   top->model.filter[0] != '\0' ? "  /" : "", top->model.filter);
    put_line(top, 0, (int)A_BOLD, text);
}

static const struct top_row *selected_row(const struct top *top)
{
    return &top->model.rows[top->model.order[colony__top_selected_index(&top->model)]];
}

static void draw_output(const struct top *top, const struct area *area)
{
    const struct top_output *output = &top->output;
    size_t lines = (size_t)(area->below - area->pane - 1);
    size_t count = output->count;
    bool is_cut = output->is_followed && colony_followed_is_cut(&output->followed);
    const char *note = top->model.shown > 0 ? selected_row(top)->note : "";
    char title[COLONY_NAME_MAX + CTL_NOTE_MAX + 64];
    size_t shown;

    (void)snprintf(title, sizeof title, "output of %s%s%s%s",
                   output->name[0] != '\0' ? output->name : "-", note[0] != '\0' ? ": " : "", note,
                   is_cut ? " (connecting)" : "");
    put_line(top, area->pane, (int)A_REVERSE, title);
    if (output->problem[0] != '\0') {
        put_line(top, area->pane + 1, A_PAIR(top, PAIR_YELLOW), output->problem);
        return;
    }
    if (count > 0 && output->used == 0)
        count--; /* nothing of the last line has come yet */
    shown = count < lines ? count : lines;
    if (shown > TOP_LINES - 1)
        shown = TOP_LINES - 1;
    for (size_t i = 0; i < shown; i++)
        put_line(top, area->pane + 1 + (int)i, 0, output->lines[(count - shown + i) % TOP_LINES]);
}

static void draw_below(const struct top *top, const struct area *area)
{
    char text[TOP_MESSAGE_MAX * 2];

    if (top->asking != ASKING_NOTHING) {
        (void)snprintf(text, sizeof text, "%s%s%s", top->prompt, top->input,
                       top->asking == ASKING_YES ? "" : "_");
        put_line(top, area->below, (int)A_BOLD, text);
    } else if (top->is_cut) {
        put_line(top, area->below, A_PAIR(top, PAIR_RED) | (int)A_BOLD,
                 "colony does not answer: these are the last figures; trying again");
    } else if (top->message[0] != '\0') {
        put_line(top, area->below, A_PAIR(top, PAIR_CYAN), top->message);
    } else {
        put_line(top, area->below, 0,
                 "q quit  h help  s start  x stop  r restart  k signal  + - = scale  / filter");
    }
}

static const char *const help[] = {
    "up, down, PgUp, PgDn, Home, End   select a template",
    "s start   x stop   r restart   k signal   + - = scale",
    "              (each asks first)",
    "c m t u n e   sort by cpu, memory, restarts, uptime, name",
    "              or state (the same key again: reversed)",
    "/ show only names with this in them (empty: all)",
    "o show or hide the output of the selected one",
    "space look again now   ctrl-L draw again   h help   q quit",
    "",
    "UP: processes that run, of all.",
    "STATE: of the one that needs a look most.",
    "CPU%: of one CPU, of the processes themselves, since the",
    "      look before; in `ctl ps` since each was started.",
};

static void draw_help(const struct top *top, const struct area *area)
{
    for (int i = 0; i < (int)(sizeof help / sizeof help[0]) && 1 + i < area->below; i++)
        put_line(top, 1 + i, 0, help[i]);
}

void colony__top_draw(struct top *top)
{
    struct area area = measure(top);

    (void)colony__top_selected(&top->model);
    (void)top->lib->werase(top->window);
    draw_summary(top);
    if (top->shows_help) {
        draw_help(top, &area);
    } else {
        if (area.height > 2)
            draw_table(top, &area);
        if (area.pane > 0)
            draw_output(top, &area);
    }
    if (area.height > 1)
        draw_below(top, &area);
    (void)top->lib->wnoutrefresh(top->window);
    (void)top->lib->doupdate();
}
