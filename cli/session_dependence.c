/* SPDX-License-Identifier: Apache-2.0 */
/* session_dependence.c - `colony session dependence`: who waits for whom. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"
#include "session_internal.h"

/* clang-format off */
const struct colony_option session_dependence_options[] = {
    SESSION_PLACE, SESSION_JSON,
    {"parent",  0, "PARENT", "NAME:STATE, or NAME for any state but starting; several with commas",   OPTION_LIST, SESSION_AT(parents), NULL},
    {"child",   0, "CHILD",  "who is started once all parents are in their states; several with commas", OPTION_LIST, SESSION_AT(children), NULL},
    {"on-loss", 0, "keep|stop|restart", "what the child does when a parent leaves its state: keep (running; the default), stop or restart", OPTION_TEXT, SESSION_AT(on_loss), NULL},
    SESSION_END,
};
/* clang-format on */

static int change_all(const struct session *session, bool is_removal)
{
    const struct colony_verb_bonds bonds = {.parents = session->parents.items,
                                            .children = session->children.items,
                                            .on_loss = session->on_loss,
                                            .is_removal = is_removal};
    struct colony_error err = {0};
    int rc;

    if (session->parents.count == 0 || session->children.count == 0)
        return session_fail(EXIT_USAGE, "dependence: give --parent NAME:STATE and --child NAME");
    rc = colony_verb_bind(&session->open, &bonds, &err);
    if (rc < 0)
        return session_fail_error(&err);
    if (rc == 0 && is_removal)
        return session_fail(
            EXIT_NO_SUCH_NAME,
            "%s does not wait for %s (colony session dependence list has what there is)",
            session->children.items[0], session->parents.items[0]);
    if (rc == 0)
        printf("that is so already\n");
    return EXIT_OK;
}

static int list_all(const struct session *session)
{
    struct colony_session_config config;
    struct colony_error err = {0};
    int exit_code = EXIT_OK;

    if (colony_verb_bonds_read(&session->open, &config, &err) < 0)
        return session_fail_error(&err);
    if (session->is_json)
        exit_code = session_print_json(colony_verb_bonds_json(&config));
    for (size_t i = 0; i < config.dependence_count && !session->is_json; i++) {
        const struct colony_dependence *dependence = &config.dependences[i];

        printf("%s waits for %s%s%s%s%s\n", dependence->child, dependence->parent,
               dependence->state ? ":" : "", dependence->state ? dependence->state : "",
               dependence->on_loss == ON_LOSS_KEEP ? "" : ", on loss: ",
               dependence->on_loss == ON_LOSS_KEEP ? "" : colony_on_loss_word(dependence->on_loss));
    }
    colony_session_config_clear(&config);
    return exit_code;
}

int session_dependence(struct session *session, int argc, char **argv)
{
    const char *const names[] = {"add", "remove", "list", NULL};
    const char *nearest;

    (void)argc;
    if (strcmp(argv[1], "add") == 0)
        return change_all(session, false);
    if (strcmp(argv[1], "remove") == 0)
        return change_all(session, true);
    if (strcmp(argv[1], "list") == 0)
        return list_all(session);
    nearest = colony_name_nearest(argv[1], names);
    return session_fail(EXIT_USAGE, "dependence: no such action: %s%s%s", argv[1],
                        nearest ? ": did you mean " : ": add, remove or list",
                        nearest ? nearest : "");
}
