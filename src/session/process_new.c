/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_new.c - processes that only files know of, and ones whose file is lost: what is missing
 * is worked out from what is left.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/config.h"
#include "session/fingerprint.h"
#include "session/names.h"
#include "session/process_internal.h"
#include "session/process_life_internal.h"
#include "session/process_read_internal.h"
#include "session/uri.h"
#include "session/workspace_internal.h"
#include "session/yaml_edit_internal.h"

#define EXEC_PREFIX "exec://localhost"
#define ATTACHED_PREFIX "attached://"
#define UNRESERVED "-._~/:@"

/* --- uri ----------------------------------------------------------------------------------------
 */

static void write_encoded(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (isascii(byte) && (isalnum(byte) || strchr(UNRESERVED, byte)))
            (void)fputc(byte, out);
        else
            (void)fprintf(out, "%%%02X", byte);
    }
}

static void write_argument(FILE *out, const char *argument, char before)
{
    size_t key = strcspn(argument, "=");

    (void)fputc(before, out);
    write_encoded(out, argument, key);
    if (argument[key] == '\0')
        return;
    (void)fputc('=', out);
    write_encoded(out, argument + key + 1, strlen(argument + key + 1));
}

/* exec:// can say a path and arguments that have a key. */
static bool is_exec(char *const *cmdline)
{
    if (cmdline[0][0] != '/')
        return false;
    for (size_t i = 1; cmdline[i]; i++)
        if (cmdline[i][0] == '\0' || cmdline[i][0] == '=')
            return false;
    return true;
}

/* The uri that this command line is run by. NULL: out of memory. */
static char *make_uri(char *const *cmdline)
{
    char *uri = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&uri, &size);
    bool as_exec = is_exec(cmdline);

    if (!out)
        return NULL;
    (void)fputs(as_exec ? EXEC_PREFIX : ATTACHED_PREFIX, out);
    if (as_exec)
        write_encoded(out, cmdline[0], strlen(cmdline[0]));
    for (size_t i = as_exec; cmdline[i]; i++) {
        if (as_exec)
            write_argument(out, cmdline[i], i == 1 ? '?' : '&');
        else
            (void)fprintf(out, "%s%s", i > 0 ? " " : "", cmdline[i]);
    }
    if (fclose(out) == 0)
        return uri;
    free(uri);
    return NULL;
}

/* --- new ones -----------------------------------------------------------------------------------
 */

static bool is_taken(const char *name, void *data)
{
    const struct colony__look *look = data;

    for (size_t i = 0; i < look->entries.count; i++)
        if (look->entries.items[i].parsed.name &&
            strcmp(look->entries.items[i].parsed.name, name) == 0)
            return true;
    return colony__rows_find(&look->rows, name) != NULL ||
           colony_session_list_find(&look->list, name) != NULL;
}

/* Name, alias, uri and life of what @entry has. */
static int complete(struct colony__look *look, const struct colony__etc_entry *entry,
                    struct colony_session_process *process)
{
    char name[COLONY_WORDS_MAX];
    char date[DATE_SIZE];
    pid_t pid;

    if (process->uri && !process->cmdline)
        colony__look_rebuild(look, process);
    if (process->cmdline && !process->uri) {
        process->uri = make_uri(process->cmdline);
        if (!process->uri)
            return -ENOMEM;
    }
    if (!process->name) {
        colony_session_name(name, process->uri, is_taken, look);
        process->name = strdup(name);
    }
    if (process->name && strcmp(process->name, entry->base) != 0) {
        process->alias = strdup(entry->base);
        if (!process->alias)
            return -ENOMEM;
    }
    if (!process->name)
        return -ENOMEM;
    pid = colony__life_read_pid(look->workspace, process->name);
    if (pid > 0 && colony__life_adopt(process, pid) < 0)
        return -ENOMEM;
    colony__session_date(date);
    process->date = strdup(date);
    process->state = strdup(process->pid > 0 ? COLONY_STATE_RUNNING : COLONY_STATE_STOPPED);
    return process->state && process->date ? 0 : -ENOMEM;
}

/* NULL: it can be one. */
static const char *find_fault(const struct colony__look *look,
                              const struct colony_session_process *process, const char **whose)
{
    const struct colony_session_process *other =
        colony_session_list_find(&look->list, process->name);

    *whose = other ? other->name : "";
    if (other)
        return "another file is of that one, too: remove one of them";
    other = process->alias ? colony_session_list_find(&look->list, process->alias) : NULL;
    *whose = other ? other->name : "";
    return other ? "that is what another process is called" : NULL;
}

