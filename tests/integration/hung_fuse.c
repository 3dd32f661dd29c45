/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hung_fuse.c - a FUSE filesystem that hangs: `hung_fuse unread|unanswered FOLDER`.
 *
 * Mounts on FOLDER in a mount namespace of its own (nsenter -t PID -m goes there), prints a line
 * and stays. Whoever looks for a name in FOLDER waits: with `unread` for a server that has stopped
 * to read, with `unanswered` for an answer to a request the server has taken. The kernel lets go of
 * the first when it is killed, of the second only when the server ends. Talks to /dev/fuse itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    REQUEST_BYTES = 256 << 10, /* the kernel wants room for the largest there can be */
};

static char request[REQUEST_BYTES];

static int fail(const char *what)
{
    (void)fprintf(stderr, "hung_fuse: %s: %s\n", what, strerror(errno));
    return 1;
}

static int answer(int fd, uint64_t unique, void *body, size_t size)
{
    struct fuse_out_header head = {.len = (uint32_t)(sizeof head + size), .unique = unique};
    struct iovec parts[] = {{&head, sizeof head}, {body, size}};

    return writev(fd, parts, 2) < 0 ? -1 : 0;
}

static int answer_init(int fd, const struct fuse_in_header *head)
{
    struct fuse_init_out out = {
        .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096};

    return answer(fd, head->unique, &out, sizeof out);
}

static int answer_getattr(int fd, const struct fuse_in_header *head)
{
    struct fuse_attr_out out = {.attr_valid = 1,
                                .attr = {.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2}};

    return answer(fd, head->unique, &out, sizeof out);
}

/* Serves the folder itself; what is asked of a name in it is taken and never answered. */
static int serve(int fd, int reads)
{
    const struct fuse_in_header *head = (const void *)request;

    for (;;) {
        int rc = 0;

        if (read(fd, request, sizeof request) < 0) {
            if (errno == EINTR || errno == EAGAIN || errno == ENOENT)
                continue;
            return fail("read");
        }
        if (head->opcode == FUSE_INIT)
            rc = answer_init(fd, head);
        else if (head->opcode == FUSE_GETATTR)
            rc = answer_getattr(fd, head);
        if (rc < 0)
            return fail("write");
        if (head->opcode == FUSE_INIT)
            (void)puts("mounted");
        (void)fflush(stdout);
        if (!reads)
            for (;;)
                (void)pause();
    }
}

int main(int argc, char **argv)
{
    char options[128];
    int fd;

    if (argc != 3)
        return 2;
    fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return fail("/dev/fuse");
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return fail("unshare");
    (void)snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    if (mount("hung", argv[2], "fuse", MS_NOSUID | MS_NODEV, options) < 0)
        return fail("mount");
    return serve(fd, strcmp(argv[1], "unanswered") == 0);
}
