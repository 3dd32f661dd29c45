/* SPDX-License-Identifier: Apache-2.0 */
/* runs.c - scenarios of programs whose keeper, engine or settings become others. */
#include <poll.h>
#include <sys/syscall.h>

#include "scenarios.h"

#include <sys/stat.h>

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
    io.id = add_cat();
    CHECK(colony_template_add(colony, "{name: web, cmd: sleep 1000, numprocesses: 3}", &err) == 0);
    UNTIL(look("web").running == 3);
    hear(&third, "proc.web.exit");
    CHECK(colony_template_scale(colony, "web", 2, &err) == 2);
    UNTIL(third.count == 1);
    before = one_of("cat");
    memset(&first, 0, sizeof first);
    CHECK(colony_monitor(colony, "cat", on_heard, &first, &first.listener, &err) == 0);
    hear_io(&second, io);
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
    hear_io(&first, io);
    for (int i = 0; i < 5; i++) {
        size_t before = first.size;

        UNTIL(first.size > before + 80);
        renew(0);
    }
    CHECK(first.ends == 0 && one_of("n").id == io.id && is_counted(&first));
    end();
}

/* As the program's colony, one that waits, when there is a FILE with a pid, for that process to end
 * by SIGUSR1: no engine looks then. */
static void save_waiting_colony(char path[4096], const char *file)
{
    FILE *script;

    (void)snprintf(path, 4096, "%s.sh", state);
    script = fopen(path, "we");
    CHECK(script);
    CHECK(fprintf(script,
                  "#!/bin/sh\n"
                  "if read pid < %s; then\n"
                  "    rm %s; kill -USR1 $pid\n"
                  "    while [ -e /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status; do\n"
                  "        sleep 0.01\n"
                  "    done\n"
                  "fi 2>/dev/null\n"
                  "exec %s \"$@\"\n",
                  file, file, keeper_program) > 0);
    CHECK(fchmod(fileno(script), 0700) == 0 && fclose(script) == 0);
}

static int ends_with(const struct heard *heard, const char *text)
{
    size_t size = strlen(text);

    return heard->size >= size && memcmp(heard->bytes + heard->size - size, text, size) == 0;
}

