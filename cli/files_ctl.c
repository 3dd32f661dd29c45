/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files_ctl.c - ncolony's actions on its two folders (ORIGINALS §2). No colony is asked, and none
 * need run: what is written is found by whoever watches the folders.
 */
#include "files_ctl.h"

#include <colony.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/log.h"
#include "core/value.h"
#include "core/value_internal.h"
#include "ctl_internal.h"
#include "fsctl/places.h"
#include "options.h"

/* One run: the folders, then all that any action's options can set. */
struct files_ctl {
    struct colony_places places;
    const char *name; /* of a process or group, by --name or as an operand */
    const char *cmd;
    struct colony_option_list args;
    struct colony_option_list env;
    struct colony_option_list env_inherit;
    uint64_t uid; /* UINT64_MAX: not given */
    uint64_t gid;
    const char *extras;
    bool is_dry;
    bool is_json;
};

struct action {
    const char *name;
    int (*run)(const struct files_ctl *ctl);
    const char *arguments;
    bool has_name; /* which must be given */
    const struct colony_option *options;
    const char *help;
    const char *examples;
};

/* The exit code of @rc, which is told if it says so. What is done may have a note, too. */
static int done(int rc, const struct colony_error *err)
{
    if (rc >= 0 && err->message[0] != '\0')
        (void)colony__ctl_fail(EXIT_OK, "it is written all the same: %s", err->message);
    if (rc >= 0)
        return EXIT_OK;
    return colony__ctl_fail((int)colony_error_info(rc)->exit_code, "%s", err->message);
}

/* --- the actions ------------------------------------------------------------------------------ */

/* NULL: not given. What is larger than any id becomes the one that nobody can have. */
static const uint32_t *id_of(uint64_t given, uint32_t *id)
{
    *id = given < UINT32_MAX ? (uint32_t)given : UINT32_MAX;
    return given == UINT64_MAX ? NULL : id;
}

/* A pipe of the shell, `<(...)`, which the library would not wait for; *text is to be freed. */
static int read_pipe(const struct files_ctl *ctl, struct colony_file *file, char **text,
                     struct colony_error *err)
{
    struct stat info;
    size_t size = 0;
    int rc;

    if (!ctl->extras || stat(ctl->extras, &info) < 0 || !S_ISFIFO(info.st_mode))
        return 0;
    rc = colony__file_read(text, &size, ctl->extras, NULL, err);
    if (rc < 0)
        return rc;
    if ((*text)[strspn(*text, " \t\r\n")] != '{')
        return colony_fail(err, -EINVAL, "cannot use the extras: they must be an object");
    file->extras = *text;
    return 0;
}

static int add(const struct files_ctl *ctl)
{
    uid_t uid;
    gid_t gid;
    struct colony_file file = {
        .cmd = ctl->cmd,
        .args = ctl->args.items,
        .env = ctl->env.items,
        .env_inherit = ctl->env_inherit.items,
        .uid = id_of(ctl->uid, &uid),
        .gid = id_of(ctl->gid, &gid),
        .extras = ctl->extras,
    };
    struct colony_error err = {0};
    char *text = NULL;
    int rc;

    if (!ctl->cmd)
        return colony__ctl_fail(EXIT_USAGE, "cannot add %s: say what to run: --cmd CMD", ctl->name);
    rc = read_pipe(ctl, &file, &text, &err);
    if (rc == 0)
        rc = colony_files_add(&ctl->places, ctl->name, &file, &err);
    free(text);
    return done(rc == -ENOENT ? -EIO : rc, &err); /* of extras: not the name */
}

static int remove_name(const struct files_ctl *ctl)
{
    struct colony_error err = {0};

    return done(colony_files_remove(&ctl->places, ctl->name, &err), &err);
}

/* As ncolony has it, which does not look for the file: it may come before the message is read. */
static int restart_what_may_come(const struct files_ctl *ctl, struct colony_error *err)
{
    char *text = NULL;
    int rc = colony_places_message(&text, "RESTART", "name", ctl->name, err);

    if (rc == 0 && ctl->is_dry)
        printf("%s\n", text);
    else if (rc == 0)
        rc = colony_places_send(ctl->places.messages, text, err);
    free(text);
    return rc;
}

