/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - scenarios of what a program asks of the engine in it, and what it hears of it. */
#include "scenarios.h"

#include <pthread.h>

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
    CHECK(colony_monitor_io(colony, io, on_heard, &first, &first.listener, &err) == -EINVAL);
    io.label = "out";
    hear_io(&first, io);
    io.label = ".";
    hear_io(&second, io);
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
    hear_io(&first, io);
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

static char order[8]; /* a letter for each that was carried out */

static void add_letter(char letter)
{
    order[strlen(order)] = letter;
}

static void on_ordered_write(int rc, const char *why, void *data)
{
    (void)rc, (void)why, (void)data;
    add_letter('w');
}

static void on_ordered_event(const char *evtype, const struct colony_msg *msg, void *data)
{
    (void)evtype, (void)msg, (void)data;
    add_letter('e');
}

static void on_ordered_post(struct colony *it, void *data)
{
    (void)it, (void)data;
    add_letter('p');
}

/* What follows a write that waits for the engine waits, too; what comes before it does not. */
static void ordered(void)
{
    const struct colony_input input = {{1000000, NULL}, "x", 1, on_ordered_write, NULL};
    struct colony_listener *listener;

    begin(NULL);
    CHECK(colony_subscribe(colony, "mine", on_ordered_event, NULL, &listener, &err) == 0);
    CHECK(colony_engine_start(colony, &err) == 0);
    CHECK(colony_engine_post(colony, on_ordered_post, NULL) == 0);
    CHECK(colony_write_to(colony, &input, &err) == 0);
    CHECK(colony_publish(colony, "mine", NULL, &err) == 0);
    CHECK(colony_engine_post(colony, on_ordered_post, NULL) == 0);
    UNTIL(order[0]);
    CHECK(colony_write_to(colony, &input, &err) == 0);
    UNTIL(strlen(order) == 5);
    CHECK(strcmp(order, "pwepw") == 0);
    end();
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
    io.id = target = add_cat();
    hear_io(&first, io);
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

/* Two engines, each on a loop and a thread of its own, whose processes write as fast as they can.
 */
enum {
    SIDES = 2,
    SIDE_BYTES = 16 << 20, /* of each stream at least */
};

struct side {
    const char *templates; /* all that its processes write is one letter, and line ends */
    char letter;
    size_t told[2]; /* of the streams `out` and `more` */
    size_t strange; /* bytes */
    struct colony *colony;
    struct colony_listener *listener;
    struct colony_error err;
};

static void on_side_output(const char *evtype, const struct colony_msg *msg, void *data)
{
    struct side *side = data;
    size_t size = 0;
    const char *bytes = colony_msg_bytes(msg, &size);

    for (size_t i = 0; i < size; i++)
        side->strange += bytes[i] != side->letter && bytes[i] != '\n';
    side->told[strcmp(evtype, "more") == 0] += size;
    if (size == 0 || side->told[0] < SIDE_BYTES || side->told[1] < SIDE_BYTES)
        return;
    for (int i = 0; i < 2; i++)
        colony_engine_stop(side->colony, "it has heard enough");
}

static void on_side_spawn(const char *evtype, const struct colony_msg *msg, void *data)
{
    const struct colony_io all = {colony_msg_id(msg), "."};
    struct side *side = data;
    struct colony_listener *listener;

    (void)evtype;
    if (colony_monitor_io(side->colony, all, on_side_output, side, &listener, &side->err) < 0)
        colony_engine_stop(side->colony, "it cannot hear");
}

static void *run_side(void *data)
{
    struct side *side = data;
    const char *text = side->templates;

    if (colony_engine_open(&side->colony, NULL, NULL, &side->err) < 0)
        return data;
    if (colony_engine_set(side->colony, COLONY_PROGRAM, keeper_program, &side->err) < 0 ||
        colony_engine_load_text(side->colony, text, strlen(text), &side->err) < 0 ||
        colony_subscribe(side->colony, "spawn", on_side_spawn, side, &side->listener, &side->err) <
            0 ||
        colony_engine_run(side->colony, &side->err) < 0)
        data = NULL;
    colony_engine_free(side->colony, NULL, NULL);
    return data;
}

#define SIDE_TEMPLATES(line)                                                                       \
    "processes:\n"                                                                                 \
    "  - {name: one, cmd: yes " line ", redirect_output: [out]}\n"                                 \
    "  - {name: two, cmd: 'exec yes " line " >&3', shell: true, custom_streams: [more]}\n"

static void apart(void)
{
    static struct side sides[SIDES] = {
        {.letter = 'a', .templates = SIDE_TEMPLATES("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")},
        {.letter = 'b', .templates = SIDE_TEMPLATES("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")},
    };
    pthread_t threads[SIDES];
    void *done[SIDES];

    for (int i = 0; i < SIDES; i++)
        CHECK(pthread_create(&threads[i], NULL, run_side, &sides[i]) == 0);
    for (int i = 0; i < SIDES; i++)
        CHECK(pthread_join(threads[i], &done[i]) == 0);
    for (int i = 0; i < SIDES; i++) {
        err = sides[i].err;
        CHECK(done[i] && sides[i].err.code == 0);
        CHECK(sides[i].told[0] >= SIDE_BYTES && sides[i].told[1] >= SIDE_BYTES);
        CHECK(sides[i].strange == 0);
    }
}

static const struct scenario scenarios[] = {
    {"templates", templates}, {"processes", processes},
    {"stats", stats},         {"output", output},
    {"input", input},         {"early", early},
    {"ordered", ordered},     {"writers", writers},
    {"apart", apart},         {NULL, NULL},
};

int main(int argc, char **argv)
{
    return run_scenario(argc, argv, scenarios);
}
