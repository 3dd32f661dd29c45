/* SPDX-License-Identifier: Apache-2.0 */
/* runs.c - scenarios of programs whose keeper, engine or settings become others. */
#include <poll.h>
#include <sys/syscall.h>

#include "scenarios.h"

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
    {"renewed", renewed}, {"gapless", gapless}, {"reloaded", reloaded}, {"closed", closed},
    {"left", left},       {"again", again},     {NULL, NULL},
};

int main(int argc, char **argv)
{
    return run_scenario(argc, argv, scenarios);
}
