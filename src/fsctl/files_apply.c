/* SPDX-License-Identifier: Apache-2.0 */
/* files_apply.c - what a look has found becomes what runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/log.h"
#include "fsctl/files_internal.h"

enum {
    WHY_SIZE = 96,
    CIRCLE_SIZE = 200,
};

static void write_why(char why[WHY_SIZE], const char *what, const char *name)
{
    (void)snprintf(why, WHY_SIZE, "%s %.70s", what, name);
}

/* --- files ------------------------------------------------------------------------------------ */

static void refuse_file(struct files *files, const char *name, const char *text)
{
    if (colony__directory_tells(files->job->directory, name, text))
        files_refuse(files, name, text);
}

static bool is_news(const struct files *files, const struct colony_template *template)
{
    const struct colony_template *now = colony_engine_find_template(files->engine, template->name);

    return !now || now->hash != template->hash;
}

/* What cannot be used now may be later: when a name is free, or what it depends on is there. */
static void fail_put(struct files *files, const char *name, const struct colony_error *err)
{
    struct colony_error told;
    char circle[CIRCLE_SIZE];
    bool is_circle;

    if (err->code == -ESHUTDOWN)
        return;
    colony__directory_again(files->job->directory, name);
    files->waiting += err->code == -ENOENT;
    if (err->code == -ENOENT && files->is_quiet)
        return;
    is_circle = err->code == -ENOENT &&
                colony__directory_circle(files->job->directory, name, circle, sizeof circle);
    (void)colony_fail(
        &told, err->code, "cannot use %.200s/%.200s: %s%s", files->job->settings.config, name,
        is_circle ? "cannot order the starts: " : "", is_circle ? circle : err->message);
    refuse_file(files, name, told.message);
}

/* Notes which other file it waits for, if any: they may wait for each other. */
static void note_missed(struct files *files, const struct colony_template *template)
{
    const char *missed = NULL;

    for (uint32_t i = 0; i < template->dependency_count && !missed; i++)
        if (template->dependencies[i].is_needed &&
            !colony_engine_find_template(files->engine, template->dependencies[i].name))
            missed = template->dependencies[i].name;
    colony__directory_misses(files->job->directory, template->name, missed);
}

static void put(struct files *files, struct colony__change *change)
{
    struct colony_template *template = change->template;
    struct colony_error err = {0};
    char why[WHY_SIZE];
    bool is_new = is_news(files, template);

    change->template = NULL;
    note_missed(files, template);
    write_why(why, "file", change->name);
    if (colony_engine_put_owned(files->engine, COLONY_ORIGIN_FILE, template, why, &err) < 0) {
        fail_put(files, change->name, &err);
        return;
    }
    files->applied += is_new;
    (void)colony__directory_tells(files->job->directory, change->name, NULL);
}

static void drop(struct files *files, const char *name)
{
    const char *origin = colony_engine_origin(files->engine, name);
    struct colony_error err;
    char why[WHY_SIZE];

    if (!origin || strcmp(origin, COLONY_ORIGIN_FILE) != 0)
        return; /* it never came to be */
    write_why(why, "the end of file", name);
    if (colony_engine_drop_owned(files->engine, COLONY_ORIGIN_FILE, name, why, &err) < 0 &&
        err.code != -ESHUTDOWN)
        colony_log(SEVERITY_ERROR, "cannot remove %s: %s", name, err.message);
    else
        files->applied++;
}

void files_apply_batch(struct files *files)
{
    struct colony__batch *batch = &files->job->batch;

    for (size_t i = 0; i < batch->count; i++) {
        struct colony__change *change = &batch->changes[i];

        switch (change->type) {
        case CHANGE_PUT:
            put(files, change);
            break;
        case CHANGE_GONE:
            drop(files, change->name);
            break;
        case CHANGE_REFUSE:
            colony_engine_keep_owned(files->engine, COLONY_ORIGIN_FILE, change->name);
            refuse_file(files, change->name,
                        change->text ? change->text : "cannot use a file: out of memory");
            break;
        }
    }
}

/* Names of templates, because none may go while they are walked through. */
struct names {
    struct files *files;
    char **items;
    size_t count;
    size_t capacity;
    bool is_short;
};

