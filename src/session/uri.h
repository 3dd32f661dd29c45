/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uri.h - what a session is to run, as an uri says it (ORIGINALS §4, RFC 3986). Pure.
 */
#ifndef COLONY_SESSION_URI_H
#define COLONY_SESSION_URI_H

#include <stddef.h>

struct colony_error;
struct colony_session_config;

enum {
    COLONY_URI_MAX = 65536, /* bytes */
    COLONY_URI_PARAMETERS_MAX = 1024,
};

/* Decoded; strings of its own memory. */
struct colony_uri {
    char *scheme; /* in lower case */
    char *host;   /* "" when empty */
    char *port;   /* "" when none */
    char *path;   /* with its first `/`, or "" */
    char *query;  /* not decoded, or "" */
    struct colony_uri_parameter {
        char *key;
        char *value; /* NULL: there was no `=` */
    } * parameters;
    size_t parameter_count;
};

/* -EINVAL with the column and what is wrong. */
int colony_uri_parse(struct colony_uri *out, const char *text, struct colony_error *err);
void colony_uri_clear(struct colony_uri *uri);

/*
 * The command line for @uri: of `exec://` its path and `k=v` arguments, of others what `schemes:`
 * of @config says. NULL-terminated, the caller frees it with colony_argv_free(). -EINVAL: no path,
 * a host that is not this one, a placeholder that @uri has nothing for; -ENOENT: no such scheme,
 * with how to add one.
 */
int colony_uri_command(char ***argv, const struct colony_uri *uri,
                       const struct colony_session_config *config, struct colony_error *err);
void colony_argv_free(char **argv);

/* @text with the values of password, token, secret and key parameters as `***`, whatever it is;
 * also for arguments `k=v`, `--k=v` and, several in one text, `--k v`. The caller frees it. NULL:
 * out of memory. */
char *colony_uri_mask(const char *text);

/* The same of one argument of a command line, which is hidden if the one @before it (NULL: none) is
 * an option like `--password`. */
char *colony_argument_mask(const char *argument, const char *before);

#endif
