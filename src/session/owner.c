/* SPDX-License-Identifier: Apache-2.0 */
#include "session/owner_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/template.h"
#include "session/process_internal.h"

enum {
    STATUS_SIZE = 64 << 10, /* with very many groups */
};

bool colony__owner_is_number(const char *text)
{
    char *end;
    unsigned long long number;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && number < UINT32_MAX;
}

/* "\nUid:\t1000\t…": the number after @key, which is the real one. NULL: it is not there. */
static const char *find_line(const char *status, const char *key)
{
    const char *line = strstr(status, key);

    return line ? line + strlen(key) + strspn(line + strlen(key), "\t ") : NULL;
}

static char *copy_number(const char *at)
{
    return strndup(at, strspn(at, "0123456789"));
}

/* NULL: no memory. */
static char **copy_groups(const char *at)
{
    char **groups = calloc(COLONY_GROUPS_MAX + 1, sizeof *groups);

    for (size_t i = 0; groups && i < COLONY_GROUPS_MAX && *at >= '0' && *at <= '9'; i++) {
        groups[i] = copy_number(at);
        if (!groups[i]) {
            colony__strings_free(groups);
            return NULL;
        }
        at += strspn(at, "0123456789");
        at += strspn(at, "\t ");
    }
    return groups;
}

static int read_status(char *text, int folder)
{
    int fd = openat(folder, "status", O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : read(fd, text, STATUS_SIZE - 1);

    if (fd >= 0)
        (void)close(fd);
    text[count > 0 ? count : 0] = '\0';
    return count > 0 ? 0 : -ESRCH;
}

/* A program with the bit of setuid gets its rights again by itself: who started it counts. */
int colony__owner_read(struct colony_session_process *out, int folder)
{
    char *text = malloc(STATUS_SIZE);
    int rc = text ? read_status(text, folder) : -ENOMEM;
    const char *uid = rc == 0 ? find_line(text, "\nUid:") : NULL;
    const char *gid = rc == 0 ? find_line(text, "\nGid:") : NULL;
    const char *groups = rc == 0 ? find_line(text, "\nGroups:") : NULL;

    if (rc == 0 && (!uid || !gid || !groups))
        rc = -ESRCH;
    if (rc == 0 && strtoul(uid, NULL, 10) != geteuid()) {
        out->uid = copy_number(uid);
        out->gid = copy_number(gid);
        out->groups = copy_groups(groups);
        rc = out->uid && out->gid && out->groups ? 0 : -ENOMEM;
    }
    free(text);
    return rc;
}

int colony__owner_identity(struct colony_identity *out,
                           const struct colony_session_process *process, struct colony_error *err)
{
    *out = (struct colony_identity){0};
    if (!process->uid && !process->gid && !process->groups)
        return 0;
    if (!process->uid || !process->gid)
        return colony_fail(err, -EINVAL,
                           "cannot start %s: `uid` and `gid` of its file in etc belong together, "
                           "and `groups` to them",
                           colony_session_process_title(process));
    out->uid = (uid_t)strtoul(process->uid, NULL, 10);
    out->gid = (gid_t)strtoul(process->gid, NULL, 10);
    for (char **group = process->groups; group && *group; group++)
        if (out->group_count < COLONY_GROUPS_MAX)
            out->groups[out->group_count++] = (gid_t)strtoul(*group, NULL, 10);
    out->is_set = true;
    return 0;
}
