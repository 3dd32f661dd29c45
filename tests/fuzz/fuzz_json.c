/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: templates as they come over HTTP, and what colony wrote down of its settings. */
#include "core/template.h"

#include "tree.h"

/* A template that was kept by the store is the same when it is made again. */
static void check_restored(const struct colony_template *template)
{
    struct colony_template *again = NULL;
    struct colony_error err = {0};

    if (colony_template_restore(&again, template->source, &err) < 0)
        fuzz_fail(__FILE__, __LINE__, err.message);
    CHECK(again->hash == template->hash && again->process_hash == template->process_hash);
    CHECK(strcmp(again->name, template->name) == 0);
    colony_template_free(again);
}

/* What GET answers can be PUT: it changes nothing. */
static void check_answered(const struct colony_template *template)
{
    struct colony_template *again = NULL;
    struct colony_value *source = NULL;
    struct colony_error err = {0};
    cJSON *json = colony_template_to_json(template);
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;

    CHECK(text);
    CHECK(colony_value_parse_json(&source, text, strlen(text), &err) == 0);
    if (colony_template_new(&again, NULL, source, NULL, false, &err) < 0)
        fuzz_fail(__FILE__, __LINE__, err.message);
    CHECK(again->hash == template->hash);
    colony_template_free(again);
    colony_value_free(source);
    cJSON_Delete(json);
    free(text);
}

static void check_template(const struct colony_value *tree, bool strict)
{
    struct colony_template *template = NULL;
    struct colony_error err = {0};
    int rc = colony_template_new(&template, NULL, tree, NULL, strict, &err);

    if (rc < 0) {
        check_error(rc, &err);
        return;
    }
    CHECK(colony_name_check(template->name, NULL) == 0 && template->argv && template->argv[0]);
    check_restored(template);
    check_answered(template);
    colony_template_free(template);
}

static void check_saved(const char *text, size_t size)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};
    int rc = colony_settings_parse_json(&settings, text, size, &err);

    if (rc < 0)
        check_error(rc, &err);
    else
        check_settings_again(settings);
    colony_settings_free(settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct colony_value *tree = NULL;
    struct colony_error err = {0};
    int rc = colony_value_parse_json(&tree, (const char *)data, size, &err);

    if (rc < 0) {
        check_error(rc, &err);
        return 0;
    }
    check_again(tree);
    check_template(tree, true);
    check_template(tree, false);
    check_saved((const char *)data, size);
    colony_value_free(tree);
    return 0;
}
