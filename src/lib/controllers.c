/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/built_in_internal.h"
#include "lib/controllers_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/settings.h"
#include "lib/life_internal.h"

struct item {
    const struct colony_controller *controller; /* NULL: its file is to be loaded */
    void *data;
    char *path; /* of the shared object; NULL: it is in this program */
    void *library;
    void *instance; /* NULL: none is made */
    bool is_made;
    bool is_started;
    bool is_built_in;
};

struct colony__controllers {
    struct colony *colony;
    struct item items[COLONY__CONTROLLERS_MAX]; /* in the order of their addition */
    size_t count;
    size_t to_close;
    void (*closed)(void *data);
    void *data;
};

int colony__controllers_new(struct colony__controllers **out, struct colony *colony)
{
    struct colony__controllers *controllers = calloc(1, sizeof *controllers);

    if (!controllers)
        return -ENOMEM;
    controllers->colony = colony;
    *out = controllers;
    return 0;
}

void colony__controllers_free(struct colony__controllers *controllers)
{
    if (!controllers)
        return;
    colony__controllers_drop_files(controllers);
    free(controllers);
}

/* Which there are. */

static struct item *find(struct colony__controllers *controllers, const char *name)
{
    for (size_t i = 0; i < controllers->count; i++) {
        const struct colony_controller *controller = controllers->items[i].controller;

        if (controller && strcmp(controller->name, name) == 0)
            return &controllers->items[i];
    }
    return NULL;
}

static int check_room(const struct colony__controllers *controllers, struct colony_error *err)
{
    if (controllers->count < COLONY__CONTROLLERS_MAX)
        return 0;
    return colony_fail(err, -ENOSPC, "cannot add a controller: %d at most",
                       COLONY__CONTROLLERS_MAX);
}

int colony__controllers_add(struct colony__controllers *controllers,
                            const struct colony_controller *controller, void *data,
                            struct colony_error *err)
{
    const struct colony_front *front = colony__built_in_front(controller);
    int rc = check_room(controllers, err);

    if (rc < 0)
        return rc;
    if (controller->interface != COLONY_INTERFACE)
        return colony_fail(err, -ENOTSUP,
                           "cannot add a controller of interface %u of colony.h: this is colony %s "
                           "with interface %u",
                           controller->interface, COLONY_VERSION, COLONY_INTERFACE);
    if (!controller->name || !controller->create)
        return colony_fail(err, -EINVAL, "cannot add a controller without name or create");
    if (find(controllers, controller->name))
        return colony_fail(err, -EEXIST, "cannot add the controller %.100s: there is one",
                           controller->name);
    controllers->items[controllers->count++] = (struct item){
        .controller = controller,
        .data = front ? (void *)front : data,
        .is_built_in = front != NULL,
    };
    return 0;
}

int colony__controllers_add_files(struct colony__controllers *controllers,
                                  const struct colony_settings *settings, struct colony_error *err)
{
    int rc = 0;

    for (char **path = settings->controllers; path && *path && rc == 0; path++) {
        struct item *item = &controllers->items[controllers->count];

        rc = check_room(controllers, err);
        if (rc < 0)
            break;
        *item = (struct item){.path = strdup(*path)};
        if (!item->path)
            rc = colony_fail(err, -ENOMEM, "cannot load controllers: out of memory");
        else
            controllers->count++;
    }
    return rc;
}

void colony__controllers_drop_files(struct colony__controllers *controllers)
{
    size_t kept = 0;

    for (size_t i = 0; i < controllers->count; i++) {
        struct item *item = &controllers->items[i];

        if (!item->path) {
            controllers->items[kept++] = *item;
            continue;
        }
        free(item->path);
        if (item->library)
            colony__object_close(item->library);
    }
    controllers->count = kept;
}

bool colony__controllers_has(const struct colony__controllers *controllers,
                             const struct colony_controller *controller)
{
    for (size_t i = 0; i < controllers->count; i++)
        if (controllers->items[i].controller == controller)
            return true;
    return false;
}

/* Their lives. */

/* What a controller of somebody else's says need not be told by it. */
static int tell(const struct item *item, int rc, const char *what, struct colony_error *err)
{
    if (rc >= 0 || err->code < 0)
        return rc;
    if (err->message[0] != '\0') {
        err->code = rc;
        return rc;
    }
    return colony_fail_os(err, rc, "cannot %s the controller %.100s", what, item->controller->name);
}

