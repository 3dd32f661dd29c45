/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - a program with an engine in it, for test_embed_calls.py: `calls SCENARIO COLONY STATE`.
 *
 * It is made as anybody's program is: of colony.h and the library. Each scenario is written as it
 * happens: what comes by the loop is waited for by turning it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <colony.h>
#include <uv.h>

enum {
    DEADLINE_MS = 20000,
};

static struct colony_error err;
static uv_loop_t loop;
static uv_timer_t deadline;
static struct colony *colony;
static const char *keeper_program;
static const char *state;
static int is_ready;
static int has_stopped;

static void fail(int line, const char *what)
{
    (void)fprintf(stderr, "calls.c:%d: %s is not so; the last error: %d %s\n", line, what, err.code,
                  err.message);
    colony_engine_free(colony, NULL, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    exit(1);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail(__LINE__, #condition);                                                            \
    } while (0)
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        while (!(condition)) {                                                                     \
            CHECK(uv_is_active((uv_handle_t *)&deadline));                                         \
            (void)uv_run(&loop, UV_RUN_ONCE);                                                      \
        }                                                                                          \
    } while (0)

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
}

static void on_ready(struct colony *it, void *data)
{
    (void)it, (void)data;
    is_ready = 1;
}

static void on_stopped(struct colony *it, const struct colony_error *error, void *data)
{
    (void)it, (void)data;
    err = *error;
    has_stopped = 1;
}

static void begin(const char *leaves)
{
    const struct colony_callbacks callbacks = {.ready = on_ready, .stopped = on_stopped};

    is_ready = has_stopped = 0;
    CHECK(colony_engine_open(&colony, &loop, &callbacks, &err) == 0);
    CHECK(colony_engine_set(colony, COLONY_PROGRAM, keeper_program, &err) == 0);
    CHECK(colony_engine_set(colony, COLONY_STATE, state, &err) == 0);
    CHECK(colony_engine_set(colony, COLONY_LEAVES, leaves, &err) == 0);
}

static void start(void)
{
    CHECK(colony_engine_start(colony, &err) == 0);
    UNTIL(is_ready);
}

static void on_freed(void *data)
{
    *(int *)data = 1;
}

static void end(void)
{
    int is_freed = 0;

    colony_engine_free(colony, on_freed, &is_freed);
    UNTIL(is_freed);
    colony = NULL;
}

/* What was heard last, and how much of it. */
struct heard {
    struct colony_listener *listener;
    unsigned count;
    uint64_t id;
    char evtype[64];
    size_t size;
    size_t ends; /* messages without bytes or object */
    char bytes[1 << 20];
    double memory; /* mem_info1 */
};

static void on_heard(const char *evtype, const struct colony_msg *msg, void *data)
{
    struct heard *heard = data;
    size_t size;
    const char *bytes = colony_msg_bytes(msg, &size);
    const struct cJSON *json = colony_msg_json(msg);
    const struct cJSON *memory = cJSON_GetObjectItem(json, "mem_info1");

    heard->count++;
    heard->id = colony_msg_id(msg);
    heard->ends += !bytes && !json;
    (void)snprintf(heard->evtype, sizeof heard->evtype, "%s", evtype);
    if (memory)
        heard->memory = memory->valuedouble;
    CHECK(heard->size + size < sizeof heard->bytes);
    if (bytes)
        memcpy(heard->bytes + heard->size, bytes, size);
    heard->size += size;
}

static struct heard first, second, third;

static void hear(struct heard *heard, const char *pattern)
{
    memset(heard, 0, sizeof *heard);
    CHECK(colony_subscribe(colony, pattern, on_heard, heard, &heard->listener, &err) == 0);
}

static struct colony_template_state look(const char *name)
{
    struct colony_template_state it = {0};

    CHECK(colony_template_state(colony, name, &it, &err) == 0);
    return it;
}

static void keep_living(const struct colony_process_info *info, void *data)
{
    if (info->id != 0)
        *(struct colony_process_info *)data = *info;
}

