/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_ask.c - how the actions of `colony ctl` ask, and tell what went wrong. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "core/template.h"
#include "ctl_internal.h"

enum {
    NAMES_MAX = 100000, /* that are searched for the nearest */
    PRINT_MAX = 4096,   /* bytes of one text from the other side */
};

/* What an answer means for a script; the word decides before the status. */
static const struct {
    const char *word;
    int status;
    enum colony_exit exit_code;
} answers[] = {
    {"not_running", 0, EXIT_NOT_RUNNING},     {"shutting_down", 0, EXIT_NOT_RUNNING},
    {"resource_not_found", 0, EXIT_FAILED}, /* a route that this colony does not have */
    {"not_found", 404, EXIT_NO_SUCH_NAME},    {"conflict", 409, EXIT_CONFLICT},
    {"timeout", 408, EXIT_TIMED_OUT},         {"forbidden", 403, EXIT_NOT_ALLOWED},
    {"bad_value", 400, EXIT_USAGE},           {"unauthorized", 401, EXIT_NOT_ALLOWED},
    {"method_not_allowed", 405, EXIT_FAILED}, {"gateway_timeout", 504, EXIT_TIMED_OUT},
    {"bad_config", 0, EXIT_BAD_CONFIG},
};

static const char *speaker = "colony ctl";

void colony__ctl_speak_as(const char *command)
{
    speaker = command;
}

int colony__ctl_fail(int exit_code, const char *format, ...)
{
    const struct colony_usage usage = {.command = speaker};
    va_list args;

    va_start(args, format);
    colony_options_complain_args(&usage, format, args);
    va_end(args);
    return exit_code;
}

int colony__ctl_path(char path[CTL_PATH_MAX], const char *before, const char *name,
                     const char *after)
{
    char encoded[COLONY_NAME_MAX * 3 + 1];
    int used;

    if (name[0] == '\0' || colony_client_encode(encoded, sizeof encoded, name) < 0)
        return colony__ctl_fail(EXIT_USAGE, "cannot ask for \"%.40s\": a name has 1 to %d bytes",
                                name, COLONY_NAME_MAX);
    used = snprintf(path, CTL_PATH_MAX, "%s%s%s", before, encoded, after);
    if (used < 0 || used >= CTL_PATH_MAX)
        return colony__ctl_fail(EXIT_USAGE, "cannot ask for %.40s: too long", name);
    return EXIT_OK;
}

const char *colony__ctl_text(const struct cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    return text ? text : "";
}

bool colony__ctl_has_number(const struct cJSON *object, const char *key)
{
    return cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(object, key));
}

double colony__ctl_number(const struct cJSON *object, const char *key)
{
    const struct cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

bool colony__ctl_is_true(const struct cJSON *object, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key));
}

void colony__ctl_print_text(const char *text)
{
    char clean[PRINT_MAX];

    (void)colony_columns_clean(clean, sizeof clean, text, 0);
    printf("%s", clean);
}

void colony__ctl_print_texts(const char *first, const struct cJSON *texts)
{
    const struct cJSON *text;

    cJSON_ArrayForEach(text, texts)
    {
        printf("%s", text == texts->child ? first : ", ");
        colony__ctl_print_text(cJSON_IsString(text) ? text->valuestring : "");
    }
}

static int exit_code_of(int status, const char *word)
{
    size_t count = sizeof answers / sizeof answers[0];

    for (size_t i = 0; i < count; i++)
        if (strcmp(answers[i].word, word) == 0)
            return (int)answers[i].exit_code;
    for (size_t i = 0; i < count; i++)
        if (answers[i].status == status)
            return (int)answers[i].exit_code;
    return EXIT_FAILED;
}

struct cJSON *colony__ctl_peek(const struct ctl *ctl, const char *path)
{
    const struct colony_request request = {
        .method = "GET", .path = path, .timeout_ms = COLONY_CLIENT_TIMEOUT_MS};
    struct colony_reply reply;
    struct cJSON *json = NULL;

    if (colony_client_request(&ctl->target, &request, &reply, NULL) == 0 && reply.status == 200)
        json = cJSON_ParseWithLength(reply.body, reply.size);
    colony_client_clear(&reply);
    return json;
}