static void add_if_unknown(const struct colony_template *template, void *data)
{
    struct names *names = data;
    const char *origin = colony_engine_origin(names->files->engine, template->name);
    char **grown;

    if (!origin || strcmp(origin, COLONY_ORIGIN_FILE) != 0 ||
        colony__directory_has(names->files->job->directory, template->name))
        return;
    grown = colony_array_room(names->items, names->count, &names->capacity, sizeof *grown);
    if (grown) {
        names->items = grown;
        grown[names->count] = strdup(template->name);
    }
    if (grown && grown[names->count])
        names->count++;
    else
        names->is_short = true;
}

bool files_drop_unknown(struct files *files)
{
    struct names names = {.files = files};

    colony_engine_each_template(files->engine, add_if_unknown, &names);
    for (size_t i = 0; i < names.count; i++) {
        drop(files, names.items[i]);
        free(names.items[i]);
    }
    free(names.items);
    return !names.is_short;
}

/* --- messages --------------------------------------------------------------------------------- */

struct restart {
    struct files *files;
    const char *why;
    int rc;
};

static void restart(const char *name, void *data)
{
    struct restart *wish = data;
    struct colony_error err;
    int rc = colony_engine_cycle_template(wish->files->engine, name, wish->why, &err);

    if (rc < 0 && rc != -ENOENT)
        wish->rc = rc;
}

static void restart_if_ours(const struct colony_template *template, void *data)
{
    struct restart *wish = data;
    const char *origin = colony_engine_origin(wish->files->engine, template->name);

    if (origin && strcmp(origin, COLONY_ORIGIN_FILE) == 0)
        restart(template->name, wish);
}

static char *refuse_target(const char *target, const char *why, const char *more)
{
    char *text = NULL;

    if (asprintf(&text, "cannot restart %s: %s%s", target, why, more) < 0)
        return NULL;
    return text;
}

/* Nothing runs that is called so. */
static char *refuse_name(const struct files *files, const char *name)
{
    const char *told = colony__directory_told(files->job->directory, name);

    if (told)
        return refuse_target(name, "its file is not used: ", told);
    if (colony__directory_has(files->job->directory, name))
        return refuse_target(name, "its file cannot be used yet", "");
    return refuse_target(name, "there is no file of that name", "");
}

/* What was asked for before in the same go is on its way. */
static bool is_repeated(const struct colony__post *post, size_t index)
{
    const struct colony__message *message = &post->letters[index].message;

    for (size_t i = 0; i < index; i++) {
        const struct colony__letter *letter = &post->letters[i];

        if (!letter->is_pending && !letter->refusal && letter->message.type == message->type &&
            strcmp(letter->message.target, message->target) == 0)
            return true;
    }
    return false;
}

static void act(struct files *files, struct colony__letter *letter)
{
    const char *target = letter->message.target;
    const char *origin = colony_engine_origin(files->engine, target);
    char why[WHY_SIZE];
    struct restart wish = {.files = files, .why = why};
    bool is_refused = false;

    write_why(why, "message", letter->name);
    switch (letter->message.type) {
    case MESSAGE_RESTART_ONE:
        is_refused = !origin || strcmp(origin, COLONY_ORIGIN_FILE) != 0;
        if (is_refused)
            letter->refusal = refuse_name(files, target);
        else
            restart(target, &wish);
        break;
    case MESSAGE_RESTART_ALL:
        colony_engine_each_template(files->engine, restart_if_ours, &wish);
        break;
    case MESSAGE_RESTART_GROUP:
        is_refused = !colony__directory_each(files->job->directory, target, restart, &wish);
        if (is_refused)
            letter->refusal = refuse_target(target, "there is no group of that name", "");
        break;
    }
    /* Colony ends, and the next one does it; or there was no memory to say why not. */
    letter->is_pending = wish.rc < 0 || (is_refused && !letter->refusal);
}

void files_handle_post(struct files *files)
{
    struct colony__post *post = &files->job->post;

    for (size_t i = 0; i < post->count; i++) {
        struct colony__letter *letter = &post->letters[i];

        if (letter->is_pending)
            continue;
        if (!letter->refusal && !is_repeated(post, i))
            act(files, letter);
        if (letter->refusal)
            files_refuse(files, NULL, letter->refusal);
        else if (!letter->is_pending)
            files->messages_total++;
        files->is_soon |= letter->is_pending;
    }
}
