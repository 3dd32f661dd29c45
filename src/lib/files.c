/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - ncolony's actions on its two folders, for programs and for `colony ctl`. */
#include <colony.h>

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/template.h"
#include "fsctl/definition.h"
#include "fsctl/places.h"

/* A slip in one of them is told by the first call, whichever that needs. */
static int check_places(const struct colony_places *places, struct colony_error *err)
{
    int rc = colony_places_check_folder(places->messages, err);

    return rc < 0 ? rc : colony_places_check_folder(places->config, err);
}

/* --- names ------------------------------------------------------------------------------------ */

int colony_files_list(const struct colony_places *places, char ***names, struct colony_error *err)
{
    size_t count = 0;
    int rc = check_places(places, err);

    if (rc == 0)
        rc = colony_places_list(places->config, true, names, &count, err);
    return rc < 0 ? rc : (int)count;
}

void colony_files_free(char **names)
{
    colony_places_free(names);
}

static int fail_no_name(const struct colony_places *places, const char *name, const char *doing,
                        struct colony_error *err)
{
    const char *nearest = NULL;
    char **names = NULL;
    int rc = colony_files_list(places, &names, err);

    if (rc < 0)
        return rc;
    nearest = colony_name_nearest(name, (const char *const *)names);
    rc = colony_fail(err, -ENOENT, "cannot %s %s: no such file in %s%s%s%s", doing, name,
                     places->config, nearest ? ": did you mean " : "", nearest ? nearest : "",
                     nearest ? "?" : "");
    colony_files_free(names);
    return rc;
}

/* --- files ------------------------------------------------------------------------------------ */

/* -ENOENT: there is none to be @doing ("show") it to. */
static int read_file(const struct colony_places *places, const char *name, const char *doing,
                     char **text, struct colony_error *err)
{
    size_t size = 0;
    int rc = colony_places_check_name(name, err);

    if (rc == 0)
        rc = check_places(places, err);
    if (rc == 0)
        rc = colony_places_read(places->config, name, text, &size, err);
    if (rc == -ENOENT)
        return fail_no_name(places, name, doing, err);
    return rc < 0 ? rc : (int)size;
}

int colony_files_read(const struct colony_places *places, const char *name, char **text,
                      size_t *size, struct colony_error *err)
{
    int rc = read_file(places, name, "show", text, err);

    if (rc < 0)
        return rc;
    *size = (size_t)rc;
    return 0;
}

static int dry_run(const struct colony_places *places, const char *text, struct colony_error *err)
{
    if (fprintf(places->dry_run, "%s\n", text) < 0)
        return colony_fail_os(err, -errno, "cannot write what would be written");
    return 0;
}

/*
 * A number that no user has here may be one where the file is read: then only the rest is judged,
 * as if `gid` stood beside it.
 */
static int check_but_user(const struct colony_places *places, const char *name,
                          const struct colony_definition *definition)
{
    struct colony_definition with_gid = *definition;
    char *text = NULL;
    int rc;

    if (definition->uid == UINT64_MAX || definition->gid != UINT64_MAX)
        return -EINVAL;
    with_gid.gid = definition->uid;
    rc = colony_definition_write(&text, &with_gid, NULL);
    if (rc == 0)
        rc = colony_definition_check(text, places->config, name, NULL);
    free(text);
    return rc;
}

static int write_file(const struct colony_places *places, const char *name, const char *text,
                      const struct colony_definition *definition, struct colony_error *err)
{
    int rc = colony_definition_check(text, places->config, name, err);

    if (rc == -EINVAL)
        rc = check_but_user(places, name, definition) == 0 ? 0 : rc;
    if (rc < 0)
        return rc;
    return places->dry_run ? dry_run(places, text, err)
                           : colony_places_put(places->config, name, text, err);
}

int colony_files_add(const struct colony_places *places, const char *name,
                     const struct colony_file *file, struct colony_error *err)
{
    static const char *const none[] = {NULL};
    const struct colony_definition definition = {
        .cmd = file->cmd ? file->cmd : "",
        .args = file->args ? file->args : none,
        .env = file->env ? file->env : none,
        .env_inherit = file->env_inherit ? file->env_inherit : none,
        .uid = file->uid ? *file->uid : UINT64_MAX,
        .gid = file->gid ? *file->gid : UINT64_MAX,
        .extras = file->extras,
    };
    char *text = NULL;
    int rc = colony_places_check_name(name, err);

    if (rc == 0)
        rc = check_places(places, err);
    if (rc == 0)
        rc = colony_definition_write(&text, &definition, err);
    if (rc == 0)
        rc = write_file(places, name, text, &definition, err);
    free(text);
    return rc;
}

static int would_remove(const struct colony_places *places, const char *name,
                        struct colony_error *err)
{
    static const char doing[] = "remove ";
    char text[PATH_MAX];
    struct stat there;

    (void)snprintf(text, sizeof text, "%s%.3800s/%s", doing, places->config, name);
    if (lstat(text + strlen(doing), &there) < 0)
        return colony_fail_os(err, -errno, "cannot %s", text);
    return dry_run(places, text, err);
}

int colony_files_remove(const struct colony_places *places, const char *name,
                        struct colony_error *err)
{
    int rc = colony_places_check_name(name, err);

    if (rc == 0)
        rc = check_places(places, err);
    if (rc == 0)
        rc = places->dry_run ? would_remove(places, name, err)
                             : colony_places_remove(places->config, name, err);
    return rc == -ENOENT ? fail_no_name(places, name, "remove", err) : rc;
}

/* --- messages --------------------------------------------------------------------------------- */

static int send(const struct colony_places *places, const char *type, const char *key,
                const char *value, struct colony_error *err)
{
    char *text = NULL;
    int rc = check_places(places, err);

    if (rc == 0)
        rc = colony_places_message(&text, type, key, value, err);
    if (rc == 0)
        rc = places->dry_run ? dry_run(places, text, err)
                             : colony_places_send(places->messages, text, err);
    free(text);
    return rc;
}

int colony_files_restart(const struct colony_places *places, const char *name,
                         struct colony_error *err)
{
    char *text = NULL;
    int rc = read_file(places, name, "restart", &text, err);

    free(text);
    return rc < 0 ? rc : send(places, "RESTART", "name", name, err);
}

int colony_files_restart_all(const struct colony_places *places, struct colony_error *err)
{
    return send(places, "RESTART-ALL", NULL, NULL, err);
}

int colony_files_restart_group(const struct colony_places *places, const char *group,
                               struct colony_error *err)
{
    if (group[0] == '\0')
        return colony_fail(err, -EINVAL, "cannot restart a group without a name");
    return send(places, "RESTART-GROUP", "group", group, err);
}
