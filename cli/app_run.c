/* SPDX-License-Identifier: Apache-2.0 */
/* app_run.c - `colony app run`: one command as the application would run it, on this terminal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app_internal.h"
#include "core/error.h"

enum {
    CANNOT_RUN = 126, /* as a shell tells it */
    NO_COMMAND = 127,
};

static int set_environment(const struct app *app, unsigned port)
{
    char text[16];
    int rc = 0;

    (void)snprintf(text, sizeof text, "%u", port);
    for (size_t i = 0; i < app->env.count && rc == 0; i++) {
        char *sign = strchr(app->env.items[i], '=');

        *sign = '\0';
        rc = setenv(app->env.items[i], sign + 1, 1);
        *sign = '=';
    }
    return rc == 0 ? setenv("PORT", text, 1) : rc;
}

/* A type, or one word, is a line for the shell; several are a program and its arguments. */
int colony__app_run(struct app *app, int argc, char **argv)
{
    int exit_code = colony__app_read(app);
    const char *line = argv[1];
    int index;

    if (exit_code != EXIT_OK)
        return exit_code;
    index = colony__app_find(app, argv[1]);
    if (index >= 0 && argc > 2)
        return colony__app_fail(EXIT_USAGE,
                                "cannot run %s with arguments: it is a type of the "
                                "Procfile",
                                argv[1]);
    if (index >= 0)
        line = app->procfile.types[index].command;
    if (set_environment(app, colony__app_port(app, index >= 0 ? (size_t)index : 0)) < 0)
        return colony__app_fail(EXIT_FAILED, "cannot run %s: out of memory", argv[1]);
    if (chdir(app->root) < 0)
        return colony__app_fail(EXIT_FAILED, "cannot run in %s: %s", app->root, strerror(errno));
    if (argc > 2)
        (void)execvp(argv[1], argv + 1);
    else
        (void)execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    exit_code = errno == ENOENT ? NO_COMMAND : CANNOT_RUN;
    return colony__app_fail(exit_code, "cannot run %s: %s", argv[1], strerror(errno));
}
