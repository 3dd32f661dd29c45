/* SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum {
    CELL_MAX = 512, /* bytes of a cell as printed */
    GAP = 2,        /* blanks between columns */
};

struct cell {
    char *text; /* clean */
    size_t width;
    const char *colour;
};

struct colony_columns {
    const char *const *headers;
    size_t *widths; /* filled when printing; 0: left out */
    size_t count;
    struct cell *cells; /* row by row */
    size_t cell_count;
    size_t capacity;
};

bool colony_columns_use_utf8(void)
{
    bool is_utf8 = setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;

    if (!is_utf8)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
    return is_utf8;
}

bool colony_columns_wants_colour(void)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (no_colour && no_colour[0] != '\0')
        return false;
    return term && strcmp(term, "dumb") != 0 && isatty(STDOUT_FILENO);
}

size_t colony_columns_terminal(void)
{
    struct winsize size = {0};

    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        return 0;
    return size.ws_col;
}

/* The character at @text: its bytes and width; 0 bytes when it must not be printed. */
static size_t measure(const char *text, size_t *width)
{
    mbstate_t state = {0};
    wchar_t character = 0;
    size_t bytes = mbrtowc(&character, text, strlen(text), &state);
    int columns;

    if (bytes == (size_t)-1 || bytes == (size_t)-2 || bytes == 0)
        return 0;
    columns = wcwidth(character);
    if (columns < 0)
        return 0;
    *width = (size_t)columns;
    return bytes;
}

size_t colony_columns_clean(char *out, size_t size, const char *text, size_t width_max)
{
    size_t used = 0;
    size_t width = 0;
    size_t short_used = 0; /* where "..." would begin */
    size_t short_width = 0;

    while (*text != '\0') {
        size_t columns = 1;
        size_t bytes = measure(text, &columns);
        bool is_bad = bytes == 0;

        bytes = is_bad ? 1 : bytes;
        if (used + bytes >= size || (width_max > 0 && width + columns > width_max))
            break;
        memcpy(out + used, is_bad ? "?" : text, bytes);
        used += bytes;
        width += columns;
        text += bytes;
        if (used + 3 < size && (width_max == 0 || width + 3 <= width_max)) {
            short_used = used;
            short_width = width;
        }
    }
    out[used] = '\0';
    if (*text == '\0' || size < 4 || (width_max > 0 && width_max < 4))
        return width;
    memcpy(out + short_used, "...", sizeof "...");
    return short_width + 3;
}

int colony_columns_new(struct colony_columns **out, const char *const *headers, size_t count)
{
    struct colony_columns *columns = calloc(1, sizeof *columns);

    if (!columns)
        return -ENOMEM;
    columns->widths = calloc(count, sizeof *columns->widths);
    if (!columns->widths) {
        free(columns);
        return -ENOMEM;
    }
    columns->headers = headers;
    columns->count = count;
    *out = columns;
    return 0;
}

void colony_columns_free(struct colony_columns *columns)
{
    if (!columns)
        return;
    for (size_t i = 0; i < columns->cell_count; i++)
        free(columns->cells[i].text);
    free(columns->cells);
    free(columns->widths);
    free(columns);
}

static int reserve_row(struct colony_columns *columns)
{
    size_t capacity = columns->capacity ? columns->capacity * 2 : columns->count * 16;
    struct cell *cells;

    if (columns->cell_count + columns->count <= columns->capacity)
        return 0;
    cells = reallocarray(columns->cells, capacity, sizeof *cells);
    if (!cells)
        return -ENOMEM;
    columns->cells = cells;
    columns->capacity = capacity;
    return 0;
}

int colony_columns_add(struct colony_columns *columns, const struct colony_cell *cells)
{
    char text[CELL_MAX];

    if (reserve_row(columns) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < columns->count; i++) {
        struct cell *cell = &columns->cells[columns->cell_count];

        cell->width = colony_columns_clean(text, sizeof text, cells[i].text, 0);
        cell->colour = cells[i].colour;
        cell->text = strdup(text);
        if (!cell->text)
            return -ENOMEM;
        columns->cell_count++;
    }
    return 0;
}

/* 0 when the column is left out. */
static size_t column_width(const struct colony_columns *columns, size_t column)
{
    size_t widest = 0;
    size_t header = strlen(columns->headers[column]);

    for (size_t i = column; i < columns->cell_count; i += columns->count)
        if (columns->cells[i].width > widest)
            widest = columns->cells[i].width;
    if (widest == 0 && columns->cell_count > 0)
        return 0;
    return widest > header ? widest : header;
}

/* @row is the row's first cell, or NULL for the headers. */
static void print_row(const struct colony_columns *columns, const struct cell *row,
                      bool is_coloured)
{
    size_t blanks = 0; /* still owed, so that no line ends in blanks */

    for (size_t i = 0; i < columns->count; i++) {
        const char *text = row ? row[i].text : columns->headers[i];
        const char *colour = row && is_coloured ? row[i].colour : NULL;
        size_t width = row ? row[i].width : strlen(text);

        if (columns->widths[i] == 0)
            continue;
        if (width > 0) {
            printf("%*s", (int)blanks, "");
            blanks = 0;
        }
        if (colour)
            printf("\033[%sm%s\033[0m", colour, text);
        else
            printf("%s", text);
        blanks += columns->widths[i] - width + GAP;
    }
    printf("\n");
}

void colony_columns_print(struct colony_columns *columns)
{
    bool is_coloured = colony_columns_wants_colour();

    for (size_t i = 0; i < columns->count; i++)
        columns->widths[i] = column_width(columns, i);
    print_row(columns, NULL, false);
    for (size_t i = 0; i + columns->count <= columns->cell_count; i += columns->count)
        print_row(columns, &columns->cells[i], is_coloured);
}
