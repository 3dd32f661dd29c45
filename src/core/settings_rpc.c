/* SPDX-License-Identifier: Apache-2.0 */
/* The section `rpc:`: control over ZeroMQ. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/features.h"
#include "core/settings_internal.h"
#include "core/value.h"

#define AT(field) offsetof(struct colony_rpc_settings, field)
#define OF(field) offsetof(struct colony_pst_settings, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define TEXT &colony__setting_text

static const char *const class_names[] = {[PST_FILE_STORAGE] = "PstFileStorage",
                                          [PST_FILE] = "file",
                                          [PST_SQLITE] = "sqlite",
                                          [PST_S3] = "s3",
                                          [PST_NONE] = "none",
                                          NULL};

enum {
    FOR_COLONY_ONLY = 2, /* the first rows: a program that is a daemon itself has no use for them */
};

/* clang-format off */
static const struct colony__setting pst_settings[] = {
    {"class_name",  &colony__setting_choice,  0, "file", OF(class_name),   class_names,
     "file: a file of JSON (PstFileStorage, too), sqlite, s3, or none"},
    {"file_path",   TEXT,                     0, NULL,   OF(file_path),    NULL,
     "file, sqlite: the path; in the state folder by default"},
    {"frequency",   &colony__setting_seconds, 0, "60",   OF(frequency_ms), RANGE(100, INT64_MAX),
     "how long a change may wait to be saved; the end of colony saves in any case"},
    {"url",         TEXT,                     0, NULL,   OF(url),          NULL,
     "s3: https://HOST/BUCKET/KEY of the object"},
    {"region",      TEXT,                     0, "us-east-1", OF(region),  NULL,
     "s3: the region that requests are signed for"},
    {"credentials", TEXT,                     0, NULL,   OF(credentials),  NULL,
     "s3: a file with `KEY SECRET`, which nobody else may read"},
    {0},
};

const struct colony__setting colony__rpc_settings[] = {
    {"name",              TEXT,                   0, NULL,      AT(name),              NULL,
     "what clients find it by; the name of this colony by default"},
    {"program",           TEXT,                   0, NULL,      AT(program),           NULL,
     "the process whose methods and attributes are served, instead of those of colony"},
    {"bind",              TEXT,                   0, NULL,      AT(bind),              NULL,
     "HOST:PORT or HOST, which takes the first free port of 51000 to 51100; 127.0.0.1 by default"},
    {"keys",              TEXT,                   0, NULL,      AT(keys),              NULL,
     "file with its own keys (colony rpc keygen): clients need keys, too"},
    {"allow",             TEXT,                   0, NULL,      AT(allow),             NULL,
     "file with the public keys of those who may connect, each `NAME read|control KEY`"},
    {"insecure",          &colony__setting_flag,  0, "false",   AT(insecure),          NULL,
     "let anybody control this colony from other machines, without keys"},
    {"max_message_bytes", &colony__setting_bytes, 0, "1048576", AT(message_bytes_max), RANGE(1024, 16 << 20),
     "the largest message that is taken"},
    {"pst",               &colony__setting_table, 0, "{}",      AT(pst),               pst_settings,
     "where attributes that start with `pst` are kept"},
    {0},
};
/* clang-format on */

static const char *check(const struct colony_rpc_settings *rpc)
{
    if (!rpc->keys != !rpc->allow)
        return rpc->keys ? "cannot use `keys`: `allow` is missing, which says who may connect"
                         : "cannot use `allow`: `keys` is missing, the keys of colony itself";
    if (rpc->pst.class_name != PST_S3)
        return NULL;
    if (!colony_has_feature("curl"))
        return "cannot keep attributes in s3: " COLONY_LEFT_OUT("HTTP requests", "curl");
    if (!rpc->pst.url || !colony_is_http_url(rpc->pst.url))
        return "cannot keep attributes in s3: `url` must be https://HOST/BUCKET/KEY";
    return rpc->pst.credentials ? NULL : "cannot keep attributes in s3: `credentials` is missing";
}

