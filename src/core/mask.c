/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mask.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MASK "***"

static bool is_secret(const char *name)
{
    static const char *const words[] = {"PASS", "PWD",        "SECRET", "TOKEN",
                                        "KEY",  "CREDENTIAL", "AUTH"};
    static const char *const harmless[] = {"PWD", "OLDPWD"}; /* the shell's */

    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (strcmp(name, harmless[i]) == 0)
            return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}

/*
 * The password of the URL whose "://" is before @url: *size bytes from what is returned; NULL: it
 * has none. It ends at the last `@` of the word, because a careless one may have `@`, `/` and `,`.
 */
static const char *find_password(const char *url, size_t *size)
{
    const char *end = memrchr(url, '@', strcspn(url, " \t\r\n\"'<>"));
    const char *colon = end ? memchr(url, ':', (size_t)(end - url)) : NULL;

    if (!colon)
        return NULL;
    *size = (size_t)(end - colon - 1);
    return colon + 1;
}

/* @to has room for twice @value: at most "://:@" becomes "://:***@". */
static void mask_urls(char *to, const char *value)
{
    const char *url = strstr(value, "://");

    while (url) {
        size_t size;
        const char *password = find_password(url + 3, &size);
        const char *rest = password ? password + size : url + 3;

        if (password) {
            to = mempcpy(to, value, (size_t)(password - value));
            to = mempcpy(to, MASK, sizeof MASK - 1);
            value = rest;
        }
        url = strstr(rest, "://");
    }
    memcpy(to, value, strlen(value) + 1);
}

char *colony_mask(const char *name, const char *value)
{
    char *masked;

    if (*value != '\0' && is_secret(name))
        return strdup(MASK);
    masked = malloc(strlen(value) * 2 + 1);
    if (masked)
        mask_urls(masked, value);
    return masked;
}
