/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "session/observe.h"
#include "session/process.h"
#include "session/workspace_internal.h"

enum {
    MS_PER_S = 1000,
    NS_PER_MS = 1000000,
};

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * MS_PER_S + (uint64_t)now.tv_nsec / NS_PER_MS;
}

/* It was more than starting when somebody looked at it in this life. */
static bool is_settled(const struct colony_session_process *process)
{
    return process->state && strcmp(process->state, COLONY_STATE_STARTING) != 0 &&
           strcmp(process->state, COLONY_STATE_STOPPED) != 0;
}

/* When the file of what was seen last was written, on the clock that runs since boot; 0: there is
 * none, or it is older than the process. */
static uint64_t seen_at_ms(struct colony_workspace *workspace,
                           const struct colony_session_process *process)
{
    uint64_t now_ms = clock_ms(CLOCK_BOOTTIME);
    uint64_t wall_ms = clock_ms(CLOCK_REALTIME);
    uint64_t started_ms = process->start_ticks * MS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t written_ms;
    char path[WORKSPACE_PATH_MAX];
    struct stat info;

    (void)snprintf(path, sizeof path, "fp/%s.yaml", process->name);
    if (fstatat(colony_workspace_fd(workspace), path, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    written_ms =
        (uint64_t)info.st_mtim.tv_sec * MS_PER_S + (uint64_t)info.st_mtim.tv_nsec / NS_PER_MS;
    if (written_ms > wall_ms || wall_ms - written_ms > now_ms)
        return 0; /* the clock was set, or it is of an earlier boot */
    written_ms = now_ms - (wall_ms - written_ms);
    return written_ms >= started_ms ? written_ms : 0;
}

int colony_observer_init(struct colony_observer *observer, struct colony_workspace *workspace,
                         const struct colony_session_process *process, uint64_t period_ms,
                         struct colony_error *err)
{
    struct colony_live_state *live = &observer->live;
    int rc;

    *observer = (struct colony_observer){.period_ms = period_ms};
    rc = colony_saved_states_load(&observer->saved, workspace, process->name, err);
    if (rc < 0)
        return rc;
    if (is_settled(process))
        colony_live_state_settle(live);
    live->last_ms = seen_at_ms(workspace, process);
    /* a file that cannot be used is as good as none: it is written anew */
    live->has_last = live->last_ms > 0 && colony_fingerprint_load(&live->last, workspace,
                                                                  process->name, NULL, NULL) == 0;
    observer->has_news = !live->has_last;
    return 0;
}

void colony_observer_clear(struct colony_observer *observer)
{
    colony_live_state_clear(&observer->live);
    colony_saved_states_clear(&observer->saved);
    *observer = (struct colony_observer){0};
}

int colony_observer_look(struct colony_observer *observer, pid_t pid,
                         const struct colony_socket_table *sockets, const char **state,
                         struct colony_error *err)
{
    struct colony_fingerprint now = {0};
    struct colony_state_look look = {
        .now = &now, .now_ms = clock_ms(CLOCK_BOOTTIME), .period_ms = observer->period_ms};
    int rc = colony_fingerprint_take(&now, pid, sockets, err);

    if (rc < 0)
        return rc;
    if (!observer->live.has_last || !colony_fingerprint_is_equal(&observer->live.last, &now))
        observer->has_news = true;
    *state = colony_live_state_look(&observer->live, &observer->saved, &look);
    return 0;
}

static int note_state(struct colony_workspace *workspace, struct colony_session_process *process,
                      const char *state, struct colony_error *err)
{
    char *copy;

    if (process->state && strcmp(process->state, state) == 0)
        return 0;
    copy = strdup(state);
    if (!copy)
        return colony_fail_os(err, -ENOMEM, "cannot note the state of %s",
                              colony_session_process_title(process));
    free(process->state);
    process->state = copy;
    return colony_session_process_put_life(workspace, process, 1, err);
}

int colony_observer_note(struct colony_observer *observer, struct colony_workspace *workspace,
                         struct colony_session_process *process, const char *state,
                         struct colony_error *err)
{
    int rc = 0;

    if (observer->has_news)
        rc = colony_fingerprint_save(&observer->live.last, workspace, process->name, NULL, err);
    if (rc < 0)
        return rc;
    observer->has_news = false;
    return state ? note_state(workspace, process, state, err) : 0;
}