/* What ends while there is neither keeper nor engine is heard to its end. */
static void last_words(void)
{
    static const char settings[] =
        "{name: w, redirect_output: [out], restart: never, ready: {line: up}, shell: true, cmd: "
        "\"trap 'echo last words; exit' USR1; echo up; while :; do sleep 0.01; done\"}";
    struct colony_io io = {.label = "out"};
    char program[4096];
    char file[4096];
    FILE *pid;

    (void)snprintf(file, sizeof file, "%s.pid", state);
    save_waiting_colony(program, file);
    begin(NULL);
    CHECK(colony_engine_set(colony, COLONY_PROGRAM, program, &err) == 0);
    start();
    CHECK(colony_template_add(colony, settings, &err) == 0);
    UNTIL(one_of("w").id != 0 && strcmp(one_of("w").state, "ready") == 0);
    io.id = one_of("w").id;
    hear_io(&first, io);
    io.label = ".";
    hear_io(&second, io);
    pid = fopen(file, "we");
    CHECK(pid && fprintf(pid, "%d\n", (int)one_of("w").os_pid) > 0 && fclose(pid) == 0);
    renew(0);
    CHECK(one_of("w").id == 0);
    UNTIL(first.ends == 1 && second.ends == 1);
    CHECK(ends_with(&first, "last words\n") && ends_with(&second, "last words\n"));
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

struct told {
    unsigned steps;
    char step[256]; /* the last one */
    unsigned ends;
    int rc;
    char why[512];
};

static void on_step(const char *action, const char *name, const char *why, void *data)
{
    struct told *told = data;

    CHECK(told->ends == 0);
    told->steps++;
    (void)snprintf(told->step, sizeof told->step, "%s %s: %s", action, name, why);
}

static void on_done(int rc, const char *why, void *data)
{
    struct told *told = data;

    CHECK((rc == 0) == !why);
    told->ends++;
    told->rc = rc;
    (void)snprintf(told->why, sizeof told->why, "%s", why ? why : "");
}

static struct told reload(int is_dry)
{
    struct told told = {0};
    const struct colony_reload wish = {
        .is_dry = is_dry, .step = on_step, .done = on_done, .data = &told};

    CHECK(colony_engine_reload(colony, &wish, &err) == 0);
    CHECK(told.ends == 0 && colony_engine_reload(colony, &wish, &err) == -EALREADY);
    UNTIL(told.ends == 1);
    return told;
}

/* By the program itself, which is told how it went. */
static void asked(void)
{
    struct told told;
    char path[4096];

    (void)snprintf(path, sizeof path, "%s.yaml", state);
    begin(NULL);
    save(path, "processes: {}");
    CHECK(colony_engine_load(colony, path, &err) == 0);
    CHECK(colony_engine_reload(colony, NULL, &err) == -EAGAIN);
    start();
    CHECK(colony_template_add(colony, "{name: web, cmd: sleep 1000}", &err) == 0);
    save(path, "processes: {db: {cmd: sleep 1000}}");
    told = reload(1);
    CHECK(told.rc == 0 && told.steps == 1 && strcmp(told.step, "start db: is new") == 0);
    CHECK(count_templates() == 1);
    told = reload(0);
    CHECK(told.rc == 0 && told.steps == 1 && count_templates() == 2);

    save(path, "processes: {db: {cmdd: sleep 1000}}");
    told = reload(0);
    CHECK(told.rc == -EINVAL && told.steps == 0 && strstr(told.why, ".yaml:1:18: "));
    CHECK(strstr(told.why, "`cmd`") && strcmp(look("db").origin, "config") == 0);

    save(path, "processes: {}");
    CHECK(colony_engine_reload(colony, NULL, NULL) == 0);
    UNTIL(count_templates() == 1);
    CHECK(strcmp(look("web").origin, "program") == 0);

    memset(&told, 0, sizeof told); /* one that its end overtakes is told, too */
    CHECK(colony_engine_reload(
              colony, &(struct colony_reload){.step = on_step, .done = on_done, .data = &told},
              &err) == 0);
    colony_engine_stop(colony, "the test");
    end();
    CHECK(told.ends == 1);
}

/* There is nothing to be read again. */
static void unasked(void)
{
    begin(NULL);
    start();
    CHECK(colony_engine_reload(colony, NULL, &err) == -ENOENT);
    CHECK(strstr(err.message, "without a settings file"));
    end();
}

static int retries;

static void count_retries(int severity, const char *text, void *data)
{
    (void)severity, (void)data;
    retries += strstr(text, "is tried again") != NULL;
}

static int wait_for_end(int pidfd)
{
    struct pollfd process = {.fd = pidfd, .events = POLLIN};

    return poll(&process, 1, DEADLINE_MS) == 1;
}

/* What a process says while there is no keeper is in its log, also where the program has closed its
 * standard streams and other descriptors take these numbers. */
static void closed(void)
{
    char link[512], go[512], log[512], web[1200], said[64] = "";
    const char *installed = keeper_program;
    int pidfd;
    FILE *file;

    (void)snprintf(link, sizeof link, "%s.colony", state);
    (void)snprintf(go, sizeof go, "%s.go", state);
    (void)snprintf(log, sizeof log, "%s/log/web.1.log", state);
    (void)snprintf(
        web, sizeof web,
        "{name: web, shell: true, restart: never, cmd: 'while [ ! -e %s ]; do sleep 0.01; "
        "done; echo last words'}",
        go);
    CHECK(symlink(installed, link) == 0);
    keeper_program = link;
    colony_set_logger(count_retries, NULL);
    begin(NULL);
    hear(&first, "exit");
    start();
    CHECK(colony_template_add(colony, web, &err) == 0);
    UNTIL(one_of("web").id != 0);
    pidfd = (int)syscall(SYS_pidfd_open, one_of("web").os_pid, 0);
    CHECK(pidfd >= 0 && close(STDIN_FILENO) == 0 && close(STDOUT_FILENO) == 0);
    CHECK(unlink(link) == 0 && kill(read_keeper(), SIGKILL) == 0);
    UNTIL(retries > 0);
    save(go, "");
    CHECK(wait_for_end(pidfd) && close(pidfd) == 0);
    CHECK(symlink(installed, link) == 0);
    UNTIL(first.count == 1);
    end();
    file = fopen(log, "re");
    CHECK(file && fgets(said, sizeof said, file) && strcmp(said, "last words\n") == 0);
    (void)fclose(file);
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

/* Whether the settings of this run have @text. */
static int is_set(const char *text)
{
    char path[512];
    char settings[4096] = "";
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/settings.json", state);
    file = fopen(path, "r");
    CHECK(file && fread(settings, 1, sizeof settings - 1, file) > 0);
    (void)fclose(file);
    return strstr(settings, text) != NULL;
}

/* The same struct colony runs twice: what was added in one run is not in the next, and a name that
 * was given and taken back is the default again. */
static void again(void)
{
    static const char *const names[] = {"first", NULL};
    static const char *const told[] = {"\"name\":\"first\"", "\"name\":\"runs\""};

    begin(NULL);
    hear(&first, "spawn");
    for (int run = 1; run <= 2; run++) {
        is_ready = has_stopped = 0;
        CHECK(colony_engine_set(colony, COLONY_NAME, names[run - 1], &err) == 0);
        start();
        CHECK(is_set(told[run - 1]));
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

static const struct scenario scenarios[] = {
    {"renewed", renewed}, {"gapless", gapless}, {"last_words", last_words}, {"reloaded", reloaded},
    {"asked", asked},     {"unasked", unasked}, {"closed", closed},         {"left", left},
    {"again", again},     {NULL, NULL},
};

int main(int argc, char **argv)
{
    return run_scenario(argc, argv, scenarios);
}