const char *colony__ctl_nearest(const struct cJSON *json, const char *name)
{
    const char **names = calloc(NAMES_MAX + 1, sizeof *names);
    const struct cJSON *item;
    const char *found = NULL;
    size_t count = 0;

    cJSON_ArrayForEach(item, json)
    {
        if (names && cJSON_IsString(item) && count < NAMES_MAX)
            names[count++] = item->valuestring;
    }
    if (count > 0)
        found = colony_name_nearest(name, names);
    free(names);
    return found;
}

/* A template or a group. */
struct kind {
    const char *noun;
    const char *path;   /* of the list of all */
    const char *action; /* that lists them */
    const char *suffix; /* of an operand that means one */
};

/* EXIT_OK when it is not the name that is wrong: the answer has a better reason. */
static int fail_no_such_name(const struct ctl *ctl, const struct ctl_question *question)
{
    static const struct kind template_kind = {"name", "/processes", "processes", ""};
    static const struct kind group_kind = {"group", "/groups", "groups", ":*"};
    const struct kind *kind = question->is_group ? &group_kind : &template_kind;
    const char *name = question->name;
    int exit_code = EXIT_NO_SUCH_NAME;
    struct cJSON *names;
    const char *nearest;

    if (name[strspn(name, "0123456789")] == '\0' && !question->is_group)
        return EXIT_OK; /* an id, or one where a name is asked for: the answer says which */
    names = colony__ctl_peek(ctl, kind->path);
    nearest = colony__ctl_nearest(names, name);
    if (nearest && strcmp(nearest, name) == 0)
        exit_code = EXIT_OK;
    else if (nearest)
        (void)colony__ctl_fail(exit_code, "cannot %s %s%s: no such %s: did you mean %s%s?",
                               question->doing, name, kind->suffix, kind->noun, nearest,
                               kind->suffix);
    else
        (void)colony__ctl_fail(exit_code, "cannot %s %s%s: no such %s: see `colony ctl %s`",
                               question->doing, name, kind->suffix, kind->noun, kind->action);
    cJSON_Delete(names);
    return exit_code;
}

static int fail_by_reply(const struct ctl *ctl, const struct ctl_question *question,
                         const struct colony_reply *reply)
{
    struct cJSON *json = cJSON_ParseWithLength(reply->body, reply->size);
    const char *reason = colony__ctl_text(json, "reason");
    const char *word = colony__ctl_text(json, "error");
    int exit_code = exit_code_of(reply->status, word);
    char fallback[64];

    if (exit_code == EXIT_NO_SUCH_NAME && question->name &&
        fail_no_such_name(ctl, question) != EXIT_OK) {
        cJSON_Delete(json);
        return exit_code;
    }
    if (question->wants_up && strcmp(word, "not_running") == 0)
        exit_code = EXIT_FAILED;
    (void)snprintf(fallback, sizeof fallback, "it answered with status %d", reply->status);
    if (reason[0] == '\0')
        reason = word[0] != '\0' ? word : fallback;
    if (strncmp(reason, "cannot ", 7) == 0)
        (void)colony__ctl_fail(exit_code, "%s", reason);
    else
        (void)colony__ctl_fail(exit_code, "cannot %s%s%s: %s", question->doing,
                               question->name ? " " : "", question->name ? question->name : "",
                               reason);
    cJSON_Delete(json);
    return exit_code;
}

int colony__ctl_conclude(const struct ctl *ctl, const struct ctl_question *question, int rc,
                         const struct colony_reply *reply, const struct colony_error *err)
{
    if (rc == -EPIPE && question->on_body)
        return EXIT_OK; /* whoever read our output has had enough */
    if (rc == -ECANCELED)
        return EXIT_FAILED; /* told by the callback */
    if (rc == -EPROTO)
        return colony__ctl_fail(EXIT_UNREACHABLE, "%s", err->message);
    if (rc < 0)
        return colony__ctl_fail((int)colony_error_info(rc)->exit_code, "%s", err->message);
    if (reply->status / 100 != 2)
        return fail_by_reply(ctl, question, reply);
    return EXIT_OK;
}

