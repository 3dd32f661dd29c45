/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl_sv.c - the verbs of runit's sv that send a signal: pause, cont, hup, term and their like.
 * Its up and down are start and stop.
 */
#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/signals.h"
#include "ctl_internal.h"

static int send_one(const struct ctl *ctl, const char *name, void *data)
{
    const int signo = *(const int *)data;
    char path[CTL_PATH_MAX] = "";
    char after[32];
    const struct ctl_question question = {
        .method = "POST",
        .path = path,
        .doing = "send a signal to",
        .name = name,
        .timeout_ms = COLONY_CLIENT_TIMEOUT_MS,
    };
    struct cJSON *json = NULL;
    int exit_code;

    (void)snprintf(after, sizeof after, "/_signal/%d", signo);
    exit_code = colony__ctl_path(path, "/processes/", name, after);
    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_ask_json(ctl, &question, &json);
    cJSON_Delete(json);
    if (exit_code != EXIT_OK)
        return exit_code;
    colony__ctl_print_text(name);
    printf(": sent %s\n", colony_signal_name(signo));
    return EXIT_OK;
}

static int send_all(const struct ctl *ctl, int argc, char **argv, int signo)
{
    return colony__ctl_each_name(ctl, argc, argv,
                                 &(const struct ctl_deed){"send a signal to", send_one, &signo});
}

int colony__ctl_pause(struct ctl *ctl, int argc, char **argv)
{
    return send_all(ctl, argc, argv, SIGSTOP);
}

int colony__ctl_cont(struct ctl *ctl, int argc, char **argv)
{
    return send_all(ctl, argc, argv, SIGCONT);
}

int colony__ctl_hup(struct ctl *ctl, int argc, char **argv)
{
    return send_all(ctl, argc, argv, SIGHUP);
}

int colony__ctl_term(struct ctl *ctl, int argc, char **argv)
{
    return send_all(ctl, argc, argv, SIGTERM);
}

int colony__ctl_interrupt(struct ctl *ctl, int argc, char **argv)
{
    return send_all(ctl, argc, argv, SIGINT);
}

int colony__ctl_alarm(struct ctl *ctl, int argc, char **argv)
{
    return send_all(ctl, argc, argv, SIGALRM);
}

int colony__ctl_quit(struct ctl *ctl, int argc, char **argv)
{
    return send_all(ctl, argc, argv, SIGQUIT);
}
