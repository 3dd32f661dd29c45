/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_status.c - `colony ctl status`. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"

/* "slot 2: backoff, 5 restarts, last exit SIGKILL, starts again in 3s" */
static void print_slot(const struct cJSON *slot)
{
    struct ctl_slot_view view;
    bool is_coloured;

    colony__ctl_view_slot(&view, slot);
    is_coloured = view.colour && colony_columns_wants_colour();
    printf("  slot %s: ", view.slot);
    if (is_coloured)
        printf("\033[%sm", view.colour);
    colony__ctl_print_text(view.state);
    printf("%s", is_coloured ? "\033[0m" : "");
    if (strcmp(view.pid, "-") != 0)
        printf(", pid %s (id %s)", view.pid, view.id);
    if (strcmp(view.uptime, "-") != 0)
        printf(", up %s", view.uptime);
    if (strcmp(view.restarts, "-") != 0 && strcmp(view.restarts, "0") != 0)
        printf(", %s restart%s", view.restarts, strcmp(view.restarts, "1") == 0 ? "" : "s");
    if (strcmp(view.last_exit, "-") != 0) {
        printf(", last exit ");
        colony__ctl_print_text(view.last_exit);
    }
    if (view.note[0] != '\0') {
        printf(", ");
        colony__ctl_print_text(view.note);
    }
    printf("\n");
}

static int ask(const struct ctl *ctl, const char *before, const char *name, struct cJSON **json)
{
    return colony__ctl_get(ctl, before, "tell the status of", name, json);
}

/* Of which no process runs, in a word. */
static const char *state_of(const struct cJSON *slots)
{
    static const char *const shared[] = {"stopped", "completed"};

    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++) {
        const struct cJSON *slot = slots->child;

        while (slot && strcmp(colony__ctl_text(slot, "state"), shared[i]) == 0)
            slot = slot->next;
        if (!slot)
            return shared[i];
    }
    return "not running"; /* one waits, or was given up: somebody may want to know */
}

/*
 * Of which no process runs, and that is right: each has completed, or its time has not come. What
 * somebody has stopped is right, too, but not for who asks whether it runs.
 */
static bool is_fine(const struct cJSON *slots, bool is_asked_for)
{
    const struct cJSON *slot;

    if (!slots->child)
        return !is_asked_for;
    cJSON_ArrayForEach(slot, slots)
    {
        const char *state = colony__ctl_text(slot, "state");

        if (strcmp(state, "stopped") == 0
                ? is_asked_for
                : strcmp(state, "completed") != 0 && !colony__ctl_has_number(slot, "next_in"))
            return false;
    }
    return true;
}

/* "web: running, 2 of 2 processes" and a line for each slot. */
static void print_status(const char *name, const struct cJSON *status, const struct cJSON *slots)
{
    double running = colony__ctl_number(status, "running");
    double wanted = colony__ctl_number(status, "numprocesses");
    const struct cJSON *slot;

    colony__ctl_print_text(name);
    printf(": %s, %.0f of %.0f process%s\n", running < 1 ? state_of(slots) : "running", running,
           wanted, wanted > 0.5 && wanted < 1.5 ? "" : "es");
    cJSON_ArrayForEach(slot, slots)
    {
        print_slot(slot);
    }
}

/* Adds @status, which it takes, to @list. */
static int add_status(struct cJSON *list, struct cJSON *status, const char *name)
{
    bool has_name =
        cJSON_HasObjectItem(status, "name") || cJSON_AddStringToObject(status, "name", name);

    if (has_name && cJSON_AddItemToArray(list, status))
        return EXIT_OK;
    cJSON_Delete(status);
    return colony__ctl_fail(EXIT_FAILED, "cannot tell the status: out of memory");
}

/* Tells of @name, or adds it to @list when that is given. */
static int tell_one(const struct ctl *ctl, const char *name, bool is_asked_for, struct cJSON *list)
{
    struct cJSON *status;
    struct cJSON *slots = NULL;
    int exit_code = ask(ctl, "/status/", name, &status);
    bool is_well = colony__ctl_number(status, "running") >= 1;

    if (exit_code == EXIT_OK && (!list || !is_well))
        exit_code = ask(ctl, "/slots?name=", name, &slots);
    if (exit_code != EXIT_OK) {
        cJSON_Delete(status);
        return exit_code;
    }
    is_well = is_well || is_fine(slots, is_asked_for);
    if (list) {
        exit_code = add_status(list, status, name);
    } else {
        print_status(name, status, slots);
        cJSON_Delete(status);
    }
    cJSON_Delete(slots);
    return exit_code == EXIT_OK && !is_well ? EXIT_NOT_RUNNING : exit_code;
}

/* Every template; another failure counts more than that one of them is not running. */
static int tell_all(const struct ctl *ctl, struct cJSON *list)
{
    const struct ctl_question question = colony__ctl_look("/processes", "list templates", NULL);
    struct cJSON *names;
    const struct cJSON *name;
    int exit_code = colony__ctl_ask_json(ctl, &question, &names);

    cJSON_ArrayForEach(name, names)
    {
        int one = cJSON_IsString(name) ? tell_one(ctl, name->valuestring, false, list) : EXIT_OK;

        if (one != EXIT_OK && (exit_code == EXIT_OK || exit_code == EXIT_NOT_RUNNING))
            exit_code = one;
    }
    cJSON_Delete(names);
    return exit_code;
}

/* One that does not run is a failure of this one. */
static int tell_named(const struct ctl *ctl, const char *name, void *data)
{
    return tell_one(ctl, name, true, data);
}

int colony__ctl_status(struct ctl *ctl, int argc, char **argv)
{
    struct cJSON *list = NULL;
    const struct cJSON *answer;
    int exit_code;

    if (ctl->is_json) {
        list = cJSON_CreateArray();
        if (!list)
            return colony__ctl_fail(EXIT_FAILED, "cannot tell the status: out of memory");
    }
    exit_code = argc > 1 ? colony__ctl_each_name(
                               ctl, argc, argv,
                               &(const struct ctl_deed){"tell the status of", tell_named, list})
                         : tell_all(ctl, list);
    /* One name: an object, not a list of one; nothing if there was no such name. */
    answer = list && argc == 2 && !colony__ctl_is_many(argv[1]) ? list->child : list;
    if (answer && colony__ctl_print_tree(answer) != EXIT_OK)
        exit_code = EXIT_FAILED;
    cJSON_Delete(list);
    return exit_code;
}
