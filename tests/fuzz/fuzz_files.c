/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a configuration directory, and messages: JSON that others write. */
#include "core/file_config.h"

#include "core/settings.h"
#include "fsctl/message_internal.h"
#include "tree.h"

static const struct colony_files_settings settings = {
    .threshold_ms = 1000, .kill_ms = 5000, .min_delay_ms = 1000, .max_delay_ms = 3600000};

/* The program gets the file byte for byte, and the store makes the same template again. */
static void check_template(const struct colony_template *template, const char *text, size_t size)
{
    static const char key[] = "NCOLONY_CONFIG=";
    struct colony_template *again = NULL;
    struct colony_error err = {0};
    bool is_found = false;

    for (char **entry = template->env; *entry; entry++) {
        if (strncmp(*entry, key, strlen(key)) != 0)
            continue;
        CHECK(!is_found && strlen(*entry) == strlen(key) + size);
        CHECK(memcmp(*entry + strlen(key), text, size) == 0);
        is_found = true;
    }
    CHECK(is_found && !template->os_env && !template->mark);
    CHECK(template->argv && template->argv[0]);
    if (colony_template_restore(&again, template->source, &err) < 0)
        fuzz_fail(__FILE__, __LINE__, err.message);
    CHECK(again->hash == template->hash && again->process_hash == template->process_hash);
    colony_template_free(again);
}

static void check_config(const char *text, size_t size)
{
    const struct colony_file_text from = {
        .name = "8080", .path = "/conf/8080", .text = text, .size = size};
    struct colony_file_config config = {0};
    struct colony_error err = {0};
    int rc = colony_file_config_read(&config, &from, &settings, &err);

    if (rc < 0) {
        check_error(rc, &err);
        CHECK(!config.template && !config.groups);
        return;
    }
    check_template(config.template, text, size);
    colony_file_config_clear(&config);
}

static void check_message(const char *text, size_t size)
{
    struct colony__message message;
    struct colony_error err = {0};
    int rc = colony__message_parse(&message, text, size, "/messages/1", &err);

    if (rc < 0)
        check_error(rc, &err);
    else if (message.type != MESSAGE_RESTART_ALL)
        CHECK(colony_name_check_file(message.target, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_config((const char *)data, size);
    check_message((const char *)data, size);
    return 0;
}
