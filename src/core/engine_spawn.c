/* SPDX-License-Identifier: Apache-2.0 */
/* engine_spawn.c - the engine's orders to the keeper. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine_internal.h"
#include "core/log.h"
#include "core/payload.h"
#include "core/spawn.h"
#include "core/users.h"

/* What goes along with an order: the payload, if it is large, and the outputs, if they are files,
 * or the input and output of a job. */
struct order_fds {
    int fds[3];
    size_t count;
};

static struct slot_note make_note(const struct slot *slot)
{
    return (struct slot_note){
        .version = NOTE_VERSION,
        .is_wanted = !slot->is_wanted ? 0
                     : slot->is_once  ? NOTE_ONCE
                                      : 1,
        .state = (uint8_t)(slot->stop_is_due ? SLOT_STOPPING : slot->state),
        .exit_is_told = slot->exit_is_told,
        .attempt = slot->restart.attempt,
        .restarts = slot->restarts,
        .retries = slot->restart.retries,
        .process_hash = slot->process_hash,
        .retry_boot_ms = slot->retry_boot_ms,
        .is_left_alone = slot->is_left_alone,
    };
}

/* By what it tells that it is ready. */
static void plan_ready(const struct colony_template *template, struct colony_spawn_order *order)
{
    if (colony_payload_has_notify(template))
        order->stream_kind[NOTIFY_STREAM] = STREAM_NOTIFY;
    if (template->ready->kind != READY_FD)
        return;
    order->plan[template->ready->fd] = FD_STREAM | READY_STREAM;
    order->stream_kind[READY_STREAM] = STREAM_OUTPUT;
}

/* Its descriptors 3, 4, … */
static void plan_custom(const struct colony_template *template, struct colony_spawn_order *order)
{
    for (uint8_t i = 0; template->custom_streams && template->custom_streams[i]; i++) {
        order->plan[COLONY_CUSTOM_FD_FIRST + i] = FD_STREAM | (uint8_t)(CUSTOM_STREAM_FIRST + i);
        order->custom_count++;
    }
}

/* Where /dev/null, the pipe or the file goes in the child. */
static void plan_output(const struct colony_template *template, struct colony_spawn_order *order)
{
    uint8_t output = FD_NULL;

    if (template->log.mode == LOG_DIRECT)
        output = FD_PASSED | 0;
    else if (template->log.mode == LOG_CAPTURE && !template->detach)
        output = FD_STREAM | OUTPUT_STREAM;
    order->plan[0] = FD_NULL;
    order->plan[1] = output;
    order->plan[2] = output;
    if ((output & FD_KIND_MASK) == FD_STREAM)
        order->stream_kind[OUTPUT_STREAM] = STREAM_OUTPUT;
    if (engine_has_error_file(template))
        order->plan[2] = FD_PASSED | 1;
    if (engine_has_error_log(template)) {
        order->plan[2] = FD_STREAM | ERROR_STREAM;
        order->stream_kind[ERROR_STREAM] = STREAM_OUTPUT;
    }
    if (template->redirect_input && !template->detach) {
        order->plan[0] = FD_STREAM | INPUT_STREAM;
        order->stream_kind[INPUT_STREAM] = STREAM_INPUT;
    }
}

/* "deny": setgroups(2) fails for everybody in this user namespace. */
static bool is_setgroups_denied(void)
{
    char word[8] = "";
    int fd = open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    if (read(fd, word, sizeof word - 1) < 0)
        word[0] = '\0';
    (void)close(fd);
    return strncmp(word, "deny", strlen("deny")) == 0;
}

/* Supplementary groups are left to nobody, where the kernel lets us (user_namespaces(7)). */
bool engine_may_drop_groups(void)
{
    if (geteuid() != 0 || getgroups(0, NULL) <= 0)
        return false;
    if (!is_setgroups_denied())
        return true;
    colony_log(SEVERITY_INFO, "processes keep the supplementary groups that colony has: nobody "
                              "may change his in this user namespace");
    return false;
}

/* The identity of a template that names none: under `user:` the engine's; else root's groups go. */
static const struct colony_identity *default_identity(const struct colony_engine *engine,
                                                      struct colony_identity *out)
{
    const struct colony_keeper_identity *user = &engine->keeper->identities[0];

