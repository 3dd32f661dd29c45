/* SPDX-License-Identifier: Apache-2.0 */
/* Files that include others: which they are, in which order, and that it comes to an end. */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/ini.h"
#include "core/settings_internal.h"
#include "core/value_internal.h"

enum {
    DEPTH_MAX = 16,
    FILES_MAX = 4096,
    TOTAL_BYTES_MAX = 64 << 20,
};

struct loader {
    struct colony_settings *settings;
    size_t chain[DEPTH_MAX]; /* the files that are being read, each included by the last */
    size_t depth;
    size_t bytes;
    struct colony_error *err;
};

static int follow(struct loader *loader, const char *path, const struct colony_value *place);

/* About @place, where the file is asked for; NULL: by the user, who knows. */
static int fail_at(const struct loader *loader, const struct colony_value *place, int code,
                   const char *message)
{
    const struct colony__reading reading = {.files = loader->settings->files, .err = loader->err};

    if (code == -ENOMEM)
        return code;
    return colony__setting_fail(&reading, place, code, "%s", message);
}

static bool is_ini(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && strcasecmp(dot, ".ini") == 0;
}

static bool is_yaml(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && (strcasecmp(dot, ".yaml") == 0 || strcasecmp(dot, ".yml") == 0 ||
                   strcasecmp(dot, ".json") == 0);
}

/* gaffer takes any name for one of its files, and for what they include. */
static bool is_gaffers(const struct loader *loader, const char *path, const char *text, size_t size,
                       const struct colony_value *place)
{
    if (is_ini(path) || is_yaml(path))
        return is_ini(path);
    return (place && loader->settings->files[place->file].is_ini) ||
           colony_value_looks_like_ini(text, size);
}

/* "cannot include a: a → b → a" */
static int fail_cycle(const struct loader *loader, size_t begin, const struct colony_value *place)
{
    const struct colony_settings_file *files = loader->settings->files;
    const char *first = files[loader->chain[begin]].path;
    char text[COLONY_ERROR_TEXT_MAX];
    size_t used = (size_t)snprintf(text, sizeof text, "cannot include %.150s: ", first);

    for (size_t i = begin; i < loader->depth && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s → ",
                                 files[loader->chain[i]].path);
    if (used < sizeof text)
        (void)snprintf(text + used, sizeof text - used, "%s", first);
    return fail_at(loader, place, -ELOOP, text);
}

/* 1 when the file has been read already, 0 when it is new. */
static int look_up(const struct loader *loader, const struct stat *info,
                   const struct colony_value *place)
{
    const struct colony_settings *settings = loader->settings;
    size_t file = 0;

    while (file < settings->file_count && !(settings->files[file].device == info->st_dev &&
                                            settings->files[file].inode == info->st_ino))
        file++;
    if (file == settings->file_count)
        return 0;
    for (size_t i = 0; i < loader->depth; i++)
        if (loader->chain[i] == file)
            return fail_cycle(loader, i, place);
    return 1;
}

static int check_limits(const struct loader *loader, const struct colony_value *place)
{
    if (loader->depth == DEPTH_MAX)
        return fail_at(loader, place, -EINVAL,
                       "cannot include this: more than 16 files include each other");
    if (loader->settings->file_count == FILES_MAX)
        return fail_at(loader, place, -EINVAL, "cannot include so much: more than 4096 files");
    if (loader->bytes > TOTAL_BYTES_MAX)
        return fail_at(loader, place, -EFBIG, "cannot include so much: more than 64 MiB");
    return 0;
}

static int add_file(struct loader *loader, const char *path, const struct stat *info,
                    bool is_of_gaffer)
{
    struct colony_settings *settings = loader->settings;
    struct colony_settings_file *files;

    files = reallocarray(settings->files, settings->file_count + 1, sizeof *files);
    if (!files)
        return -ENOMEM;
    settings->files = files;
    files += settings->file_count;
    memset(files, 0, sizeof *files);
    files->path = strdup(path);
    if (!files->path)
        return -ENOMEM;
    files->is_ini = is_of_gaffer;
    files->is_roots = info->st_uid == 0 && (info->st_mode & (S_IWGRP | S_IWOTH)) == 0;
    files->device = info->st_dev;
    files->inode = info->st_ino;
    settings->file_count++;
    return 0;
}