/* A living process of @name; its id is 0 when there is none. */
static struct colony_process_info one_of(const char *name)
{
    struct colony_process_info info = {0};

    CHECK(colony_process_each(colony, name, keep_living, &info, &err) == 0);
    return info;
}

static void count_name(const char *name, void *data)
{
    CHECK(*name != '\0');
    ++*(unsigned *)data;
}

static unsigned count_templates(void)
{
    unsigned count = 0;

    CHECK(colony_template_each(colony, count_name, &count, &err) == 0);
    return count;
}

/* --- scenarios */

static void templates(void)
{
    cJSON *json = NULL;

    begin(NULL);
    CHECK(colony_template_add(colony, "{name: web, cmd: sleep}", &err) == -EAGAIN);
    hear(&first, "create");
    start();
    CHECK(colony_template_add(colony, "name: web\ncmd: sleep 1000\nnumproceses: 2", &err) ==
          -EINVAL);
    CHECK(strstr(err.message, "settings:3:1: ") && strstr(err.message, "numprocesses"));
    CHECK(colony_template_add(colony, "name: [", NULL) == -EINVAL);
    CHECK(colony_template_add(colony, "name: web\ncmd: sleep 1000\nnumprocesses: 2", &err) == 0);
    CHECK(colony_template_add(colony, "{name: web, cmd: sleep}", &err) == -EEXIST);
    CHECK(first.count == 1 && strcmp(first.evtype, "create") == 0);
    UNTIL(look("web").running == 2);
    CHECK(strcmp(look("web").origin, "program") == 0 && look("web").is_active);
    CHECK(colony_template_scale(colony, "web", 3, &err) == 3);
    CHECK(colony_template_scale_by(colony, "web", -1, &err) == 2);
    CHECK(colony_template_scale_by(colony, "web", 0, &err) == 2);
    CHECK(colony_template_scale(colony, "web", 20000, &err) == -EINVAL);
    UNTIL(look("web").running == 2);

    CHECK(colony_template_get(colony, "web", &json, &err) == 0);
    CHECK(strcmp(cJSON_GetObjectItem(json, "cmd")->valuestring, "sleep 1000") == 0);
    CHECK(cJSON_ReplaceItemInObject(json, "numprocesses", cJSON_CreateNumber(1)));
    CHECK(colony_template_update_json(colony, json, &err) == 0);
    CHECK(cJSON_ReplaceItemInObject(json, "name", cJSON_CreateString("copy")));
    CHECK(colony_template_add_json(colony, json, &err) == 0);
    cJSON_Delete(json);
    UNTIL(look("web").running == 1 && look("copy").running == 1);
    CHECK(count_templates() == 2);
    CHECK(colony_template_update(colony, "{name: nobody, cmd: sleep}", &err) == -ENOENT);
    end();
}

static void processes(void)
{
    struct colony_process_info info;
    uint64_t id;

    begin(NULL);
    start();
    hear(&first, "proc.web.exit");
    CHECK(colony_template_add(colony, "{name: web, cmd: sleep 1000}", &err) == 0);
    UNTIL(one_of("web").id != 0);
    info = one_of("web");
    id = info.id;
    CHECK(colony_process_find(colony, id, &info, &err) == 0);
    CHECK(info.os_pid > 0 && info.slot == 1 && strcmp(info.name, "web") == 0);
    CHECK(strcmp(info.state, "running") == 0 && info.started_at_ms > 0 &&
          info.uptime_ms < DEADLINE_MS);
    CHECK(colony_process_signal(colony, id, 0, &err) == -EINVAL);
    CHECK(colony_process_signal(colony, id, SIGKILL, &err) == 0);
    UNTIL(first.count == 1 && one_of("web").id > id); /* started again, with an id of its own */
    CHECK(strcmp(first.evtype, "proc.web.exit") == 0 && first.id == id);
    CHECK(colony_process_find(colony, id, &info, &err) == -ENOENT);
    CHECK(colony_process_stop(colony, id, NULL) == -ENOENT);

    CHECK(colony_process_stop(colony, one_of("web").id, &err) == 0);
    UNTIL(!look("web").is_active);
    CHECK(colony_template_signal(colony, "web", SIGHUP, &err) == -ESRCH);
    CHECK(colony_template_start(colony, "web", &err) == 0);
    UNTIL(one_of("web").id != 0);
    id = one_of("web").id;
    CHECK(colony_template_restart(colony, "web", &err) == 0);
    UNTIL(one_of("web").id > id);
    CHECK(colony_template_signal(colony, "web", SIGCONT, &err) == 0);
    CHECK(colony_template_stop(colony, "web", NULL) == 0);
    UNTIL(!look("web").is_active);
    CHECK(colony_template_remove(colony, "web", NULL) == 0);
    CHECK(colony_template_remove(colony, "web", NULL) == -ENOENT);
    CHECK(colony_template_stop(colony, "web", NULL) == -ENOENT);
    CHECK(colony_process_each(colony, "web", keep_living, &info, NULL) == -ENOENT);
    end();
}