    memset(out, 0, sizeof *out);
    out->is_set = true;
    if (engine->keeper->has_user) {
        out->uid = user->uid;
        out->gid = user->gid;
        out->group_count = user->group_count;
        for (uint32_t i = 0; i < user->group_count; i++)
            out->groups[i] = user->groups[i];
        return out;
    }
    if (!engine->drops_groups)
        return NULL;
    out->gid = getegid();
    return out;
}

/* Not another one's: whoever could put it there could choose what colony writes to. */
static int check_direct_log(const struct slot *slot, int fd, const char *path,
                            struct colony_error *err)
{
    const struct colony_identity *identity = slot->entry->template->identity;
    struct stat info;

    if (fstat(fd, &info) < 0)
        return colony_fail_os(err, -errno, "cannot open %s", path);
    if (!S_ISREG(info.st_mode))
        return colony_fail(err, -EINVAL, "cannot write the output of %s to %s: it is no file",
                           slot->entry->template->name, path);
    if (geteuid() == 0 && info.st_uid != 0 && !(identity && info.st_uid == identity->uid))
        return colony_fail(err, -EPERM,
                           "cannot write the output of %s to %s: that belongs to somebody else "
                           "(uid %u)",
                           slot->entry->template->name, path, info.st_uid);
    return fcntl(fd, F_SETFL, O_WRONLY | O_APPEND) < 0
               ? colony_fail_os(err, -errno, "cannot open %s", path)
               : 0;
}

/* Without blocking, should it be a pipe that nobody reads. */
static int open_direct_log(const struct slot *slot, bool is_error, struct colony_error *err)
{
    const int flags =
        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    char path[PATH_MAX];
    int fd;
    int rc = engine_direct_path(slot, is_error, path, sizeof path);

    if (rc < 0)
        return colony_fail_os(err, rc, "cannot name the log of %s", slot->entry->template->name);
    fd = open(path, flags, 0600);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot open %s", path);
    rc = check_direct_log(slot, fd, path, err);
    if (rc == 0)
        return fd;
    (void)close(fd);
    return rc;
}

static int attach_direct_logs(const struct slot *slot, struct order_fds *fds,
                              struct colony_error *err)
{
    size_t count = engine_has_error_file(slot->entry->template) ? 2 : 1;

    for (size_t i = 0; i < count; i++) {
        int fd = open_direct_log(slot, i > 0, err);

        if (fd < 0)
            return fd;
        fds->fds[fds->count++] = fd;
    }
    return 0;
}

#define NO_ROOM                                                                                    \
    "%u processes run, as many as descriptors allow (raise the hard limit of open files)"

/* What custom streams take leaves room for fewer than there would be without any. */
static uint32_t fitting_processes(const struct colony_engine *engine)
{
    return engine->custom_fds > 0 ? engine->living_count : engine->hello.capacity;
}

static int check_capacity(const struct slot *slot, struct colony_error *err)
{
    const struct colony_engine *engine = slot->entry->engine;
    const struct colony_template *template = slot->entry->template;
    uint64_t needed = (uint64_t)(engine->living_count + 1) * COLONY_FDS_A_PROCESS;

    needed += engine->custom_fds;
    for (size_t i = 0; template->custom_streams && template->custom_streams[i]; i++)
        needed++;
    if (needed <= (uint64_t)engine->hello.capacity * COLONY_FDS_A_PROCESS)
        return 0;
    return colony_fail(err, -EMFILE, "cannot start %s.%u: " NO_ROOM, template->name, slot->number,
                       fitting_processes(engine));
}

/* The payload, in the message or as a descriptor, and the file that is the child's output. */
static int attach(struct slot *slot, struct colony_message *message, struct order_fds *fds,
                  struct colony_error *err)
{
    const struct colony_template *template = slot->entry->template;
    const struct colony_engine *engine = slot->entry->engine;
    struct colony_identity identity;
    struct colony_payload_context context = {
        .instance = engine->table.header->instance,
        .state_dir = engine->keeper->state_dir,
        .nofile_soft = engine->hello.nofile_soft,
        .nofile_hard = engine->hello.nofile_hard,
        .identity = default_identity(engine, &identity),
    };
    struct colony_payload_bytes bytes;
    int rc = colony_payload_make(&bytes, template, slot->number, &context, err);

