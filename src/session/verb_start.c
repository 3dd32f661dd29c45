/* SPDX-License-Identifier: Apache-2.0 */
/* verb_start.c - a process of a session is started: by an uri, or again by name. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "session/names.h"
#include "session/uri.h"
#include "session/verb_internal.h"
#include "session/workspace.h"

enum {
    KEYWORD_MAX = 128, /* bytes of a key: a long one cannot be read again from YAML */
};

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

static int read_command(struct colony_session_process *out, const struct colony_session *session,
                        const struct colony_uri *uri, struct colony_error *err)
{
    struct colony_session_config config;
    int rc = colony_session_config_read_good(&config, session->workspace, session->problem,
                                             session->data, err);

    if (rc < 0)
        return rc;
    rc = colony_uri_command(&out->cmdline, uri, &config, err);
    colony_session_config_clear(&config);
    if (rc == 0 && copy_keywords(out, uri) < 0)
        return colony_fail_os(err, -ENOMEM, "cannot start the uri");
    return rc;
}

/* A process that the session does not know so far. */
static int make(struct colony_session_process *out, const struct colony_session *session,
                const char *text, const struct colony_session_list *list, struct colony_error *err)
{
    char name[COLONY_WORDS_MAX];
    struct colony_uri uri;
    int rc = colony_uri_parse(&uri, text, err);

    if (rc < 0)
        return rc;
    rc = read_command(out, session, &uri, err);
    colony_uri_clear(&uri);
    if (rc < 0)
        return rc;
    colony_session_name(name, text, is_of_another, (void *)list);
    out->name = strdup(name);
    out->uri = strdup(text);
    out->state = strdup(COLONY_STATE_STOPPED);
    if (!out->name || !out->uri || !out->state)
        return colony_fail_os(err, -ENOMEM, "cannot start the uri");
    return 0;
}

static int check_is_idle(const struct colony_session_process *process,
                         const struct colony_verb_change *change, struct colony_error *err)
{
    const char *title = colony_session_process_title(process);

    if (!colony_session_process_is_alive(process))
        return 0;
    if (change->restart || change->shutdown)
        return colony_fail(err, -EBUSY,
                           "cannot start %s: it runs already, as pid %d; it can be changed as it "
                           "runs, by its alias",
                           title, (int)process->pid);
    return colony_fail(err, -EBUSY, "cannot start %s: it runs already, as pid %d", title,
                       (int)process->pid);
}

/* By the uri, else by @word. 1: it is new, and nothing of it is in the workspace so far; 0. */
static int find(struct colony_session_process *out, const struct colony_session *session,
                const char *word, const struct colony_verb_change *change, struct colony_error *err)
{
    struct colony_session_list list = {0};
    const struct colony_session_process *known;
    bool is_known;
    int rc =
        colony_session_list_read(&list, session->workspace, session->problem, session->data, err);

    if (rc < 0)
        return rc;
    known = change->uri ? find_uri(&list, change->uri) : colony_session_list_find(&list, word);
    is_known = known != NULL;
    if (!known && change->uri)
        rc = make(out, session, change->uri, &list, err);
    else if (!known)
        rc = colony_session_list_complain(&list, word, err);
    else if (colony_session_process_copy(out, known) < 0)
        rc = colony_fail_os(err, -ENOMEM, "cannot start the process");
    else
        rc = check_is_idle(out, change, err);
    colony_session_list_clear(&list);
    return rc == 0 && !is_known ? 1 : rc;
}

static void remove_empty(const struct colony_session *session, const char *folder, const char *name)
{
    int fd = colony_workspace_fd(session->workspace);
    char path[NAME_MAX + 16];
    struct stat info;

    (void)snprintf(path, sizeof path, "%s/%s.out", folder, name);
    if (fstatat(fd, path, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) &&
        info.st_size == 0)
        (void)unlinkat(fd, path, 0);
}

/* What could not be run is not kept, so that a slip of the pen leaves nothing behind; one that was
 * known is as @before. */
static void take_back(const struct colony_session *session, struct colony_session_process *process,
                      struct colony_session_process *before)
{
    if (colony_workspace_lock(session->workspace, COLONY_VERB_LOCK_MS, NULL) < 0)
        return;
    if (before->name) {
        colony__verb_put_back(session, process, before);
    } else if (colony_session_process_remove(session->workspace, process->name, NULL) == 0) {
        remove_empty(session, "out", process->name);
        remove_empty(session, "err", process->name);
    }
    (void)colony__backend_of(session)->reload(session, NULL);
    colony_workspace_unlock(session->workspace);
}

/* What is wrong with the program is not wrong with the process. */
static int run(const struct colony_session *session, const struct colony_verb_change *change,
               struct colony_session_process *process, struct colony_error *err)
{
    /* of an uri's file it was told when its command line was made */
    const struct colony_session quiet = {.workspace = session->workspace};
    int rc = colony__backend_of(session)->start(change->uri ? &quiet : session, process, err);

    if (rc == -ENOENT || rc == -EACCES)
        rc = -EIO;
    if (rc < 0 && err)
        err->code = rc;
    return rc;
}

/* A file that says so already is left alone, also when it cannot be used now: what was good counts.
 */
static bool has_news(const struct colony_verb_change *change)
{
    return change->alias || change->restart || change->shutdown || change->cmdline || change->cwd ||
           change->env;
}

int colony_verb_start(const struct colony_session *session, const char *word,
                      const struct colony_verb_change *change, struct colony_session_process *out,
                      struct colony_error *err)
{
    struct colony_session_process before = {0}; /* of one that is changed */
    bool is_new = false;
    bool is_put;
    int rc = colony_workspace_lock(session->workspace, COLONY_VERB_LOCK_MS, err);

    if (rc < 0)
        return rc;
    rc = find(out, session, word, change, err);
    is_new = rc == 1;
    is_put = is_new || (rc == 0 && has_news(change));
    if (is_put && !is_new && colony_session_process_copy(&before, out) < 0)
        rc = colony_fail_os(err, -ENOMEM, "cannot start the process");
    else if (is_put)
        rc = colony__verb_put(session, out, change, err);
    if (rc == 0) {
        rc = run(session, change, out, err);
        if (rc < 0 && is_put)
            take_back(session, out, &before);
    }
    colony_workspace_unlock(session->workspace);
    colony_session_process_clear(&before);
    return rc;
}
