/* SPDX-License-Identifier: Apache-2.0 */
/* json_print.c - JSON as ncolony's own tools write it; cJSON's has no blanks. */
#include <stdbool.h>
#include <stdio.h>

#include "core/value.h"
#include "fsctl/places_internal.h"

void colony__json_print_text(FILE *file, const char *text)
{
    static const char short_forms[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};

    (void)fputc('"', file);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte == '"' || byte == '\\')
            (void)fprintf(file, "\\%c", byte);
        else if (byte < sizeof short_forms && short_forms[byte] != '\0')
            (void)fprintf(file, "\\%c", short_forms[byte]);
        else if (byte < 0x20 || byte == 0x7f)
            (void)fprintf(file, "\\u%04x", byte);
        else
            (void)fputc(byte, file);
    }
    (void)fputc('"', file);
}

/* The depth of a tree is limited where it is read. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void print_children(FILE *file, const struct colony_value *value)
{
    bool is_map = value->type == VALUE_MAP;

    (void)fputc(is_map ? '{' : '[', file);
    for (const struct colony_value *child = value->child; child; child = child->next) {
        if (is_map) {
            colony__json_print_text(file, child->key);
            (void)fputs(": ", file);
        }
        colony__json_print(file, child);
        if (child->next)
            (void)fputs(", ", file);
    }
    (void)fputc(is_map ? '}' : ']', file);
}

/* NOLINTNEXTLINE(misc-no-recursion) */
void colony__json_print(FILE *file, const struct colony_value *value)
{
    switch (value->type) {
    case VALUE_NULL:
        (void)fputs("null", file);
        break;
    case VALUE_BOOL:
        (void)fputs(value->boolean ? "true" : "false", file);
        break;
    case VALUE_NUMBER: /* as it was written */
        (void)fputs(value->text, file);
        break;
    case VALUE_STRING:
        colony__json_print_text(file, value->text);
        break;
    case VALUE_LIST:
    case VALUE_MAP:
        print_children(file, value);
        break;
    }
}