    if (rc < 0)
        return rc;
    if (bytes.size <= sizeof message->payload) {
        memcpy(message->payload, bytes.data, bytes.size);
        message->payload_size = (uint32_t)bytes.size;
    } else {
        rc = colony_payload_seal(&bytes);
        if (rc >= 0)
            fds->fds[fds->count++] = rc;
        else
            (void)colony_fail_os(err, rc, "cannot prepare %s.%u", template->name, slot->number);
    }
    colony_payload_clear(&bytes);
    if (rc >= 0 && template->log.mode == LOG_DIRECT)
        rc = attach_direct_logs(slot, fds, err);
    return rc < 0 ? rc : 0;
}

int engine_order_spawn(struct slot *slot, struct colony_error *err)
{
    const struct colony_template *template = slot->entry->template;
    struct colony_engine *engine = slot->entry->engine;
    struct colony_message message = {.type = MESSAGE_SPAWN, .index = slot->index, .id = slot->id};
    struct colony_spawn_order *order = &message.u.spawn;
    struct slot_note note;
    struct order_fds fds = {0};
    int rc = check_capacity(slot, err);

    if (rc < 0)
        return rc;
    (void)snprintf(order->name, sizeof order->name, "%s", template->name);
    order->slot = slot->number;
    order->flags = (slot->has_record ? (uint32_t)SPAWN_REPLACES : 0) |
                   (template->detach ? (uint32_t)SPAWN_DETACHED : 0);
    slot->process_hash = template->process_hash;
    note = make_note(slot);
    note.exit_is_told = false; /* of the one to come */
    memcpy(order->note, &note, sizeof note);
    plan_output(template, order);
    plan_ready(template, order);
    plan_custom(template, order);
    rc = attach(slot, &message, &fds, err);
    if (rc == 0 && slot->entry->job)
        fds.count += engine_job_plan(slot->entry->job, order, fds.fds + fds.count);
    if (rc == 0) {
        if (slot->has_record) /* it goes, and with it all that an engine after us could tell */
            colony_log_write_held();
        rc = colony_link_send(engine->link, &message, fds.fds, fds.count);
        if (rc == -ESHUTDOWN)
            rc = 0; /* the keeper is gone: who carries on with another one starts it */
        if (rc < 0)
            (void)colony_fail_os(err, rc, "cannot ask for %s.%u", template->name, slot->number);
    }
    for (size_t i = 0; i < fds.count; i++)
        (void)close(fds.fds[i]);
    return rc;
}

/* An order that cannot be sent is one that nobody can carry out: the keeper is gone, or we are. One
 * that was lost for want of memory, of a stop under way, would be waited for without end. */
static void send_order(struct colony_engine *engine, struct colony_message *message)
{
    int rc = colony_link_send(engine->link, message, NULL, 0);

    if (rc < 0 && rc != -ESHUTDOWN)
        engine_give_up(engine, "cannot tell the keeper: out of memory");
}

void engine_order_signal(struct slot *slot, int signo, uint32_t flags)
{
    struct colony_message message = {
        .type = MESSAGE_SIGNAL,
        .index = slot->index,
        .id = slot->id,
        .signo = signo,
        .flags = flags,
    };

    send_order(slot->entry->engine, &message);
}

void engine_order_sweep(struct slot *slot, int signo)
{
    struct colony_message message = {
        .type = MESSAGE_SWEEP,
        .index = slot->index,
        .id = slot->id,
        .signo = signo,
    };

    send_order(slot->entry->engine, &message);
}

int engine_order_adopt(struct slot *slot, pid_t pid, uint64_t start_ticks)
{
    const struct colony_template *template = slot->entry->template;
    struct colony_message message = {.type = MESSAGE_ADOPT};
    struct colony_adopt_order *order = &message.u.adopt;
    struct slot_note note;

    (void)snprintf(order->name, sizeof order->name, "%s", template->name);
    order->slot = slot->number;
    order->pid = pid;
    order->start_ticks = start_ticks;
    slot->process_hash = template->process_hash;
    note = make_note(slot);
    note.exit_is_told = false;
    memcpy(order->note, &note, sizeof note);
    return colony_link_send(slot->entry->engine->link, &message, NULL, 0);
}

void engine_order_let_go(struct slot *slot)
{
    struct colony_message message = {
        .type = MESSAGE_LET_GO,
        .index = slot->index,
        .id = slot->id,
    };

    send_order(slot->entry->engine, &message);
}

