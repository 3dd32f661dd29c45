/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_why.c - `colony ctl why`: the story of a slot's present state, in sentences. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "ctl_internal.h"

enum {
    DEFAULT_COUNT = 10, /* sentences before the last one */
    EVENTS_MAX = 1000,  /* of the history that are looked at */
    SHORT_S = 10,       /* below that tenths of a second are told */
};

/* Something that happened, perhaps several times in a row. */
struct sentence {
    char text[CTL_NOTE_MAX];
    double first_at; /* seconds since 1970 */
    double last_at;
    double id; /* of the process that was started; 0: it says something else */
    unsigned count;
};

struct story {
    struct sentence *sentences; /* oldest first */
    size_t count;
    double now;
    const char *name; /* of the template */
    bool is_cut;      /* more happened before */
    bool has_ready;   /* running is not all it is to be */
};

/* What a state is called in a sentence, and what has to happen for the next. */
/* clang-format off */
static const struct state {
    const char *name;
    const char *phrase;
    const char *next;   /* NULL: retry_in says */
    bool needs_start;   /* @next is what `colony ctl start` does */
} states[] = {
    {"stopped",   "stopped",    "starts it",                                   true},
    {"waiting",   "waiting",    "starts as soon as that is so",                false},
    {"starting",  "starting",   "runs as soon as its program does",            false},
    {"running",   "running",    "goes on until it ends or somebody stops it",  false},
    {"ready",     "ready",      "goes on until it ends or somebody stops it",  false},
    {"stopping",  "stopping",   "is stopped once nothing of it is left",       false},
    {"exited",    "exited",     "what comes next is being decided",            false},
    {"backoff",   "in backoff", NULL,                                          false},
    {"failed",    "given up",   "tries it again",                              true},
    {"completed", "completed",  "runs it again",                               true},
};
/* clang-format on */

/* "4.2 s", "42s", "3m12s" */
static void write_span(char text[CTL_NUMBER_MAX], double seconds)
{
    if (seconds < 0)
        seconds = 0; /* the clocks differ */
    if (seconds < SHORT_S)
        (void)snprintf(text, CTL_NUMBER_MAX, "%.1f s", seconds);
    else
        colony__ctl_write_duration(text, seconds);
}

/* A start and its end are one sentence, and so are ends that are alike. */
static void add_sentence(struct story *story, const struct cJSON *event)
{
    struct sentence *last = story->count > 0 ? &story->sentences[story->count - 1] : NULL;
    struct sentence *new = &story->sentences[story->count];
    bool is_spawn = strcmp(colony__ctl_text(event, "event"), "spawn") == 0;

    *new = (struct sentence){.count = 1};
    colony__ctl_describe_event(new->text, event);
    new->first_at = new->last_at = colony__ctl_parse_time(colony__ctl_text(event, "time"));
    if (is_spawn)
        new->id = colony__ctl_number(event, "id");
    else if (strcmp(colony__ctl_text(event, "event"), "exit") == 0 && last && last->id > 0 &&
             last->id >= colony__ctl_number(event, "id")) {
        *last = *new;
        story->count--;
        new = last;
        last = story->count > 0 ? last - 1 : NULL;
    }
    if (last && strcmp(last->text, new->text) == 0) {
        last->last_at = new->last_at;
        last->count++;
        return;
    }
    story->count++;
}

/* What the history, newest first, tells of slot @slot. */
static void read_history(struct story *story, const struct cJSON *history, double slot)
{
    const struct cJSON *event = history && history->child ? history->child->prev : NULL;

    story->count = 0;
    for (; event; event = event == history->child ? NULL : event->prev) {
        double number = colony__ctl_number(event, "slot");
        bool is_ours = number < 0.5 || (number > slot - 0.5 && number < slot + 0.5);

        if (is_ours && !colony__ctl_event_is_detail(event))
            add_sentence(story, event);
    }
}

static void print_sentences(const struct story *story, uint64_t limit)
{
    size_t first = story->count > limit ? story->count - (size_t)limit : 0;

    if (first > 0)
        printf("  ...\n");
    for (size_t i = first; i < story->count; i++) {
        const struct sentence *sentence = &story->sentences[i];
        char ago[CTL_NUMBER_MAX];

        write_span(ago, story->now - sentence->last_at);
        printf("  %8s ago  ", ago);
        colony__ctl_print_text(sentence->text);
        if (sentence->count > 1) {
            write_span(ago, story->now - sentence->first_at);
            printf(" (%u times since %s ago)", sentence->count, ago);
        }
        printf("\n");
    }
}

/* ": ended with status 1 (7 times in a row)" */
static void print_cause(const struct story *story, const struct cJSON *slot)
{
    const struct sentence *last = story->count > 0 ? &story->sentences[story->count - 1] : NULL;
    const char *cause = colony__ctl_text(slot, "cause");
    const char *again = strstr(cause, CTL_STARTS_AGAIN);
    size_t length = again ? (size_t)(again - cause) : strlen(cause);
    char text[CTL_NOTE_MAX];

    if (length == 0 || (again && strcmp(colony__ctl_text(slot, "state"), "backoff") != 0))
        return; /* it has started again */
    (void)snprintf(text, sizeof text, "%.*s", (int)length, cause);
    printf(": ");
    colony__ctl_print_text(text);
    if (last && last->count > 1 && strcmp(last->text, text) == 0)
        printf(" (%s%u times in a row)", story->is_cut && story->count == 1 ? "at least " : "",
               last->count);
}

