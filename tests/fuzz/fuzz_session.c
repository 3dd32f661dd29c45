/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a session that a user edits: a process's own, etc/session.yaml, and what is changed
 * in them. The first byte says which. What is read and written is read again as the same.
 */
#include <errno.h>

#include "core/error.h"
#include "session/config.h"
#include "session/config_internal.h"
#include "session/dependences.h"
#include "session/etc_file_internal.h"
#include "session/process_internal.h"
#include "session/yaml_edit_internal.h"
#include "tree.h"

static void check_reason(int rc, const struct colony_error *err, const char *name)
{
    CHECK(strncmp(err->message, name, strlen(name)) == 0);
    check_error(rc, err);
}

static bool is_same_text(const char *left, const char *right)
{
    return left == right || (left && right && strcmp(left, right) == 0);
}

static void check_same(const struct colony_session_process *a,
                       const struct colony_session_process *b)
{
    CHECK(is_same_text(a->name, b->name) && is_same_text(a->uri, b->uri) &&
          is_same_text(a->cwd, b->cwd));
    CHECK(colony__strings_equal(a->cmdline, b->cmdline));
    CHECK(colony__strings_equal(a->env, b->env));
    CHECK(colony__strings_equal(a->keywords, b->keywords));
    CHECK(a->restart == b->restart && a->shutdown == b->shutdown);
}

/* Changed as a command would, it says what that wanted; changed into nothing new, it stays. */
static void fuzz_process(const char *text, size_t size)
{
    struct colony_session_process process = {0};
    struct colony_session_process again = {0};
    struct colony_error err = {0};
    char *edited;
    int rc = colony__etc_parse(&process, "x.yaml", text, size, &err);

    if (rc < 0) {
        check_reason(rc, &err, "x.yaml:");
        return;
    }
    edited = fuzz_text(text, strlen(text));
    if (strlen(text) == size && size > 0) {
        CHECK(colony__etc_edit(&edited, "x.yaml", &process, &err) == 0);
        CHECK(strcmp(edited, text) == 0);
        process.restart = !process.restart;
        free(process.cwd);
        process.cwd = strdup("/a b: #c");
        CHECK(process.cwd);
        CHECK(colony__etc_edit(&edited, "x.yaml", &process, &err) == 0);
        CHECK(colony__etc_parse(&again, "x.yaml", edited, strlen(edited), &err) == 0);
        check_same(&process, &again);
    }
    free(edited);
    colony_session_process_clear(&process);
    colony_session_process_clear(&again);
}

static void fuzz_config(const char *text, size_t size)
{
    struct colony_session_config config = {0};
    struct colony_error err = {0};
    int rc = colony__session_config_parse(&config, "x.yaml", text, size, &err);

    if (rc < 0) {
        check_reason(rc, &err, "x.yaml:");
        return;
    }
    CHECK(config.period_ms >= 100 && config.stop_count <= COLONY_SESSION_STOPS_MAX);
    for (size_t i = 0; i < config.dependence_count; i++) {
        const struct colony_dependence *dependence = &config.dependences[i];

        CHECK(dependence->child && dependence->parent);
        CHECK(colony__session_name_check(dependence->child, NULL) == 0);
        CHECK(colony__session_name_check(dependence->parent, NULL) == 0);
        CHECK(!dependence->state || colony__session_name_check(dependence->state, NULL) == 0);
    }
    for (size_t i = 0; i < config.scheme_count; i++)
        CHECK(config.schemes[i].name && config.schemes[i].argv && config.schemes[i].argv[0]);
    colony_session_config_clear(&config);
}

static void fuzz_edit(const char *text, size_t size, bool is_below, bool removes)
{
    const struct colony__yaml_edit edit = {
        .parent = is_below ? "dependences" : NULL,
        .key = "a.b",
        .value = removes ? NULL : " [\"x\", {parent: \"y\", on_loss: stop}]\n",
    };
    struct colony_value *root = NULL;
    struct colony_error err = {0};
    const struct colony_value *map;
    char *edited = fuzz_text(text, size);
    int rc = colony__yaml_edit(&edited, "x.yaml", &edit, &err);

    if (rc < 0) {
        check_reason(rc, &err, "x.yaml:");
        free(edited);
        return;
    }
    CHECK(colony_value_parse_yaml(&root, edited, strlen(edited), "x.yaml", NULL) == 0);
    map = is_below ? colony_value_get(root, "dependences") : root;
    CHECK(removes ? !colony_value_get(map, "a.b") : colony_value_get(map, "a.b") != NULL);
    colony_value_free(root);
    free(edited);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0)
        return 0;
    text = fuzz_text(data + 1, size - 1);
    switch (data[0] % 6) {
    case 0:
        fuzz_process(text, size - 1);
        break;
    case 1:
        fuzz_config(text, size - 1);
        break;
    default:
        fuzz_edit(text, size - 1, data[0] % 2 == 0, data[0] % 6 > 3);
    }
    free(text);
    return 0;
}
