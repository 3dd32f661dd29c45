/* SPDX-License-Identifier: Apache-2.0 */
/* setting_words.c - what somebody may have meant by a key that is unknown. */
#include <string.h>

#include "core/setting_internal.h"
#include "core/template.h"

/* What systemd, supervisord, circus, docker compose, pm2 and others call it. */
/* clang-format off */
static const struct {
    const char *theirs;
    const char *ours;
} words[] = {
    {"autorestart",        "restart"},
    {"autostart",          "start"},
    {"chdir",              "cwd"},
    {"command",            "cmd"},
    {"depends",            "depends_on"},
    {"dir",                "cwd"},
    {"directory",          "cwd"},
    {"environment",        "env"},
    {"environment_file",   "env_file"},
    {"exec",               "cmd"},
    {"group",              "gid"},
    {"healthcheck",        "health"},
    {"host",               "bind"},
    {"instances",          "numprocesses"},
    {"kill_timeout",       "graceful_timeout"},
    {"killsignal",         "stop_signal"},
    {"listen",             "bind"},
    {"logfile",            "log"},
    {"numprocs",           "numprocesses"},
    {"password",           "tokens"},
    {"port",               "bind"},
    {"replicas",           "numprocesses"},
    {"requires",           "depends_on"},
    {"socket",             "bind"},
    {"startsecs",          "start_timeout"},
    {"stdin",              "redirect_input"},
    {"stop_grace_period",  "graceful_timeout"},
    {"stopsignal",         "stop_signal"},
    {"stopwaitsecs",       "graceful_timeout"},
    {"ulimits",            "rlimits"},
    {"user",               "uid"},
    {"username",           "uid"},
    {"working_dir",        "cwd"},
    {"working_directory",  "cwd"},
    {"workingdirectory",   "cwd"},
};
/* clang-format on */

enum {
    WORD_COUNT = sizeof words / sizeof words[0],
};

static bool is_known(const char *name, const char *const *known)
{
    while (*known && strcmp(*known, name) != 0)
        known++;
    return *known != NULL;
}

const char *colony__setting_nearest(const char *key, const char *const *known)
{
    const char *theirs[WORD_COUNT + 1] = {NULL};
    const char *ours[WORD_COUNT + 1] = {NULL};
    const char *word;
    size_t count = 0;

    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (!is_known(words[i].ours, known))
            continue;
        theirs[count] = words[i].theirs;
        ours[count++] = words[i].ours;
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(theirs[i], key) == 0)
            return ours[i];
    word = colony_name_nearest(key, known);
    if (word)
        return word;
    word = colony_name_nearest(key, theirs);
    for (size_t i = 0; word && i < count; i++)
        if (theirs[i] == word)
            return ours[i];
    return NULL;
}