static void stats(void)
{
    uint64_t id;

    begin(NULL);
    start();
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    CHECK(colony_monitor(colony, "web", on_heard, &first, &first.listener, &err) == -ENOENT);
    CHECK(colony_template_add(colony, "{name: web, cmd: sleep 1000}", &err) == 0);
    CHECK(colony_monitor(colony, "web", on_heard, &first, &first.listener, &err) == 0);
    UNTIL(first.count > 2);
    id = one_of("web").id;
    CHECK(strcmp(first.evtype, "STATS") == 0 && first.id == id && first.memory > 0);
    CHECK(colony_monitor_process(colony, id, on_heard, &second, &second.listener, &err) == 0);
    UNTIL(second.count > 2);
    CHECK(second.id == id);
    CHECK(colony_process_signal(colony, id, SIGKILL, &err) == 0);
    UNTIL(first.id > id); /* those started later, too */
    colony_unmonitor(second.listener);
    colony_unmonitor(first.listener);
    second.count = first.count = 0;
    hear(&third, "exit");
    CHECK(colony_process_signal(colony, first.id, SIGKILL, &err) == 0);
    UNTIL(third.count == 1);
    CHECK(first.count == 0 && second.count == 0);
    end();
}

static void output(void)
{
    static const char *const lines[] = {"one", "two\n", ""};
    struct colony_io io = {.label = "nothing"};

    begin(NULL);
    start();
    CHECK(colony_template_add(colony,
                              "name: cat\nshell: true\ncmd: tee /dev/stderr\nrestart: never\n"
                              "redirect_output: [out, err]\nredirect_input: true",
                              &err) == 0);
    UNTIL(one_of("cat").id != 0);
    io.id = one_of("cat").id;
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    CHECK(colony_monitor_io(colony, io, on_heard, &first, &first.listener, &err) == -EINVAL);
    io.label = "out";
    CHECK(colony_monitor_io(colony, io, on_heard, &first, &first.listener, &err) == 0);
    io.label = ".";
    CHECK(colony_monitor_io(colony, io, on_heard, &second, &second.listener, &err) == 0);
    CHECK(colony_write(colony, io.id, "zero\n", 5, &err) == 0);
    CHECK(colony_writelines(colony, io.id, lines, 3, &err) == 0);
    UNTIL(first.size == 14 && second.size == 28);
    CHECK(memcmp(first.bytes, "zero\none\ntwo\n\n", 14) == 0);
    CHECK(strcmp(first.evtype, "out") == 0 && first.id == io.id);
    CHECK(colony_process_signal(colony, io.id, SIGTERM, &err) == 0);
    UNTIL(first.ends == 1 && second.ends == 1); /* told once, when all is told */
    colony_unmonitor_io(first.listener);
    colony_unmonitor_io(second.listener);
    io.label = "out";
    CHECK(colony_monitor_io(colony, io, on_heard, &first, &first.listener, &err) == -ENOENT);
    end();
}

struct written {
    int count;
    int rc;
};

