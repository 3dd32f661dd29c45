/* SPDX-License-Identifier: Apache-2.0 */
/* serve_place.c - where a colony stands: its user, its log, its pid file, fore- or background. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "core/settings.h"
#include "core/state_dir.h"
#include "serve_internal.h"

int serve_apply_user(struct colony_settings *settings, const char *name, struct colony_error *err)
{
    const struct passwd *user = getpwnam(name);
    struct colony_identity *engine = &settings->user.engine;
    int count = COLONY_GROUPS_MAX;

    if (geteuid() != 0)
        return colony_fail(err, -EINVAL, "cannot run the engine as %s: only root can", name);
    if (!user)
        return colony_fail(err, -EINVAL, "cannot run the engine as %s: no such user", name);
    free(settings->user.name);
    settings->user.name = strdup(name);
    if (!settings->user.name)
        return colony_fail_os(err, -ENOMEM, "cannot start");
    memset(engine, 0, sizeof *engine);
    engine->is_set = true;
    engine->uid = user->pw_uid;
    engine->gid = user->pw_gid;
    if (getgrouplist(name, user->pw_gid, engine->groups, &count) < 0)
        count = COLONY_GROUPS_MAX; /* it has more: those that fit */
    engine->group_count = (size_t)count;
    return 0;
}

/* What it is for ends the message: "pid file". */
static int place_file(char out[PATH_MAX], const char *path, const char *what,
                      struct colony_error *err)
{
    char folder[PATH_MAX] = "";

    if (!path)
        return 0;
    if (path[0] != '/' && !getcwd(folder, sizeof folder))
        return colony_fail_os(err, -errno, "cannot place the %s %s", what, path);
    if ((size_t)snprintf(out, PATH_MAX, "%s%s%s", folder, folder[0] ? "/" : "", path) >= PATH_MAX)
        return colony_fail_os(err, -ENAMETOOLONG, "cannot place the %s %s", what, path);
    return 0;
}

int serve_place_files(struct serve *serve, struct colony_error *err)
{
    int rc = place_file(serve->keeper.pidfile, serve->pidfile, "pid file", err);

    return rc < 0 ? rc : place_file(serve->keeper.config, serve->config, "configuration", err);
}

_Static_assert(sizeof((struct colony_keeper_options *)NULL)->config == PATH_MAX &&
                   sizeof((struct colony_keeper_options *)NULL)->pidfile == PATH_MAX,
               "a path of the keeper's holds any path");

/* The log becomes descriptor 2 once all is well; in the background it needs a file. */
int serve_open_log(struct serve *serve, struct colony_error *err)
{
    char path[PATH_MAX];
    int fd;

    if (serve->settings->log_file)
        (void)snprintf(path, sizeof path, "%.4000s", serve->settings->log_file);
    else if (serve->daemon)
        (void)snprintf(path, sizeof path, "%.4000s/colony.log", serve->state_dir.path);
    else
        return 0;
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot open the log %s", path);
    serve->log_fd = fd;
    return 0;
}

void serve_use_log(struct serve *serve)
{
    if (serve->log_fd < 0)
        return;
    (void)dup2(serve->log_fd, STDERR_FILENO);
    (void)close(serve->log_fd);
    serve->log_fd = -1;
}

/* Waits for the one byte that says how it went. */
static int wait_until_ready(int fd)
{
    char code = EXIT_FAILED;
    ssize_t count;

    do {
        count = read(fd, &code, 1);
    } while (count < 0 && errno == EINTR);
    if (count != 1 || code != EXIT_OK)
        (void)fprintf(stderr, "colony serve: cannot start: its log says why\n");
    return count == 1 ? code : EXIT_FAILED;
}

/*
 * Lock and sockets are the keeper's from now on: as long as we had them, too, its end would not be
 * seen, and who connects to it after that would wait in a queue of ours.
 */
static void leave_to_keeper(struct serve *serve)
{
    for (size_t i = 0; i < serve->keeper.socket_count; i++)
        (void)close(serve->keeper.sockets[i].fd);
    serve->keeper.socket_count = 0;
    colony_state_dir_close(&serve->state_dir);
    serve->keeper.lock_fd = -1;
}

bool serve_go_to_background(struct serve *serve, int *exit_code)
{
    int ready[2];
    int null;
    pid_t pid;

    if (pipe(ready) < 0 || (pid = fork()) < 0) {
        (void)fprintf(stderr, "colony serve: cannot go to the background: %s\n", strerror(errno));
        *exit_code = EXIT_FAILED;
        return true;
    }
    if (pid > 0) {
        (void)close(ready[1]);
        leave_to_keeper(serve);
        *exit_code = wait_until_ready(ready[0]);
        return true;
    }
    (void)close(ready[0]);
    (void)setsid();
    serve->keeper.ready_fd = ready[1];
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
    }
    return false;
}
