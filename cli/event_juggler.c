/* SPDX-License-Identifier: Apache-2.0 */
/* event_juggler.c - `colony event juggler`: reports the state of a service to Juggler. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "api/juggler.h"
#include "commands.h"
#include "core/error.h"
#include "core/event_settings.h"
#include "core/http_client.h"
#include "event_internal.h"

enum {
    TIMEOUT_MS = 10000,
    HOST_MAX = 256,
    HEADERS_MAX = 40,
};

struct report {
    const char *url;
    const char *host;
    const char *service;
    const char *status;
    const char *description;
    const char *source;
    const char *config;
    struct colony_option_list tags;
    uint64_t timeout_ms;
    char host_name[HOST_MAX];
    struct colony_settings *settings;
    int exit_code;
};

/* clang-format off */
#define AT(field) offsetof(struct report, field)

const struct colony_option colony__event_juggler_options[] = {
    {"host",        0, "HOST",    "whose service it is; this machine's name by default",  OPTION_TEXT, AT(host), NULL},
    {"service",     0, "NAME",    "what is reported",                                     OPTION_TEXT, AT(service), NULL},
    {"status",      0, "STATUS",  "OK, WARN, CRIT or INFO",                               OPTION_TEXT, AT(status), NULL},
    {"description", 0, "TEXT",    "why, for people",                                      OPTION_TEXT, AT(description), NULL},
    {"tag",         0, "TAG",     "a tag; may repeat",                                    OPTION_LIST, AT(tags), NULL},
    {"url",         0, "URL",     "where Juggler takes events; that of `juggler:` in the settings by default", OPTION_TEXT, AT(url), NULL},
    {"source",      0, "NAME",    "who reports; that of the settings, or colony, by default", OPTION_TEXT, AT(source), NULL},
    {"config",      0, "FILE",    "the settings; /etc/colony/colony.yaml by default",     OPTION_TEXT, AT(config), NULL},
    {"timeout",     0, "SECONDS", "give up after it (exit 75); 10 by default",            OPTION_DURATION, AT(timeout_ms), NULL},
    {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
};
/* clang-format on */

/* --- what is to be told, and to whom ---------------------------------------------------------- */

static int find_missing(const struct report *report)
{
    const char *missing = !report->service       ? "--service"
                          : !report->status      ? "--status"
                          : !report->description ? "--description"
                                                 : NULL;

    if (missing)
        return colony__event_fail(EXIT_USAGE, "cannot report: %s is missing", missing);
    if (colony_juggler_status_parse(report->status) < 0)
        return colony__event_fail(EXIT_USAGE,
                                  "cannot report the status '%.40s': it is OK, WARN, "
                                  "CRIT or INFO",
                                  report->status);
    return EXIT_OK;
}

/* The settings are read only if they are needed. */
static int find_url(struct report *report)
{
    const char *config = report->config ? report->config : colony_settings_default_path();
    struct colony_error err;
    int rc;

    if (report->url && !report->config)
        return EXIT_OK;
    if (!config)
        return colony__event_fail(EXIT_USAGE,
                                  "cannot report: give --url, or --config with `juggler: "
                                  "{url: …}`");
    rc = colony_settings_load(&report->settings, config, &err);
    if (rc < 0)
        return colony__event_fail(EXIT_BAD_CONFIG, "%s", err.message);
    if (!report->url)
        report->url = report->settings->juggler->url;
    if (!report->url)
        return colony__event_fail(
            EXIT_BAD_CONFIG, "cannot report: %s has no `juggler: {url: …}`: give --url", config);
    return EXIT_OK;
}

static int find_rest(struct report *report)
{
    const struct colony_juggler_settings *juggler =
        report->settings ? report->settings->juggler : NULL;

    if (!colony_is_http_url(report->url))
        return colony__event_fail(EXIT_USAGE, "cannot report to this --url: it must be http:// or "
                                              "https://, a host, and no blanks");
    if (!report->host && juggler)
        report->host = juggler->host;
    if (!report->host && gethostname(report->host_name, sizeof report->host_name - 1) < 0)
        return colony__event_fail(EXIT_USAGE, "cannot report: give --host");
    if (!report->host)
        report->host = report->host_name;
    if (!report->source)
        report->source = juggler ? juggler->source : "colony";
    return EXIT_OK;
}

/* --- telling it ------------------------------------------------------------------------------- */

static void on_done(const struct colony_http_result *result, void *data)
{
    struct report *report = data;
    struct colony_error err;
    int code = 0;

    if (result->status == 0) {
        bool is_late = strstr(result->reason, "timed out") != NULL;

        report->exit_code = colony__event_fail(is_late ? EXIT_TIMED_OUT : EXIT_UNREACHABLE,
                                               "cannot report: %s", result->reason);
    } else if (result->status < 200 || result->status > 299) {
        report->exit_code = colony__event_fail(
            EXIT_FAILED, "cannot report: Juggler answers with status %d", result->status);
    } else if (colony_juggler_read_answer(result->body, result->size, &code, 1, &err) < 0) {
        report->exit_code = colony__event_fail(EXIT_FAILED, "cannot report: %s", err.message);
    } else if (code != COLONY_JUGGLER_OK_CODE) {
        report->exit_code =
            colony__event_fail(EXIT_FAILED, "Juggler refuses it with code %d: %.*s", code,
                               result->size < 300 ? (int)result->size : 300, result->body);
    } else {
        report->exit_code = EXIT_OK;
    }
}

static int send_body(struct report *report, struct colony_http_client *client, const char *body,
                     size_t size)
{
    const char *headers[HEADERS_MAX + 1] = {"Content-Type: application/json"};
    char *const *more = report->settings ? report->settings->juggler->headers : NULL;
    char url[COLONY_JUGGLER_URL_MAX];
    struct colony_http_job *job;
    size_t count = 1;

    if (colony_juggler_url(url, sizeof url, report->url) < 0)
        return colony__event_fail(EXIT_USAGE, "cannot report to this --url: it is too long");
    for (; more && *more && count < HEADERS_MAX; more++)
        headers[count++] = *more;
    if (colony_http_client_send(client,
                                &(const struct colony_http_request){
                                    .url = url,
                                    .headers = headers,
                                    .body = body,
                                    .size = size,
                                    .ca = report->settings ? report->settings->juggler->ca : NULL,
                                    .timeout_ms = report->timeout_ms,
                                    .answer_max = COLONY_JUGGLER_ANSWER_MAX,
                                    .cb = on_done,
                                    .data = report},
                                &job) < 0)
        return colony__event_fail(EXIT_FAILED, "cannot report: out of memory");
    return EXIT_OK;
}

static void on_closed(void *data)
{
    (void)data;
}

static int tell(struct report *report, const char *body, size_t size)
{
    struct colony_http_client *client = NULL;
    struct colony_error err;
    uv_loop_t loop;

    if (uv_loop_init(&loop) < 0)
        return colony__event_fail(EXIT_FAILED, "cannot report: out of memory");
    report->exit_code = EXIT_FAILED;
    if (colony_http_client_new(&client, &loop, &err) < 0) {
        (void)uv_loop_close(&loop);
        return colony__event_fail(EXIT_FAILED, "%s", err.message);
    }
    if (send_body(report, client, body, size) == EXIT_OK) {
        int wanted = report->exit_code = -1;

        while (report->exit_code == wanted && uv_run(&loop, UV_RUN_ONCE))
            ;
    }
    colony_http_client_close(client, on_closed, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    return report->exit_code;
}

static int make_and_tell(struct report *report)
{
    const struct colony_juggler_event event = {
        .host = report->host,
        .service = report->service,
        .status = (enum colony_juggler_status)colony_juggler_status_parse(report->status),
        .description = report->description,
        .tags = (char *const *)report->tags.items,
    };
    size_t size = 0;
    char *body = colony_juggler_body(report->source, &event, 1, &size);
    int exit_code;

    if (!body)
        return colony__event_fail(EXIT_FAILED, "cannot report: out of memory");
    exit_code = tell(report, body, size);
    free(body);
    return exit_code;
}

int colony__event_juggler(size_t index, int argc, char **argv)
{
    static struct report report; /* its list is too large for the stack */
    int exit_code;

    report.timeout_ms = TIMEOUT_MS;
    if (!colony_options_parse_child(&colony_event_usage, index, &report, &argc, argv, &exit_code))
        return exit_code;
    exit_code = find_missing(&report);
    if (exit_code == EXIT_OK)
        exit_code = find_url(&report);
    if (exit_code == EXIT_OK)
        exit_code = find_rest(&report);
    if (exit_code == EXIT_OK)
        exit_code = make_and_tell(&report);
    colony_settings_free(report.settings);
    return exit_code;
}
