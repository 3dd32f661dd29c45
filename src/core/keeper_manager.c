/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper_manager.c - what the keeper tells the service manager that runs it, and nobody else does:
 * that it serves, reloads, stops and lives, and which processes are to outlive the service.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/keeper_internal.h"
#include "core/log.h"

enum {
    PINGS_A_WATCHDOG = 4, /* the engine is killed before the manager would kill us */
    MISSED_MAX = 2,       /* after one we may have been halted ourselves, and its answer be there */
    STATUS_PAUSE_MS = 1000,
    TEXT_SIZE = 600,
};

void keeper_open_manager(struct keeper *keeper)
{
    colony_manager_open(&keeper->manager);
    if (keeper->manager.watchdog_ms > 0)
        keeper->ping_at_ms = keeper_now_ms() + keeper->manager.watchdog_ms / PINGS_A_WATCHDOG;
}

/* @first, lines that end with a newline, then what runs. */
static void tell(struct keeper *keeper, const char *first)
{
    const char *how = keeper->is_asked_to_end   ? "stops: "
                      : keeper->engine_is_ready ? ""
                                                : "the engine starts: ";
    const char *problem = keeper->reload_problem;
    char text[TEXT_SIZE];

    if (keeper->manager.fd < 0)
        return;
    keeper->status_at_ms = 0;
    keeper->status_told_ms = keeper_now_ms();
    keeper->living_told = keeper->living;
    (void)snprintf(text, sizeof text, "%sSTATUS=%s%" PRIu32 " process%s run%s%s%s", first, how,
                   keeper->living, keeper->living == 1 ? "" : "es", keeper->living == 1 ? "s" : "",
                   problem[0] ? "; the settings are not those of the file: " : "", problem);
    colony_manager_tell(&keeper->manager, text);
}

void keeper_tell_ready(struct keeper *keeper)
{
    keeper->pings_missed = 0;
    tell(keeper, keeper->manager.watchdog_ms > 0 ? "READY=1\nWATCHDOG=1\n" : "READY=1\n");
}

void keeper_tell_ending(struct keeper *keeper)
{
    tell(keeper, "STOPPING=1\n");
}

/* The time in microseconds: it must not be before the manager asked, if only by a part of one. */
void keeper_tell_reloading(struct keeper *keeper)
{
    struct timespec now;
    char first[80];

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(first, sizeof first, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
                   (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    tell(keeper, first);
}

void keeper_on_reloaded(struct keeper *keeper, const char *problem)
{
    (void)snprintf(keeper->reload_problem, sizeof keeper->reload_problem, "%s", problem);
    if (!keeper->is_asked_to_end)
        tell(keeper, "READY=1\n");
}

void keeper_on_alive(struct keeper *keeper)
{
    keeper->pings_missed = 0;
    tell(keeper, "WATCHDOG=1\n");
}

/* One that does not answer hangs: the keeper can do without the manager's help. */
static void ping(struct keeper *keeper, uint64_t now)
{
    keeper->ping_at_ms = now + keeper->manager.watchdog_ms / PINGS_A_WATCHDOG;
    if (!keeper->engine_is_ready || keeper->engine_pidfd < 0)
        return;
    if (keeper->pings_missed == 0)
        keeper_send_ping(keeper);
    if (keeper->pings_missed++ < MISSED_MAX)
        return;
    colony_log(SEVERITY_ERROR,
               "the engine has not answered for %" PRIu64 " ms: it is killed, processes go on",
               keeper->manager.watchdog_ms / PINGS_A_WATCHDOG * MISSED_MAX);
    keeper->pings_missed = 0;
    (void)syscall(SYS_pidfd_send_signal, keeper->engine_pidfd, SIGKILL, NULL, 0);
}

uint64_t keeper_run_manager(struct keeper *keeper, uint64_t now)
{
    if (keeper->manager.fd < 0)
        return 0;
    if (keeper->ping_at_ms != 0 && keeper->ping_at_ms <= now)
        ping(keeper, now);
    if (keeper->status_at_ms != 0 && keeper->status_at_ms <= now)
        tell(keeper, "");
    if (keeper->living != keeper->living_told && keeper->status_at_ms == 0 &&
        keeper->status_told_ms != 0)
        keeper->status_at_ms = keeper->status_told_ms + STATUS_PAUSE_MS;
    if (keeper->status_at_ms == 0 ||
        (keeper->ping_at_ms != 0 && keeper->ping_at_ms < keeper->status_at_ms))
        return keeper->ping_at_ms;
    return keeper->status_at_ms;
}

/* Detached processes. */

static void close_scopes(struct keeper *keeper)
{
    if (keeper->scopes_fd >= 0)
        (void)close(keeper->scopes_fd);
    keeper->scopes_fd = -1;
    keeper->scopes_asked = 0;
}

void keeper_ask_scope(struct keeper *keeper, const struct colony_record *record)
{
    int rc = 0;

    if (!keeper->options->is_managed)
        return;
    if (keeper->scopes_fd < 0) {
        keeper->scopes_fd = colony_manager_connect();
        rc = keeper->scopes_fd;
        if (rc >= 0)
            rc = keeper_watch(keeper, keeper->scopes_fd, SOURCE_SCOPES, 0);
    }
    if (rc >= 0)
        rc = colony_manager_ask_scope(keeper->scopes_fd, record->name, record->id, record->pid);
    if (rc == 0) {
        keeper->scopes_asked++;
        return;
    }
    close_scopes(keeper);
    colony_log(SEVERITY_WARNING, "%s.%u stays in the cgroup of colony's service: %s", record->name,
               record->slot, strerror(-rc));
}

void keeper_on_scopes(struct keeper *keeper)
{
    char why[256];
    int rc;

    if (keeper->scopes_fd < 0)
        return; /* closed in this turn of the loop */
    rc = colony_manager_read(keeper->scopes_fd, why, sizeof why);
    if (why[0] != '\0')
        colony_log(SEVERITY_WARNING,
                   "a detached process stays in the cgroup of colony's service: %s", why);
    if (rc < 0 || (uint32_t)rc >= keeper->scopes_asked)
        close_scopes(keeper); /* else each unit that changes would wake us */
    else
        keeper->scopes_asked -= (uint32_t)rc;
}
