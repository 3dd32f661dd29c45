/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - the state folder of an engine in this program, and what its keeper is started with. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/folder.h"
#include "core/paths.h"
#include "core/settings.h"
#include "lib/built_in_internal.h"
#include "lib/controllers_internal.h"
#include "lib/fds_internal.h"
#include "lib/life_internal.h"
#include "lib/sockets_internal.h"

/* Of its own: the keeper removes it, once one has begun. */
static int make_folder(struct colony *colony, char *path, size_t size, struct colony_error *err)
{
    const char *parent = getenv("TMPDIR");

    (void)snprintf(path, size, "%s/colony-XXXXXX", parent && *parent == '/' ? parent : "/tmp");
    if (!mkdtemp(path))
        return colony_fail_os(err, -errno, "cannot make a state folder");
    colony->options.is_temporary = true;
    return 0;
}

static int find_folder(struct colony *colony, char *path, size_t size, struct colony_error *err)
{
    const char *given = colony->state ? colony->state : colony->given->state_dir;

    if (!given && colony->leaves)
        return colony_fail(err, -EINVAL, "cannot start: what is left running needs a state folder");
    if (!given)
        return make_folder(colony, path, size, err);
    if ((size_t)snprintf(path, size, "%s", given) >= size)
        return colony_fail_os(err, -ENAMETOOLONG, "cannot use the state folder %s", given);
    return 0;
}

static int find_program(const struct colony *colony, char *out, size_t size,
                        struct colony_error *err)
{
    const char *program = colony->program ? colony->program : colony_installed_program();

    if ((size_t)snprintf(out, size, "%s", program) >= size)
        return colony_fail_os(err, -ENAMETOOLONG, "cannot run %s as keeper", program);
    return access(program, X_OK) < 0
               ? colony_fail_os(err, -errno, "cannot run %s as keeper", program)
               : 0;
}

/* The one of the settings is kept: another run may have that again. */
static int settle_name(struct colony *colony, struct colony_error *err)
{
    char **name = &colony->given->name;

    if (!colony->given_name) {
        colony->given_name = *name;
        *name = NULL;
    }
    free(*name);
    *name = strdup(colony->name ? colony->name : colony->given_name);
    return *name ? 0 : colony_fail(err, -ENOMEM, "cannot start: out of memory");
}

static int settle_settings(struct colony *colony, struct colony_error *err)
{
    int rc = 0;

    if (!colony->given)
        rc = colony_settings_load_text(&colony->given, "", 0, program_invocation_short_name, err);
    if (rc < 0)
        return rc;
    colony_settings_renew(colony->given); /* it may run a second time */
    if (colony->given->user.name)
        return colony_fail(err, -ENOTSUP,
                           "cannot use section `user`: the engine is in this program, and runs as "
                           "whom that runs");
    return settle_name(colony, err);
}

static int open_folder(struct colony *colony, struct colony_error *err)
{
    char path[PATH_MAX];
    int rc = find_folder(colony, path, sizeof path, err);

    if (rc == 0)
        rc = colony_state_dir_open(&colony->place, path, err);
    if (rc < 0)
        return rc;
    rc = colony__fd_lift(&colony->place.lock_fd);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot start");
    rc = colony_state_dir_make_engines(&colony->place, geteuid(), getegid(), err);
    if (rc == 0)
        rc = colony_state_dir_save_settings(&colony->place, colony->given, false, 0, err);
    return rc;
}

/* Those of the controllers that were added. */
static int open_sockets(struct colony *colony, struct colony_error *err)
{
    struct colony_keeper_options *options = &colony->options;
    const struct colony__controllers *controllers = colony->controllers;
    char path[PATH_MAX];
    const struct colony__sockets_plan plan = {
        .settings = colony->given,
        .control = colony__controllers_has(controllers, colony_http_controller()) ? path : NULL,
        .has_events = colony__controllers_has(controllers, colony_daemon_controller()),
        .has_rpc = colony__controllers_has(controllers, colony_rpc_controller()),
    };
    int rc;

    (void)snprintf(path, sizeof path, "%.4000s/colony.sock", colony->place.path);
    rc = colony__sockets_open(options, &plan, err);
    if (rc < 0) {
        colony_keeper_options_unlink(options);
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < options->socket_count; i++)
        rc = colony__fd_lift(&options->sockets[i].fd);
    return rc < 0 ? colony_fail_os(err, rc, "cannot start") : 0;
}

int colony__place_open(struct colony *colony, struct colony_error *err)
{
    struct colony_keeper_options *options = &colony->options;
    int rc;

    colony_keeper_options_init(options);
    rc = find_program(colony, options->program, sizeof options->program, err);
    if (rc == 0)
        rc = settle_settings(colony, err);
    if (rc == 0)
        rc = colony__built_in_check_added(colony->controllers, colony->given, err);
    if (rc == 0)
        rc = colony__built_in_check(colony->given, err);
    if (rc == 0)
        rc = open_folder(colony, err);
    if (rc < 0)
        return rc;
    options->lock_fd = colony->place.lock_fd;
    options->leaves = colony->leaves || colony->given->session.dir;
    (void)snprintf(options->state_dir, sizeof options->state_dir, "%s", colony->place.path);
    (void)snprintf(options->name, sizeof options->name, "%s", colony->given->name);
    if (colony->config)
        (void)snprintf(options->config, sizeof options->config, "%s", colony->config);
    return open_sockets(colony, err);
}

void colony__place_close(struct colony *colony)
{
    if (colony->child)
        return; /* its keeper has all of that */
    for (size_t i = 0; i < colony->options.socket_count; i++)
        (void)close(colony->options.sockets[i].fd);
    colony->options.socket_count = 0;
    if (colony->options.is_temporary && faccessat(colony->place.fd, "table", F_OK, 0) < 0)
        colony_folder_remove(colony->place.path);
    colony->options.is_temporary = false;
    colony_state_dir_close(&colony->place);
}
