/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_orders.c - what the engine says: checked, carried out by one table, or refused. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/error.h"
#include "core/keeper_internal.h"
#include "core/log.h"

enum {
    MESSAGES_A_TURN = 256,
};

static int on_ready(struct keeper *keeper, const struct colony_message *message, const int *fds,
                    size_t fd_count)
{
    const char ok = EXIT_OK;

    (void)message, (void)fds, (void)fd_count;
    keeper->engine_is_ready = true;
    keeper->was_ready = true;
    keeper_tell_ready(keeper);
    if (keeper->options->ready_fd >= 0) {
        if (write(keeper->options->ready_fd, &ok, 1) < 0)
            colony_log(SEVERITY_DEBUG, "whoever started colony is gone");
        (void)close(keeper->options->ready_fd);
        keeper->options->ready_fd = -1;
    }
    return 0;
}

static int on_continue(struct keeper *keeper, const struct colony_message *message, const int *fds,
                       size_t fd_count)
{
    (void)message, (void)fds, (void)fd_count;
    keeper->hello_waits = false;
    keeper->hello_batch = 0;
    return 0;
}

/* What cannot even get a record: nothing in the table can tell of it. */
static int answer(struct keeper *keeper, const struct colony_message *message, int rc)
{
    struct colony_message failure = {.type = MESSAGE_SPAWN_FAILED, .index = UINT32_MAX};

    if (rc == 0 || rc == -EBADMSG)
        return rc;
    failure.u.spawn = message->u.spawn;
    failure.value = rc;
    if (keeper_send_message(keeper, &failure, NULL, 0) < 0)
        keeper_drop_link(keeper); /* it would wait for ever: a new engine asks again */
    return 0;
}

static int on_spawn(struct keeper *keeper, const struct colony_message *message, const int *fds,
                    size_t fd_count)
{
    return answer(keeper, message,
                  keeper->is_welcomed ? keeper_spawn(keeper, message, fds, fd_count) : -EBADMSG);
}

static int on_adopt(struct keeper *keeper, const struct colony_message *message, const int *fds,
                    size_t fd_count)
{
    (void)fds, (void)fd_count;
    return answer(keeper, message, keeper->is_welcomed ? keeper_adopt(keeper, message) : -EBADMSG);
}

static int on_let_go(struct keeper *keeper, const struct colony_message *message, const int *fds,
                     size_t fd_count)
{
    (void)fds, (void)fd_count;
    return keeper_let_go(keeper, message->index);
}

static int on_signal(struct keeper *keeper, const struct colony_message *message, const int *fds,
                     size_t fd_count)
{
    (void)fds, (void)fd_count;
    keeper_signal(keeper, message->index, message);
    return 0;
}

static int on_sweep(struct keeper *keeper, const struct colony_message *message, const int *fds,
                    size_t fd_count)
{
    (void)fds, (void)fd_count;
    keeper_sweep(keeper, message->index, message->signo);
    return 0;
}

static int on_close(struct keeper *keeper, const struct colony_message *message, const int *fds,
                    size_t fd_count)
{
    (void)fds, (void)fd_count;
    keeper_close_stream(keeper, message->index, message->flags);
    return 0;
}

static int on_forget(struct keeper *keeper, const struct colony_message *message, const int *fds,
                     size_t fd_count)
{
    enum colony_record_state state = colony_record_state(&keeper->table.records[message->index]);

    (void)fds, (void)fd_count;
    if (state != RECORD_EXITED && state != RECORD_FAILED)
        return -EBADMSG; /* what lives is never let go of */
    keeper_forget(keeper, message->index);
    return 0;
}

static struct colony_held_socket *find_held(struct keeper *keeper, const char *name)
{
    for (size_t i = 0; i < keeper->options->socket_count; i++)
        if (strcmp(keeper->options->sockets[i].name, name) == 0)
            return &keeper->options->sockets[i];
    return NULL;
}

static int on_hold(struct keeper *keeper, const struct colony_message *message, const int *fds,
                   size_t fd_count)
{
    struct colony_keeper_options *options = keeper->options;
    struct colony_held_socket *held;
    int fd;

    if (fd_count != 1 || !memchr(message->u.name, '\0', sizeof message->u.name))
        return -EBADMSG;
    if (find_held(keeper, message->u.name) || options->socket_count == KEEPER_SOCKETS_MAX)
        return -EBADMSG;
    if (options->has_user && strstr(message->u.name, "unix:"))
        return -EPERM; /* we remove that path at the end, with our rights */
    fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    held = &options->sockets[options->socket_count++];
    held->fd = fd;
    held->is_lent = false;
    memcpy(held->name, message->u.name, sizeof held->name);
    return 0;
}

static int on_release(struct keeper *keeper, const struct colony_message *message, const int *fds,
                      size_t fd_count)
{
    struct colony_keeper_options *options = keeper->options;
    struct colony_held_socket *held;

    (void)fds, (void)fd_count;
    if (!memchr(message->u.name, '\0', sizeof message->u.name))
        return -EBADMSG;
    held = find_held(keeper, message->u.name);
    if (!held)
        return 0;
    (void)close(held->fd);
    *held = options->sockets[--options->socket_count];
    return 0;
}

