/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.c - GET /readyz, for orchestrators and load balancers. (/livez is a ping: an answer says
 * it all.)
 *
 * Ready is a colony that can record changes and whose wanted slots have each been up once; an
 * `essential` one must be up now. Another process that fails later does not take colony out of
 * service: it may not be the one that is asked for.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/buffer_internal.h"
#include "api/handlers_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/store.h"
#include "core/template.h"
#include "core/utf8.h"

enum {
    REASONS_MAX = 100, /* of one check; more are only counted */
    TEXT_MAX = 256 * 1024,
};

struct readiness {
    struct colony_engine *engine;
    struct colony__buffer text;
    const struct colony_template *template; /* whose slots are looked at */
    const char *mark;                       /* before each reason */
    size_t reasons;                         /* of the present check */
    bool is_ready;
    bool failed; /* out of memory */
};

static void append(struct readiness *readiness, const char *text)
{
    if (colony__buffer_append(&readiness->text, text, strlen(text), TEXT_MAX) < 0)
        readiness->failed = true;
}

__attribute__((format(printf, 2, 3))) static void add_reason(struct readiness *readiness,
                                                             const char *format, ...)
{
    char line[COLONY_ERROR_TEXT_MAX];
    va_list args;

    readiness->is_ready = false;
    if (readiness->reasons++ >= REASONS_MAX)
        return;
    va_start(args, format);
    if (vsnprintf(line, sizeof line, format, args) < 0)
        line[0] = '\0';
    va_end(args);
    colony_utf8_repair(line, strlen(line)); /* it may be cut */
    append(readiness, readiness->mark);
    append(readiness, line);
    append(readiness, "\n");
}

static void check_store(struct readiness *readiness)
{
    const struct colony_store *store = colony_engine_store(readiness->engine);

    if (!store)
        add_reason(readiness, "the store could not be opened: changes will not survive colony");
    else if (*colony_store_trouble(store) != '\0')
        add_reason(readiness, "the store has trouble: %s", colony_store_trouble(store));
}

/* States in which a slot is not up. RUNNING counts as up unless the template has `ready:`. */
static const bool is_down[SLOT_STATE_COUNT] = {
    [SLOT_STOPPED] = true, [SLOT_WAITING] = true, [SLOT_STARTING] = true, [SLOT_STOPPING] = true,
    [SLOT_EXITED] = true,  [SLOT_BACKOFF] = true, [SLOT_FAILED] = true,
};

static bool is_awaited(const struct colony_template *template, const struct colony_slot_info *info)
{
    bool is_first = !info->has_exit;
    bool is_up = !is_down[info->state] &&
                 (info->state != SLOT_RUNNING || template->ready->kind == READY_NONE);

    return info->is_wanted && !is_up && (is_first || template->essential);
}

static void check_slot(const struct colony_slot_info *info, void *data)
{
    struct readiness *readiness = data;
    const char *reason = *info->failure ? info->failure : info->cause;

    if (is_awaited(readiness->template, info))
        add_reason(readiness, "%s.%u is %s%s%s%s", info->name, info->slot,
                   colony_slot_state_name(info->state),
                   info->state == SLOT_RUNNING ? ", but not ready yet" : "", *reason ? ": " : "",
                   reason);
}

static void check_template(const struct colony_template *template, void *data)
{
    struct readiness *readiness = data;

    readiness->template = template;
    (void)colony_engine_each_slot(readiness->engine, template->name, check_slot, readiness);
}

static void check_processes(struct readiness *readiness)
{
    colony_engine_each_template(readiness->engine, check_template, readiness);
}

static const struct check {
    const char *name;
    void (*run)(struct readiness *readiness);
} checks[] = {
    {"store", check_store},
    {"processes", check_processes},
};

static void run_check(struct readiness *readiness, const struct check *check, bool is_verbose)
{
    char text[64];

    readiness->reasons = 0;
    check->run(readiness);
    if (readiness->reasons > REASONS_MAX) {
        (void)snprintf(text, sizeof text, "and %zu more\n", readiness->reasons - REASONS_MAX);
        append(readiness, readiness->mark);
        append(readiness, text);
    }
    if (is_verbose && readiness->reasons == 0) {
        (void)snprintf(text, sizeof text, "[+] %s\n", check->name);
        append(readiness, text);
    }
}

int colony__get_readyz(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err)
{
    struct readiness readiness = {.engine = colony__connection_engine(connection),
                                  .is_ready = true};
    bool is_verbose;
    int rc = colony__request_query_bool(request, "verbose", &is_verbose, err);

    if (rc < 0)
        return rc;
    readiness.mark = is_verbose ? "[-] " : "";
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        run_check(&readiness, &checks[i], is_verbose);
    if (readiness.is_ready && !is_verbose)
        append(&readiness, "OK");
    if (readiness.failed)
        rc = colony_fail_os(err, -ENOMEM, "cannot look at all processes");
    else
        colony__respond_text(connection, readiness.is_ready ? 200 : 503, "text/plain",
                             readiness.text.data, readiness.text.size);
    colony__buffer_clear(&readiness.text);
    return rc;
}
