/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/ssh.h"

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

enum {
    ANSWER_BYTES_MAX = 16 << 10,
    SSH_FAILED = 255, /* what ssh itself exits with */
    NOT_FOUND = 127,
};

extern char **environ;

/* A run of ssh. */
struct run {
    const struct colony_rpc_ssh *ask;
    pid_t pid;
    int fd; /* of its output */
    char *text;
    size_t size;
};

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

static int add_option(struct colony__words *words, const char *option)
{
    int rc = add(words, "-o");

    return rc == 0 ? add(words, option) : rc;
}

/* $COLONY_SSH is a command, with its options if it needs some. */
static int make_command(const struct colony_rpc_ssh *ask, struct colony__words *words)
{
    const char *program = getenv("COLONY_SSH");
    char command[2048];
    int rc = quote(command, sizeof command, ask->name);

    if (rc == 0)
        rc = colony__words_split(words, program && program[0] ? program : "ssh", WORDS_SHELL, NULL);
    if (rc == 0 && ask->is_quiet)
        rc = add_option(words, "BatchMode=yes");
    for (size_t i = 0; rc == 0 && i < ask->option_count; i++)
        rc = add_option(words, ask->options[i]);
    if (rc == 0)
        rc = add(words, ask->host);
    return rc == 0 ? add(words, command) : rc;
}

static int set_streams(posix_spawn_file_actions_t *actions, const struct run *run, int output)
{
    static const char null[] = "/dev/null";
    int rc = -posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);

    if (rc == 0 && run->ask->is_quiet)
        rc = -posix_spawn_file_actions_addopen(actions, STDIN_FILENO, null, O_RDONLY, 0);
    if (rc == 0 && run->ask->is_quiet)
        rc = -posix_spawn_file_actions_addopen(actions, STDERR_FILENO, null, O_WRONLY, 0);
    return rc;
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
        rc = set_streams(&actions, run, ends[1]);
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
    uint64_t deadline_ms = run->ask->deadline_ms;
    struct pollfd ready = {.fd = run->fd, .events = POLLIN};
    ssize_t count = 1;

    while (count != 0) {
        int polled =
            poll(&ready, 1, deadline_ms == UINT64_MAX ? -1 : colony_target_until_ms(deadline_ms));

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
static int judge(const struct run *run, int status, struct colony_error *err)
{
    const char *host = run->ask->host;
    const char *name = run->ask->name;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : SSH_FAILED;

    if (code == EXIT_OK)
        return 0;
    if (code == EXIT_NO_SUCH_NAME)
        return colony_fail(err, -ENOENT, "cannot find %s on %s: no daemon of that name runs there",
                           name, host);
    if (code == NOT_FOUND)
        return colony_fail(
            err, -EHOSTUNREACH,
            "cannot find %s on %s: colony is not installed there, or not on the PATH "
            "that ssh has",
            name, host);
    return colony_fail(err, -EHOSTUNREACH, "cannot find %s on %s: ssh failed (status %d)", name,
                       host, code);
}

static int finish(const struct run *run, int rc, struct colony_error *err)
{
    int status = 0; /* unknown where a program has its children reaped; the text tells then */

    (void)close(run->fd);
    if (rc < 0)
        (void)kill(run->pid, SIGKILL); /* it has no terminal to put in order */
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc == -ETIMEDOUT)
        return colony_fail(err, rc, "cannot wait any longer for %s", run->ask->host);
    if (rc < 0)
        return colony_fail(err, -EHOSTUNREACH, "cannot read what ssh says of %s: %s",
                           run->ask->host, strerror(-rc));
    return judge(run, status, err);
}

int colony_rpc_ssh_lookup(const struct colony_rpc_ssh *ask, char **out, struct colony_error *err)
{
    struct run run = {.ask = ask, .fd = -1};
    struct colony__words words = {0};
    int rc = make_command(ask, &words);

    run.text = malloc(ANSWER_BYTES_MAX + 1);
    if (rc == 0)
        rc = run.text ? spawn(&run, words.items) : -ENOMEM;
    if (rc < 0)
        rc = colony_fail(err, -EHOSTUNREACH, "cannot run %s to find %s on %s: %s",
                         words.count > 0 ? words.items[0] : "ssh", ask->name, ask->host,
                         strerror(-rc));
    else
        rc = finish(&run, read_all(&run), err);
    colony__words_free(words.items);
    if (rc == 0)
        *out = run.text;
    else
        free(run.text);
    return rc;
}
