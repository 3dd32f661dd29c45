/* SPDX-License-Identifier: Apache-2.0 */
/* Every setting of the table against values of every type: it is taken or refused, with a reason.
 */
#include "../test.h"

#include <ctype.h>
#include <stdio.h>

#include "core/template_internal.h"
#include "templates.h"

/*
 * What a value is. A row's `takes` are the letters of the kinds that are right for it, a
 * capital where it depends on the machine.
 */
static const struct kind {
    char letter;
    const char *yaml;
} kinds[] = {
    {'w', "5"},             /* whole */
    {'n', "-1"},            /* negative */
    {'f', "1.5"},           /* fraction */
    {'h', "1e300"},         /* huge */
    {'x', ".nan"},          /* no number */
    {'i', "-.inf"},         /* endless */
    {'s', "some text"},     /* text */
    {'e', "''"},            /* empty text */
    {'b', "true"},          /* boolean */
    {'c', "false"},         /* the other one */
    {'l', "[]"},            /* empty list */
    {'t', "[a]"},           /* list of texts */
    {'k', "[[[a]]]"},       /* list of lists */
    {'m', "{}"},            /* empty map */
    {'o', "{zz: {zz: z}}"}, /* map of what is not known */
    {'z', "~"},             /* null */
};

static const struct row {
    const char *path; /* of the row, through its tables */
    const char *takes;
} rows[] = {
    {"name", ""},   /* any other name than that of the map is refused */
    {"cmd", "sbc"}, /* `cmd: true` runs true */
    {"args", "seltz"},
    {"env", "mz"},
    {"env_file", "lz"}, /* the file is not there */
    {"env_inherit", "wnfhxisltz"},
    {"os_env", "bcz"},
    {"mark", "bcz"},
    {"uid", "Wz"}, /* which machine has a user 5? */
    {"gid", "wz"},
    {"groups", "lz"},
    {"cwd", "sz"},
    {"umask", "wz"},
    {"nice", "wnz"},
    {"oom_score_adj", "wnz"},
    {"rlimits", "mz"},
    {"limits", "mz"},
    {"limits/memory", "z"},
    {"limits/cpu", "wfz"},
    {"limits/pids", "wz"},
    {"limits/optional", "bcz"},
    {"shell", "bcz"},
    {"numprocesses", "wz"},
    {"port", "wz"},
    {"graceful_timeout", "wfz"},
    {"stop_signal", "wz"},
    {"stop_group", "bcz"},
    {"detach", "bcz"},
    {"log", "mz"},
    {"log/size", "z"},
    {"log/count", "wz"},
    {"log/on_full", "z"},
    {"log/forward", "bcz"},
    {"log/direct", "bcz"},
    {"log/none", "bcz"},
    {"log/out", "z"},
    {"log/err", "z"},
    {"redirect_output", "wnfhxiltz"},
    {"redirect_input", "bcz"},
    {"custom_streams", "wnfhxiltz"},
    {"start", "bcz"},
    {"priority", "wz"},
    {"restart", "mz"},
    {"restart/when", "z"},
    {"restart/exit_codes", "z"}, /* with when: always only the default */
    {"restart/first_delay", "wfz"},
    {"restart/delay", "wfz"},
    {"restart/factor", "wfz"},
    {"restart/max_delay", "wfz"},
    {"restart/jitter", "wz"},
    {"restart/reset", "wfz"},
    {"restart/attempts", "z"}, /* not without a window */
    {"restart/window", "z"},
    {"restart/retry_in", "z"},
    {"restart/max_retry", "z"},
    {"flapping", "wcmz"},
    {"flapping/attempts", "wz"},
    {"flapping/window", "wfz"},
    {"flapping/retry_in", "wfz"},
    {"flapping/max_retry", "wz"},
    {"schedule", "wfz"},
    {"schedule/every", "wf"},
    {"schedule/cron", ""},
    {"schedule/timezone", ""}, /* alone they are not enough */
    {"schedule/timeout", ""},
    {"schedule/overlap", ""},
    {"schedule/jitter", ""},
    {"depends_on", "sltmz"},
    {"depends_on/condition", "z"},
    {"depends_on/needed", "bcz"},
    {"depends_on/when_down", "z"},
    {"ready", "z"},
    {"ready/notify", "b"},
    {"ready/fd", "w"},
    {"ready/line", "s"},
    {"ready/tcp", ""},
    {"ready/http", ""},
    {"ready/exec", "s"},
    {"ready/delay", "wf"},
    {"ready/interval", ""}, /* alone it is not enough */
    {"ready/try", ""},
    {"health", "z"},
    {"health/heartbeat", "b"},
    {"health/http", ""},
    {"health/tcp", ""},
    {"health/exec", "s"},
    {"health/period", ""},
    {"health/timeout", ""},
    {"health/grace", ""},
    {"health/max_bad", ""},
    {"health/then", ""},
    {"start_timeout", "wfz"},
    {"watchdog", "wfz"},
    {"restart_above", "z"},
    {"restart_above/memory", ""},
    {"restart_above/cpu", "wf"},
    {"restart_above/for", ""},
    {"max_age", "wfz"},
    {"essential", "bcz"},
    {"critical", "bcz"},
};

