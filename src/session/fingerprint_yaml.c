/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint_yaml.c - a fingerprint as YAML: a list of texts for each field. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "core/error.h"
#include "core/template.h"
#include "core/value.h"
#include "session/fingerprint_internal.h"

enum {
    YAML_BYTES_MAX = 16 << 20, /* what is read again */
    FIRST_CAPACITY = 1024,
};

/* --- reading ---------------------------------------------------------------------------------- */

/* One file while it is read. */
struct reading {
    const char *name; /* stands in messages */
    struct colony_error *err;
};

static int fail_at(const struct reading *reading, const struct colony_value *value,
                   const char *what, const char *why)
{
    return colony_fail(reading->err, -EINVAL, "%s:%u:%u: cannot use %s: %s", reading->name,
                       value->line, value->column, what, why);
}

/* Digits behind the last colon, and something before it. */
static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');

    return colon && colon != text && colon[1] != '\0' &&
           strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

static bool is_fit(enum colony_fingerprint_field field, const char *text)
{
    switch (field) {
    case FIELD_FILES:
        return text[0] == '/';
    case FIELD_LISTEN:
    case FIELD_UDP:
    case FIELD_ESTABLISHED:
        return is_address(text);
    case FIELD_CMDLINE:
    case FIELD_COUNT:
        break;
    }
    return true;
}

static int read_item(const struct reading *reading, enum colony_fingerprint_field field,
                     const struct colony_value *value, struct colony__items *items)
{
    /* 22 and yes are texts here, too, as they were written */
    bool is_text = value->type == VALUE_STRING ||
                   (value->text && (value->type == VALUE_NUMBER || value->type == VALUE_BOOL));
    int rc;

    if (!is_text)
        return fail_at(reading, value, "this", "it must be a text; write '' around it");
    if (!is_fit(field, value->text))
        return fail_at(reading, value, colony_fingerprint_field_name(field),
                       field == FIELD_FILES ? "a file is told by its whole path"
                                            : "a socket is told as ip:port");
    rc = colony__items_add(items, value->text, strlen(value->text));
    if (rc == -E2BIG)
        return fail_at(reading, value, colony_fingerprint_field_name(field), "it is too long");
    return rc;
}

static int read_field(const struct reading *reading, const struct colony_value *list,
                      enum colony_fingerprint_field field, struct colony_fingerprint *out)
{
    struct colony__items items = {0};
    int rc = 0;

    if (list->type != VALUE_LIST && list->type != VALUE_NULL)
        return fail_at(reading, list, list->key, "it must be a list");
    for (const struct colony_value *item = list->child; rc == 0 && item; item = item->next)
        rc = read_item(reading, field, item, &items);
    if (rc == 0)
        colony__items_settle(&items, field, out);
    colony__items_clear(&items);
    return rc;
}

static int find_field(const char *key)
{
    for (unsigned field = 0; field < FIELD_COUNT; field++)
        if (strcmp(key, colony_fingerprint_field_name(field)) == 0)
            return (int)field;
    return -1;
}

