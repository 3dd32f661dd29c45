/* SPDX-License-Identifier: Apache-2.0 */
#include "core/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/cgroup.h"
#include "core/error.h"
#include "core/sweep.h"
#include "core/template.h"

enum {
    PIDS_LOOKED_AT = 2,
};

static bool can_write(int folder, const char *file, uid_t uid)
{
    struct statvfs mount;
    struct stat info;

    if (fstatat(folder, file, &info, 0) < 0 || fstatvfs(folder, &mount) < 0 ||
        mount.f_flag & ST_RDONLY)
        return false;
    return uid == 0 || (info.st_uid == uid && info.st_mode & S_IWUSR);
}

/* A cgroup with members of its own hands nothing down; we leave it for a leaf. The root may. */
static bool is_in_the_way(int folder)
{
    pid_t pids[PIDS_LOOKED_AT];
    size_t count;

    if (faccessat(folder, "cgroup.type", F_OK, 0) < 0)
        return false;
    count = colony_proc_read_pids(folder, "cgroup.procs", pids, PIDS_LOOKED_AT);
    return count > 1 || (count == 1 && pids[0] != getpid());
}

void colony_limits_look(struct colony_limits_place *place, const char *path, uid_t uid)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    memset(place, 0, sizeof *place);
    if (folder < 0)
        return;
    (void)snprintf(place->path, sizeof place->path, "%s", path);
    if (can_write(folder, ".", uid)) { /* else not even a base can be made */
        place->controllers = colony_cgroup_controllers(folder, "cgroup.subtree_control");
        if (can_write(folder, "cgroup.subtree_control", uid) && !is_in_the_way(folder))
            place->controllers |= colony_cgroup_controllers(folder, "cgroup.controllers");
    }
    (void)close(folder);
}

static struct colony_limits_place here; /* the process's own; all zero: there is no cgroup2 */

static void find_here(void)
{
    char path[sizeof here.path];
    uid_t uid = geteuid();
    struct stat info;

    if (colony_cgroup_find_own(path, sizeof path) < 0 || stat(path, &info) < 0)
        return;
    if (colony_cgroup_leave_base(path))
        uid = info.st_uid; /* under `user:` we are not the keeper, which has made it */
    colony_limits_look(&here, path, uid);
}

static const struct colony_limits_place *this_place(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, find_here);
    return &here;
}

#define WHAT_TO_DO                                                                                 \
    "(run colony where it has this controller, as with Delegate=yes of systemd, or set "           \
    "limits.optional: true)"

int colony_limits_check_at(const struct colony_template *template,
                           const struct colony_limits_place *place, struct colony_error *err)
{
    const bool wanted[CONTROLLER_COUNT] = {
        [CONTROLLER_MEMORY] = template->limits->memory_bytes > 0,
        [CONTROLLER_CPU] = template->limits->cpu_milli > 0,
        [CONTROLLER_PIDS] = template->limits->pids > 0,
    };

    for (unsigned i = 0; i < CONTROLLER_COUNT && !template->limits->is_optional; i++) {
        const char *name = colony_cgroup_controller_name((enum colony_cgroup_controller)i);

        if (!wanted[i] || place->controllers & 1U << i)
            continue;
        if (place->path[0] == '\0')
            return colony_fail(err, -ENOTSUP,
                               "cannot limit %s of %s: there is no cgroup2 here " WHAT_TO_DO, name,
                               template->name);
        return colony_fail(err, -ENOTSUP,
                           "cannot limit %s of %s: the cgroup %.150s has no controller %s for "
                           "us " WHAT_TO_DO,
                           name, template->name, place->path, name);
    }
    return 0;
}

int colony_limits_check(const struct colony_template *template, struct colony_error *err)
{
    const struct colony_limits *limits = template->limits;

    if (limits->memory_bytes == 0 && limits->cpu_milli == 0 && limits->pids == 0)
        return 0;
    return colony_limits_check_at(template, this_place(), err);
}