static int restart(const struct files_ctl *ctl)
{
    struct colony_error err = {0};
    int rc = colony_files_restart(&ctl->places, ctl->name, &err);

    return done(rc == -ENOENT ? restart_what_may_come(ctl, &err) : rc, &err);
}

static int restart_all(const struct files_ctl *ctl)
{
    struct colony_error err = {0};

    return done(colony_files_restart_all(&ctl->places, &err), &err);
}

static int restart_group(const struct files_ctl *ctl)
{
    struct colony_error err = {0};

    return done(colony_files_restart_group(&ctl->places, ctl->name, &err), &err);
}

static int list_names(const struct files_ctl *ctl)
{
    struct colony_error err = {0};
    char **names = NULL;
    struct cJSON *json;
    int count = colony_files_list(&ctl->places, &names, &err);
    int exit_code = EXIT_OK;

    if (count < 0)
        return done(count, &err);
    if (!ctl->is_json) {
        for (int i = 0; i < count; i++)
            printf("%s\n", names[i]);
    } else {
        json = cJSON_CreateStringArray((const char *const *)names, count);
        exit_code = colony__ctl_print_tree(json);
        cJSON_Delete(json);
    }
    colony_files_free(names);
    return exit_code;
}

/* As it stands there: JSON that can be read has no bytes that could upset a terminal. */
static int show(const struct files_ctl *ctl)
{
    struct colony_error err = {0};
    struct colony_value *value = NULL;
    char *text = NULL;
    size_t size = 0;
    int exit_code = EXIT_OK;
    int rc = colony_files_read(&ctl->places, ctl->name, &text, &size, &err);

    if (rc < 0)
        return done(rc, &err);
    if (colony_value_parse_json(&value, text, size, &err) < 0)
        exit_code = colony__ctl_fail(EXIT_BAD_CONFIG, "%s/%s: %s", ctl->places.config, ctl->name,
                                     err.message);
    else
        printf("%s%s", text, size > 0 && text[size - 1] == '\n' ? "" : "\n");
    colony_value_free(value);
    free(text);
    return exit_code;
}

/* --- the tables ------------------------------------------------------------------------------- */

/* clang-format off */
#define AT(field) offsetof(struct files_ctl, field)
#define NAME(word) {"name", 0, word, "the name, in place of the operand", OPTION_TEXT, AT(name), NULL}
#define DRY {"dry-run", 0, NULL, "only print the JSON that would be written", OPTION_FLAG, AT(is_dry), NULL}
#define END {NULL, 0, NULL, NULL, OPTION_END, 0, NULL}

static const struct colony_option add_options[] = {
    NAME("NEW_NAME"),
    {"cmd",         0, "CMD",  "the program to run",                          OPTION_TEXT,   AT(cmd),         NULL},
    {"arg",         0, "TEXT", "an argument of it, may repeat: --arg=-v",     OPTION_LIST,   AT(args),        NULL},
    {"env",         0, "K=V",  "environment variable, may repeat",            OPTION_LIST,   AT(env),         NULL},
    {"env-inherit", 0, "K",    "variable to take from its supervisor, may repeat", OPTION_LIST, AT(env_inherit), NULL},
    {"uid",         0, "UID",  "user to run as, a number",                    OPTION_NUMBER, AT(uid),         NULL},
    {"gid",         0, "GID",  "group to run as, a number",                   OPTION_NUMBER, AT(gid),         NULL},
    {"extras",      0, "FILE", "more for the file: a path, or a JSON object", OPTION_TEXT,   AT(extras),      NULL},
    DRY, END,
};
static const struct colony_option name_options[] = {NAME("NAME"), END};
static const struct colony_option restart_options[] = {NAME("NAME"), DRY, END};
static const struct colony_option group_options[] = {
    {"group", 0, "G", "the group, in place of the operand", OPTION_TEXT, AT(name), NULL}, DRY, END,
};
static const struct colony_option all_options[] = {DRY, END};
static const struct colony_option list_options[] = {
    {"json", 0, NULL, "print JSON", OPTION_FLAG, AT(is_json), NULL}, END,
};

#define HERE "colony ctl --messages /messages --config /conf "

