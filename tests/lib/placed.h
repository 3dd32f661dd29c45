/* SPDX-License-Identifier: Apache-2.0 */
/* placed.h - a session (colony_session_*) in a folder of its own, and what is asked of it. */
#ifndef COLONY_TESTS_LIB_PLACED_H
#define COLONY_TESTS_LIB_PLACED_H

#include <cjson/cJSON.h>
#include <colony.h>

#include "../scratch.h"

/* A workspace in a folder of its own, whose stops are quick; what runs in it ends with it. */
struct place {
    struct scratch scratch;
    struct colony_session *session;
    char problem[COLONY_ERROR_TEXT_MAX];
    struct colony_error err;
};

static inline void note_problem(const char *line, void *data)
{
    struct place *place = data;

    (void)snprintf(place->problem, sizeof place->problem, "%s", line);
}

static inline void place_write(struct place *place, const char *path, const char *text)
{
    int fd = openat(place->scratch.fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static inline bool place_says(struct place *place, const char *path, const char *part)
{
    char text[4096] = "";
    int fd = openat(place->scratch.fd, path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    (void)close(fd);
    return strstr(text, part) != NULL;
}

static inline void place_init(struct place *place)
{
    *place = (struct place){0};
    scratch_init(&place->scratch);
    assert_true(colony_session_init(place->scratch.path, &place->err) > 0);
    assert_int_equal(colony_session_open(&place->session, place->scratch.path, &place->err), 0);
    colony_session_on_problem(place->session, note_problem, place);
    place_write(place, "etc/session.yaml", "stop: {signals: [TERM], wait: 5s}\nperiod: 100ms\n");
}

static inline void place_clear(struct place *place)
{
    if (colony_session_stop(place->session, NULL, NULL, &place->err) < 0)
        fail_msg("%s", place->err.message);
    colony_session_close(place->session);
    scratch_clear(&place->scratch);
}

static inline struct colony_session_started start(struct place *place, const char *what,
                                                  const char *alias)
{
    const struct colony_session_change change = {.alias = alias};
    struct colony_session_started started = {0};

    if (colony_session_start(place->session, what, &change, &started, &place->err) < 0)
        fail_msg("%s", place->err.message);
    return started;
}

static inline void expect(struct place *place, int rc, int code, const char *part)
{
    if (rc != code || place->err.code != code || !strstr(place->err.message, part))
        fail_msg("%d, %d: %s", rc, place->err.code, place->err.message);
    place->err = (struct colony_error){0};
}

static inline const char *text_of(const cJSON *json, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(json, key));
}

static inline cJSON *find(struct place *place, const char *who)
{
    cJSON *json = NULL;

    if (colony_session_find(place->session, who, &json, &place->err) < 0)
        fail_msg("%s", place->err.message);
    return json;
}

#endif
