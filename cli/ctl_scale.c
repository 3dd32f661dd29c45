/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_scale.c - scale, add, sub, numprocesses and running of `colony ctl`. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"
#include "ctl_internal.h"

#define DIGITS "0123456789"

/* One `web=3`. */
struct change {
    const char *operand; /* as it was typed */
    char name[COLONY_NAME_MAX + 1];
    char sign; /* '=', '+' or '-' */
    unsigned count;
    double before; /* how many there were */
};

/* Up to COLONY_SLOTS_MAX from a text of digits, or -1. */
static int parse_count(const char *text)
{
    if (*text == '\0' || strlen(text) > 5 || text[strspn(text, DIGITS)] != '\0' ||
        strtoul(text, NULL, 10) > COLONY_SLOTS_MAX)
        return -1;
    return (int)strtoul(text, NULL, 10);
}

/* The name ends at the last sign: it may have others in it. */
static int parse_change(struct change *change, const char *operand)
{
    size_t end = strlen(operand);
    int count;

    while (end > 0 && strchr(DIGITS, operand[end - 1]))
        end--;
    *change = (struct change){.operand = operand};
    if (end < 2 || operand[end] == '\0' || !strchr("=+-", operand[end - 1]))
        return colony__ctl_fail(EXIT_USAGE, "cannot scale %s: write NAME=N, NAME+N or NAME-N",
                                operand);
    count = parse_count(operand + end);
    if (count < 0 || (end > 2 && strchr("=+", operand[end - 2]))) /* web=-1 */
        return colony__ctl_fail(EXIT_USAGE, "cannot scale %s: a template has 0 to %d processes",
                                operand, COLONY_SLOTS_MAX);
    if (count == 0 && operand[end - 1] != '=')
        return colony__ctl_fail(EXIT_USAGE, "cannot scale %s: that changes nothing", operand);
    if (end - 1 > COLONY_NAME_MAX)
        return colony__ctl_fail(EXIT_USAGE, "cannot scale %.40s: a name has 1 to %d bytes", operand,
                                COLONY_NAME_MAX);
    memcpy(change->name, operand, end - 1);
    change->sign = operand[end - 1];
    change->count = (unsigned)count;
    return EXIT_OK;
}

/* Whether it can be done, as far as that is known before. */
static int check_change(const struct ctl *ctl, struct change *change)
{
    struct cJSON *status;
    int exit_code = colony__ctl_get(ctl, "/status/", "scale", change->name, &status);

    change->before = colony__ctl_number(status, "numprocesses");
    cJSON_Delete(status);
    if (exit_code == EXIT_OK && change->sign == '+' &&
        change->before + change->count > COLONY_SLOTS_MAX)
        return colony__ctl_fail(EXIT_USAGE,
                                "cannot scale %s: it has %.0f processes, and %d is the most",
                                change->operand, change->before, COLONY_SLOTS_MAX);
    return exit_code;
}

static int send_change(const struct ctl *ctl, const struct ctl_wait *wait,
                       const struct change *change)
{
    const char *route = change->sign == '=' ? "_scale" : change->sign == '+' ? "_add" : "_sub";
    char path[CTL_PATH_MAX];
    char after[96];
    const struct ctl_question question = {.method = "POST",
                                          .path = path,
                                          .doing = "scale",
                                          .name = change->name,
                                          .wants_up = true,
                                          .timeout_ms = wait->patience_ms};
    struct cJSON *json;
    double now;
    int exit_code;

    (void)snprintf(after, sizeof after, "/%s/%u%s", route, change->count, wait->query);
    exit_code = colony__ctl_path(path, "/processes/", change->name, after);
    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_ask_json(ctl, &question, &json);
    if (exit_code != EXIT_OK)
        return exit_code;
    now = colony__ctl_number(json, "numprocesses");
    cJSON_Delete(json);
    colony__ctl_print_text(change->name);
    printf(": %.0f process%s", now, now > 0.5 && now < 1.5 ? "" : "es");
    if (change->before < now || change->before > now)
        printf(" (%.0f before)", change->before);
    printf("\n");
    return EXIT_OK;
}

/* Nothing is sent unless all of it looks right. */
static int apply(const struct ctl *ctl, struct change *changes, size_t count)
{
    struct ctl_wait wait;
    int exit_code = colony__ctl_wait(&wait, ctl, false);

    for (size_t i = 0; i < count && exit_code == EXIT_OK; i++)
        exit_code = check_change(ctl, &changes[i]);
    if (exit_code != EXIT_OK)
        return exit_code;
    for (size_t i = 0; i < count; i++) {
        int one = send_change(ctl, &wait, &changes[i]);

        (void)fflush(stdout); /* in order with errors */
        if (exit_code == EXIT_OK)
            exit_code = one;
    }
    return exit_code;
}

int colony__ctl_scale(struct ctl *ctl, int argc, char **argv)
{
    size_t count = (size_t)argc - 1;
    struct change *changes = calloc(count, sizeof *changes);
    int exit_code = EXIT_OK;

    if (!changes)
        return colony__ctl_fail(EXIT_FAILED, "cannot scale: out of memory");
    for (size_t i = 0; i < count && exit_code == EXIT_OK; i++)
        exit_code = parse_change(&changes[i], argv[i + 1]);
    if (exit_code == EXIT_OK)
        exit_code = apply(ctl, changes, count);
    free(changes);
    return exit_code;
}

/* `add NAME [N]` and `sub NAME [N]`, gafferctl's. */
static int change_by(const struct ctl *ctl, char sign, int argc, char **argv)
{
    struct change change = {.operand = argv[1], .sign = sign, .count = 1};
    int count = argc == 3 ? parse_count(argv[2]) : 1;

    if (count < 1)
        return colony__ctl_fail(EXIT_USAGE, "cannot scale %.200s by %s: it takes 1 to %d processes",
                                argv[1], argv[2], COLONY_SLOTS_MAX);
    if (strlen(argv[1]) > COLONY_NAME_MAX)
        return colony__ctl_fail(EXIT_USAGE, "cannot scale %.40s: a name has 1 to %d bytes", argv[1],
                                COLONY_NAME_MAX);
    (void)snprintf(change.name, sizeof change.name, "%s", argv[1]);
    change.count = (unsigned)count;
    return apply(ctl, &change, 1);
}

int colony__ctl_add(struct ctl *ctl, int argc, char **argv)
{
    return change_by(ctl, '+', argc, argv);
}

int colony__ctl_sub(struct ctl *ctl, int argc, char **argv)
{
    return change_by(ctl, '-', argc, argv);
}

static int print_number(const struct ctl *ctl, const char *name, const char *key)
{
    struct cJSON *status;
    int exit_code = colony__ctl_get(ctl, "/status/", "count the processes of", name, &status);

    if (exit_code == EXIT_OK)
        printf("%.0f\n", colony__ctl_number(status, key));
    cJSON_Delete(status);
    return exit_code;
}

int colony__ctl_numprocesses(struct ctl *ctl, int argc, char **argv)
{
    (void)argc;
    return print_number(ctl, argv[1], "numprocesses");
}

int colony__ctl_running(struct ctl *ctl, int argc, char **argv)
{
    (void)argc;
    return print_number(ctl, argv[1], "running");
}