static int fail_key(const struct reading *reading, const struct colony_value *member)
{
    const char *names[FIELD_COUNT + 1] = {NULL};
    const char *near;

    for (unsigned field = 0; field < FIELD_COUNT; field++)
        names[field] = colony_fingerprint_field_name(field);
    near = colony_name_nearest(member->key, names);
    return colony_fail(reading->err, -EINVAL,
                       "%s:%u:%u: cannot use `%s`: a fingerprint has files, listen, udp, "
                       "established and cmdline%s%s%s",
                       reading->name, member->line, member->column, member->key,
                       near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
}

static int read_map(const struct reading *reading, const struct colony_value *map,
                    struct colony_fingerprint *out)
{
    int rc = 0;

    if (map->type != VALUE_MAP)
        return fail_at(reading, map, "this", "it must be a map of lists: files, listen, …");
    for (const struct colony_value *member = map->child; rc == 0 && member; member = member->next) {
        int field = find_field(member->key);

        rc = field < 0 ? fail_key(reading, member)
                       : read_field(reading, member, (enum colony_fingerprint_field)field, out);
    }
    return rc;
}

int colony__fingerprint_parse(struct colony_fingerprint *out, const char *text, size_t size,
                              const char *name, struct colony_error *err)
{
    struct reading reading = {.name = name, .err = err};
    struct colony_fingerprint fingerprint = {0};
    struct colony_value *tree = NULL;
    int rc = colony_value_parse_yaml(&tree, text, size, name, err);

    if (rc < 0)
        return rc;
    rc = read_map(&reading, tree, &fingerprint);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot read %s: out of memory", name);
    colony_value_free(tree);
    if (rc < 0)
        colony_fingerprint_clear(&fingerprint);
    else
        *out = fingerprint;
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct output {
    char *text;
    size_t size;
    size_t capacity;
    int rc;
};

static int on_written(void *data, unsigned char *bytes, size_t size)
{
    struct output *output = data;
    size_t needed = output->size + size + 1;
    char *grown = output->text;

    if (needed > YAML_BYTES_MAX)
        output->rc = -E2BIG;
    if (output->rc == 0 && needed > output->capacity) {
        output->capacity = needed * 2;
        grown = realloc(output->text, output->capacity);
        if (!grown)
            output->rc = -ENOMEM;
    }
    if (output->rc < 0)
        return 0;
    output->text = grown;
    memcpy(output->text + output->size, bytes, size);
    output->size += size;
    output->text[output->size] = '\0';
    return 1;
}

/* libyaml takes over the event, whether it fails or not. */
static bool emit_text(yaml_emitter_t *emitter, const char *text, bool is_plain)
{
    yaml_event_t event;

    return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
                                        (int)strlen(text), is_plain, 1, YAML_ANY_SCALAR_STYLE) &&
           yaml_emitter_emit(emitter, &event);
}

static bool emit_field(yaml_emitter_t *emitter, const struct colony_fingerprint *fingerprint,
                       enum colony_fingerprint_field field)
{
    size_t count = fingerprint->fields[field].count;
    yaml_event_t event;

    if (!emit_text(emitter, colony_fingerprint_field_name(field), true) ||
        !yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                              count > 0 ? YAML_BLOCK_SEQUENCE_STYLE
                                                        : YAML_FLOW_SEQUENCE_STYLE) ||
        !yaml_emitter_emit(emitter, &event))
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *text = fingerprint->fields[field].items[i];

        /* what is no path might be read as a number, or as nothing at all */
        if (!emit_text(emitter, text, text[0] == '/'))
            return false;
    }
    return yaml_sequence_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static bool emit_all(yaml_emitter_t *emitter, const struct colony_fingerprint *fingerprint)
{
    yaml_event_t event;

    if (!yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) ||
        !yaml_emitter_emit(emitter, &event) ||
        !yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) ||
        !yaml_emitter_emit(emitter, &event) ||
        !yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE) ||
        !yaml_emitter_emit(emitter, &event))
        return false;
    for (unsigned field = 0; field < FIELD_COUNT; field++)
        if (!emit_field(emitter, fingerprint, (enum colony_fingerprint_field)field))
            return false;
    return yaml_mapping_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event) &&
           yaml_document_end_event_initialize(&event, 1) && yaml_emitter_emit(emitter, &event) &&
           yaml_stream_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

int colony_fingerprint_format(const struct colony_fingerprint *fingerprint, char **text,
                              size_t *size)
{
    struct output output = {.text = malloc(FIRST_CAPACITY), .capacity = FIRST_CAPACITY};
    yaml_emitter_t emitter;

    if (!output.text || !yaml_emitter_initialize(&emitter)) {
        free(output.text);
        return -ENOMEM;
    }
    yaml_emitter_set_output(&emitter, on_written, &output);
    yaml_emitter_set_width(&emitter, -1);
    yaml_emitter_set_unicode(&emitter, 1);
    if (!emit_all(&emitter, fingerprint) && output.rc == 0)
        output.rc = -ENOMEM; /* nothing else can go wrong with texts of UTF-8 */
    yaml_emitter_delete(&emitter);
    if (output.rc < 0) {
        free(output.text);
        return output.rc;
    }
    *text = output.text;
    *size = output.size;
    return 0;
}