static void on_written(int rc, const char *why, void *data)
{
    struct written *written = data;

    CHECK((rc == 0) == (why == NULL));
    written->count++;
    written->rc = rc;
}

static int write_to(uint64_t id, const char *label, const char *text)
{
    struct written written = {0};
    const struct colony_input input = {{id, label}, text, strlen(text), on_written, &written};

    CHECK(colony_write_to(colony, &input, &err) == 0);
    CHECK(written.count == 0);
    UNTIL(written.count == 1);
    return written.rc;
}

static void input(void)
{
    struct colony_io io = {.label = "control"};

    begin(NULL);
    start();
    CHECK(colony_template_add(colony, "{name: deaf, cmd: sleep 1000}", &err) == 0);
    CHECK(colony_template_add(colony,
                              "name: echo\nshell: true\ncustom_streams: [control]\n"
                              "cmd: read line <&3; echo \"got $line\" >&3; sleep 1000",
                              &err) == 0);
    UNTIL(one_of("deaf").id && one_of("echo").id);
    io.id = one_of("echo").id;
    CHECK(write_to(one_of("deaf").id, NULL, "x") == -EPERM);
    CHECK(write_to(one_of("deaf").id, "control", "x") == -EINVAL);
    CHECK(write_to(1000000, NULL, "x") == -ENOENT);
    memset(&first, 0, sizeof first);
    CHECK(colony_monitor_io(colony, io, on_heard, &first, &first.listener, &err) == 0);
    CHECK(write_to(io.id, "control", "it\n") == 0);
    UNTIL(first.size == 7);
    CHECK(memcmp(first.bytes, "got it\n", 7) == 0 && strcmp(first.evtype, "control") == 0);

    CHECK(colony_template_add(colony, "{name: cat, cmd: cat, redirect_input: true}", &err) == 0);
    UNTIL(one_of("cat").id);
    io.id = one_of("cat").id;
    CHECK(colony_template_remove(colony, "cat", &err) == 0);
    CHECK(colony_template_add(colony, "{name: cat, cmd: sleep 1000}", &err) == 0);
    CHECK(write_to(io.id, NULL, "x") != -EPERM); /* it was started with one */
    end();
}

/* What is written before the engine is ready waits for it, and for its end at most. */
static void early(void)
{
    struct written written = {0};
    const struct colony_input input = {{1, NULL}, "x", 1, on_written, &written};

    begin(NULL);
    CHECK(colony_engine_start(colony, &err) == 0);
    CHECK(write_to(1, NULL, "x") == -ENOENT);
    CHECK(is_ready);
    colony_engine_stop(colony, "the test");
    UNTIL(has_stopped);
    CHECK(write_to(1, NULL, "x") == -EAGAIN);

    CHECK(colony_engine_start(colony, &err) == 0);
    CHECK(colony_write_to(colony, &input, &err) == 0);
    end();
    CHECK(written.count == 1 && written.rc < 0);
}

/* Writes that are larger than a pipe takes at once, of several threads. */
enum {
    WRITERS = 4,
    BLOCKS = 20,
    BLOCK_SIZE = 9000,
};

static uint64_t target;

static void *write_blocks(void *data)
{
    char block[BLOCK_SIZE];

    memset(block, *(const char *)data, sizeof block);
    block[sizeof block - 1] = '\n';
    for (int i = 0; i < BLOCKS; i++)
        if (colony_write(colony, target, block, sizeof block, NULL) < 0)
            return data;
    return NULL;
}

