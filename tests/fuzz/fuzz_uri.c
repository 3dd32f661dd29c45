/* SPDX-License-Identifier: Apache-2.0 */
/* Uris of sessions: written again from their parts they are the same; what is secret stays so. */
#include <errno.h>

#include "core/error.h"
#include "session/config.h"
#include "session/names.h"
#include "session/uri.h"

#include "fuzz.h"

static char *ib_argv[] = {"/usr/bin/ib-service", "{path}", "{{{host}:{port}?{query}}}", "{a}",
                          NULL};
static struct colony_scheme scheme = {"ib", ib_argv};
static const struct colony_session_config config = {.schemes = &scheme, .scheme_count = 1};

/* Each byte as %XX, so that nothing in it means anything. */
static void put(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        (void)fprintf(out, "%%%02X", (unsigned char)*text);
}

static char *write_uri(const struct colony_uri *uri)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    CHECK(out);
    (void)fprintf(out, "%s://", uri->scheme);
    put(out, uri->host);
    if (*uri->port != '\0')
        (void)fprintf(out, ":%s", uri->port);
    if (*uri->path != '\0') {
        (void)fputc('/', out);
        put(out, uri->path + 1);
    }
    for (size_t i = 0; i < uri->parameter_count; i++) {
        (void)fputc(i == 0 ? '?' : '&', out);
        put(out, uri->parameters[i].key);
        if (uri->parameters[i].value) {
            (void)fputc('=', out);
            put(out, uri->parameters[i].value);
        }
    }
    CHECK(fclose(out) == 0);
    return text;
}

static void check_same(const struct colony_uri *left, const struct colony_uri *right)
{
    CHECK(strcmp(left->scheme, right->scheme) == 0);
    CHECK(strcmp(left->host, right->host) == 0);
    CHECK(strcmp(left->port, right->port) == 0);
    CHECK(strcmp(left->path, right->path) == 0);
    CHECK(left->parameter_count == right->parameter_count);
    for (size_t i = 0; i < left->parameter_count; i++) {
        const char *value = left->parameters[i].value;

        CHECK(strcmp(left->parameters[i].key, right->parameters[i].key) == 0);
        CHECK(!value == !right->parameters[i].value);
        CHECK(!value || strcmp(value, right->parameters[i].value) == 0);
    }
}

static void check_command(const struct colony_uri *uri)
{
    struct colony_error err;
    char **argv;

    if (colony_uri_command(&argv, uri, &config, &err) < 0)
        return;
    CHECK(argv[0] && *argv[0] != '\0');
    colony_argv_free(argv);
}

static void check_mask(const char *text)
{
    char *masked = colony_uri_mask(text);
    char *again;

    CHECK(masked);
    CHECK(!strstr(masked, "password=hunter2"));
    again = colony_uri_mask(masked);
    CHECK(again);
    CHECK(!strstr(again, "hunter2") || strstr(masked, "hunter2"));
    free(again);
    free(masked);
}

static void check_parts(const struct colony_uri *uri)
{
    struct colony_uri again;
    struct colony_error err;
    char *written = write_uri(uri);

    for (size_t i = 0; i < uri->parameter_count; i++)
        CHECK(*uri->parameters[i].key != '\0' || uri->parameters[i].value);
    if (colony_uri_parse(&again, written, &err) == 0) {
        check_same(uri, &again);
        colony_uri_clear(&again);
    } else {
        CHECK(strlen(written) > COLONY_URI_MAX);
    }
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct colony_uri uri;
    struct colony_error err;
    char name[COLONY_WORDS_MAX];

    colony_session_name(name, text, NULL, NULL);
    CHECK(strchr(name, '-'));
    check_mask(text);
    if (colony_uri_parse(&uri, text, &err) == 0) {
        check_parts(&uri);
        check_command(&uri);
        colony_uri_clear(&uri);
    } else {
        CHECK(err.code == -EINVAL && *err.message != '\0');
    }
    free(text);
    return 0;
}