/* "web.1 is in backoff since 3.0 s: ended with status 1; starts again in 4.2 s" */
static void print_present(const struct story *story, const struct cJSON *slot,
                          const struct cJSON *waits)
{
    const char *name = colony__ctl_text(slot, "state");
    double since = colony__ctl_parse_time(colony__ctl_text(slot, "since"));
    const struct state *state = NULL;
    char span[CTL_NUMBER_MAX];

    for (size_t i = 0; i < sizeof states / sizeof states[0] && !state; i++)
        if (strcmp(states[i].name, name) == 0)
            state = &states[i];
    colony__ctl_print_text(story->name);
    printf(".%.0f is ", colony__ctl_number(slot, "slot"));
    colony__ctl_print_text(state ? state->phrase : name);
    if (since >= 0) {
        write_span(span, story->now - since);
        printf(" since %s", span);
    }
    if (strcmp(name, "waiting") == 0 && cJSON_GetArraySize(waits) > 0)
        colony__ctl_print_texts(": ", waits); /* ": waits for disk to complete: it is running, …" */
    else
        print_cause(story, slot);
    if (strcmp(colony__ctl_text(slot, "health"), "unhealthy") == 0) {
        printf(", but unhealthy: ");
        colony__ctl_print_text(colony__ctl_text(slot, "health_note"));
    }
    if (state && state->needs_start) {
        printf("; `colony ctl start ");
        colony__ctl_print_text(story->name);
        printf("` %s", state->next);
    } else if (story->has_ready && strcmp(name, "running") == 0) {
        printf("; is ready as soon as its `ready` setting finds it so");
    } else if (state && state->next) {
        printf("; %s", state->next);
    } else if (colony__ctl_has_number(slot, "retry_in")) {
        write_span(span, colony__ctl_number(slot, "retry_in"));
        printf("; starts again in %s", span);
    }
    printf("\n");
}

static void print_no_slots(const char *name)
{
    colony__ctl_print_text(name);
    printf(" has no processes; `colony ctl scale ");
    colony__ctl_print_text(name);
    printf("=1` gives it one\n");
}

/* What /why does not have: it tells of the last events only, and not of the settings. */
static struct cJSON *ask_more(const struct ctl *ctl, struct story *story)
{
    char path[CTL_PATH_MAX];
    char after[32];
    struct cJSON *history = NULL;
    struct cJSON *settings = NULL;

    (void)snprintf(after, sizeof after, "&limit=%d", EVENTS_MAX);
    if (colony__ctl_path(path, "/history?name=", story->name, after) == EXIT_OK)
        history = colony__ctl_peek(ctl, path);
    if (colony__ctl_path(path, "/processes/", story->name, "") == EXIT_OK)
        settings = colony__ctl_peek(ctl, path);
    story->is_cut = cJSON_GetArraySize(history) >= EVENTS_MAX;
    story->has_ready = cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(settings, "ready"));
    cJSON_Delete(settings);
    return history;
}

static int print_story(const struct ctl *ctl, const struct cJSON *answer)
{
    const struct cJSON *waits = cJSON_GetObjectItemCaseSensitive(answer, "waits");
    const struct cJSON *slots = cJSON_GetObjectItemCaseSensitive(answer, "slots");
    struct story story = {.name = colony__ctl_text(answer, "name")};
    struct timespec now = {0};
    struct cJSON *history = ask_more(ctl, &story);
    const struct cJSON *slot;
    const char *between = "";

    story.sentences = calloc((size_t)cJSON_GetArraySize(history) + 1, sizeof *story.sentences);
    if (!story.sentences) {
        cJSON_Delete(history);
        return colony__ctl_fail(EXIT_FAILED, "cannot tell why: out of memory");
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    story.now = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    cJSON_ArrayForEach(slot, slots)
    {
        printf("%s", between);
        read_history(&story, history, colony__ctl_number(slot, "slot"));
        print_sentences(&story, ctl->lines == UINT64_MAX ? DEFAULT_COUNT : ctl->lines);
        print_present(&story, slot, waits);
        between = "\n";
    }
    if (!slots || !slots->child)
        print_no_slots(story.name);
    free(story.sentences);
    cJSON_Delete(history);
    return EXIT_OK;
}

int colony__ctl_split_slot(const struct ctl *ctl, char *name, const char **slot)
{
    char *dot = strrchr(name, '.');
    char path[CTL_PATH_MAX];
    struct cJSON *status;
    int exit_code;

    *slot = NULL;
    if (!dot || dot == name || dot[1] == '\0' || dot[1 + strspn(dot + 1, "0123456789")] != '\0')
        return EXIT_OK;
    exit_code = colony__ctl_path(path, "/status/", name, "");
    if (exit_code != EXIT_OK)
        return exit_code;
    status = colony__ctl_peek(ctl, path);
    if (!status) {
        *dot = '\0';
        *slot = dot + 1;
    }
    cJSON_Delete(status);
    return EXIT_OK;
}

int colony__ctl_why(struct ctl *ctl, int argc, char **argv)
{
    char path[CTL_PATH_MAX] = "";
    char after[64] = "";
    const struct ctl_question question = colony__ctl_look(path, "tell the story of", argv[1]);
    const char *slot;
    struct cJSON *answer = NULL;
    int exit_code = colony__ctl_split_slot(ctl, argv[1], &slot);

    (void)argc;
    if (exit_code == EXIT_OK && slot)
        (void)snprintf(after, sizeof after, "?slot=%.40s", slot);
    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_path(path, "/why/", argv[1], after);
    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_ask_to_show(ctl, &question, &answer);
    if (answer)
        exit_code = print_story(ctl, answer);
    cJSON_Delete(answer);
    return exit_code;
}