/* NULL: it can be served. Its process reads and writes a stream of a label of its own. */
static const char *check_program(const struct colony_settings *settings)
{
    const char *name = settings->rpc.program;
    const struct colony_template *template = NULL;

    for (size_t i = 0; name && i < settings->template_count; i++)
        if (strcmp(settings->templates[i]->name, name) == 0)
            template = settings->templates[i];
    if (!name)
        return NULL;
    if (!template)
        return "cannot serve `program`: there is no such process";
    for (size_t i = 0; template->custom_streams && template->custom_streams[i]; i++)
        if (strcmp(template->custom_streams[i], COLONY_RPC_STREAM) == 0)
            return NULL;
    return "cannot serve `program`: that process has no `custom_streams: [" COLONY_RPC_STREAM "]`";
}

int colony__rpc_read(struct colony_settings *settings, const struct colony_value *value,
                     const struct colony__reading *reading)
{
    struct colony_error reason;
    const char *wrong;
    int rc;

    if (value->type == VALUE_BOOL) {
        settings->rpc.is_wanted = value->boolean;
        return 0;
    }
    rc = colony__settings_read(reading, colony__rpc_settings, value, &settings->rpc);
    if (rc < 0)
        return rc;
    if (settings->rpc.name && colony_name_check(settings->rpc.name, &reason) < 0)
        return colony__setting_fail(reading, colony_value_get(value, "name"), -EINVAL, "%s",
                                    reason.message);
    wrong = check(&settings->rpc);
    if (!wrong)
        wrong = check_program(settings);
    if (wrong)
        return colony__setting_fail(reading, value, -EINVAL, "%s", wrong);
    settings->rpc.is_wanted = true;
    return 0;
}

static int refuse_rows_of_colony(const struct colony_value *map,
                                 const struct colony__reading *reading)
{
    for (size_t i = 0; i < FOR_COLONY_ONLY; i++) {
        const struct colony_value *given = colony_value_get(map, colony__rpc_settings[i].name);

        if (given)
            return colony__setting_fail(reading, given, -EINVAL,
                                        "cannot use `%s`: it is not for a program", given->key);
    }
    return 0;
}

int colony_settings_of_rpc(struct colony_settings **out, const struct colony_value *map,
                           const char *path, struct colony_error *err)
{
    const struct colony__reading reading = {.file = path, .strict = true, .err = err};
    struct colony_settings *settings = NULL;
    const char *wrong = NULL;
    int rc = map->type == VALUE_MAP
                 ? refuse_rows_of_colony(map, &reading)
                 : colony__setting_fail(&reading, map, -EINVAL,
                                        "cannot use these settings: they are no map");

    if (rc == 0)
        rc = colony_settings_new(&settings, err);
    if (rc == 0)
        rc = colony__settings_read(&reading, colony__rpc_settings + FOR_COLONY_ONLY, map,
                                   &settings->rpc);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot read the settings: out of memory");
    if (rc == 0)
        wrong = check(&settings->rpc);
    if (wrong)
        rc = colony__setting_fail(&reading, map, -EINVAL, "%s", wrong);
    if (rc < 0) {
        colony_settings_free(settings);
        return rc;
    }
    *out = settings;
    return 0;
}

cJSON *colony__rpc_write(const struct colony_settings *settings)
{
    if (!settings->rpc.is_wanted)
        return cJSON_CreateNull();
    return colony__settings_write(colony__rpc_settings, &settings->rpc);
}

void colony__rpc_clear(struct colony_rpc_settings *rpc)
{
    free(rpc->bind);
    free(rpc->name);
    free(rpc->program);
    free(rpc->keys);
    free(rpc->allow);
    free(rpc->pst.file_path);
    free(rpc->pst.url);
    free(rpc->pst.region);
    free(rpc->pst.credentials);
}
