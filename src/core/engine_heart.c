/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_heart.c - looks at the files that processes touch to say that they live, on threads of
 * libuv's, because a disk may hang.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utlist.h>

#include "core/engine_health_internal.h"
#include "core/engine_internal.h"
#include "core/log.h"
#include "core/payload.h"

enum {
    OWN_LOOKS_MAX = 1,
    USERS_LOOKS_MAX = 2,
    LOOK_LATER_MS = 1000, /* when there is no memory for one */
    HEART_FINENESS = 100, /* of a period: what is looked at too early is looked at twice */
};

/*
 * Looks of this loop's engine, a few at a time and the rest in turn: the pool has four threads, and
 * others need some. Hearts that users have chosen the place of cannot hold up colony's own.
 */
static __thread struct lane {
    unsigned count; /* under way */
    struct slot_health *waiting;
} own_lane, users_lane;

/* A look at a heart, which goes on by itself when nobody waits for it any more. */
struct look {
    uv_work_t work;
    struct lane *lane;
    struct slot_health *health; /* NULL: nobody waits */
    int rc;
    int64_t at_ms;
    struct colony_error err;
    char path[PATH_MAX];
};

static int find_heart(const struct slot *slot, char *path, size_t size)
{
    const struct colony_template *template = slot->entry->template;

    return colony_payload_heart_path(path, size, template, slot->number,
                                     slot->entry->engine->keeper->state_dir);
}

static void look(uv_work_t *work)
{
    struct look *look = work->data;

    look->rc = colony_heartbeat_look(look->path, NULL, &look->at_ms, &look->err);
}

/* Too late by how much it is touched too late, whenever one looks. */
static void judge(struct slot_health *health, int64_t at_ms)
{
    uint64_t period_ms = engine_health_settings(health)->period_ms;
    uint64_t now = engine_boot_ms();
    uint64_t age_ms =
        colony_heartbeat_age(&health->heart, at_ms, (int64_t)colony_wall_now_ms(), now);
    char why[CAUSE_SIZE] = "has never touched its heart";

    if (age_ms <= period_ms) {
        /* Due again when this beat is too old. */
        health->begun_boot_ms = now - age_ms + period_ms / HEART_FINENESS + 1;
        engine_health_conclude(health, true, "");
        return;
    }
    if (at_ms != 0)
        (void)snprintf(why, sizeof why, "has not touched its heart for %.1f s",
                       (double)age_ms / 1000);
    engine_health_conclude(health, false, why);
}

/* What cannot be looked at is not judged. */
static void put_off(struct slot_health *health, const struct colony_error *err)
{
    const struct slot *slot = health->slot;

    if (err->code != 0 && strncmp(health->note, err->message, sizeof health->note - 1) != 0)
        colony_log(SEVERITY_ERROR, "cannot check %s.%u: %s", slot->entry->template->name,
                   slot->number, err->message);
    (void)snprintf(health->note, sizeof health->note, "%.*s", CAUSE_SIZE - 1, err->message);
    health->is_checking = false;
    health->due_boot_ms = engine_boot_ms() + engine_health_settings(health)->period_ms;
    engine_run_arm(health->slot);
}

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-*): the macros of utlist are counted as if written here */
static void wait_for_lane(struct lane *lane, struct slot_health *health)
{
    DL_APPEND(lane->waiting, health);
    health->is_waiting = true;
}

static void leave_lane(struct lane *lane, struct slot_health *health)
{
    if (health->is_waiting)
        DL_DELETE(lane->waiting, health);
    health->is_waiting = false;
}
/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-*) */

static struct lane *lane_of(const struct slot_health *health)
{
    return engine_health_settings(health)->text ? &users_lane : &own_lane;
}

static void on_looked(uv_work_t *work, int status)
{
    struct look *done = work->data;
    struct slot_health *health = done->health;
    struct lane *lane = done->lane;
    struct slot_health *next;

    lane->count--;
    if (health) {
        health->look = NULL;
        if (status == 0 && (done->rc == 0 || done->rc == -ENOENT))
            judge(health, done->rc == 0 ? done->at_ms : 0);
        else
            put_off(health, &done->err);
    }
    free(done);
    next = lane->waiting;
    if (!next)
        return;
    leave_lane(lane, next);
    engine_heart_begin(next);
}

static void look_later(struct slot_health *health)
{
    health->is_checking = false;
    health->due_boot_ms = engine_boot_ms() + LOOK_LATER_MS;
    engine_run_arm(health->slot);
}

void engine_heart_begin(struct slot_health *health)
{
    struct lane *lane = lane_of(health);
    struct look *new;

    if (lane->count >= (lane == &own_lane ? OWN_LOOKS_MAX : USERS_LOOKS_MAX)) {
        wait_for_lane(lane, health);
        return;
    }
    new = calloc(1, sizeof *new);
    if (!new) {
        look_later(health);
        return;
    }
    new->health = health;
    new->lane = lane;
    new->work.data = new;
    if (find_heart(health->slot, new->path, sizeof new->path) < 0 ||
        uv_queue_work(health->slot->entry->engine->loop, &new->work, look, on_looked) < 0) {
        free(new);
        look_later(health);
        return;
    }
    lane->count++;
    health->look = new;
}

/* A file of the slot's own, which nobody but its process can touch: a new one for each process. */
int engine_heart_make(const struct slot *slot, struct colony_error *err)
{
    const struct colony_health_settings *settings = slot->entry->template->health;
    uid_t uid = engine_run_uid(slot);
    char path[PATH_MAX];
    char *slash;
    int fd;
    int rc;

    if (settings->kind != HEALTH_HEARTBEAT || settings->text)
        return 0;
    rc = find_heart(slot, path, sizeof path);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot name the heart of %s", slot->entry->template->name);
    slash = strrchr(path, '/');
    *slash = '\0';
    if (mkdir(path, 0711) == 0) /* a colony before this one made the state folder */
        (void)chmod(path, 0711);
    *slash = '/';
    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot make the heart %s", path);
    if (uid != geteuid() && fchown(fd, uid, (gid_t)-1) < 0)
        rc = colony_fail_os(err, -errno,
                            "cannot give the heart %s to its process: use `heartbeat: PATH`", path);
    (void)close(fd);
    return rc;
}

void engine_heart_end(struct slot_health *health)
{
    leave_lane(lane_of(health), health);
    if (!health->look)
        return;
    (void)uv_cancel((uv_req_t *)&health->look->work); /* one that runs comes back by itself */
    health->look->health = NULL;
    health->look = NULL;
}
