/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/watch_internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/error.h"
#include "fsctl/entry_internal.h"

enum {
    BUFFER_BYTES = 16384,
    REPLACED = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT | IN_Q_OVERFLOW,
    /* Not each write: a file is looked at when it is closed, and when it appears, as a link does.
     */
    WRITTEN = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB,
    LEFT = IN_DELETE | IN_MOVED_FROM, /* that of a message is our own doing */
};

int colony__watch_open(struct colony__watch *watch, struct colony_error *err)
{
    watch->config = watch->messages = -1;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd >= 0)
        return 0;
    return colony_fail_os(err, -errno,
                          "cannot be told of changes of files at once (inotify: see "
                          "/proc/sys/fs/inotify)");
}

void colony__watch_close(struct colony__watch *watch)
{
    if (watch->fd >= 0)
        (void)close(watch->fd);
    watch->fd = watch->config = watch->messages = -1;
}

static int aim(struct colony__watch *watch, int *at, const char *path, uint32_t events,
               struct colony_error *err)
{
    int now = inotify_add_watch(
        watch->fd, path, events | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK);

    if (now < 0 && (errno == ENOSPC || errno == ENOMEM))
        return colony_fail_os(err, -errno,
                              "cannot be told of changes in %s at once (raise "
                              "/proc/sys/fs/inotify/max_user_watches)",
                              path);
    if (*at >= 0 && *at != now) /* another directory is there now */
        (void)inotify_rm_watch(watch->fd, *at);
    *at = now;
    return 0;
}

int colony__watch_aim(struct colony__watch *watch, const char *config, const char *messages,
                      struct colony_error *err)
{
    int rc;

    if (watch->fd < 0)
        return 0;
    rc = aim(watch, &watch->config, config, WRITTEN | LEFT, err);
    return rc < 0 ? rc : aim(watch, &watch->messages, messages, WRITTEN, err);
}

static bool is_worth_a_look(const struct inotify_event *event)
{
    if (event->mask & REPLACED)
        return true;
    return event->len > 0 && !colony__entry_is_ignored(event->name);
}

bool colony__watch_read(struct colony__watch *watch)
{
    _Alignas(struct inotify_event) char buffer[BUFFER_BYTES];
    bool is_any = false;
    ssize_t size;

    while ((size = read(watch->fd, buffer, sizeof buffer)) > 0) {
        const char *at = buffer;

        while (at < buffer + size) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)at;

            is_any |= is_worth_a_look(event);
            at += sizeof *event + event->len;
        }
    }
    return is_any;
}