static const struct row *find_row(const char *path)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].path, path) == 0)
            return &rows[i];
    fail_msg("say above what `%s` takes", path);
    return NULL;
}

/* A whole template as YAML, in which @setting of @outer (NULL: none) is @value. */
static void write_yaml(char *yaml, size_t size, const char *outer, const char *setting,
                       const char *value)
{
    const char *cmd = strcmp(setting, "cmd") == 0 ? "" : "cmd: x\n";

    if (!outer)
        (void)snprintf(yaml, size, "%s%s: %s\n", cmd, setting, value);
    else if (strcmp(outer, "depends_on") == 0)
        (void)snprintf(yaml, size, "%sdepends_on: {other: {%s: %s}}\n", cmd, setting, value);
    else
        (void)snprintf(yaml, size, "%s%s: {%s: %s}\n", cmd, outer, setting, value);
}

/* One of `flapping: -1` may be about its attempts. */
static bool names_part(const char *message, const struct colony__setting *row)
{
    const struct colony__setting *part = row->detail;
    char quoted[64];

    if (!row->type->is_table && row->type != &colony__depends_on)
        return false;
    for (; part->name; part++) {
        (void)snprintf(quoted, sizeof quoted, "cannot use `%s`", part->name);
        if (strstr(message, quoted))
            return true;
    }
    return false;
}

static void assert_explains(const char *yaml, const char *message, const char *outer,
                            const struct colony__setting *row)
{
    char quoted[64];
    char around[64];

    (void)snprintf(quoted, sizeof quoted, "`%s`", row->name);
    (void)snprintf(around, sizeof around, "cannot use `%s`", outer ? outer : "");
    if (strncmp(message, "f.yaml:", 7) != 0 || !strstr(message, ": cannot ") ||
        strchr(message, '\n'))
        fail_msg("of %s it says `%s`", yaml, message);
    if (!strstr(message, quoted) && !strstr(message, around) && !names_part(message, row) &&
        !strstr(message, "cannot open ") && !strstr(message, "cannot use the key `zz`") &&
        !strstr(message, "cannot use the name "))
        fail_msg("of %s it says `%s`, which names no setting", yaml, message);
}

/* Taken when it should be; else refused with a place, by the name of a setting or a key. */
static void try_value(const char *outer, const struct colony__setting *row, const struct kind *kind,
                      bool is_right)
{
    struct colony_template *template = NULL;
    struct colony_error err = {0};
    char yaml[256];
    int rc;

    write_yaml(yaml, sizeof yaml, outer, row->name, kind->yaml);
    rc = make(&template, "web", yaml, true, &err);
    colony_template_free(template);
    if (is_right && rc < 0)
        fail_msg("%s is refused: %s", yaml, err.message);
    if (is_right)
        return;
    if (rc != -EINVAL)
        fail_msg("%s is not refused", yaml);
    assert_explains(yaml, err.message, outer, row);
}

static void try_table(const struct colony__setting *table, const char *outer, size_t *count)
{
    char path[128];

    for (; table->name; table++) {
        const struct row *row;

        (void)snprintf(path, sizeof path, "%s%s%s", outer ? outer : "", outer ? "/" : "",
                       table->name);
        row = find_row(path);
        (*count)++;
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if (!strchr(row->takes, toupper(kinds[i].letter)))
                try_value(outer, table, &kinds[i], strchr(row->takes, kinds[i].letter) != NULL);
        if (table->type->is_table || table->type == &colony__depends_on)
            try_table(table->detail, table->name, count);
    }
}

TEST(test_every_setting_refuses_every_wrong_type_by_name_and_place)
{
    size_t count = 0;

    try_table(colony__template_settings, NULL, &count);
    assert_int_equal(count, sizeof rows / sizeof rows[0]);
}

/* A client's JSON has no places, and what it adds is kept: that changes no type. */
TEST(test_json_over_http_refuses_the_same_types)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct colony_template *template = NULL;
        struct colony_error err = {0};
        char json[256];

        if (strchr(rows[i].path, '/') || strcmp(rows[i].path, "name") == 0)
            continue;
        (void)snprintf(json, sizeof json, "{\"name\": \"web\", %s\"%s\": [[[{}]]]}",
                       strcmp(rows[i].path, "cmd") == 0 ? "" : "\"cmd\": \"x\", ", rows[i].path);
        assert_int_equal(from_json(&template, json, false, &err), -EINVAL);
        if (strncmp(err.message, "cannot use `", 12) != 0)
            fail_msg("of %s it says `%s`", json, err.message);
    }
}

/* What the reference page is made of. */
static void assert_documented(const struct colony__setting *table)
{
    for (; table->name; table++) {
        assert_non_null(table->help);
        assert_true(strlen(table->help) > 5);
        assert_true(strlen(table->type->name) > 5);
        if (table->type->is_table)
            assert_documented(table->detail);
    }
}

TEST(test_every_setting_is_documented)
{
    assert_documented(colony__template_settings);
    assert_documented(colony__dependency_settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_setting_refuses_every_wrong_type_by_name_and_place),
        cmocka_unit_test(test_json_over_http_refuses_the_same_types),
        cmocka_unit_test(test_every_setting_is_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
