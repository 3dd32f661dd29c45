/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_private.c - a colony for one application: `colony serve` on a folder of its own, reached by
 * the socket in it only. It is told to stop when we die, whatever we die of.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app_start_internal.h"
#include "core/error.h"
#include "core/signals.h"

enum {
    TREE_FDS = 16, /* that removing the folder may take */
};

#define PREFIX "colony-app-" /* of folders in $TMPDIR */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    (void)remove(path);
    return 0;
}

static void remove_folder(const char *path)
{
    (void)nftw(path, remove_one, TREE_FDS, FTW_DEPTH | FTW_PHYS);
}

/* A descriptor that has the lock of @path, or -1. @how: LOCK_NB or 0, to wait for who looks. */
static int take_lock(int folder_fd, const char *path, int how)
{
    int fd = openat(folder_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_EX | how) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* Ours, with a state folder in it, and neither an application nor a colony has it any more. */
static bool is_left_over(int base_fd, const char *name)
{
    struct stat info;
    int fd = take_lock(base_fd, name, LOCK_NB);
    int lock_fd = fd < 0 ? -1 : take_lock(fd, "state/lock", LOCK_NB);
    bool is_free = lock_fd >= 0 && fstat(fd, &info) == 0 && info.st_uid == geteuid();

    if (lock_fd >= 0)
        (void)close(lock_fd);
    if (fd >= 0)
        (void)close(fd);
    return is_free;
}

/* What an application left that was killed before it could clean up. */
static void sweep(const char *base)
{
    DIR *folder = opendir(base);
    const struct dirent *entry;
    char path[PATH_MAX];

    while (folder && (entry = readdir(folder))) {
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
            !is_left_over(dirfd(folder), entry->d_name))
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", base, entry->d_name);
        remove_folder(path);
    }
    if (folder)
        (void)closedir(folder);
}

/* Locked for as long as we live. */
static int make_folder(struct app_private *own, struct colony_error *err)
{
    const char *base = getenv("TMPDIR");
    char path[PATH_MAX - 64];

    if (!base || base[0] != '/')
        base = "/tmp";
    sweep(base);
    if ((size_t)snprintf(path, sizeof path, "%s/" PREFIX "XXXXXX", base) >= sizeof path)
        return colony_fail(err, -ENAMETOOLONG, "cannot make a folder in $TMPDIR: too long");
    if (!mkdtemp(path))
        return colony_fail_os(err, -errno, "cannot make a folder in %s ($TMPDIR)", base);
    (void)snprintf(own->folder, sizeof own->folder, "%s", path);
    own->lock_fd = take_lock(AT_FDCWD, path, 0);
    return own->lock_fd < 0 ? colony_fail_os(err, -errno, "cannot lock %s", path) : 0;
}

/* A session of its own: Ctrl-C is for us, and what follows is our order. */
static _Noreturn void become_serve(const struct app_private *own, pid_t parent)
{
    char state[PATH_MAX + 16];
    char log[PATH_MAX + 16];
    char *const argv[] = {"colony", "serve", "--state", state, "--log-file", log, (char *)NULL};
    sigset_t none;
    int null_fd = open("/dev/null", O_RDWR);

    (void)snprintf(state, sizeof state, "%s/state", own->folder);
    (void)snprintf(log, sizeof log, "%s/colony.log", own->folder);
    (void)setsid();
    (void)dup2(null_fd, STDIN_FILENO);
    (void)dup2(null_fd, STDOUT_FILENO);
    (void)unsetenv("NOTIFY_SOCKET"); /* a service manager's word to us */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent)
        (void)execv("/proc/self/exe", argv);
    _exit(EXIT_FAILED);
}

int colony__app_private_start(struct app_private *own, struct colony_error *err)
{
    char address[PATH_MAX + 32];
    pid_t parent = getpid();
    int rc = make_folder(own, err);

    if (rc < 0)
        return rc;
    (void)snprintf(address, sizeof address, "unix:%s/state/colony.sock", own->folder);
    rc = colony_target_parse(&own->target, address, err);
    if (rc < 0)
        return rc;
    own->pid = fork();
    if (own->pid == 0)
        become_serve(own, parent);
    if (own->pid < 0) {
        own->pid = 0;
        return colony_fail_os(err, -errno, "cannot start colony");
    }
    own->pidfd = (int)syscall(SYS_pidfd_open, own->pid, 0);
    if (own->pidfd >= 0)
        return 0;
    rc = colony_fail_os(err, -errno, "cannot watch colony");
    (void)kill(own->pid, SIGTERM);
    (void)waitpid(own->pid, NULL, 0);
    own->pid = 0;
    return rc;
}

/* All of these mean the same to it; two that are one signal may be seen as one. */
void colony__app_private_stop(const struct app_private *own, unsigned times)
{
    if (own->pid > 0)
        (void)kill(own->pid, times % 2 ? SIGTERM : SIGINT);
}

/* Killed, it has left all to an engine that goes on in its place: that is ended too. True: it is.
 */
static bool end_survivors(const struct app_private *own)
{
    struct colony_reply reply;
    bool is_ended;
    const struct colony_request request = {.method = "POST",
                                           .path = "/_shutdown",
                                           .timeout_ms = COLONY_CLIENT_TIMEOUT_MS,
                                           .keeps_connection = true};

    is_ended = colony_client_request(&own->target, &request, &reply, NULL) == 0 &&
               reply.status / 100 == 2 && reply.connection >= 0;
    if (is_ended) {
        char scrap[512];

        while (read(reply.connection, scrap, sizeof scrap) > 0)
            ;
    }
    colony_client_clear(&reply);
    return is_ended;
}

int colony__app_private_end(struct app_private *own)
{
    int status = 0;
    pid_t pid = own->pid;

    own->pid = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    (void)close(own->pidfd);
    own->pidfd = -1;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return colony__app_fail(EXIT_FAILED, "cannot go on: colony was ended by %s: %s",
                            colony_signal_name(WTERMSIG(status)),
                            end_survivors(own) ? "all is stopped" : "processes may be left over");
}

void colony__app_private_clear(struct app_private *own)
{
    if (own->folder[0] != '\0')
        remove_folder(own->folder);
    own->folder[0] = '\0';
    if (own->lock_fd >= 0)
        (void)close(own->lock_fd);
    own->lock_fd = -1;
}
