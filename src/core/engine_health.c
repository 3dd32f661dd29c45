/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_health.c - whether a process that is ready is well: `health:` of a template.
 *
 * A check by http, tcp or exec is one try of what `ready:` has for it; a heart is looked at on a
 * thread of libuv's, because its disk may hang. When the next one is due is a deadline of the run's
 * (engine_run.c): there is no timer more. What goes on is never begun again beside itself.
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

#include "core/engine_internal.h"
#include "core/heartbeat.h"
#include "core/http_client.h"
#include "core/log.h"
#include "core/payload.h"
#include "core/ready.h"

enum {
    OWN_LOOKS_MAX = 1,
    USERS_LOOKS_MAX = 2,
    LOOK_LATER_MS = 1000, /* when there is no memory for one */
    HEART_FINENESS = 100, /* of a period: what is looked at too early is looked at twice */
};

enum health_state {
    HEALTH_UNKNOWN, /* it has not been checked yet */
    HEALTH_GOOD,
    HEALTH_BAD,
};

struct lane;

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

struct slot_health {
    struct colony_engine *engine;
    struct slot *slot; /* not once it is closing */
    enum health_state state;
    bool has_begun; /* ready, and in its grace or beyond */
    bool is_checking;
    uint64_t due_boot_ms;   /* the next check; 0: one is under way, or it has not begun */
    uint64_t begun_boot_ms; /* the last one */
    uint32_t bad;           /* failures in a row */
    struct colony_heartbeat heart;
    struct look *look;
    bool is_waiting; /* in its lane */
    struct slot_health *prev;
    struct slot_health *next;
    struct colony_ready *probe;            /* NULL: it is a heart */
    struct colony_ready_settings settings; /* of the probe */
    struct colony_template template;       /* that has nothing but those */
    char note[CAUSE_SIZE];                 /* how the last check failed, or "" */
};

/*
 * Looks of this loop's engine, a few at a time and the rest in turn: the pool has four threads, and
 * others need some. Hearts that users have chosen the place of cannot hold up colony's own.
 */
static __thread struct lane {
    unsigned count; /* under way */
    struct slot_health *waiting;
} own_lane, users_lane;

static const struct colony_health_settings *settings_of(const struct slot_health *health)
{
    return health->slot->entry->template->health;
}

/* --- what is seen of it ----------------------------------------------------------------------- */

static const char *const state_names[] = {
    [HEALTH_UNKNOWN] = "unknown", [HEALTH_GOOD] = "healthy", [HEALTH_BAD] = "unhealthy"};

const char *engine_health_state(const struct slot *slot)
{
    const struct slot_health *health = engine_run_health(slot);

    if (slot->entry->template->health->kind == HEALTH_NONE)
        return NULL;
    return state_names[health ? health->state : HEALTH_UNKNOWN];
}

const char *engine_health_note(const struct slot_health *health)
{
    return health ? health->note : "";
}

bool engine_health_is_good(const struct slot_health *health)
{
    return health && health->state == HEALTH_GOOD;
}

uint64_t engine_health_due(const struct slot_health *health)
{
    return health ? health->due_boot_ms : 0;
}

/* --- what is made of a check ------------------------------------------------------------------ */

/* False: the slot has been moved on meanwhile, and @health may be gone. */
static bool tell(struct slot_health *health, enum health_state state, const char *text)
{
    struct slot *slot = health->slot;
    uint32_t moves = slot->moves;

    if (health->state == state)
        return true;
    health->state = state;
    if (state == HEALTH_GOOD || settings_of(health)->then == HEALTH_REPORT) /* else its stop says */
        colony_log(state == HEALTH_GOOD ? SEVERITY_INFO : SEVERITY_WARNING, "%s.%u is %s%s%s",
                   slot->entry->template->name, slot->number, state_names[state],
                   text[0] != '\0' ? ": " : "", text);
    engine_publish_process(slot, state == HEALTH_GOOD ? EVENT_HEALTHY : EVENT_UNHEALTHY, text);
    if (slot->moves == moves && state == HEALTH_GOOD)
        engine_gates_on_healthy(slot->entry);
    return slot->moves == moves;
}