static void writers(void)
{
    static const char names[WRITERS] = "abcd";
    struct colony_io io = {.label = "out"};
    pthread_t threads[WRITERS];
    void *failed;

    begin(NULL);
    start();
    CHECK(colony_template_add(colony,
                              "{name: cat, cmd: cat, redirect_output: [out], redirect_input: true}",
                              &err) == 0);
    UNTIL(one_of("cat").id != 0);
    io.id = target = one_of("cat").id;
    memset(&first, 0, sizeof first);
    CHECK(colony_monitor_io(colony, io, on_heard, &first, &first.listener, &err) == 0);
    for (int i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&threads[i], NULL, write_blocks, (void *)&names[i]) == 0);
    UNTIL(first.size == (size_t)WRITERS * BLOCKS * BLOCK_SIZE);
    for (int i = 0; i < WRITERS; i++)
        CHECK(pthread_join(threads[i], &failed) == 0 && !failed);
    for (size_t at = 0; at < first.size; at++)
        CHECK(first.bytes[at] ==
              (at % BLOCK_SIZE == BLOCK_SIZE - 1 ? '\n' : first.bytes[at - at % BLOCK_SIZE]));
    end();
}

static pid_t read_keeper(void)
{
    char path[4096];
    int pid = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/lock", state);
    file = fopen(path, "re");
    CHECK(file);
    CHECK(fscanf(file, "%d", &pid) == 1 && pid > 1);
    (void)fclose(file);
    return pid;
}

/* Another keeper, and with it another engine, which knows as much. @id: of a process that is
 * written to meanwhile, or 0. */
static void renew(uint64_t id)
{
    pid_t keeper = read_keeper();

    CHECK(kill(keeper, SIGKILL) == 0);
    UNTIL(colony_template_each(colony, count_name, &(unsigned){0}, NULL) == -EAGAIN);
    CHECK(id == 0 || colony_write(colony, id, "meanwhile\n", 10, &err) == 0);
    UNTIL(colony_template_each(colony, count_name, &(unsigned){0}, NULL) == 0);
    CHECK(read_keeper() != keeper);
}

/* Who listens goes on with another keeper and another engine, and what the program added is there.
 */
static void renewed(void)
{
    struct colony_io io = {.label = "out"};
    struct colony_process_info before;

    begin(NULL);
    start();
    CHECK(colony_template_add(colony,
                              "{name: cat, cmd: cat, redirect_output: [out], redirect_input: true}",
                              &err) == 0);
    CHECK(colony_template_add(colony, "{name: web, cmd: sleep 1000, numprocesses: 3}", &err) == 0);
    UNTIL(one_of("cat").id != 0 && look("web").running == 3);
    hear(&third, "proc.web.exit");
    CHECK(colony_template_scale(colony, "web", 2, &err) == 2);
    UNTIL(third.count == 1);
    before = one_of("cat");
    io.id = before.id;
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    CHECK(colony_monitor(colony, "cat", on_heard, &first, &first.listener, &err) == 0);
    CHECK(colony_monitor_io(colony, io, on_heard, &second, &second.listener, &err) == 0);
    CHECK(colony_write(colony, io.id, "before\n", 7, &err) == 0);
    UNTIL(first.count > 1 && second.size == 7);

    renew(io.id);
    CHECK(count_templates() == 2);
    CHECK(one_of("cat").id == before.id && one_of("cat").os_pid == before.os_pid);
    CHECK(look("web").running == 2 && strcmp(look("web").origin, "program") == 0);
    first.count = 0;
    UNTIL(first.count > 1);
    CHECK(colony_write(colony, io.id, "after\n", 6, &err) == 0);
    UNTIL(second.size == 23);
    CHECK(memcmp(second.bytes, "before\nmeanwhile\nafter\n", 23) == 0 && second.ends == 0);
    CHECK(third.count == 1); /* nothing else of it ended */
    CHECK(colony_process_signal(colony, one_of("web").id, SIGKILL, &err) == 0);
    UNTIL(third.count == 2 && look("web").running == 2);
    end();
}

static int is_counted(const struct heard *heard)
{
    long before = 0;

    for (const char *at = heard->bytes; at + 8 <= heard->bytes + heard->size; at += 8) {
        long number = strtol(at, NULL, 10);

        if (before > 0 && number != before + 1)
            return 0;
        before = number;
    }
    return 1;
}

