/* SPDX-License-Identifier: Apache-2.0 */
/* engine_logs.c - the last lines of what processes wrote, read on a thread. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "core/engine.h"
#include "core/error.h"
#include "rpc/engine_internal.h"

enum {
    LINES_DEFAULT = 100,
    LINES_MAX = 100000,
    BYTES_MAX = 1 << 20, /* of one answer */
    ROTATED_MAX = 100,
    SLOTS_MAX = 64,
};

/* One answer on its way. */
struct tail {
    uv_work_t work;
    struct colony_rpc_call *call;
    uint64_t lines; /* of each slot */
    uint64_t slot;  /* 0: all */
    size_t path_count;
    char paths[SLOTS_MAX][PATH_MAX];
    char *text;
    size_t size;
    int rc;
};

/* The last @room bytes of @path before what @end has already: they are put before it. */
static int read_end(const char *path, char *end, size_t room)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat info;
    size_t size;
    ssize_t got = -1;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        size = (uint64_t)info.st_size < room ? (size_t)info.st_size : room;
        got = pread(fd, end - size, size, info.st_size - (off_t)size);
        if (got >= 0 && (size_t)got < size)
            memmove(end - got, end - size, (size_t)got);
    }
    (void)close(fd);
    return got < 0 ? -EIO : (int)got;
}

/* Where the last @lines lines of @size bytes begin; @size at most: there are fewer. */
static size_t find_lines(const char *bytes, size_t size, uint64_t lines)
{
    size_t at = size;

    if (at > 0 && bytes[at - 1] == '\n')
        at--;
    for (; at > 0; at--)
        if (bytes[at - 1] == '\n' && --lines == 0)
            return at;
    return 0;
}

/* The last lines of a log, over its rotated files, behind what tail->text has. */
static int read_log(struct tail *tail, const char *path, char *room)
{
    char name[PATH_MAX + 16];
    char *start = room + BYTES_MAX;
    int got = 0;

    for (int i = 0; i < ROTATED_MAX && got >= 0 && start > room; i++) {
        if (i > 0)
            (void)snprintf(name, sizeof name, "%s.%d", path, i);
        got = read_end(i == 0 ? path : name, start, (size_t)(start - room));
        start -= got > 0 ? got : 0;
        if (find_lines(start, (size_t)(room + BYTES_MAX - start), tail->lines) > 0)
            break;
    }
    if (got < 0 && got != -ENOENT)
        return got;
    start += find_lines(start, (size_t)(room + BYTES_MAX - start), tail->lines);
    if (tail->size + (size_t)(room + BYTES_MAX - start) > BYTES_MAX)
        return -EMSGSIZE;
    memcpy(tail->text + tail->size, start, (size_t)(room + BYTES_MAX - start));
    tail->size += (size_t)(room + BYTES_MAX - start);
    return 0;
}

static void on_work(uv_work_t *work)
{
    struct tail *tail = work->data;
    char *room = malloc(BYTES_MAX);

    tail->text = calloc(1, BYTES_MAX + 1);
    tail->rc = room && tail->text ? 0 : -ENOMEM;
    for (size_t i = 0; i < tail->path_count && tail->rc == 0; i++)
        tail->rc = read_log(tail, tail->paths[i], room);
    free(room);
    if (tail->rc < 0)
        return;
    for (size_t i = 0; i < tail->size; i++)
        if (tail->text[i] == '\0')
            tail->text[i] = '?'; /* a text has none */
    tail->text[tail->size] = '\0';
}

static void finish(struct tail *tail)
{
    struct colony_error err;

    if (tail->rc == 0) {
        colony_rpc_answer(tail->call, rpc_text(tail->text ? tail->text : ""));
    } else {
        if (tail->rc == -EMSGSIZE)
            (void)colony_fail(&err, tail->rc,
                              "cannot show so much of the logs: ask for fewer lines, or one slot");
        else
            (void)colony_fail_os(&err, tail->rc, "cannot read the logs");
        colony_rpc_fail(tail->call, &err);
    }
    free(tail->text);
    free(tail);
}

static void on_done(uv_work_t *work, int status)
{
    (void)status;
    finish(work->data);
}

struct gathering {
    struct rpc_engine *rpc;
    struct tail *tail;
    int rc; /* why there is no log */
};

static void add_path(const struct colony_slot_info *info, void *data)
{
    struct gathering *gathering = data;
    struct tail *tail = gathering->tail;

    if ((tail->slot != 0 && tail->slot != info->slot) || tail->path_count == SLOTS_MAX)
        return;
    gathering->rc = colony_engine_log_path(gathering->rpc->engine, info->name, info->slot,
                                           tail->paths[tail->path_count], PATH_MAX);
    tail->path_count += gathering->rc == 0;
}

void rpc_logs(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct gathering gathering = {.rpc = rpc, .rc = -ENOENT};
    struct colony_error err;
    uint64_t lines = LINES_DEFAULT;
    uint64_t slot = 0;

    if (!rpc_take_template(rpc, call, 0, &target) ||
        !rpc_take_number(call, 1, "lines", LINES_MAX, &lines) ||
        !rpc_take_number(call, 2, "slot", COLONY_SLOTS_MAX, &slot))
        return;
    gathering.tail = calloc(1, sizeof *gathering.tail);
    if (!gathering.tail) {
        colony_rpc_answer(call, NULL);
        return;
    }
    gathering.tail->call = call;
    gathering.tail->lines = lines;
    gathering.tail->slot = slot;
    gathering.tail->work.data = gathering.tail;
    (void)colony_engine_each_slot(rpc->engine, target.name, add_path, &gathering);
    if (gathering.tail->path_count == 0 && gathering.rc < 0) {
        (void)colony_fail_os(&err, gathering.rc, "cannot show a log of %s", target.name);
        colony_rpc_fail(call, &err);
        free(gathering.tail);
        return;
    }
    if (lines == 0 || uv_queue_work(colony_engine_uv_loop(rpc->engine), &gathering.tail->work,
                                    on_work, on_done) < 0)
        finish(gathering.tail);
}
