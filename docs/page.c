/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - lists and texts, in the two forms that pages have. */
#include <stdio.h>
#include <string.h>

#include "generate.h"

/* What a page takes for markup. */
static const char *const special[] = {
    [FORM_MARKDOWN] = "|*<",
    [FORM_SCDOC] = "_*\\",
};

static void put(enum form form, char byte)
{
    if (strchr(special[form], byte))
        (void)putchar('\\');
    (void)putchar(byte);
}

void page_text(enum form form, const char *text)
{
    bool is_literal = false;

    for (; *text != '\0'; text++) {
        if (*text == '`') {
            is_literal = !is_literal;
            (void)putchar(form == FORM_SCDOC ? '*' : '`');
        } else if (is_literal && form == FORM_MARKDOWN && *text != '|') {
            (void)putchar(*text);
        } else {
            put(form, *text);
        }
    }
}

/* @mark around what stands for itself; in Markdown only a | means something there. */
static void put_marked(enum form form, char mark, const char *text)
{
    (void)putchar(mark);
    for (; *text != '\0'; text++)
        if (form == FORM_SCDOC || *text == '|')
            put(form, *text);
        else
            (void)putchar(*text);
    (void)putchar(mark);
}

void page_begin(enum form form, const char *what, bool has_type)
{
    if (form != FORM_MARKDOWN)
        return;
    if (has_type)
        printf("| %s | type | default | what it does |\n| --- | --- | --- | --- |\n", what);
    else
        printf("| %s | what it does |\n| --- | --- |\n", what);
}

static void write_markdown(const struct row *row)
{
    const char *argument = row->argument ? row->argument : "";
    char term[200];

    (void)snprintf(term, sizeof term, "%s%s%s", row->term, argument[0] ? " " : "", argument);
    printf("| ");
    put_marked(FORM_MARKDOWN, '`', term);
    printf(" | ");
    if (row->type) {
        page_text(FORM_MARKDOWN, row->type);
        printf(" | ");
        if (row->is_required)
            printf("*required*");
        else if (row->fallback[0] != '\0')
            put_marked(FORM_MARKDOWN, '`', row->fallback);
        printf(" | ");
    }
    page_text(FORM_MARKDOWN, row->help);
    printf(" |\n");
}

static void write_scdoc(const struct row *row)
{
    const char *indent = row->is_inner ? "\t" : "";

    printf("%s", indent);
    put_marked(FORM_SCDOC, '*', row->term);
    if (row->argument && row->argument[0] != '\0') {
        (void)putchar(' ');
        put_marked(FORM_SCDOC, '_', row->argument);
    }
    if (row->type) {
        printf(" (");
        page_text(FORM_SCDOC, row->type);
        if (row->is_required)
            printf("; required");
        else if (row->fallback[0] != '\0') {
            printf("; default ");
            put_marked(FORM_SCDOC, '*', row->fallback);
        }
        (void)putchar(')');
    }
    printf("\n%s\t", indent);
    page_text(FORM_SCDOC, row->help);
    printf("\n\n");
}

void page_row(enum form form, const struct row *row)
{
    if (form == FORM_MARKDOWN)
        write_markdown(row);
    else
        write_scdoc(row);
}

void page_literal(enum form form, const char *lines, const char *indent)
{
    const char *fence = form == FORM_MARKDOWN ? "```sh" : "```";

    printf("%s%s\n", indent, fence);
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");

        printf("%s%.*s\n", indent, (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
    printf("%s```\n\n", indent);
}
