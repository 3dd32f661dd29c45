/* SPDX-License-Identifier: Apache-2.0 */
/* session_wait.c - `colony session wait`: until a condition over a process holds. */
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"
#include "session_internal.h"

/* clang-format off */
const struct colony_option session_wait_options[] = {
    SESSION_PLACE,
    {"alias",     0, "PROCESS", "the process, by alias or name; the same as the operand",                 OPTION_TEXT,     SESSION_AT(change.alias), NULL},
    {"condition", 0, "EXPR",    "what is to hold, such as \"len(fp['listen'])>0\"",                    OPTION_TEXT,     SESSION_AT(condition), NULL},
    {"state",     0, "STATE",   "until it is in STATE; running: in any but stopped and starting",      OPTION_TEXT,     SESSION_AT(change.state), NULL},
    {"timeout",   0, "SECONDS", "wait so long only (exit 75); as long as it takes unless given",       OPTION_DURATION, SESSION_AT(timeout_ms), NULL},
    SESSION_END,
};
/* clang-format on */

/* PROCESS:STATE, as dependences are written: an alias has no colon. Gives the state, or NULL. */
static const char *split_state(const char *word, char *name, size_t size)
{
    const char *colon = strchr(word, ':');

    if (!colon || (size_t)(colon - word) >= size)
        return NULL;
    memcpy(name, word, (size_t)(colon - word));
    name[colon - word] = '\0';
    return colon + 1;
}

int session_wait(struct session *session, int argc, char **argv)
{
    const char *alias = session->change.alias;
    const char *state = session->change.state;
    const char *word = alias ? alias : argc > 1 ? argv[1] : NULL;
    char text[COLONY_VERB_STATE_SIZE];
    char name[COLONY_NAME_MAX + 1];
    struct colony_error err = {0};
    int rc;

    if (!word || (alias && argc > 1))
        return session_fail(EXIT_USAGE, "wait: name one process: --alias ALIAS");
    if (!session->condition && !state) {
        state = split_state(word, name, sizeof name);
        word = state ? name : word;
    }
    if (!session->condition == !state)
        return session_fail(EXIT_USAGE, "wait: give either --condition EXPR or --state STATE");
    if (state && colony_verb_wait_state(text, state, &err) < 0)
        return session_fail(EXIT_USAGE, "--state: %s", err.message);
    rc = colony_verb_wait(&session->open, word, state ? text : session->condition,
                          session->timeout_ms, &err);
    if (rc == -EINVAL || rc == -E2BIG)
        return session_fail(EXIT_USAGE, "--condition: %s", err.message);
    return rc < 0 ? session_fail_error(&err) : EXIT_OK;
}
