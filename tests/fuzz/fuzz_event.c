/* SPDX-License-Identifier: Apache-2.0 */
/* Events from outside: whatever is accepted is one line of JSON that says the same, and so is its
 * envelope. */
#include <errno.h>

#include "api/inbox_internal.h"
#include "api/json_internal.h"
#include "core/log.h"

#include "tree.h"

static struct colony_settings *settings;
static uv_loop_t loop;

static void make_settings(void)
{
    static const char json[] =
        "{\"events\": {\"max_event_bytes\": 4096, \"handlers\": [{\"log\": true, \"when\": {\"a\": "
        "[1, {\"b\": null}], \"type\": \"deploy\"}}, {\"log\": true, \"envelope\": true}]}}";
    struct colony_error err = {0};

    colony_log_init("fuzz", SEVERITY_ERROR, LOG_STYLE_TEXT);
    CHECK(uv_loop_init(&loop) == 0);
    if (colony_settings_parse_json(&settings, json, sizeof json - 1, &err) < 0)
        fuzz_fail(__FILE__, __LINE__, err.message);
}

static uint64_t hash_of(const char *text, size_t size)
{
    struct colony_value *tree = NULL;
    uint64_t hash;

    CHECK(colony_value_parse_json(&tree, text, size, NULL) == 0);
    hash = colony_value_hash(tree);
    colony_value_free(tree);
    return hash;
}

/* The event is its last member as it is, and is taken out to read the rest: it may be as deep as
 * JSON may be here. */
static void check_envelope(struct colony__buffer *envelope, const struct colony__incoming *event)
{
    struct colony_value *tree = NULL;
    char *at = envelope->data + envelope->size - event->size - 1;

    CHECK(envelope->size > event->size + 1);
    CHECK(memcmp(at, event->json, event->size) == 0 && at[event->size] == '}');
    memcpy(at, "0}", 2);
    CHECK(colony_value_parse_json(&tree, envelope->data, (size_t)(at + 2 - envelope->data), NULL) ==
          0);
    CHECK(colony_value_get(tree, "id")->number > 0);
    CHECK(colony_value_get(tree, "event")->number == 0);
    colony_value_free(tree);
}

static void check_text(struct colony_inbox *inbox, const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct colony_value *tree = NULL;
    struct colony__buffer envelope = {0};
    struct colony__incoming *event;

    CHECK(colony_value_parse_json(&tree, text, size, NULL) == 0);
    event = colony__inbox_add(inbox, text, size, tree);
    CHECK(event && event->size <= size && strlen(event->json) == event->size);
    CHECK(!strpbrk(event->json, "\n\r\t"));
    CHECK(event->json[0] != '\xef'); /* a mark of the byte order is no part of JSON */
    CHECK(hash_of(event->json, event->size) == colony_value_hash(tree));
    event->id = 1;
    (void)snprintf(event->peer, sizeof event->peer, "[::1]:1 \"x\"");
    CHECK(colony__stage_text(&inbox->stages[1], event, &envelope) == 0);
    check_envelope(&envelope, event);
    colony__buffer_clear(&envelope);
    colony__inbox_remove(inbox, event);
    colony_value_free(tree);
    free(text);
}

static void count(int rc, void *data)
{
    CHECK(rc == 0);
    ++*(int *)data;
}

static void on_closed(void *data)
{
    ++*(int *)data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct colony_inbox *inbox = NULL;
    struct colony_error err = {0};
    uint64_t id = 0;
    int answers = 0;
    int closed = 0;
    int rc;

    if (!settings)
        make_settings();
    CHECK(colony_inbox_new(
              &inbox,
              &(const struct colony_inbox_options){.loop = &loop, .settings = settings->events},
              &err) == 0);
    inbox->is_open = true;
    rc = colony_inbox_offer(inbox,
                            &(const struct colony_inbox_offer){.json = (const char *)data,
                                                               .size = size,
                                                               .peer = "[::1]:1",
                                                               .done = count,
                                                               .data = &answers},
                            &id, &err);
    CHECK(colony_inbox_length(inbox) == 0 && inbox->bytes == 0);
    if (rc < 0) {
        check_error(rc, &err);
        CHECK(answers == 0 && colony_inbox_counts(inbox).rejected == 1);
    } else {
        CHECK(answers == 1 && id > 0 && colony_inbox_counts(inbox).handled == 1);
        check_text(inbox, data, size);
    }
    colony_inbox_close(inbox, on_closed, &closed);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(closed == 1);
    return 0;
}