static void mark(struct colony_value *value, unsigned file)
{
    value->file = file;
    for (struct colony_value *child = value->child; child; child = child->next)
        mark(child, file);
}

/* Parses the last of the files and adds what it says; *include is what it includes. */
static int add_text(struct loader *loader, const char *text, size_t size,
                    struct colony_value **include)
{
    struct colony_settings *settings = loader->settings;
    const struct colony__reading reading = {
        .files = settings->files, .strict = true, .err = loader->err};
    size_t last = settings->file_count - 1;
    const char *path = settings->files[last].path;
    struct colony_value *tree = NULL;
    int rc = settings->files[last].is_ini
                 ? colony_value_parse_ini(&tree, text, size, path, loader->err)
                 : colony_value_parse_yaml(&tree, text, size, path, loader->err);

    if (rc < 0)
        return rc;
    mark(tree, (unsigned)last);
    return colony__settings_add(settings, tree, include, &reading);
}

/* From the folder of the file that includes. */
static int include_text(struct loader *loader, const struct colony_value *value)
{
    const char *from = loader->settings->files[value->file].path;
    const char *slash = strrchr(from, '/');
    char path[PATH_MAX];

    if (value->type != VALUE_STRING || value->text[0] == '\0')
        return fail_at(loader, value, -EINVAL,
                       "cannot use `include`: it must be a path or a list of paths");
    if (value->text[0] == '/' || !slash)
        slash = from - 1;
    if ((size_t)snprintf(path, sizeof path, "%.*s%s", (int)(slash + 1 - from), from, value->text) >=
        sizeof path)
        return fail_at(loader, value, -ENAMETOOLONG, "cannot include this: its path is too long");
    return follow(loader, path, value);
}

static int include_all(struct loader *loader, const struct colony_value *include)
{
    int rc = 0;

    if (!include || include->type == VALUE_NULL)
        return 0;
    if (include->type != VALUE_LIST)
        return include_text(loader, include);
    for (const struct colony_value *child = include->child; child && rc == 0; child = child->next)
        rc = include_text(loader, child);
    return rc;
}

/* Reads the last of the files, then what it includes. */
static int read_new(struct loader *loader, const char *text, size_t size)
{
    struct colony_value *include = NULL;
    int rc;

    loader->chain[loader->depth++] = loader->settings->file_count - 1;
    rc = add_text(loader, text, size, &include);
    if (rc == 0)
        rc = include_all(loader, include);
    loader->depth--;
    colony_value_free(include);
    return rc;
}

static int load_file(struct loader *loader, const char *path, const struct colony_value *place)
{
    struct colony_error reason = {0};
    struct stat info;
    char *text = NULL;
    size_t size = 0;
    int rc = colony__file_read(&text, &size, path, &info, &reason);

    if (rc == -EISDIR)
        (void)colony_fail(&reason, rc,
                          "cannot read %s: it is a folder; give a file, where `include` may name "
                          "this folder",
                          path);
    if (rc < 0)
        return fail_at(loader, place, rc, reason.message);
    loader->bytes += size;
    rc = look_up(loader, &info, place);
    if (rc == 0)
        rc = check_limits(loader, place);
    if (rc == 0)
        rc = add_file(loader, path, &info, is_gaffers(loader, path, text, size, place));
    if (rc == 0)
        rc = read_new(loader, text, size);
    free(text);
    return rc < 0 ? rc : 0;
}

/* What was found, not asked for by its name, is read only if it is a file. */
static int load_found(struct loader *loader, const char *path, const struct colony_value *place)
{
    struct stat info;

    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return 0;
    return load_file(loader, path, place);
}

static int is_for_settings(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot && entry->d_name[0] != '.' &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || is_ini(entry->d_name));
}

