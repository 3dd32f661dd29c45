/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_ssh.c - asks another host by ssh(1) where a daemon is. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/target.h"
#include "core/words_internal.h"
#include "rpc_internal.h"

enum {
    ANSWER_BYTES_MAX = 16 << 10,
    SSH_FAILED = 255, /* what ssh itself exits with */
    NOT_FOUND = 127,
};

extern char **environ;

/* A run of ssh. */
struct run {
    const struct rpc *rpc;
    const char *host;
    const char *name;
    pid_t pid;
    int fd; /* of its output */
    char *text;
    size_t size;
};

int rpc_left_ms(const struct rpc *rpc)
{
    return rpc->deadline_ms == UINT64_MAX ? -1 : colony_target_until_ms(rpc->deadline_ms);
}

/* For the shell at the other end: a name may have quotes and blanks in it. */
static int quote(char *out, size_t size, const char *name)
{
    size_t used = 0;
    int rc = snprintf(out, size, "colony rpc lookup --json -- '");

    used = (size_t)rc;
    for (; *name != '\0' && used + 6 < size; name++) {
        const char *piece = *name == '\'' ? "'\\''" : NULL;

        used += (size_t)snprintf(out + used, size - used, "%s", piece ? piece : "");
        if (!piece)
            out[used++] = *name;
    }
    out[used++] = '\'';
    out[used] = '\0';
    return *name == '\0' ? 0 : -ENAMETOOLONG;
}

static int add(struct colony__words *words, const char *text)
{
    return colony__words_add(words, text, strlen(text), NULL);
}

/* $COLONY_SSH is a command, with its options if it needs some. */
static int make_command(const struct run *run, struct colony__words *words)
{
    const char *program = getenv("COLONY_SSH");
    char command[2048];
    int rc = quote(command, sizeof command, run->name);

    if (rc == 0)
        rc = colony__words_split(words, program && program[0] ? program : "ssh", WORDS_SHELL, NULL);
    for (size_t i = 0; rc == 0 && i < run->rpc->ssh_options.count; i++) {
        rc = add(words, "-o");
        if (rc == 0)
            rc = add(words, run->rpc->ssh_options.items[i]);
    }
    if (rc == 0)
        rc = add(words, run->host);
    return rc == 0 ? add(words, command) : rc;
}

static int spawn(struct run *run, char *const *argv)
{
    posix_spawn_file_actions_t actions;
    int ends[2];
    int rc;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    rc = -posix_spawn_file_actions_init(&actions);
    if (rc == 0) {
        rc = -posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        if (rc == 0)
            rc = -posix_spawnp(&run->pid, argv[0], &actions, NULL, argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)close(ends[1]);
    if (rc < 0)
        (void)close(ends[0]);
    else
        run->fd = ends[0];
    return rc;
}

/* -ETIMEDOUT; -EFBIG: that is no entry of a registry. */
static int read_all(struct run *run)
{
    struct pollfd ready = {.fd = run->fd, .events = POLLIN};
    ssize_t count = 1;

    while (count != 0) {
        int polled = poll(&ready, 1, rpc_left_ms(run->rpc));

        if (polled == 0)
            return -ETIMEDOUT;
        if (polled < 0 && errno != EINTR)
            return -errno;
        if (polled < 0)
            continue;
        if (run->size == ANSWER_BYTES_MAX)
            return -EFBIG;
        count = read(run->fd, run->text + run->size, ANSWER_BYTES_MAX - run->size);
        if (count < 0 && errno != EINTR)
            return -errno;
        run->size += count > 0 ? (size_t)count : 0;
    }
    run->text[run->size] = '\0';
    return 0;
}

/* What is told of a run that came to an end. */
static int judge(const struct run *run, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : SSH_FAILED;

    if (code == EXIT_OK)
        return EXIT_OK;
    if (code == EXIT_NO_SUCH_NAME) /* the other end has told it */
        return code;
    if (code == NOT_FOUND)
        return rpc_fail(EXIT_UNREACHABLE,
                        "cannot find %s on %s: colony is not installed there, or not on the PATH "
                        "that ssh has",
                        run->name, run->host);
    return rpc_fail(EXIT_UNREACHABLE, "cannot find %s on %s: ssh failed (status %d)", run->name,
                    run->host, code);
}

static int finish(const struct run *run, int rc)
{
    int status = 0;

    (void)close(run->fd);
    if (rc < 0)
        (void)kill(run->pid, SIGKILL); /* it has no terminal to put in order */
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc == -ETIMEDOUT)
        return rpc_fail(EXIT_TIMED_OUT, "cannot wait any longer for %s: no answer in %g seconds",
                        run->host, (double)run->rpc->timeout_ms / 1000);
    if (rc < 0)
        return rpc_fail(EXIT_UNREACHABLE, "cannot read what ssh says of %s: %s", run->host,
                        strerror(-rc));
    return judge(run, status);
}

int rpc_ssh_lookup(const struct rpc *rpc, const char *host, const char *name, char **out)
{
    struct run run = {.rpc = rpc, .host = host, .name = name, .fd = -1};
    struct colony__words words = {0};
    int rc = make_command(&run, &words);
    int exit_code;

    run.text = malloc(ANSWER_BYTES_MAX + 1);
    if (rc == 0)
        rc = run.text ? spawn(&run, words.items) : -ENOMEM;
    if (rc < 0 || !run.text)
        exit_code = rpc_fail(EXIT_UNREACHABLE, "cannot run %s to find %s on %s: %s",
                             words.count > 0 ? words.items[0] : "ssh", name, host, strerror(-rc));
    else
        exit_code = finish(&run, read_all(&run));
    colony__words_free(words.items);
    if (exit_code == EXIT_OK)
        *out = run.text;
    else
        free(run.text);
    return exit_code;
}
