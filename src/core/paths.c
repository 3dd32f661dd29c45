/* SPDX-License-Identifier: Apache-2.0 */
#include "core/paths.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 3, 4))) static int write_path(char *path, size_t size,
                                                            const char *format, ...)
{
    char text[PATH_MAX];
    va_list args;
    int used;

    va_start(args, format);
    used = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (used < 0 || (size_t)used >= sizeof text || (size_t)used >= size)
        return -ENAMETOOLONG;
    (void)snprintf(path, size, "%s", text);
    return 0;
}

/* NULL unless it is an absolute path, as the XDG base directory specification wants it. */
static const char *folder_from_env(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] == '/' ? value : NULL;
}

int colony_default_socket(char *path, size_t size)
{
    const char *runtime = folder_from_env("XDG_RUNTIME_DIR");
    unsigned uid = (unsigned)geteuid();
    char folder[64];
    struct stat info;

    if (uid == 0)
        return write_path(path, size, "%s", COLONY_SYSTEM_SOCKET);
    if (runtime)
        return write_path(path, size, "%s/colony/colony.sock", runtime);
    (void)snprintf(folder, sizeof folder, "/run/user/%u", uid);
    if (stat(folder, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == uid)
        return write_path(path, size, "%s/colony/colony.sock", folder);
    return write_path(path, size, "/tmp/colony-%u/colony.sock", uid);
}

int colony_default_state_dir(char *path, size_t size)
{
    const char *state = folder_from_env("XDG_STATE_HOME");
    const char *home = folder_from_env("HOME");

    if (geteuid() == 0)
        return write_path(path, size, "/var/lib/colony");
    if (state)
        return write_path(path, size, "%s/colony", state);
    if (home)
        return write_path(path, size, "%s/.local/state/colony", home);
    return -ENOENT;
}

void colony_make_folders_above(const char *path, mode_t mode)
{
    char folder[PATH_MAX];

    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(folder, mode);
        *slash = '/';
    }
}

const char *colony_installed_program(void)
{
    return COLONY_PREFIX "/bin/colony";
}
