/* SPDX-License-Identifier: Apache-2.0 */
/* object.c - controllers in shared objects: who may write them, what they must have. */
#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "lib/controllers_internal.h"

#define SYMBOL "colony_controller_main"

static int check_trust(const char *path, const char *what, struct colony_error *err)
{
    struct stat info;

    if (stat(path, &info) < 0)
        return colony_fail_os(err, -errno, "cannot load the controller %.300s", path);
    if ((info.st_uid == 0 || info.st_uid == geteuid()) && !(info.st_mode & (S_IWGRP | S_IWOTH)))
        return 0;
    return colony_fail(err, -EPERM,
                       "cannot load the controller %s%.300s: it is code, and must belong to root "
                       "or to who runs it and be writable by nobody else (chown, chmod go-w)",
                       what, path);
}

/* The file, and the folder in which another one could be put in its place. */
static int find(char real[PATH_MAX], const char *path, struct colony_error *err)
{
    char folder[PATH_MAX];
    int rc;

    if (!realpath(path, real))
        return colony_fail_os(err, -errno, "cannot load the controller %.300s", path);
    rc = check_trust(real, "", err);
    if (rc < 0)
        return rc;
    (void)snprintf(folder, sizeof folder, "%s", real);
    return check_trust(dirname(folder), "in ", err);
}

static int check(const struct colony_controller *controller, const char *path,
                 struct colony_error *err)
{
    if (controller->interface != COLONY_INTERFACE)
        return colony_fail(err, -ENOTSUP,
                           "cannot load the controller %.300s: it was built for interface %u of "
                           "colony.h, this is colony %s with interface %u",
                           path, controller->interface, COLONY_VERSION, COLONY_INTERFACE);
    if (!controller->name || !controller->create)
        return colony_fail(err, -EINVAL,
                           "cannot load the controller %.300s: " SYMBOL " has no name or no create",
                           path);
    return 0;
}

int colony__object_open(void **library, const struct colony_controller **out, const char *path,
                        struct colony_error *err)
{
    const struct colony_controller *controller;
    char real[PATH_MAX];
    void *opened;
    int rc = find(real, path, err);

    if (rc < 0)
        return rc;
    opened = dlopen(real, RTLD_NOW | RTLD_LOCAL);
    if (!opened)
        return colony_fail(err, -ENOEXEC, "cannot load the controller %.400s", dlerror());
    controller = dlsym(opened, SYMBOL);
    rc = controller ? check(controller, path, err)
                    : colony_fail(err, -ENOEXEC,
                                  "cannot load the controller %.300s: it has no " SYMBOL, path);
    if (rc < 0) {
        (void)dlclose(opened);
        return rc;
    }
    *library = opened;
    *out = controller;
    return 0;
}

void colony__object_close(void *library)
{
    (void)dlclose(library);
}