/* The file says its name, so that it is known when it is given another; the rest is the user's. */
static int add_name(struct colony__look *look, const struct colony__etc_entry *entry,
                    const struct colony_session_process *process, char **text,
                    struct colony_error *err)
{
    struct colony__yaml_edit edit = {.key = "name"};
    char path[WORKSPACE_PATH_MAX];
    char *value = NULL;
    int rc;

    colony__etc_path(path, sizeof path, entry->base);
    *text = strdup(entry->text);
    if (!*text || asprintf(&value, " %s\n", process->name) < 0)
        return colony_fail(err, -ENOMEM, "cannot change %s: out of memory", path);
    edit.value = value;
    rc = colony__yaml_edit(text, path, &edit, err);
    free(value);
    return rc < 0 ? rc : colony__workspace_write(look->workspace, path, *text, err);
}

/* The text of the file says it all from now on. */
static int save(struct colony__look *look, const struct colony__etc_entry *entry,
                const struct colony_session_process *process)
{
    struct colony_error err;
    char *text = NULL;
    int rc = colony__database_put(look->workspace, process, &err);

    if (rc == 0 && !entry->parsed.name)
        rc = add_name(look, entry, process, &text, &err);
    if (rc == 0)
        rc = colony__database_keep(look->workspace, process->name, entry->base,
                                   text ? text : entry->text, &err);
    free(text);
    if (rc < 0)
        colony__look_complain(look, "%s", err.message);
    return rc;
}

int colony__look_add_new(struct colony__look *look, const struct colony__etc_entry *entry)
{
    struct colony_session_process process = {0};
    const char *folder = look->workspace->path;
    const char *fault;
    const char *whose;
    int rc;

    if (entry->problem.code != 0) {
        colony__look_complain(look, "%s", entry->problem.message);
        return 0;
    }
    if (!entry->parsed.cmdline && !entry->parsed.uri) {
        colony__look_complain(look,
                              "%s/etc/%s.yaml:1:1: cannot use this: it has neither cmdline nor uri",
                              folder, entry->base);
        return 0;
    }
    rc = colony_session_process_copy(&process, &entry->parsed);
    if (rc == 0)
        rc = complete(look, entry, &process);
    fault = rc == 0 ? find_fault(look, &process, &whose) : NULL;
    if (fault) {
        colony__look_complain(look, "%s/etc/%s.yaml: cannot use this as %s: %s (%s)", folder,
                              entry->base, colony_session_process_title(&process), fault, whose);
    } else if (rc == 0) {
        look->is_unsettled = true;
        if (look->settles && save(look, entry, &process) == 0)
            look->added_count++;
        rc = colony__look_add(look, &process);
    }
    colony_session_process_clear(&process);
    return rc;
}

/* --- a lost file --------------------------------------------------------------------------------
 */

static void rebuild_from_uri(struct colony__look *look, struct colony_session_process *process)
{
    struct colony_session_config config = {0};
    struct colony_uri uri = {0};

    if (colony_uri_parse(&uri, process->uri, NULL) < 0)
        return;
    if (colony_session_config_read_good(&config, look->workspace, NULL, NULL, NULL) == 0 &&
        colony_uri_command(&process->cmdline, &uri, &config, NULL) < 0)
        process->cmdline = NULL;
    colony_session_config_clear(&config);
    colony_uri_clear(&uri);
}

void colony__look_rebuild(struct colony__look *look, struct colony_session_process *process)
{
    struct colony_fingerprint fingerprint = {0};
    bool was_attached =
        !process->uri || strncmp(process->uri, ATTACHED_PREFIX, strlen(ATTACHED_PREFIX)) == 0;

    if (!was_attached)
        rebuild_from_uri(look, process);
    else if (colony_fingerprint_load(&fingerprint, look->workspace, process->name, NULL, NULL) ==
                 0 &&
             fingerprint.fields[FIELD_CMDLINE].count > 0) {
        char **items = calloc(fingerprint.fields[FIELD_CMDLINE].count + 1, sizeof *items);

        for (size_t i = 0; items && i < fingerprint.fields[FIELD_CMDLINE].count; i++) {
            items[i] = fingerprint.fields[FIELD_CMDLINE].items[i];
            fingerprint.fields[FIELD_CMDLINE].items[i] = NULL;
        }
        process->cmdline = items;
    }
    colony_fingerprint_clear(&fingerprint);
}
