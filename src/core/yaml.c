/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "core/error.h"
#include "core/utf8.h"
#include "core/value_internal.h"

struct yaml_reader {
    yaml_parser_t parser;
    const char *name; /* stands in messages */
    const char *text;
    size_t size;
    size_t nodes;
    unsigned depth;
    struct colony_error *err;
};

static int read_node(struct yaml_reader *reader, const yaml_event_t *event,
                     struct colony_value **out);

static int fail_at(const struct yaml_reader *reader, const yaml_mark_t *mark, const char *reason)
{
    return colony_fail(reader->err, -EINVAL, "%s:%zu:%zu: cannot %s", reader->name, mark->line + 1,
                       mark->column + 1, reason);
}

/* The scanner knows line and column; what is below it only knows the byte. */
static int fail_parse(const struct yaml_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    struct colony_utf8_place place = {.line = (unsigned)parser->problem_mark.line + 1,
                                      .column = (unsigned)parser->problem_mark.column + 1};
    const char *problem = parser->problem ? parser->problem : "it is not YAML";

    if (parser->error == YAML_MEMORY_ERROR)
        return colony_fail(reader->err, -ENOMEM, "cannot read %s: out of memory", reader->name);
    if (parser->error == YAML_READER_ERROR && parser->problem_offset <= reader->size)
        colony_utf8_locate(reader->text, parser->problem_offset, &place);
    return colony_fail(reader->err, -EINVAL, "%s:%u:%u: cannot read this YAML: %s", reader->name,
                       place.line, place.column, problem);
}

static int next_event(struct yaml_reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return 0;
    return fail_parse(reader);
}

static bool is_tag(const yaml_char_t *tag, const char *name)
{
    return tag && strncmp((const char *)tag, YAML_STR_TAG, strlen(YAML_STR_TAG) - 3) == 0 &&
           strcmp((const char *)tag + strlen(YAML_STR_TAG) - 3, name) == 0;
}

static bool is_known_scalar_tag(const yaml_char_t *tag)
{
    return !tag || strcmp((const char *)tag, "!") == 0 || is_tag(tag, "str") ||
           is_tag(tag, "int") || is_tag(tag, "float") || is_tag(tag, "bool") || is_tag(tag, "null");
}

static int take_text(const struct yaml_reader *reader, const yaml_event_t *event, char **out)
{
    const char *text = (const char *)event->data.scalar.value;

    if (strlen(text) != event->data.scalar.length)
        return fail_at(reader, &event->start_mark, "use this text: it has a NUL byte");
    *out = strdup(text);
    return *out ? 0 : -ENOMEM;
}

static int read_scalar(const struct yaml_reader *reader, const yaml_event_t *event,
                       struct colony_value *node)
{
    const yaml_char_t *tag = event->data.scalar.tag;
    int rc;

    if (!is_known_scalar_tag(tag))
        return fail_at(reader, &event->start_mark, "use this tag: leave it out");
    rc = take_text(reader, event, &node->text);
    if (rc < 0)
        return rc;
    node->type = VALUE_STRING;
    if (event->data.scalar.plain_implicit ||
        (tag && strcmp((const char *)tag, "!") != 0 && !is_tag(tag, "str")))
        colony__yaml_resolve(node);
    return 0;
}

static int read_list(struct yaml_reader *reader, struct colony_value *list)
{
    struct colony_value **tail = &list->child;
    yaml_event_t event;

    for (;;) {
        int rc = next_event(reader, &event);

        if (rc < 0)
            return rc;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return 0;
        }
        rc = read_node(reader, &event, tail);
        yaml_event_delete(&event);
        if (rc < 0)
            return rc;
        tail = &(*tail)->next;
    }
}

/* @key is the event of the key; its value comes next. */
static int read_member(struct yaml_reader *reader, const yaml_event_t *key,
                       struct colony_value **out)
{
    struct colony_value *member = NULL;
    yaml_event_t event;
    int rc;

    if (key->type != YAML_SCALAR_EVENT)
        return fail_at(reader, &key->start_mark, "use this as a key: a key must be plain text");
    rc = next_event(reader, &event);
    if (rc < 0)
        return rc;
    rc = read_node(reader, &event, &member);
    yaml_event_delete(&event);
    if (!member)
        return rc;
    member->line = (unsigned)key->start_mark.line + 1;
    member->column = (unsigned)key->start_mark.column + 1;
    *out = member; /* now the map's */
    return take_text(reader, key, &member->key);
}

static int read_map(struct yaml_reader *reader, struct colony_value *map)
{
    struct colony_value **tail = &map->child;
    yaml_event_t event;

    for (;;) {
        int rc = next_event(reader, &event);

        if (rc < 0)
            return rc;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return colony__value_check_keys(map, reader->name, reader->err);
        }
        rc = read_member(reader, &event, tail);
        yaml_event_delete(&event);
        if (rc < 0)
            return rc;
        tail = &(*tail)->next;
    }
}

