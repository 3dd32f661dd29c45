/* SPDX-License-Identifier: Apache-2.0 */
/* session_fingerprint.c - `colony session fingerprint`: what a process has open, what was saved of
 * it, and how much these resemble. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "columns.h"
#include "core/error.h"
#include "session/uri.h"
#include "session_internal.h"

enum {
    SCORE_SIZE = 16,
};

/* clang-format off */
const struct colony_option session_fingerprint_options[] = {
    SESSION_PLACE,
    {"state",   0, "STATE", "that of the saved STATE; with --save: save it as STATE; with --compare: with STATE alone", OPTION_TEXT, SESSION_AT(change.state), NULL},
    {"save",    0, NULL,    "save the one of now",                                    OPTION_FLAG, SESSION_AT(saves), NULL},
    {"compare", 0, NULL,    "how much the one of now resembles each saved state",     OPTION_FLAG, SESSION_AT(compares), NULL},
    SESSION_JSON,
    SESSION_END,
};
/* clang-format on */

/* What is shown, and how. */
struct looked {
    const struct session *session;
    struct colony_verb_fingerprint of;
};

static const char *title_of(const struct looked *view)
{
    return colony_session_process_title(&view->of.process);
}

/* --- checks: 0, or told ------------------------------------------------------------------------
 */

static int check_alive(const struct looked *view)
{
    return view->of.is_alive
               ? EXIT_OK
               : session_fail(EXIT_NOT_RUNNING,
                              "cannot look at %s: it is not running; --state STATE shows "
                              "what was saved",
                              title_of(view));
}

static int check_state(const struct looked *view)
{
    const char *state = view->session->change.state;

    if (!state || view->session->saves || colony_verb_fingerprint_state(&view->of, state))
        return EXIT_OK;
    return session_fail(EXIT_NO_SUCH_NAME,
                        "cannot find the state %s of %s: colony session attach --alias %s --state "
                        "%s saves it",
                        state, title_of(view), title_of(view), state);
}

/* --- as text ------------------------------------------------------------------------------------
 */

/* Passwords are for files that nobody else may read. */
static int mask(struct colony_fingerprint *fingerprint)
{
    char **items = fingerprint->fields[FIELD_CMDLINE].items;

    for (size_t i = fingerprint->fields[FIELD_CMDLINE].count; i-- > 0;) {
        char *masked = colony_argument_mask(items[i], i > 0 ? items[i - 1] : NULL);

        if (!masked)
            return -ENOMEM;
        free(items[i]);
        items[i] = masked;
    }
    return 0;
}

/* The last use of @fingerprint. */
static int print_yaml(struct colony_fingerprint *fingerprint)
{
    struct colony_error err = {0};
    char *text = NULL;
    size_t size = 0;
    int rc = mask(fingerprint);

    if (rc == 0)
        rc = colony_fingerprint_format(fingerprint, &text, &size);

    if (rc < 0) {
        (void)colony_fail_os(&err, rc, "cannot show the fingerprint");
        return session_fail_error(&err);
    }
    (void)fwrite(text, 1, size, stdout);
    free(text);
    return EXIT_OK;
}

/* "+2 -1": items that came since it was saved, and that are gone. */
static void describe(char *text, size_t size, const struct colony_fingerprint *saved,
                     const struct colony_fingerprint *live, enum colony_fingerprint_field field)
{
    struct colony_fingerprint_change change;

    colony_fingerprint_compare(saved, live, field, &change);
    if (change.added + change.gone == 0)
        (void)snprintf(text, size, "%s", change.kept > 0 ? "same" : "");
    else
        (void)snprintf(text, size, "+%zu -%zu", change.added, change.gone);
}