static void on_good(struct slot_health *health)
{
    char text[CAUSE_SIZE] = "";

    if (health->state == HEALTH_BAD)
        (void)snprintf(text, sizeof text, "after %u checks that failed", health->bad);
    health->bad = 0;
    health->note[0] = '\0';
    (void)tell(health, HEALTH_GOOD, text);
}

static void on_bad(struct slot_health *health, const char *why)
{
    struct slot *slot = health->slot;
    char text[CAUSE_SIZE];

    (void)snprintf(health->note, sizeof health->note, "%s", why);
    if (health->bad < UINT32_MAX)
        health->bad++;
    if (health->bad <= settings_of(health)->max_bad)
        return;
    (void)snprintf(text, sizeof text, "%s", why);
    if (!tell(health, HEALTH_BAD, text) || settings_of(health)->then != HEALTH_RESTART)
        return;
    engine_slot_because(slot, "is unhealthy: %s", text);
    engine_slot_fail(slot);
}

/* The next one is due a period after this one was begun. */
static void conclude(struct slot_health *health, bool is_good, const char *why)
{
    struct slot *slot = health->slot;
    uint32_t moves = slot->moves;

    health->is_checking = false;
    health->due_boot_ms = health->begun_boot_ms + settings_of(health)->period_ms;
    if (is_good)
        on_good(health);
    else
        on_bad(health, why);
    if (slot->moves == moves)
        engine_run_arm(slot);
}

/* --- a try of what `ready` has ---------------------------------------------------------------- */

static void on_news(enum colony_ready_news news, const char *text, uint64_t ms, void *data)
{
    struct slot_health *health = data;

    (void)ms;
    if (!health->is_checking || (news != READY_NEWS_READY && news != READY_NEWS_TRIED))
        return;
    colony_ready_end(health->probe); /* one try only */
    conclude(health, news == READY_NEWS_READY, text);
}

static void begin_try(struct slot_health *health)
{
    int rc = colony_ready_begin(health->probe, 0, NULL, true);

    if (rc < 0)
        conclude(health, false, strerror(-rc));
}

static int make_probe(struct slot_health *health)
{
    static const enum colony_ready_kind kinds[] = {
        [HEALTH_HTTP] = READY_HTTP, [HEALTH_TCP] = READY_TCP, [HEALTH_EXEC] = READY_EXEC};
    const struct colony_health_settings *settings = settings_of(health);
    const struct colony_ready_runner runner = {.run = engine_check_run,
                                               .cancel = engine_check_cancel,
                                               .slot = health->slot,
                                               .http = engine_http};
    const struct colony_ready_options options = {
        .loop = health->slot->entry->engine->loop,
        .template = &health->template,
        .runner = &runner,
        .cb = on_news,
        .data = health,
    };

    if (settings->kind == HEALTH_HEARTBEAT)
        return 0;
    health->settings = (struct colony_ready_settings){
        .kind = kinds[settings->kind],
        .text = settings->text,
        .interval_ms = settings->period_ms,
        .try_ms = settings->timeout_ms,
    };
    health->template.name = health->slot->entry->template->name;
    health->template.ready = &health->settings;
    return colony_ready_new(&health->probe, &options);
}

/* --- hearts ----------------------------------------------------------------------------------- */

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
    uint64_t period_ms = settings_of(health)->period_ms;
    uint64_t now = engine_boot_ms();
    uint64_t age_ms =
        colony_heartbeat_age(&health->heart, at_ms, (int64_t)colony_wall_now_ms(), now);
    char why[CAUSE_SIZE] = "has never touched its heart";

    if (age_ms <= period_ms) {
        /* Due again when this beat is too old. */
        health->begun_boot_ms = now - age_ms + period_ms / HEART_FINENESS + 1;
        conclude(health, true, "");
        return;
    }
    if (at_ms != 0)
        (void)snprintf(why, sizeof why, "has not touched its heart for %.1f s",
                       (double)age_ms / 1000);
    conclude(health, false, why);
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
    health->due_boot_ms = engine_boot_ms() + settings_of(health)->period_ms;
    engine_run_arm(health->slot);
}

