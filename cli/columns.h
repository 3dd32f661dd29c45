/* SPDX-License-Identifier: Apache-2.0 */
/*
 * columns.h - prints rows in aligned columns, and text from elsewhere so that a terminal cannot be
 * fooled by it.
 *
 * Widths are those of UTF-8. What that takes of the locale, 350 KB, is loaded with the first
 * character that is not ASCII.
 */
#ifndef COLONY_CLI_COLUMNS_H
#define COLONY_CLI_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

struct colony_columns;

struct colony_cell {
    const char *text;
    const char *colour; /* SGR number such as "32", or NULL */
};

/* True when the user's terminal shows UTF-8. */
bool colony_columns_shows_utf8(void);

/* True on a terminal, unless NO_COLOR is set or TERM is dumb. */
bool colony_columns_wants_colour(void);

/* Columns of the terminal that stdout is, or 0: lines are never cut. */
size_t colony_columns_terminal(void);

/* Keeps @headers, of @count columns. 0 or -ENOMEM. */
int colony_columns_new(struct colony_columns **out, const char *const *headers, size_t count);
void colony_columns_free(struct colony_columns *columns);

/* Adds a row of as many cells as there are headers; copies the texts. 0 or -ENOMEM. */
int colony_columns_add(struct colony_columns *columns, const struct colony_cell *cells);

/*
 * Prints all on stdout, to which nothing was printed before the first table. A column whose cells
 * are all empty is left out with its header.
 */
void colony_columns_print(struct colony_columns *columns);

/*
 * Copies what fits of @text with '?' for control characters and for bytes that are not UTF-8, never
 * half a character. @width_max is in columns of a terminal (0: no limit); what is longer ends in
 * "...". Returns the width.
 */
size_t colony_columns_clean(char *out, size_t size, const char *text, size_t width_max);

#endif
