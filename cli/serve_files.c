/* SPDX-License-Identifier: Apache-2.0 */
/* serve_files.c - what the command line says of the directories of `files:`. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/log.h"
#include "core/settings.h"
#include "fsctl/files.h"
#include "serve_internal.h"

/* `--config DIR` is ncolony's way to say `--conf DIR`: with --messages also if DIR is not there. */
static int settle_config(struct serve *serve, struct colony_error *err)
{
    bool lacks_conf = serve->messages && !serve->conf;
    struct stat info;

    if (!serve->config)
        return 0;
    if (stat(serve->config, &info) < 0) {
        if (errno != ENOENT || !lacks_conf)
            return 0; /* whoever reads settings tells of it */
    } else if (!S_ISDIR(info.st_mode)) {
        if (S_ISREG(info.st_mode) || !lacks_conf)
            return 0;
        return colony_fail(err, -EINVAL,
                           "cannot use --config %s: it is neither a directory of processes nor a "
                           "file of settings",
                           serve->config);
    } else if (serve->conf) {
        return colony_fail(err, -EISDIR,
                           "cannot use both --config %s and --conf %s: each is a directory",
                           serve->config, serve->conf);
    }
    serve->conf = serve->config;
    serve->config = NULL;
    return 0;
}

int serve_settle_directories(struct serve *serve, struct colony_error *err)
{
    static char state[PATH_MAX];
    int rc = settle_config(serve, err);

    if (rc < 0 || !serve->conf || serve->config || serve->state)
        return rc;
    rc = colony_files_require(serve->conf, "processes", serve->create, err);
    if (rc == 0) /* now it has a real path */
        rc = colony_files_state_dir(state, sizeof state, serve->conf, err);
    if (rc < 0)
        return rc;
    serve->state = state;
    colony_log(SEVERITY_INFO, "keeps its state in %s and is reached with `colony ctl --conf %s`",
               state, serve->conf);
    return 0;
}

static int set_path(char **field, const char *path, struct colony_error *err)
{
    char *copy;

    if (!path)
        return 0;
    copy = strdup(path);
    if (!copy)
        return colony_fail_os(err, -ENOMEM, "cannot start");
    free(*field);
    *field = copy;
    return 0;
}

static int set_times(struct colony_files_settings *files, const struct serve *serve,
                     struct colony_error *err)
{
    const struct {
        const char *name;
        const char *text;
        uint64_t *field;
    } times[] = {
        {"frequency", serve->frequency, &files->frequency_ms},
        {"threshold", serve->threshold, &files->threshold_ms},
        {"killtime", serve->killtime, &files->kill_ms},
        {"minrestartdelay", serve->minrestartdelay, &files->min_delay_ms},
        {"maxrestartdelay", serve->maxrestartdelay, &files->max_delay_ms},
    };

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (times[i].text && colony_settings_parse_duration(times[i].text, times[i].field) < 0)
            return colony_fail(err, -EINVAL,
                               "cannot use --%s %s: it must be a time such as 5, 0.5, 500ms or 2m",
                               times[i].name, times[i].text);
    if (files->frequency_ms < COLONY_FREQUENCY_MS_MIN)
        return colony_fail(err, -EINVAL, "cannot use --frequency %s: it must be at least 10ms",
                           serve->frequency);
    return 0;
}

/* What is said of directories that nobody has given would be lost in silence. */
static int check_wanted(const struct colony_files_settings *files, const struct serve *serve,
                        struct colony_error *err)
{
    const struct {
        const char *name;
        bool is_given;
    } options[] = {
        {"pid", serve->pid != NULL},
        {"frequency", serve->frequency != NULL},
        {"threshold", serve->threshold != NULL},
        {"killtime", serve->killtime != NULL},
        {"minrestartdelay", serve->minrestartdelay != NULL},
        {"maxrestartdelay", serve->maxrestartdelay != NULL},
        {"create", serve->create},
    };

    for (size_t i = 0; i < sizeof options / sizeof options[0] && !files->config; i++)
        if (options[i].is_given)
            return colony_fail(err, -EINVAL,
                               "cannot use --%s without directories: give --config DIR and "
                               "--messages DIR",
                               options[i].name);
    return 0;
}

int serve_apply_directories(struct colony_settings *settings, const struct serve *serve,
                            struct colony_error *err)
{
    struct colony_files_settings *files = &settings->directories;
    int rc = set_path(&files->config, serve->conf, err);

    if (rc == 0)
        rc = set_path(&files->messages, serve->messages, err);
    if (rc == 0)
        rc = set_path(&files->pid, serve->pid, err);
    if (rc == 0)
        rc = set_times(files, serve, err);
    if (rc == 0)
        rc = colony_files_check_settings(files, err);
    if (rc == 0)
        rc = check_wanted(files, serve, err);
    if (rc == 0)
        rc = colony_files_prepare(files, serve->create, err);
    if (files->forward == FORWARD_FOREGROUND)
        files->forward = serve->daemon ? FORWARD_NEVER : FORWARD_ALWAYS;
    return rc;
}
