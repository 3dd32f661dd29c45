/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.h - what the parts of the generator of reference pages share.
 *
 * A page is Markdown, where a list is a table, or the source of a man page (scdoc(5)), where it is
 * a list of terms with their text below. Everything is printed on stdout.
 */
#ifndef COLONY_DOCS_GENERATE_H
#define COLONY_DOCS_GENERATE_H

#include <stdbool.h>

enum form { FORM_MARKDOWN, FORM_SCDOC };

/* One thing of a list; texts have backticks around what is literal. */
struct row {
    const char *term;     /* literal */
    const char *argument; /* what the user puts in after it, or NULL */
    const char *type;     /* or NULL: it has none */
    const char *fallback; /* literal, with a type; "": there is none */
    bool is_required;
    const char *help;
    bool is_inner; /* in man pages: below the row before it */
};

/* The first line of a list of things called @what. */
void page_begin(enum form form, const char *what, bool has_type);
void page_row(enum form form, const struct row *row);

/* @text, escaped where this form of page would take it for something else. */
void page_text(enum form form, const char *text);

/* Lines to be typed as they are, each after @indent. */
void page_literal(enum form form, const char *lines, const char *indent);

/* `@settings PATH@`, as `processes` or `processes.restart`. False: there is no such table. */
bool write_settings(enum form form, const char *path);
/* `@tables@`: the path of each. */
bool write_tables(enum form form, const char *argument);
/* `@sections@`, those that this version has, and `@later@`, the others. */
bool write_sections(enum form form, const char *argument);
bool write_later(enum form form, const char *argument);
/* `@live@`: the settings of a process that change without a new process. */
bool write_live(enum form form, const char *argument);
/* `@fixed@`: the sections whose change takes a restart of colony. */
bool write_fixed(enum form form, const char *argument);

#endif
