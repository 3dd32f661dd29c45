/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c - what ncolony's documentation begins with, by a program: two processes, as files in a
 * folder, and messages to whoever watches it (`colony serve --conf CONF --messages MESSAGES`, which
 * need not run yet).
 *
 *     cc files.c $(pkg-config --cflags --libs colony) && ./a.out CONF MESSAGES
 */
#include <stdio.h>

#include <colony.h>

static int fail(const struct colony_error *err)
{
    (void)fprintf(stderr, "files: %s\n", err->message);
    return 1;
}

int main(int argc, char **argv)
{
    const struct colony_file web = {
        .cmd = "python3",
        .args = (const char *const[]){"-m", "http.server", "8000", NULL},
        .env_inherit = (const char *const[]){"PATH", NULL},
        .extras = "{\"group\": [\"shop\"]}",
    };
    const struct colony_file echo = {
        .cmd = "colony",
        .args = (const char *const[]){"schedule", "--arg=echo", "--arg=hello", "--frequency=10",
                                      "--timeout=5", "--grace=10", NULL},
        .env = (const char *const[]){"PATH=/usr/local/bin:/usr/bin:/bin", NULL},
    };
    struct colony_places places = {0};
    struct colony_error err = {0};
    char **names = NULL;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: files CONF MESSAGES\n");
        return 2;
    }
    places.config = argv[1];
    places.messages = argv[2];

    if (colony_files_add(&places, "web", &web, &err) < 0 ||
        colony_files_add(&places, "echo", &echo, &err) < 0)
        return fail(&err);
    if (colony_files_restart(&places, "web", &err) < 0 ||
        colony_files_restart_group(&places, "shop", &err) < 0 ||
        colony_files_restart_all(&places, &err) < 0)
        return fail(&err);

    if (colony_files_list(&places, &names, &err) < 0)
        return fail(&err);
    for (char **name = names; *name; name++)
        printf("%s\n", *name);
    colony_files_free(names);
    return 0;
}
