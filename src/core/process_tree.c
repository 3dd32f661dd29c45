/* SPDX-License-Identifier: Apache-2.0 */
#include "core/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    COMMAND_MAX = 1024,
};

/* Reads a whole small file of /proc; returns its bytes, without any NUL at the end. */
static size_t read_proc(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t got;

    text[0] = '\0';
    if (fd < 0)
        return 0;
    while (used < size - 1 && (got = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    (void)close(fd);
    text[used] = '\0';
    return used;
}

/* The arguments with blanks between them, or "[NAME]" where there are none to see. */
static void read_command(pid_t pid, char command[COMMAND_MAX])
{
    char path[64];
    char name[64];
    size_t size;

    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    size = read_proc(path, command, COMMAND_MAX);
    while (size > 0 && command[size - 1] == '\0')
        size--;
    for (size_t i = 0; i < size; i++)
        if (command[i] == '\0')
            command[i] = ' ';
    if (size == 0) {
        (void)snprintf(path, sizeof path, "/proc/%d/comm", pid);
        (void)read_proc(path, name, sizeof name);
        name[strcspn(name, "\n")] = '\0';
        (void)snprintf(command, COMMAND_MAX, "[%s]", name);
    }
}

/* A number of the kernel's, or 0. */
static pid_t parse_pid(const char *text)
{
    char *end;
    long pid = strtol(text, &end, 10);

    return *end == '\0' && pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

static bool visit(struct colony_process_visitor *visitor, pid_t pid, int depth);

/* The children that one thread has started: a list of numbers of any length. */
static bool visit_children_of(struct colony_process_visitor *visitor, const char *path, int depth)
{
    char text[16];
    bool goes_on = true;
    FILE *file = fopen(path, "re");

    if (!file)
        return true; /* it has just ended */
    while (goes_on && fscanf(file, "%15s", text) == 1)
        goes_on = visit(visitor, parse_pid(text), depth);
    (void)fclose(file);
    return goes_on;
}

static bool visit_children(struct colony_process_visitor *visitor, pid_t pid, int depth)
{
    char path[64];
    bool goes_on = true;
    DIR *threads;
    const struct dirent *entry;

    (void)snprintf(path, sizeof path, "/proc/%d/task", pid);
    threads = depth < COLONY_PROCESS_TREE_DEPTH_MAX ? opendir(path) : NULL;
    if (!threads)
        return true;
    while (goes_on && (entry = readdir(threads))) {
        pid_t thread = parse_pid(entry->d_name);

        (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, thread);
        if (thread != 0)
            goes_on = visit_children_of(visitor, path, depth + 1);
    }
    (void)closedir(threads);
    return goes_on;
}

/* False: no more. */
static bool visit(struct colony_process_visitor *visitor, pid_t pid, int depth)
{
    char command[COMMAND_MAX];
    bool goes_on;

    if (pid <= 0)
        return true;
    if (visitor->left == 0)
        return false;
    visitor->left--;
    read_command(pid, command);
    if (!visitor->enter(visitor->data, pid, command))
        return false;
    goes_on = visit_children(visitor, pid, depth);
    visitor->leave(visitor->data);
    return goes_on;
}

void colony_process_tree_walk(pid_t pid, struct colony_process_visitor *visitor)
{
    (void)visit(visitor, pid, 0);
}
