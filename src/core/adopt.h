/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adopt.h - finds again what an earlier keeper left: processes, pipes, exit statuses (DESIGN §2).
 *
 * libc only.
 */
#ifndef COLONY_CORE_ADOPT_H
#define COLONY_CORE_ADOPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/message.h"
#include "core/table.h"

/* What came along over an exec and may be a stream: pipes, notify sockets, socket pairs. By inode.
 */
struct colony_own_pipes {
    struct colony_own_pipe *items;
    size_t count;
};

/* True when @fd may be a stream, by what it is. */
bool colony_may_be_stream(int fd);
/* All but @except_fd, which is no process's (-1: none). */
int colony_own_pipes_read(struct colony_own_pipes *pipes, int except_fd);
/* Closes those that nobody asked for. */
void colony_own_pipes_clear(struct colony_own_pipes *pipes);

/*
 * The process of @record, by pid and start time; one that has the number but another start time is
 * a stranger. Returns a pidfd, or -ESRCH: it is gone.
 */
int colony_adopt_process(const struct colony_record *record, const struct colony_boot *boot);

/*
 * The pipe @stream of @record: from @pipes, else from the process itself through /proc/PID/fd; a
 * socket from @pipes alone. Returns the keeper's end, or a negative errno: it is lost.
 */
int colony_adopt_stream(const struct colony_record *record, size_t stream,
                        const struct colony_own_pipes *pipes);

/* A session leader that bears an instance's mark. */
struct colony_marked {
    char name[COLONY_RECORD_NAME_SIZE];
    uint32_t slot;
    pid_t pid;
    uint64_t output_inode; /* of the pipe that is its stdout; 0: it is none */
    uint64_t error_inode;  /* the same of its stderr, when that is another one */
};

typedef void (*colony_marked_cb)(const struct colony_marked *marked, void *data);

/* Walks all processes; for a damaged table only. */
void colony_find_marked(const char *instance, colony_marked_cb cb, void *data);

/* True when the process behind @pidfd is our child, so that waitid(2) will tell its status. */
bool colony_is_our_child(int pidfd);

/*
 * The exit status of one that is not our child, by PIDFD_GET_INFO (Linux 6.15), as waitpid(2) gives
 * it. 0; -EAGAIN: not reaped yet by its parent; -ENOTSUP: this kernel cannot tell.
 */
int colony_exit_status(int pidfd, int32_t *wait_status);

/*
 * The same of one that has ended and that nobody has reaped yet, by the last field of its
 * /proc/PID/stat (proc(5), exit_code). -ESRCH: @pid is not the zombie that began at @start_ticks;
 * -EACCES: whoever may not trace it is shown 0 there, whatever it is.
 */
int colony_zombie_status(pid_t pid, uint64_t start_ticks, int32_t *wait_status);

/* Another end of the pipe @fd, as opened with @flags. Negative errno. */
int colony_pipe_reopen(int fd, int flags);

#endif
