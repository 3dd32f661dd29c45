/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_settings.c - what a daemon is told: its sections, and what is the program's own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/json_print.h"
#include "core/settings.h"
#include "core/value.h"
#include "lib/daemon_internal.h"

/* The tree shows numbers as they were written; a program wants numbers. NULL: out of memory. */
static cJSON *make_config(const struct colony_settings *settings)
{
    cJSON *shown = settings->source ? colony_value_to_json(settings->source) : NULL;
    char *text = shown ? colony_json_print(shown) : NULL;
    cJSON *config = text ? cJSON_Parse(text) : NULL;

    free(text);
    cJSON_Delete(shown);
    return settings->source ? config : cJSON_CreateObject();
}

int colony__daemon_take_settings(struct colony_daemon *daemon, struct colony_settings *settings,
                                 struct colony_error *err)
{
    cJSON *config = make_config(settings);
    cJSON *master = colony_master_to_json(&settings->master);
    char *name = strdup(daemon->name);

    if (!config || !master || !name) {
        cJSON_Delete(config);
        cJSON_Delete(master);
        free(name);
        colony_settings_free(settings);
        return colony_fail(err, -ENOMEM, "cannot use the settings: out of memory");
    }
    free(settings->name);
    settings->name = name;
    daemon->settings = settings;
    daemon->config = config;
    daemon->master_config = master;
    return 0;
}

static int take_tree(struct colony_daemon *daemon, struct colony_value *tree, const char *path,
                     struct colony_error *err)
{
    struct colony_settings *settings = NULL;
    int rc = colony_settings_of_program(&settings, tree, path, err);

    return rc < 0 ? rc : colony__daemon_take_settings(daemon, settings, err);
}

static int check_first(const struct colony_daemon *daemon, struct colony_error *err)
{
    if (daemon->settings)
        return colony_fail(err, -EBUSY, "cannot load settings: the daemon has some already");
    return 0;
}

int colony_daemon_load(struct colony_daemon *daemon, const char *path, struct colony_error *err)
{
    struct colony_value *tree = NULL;
    int rc = check_first(daemon, err);

    if (rc == 0)
        rc = colony_value_load_yaml(&tree, path, err);
    return rc < 0 ? rc : take_tree(daemon, tree, path, err);
}

int colony_daemon_load_text(struct colony_daemon *daemon, const char *text, size_t size,
                            struct colony_error *err)
{
    static const char name[] = "settings";
    struct colony_value *tree = NULL;
    int rc = check_first(daemon, err);

    if (rc == 0)
        rc = colony_value_parse_yaml(&tree, text, size, name, err);
    return rc < 0 ? rc : take_tree(daemon, tree, name, err);
}

const cJSON *colony_daemon_config(const struct colony_daemon *daemon)
{
    return daemon->config;
}

const cJSON *colony_daemon_master_config(const struct colony_daemon *daemon)
{
    return daemon->master_config;
}