/* An engine after this one must not take what it stops for something to be started. */
static int on_ending(struct keeper *keeper, const struct colony_message *message, const int *fds,
                     size_t fd_count)
{
    (void)fds, (void)fd_count;
    keeper->is_asked_to_end = true;
    keeper->exit_code = message->value;
    keeper_tell_ending(keeper);
    return 0;
}

static int on_shutdown(struct keeper *keeper, const struct colony_message *message, const int *fds,
                       size_t fd_count)
{
    (void)fds, (void)fd_count;
    for (uint32_t i = 0; i < keeper->table.header->high_water; i++)
        if (keeper_is_ended(&keeper->table.records[i]))
            keeper_forget(keeper, i);
    keeper->is_ending = true;
    keeper->exit_code = message->value;
    keeper_tell_ending(keeper);
    return 0;
}

static int on_upgrade(struct keeper *keeper, const struct colony_message *message, const int *fds,
                      size_t fd_count)
{
    (void)message, (void)fds, (void)fd_count;
    keeper_upgrade(keeper); /* returns only if it failed */
    return 0;
}

static int on_alive(struct keeper *keeper, const struct colony_message *message, const int *fds,
                    size_t fd_count)
{
    (void)message, (void)fds, (void)fd_count;
    keeper_on_alive(keeper);
    return 0;
}

/* Its text goes into one line of the manager's. */
static int on_reloaded(struct keeper *keeper, const struct colony_message *message, const int *fds,
                       size_t fd_count)
{
    (void)fds, (void)fd_count;
    if (!memchr(message->u.name, '\0', sizeof message->u.name) ||
        message->u.name[strcspn(message->u.name, "\r\n")] != '\0')
        return -EBADMSG;
    keeper_on_reloaded(keeper, message->u.name);
    return 0;
}

struct handler {
    int (*run)(struct keeper *keeper, const struct colony_message *message, const int *fds,
               size_t fd_count);
    bool names_a_record;
};

static const struct handler handlers[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_READY] = {on_ready, false},       [MESSAGE_CONTINUE] = {on_continue, false},
    [MESSAGE_SPAWN] = {on_spawn, false},       [MESSAGE_SIGNAL] = {on_signal, true},
    [MESSAGE_SWEEP] = {on_sweep, true},        [MESSAGE_CLOSE] = {on_close, true},
    [MESSAGE_FORGET] = {on_forget, true},      [MESSAGE_HOLD] = {on_hold, false},
    [MESSAGE_RELEASE] = {on_release, false},   [MESSAGE_SHUTDOWN] = {on_shutdown, false},
    [MESSAGE_UPGRADE] = {on_upgrade, false},   [MESSAGE_ADOPT] = {on_adopt, false},
    [MESSAGE_LET_GO] = {on_let_go, true},      [MESSAGE_ALIVE] = {on_alive, false},
    [MESSAGE_RELOADED] = {on_reloaded, false}, [MESSAGE_ENDING] = {on_ending, false},
};

static bool names_its_record(const struct keeper *keeper, const struct colony_message *message)
{
    return message->index < keeper->table.header->high_water &&
           keeper->table.records[message->index].id == message->id &&
           colony_record_state(&keeper->table.records[message->index]) != RECORD_FREE;
}

static void handle(struct keeper *keeper, const struct colony_message *message, const int *fds,
                   size_t fd_count)
{
    const struct handler *handler = &handlers[message->type];
    int rc = -EBADMSG;

    if (handler->run && (!handler->names_a_record || names_its_record(keeper, message)))
        rc = handler->run(keeper, message, fds, fd_count);
    if (rc < 0)
        colony_log(SEVERITY_WARNING, "refused message %u of the engine: %s", message->type,
                   strerror(-rc));
}

void keeper_on_link(struct keeper *keeper, uint32_t events)
{
    struct colony_message message;
    int fds[COLONY_MESSAGE_FDS_MAX];
    size_t fd_count;
    int rc = 0;

    for (int i = 0; i < MESSAGES_A_TURN && keeper->link_fd >= 0; i++) {
        rc = colony_message_receive(keeper->link_fd, &message, fds, &fd_count);
        if (rc == -EBADMSG || rc == -EMFILE) { /* refused; MSG_CTRUNC is never fatal to us */
            colony_log(SEVERITY_WARNING, "refused a message of the engine: %s", strerror(-rc));
            if (rc == -EMFILE && message.type == MESSAGE_SPAWN)
                (void)answer(keeper, &message, rc); /* it would wait for ever */
            continue;
        }
        if (rc < 0)
            break;
        handle(keeper, &message, fds, fd_count);
        for (size_t j = 0; j < fd_count; j++)
            (void)close(fds[j]);
    }
    if ((rc < 0 && rc != -EAGAIN) || events & EPOLLERR) {
        keeper_drop_link(keeper);
        return;
    }
    keeper_flush(keeper);
}
