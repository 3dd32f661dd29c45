/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_internal.h - what the actions of `colony app` share: an application, as its Procfile, its
 * env files and the command line say it.
 *
 * An action returns its exit code and has told every error on stderr by then.
 */
#ifndef COLONY_CLI_APP_INTERNAL_H
#define COLONY_CLI_APP_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/procfile.h"
#include "core/words_internal.h"
#include "ctl_internal.h"

struct cJSON;

enum {
    APP_NAME_MAX = 99,     /* of the application: with a `:` and a type it is a template's */
    APP_PORT_FIRST = 5000, /* of the first process of the first type */
    APP_PORT_STEP = 100,   /* from one type to the next */
    APP_PORT_MAX = 65535,
    APP_WARNING_MAX = 256,
};

/* One run of `colony app`: what options say, then what is read. */
struct app {
    const char *procfile_path;
    const char *root_path;
    const char *name;
    const char *format;
    struct colony_option_list env_files;
    struct colony_option_list formation; /* `web=2,worker=1` */
    uint64_t port;                       /* UINT64_MAX: not given */
    bool aborts;                         /* start: the first failure ends all */
    struct ctl ctl;                      /* how a running colony is asked */

    char root[PATH_MAX]; /* the folder that all of it runs in */
    char group[APP_NAME_MAX + 1];
    struct colony_procfile procfile;
    struct colony__words env; /* of the env files: NAME=VALUE, each name once, PORT left out */
    unsigned counts[COLONY_PROCFILE_TYPES_MAX]; /* processes of each type */
    unsigned first_port;
};

typedef int (*app_action_cb)(struct app *app, int argc, char **argv);

/* `colony app: …` on stderr; returns @exit_code. */
int colony__app_fail(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fills root and group: for what asks a running colony only. EXIT_OK, or told. */
int colony__app_place(struct app *app);

/* Fills all of it. EXIT_OK, or told. */
int colony__app_read(struct app *app);
void colony__app_clear(struct app *app);

/* The index of the type @name, or -1. */
int colony__app_find(const struct app *app, const char *name);
/* The same, told with the nearest name when there is none. */
int colony__app_find_or_fail(const struct app *app, const char *doing, const char *name);

/* PORT of the first process of a type. */
unsigned colony__app_port(const struct app *app, size_t index);

/* app_ports.c: true when a PORT of the type is taken on this machine, with a line about it. */
bool colony__app_find_taken_port(const struct app *app, size_t index, char *text, size_t size);

/* `GROUP:TYPE`. */
void colony__app_template_name(const struct app *app, size_t index, char name[CTL_GROUP_MAX]);

/* The settings of a type as colony takes them, for cJSON_Delete(). NULL: out of memory. */
struct cJSON *colony__app_template(const struct app *app, size_t index, const char *name);

/*
 * app_send.c: adds the template @json (NULL: there was no memory for it) to the colony at @target;
 * `cannot DOING NAME: …` when that fails. EXIT_OK, or told.
 */
int colony__app_send(const struct colony_target *target, const struct cJSON *json,
                     const char *doing);

/* app_systemd.c: the units, in the folder @path, which is made when it is not there. */
int colony__app_export_systemd(const struct app *app, const char *path);
/* Writes @text to @path, which is replaced in one go. EXIT_OK, or told. */
int colony__app_write_file(const char *path, const char *text, size_t size);

/* The actions. */
int colony__app_export(struct app *app, int argc, char **argv);
int colony__app_load(struct app *app, int argc, char **argv);
int colony__app_ps(struct app *app, int argc, char **argv);
int colony__app_run(struct app *app, int argc, char **argv);
int colony__app_scale(struct app *app, int argc, char **argv);
int colony__app_start(struct app *app, int argc, char **argv);
int colony__app_unload(struct app *app, int argc, char **argv);

#endif