/* A process that never rests is heard without a gap, whatever becomes of keepers. */
static void gapless(void)
{
    struct colony_io io = {.label = "out"};

    begin(NULL);
    start();
    CHECK(colony_template_add(colony,
                              "{name: n, redirect_output: [out], shell: true, cmd: 'i=1000000; "
                              "while sleep 0.001; do i=$((i+1)); echo $i; done'}",
                              &err) == 0);
    UNTIL(one_of("n").id != 0);
    io.id = one_of("n").id;
    memset(&first, 0, sizeof first);
    CHECK(colony_monitor_io(colony, io, on_heard, &first, &first.listener, &err) == 0);
    for (int i = 0; i < 5; i++) {
        size_t before = first.size;

        UNTIL(first.size > before + 80);
        renew(0);
    }
    CHECK(first.ends == 0 && one_of("n").id == io.id && is_counted(&first));
    end();
}

static void save(const char *path, const char *settings)
{
    FILE *file = fopen(path, "we");

    CHECK(file && fputs(settings, file) >= 0);
    CHECK(fclose(file) == 0);
}

/* What the program added belongs to the settings as they are after a reload, too. */
static void reloaded(void)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s.yaml", state);
    begin(NULL);
    save(path, "processes: {}");
    CHECK(colony_engine_load(colony, path, &err) == 0);
    start();
    CHECK(colony_template_add(colony, "{name: web, cmd: sleep 1000}", &err) == 0);
    hear(&first, "create");
    save(path, "processes: {db: {cmd: sleep 1000}}");
    CHECK(kill(read_keeper(), SIGHUP) == 0);
    UNTIL(first.count == 1);
    CHECK(strcmp(look("db").origin, "config") == 0 && count_templates() == 2);
    renew(0);
    CHECK(count_templates() == 2 && strcmp(look("web").origin, "program") == 0);
    end();
}

/* What is left running becomes the process of the template that the next run adds; nothing else of
 * this one is remembered. */
static void left(void)
{
    static const char web[] = "{name: web, cmd: sleep 1000}";
    struct colony_process_info before;

    begin("yes");
    start();
    CHECK(colony_template_add(colony, web, &err) == 0);
    CHECK(colony_template_add(colony, "{name: other, cmd: sleep 1000, start: false}", &err) == 0);
    UNTIL(one_of("web").id != 0);
    before = one_of("web");
    end();
    CHECK(kill(before.os_pid, 0) == 0);

    begin("yes");
    start();
    CHECK(count_templates() == 0);
    CHECK(colony_template_add(colony, web, &err) == 0);
    CHECK(one_of("web").id == before.id && one_of("web").os_pid == before.os_pid);
    CHECK(colony_template_stop(colony, "web", &err) == 0);
    UNTIL(!look("web").is_active);
    end();
}

/* The same struct colony runs twice: what was added in one run is not in the next. */
static void again(void)
{
    begin(NULL);
    hear(&first, "spawn");
    for (int run = 1; run <= 2; run++) {
        is_ready = has_stopped = 0;
        start();
        CHECK(count_templates() == 0);
        CHECK(colony_template_add(colony, "{name: web, cmd: sleep 1000}", &err) == 0);
        UNTIL(first.count == (unsigned)run);
        colony_engine_stop(colony, "the test");
        UNTIL(has_stopped);
        CHECK(err.code == 0);
        CHECK(colony_template_remove(colony, "web", NULL) == -EAGAIN);
    }
    end();
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"templates", templates}, {"processes", processes}, {"stats", stats},
    {"output", output},       {"input", input},         {"writers", writers},
    {"renewed", renewed},     {"gapless", gapless},     {"left", left},
    {"again", again},         {"reloaded", reloaded},   {"early", early},
};

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    keeper_program = argv[2];
    state = argv[3];
    (void)signal(SIGPIPE, SIG_IGN);
    (void)uv_loop_init(&loop);
    (void)uv_timer_init(&loop, &deadline);
    (void)uv_timer_start(&deadline, on_deadline, DEADLINE_MS, 0);
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
        if (strcmp(scenarios[i].name, argv[1]) == 0)
            scenarios[i].run();
    uv_close((uv_handle_t *)&deadline, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) == 0 ? 0 : 3; /* no handle is left behind */
}