static int load(struct colony__controllers *controllers, struct item *item,
                struct colony_error *err)
{
    const struct colony_controller *controller;
    int rc;

    if (item->controller)
        return 0;
    rc = colony__object_open(&item->library, &controller, item->path, err);
    if (rc < 0)
        return rc;
    if (!find(controllers, controller->name)) {
        item->controller = controller;
        return 0;
    }
    rc = colony_fail(err, -EEXIST, "cannot load the controller %.300s: there is one called %.100s",
                     item->path, controller->name);
    colony__object_close(item->library);
    item->library = NULL;
    return rc;
}

static int make(struct colony__controllers *controllers, struct item *item,
                struct colony_error *err)
{
    int rc;

    if (item->is_made)
        return 0;
    rc = tell(item, item->controller->create(&item->instance, controllers->colony, item->data, err),
              "make", err);
    item->is_made = rc >= 0;
    return rc < 0 ? rc : 0;
}

static int start(struct item *item, struct colony_error *err)
{
    int rc = 0;

    if (item->is_started)
        return 0;
    if (item->controller->start)
        rc = tell(item, item->controller->start(item->instance, err), "start", err);
    item->is_started = rc >= 0;
    if (rc < 0 && item->controller->stop && !item->is_built_in)
        item->controller->stop(item->instance); /* what there is of it */
    return rc < 0 ? rc : 0;
}

static void do_nothing(void *data)
{
    (void)data;
}

int colony__controllers_start_last(struct colony__controllers *controllers,
                                   struct colony_error *err)
{
    struct item *item = &controllers->items[controllers->count - 1];
    struct item *end;
    struct colony_error reason = {0};
    int rc = make(controllers, item, &reason);

    if (rc == 0)
        rc = start(item, &reason);
    if (rc == 0)
        return 0;
    if (err)
        *err = reason;
    if (item->is_made && item->controller->close)
        item->controller->close(item->instance, do_nothing, NULL);
    controllers->count--; /* itself: it may have added others behind it, which stay */
    end = &controllers->items[controllers->count];
    memmove(item, item + 1, (size_t)(end - item) * sizeof *item);
    return rc;
}

static void stop(struct item *item)
{
    /* Those of colony have always been stopped before they are closed, started or not. */
    if (item->controller->stop && (item->is_started || item->is_built_in))
        item->controller->stop(item->instance);
    item->is_started = false;
}

int colony__controllers_start(struct colony__controllers *controllers, struct colony_error *err)
{
    int first = 0;

    for (size_t i = 0; i < controllers->count; i++) {
        struct item *item = &controllers->items[i];
        struct colony_error reason = {0};
        int rc = load(controllers, item, &reason);

        if (rc == 0)
            rc = make(controllers, item, &reason);
        if (rc == 0)
            rc = start(item, &reason);
        if (rc < 0 && first == 0 && err)
            *err = reason;
        if (rc < 0 && first == 0)
            first = rc;
    }
    return first;
}

int colony__controllers_restart(struct colony__controllers *controllers, const char *name,
                                struct colony_error *err)
{
    struct item *item = find(controllers, name);
    struct colony_error reason = {0};
    int rc;

    if (!item)
        return colony_fail(err, -ENOENT, "cannot restart the controller %.100s: there is none",
                           name);
    if (!item->is_made)
        return colony_fail(err, -ESRCH, "cannot restart the controller %.100s: it does not run",
                           name);
    if (item->controller->restart && item->is_started) {
        rc = tell(item, item->controller->restart(item->instance, &reason), "restart", &reason);
    } else {
        stop(item);
        rc = start(item, &reason);
    }
    if (rc < 0 && err)
        *err = reason;
    return rc < 0 ? rc : 0;
}

static void on_closed(void *data)
{
    struct colony__controllers *controllers = data;

    if (--controllers->to_close == 0)
        controllers->closed(controllers->data);
}

void colony__controllers_close(struct colony__controllers *controllers, bool are_all,
                               void (*cb)(void *data), void *data)
{
    controllers->closed = cb;
    controllers->data = data;
    controllers->to_close = 1;
    for (size_t i = controllers->count; i-- > 0;) {
        struct item *item = &controllers->items[i];
        void *instance = item->instance;

        if (!item->is_made || (!are_all && !item->is_built_in))
            continue;
        stop(item);
        item->is_made = false;
        item->instance = NULL;
        if (!item->controller->close)
            continue;
        controllers->to_close++;
        item->controller->close(instance, on_closed, controllers);
    }
    on_closed(controllers);
}