int colony__ctl_ask(const struct ctl *ctl, const struct ctl_question *question,
                    struct colony_reply *reply)
{
    const struct colony_request request = {
        .method = question->method,
        .path = question->path,
        .body = question->body,
        .timeout_ms = question->timeout_ms,
        .on_body = question->on_body,
        .watches_stdout = question->on_body != NULL,
        .keeps_connection = question->keeps_connection,
    };
    struct colony_error err = {0};
    int rc = colony_client_request(&ctl->target, &request, reply, &err);

    return colony__ctl_conclude(ctl, question, rc, reply, &err);
}

int colony__ctl_ask_json(const struct ctl *ctl, const struct ctl_question *question,
                         struct cJSON **json)
{
    struct colony_reply reply;
    int exit_code = colony__ctl_ask(ctl, question, &reply);

    *json = NULL;
    if (exit_code == EXIT_OK) {
        *json = cJSON_ParseWithLength(reply.body, reply.size);
        if (!*json)
            exit_code = colony__ctl_fail(
                EXIT_UNREACHABLE, "cannot understand the answer of %s: not JSON", ctl->target.text);
    }
    colony_client_clear(&reply);
    return exit_code;
}

/* The first byte from @at on that is no blank. */
static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* False: @text, which has a NUL at @end, is no list. */
static bool read_list(const char *text, const char *end, ctl_item_cb cb, void *data)
{
    const char *at = skip_blanks(text);

    if (*at != '[')
        return false;
    if (*skip_blanks(at + 1) == ']')
        return true;
    do {
        const char *begin = skip_blanks(at + 1);
        struct cJSON *item = cJSON_ParseWithLengthOpts(begin, (size_t)(end - begin), &at, false);

        if (!item)
            return false;
        cb(item, begin, (size_t)(at - begin), data);
        cJSON_Delete(item);
        at = skip_blanks(at);
    } while (*at == ',');
    return *at == ']';
}

int colony__ctl_ask_list(const struct ctl *ctl, const struct ctl_question *question, ctl_item_cb cb,
                         void *data)
{
    struct colony_reply reply;
    int exit_code = colony__ctl_ask(ctl, question, &reply);

    if (exit_code == EXIT_OK && !read_list(reply.body, reply.body + reply.size, cb, data))
        exit_code = colony__ctl_fail(
            EXIT_UNREACHABLE, "cannot understand the answer of %s: not a list", ctl->target.text);
    colony_client_clear(&reply);
    return exit_code;
}

int colony__ctl_print_json(const struct ctl *ctl, const struct ctl_question *question)
{
    struct colony_reply reply;
    int exit_code = colony__ctl_ask(ctl, question, &reply);

    if (exit_code == EXIT_OK) {
        (void)fwrite(reply.body, 1, reply.size, stdout);
        if (reply.size == 0 || reply.body[reply.size - 1] != '\n')
            printf("\n");
    }
    colony_client_clear(&reply);
    return exit_code;
}

int colony__ctl_ask_to_show(const struct ctl *ctl, const struct ctl_question *question,
                            struct cJSON **json)
{
    *json = NULL;
    return ctl->is_json ? colony__ctl_print_json(ctl, question)
                        : colony__ctl_ask_json(ctl, question, json);
}

struct ctl_question colony__ctl_look(const char *path, const char *doing, const char *name)
{
    return (struct ctl_question){.method = "GET",
                                 .path = path,
                                 .doing = doing,
                                 .name = name,
                                 .timeout_ms = COLONY_CLIENT_TIMEOUT_MS};
}

int colony__ctl_get(const struct ctl *ctl, const char *before, const char *doing, const char *name,
                    struct cJSON **json)
{
    char path[CTL_PATH_MAX] = "";
    const struct ctl_question question = colony__ctl_look(path, doing, name);
    int exit_code = colony__ctl_path(path, before, name, "");

    *json = NULL;
    return exit_code == EXIT_OK ? colony__ctl_ask_json(ctl, &question, json) : exit_code;
}

int colony__ctl_print_tree(const struct cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);

    if (!text)
        return colony__ctl_fail(EXIT_FAILED, "cannot print JSON: out of memory");
    printf("%s\n", text);
    cJSON_free(text);
    return EXIT_OK;
}