static int read_children(struct yaml_reader *reader, const yaml_event_t *event,
                         struct colony_value *node)
{
    const yaml_char_t *tag = event->type == YAML_SEQUENCE_START_EVENT
                                 ? event->data.sequence_start.tag
                                 : event->data.mapping_start.tag;
    int rc;

    if (tag && !is_tag(tag, "seq") && !is_tag(tag, "map"))
        return fail_at(reader, &event->start_mark, "use this tag: leave it out");
    if (reader->depth == COLONY_VALUE_DEPTH_MAX)
        return fail_at(reader, &event->start_mark,
                       "read this: lists and maps are more than 32 deep");
    reader->depth++;
    node->type = event->type == YAML_SEQUENCE_START_EVENT ? VALUE_LIST : VALUE_MAP;
    rc = node->type == VALUE_LIST ? read_list(reader, node) : read_map(reader, node);
    reader->depth--;
    return rc;
}

static int fill_node(struct yaml_reader *reader, const yaml_event_t *event,
                     struct colony_value *node)
{
    if (event->type == YAML_SCALAR_EVENT)
        return read_scalar(reader, event, node);
    if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
        return read_children(reader, event, node);
    /* Without aliases a file of a few lines can't become a tree of gigabytes. */
    return fail_at(reader, &event->start_mark, "use an alias (`*name`): write the value out");
}

static int read_node(struct yaml_reader *reader, const yaml_event_t *event,
                     struct colony_value **out)
{
    struct colony_value *node;
    int rc;

    if (++reader->nodes > COLONY_VALUE_NODES_MAX)
        return fail_at(reader, &event->start_mark, "read on: there are more than 2000000 values");
    node = colony__value_new(VALUE_NULL);
    if (!node)
        return -ENOMEM;
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    rc = fill_node(reader, event, node);
    if (rc < 0)
        colony_value_free(node);
    else
        *out = node;
    return rc;
}

/* The next event that is not only the frame of stream and document. */
static int next_content(struct yaml_reader *reader, yaml_event_t *event)
{
    for (;;) {
        int rc = next_event(reader, event);

        if (rc < 0)
            return rc;
        if (event->type != YAML_STREAM_START_EVENT && event->type != YAML_DOCUMENT_START_EVENT &&
            event->type != YAML_DOCUMENT_END_EVENT)
            return 0;
        yaml_event_delete(event);
    }
}

static int read_root(struct yaml_reader *reader, struct colony_value **root)
{
    yaml_event_t event;
    int rc = next_content(reader, &event);

    if (rc < 0)
        return rc;
    if (event.type != YAML_STREAM_END_EVENT) {
        rc = read_node(reader, &event, root);
        yaml_event_delete(&event);
        if (rc < 0)
            return rc;
        rc = next_content(reader, &event);
        if (rc < 0)
            return rc;
        if (event.type != YAML_STREAM_END_EVENT)
            rc = fail_at(reader, &event.start_mark,
                         "read a second document: put it into a file of its own");
    }
    yaml_event_delete(&event);
    return rc;
}

/* A document of nothing is a map of nothing. */
static int settle_root(struct colony_value **root)
{
    if (!*root)
        *root = colony__value_new(VALUE_MAP);
    else if ((*root)->type == VALUE_NULL)
        (*root)->type = VALUE_MAP;
    return *root ? 0 : -ENOMEM;
}

int colony_value_parse_yaml(struct colony_value **out, const char *text, size_t size,
                            const char *name, struct colony_error *err)
{
    struct yaml_reader reader = {.name = name, .err = err};
    struct colony_value *root = NULL;
    int rc = colony__file_check(&text, &size, "YAML", name, err);

    if (rc < 0)
        return rc;
    reader.text = text;
    reader.size = size;
    if (!yaml_parser_initialize(&reader.parser))
        return colony_fail(err, -ENOMEM, "cannot read %s: out of memory", name);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)reader.text, reader.size);
    rc = read_root(&reader, &root);
    yaml_parser_delete(&reader.parser);
    if (rc == 0)
        rc = settle_root(&root);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot read %s: out of memory", name);
    if (rc < 0)
        colony_value_free(root);
    else
        *out = root;
    return rc;
}

int colony_value_load_yaml(struct colony_value **out, const char *path, struct colony_error *err)
{
    char *text = NULL;
    size_t size;
    int rc = colony__file_read(&text, &size, path, NULL, err);

    if (rc < 0)
        return rc;
    rc = colony_value_parse_yaml(out, text, size, path, err);
    free(text);
    return rc;
}
