/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c - a walk through a session (docs/sessions.md), in C.
 *
 *     session WORKSPACE SERVER CLIENT
 *
 * SERVER is the uri of what listens on a port, such as
 * `exec:///usr/bin/python3?-m&http.server&8000` (the same one each time, as what is operative is
 * told by that), CLIENT that of what needs it. Everything is as it was afterwards, but for the
 * workspace.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include <colony.h>

#define SERVER "master.tws"
#define CLIENT "master.trader"

/* Of files that somebody has edited. */
static void on_problem(const char *line, void *data)
{
    (void)data;
    (void)fprintf(stderr, "session: %s\n", line);
}

static int show_one(const struct cJSON *process, void *data)
{
    const struct cJSON *state = cJSON_GetObjectItem(process, "state");
    const struct cJSON *alias = cJSON_GetObjectItem(process, "alias");

    (void)data;
    printf("  %s is %s\n", cJSON_GetStringValue(alias), cJSON_GetStringValue(state));
    return 0;
}

/* The server is started, and once it listens it is what is called operative from now on. */
static int start_server(struct colony_session *session, const char *uri, struct colony_error *err)
{
    const struct colony_session_change server = {
        .alias = SERVER, .restart = COLONY_YES, .shutdown = COLONY_YES};
    const struct colony_session_change operative = {.state = "operative"};
    struct colony_session_started started;
    int rc = colony_session_start(session, uri, &server, &started, err);

    if (rc < 0)
        return rc;
    printf("started %s (%s)\n", SERVER, started.name);
    rc = colony_session_wait(session, SERVER, "len(fp['listen']) > 0", 60000, err);
    return rc < 0 ? rc : colony_session_update(session, SERVER, &operative, err);
}

/* How much the server resembles what was saved of it. */
static int show_fingerprint(struct colony_session *session, struct colony_error *err)
{
    const struct colony_session_look how = {.state = "operative", .compares = true};
    struct cJSON *json = NULL;
    const struct cJSON *listen;
    const struct cJSON *states;
    int rc = colony_session_fingerprint(session, SERVER, &how, &json, err);

    if (rc < 0)
        return rc;
    listen = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "fingerprint"), "listen");
    states = cJSON_GetObjectItem(json, "states");
    printf("%s listens on %s: operative by %.2f\n", SERVER,
           cJSON_GetStringValue(cJSON_GetArrayItem(listen, 0)),
           cJSON_GetNumberValue(
               cJSON_GetObjectItem(cJSON_GetObjectItem(states, "operative"), "score")));
    cJSON_Delete(json);
    return 0;
}

/* The client, never to be started before the server is operative. */
static int start_client(struct colony_session *session, const char *uri, struct colony_error *err)
{
    const struct colony_session_change client = {
        .alias = CLIENT, .restart = COLONY_YES, .shutdown = COLONY_YES};
    int rc = colony_session_start(session, uri, &client, NULL, err);

    if (rc == 0)
        rc = colony_session_dependence_add(session, SERVER ":operative", CLIENT, NULL, err);
    if (rc < 0)
        return rc;
    printf("started %s, which waits for %s:operative from now on\n", CLIENT, SERVER);
    return colony_session_each(session, show_one, NULL, err);
}

/* As after a reboot: all is down, and one call brings it back, each in its turn. */
static int bring_back(struct colony_session *session, struct colony_error *err)
{
    struct colony_session_ended ended = {0};
    int rc = colony_session_stop(session, NULL, &ended, err);

    if (rc == 0) {
        printf("stopped %zu\n", ended.stopped);
        rc = colony_session_activate(session, err);
    }
    if (rc < 0)
        return rc;
    printf("the session is active\n");
    rc = colony_session_wait(session, CLIENT, "alive", 60000, err);
    if (rc == 0)
        rc = colony_session_each(session, show_one, NULL, err);
    return rc;
}

static int deactivate(struct colony_session *session, struct colony_error *err)
{
    struct colony_session_ended ended = {0};
    int rc = colony_session_deactivate(session, &ended, err);

    if (rc == 0)
        printf("the session is not active any more: stopped %zu, left %zu\n", ended.stopped,
               ended.left);
    return rc;
}

static int walk(struct colony_session *session, char **argv, struct colony_error *err)
{
    int rc = start_server(session, argv[2], err);

    if (rc == 0)
        rc = show_fingerprint(session, err);
    if (rc == 0)
        rc = start_client(session, argv[3], err);
    if (rc == 0)
        rc = bring_back(session, err);
    if (rc == 0)
        return deactivate(session, err);
    (void)colony_session_deactivate(session, NULL, NULL); /* what has failed is what is told */
    return rc;
}

int main(int argc, char **argv)
{
    struct colony_session *session = NULL;
    struct colony_error err = {0};
    int rc;

    if (argc != 4) {
        (void)fprintf(stderr, "usage: session WORKSPACE SERVER CLIENT\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    rc = colony_session_init(argv[1], &err);
    if (rc >= 0)
        rc = colony_session_open(&session, argv[1], &err);
    if (rc == 0) {
        colony_session_on_problem(session, on_problem, NULL);
        rc = colony_session_set_program(session, getenv("COLONY"), &err); /* else the installed */
    }
    if (rc == 0)
        rc = walk(session, argv, &err);
    colony_session_close(session);
    if (rc < 0)
        (void)fprintf(stderr, "session: %s\n", err.message);
    return rc < 0 ? 1 : 0;
}