static void begin_look(struct slot_health *health);

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
    return settings_of(health)->text ? &users_lane : &own_lane;
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
    begin_look(next);
}

static void look_later(struct slot_health *health)
{
    health->is_checking = false;
    health->due_boot_ms = engine_boot_ms() + LOOK_LATER_MS;
    engine_run_arm(health->slot);
}

static void begin_look(struct slot_health *health)
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
static int make_heart(const struct slot *slot, struct colony_error *err)
{
    uid_t uid = engine_run_uid(slot);
    char path[PATH_MAX];
    char *slash;
    int fd;
    int rc = find_heart(slot, path, sizeof path);

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

static bool has_own_heart(const struct slot *slot)
{
    const struct colony_health_settings *settings = slot->entry->template->health;

    return settings->kind == HEALTH_HEARTBEAT && !settings->text;
}

/* --- what the run asks of it ------------------------------------------------------------------ */

/* When it is due. */
void engine_health_check(struct slot_health *health)
{
    health->due_boot_ms = 0;
    health->is_checking = true;
    health->begun_boot_ms = engine_boot_ms();
    if (health->probe)
        begin_try(health);
    else
        begin_look(health);
}

/* It is ready, or has been: the grace begins the first time. */
void engine_health_begin(struct slot_health *health, uint64_t now)
{
    if (!health || health->has_begun)
        return;
    health->has_begun = true;
    health->due_boot_ms = now + settings_of(health)->grace_ms;
}

/* Its process has ended, or is being stopped. */
void engine_health_end(struct slot_health *health)
{
    if (!health)
        return;
    if (health->look) {
        (void)uv_cancel((uv_req_t *)&health->look->work); /* one that runs comes back by itself */
        health->look->health = NULL;
    }
    leave_lane(lane_of(health), health);
    health->is_checking = false; /* first: what the end of a try tells is not heard */
    if (health->probe)
        colony_ready_end(health->probe);
    health->look = NULL;
    health->state = HEALTH_UNKNOWN;
    health->has_begun = false;
    health->due_boot_ms = 0;
    health->bad = 0;
    health->heart = (struct colony_heartbeat){0};
    health->note[0] = '\0';
}

/* Before the order to spawn. */
int engine_health_expect(const struct slot *slot, struct colony_error *err)
{
    return has_own_heart(slot) ? make_heart(slot, err) : 0;
}

/* Another template with the same checks. */
void engine_health_set_template(struct slot_health *health)
{
    if (!health)
        return;
    health->settings.text = settings_of(health)->text;
    health->template.name = health->slot->entry->template->name;
}

int engine_health_new(struct slot_health **out, struct slot *slot)
{
    struct slot_health *health = calloc(1, sizeof *health);
    int rc;

    if (!health)
        return -ENOMEM;
    health->slot = slot;
    health->engine = slot->entry->engine;
    rc = make_probe(health);
    if (rc < 0) {
        free(health);
        return rc;
    }
    *out = health;
    return 0;
}

static void on_probe_closed(void *data)
{
    struct slot_health *health = data;
    struct colony_engine *engine = health->engine;

    free(health);
    engine_on_part_closed(engine);
}

void engine_health_free(struct slot_health *health)
{
    if (!health)
        return;
    engine_health_end(health);
    if (!health->probe) {
        free(health);
        return;
    }
    health->engine->open_handles++;
    colony_ready_close(health->probe, on_probe_closed, health); /* which still knows its settings */
}