/* Whatever the locale is. */
static int compare_entries(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static int include_folder(struct loader *loader, const char *folder,
                          const struct colony_value *place)
{
    struct colony_error reason = {0};
    struct dirent **entries = NULL;
    char path[PATH_MAX];
    int count = scandir(folder, &entries, is_for_settings, compare_entries);
    int rc = 0;

    if (count < 0) {
        (void)colony_fail_os(&reason, -errno, "cannot read the folder %s", folder);
        return fail_at(loader, place, reason.code, reason.message);
    }
    for (int i = 0; i < count; i++) {
        if (rc < 0)
            ; /* only freed */
        else if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) <
                 sizeof path)
            rc = load_found(loader, path, place);
        else
            rc = fail_at(loader, place, -ENAMETOOLONG,
                         "cannot include this folder: a path in it is too long");
        free(entries[i]);
    }
    free(entries);
    return rc;
}

/* A folder that is not there holds nothing; one that cannot be read may hold anything. */
static int on_glob_error(const char *path, int code)
{
    (void)path;
    return code != ENOENT && code != ENOTDIR;
}

static int include_pattern(struct loader *loader, const char *pattern,
                           const struct colony_value *place)
{
    struct colony_error reason = {0};
    glob_t found = {0};
    int failure = glob(pattern, 0, on_glob_error, &found);
    int rc = 0;

    if (failure == GLOB_NOSPACE)
        rc = -ENOMEM;
    if (failure == GLOB_ABORTED) {
        (void)colony_fail(&reason, -EACCES, "cannot look for %s: a folder in it cannot be read",
                          pattern);
        rc = fail_at(loader, place, reason.code, reason.message);
    }
    for (size_t i = 0; i < found.gl_pathc && rc == 0; i++) {
        struct stat info;

        if (stat(found.gl_pathv[i], &info) == 0 && S_ISDIR(info.st_mode))
            rc = include_folder(loader, found.gl_pathv[i], place);
        else
            rc = load_found(loader, found.gl_pathv[i], place);
    }
    globfree(&found);
    return rc;
}

static int follow(struct loader *loader, const char *path, const struct colony_value *place)
{
    struct stat info;
    int rc = stat(path, &info) < 0 ? -errno : 0;

    if (rc == -ENOENT && strpbrk(path, "*?["))
        return include_pattern(loader, path, place);
    if (rc == 0 && S_ISDIR(info.st_mode))
        return include_folder(loader, path, place);
    return load_file(loader, path, place); /* which also says why it can't */
}

static bool is_same_file(const char *left, const char *right)
{
    struct stat a;
    struct stat b;

    if (strcmp(left, right) == 0)
        return true;
    return stat(left, &a) == 0 && stat(right, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* What packages put beside the system's own file. */
static int load_default(struct loader *loader, const char *path, const char *etc)
{
    char folder[PATH_MAX];
    struct stat info;
    bool has_folder;
    int rc = 0;

    (void)snprintf(folder, sizeof folder, "%.4000s/conf.d", etc);
    has_folder = stat(folder, &info) == 0 && S_ISDIR(info.st_mode);
    if (!has_folder || access(path, F_OK) == 0 || errno != ENOENT)
        rc = load_file(loader, path, NULL);
    return rc == 0 && has_folder ? include_folder(loader, folder, NULL) : rc;
}

static int check_together(const struct loader *loader)
{
    const struct colony__reading reading = {.files = loader->settings->files, .err = loader->err};

    return loader->settings->source ? colony__settings_check_users_keys(loader->settings, &reading)
                                    : 0;
}

int colony__include_load(struct colony_settings *settings, const char *path, const char *etc,
                         struct colony_error *err)
{
    struct loader loader = {.settings = settings, .err = err};
    char usual[PATH_MAX];
    int rc;

    (void)snprintf(usual, sizeof usual, "%.4000s/colony.yaml", etc);
    rc = is_same_file(path, usual) ? load_default(&loader, path, etc)
                                   : load_file(&loader, path, NULL);
    return rc == 0 ? check_together(&loader) : rc;
}

int colony__include_text(struct colony_settings *settings, const char *path, const char *text,
                         size_t size, struct colony_error *err)
{
    struct loader loader = {.settings = settings, .bytes = size, .err = err};
    const struct stat info = {.st_uid = geteuid()}; /* no file: whoever runs us said it */
    int rc = add_file(&loader, path, &info, is_gaffers(&loader, path, text, size, NULL));

    if (rc == 0)
        rc = read_new(&loader, text, size);
    return rc == 0 ? check_together(&loader) : rc;
}