/* What lives is never forgotten: its end will be told. */
void engine_order_forget(struct colony_engine *engine, uint32_t index, uint64_t id)
{
    struct colony_message message = {.type = MESSAGE_FORGET, .index = index, .id = id};
    enum colony_record_state state = colony_record_state(&engine->table.records[index]);

    if (state != RECORD_EXITED && state != RECORD_FAILED)
        return;
    colony_log_write_held();
    send_order(engine, &message);
}

/* What must be known again after a death of the engine. SPAWN carries a note of its own. */
void engine_save_note(struct slot *slot)
{
    struct colony_engine *engine = slot->entry->engine;
    struct slot_note note = make_note(slot);
    uint8_t bytes[COLONY_NOTE_SIZE] = {0};
    bool was_unnoted = slot->is_unnoted;
    int rc;

    slot->is_unnoted = false;
    if (!slot->has_record || slot->is_spawning)
        return;
    memcpy(bytes, &note, sizeof note);
    rc = colony_notes_put(&engine->notes, slot->index, engine_slot_record(slot), bytes);
    if (rc == 0)
        return;
    if (!was_unnoted)
        colony_log(SEVERITY_ERROR,
                   "cannot note the state of %s.%u for an engine after this one: %s",
                   slot->entry->template->name, slot->number, strerror(-rc));
    slot->is_unnoted = true;
    engine_record_later(engine);
}

static const char *user_name(uid_t uid, char buffer[COLONY_USER_NAME_SIZE])
{
    struct colony_user user;

    if (colony_user_find_id(&user, uid) == 0)
        (void)snprintf(buffer, COLONY_USER_NAME_SIZE, "%s", user.name);
    else
        (void)snprintf(buffer, COLONY_USER_NAME_SIZE, "%u", uid);
    return buffer;
}

static const char *group_name(gid_t gid, char buffer[COLONY_USER_NAME_SIZE])
{
    struct colony_group group;

    if (colony_group_find_id(&group, gid) == 0)
        (void)snprintf(buffer, COLONY_USER_NAME_SIZE, "%s", group.name);
    else
        (void)snprintf(buffer, COLONY_USER_NAME_SIZE, "%u", gid);
    return buffer;
}

/* What the failed step was about, in the words of who wrote the template. */
static const char *step_object(const struct slot *slot, int step,
                               char buffer[COLONY_USER_NAME_SIZE])
{
    const struct colony_template *template = slot->entry->template;
    const struct colony_identity *identity = template->identity;

    if (!identity && (step == STEP_SETUID || step == STEP_SETGID))
        return ""; /* nobody named it */
    switch (step) {
    case STEP_CHDIR:
        return template->cwd ? template->cwd : ".";
    case STEP_EXEC:
        return template->argv[0];
    case STEP_SETUID:
        return user_name(identity->uid, buffer);
    case STEP_SETGID:
        return group_name(identity->gid, buffer);
    default:
        return "";
    }
}

/* What a user can do about the step that failed; NULL: the errno says it all. */
static const char *step_advice(int step, int error)
{
    if (step == STEP_PREPARE && error == EPERM)
        return "the keeper may not do this for the engine's user (see `user:` in the settings)";
    if (step == STEP_EXEC && error == ELIBACC)
        return "No such file or directory: not the program, but the interpreter that its first "
               "line "
               "(#!) names, or its loader";
    if (step == STEP_NOTIFY && error == ENAMETOOLONG)
        return "the path of the socket is too long: choose a shorter --state";
    if (step >= STEP_LIMIT_MEMORY && step <= STEP_LIMIT_PIDS)
        return "this machine gives colony no such limit (`limits: {optional: true}` goes on "
               "without)";
    return NULL;
}

/* "chdir /nope: No such file or directory" */
void engine_describe_failure(struct slot *slot, int step, int error)
{
    char text[COLONY_ERROR_TEXT_MAX];
    char buffer[COLONY_USER_NAME_SIZE];
    const char *object = step_object(slot, step, buffer);
    const char *advice = step_advice(step, error);
    const char *reason = advice ? advice : strerror(error);

    if (step == STEP_NONE && error == EMFILE)
        (void)snprintf(text, sizeof text, NO_ROOM, fitting_processes(slot->entry->engine));
    else
        (void)snprintf(text, sizeof text, "%s%s%.300s: %s", colony_spawn_step_name(step),
                       *object ? " " : "", object, reason);
    free(slot->failure);
    slot->failure = strdup(text);
}
