/* SPDX-License-Identifier: Apache-2.0 */
/* session_start.c - `colony session start`: by an uri, or again by name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "session/config.h"
#include "session/names.h"
#include "session/process.h"
#include "session/uri.h"
#include "session/workspace.h"
#include "session_internal.h"

enum {
    KEYWORD_MAX = 128, /* bytes of a key: a long one cannot be read again from YAML */
};

static int read_switch(const char *value, bool *is_set, bool *is_on, const char *name,
                       struct colony_error *err)
{
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return colony_fail(err, -EINVAL, "--%s: 0 (no) or 1 (yes), not %s", name, value);
    *is_set = true;
    *is_on = *value == '1';
    return 0;
}

int session_read_restart(void *target, const char *value, struct colony_error *err)
{
    struct session *session = target;

    return read_switch(value, &session->sets_restart, &session->restart, "restart", err);
}

int session_read_shutdown(void *target, const char *value, struct colony_error *err)
{
    struct session *session = target;

    return read_switch(value, &session->sets_shutdown, &session->shutdown, "shutdown", err);
}

/* clang-format off */
const struct colony_option session_start_options[] = {
    SESSION_PLACE,
    {"uri",      0, "URI",  "what to run: exec:///PROGRAM?KEY=VALUE, or of a scheme of etc/session.yaml", OPTION_TEXT, SESSION_AT(uri), NULL},
    SESSION_ALIAS,
    SESSION_RESTART,
    SESSION_SHUTDOWN,
    SESSION_END,
};
/* clang-format on */

static bool is_of_another(const char *name, void *data)
{
    return colony_session_list_find(data, name) != NULL;
}

static struct colony_session_process *find_uri(const struct colony_session_list *list,
                                               const char *uri)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].uri && strcmp(list->items[i].uri, uri) == 0)
            return &list->items[i];
    return NULL;
}

/* A map cannot have them all: of those that stand twice the last one is kept, and what no file
 * could have as a key is left out. The command line has all of them. */
static bool is_keyword(const struct colony_uri *uri, size_t index)
{
    const char *key = uri->parameters[index].key;
    size_t length = strlen(key);

    if (length == 0 || length > KEYWORD_MAX || strchr(key, '='))
        return false;
    for (size_t i = index + 1; i < uri->parameter_count; i++)
        if (strcmp(uri->parameters[i].key, key) == 0)
            return false;
    return true;
}

/* The parameters of the uri, for etc. */
static int copy_keywords(struct colony_session_process *out, const struct colony_uri *uri)
{
    size_t count = 0;

    out->keywords = calloc(uri->parameter_count + 1, sizeof *out->keywords);
    for (size_t i = 0; out->keywords && i < uri->parameter_count; i++) {
        const char *value = uri->parameters[i].value;
        char *text = NULL;

        if (!is_keyword(uri, i))
            continue;
        if (asprintf(&text, "%s=%s", uri->parameters[i].key, value ? value : "") < 0)
            return -ENOMEM;
        out->keywords[count++] = text;
    }
    return out->keywords ? 0 : -ENOMEM;
}

static int read_command(struct colony_session_process *out, struct session *session,
                        const struct colony_uri *uri, struct colony_error *err)
{
    struct colony_session_config config;
    int rc = colony_session_config_read_good(&config, session->workspace, session_warn, NULL, err);

    if (rc < 0)
        return rc;
    rc = colony_uri_command(&out->cmdline, uri, &config, err);
    colony_session_config_clear(&config);
    if (rc == 0 && copy_keywords(out, uri) < 0)
        return colony_fail_os(err, -ENOMEM, "cannot start the uri");
    return rc;
}

/* A process that the session does not know so far. */
static int make(struct colony_session_process *out, struct session *session,
                const struct colony_session_list *list, struct colony_error *err)
{
    char name[COLONY_WORDS_MAX];
    struct colony_uri uri;
    int rc = colony_uri_parse(&uri, session->uri, err);

    if (rc < 0)
        return rc;
    rc = read_command(out, session, &uri, err);
    colony_uri_clear(&uri);
    if (rc < 0)
        return rc;
    colony_session_name(name, session->uri, is_of_another, (void *)list);
    out->name = strdup(name);
    out->uri = strdup(session->uri);
    out->state = strdup(COLONY_STATE_STOPPED);
    if (!out->name || !out->uri || !out->state)
        return colony_fail_os(err, -ENOMEM, "cannot start the uri");
    return 0;
}

