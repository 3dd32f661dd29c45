/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - a process as a value, and lists of them. */
#include "session/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/sweep.h"
#include "core/table.h"
#include "core/template.h"
#include "session/process_internal.h"

int colony__session_name_check(const char *name, struct colony_error *err)
{
    int rc = colony_name_check_file(name, err);

    if (rc < 0)
        return rc;
    if (strchr(name, ':'))
        return colony_fail(err, -EINVAL,
                           "cannot use the name `%s`: it has a `:`, which comes before a state",
                           name);
    if (strchr(name, ','))
        return colony_fail(err, -EINVAL,
                           "cannot use the name `%s`: it has a `,`, which comes between parents",
                           name);
    if (name[0] == '.')
        return colony_fail(err, -EINVAL, "cannot use the name `%s`: it begins with a dot", name);
    if (strcmp(name, SESSION_FILE) == 0)
        return colony_fail(err, -EINVAL,
                           "cannot use the name `%s`: etc/session.yaml is the session's own file",
                           name);
    return 0;
}

int colony__session_name_check_own(const char *name, struct colony_error *err)
{
    int rc = colony__session_name_check(name, err);

    if (rc == 0 && strchr(name, '.'))
        return colony_fail(err, -EINVAL,
                           "cannot use the name `%s`: it has a dot, which comes before a state "
                           "(only an alias may have one)",
                           name);
    return rc;
}

void colony__session_date(char date[DATE_SIZE])
{
    time_t now = time(NULL);
    struct tm utc;

    (void)gmtime_r(&now, &utc);
    (void)strftime(date, DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

void colony__strings_free(char **strings)
{
    for (char **string = strings; string && *string; string++)
        free(*string);
    free(strings);
}

int colony__strings_copy(char ***out, char *const *strings)
{
    size_t count = 0;
    char **copy;

    *out = NULL;
    if (!strings)
        return 0;
    while (strings[count])
        count++;
    copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(strings[i]);
        if (!copy[i]) {
            colony__strings_free(copy);
            copy = NULL;
        }
    }
    *out = copy;
    return copy ? 0 : -ENOMEM;
}

bool colony__strings_equal(char *const *left, char *const *right)
{
    if (!left || !right)
        return left == right;
    for (; *left && *right; left++, right++)
        if (strcmp(*left, *right) != 0)
            return false;
    return *left == *right;
}

static int compare_strings(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void colony__strings_sort(char **strings)
{
    size_t count = 0;

    while (strings && strings[count])
        count++;
    if (count > 1)
        qsort(strings, count, sizeof *strings, compare_strings);
}

void colony_session_process_clear(struct colony_session_process *process)
{
    free(process->name);
    free(process->alias);
    free(process->uri);
    free(process->state);
    free(process->boot);
    free(process->date);
    free(process->cwd);
    colony__strings_free(process->cmdline);
    colony__strings_free(process->env);
    colony__strings_free(process->keywords);
    free(process->uid);
    free(process->gid);
    colony__strings_free(process->groups);
    *process = (struct colony_session_process){0};
}

static int copy_text(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return text && !*out ? -ENOMEM : 0;
}

int colony_session_process_copy(struct colony_session_process *out,
                                const struct colony_session_process *process)
{
    struct colony_session_process copy = {
        .pid = process->pid,
        .start_ticks = process->start_ticks,
        .restart = process->restart,
        .shutdown = process->shutdown,
    };

    if (copy_text(&copy.name, process->name) < 0 || copy_text(&copy.alias, process->alias) < 0 ||
        copy_text(&copy.uri, process->uri) < 0 || copy_text(&copy.state, process->state) < 0 ||
        copy_text(&copy.boot, process->boot) < 0 || copy_text(&copy.date, process->date) < 0 ||
        copy_text(&copy.cwd, process->cwd) < 0 ||
        colony__strings_copy(&copy.cmdline, process->cmdline) < 0 ||
        colony__strings_copy(&copy.env, process->env) < 0 ||
        colony__strings_copy(&copy.keywords, process->keywords) < 0 ||
        copy_text(&copy.uid, process->uid) < 0 || copy_text(&copy.gid, process->gid) < 0 ||
        colony__strings_copy(&copy.groups, process->groups) < 0) {
        colony_session_process_clear(&copy);
        return -ENOMEM;
    }
    *out = copy;
    return 0;
}

const char *colony_session_process_title(const struct colony_session_process *process)
{
    return process->alias ? process->alias : process->name;
}

void colony_session_list_clear(struct colony_session_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        colony_session_process_clear(&list->items[i]);
    free(list->items);
    *list = (struct colony_session_list){0};
}

struct colony_session_process *colony_session_list_find(const struct colony_session_list *list,
                                                        const char *word)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].alias && strcmp(list->items[i].alias, word) == 0)
            return &list->items[i];
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, word) == 0)
            return &list->items[i];
    return NULL;
}