static int add_row(struct colony_columns *columns, const struct looked *view,
                   const struct colony_saved_state *saved)
{
    const struct colony_fingerprint *live = &view->of.observer.live.last;
    double score = colony_fingerprint_score(&saved->fingerprint, live);
    char texts[FIELD_COUNT][2 * SCORE_SIZE + 8];
    char score_text[SCORE_SIZE];
    struct colony_cell cells[2 + FIELD_COUNT] = {{.text = saved->state}, {.text = score_text}};

    (void)snprintf(score_text, sizeof score_text, "%.2f", score);
    cells[1].colour = score >= COLONY_FINGERPRINT_SAME ? "32" : NULL;
    for (unsigned field = 0; field < FIELD_COUNT; field++) {
        describe(texts[field], sizeof texts[field], &saved->fingerprint, live, field);
        cells[2 + field].text = texts[field];
    }
    return colony_columns_add(columns, cells);
}

static int print_comparison(const struct looked *view)
{
    const char *headers[2 + FIELD_COUNT] = {"STATE", "SCORE"};
    struct colony_columns *columns = NULL;
    int rc;

    if (view->of.observer.saved.count == 0) {
        printf("no state of %s was saved: colony session attach --alias %s --state STATE does\n",
               title_of(view), title_of(view));
        return EXIT_OK;
    }
    for (unsigned field = 0; field < FIELD_COUNT; field++)
        headers[2 + field] = colony_fingerprint_field_name(field);
    rc = colony_columns_new(&columns, headers, 2 + FIELD_COUNT);
    for (size_t i = 0; rc == 0 && i < view->of.observer.saved.count; i++) {
        const struct colony_saved_state *saved = &view->of.observer.saved.items[i];

        if (!view->session->change.state || strcmp(view->session->change.state, saved->state) == 0)
            rc = add_row(columns, view, saved);
    }
    if (rc == 0)
        colony_columns_print(columns);
    colony_columns_free(columns);
    return rc < 0 ? session_fail(EXIT_FAILED, "cannot compare: out of memory") : EXIT_OK;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static int save(struct looked *view)
{
    const struct session *session = view->session;
    const char *state = session->change.state;
    struct colony_error err = {0};

    if (colony_verb_fingerprint_save(&session->open, &view->of, state, &err) < 0)
        return session_fail_error(&err);
    if (session->is_json)
        return EXIT_OK;
    printf("saved the fingerprint of %s", title_of(view));
    printf(state ? " as %s\n" : "\n", state);
    return EXIT_OK;
}

static int print_json(const struct looked *view)
{
    cJSON *json = colony_verb_fingerprint_json(&view->of, NULL, false);
    char *text = json ? cJSON_Print(json) : NULL;

    cJSON_Delete(json);
    if (!text)
        return session_fail(EXIT_FAILED, "cannot show the fingerprint: out of memory");
    printf("%s\n", text);
    cJSON_free(text);
    return EXIT_OK;
}

static int show(struct looked *view)
{
    const struct session *session = view->session;
    bool needs_life =
        session->saves || session->compares || (!session->change.state && !session->is_json);
    int exit_code = needs_life ? check_alive(view) : EXIT_OK;

    if (exit_code == EXIT_OK)
        exit_code = check_state(view);
    if (exit_code == EXIT_OK && session->saves)
        exit_code = save(view);
    if (exit_code != EXIT_OK)
        return exit_code;
    if (session->is_json)
        return print_json(view);
    if (session->compares)
        return print_comparison(view);
    if (session->saves)
        return EXIT_OK;
    return print_yaml(
        session->change.state
            ? &colony_verb_fingerprint_state(&view->of, session->change.state)->fingerprint
            : &view->of.observer.live.last);
}

int session_fingerprint(struct session *session, int argc, char **argv)
{
    struct looked view = {.session = session};
    struct colony_error err = {0};
    int exit_code;

    (void)argc;
    exit_code = colony_verb_fingerprint(&session->open, argv[1], &view.of, &err) < 0
                    ? session_fail_error(&err)
                    : show(&view);
    colony_verb_fingerprint_clear(&view.of);
    return exit_code;
}