static int apply_options(struct colony_session_process *process, const struct session *session,
                         struct colony_error *err)
{
    if (session->sets_restart)
        process->restart = session->restart;
    if (session->sets_shutdown)
        process->shutdown = session->shutdown;
    if (!session->alias)
        return 0;
    free(process->alias);
    process->alias = strdup(session->alias);
    return process->alias ? 0 : colony_fail_os(err, -ENOMEM, "cannot start the process");
}

static int check_is_idle(const struct colony_session_process *process,
                         const struct session *session, struct colony_error *err)
{
    const char *title = colony_session_process_title(process);
    int pidfd = colony_session_process_pidfd(process);

    if (pidfd < 0)
        return 0;
    (void)close(pidfd);
    if (session->sets_restart || session->sets_shutdown)
        return colony_fail(err, -EBUSY,
                           "cannot start %s: it runs already, as pid %d; to change it as it runs: "
                           "attach --alias %s --restart 0|1 --shutdown 0|1",
                           title, (int)process->pid, title);
    return colony_fail(err, -EBUSY, "cannot start %s: it runs already, as pid %d", title,
                       (int)process->pid);
}

/* By the uri, else by @word. *is_new: nothing of it is in the workspace so far. */
static int find(struct colony_session_process *out, struct session *session, const char *word,
                bool *is_new, struct colony_error *err)
{
    struct colony_session_list list = {0};
    const struct colony_session_process *known;
    int rc = colony_session_list_read(&list, session->workspace, session_warn, NULL, err);

    if (rc < 0)
        return rc;
    known = session->uri ? find_uri(&list, session->uri) : colony_session_list_find(&list, word);
    *is_new = !known;
    if (!known && session->uri)
        rc = make(out, session, &list, err);
    else if (!known)
        rc = colony_session_list_complain(&list, word, err);
    else if (colony_session_process_copy(out, known) < 0)
        rc = colony_fail_os(err, -ENOMEM, "cannot start the process");
    else
        rc = check_is_idle(out, session, err);
    colony_session_list_clear(&list);
    return rc;
}

/* What could not be run is not kept, so that a slip of the pen leaves nothing behind. */
static void take_back(struct session *session, const struct colony_session_process *process)
{
    if (colony_workspace_lock(session->workspace, SESSION_WAIT_MS, NULL) < 0)
        return;
    if (colony_session_process_remove(session->workspace, process->name, NULL) == 0)
        (void)session_backend(session)->reload(session, NULL);
    colony_workspace_unlock(session->workspace);
}

/* A file that says so already is left alone, also when it cannot be used now: what was good counts.
 */
static bool changes(const struct session *session, bool is_new)
{
    return is_new || session->alias || session->sets_restart || session->sets_shutdown;
}

static int start(struct session *session, const char *word, struct colony_session_process *process,
                 struct colony_error *err)
{
    bool is_new = false;
    int rc = find(process, session, word, &is_new, err);

    if (rc == 0)
        rc = apply_options(process, session, err);
    if (rc == 0 && changes(session, is_new))
        rc = colony_session_process_put(session->workspace, process, err);
    if (rc < 0)
        return rc;
    rc = session_backend(session)->start(session, process, err);
    if (rc < 0 && rc != -EBUSY) {
        if (is_new)
            take_back(session, process);
        rc = rc == -ENOENT || rc == -EACCES ? -EIO : rc; /* of the program, not of the process */
    }
    return rc;
}

static void tell(const struct colony_session_process *process)
{
    printf("%s %s", process->pid > 0 ? "started" : "will start",
           colony_session_process_title(process));
    if (process->alias)
        printf(" (%s)", process->name);
    if (process->pid > 0)
        printf(": pid %d\n", (int)process->pid);
    else
        printf(": it waits for others (colony session show)\n");
}

int session_start(struct session *session, int argc, char **argv)
{
    struct colony_session_process process = {0};
    struct colony_error err = {0};
    int rc;

    if (!session->uri == (argc < 2))
        return session_fail(EXIT_USAGE, "start: give either --uri URI or the name of a PROCESS");
    rc = colony_workspace_lock(session->workspace, SESSION_WAIT_MS, &err);
    if (rc < 0)
        return session_fail_error(&err);
    rc = start(session, argc > 1 ? argv[1] : "", &process, &err);
    colony_workspace_unlock(session->workspace);
    if (rc < 0) {
        err.code = rc;
        colony_session_process_clear(&process);
        return session_fail_error(&err);
    }
    tell(&process);
    colony_session_process_clear(&process);
    return EXIT_OK;
}