int colony_session_list_complain(const struct colony_session_list *list, const char *word,
                                 struct colony_error *err)
{
    const char **names = calloc(list->count * 2 + 1, sizeof *names);
    const char *nearest;
    size_t count = 0;

    for (size_t i = 0; names && i < list->count; i++) {
        names[count++] = list->items[i].name;
        if (list->items[i].alias)
            names[count++] = list->items[i].alias;
    }
    nearest = names ? colony_name_nearest(word, names) : NULL;
    if (nearest)
        (void)colony_fail(err, -ENOENT, "there is no process %s: did you mean %s?", word, nearest);
    else
        (void)colony_fail(err, -ENOENT, "there is no process %s in this session", word);
    free(names);
    return -ENOENT;
}

int colony_session_process_find(struct colony_session_process *out,
                                struct colony_workspace *workspace, const char *word,
                                struct colony_error *err)
{
    struct colony_session_list list = {0};
    const struct colony_session_process *found;
    int rc = colony_session_list_read(&list, workspace, NULL, NULL, err);

    if (rc < 0)
        return rc;
    found = colony_session_list_find(&list, word);
    if (!found)
        rc = colony_session_list_complain(&list, word, err);
    else if (colony_session_process_copy(out, found) < 0)
        rc = colony_fail(err, -ENOMEM, "cannot read what is known of %s: out of memory", word);
    colony_session_list_clear(&list);
    return rc;
}

static char boot_id[COLONY_SESSION_BOOT_SIZE];

static void read_boot_id(void)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : read(fd, boot_id, sizeof boot_id - 1);

    if (fd >= 0)
        (void)close(fd);
    boot_id[count > 0 ? count : 0] = '\0';
    boot_id[strcspn(boot_id, "\n")] = '\0';
}

int colony_session_boot_id(char boot[COLONY_SESSION_BOOT_SIZE])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* it does not change while we live */

    (void)pthread_once(&once, read_boot_id);
    memcpy(boot, boot_id, sizeof boot_id);
    return boot[0] == '\0' ? -EIO : 0;
}

/* Its pid is still its own: of this boot, and begun at that moment. */
static bool is_own(const struct colony_session_process *process)
{
    char boot[COLONY_SESSION_BOOT_SIZE];

    return process->start_ticks != 0 && process->boot && colony_session_boot_id(boot) == 0 &&
           strcmp(boot, process->boot) == 0 &&
           colony_proc_start_ticks(process->pid) == process->start_ticks &&
           colony_proc_is_running(process->pid);
}

int colony_session_process_pidfd(const struct colony_session_process *process)
{
    int fd;

    if (process->pid <= 0)
        return -ESRCH;
    fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    if (fd < 0)
        return errno == EINVAL ? -ESRCH : -errno;
    if (is_own(process)) /* asked after it is held, so that it cannot become another's between */
        return fd;
    (void)close(fd);
    return -ESRCH;
}

bool colony_session_process_is_alive(const struct colony_session_process *process)
{
    int pidfd = colony_session_process_pidfd(process);

    if (pidfd >= 0)
        (void)close(pidfd);
    return pidfd >= 0;
}
