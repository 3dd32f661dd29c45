/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - what the tables of settings say. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/settings_internal.h"
#include "core/template_internal.h"
#include "generate.h"

enum {
    TEXT_MAX = 256,
};

/* What the `detail` of a row is. */
enum detail {
    DETAIL_OTHER,
    DETAIL_RANGE,
    DETAIL_SIZES, /* a range of bytes */
    DETAIL_LEAST, /* a range of milliseconds, whose least counts; NULL: any */
    DETAIL_CHOICES,
};

/* clang-format off */
static const struct kind {
    const struct colony__setting_type *type;
    const char *name;
    enum detail detail;
} kinds[] = {
    {&colony__setting_text,    "text",                   DETAIL_OTHER},
    {&colony__setting_texts,   "text or list of texts",  DETAIL_OTHER},
    {&colony__setting_count,   "whole number",           DETAIL_RANGE},
    {&colony__nice,            "whole number",           DETAIL_RANGE},
    {&colony__oom_score_adj,   "whole number",           DETAIL_RANGE},
    {&colony__ready_fd,        "whole number",           DETAIL_RANGE},
    {&colony__setting_bytes,   "size",                   DETAIL_SIZES},
    {&colony__setting_seconds, "duration",               DETAIL_LEAST},
    {&colony__setting_choice,  "",                       DETAIL_CHOICES},
};
/* clang-format on */

static const struct kind *find_kind(const struct colony__setting *row)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].type == row->type)
            return &kinds[i];
    return NULL;
}

/* "`drop` or `block`" */
static void write_choices(char text[TEXT_MAX], const char *const *choices)
{
    size_t used = 0;

    for (size_t i = 0; choices[i] && used < TEXT_MAX; i++)
        used += (size_t)snprintf(text + used, TEXT_MAX - used, "%s`%s`",
                                 i == 0           ? ""
                                 : choices[i + 1] ? ", "
                                                  : " or ",
                                 choices[i]);
}

static void write_range(char text[TEXT_MAX], const struct kind *kind,
                        const struct colony__setting_range *range)
{
    char least[32];
    char most[32];

    switch (kind->detail) {
    case DETAIL_RANGE:
        (void)snprintf(text, TEXT_MAX, "%s, %" PRId64 " to %" PRId64, kind->name, range->min,
                       range->max);
        break;
    case DETAIL_SIZES:
        colony__setting_write_size(least, sizeof least, (uint64_t)range->min);
        colony__setting_write_size(most, sizeof most, (uint64_t)range->max);
        (void)snprintf(text, TEXT_MAX, "%s, %s to %s", kind->name, least, most);
        break;
    case DETAIL_LEAST:
        (void)snprintf(text, TEXT_MAX, "%s, %" PRId64 "ms or more", kind->name, range->min);
        break;
    case DETAIL_OTHER:
    case DETAIL_CHOICES:
        (void)snprintf(text, TEXT_MAX, "%s", kind->name);
        break;
    }
}

static void write_type(char text[TEXT_MAX], const struct colony__setting *row)
{
    const struct kind *kind = find_kind(row);
    const char *name = row->type->name;

    if (kind && kind->detail == DETAIL_CHOICES)
        write_choices(text, row->detail);
    else if (kind && row->detail)
        write_range(text, kind, row->detail);
    else if (kind)
        (void)snprintf(text, TEXT_MAX, "%s", kind->name);
    else
        (void)snprintf(text, TEXT_MAX, "%s", strncmp(name, "a ", 2) == 0 ? name + 2 : name);
}

/* As a user would write it. */
static void write_fallback(char text[TEXT_MAX], const struct colony__setting *row)
{
    const char *fallback = row->fallback ? row->fallback : "";
    bool is_zero = strcmp(fallback, "0") == 0;

    if (row->type->is_table) /* its settings have defaults of their own */
        fallback = "";
    if (row->type == &colony__setting_bytes && fallback[0] != '\0')
        colony__setting_write_size(text, TEXT_MAX, strtoull(fallback, NULL, 10));
    else
        (void)snprintf(
            text, TEXT_MAX, "%s%s", fallback,
            row->type == &colony__setting_seconds && fallback[0] != '\0' && !is_zero ? "s" : "");
}

static void write_setting(enum form form, const struct colony__setting *row)
{
    char type[TEXT_MAX];
    char fallback[TEXT_MAX];

    write_type(type, row);
    write_fallback(fallback, row);
    page_row(form, &(struct row){.term = row->name,
                                 .type = type,
                                 .fallback = fallback,
                                 .is_required = (row->flags & COLONY__REQUIRED) != 0,
                                 .help = row->help});
}

/* The table that a row has below it, or NULL. */
static const struct colony__setting *table_of(const struct colony__setting *row)
{
    bool has_table = row->type->is_table || row->type == &colony__depends_on ||
                     row->type == &colony__http_endpoints || row->type == &colony__handlers;

    return has_table ? row->detail : NULL;
}

bool write_settings(enum form form, const char *path)
{
    char name[TEXT_MAX];
    const char *dot = strchr(path, '.');
    const struct colony__section *section;
    const struct colony__setting *table;

    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "."), path);
    section = colony__section_find(name);
    table = section ? section->settings : NULL;
    if (table && dot) {
        const struct colony__setting *row = colony__setting_find(table, dot + 1);

        table = row ? table_of(row) : NULL;
    }
    if (!table)
        return false;
    page_begin(form, "setting", true);
    for (; table->name; table++)
        write_setting(form, table);
    return true;
}

bool write_tables(enum form form, const char *argument)
{
    (void)form;
    for (const struct colony__section *section = colony__sections; section->name; section++) {
        if (section->settings)
            printf("%s\n", section->name);
        for (const struct colony__setting *row = section->settings; row && row->name; row++)
            if (table_of(row))
                printf("%s.%s\n", section->name, row->name);
    }
    return argument[0] == '\0';
}

bool write_sections(enum form form, const char *argument)
{
    page_begin(form, "section", false);
    for (const struct colony__section *section = colony__sections; section->name; section++)
        if (section->read)
            page_row(form, &(struct row){.term = section->name, .help = section->help});
    return argument[0] == '\0';
}

bool write_later(enum form form, const char *argument)
{
    page_begin(form, "section", false);
    for (const struct colony__section *section = colony__sections; section->name; section++)
        if (!section->read)
            page_row(form, &(struct row){.term = section->name, .help = section->help});
    return argument[0] == '\0';
}

static void write_listed(enum form form, const char *name, bool *is_first)
{
    char term[TEXT_MAX];

    (void)snprintf(term, sizeof term, "%s`%s`", *is_first ? "" : ", ", name);
    page_text(form, term);
    *is_first = false;
}

bool write_live(enum form form, const char *argument)
{
    bool is_first = true;

    for (const struct colony__setting *row = colony__template_settings; row->name; row++)
        if (row->flags & COLONY__LIVE)
            write_listed(form, row->name, &is_first);
    printf("\n");
    return argument[0] == '\0';
}

bool write_fixed(enum form form, const char *argument)
{
    bool is_first = true;

    for (const struct colony__section *section = colony__sections; section->name; section++)
        if (section->is_fixed)
            write_listed(form, section->name, &is_first);
    printf("\n");
    return argument[0] == '\0';
}