static const struct action actions[] = {
    {"add",           add,           "[NEW_NAME]", true, add_options, "write a process's file; the same content changes nothing",
     HERE "add web --cmd python3 --arg=-m --arg=http.server\n"
     HERE "add --name=web --cmd=/srv/web --env PORT=80 --extras '{\"group\": [\"shop\"]}'\n"},
    {"remove",        remove_name,   "[NAME]", true, name_options,    "remove a process's file: it is stopped",
     HERE "remove web\n"},
    {"restart",       restart,       "[NAME]", true, restart_options, "ask for a restart of a process",
     HERE "restart web\n" HERE "restart --name=web\n"},
    {"restart-all",   restart_all,   "",       false, all_options,    "ask for a restart of every process",
     HERE "restart-all\n"},
    {"restart-group", restart_group, "[G]",    true, group_options,   "ask for a restart of all whose `group` has G",
     HERE "restart-group shop\n"},
    {"list",          list_names,    "",       false, list_options,   "list the names of the files",
     HERE "list\n" HERE "list --json\n"},
    {"show",          show,          "[NAME]", true, name_options,    "print a process's file",
     HERE "show web\n"},
};
/* clang-format on */

enum {
    ACTION_COUNT = sizeof actions / sizeof actions[0],
};

static bool get_action(size_t index, struct colony_usage *child)
{
    if (index >= ACTION_COUNT)
        return false;
    *child = (struct colony_usage){
        .command = actions[index].name,
        .arguments = actions[index].arguments,
        .summary = actions[index].help,
        .examples = actions[index].examples,
        .options = actions[index].options,
        .operands_max = actions[index].has_name,
    };
    return true;
}

const struct colony_usage colony_files_ctl_usage = {
    .command = "colony ctl --messages DIR --config DIR",
    .arguments = "ACTION [ARGUMENT...]",
    .summary = "Write, remove and list the files of processes and send messages, as ncolony does.\n"
               "No colony need run: who watches the two folders finds what is written.",
    .examples = HERE "add web --cmd python3 --arg=-m --arg=http.server\n" HERE "restart web\n",
    .operands_min = 1,
    .operands_max = COLONY_OPERANDS_ANY,
    .child = get_action,
    .children = "actions",
};

/* The name by either spelling; NULL: told. */
static const char *choose_name(const struct action *action, const char *option, const char *operand)
{
    char command[96];
    const struct colony_usage usage = {.command = command};

    (void)snprintf(command, sizeof command, "%s %s", colony_files_ctl_usage.command, action->name);
    if (option && operand && strcmp(option, operand) != 0)
        colony_options_complain(&usage, "two names: %s and %s", option, operand);
    else if (!option && !operand)
        colony_options_complain(&usage, "which? see %s --help", command);
    else
        return option ? option : operand;
    return NULL;
}

static int run_action(struct files_ctl *ctl, size_t index, int argc, char **argv)
{
    const struct action *action = &actions[index];
    int exit_code;

    if (!colony_options_parse_child(&colony_files_ctl_usage, index, ctl, &argc, argv, &exit_code))
        return exit_code;
    if (action->has_name)
        ctl->name = choose_name(action, ctl->name, argc > 1 ? argv[1] : NULL);
    if (action->has_name && !ctl->name)
        return EXIT_USAGE;
    ctl->places.dry_run = ctl->is_dry ? stdout : NULL;
    return action->run(ctl);
}

int colony_files_ctl(const char *messages, const char *config, int argc, char **argv)
{
    struct files_ctl ctl = {
        .places = {.messages = messages, .config = config}, .uid = UINT64_MAX, .gid = UINT64_MAX};
    int exit_code;
    int action;

    colony_log_init("ctl", SEVERITY_ERROR, LOG_STYLE_TEXT); /* our environment is not a process's */
    if (!colony_options_parse(&colony_files_ctl_usage, &ctl, &argc, argv, &exit_code))
        return exit_code;
    action = colony_options_choose_child(&colony_files_ctl_usage, argc, argv, &exit_code);
    if (action < 0)
        return exit_code;
    return run_action(&ctl, (size_t)action, argc - 1, argv + 1);
}
