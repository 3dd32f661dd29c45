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
    OUTPUT_SIZE = 64 * 1024,
};

struct cell {
    size_t at; /* in the text, with a NUL after it */
    size_t size;
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
    char *text; /* of all cells, clean */
    size_t text_size;
    size_t text_capacity;
};

bool colony_columns_shows_utf8(void)
{
    static bool is_known;
    static bool is_utf8;

    if (is_known)
        return is_utf8;
    is_known = true;
    is_utf8 = setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!is_utf8)
        (void)setlocale(LC_CTYPE, "C.UTF-8"); /* widths are counted so all the same */
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
    size_t bytes;
    int columns;

    if (*text >= ' ' && *text < 0x7f) { /* nearly all there is */
        *width = 1;
        return 1;
    }
    (void)colony_columns_shows_utf8();
    bytes = mbrtowc(&character, text, strlen(text), &state);
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
    free(columns->text);
    free(columns->cells);
    free(columns->widths);
    free(columns);
}

static int reserve_cells(struct colony_columns *columns)
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

static int reserve_text(struct colony_columns *columns)
{
    size_t needed = columns->text_size + columns->count * CELL_MAX;
    char *text;

    if (needed <= columns->text_capacity)
        return 0;
    text = realloc(columns->text, needed * 2);
    if (!text)
        return -ENOMEM;
    columns->text = text;
    columns->text_capacity = needed * 2;
    return 0;
}

int colony_columns_add(struct colony_columns *columns, const struct colony_cell *cells)
{
    if (reserve_cells(columns) < 0 || reserve_text(columns) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < columns->count; i++) {
        struct cell *cell = &columns->cells[columns->cell_count++];
        char *text = columns->text + columns->text_size;

        cell->at = columns->text_size;
        cell->width = colony_columns_clean(text, CELL_MAX, cells[i].text, 0);
        cell->size = strlen(text);
        cell->colour = cells[i].colour;
        columns->text_size += cell->size + 1;
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

static void print_blanks(size_t count)
{
    static const char blanks[] = "                                ";

    for (; count >= sizeof blanks; count -= sizeof blanks - 1)
        (void)fwrite(blanks, 1, sizeof blanks - 1, stdout);
    (void)fwrite(blanks, 1, count, stdout);
}

/* @row is the row's first cell, or NULL for the headers. */
static void print_row(const struct colony_columns *columns, const struct cell *row,
                      bool is_coloured)
{
    size_t blanks = 0; /* still owed, so that no line ends in blanks */

    for (size_t i = 0; i < columns->count; i++) {
        const char *text = row ? columns->text + row[i].at : columns->headers[i];
        const char *colour = row && is_coloured ? row[i].colour : NULL;
        size_t size = row ? row[i].size : strlen(text);
        size_t width = row ? row[i].width : size;

        if (columns->widths[i] == 0)
            continue;
        if (width > 0) {
            print_blanks(blanks);
            blanks = 0;
        }
        if (colour)
            printf("\033[%sm%s\033[0m", colour, text);
        else
            (void)fwrite(text, 1, size, stdout);
        blanks += columns->widths[i] - width + GAP;
    }
    (void)putchar('\n');
}

/* Else a terminal gets it by lines. */
static void buffer_output(void)
{
    static char output[OUTPUT_SIZE];
    static bool is_buffered;

    if (!is_buffered)
        (void)setvbuf(stdout, output, _IOFBF, sizeof output);
    is_buffered = true;
}

void colony_columns_print(struct colony_columns *columns)
{
    bool is_coloured = colony_columns_wants_colour();

    buffer_output();
    for (size_t i = 0; i < columns->count; i++)
        columns->widths[i] = column_width(columns, i);
    print_row(columns, NULL, false);
    for (size_t i = 0; i + columns->count <= columns->cell_count; i += columns->count)
        print_row(columns, &columns->cells[i], is_coloured);
}
