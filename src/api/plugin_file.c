/* SPDX-License-Identifier: Apache-2.0 */
/* plugin_file.c - finds the files of site plugins, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/plugins_internal.h"
#include "core/template.h"

static const char site_folder[] = "_site";
static const char index_file[] = "index.html";

/* clang-format off */
static const struct {
    const char *ending;
    const char *type;
} types[] = {
    {"html",        "text/html; charset=utf-8"},
    {"htm",         "text/html; charset=utf-8"},
    {"css",         "text/css; charset=utf-8"},
    {"js",          "text/javascript; charset=utf-8"},
    {"mjs",         "text/javascript; charset=utf-8"},
    {"json",        "application/json"},
    {"map",         "application/json"},
    {"txt",         "text/plain; charset=utf-8"},
    {"md",          "text/markdown; charset=utf-8"},
    {"csv",         "text/csv; charset=utf-8"},
    {"xml",         "application/xml"},
    {"svg",         "image/svg+xml"},
    {"png",         "image/png"},
    {"jpg",         "image/jpeg"},
    {"jpeg",        "image/jpeg"},
    {"gif",         "image/gif"},
    {"webp",        "image/webp"},
    {"ico",         "image/x-icon"},
    {"woff",        "font/woff"},
    {"woff2",       "font/woff2"},
    {"ttf",         "font/ttf"},
    {"wasm",        "application/wasm"},
    {"pdf",         "application/pdf"},
    {"mp4",         "video/mp4"},
    {"webmanifest", "application/manifest+json"},
};
/* clang-format on */

const char *colony__plugin_type(const char *path)
{
    const char *name = strrchr(path, '/');
    const char *dot = strrchr(name ? name : path, '.');

    for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(dot + 1, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

void colony__plugin_etag(char etag[COLONY__ETAG_MAX], const struct stat *info)
{
    (void)snprintf(etag, COLONY__ETAG_MAX, "\"%" PRIx64 "-%" PRIx64 ".%lx-%" PRIx64 "\"",
                   (uint64_t)info->st_size, (uint64_t)info->st_mtim.tv_sec,
                   (unsigned long)info->st_mtim.tv_nsec, (uint64_t)info->st_ino);
}

bool colony__plugin_is_known(const char *list, const char *etag)
{
    size_t length = strlen(etag);

    while (list && *list != '\0') {
        list += strspn(list, " \t,");
        if (*list == '*')
            return true;
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        if (strncmp(list, etag, length) == 0 && strchr(" \t,", list[length]))
            return true;
        if (*list == '"') /* a comma may stand between the quotes of another one */
            list += 1 + strcspn(list + 1, "\"");
        list += strcspn(list, ",");
    }
    return false;
}

/* Linux 5.6; where a filter of system calls knows it not, there is no other that does this. */
static int open_beneath(int folder_fd, const char *path, int flags)
{
    const struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, /* so no magic ones either */
    };
    long fd;

    do
        fd = syscall(SYS_openat2, folder_fd, path, &how, sizeof how);
    while (fd < 0 && errno == EAGAIN); /* something was renamed just then */
    return fd < 0 ? -errno : (int)fd;
}

static int open_site(const char *folder, const char *name)
{
    char path[COLONY_NAME_MAX + sizeof site_folder + 2];
    int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd;

    if (folder_fd < 0)
        return -errno;
    (void)snprintf(path, sizeof path, "%.*s/%s", COLONY_NAME_MAX, name, site_folder);
    fd = open_beneath(folder_fd, path, O_PATH | O_DIRECTORY);
    (void)close(folder_fd);
    return fd;
}

/* Files only: not what a reader would wait for, and no device. */
static int open_file(int site_fd, const char *path, struct stat *info)
{
    int fd = open_beneath(site_fd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);

    *info = (struct stat){0};
    if (fd < 0)
        return fd;
    if (fstat(fd, info) == 0 && S_ISREG(info->st_mode))
        return fd;
    (void)close(fd);
    return S_ISDIR(info->st_mode) ? -EISDIR : -ENOENT;
}

static int open_index(int site_fd, const char *path, struct stat *info)
{
    char index[PATH_MAX];

    if ((size_t)snprintf(index, sizeof index, "%s/%s", path, index_file) >= sizeof index)
        return -ENOENT;
    return open_file(site_fd, index, info);
}

int colony__plugin_open(const char *folder, const char *name, const char *path, struct stat *info,
                        bool *is_folder)
{
    int site_fd = open_site(folder, name);
    int fd;

    *is_folder = false;
    if (site_fd < 0)
        return site_fd == -EMFILE || site_fd == -ENFILE || site_fd == -ENOSYS ? site_fd : -ENOENT;
    fd = open_file(site_fd, *path == '\0' ? "." : path, info);
    if (fd == -EISDIR) {
        *is_folder = true;
        fd = open_index(site_fd, *path == '\0' ? "." : path, info);
    }
    (void)close(site_fd);
    /* Whether there is something that may not be had is nobody's business: it is not there. */
    if (fd == -EXDEV || fd == -ELOOP || fd == -ENOTDIR || fd == -EISDIR || fd == -ENAMETOOLONG ||
        fd == -EACCES || fd == -EPERM || fd == -ENXIO)
        fd = -ENOENT;
    return fd;
}
