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

static char own_state[PATH_MAX]; /* with nothing but its directories given */

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
    int rc = settle_config(serve, err);

    if (rc < 0 || !serve->conf || serve->config || serve->state)
        return rc;
    rc = colony_files_require(serve->conf, "processes", serve->create, err);
    if (rc == 0) /* now it has a real path */
        rc = colony_files_state_dir(own_state, sizeof own_state, serve->conf, err);
    if (rc == 0)
        serve->state = own_state;
    return rc;
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

static void set_times(struct colony_files_settings *files, const struct serve *serve)
{
    const struct {
        uint64_t given;
        uint64_t *field;
    } times[] = {
        {serve->frequency_ms, &files->frequency_ms}, {serve->threshold_ms, &files->threshold_ms},
        {serve->kill_ms, &files->kill_ms},           {serve->min_delay_ms, &files->min_delay_ms},
        {serve->max_delay_ms, &files->max_delay_ms},
    };

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (times[i].given != UINT64_MAX)
            *times[i].field = times[i].given;
}

/* Of the two directories one was given: the other by its option. */
static int check_both(const struct colony_files_settings *files, struct colony_error *err)
{
    if (files->config && !files->messages)
        return colony_fail(err, -EINVAL,
                           "cannot control by files: where are messages left? say --messages DIR");
    if (files->messages && !files->config)
        return colony_fail(err, -EINVAL,
                           "cannot control by files: where are those of processes? say --conf DIR");
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
        {"frequency", serve->frequency_ms != UINT64_MAX},
        {"threshold", serve->threshold_ms != UINT64_MAX},
        {"killtime", serve->kill_ms != UINT64_MAX},
        {"minrestartdelay", serve->min_delay_ms != UINT64_MAX},
        {"maxrestartdelay", serve->max_delay_ms != UINT64_MAX},
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
        rc = check_both(files, err);
    set_times(files, serve);
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

void serve_tell_directories(const struct serve *serve)
{
    if (serve->state == own_state)
        colony_log(SEVERITY_INFO,
                   "keeps its state in %s and is reached with `colony ctl --conf %s`", own_state,
                   serve->conf);
}
