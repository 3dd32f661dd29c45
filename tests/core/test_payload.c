/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"
#include "sealed_payload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/message.h"
#include "core/notify.h"
#include "core/payload.h"
#include "core/spawn.h"
#include "core/template.h"

extern char **environ;

static const struct colony_payload_context context = {.instance = "0123456789abcdef",
                                                      .state_dir = "/state"};
static char *no_texts[] = {NULL};
static char *run[] = {"run", NULL};

/* What every test changes a copy of. */
static struct colony_template template_of(char **env_file, char **env)
{
    return (struct colony_template){
        .name = "web",
        .argv = run,
        .env = env ? env : no_texts,
        .env_file = env_file,
        .env_inherit = no_texts,
        .ready = &colony_ready_none,
        .health = &colony_health_none,
        .limits = &colony_limits_none,
        .mark = true,
    };
}

struct told {
    char text[4096]; /* NAME=VALUE (SOURCE), one a line */
};

static void on_variable(const char *name, const char *value, const char *source, void *data)
{
    struct told *told = data;
    size_t used = strlen(told->text);

    (void)snprintf(told->text + used, sizeof told->text - used, "%s=%s (%s)\n", name, value,
                   source);
}

static void assert_environment(const struct colony_template *template, const char *wanted)
{
    struct told told = {""};

    assert_int_equal(colony_payload_each_variable(template, 3, &context, on_variable, &told), 0);
    assert_string_equal(told.text, wanted);
}

/* The payload holds just what each_variable tells. */
static void assert_plan_agrees(const struct colony_template *template)
{
    struct colony_spawn_plan plan;
    struct colony_error err = {0};
    struct told told = {""};
    const char *line = told.text;
    int fd = make_fd(template, 3, &context, &err);

    if (fd < 0)
        fail_msg("%s", err.message);
    assert_int_equal(colony_spawn_plan_init(&plan, fd), 0);
    assert_int_equal(colony_payload_each_variable(template, 3, &context, on_variable, &told), 0);
    for (char **entry = plan.env; *entry; entry++) {
        assert_memory_equal(line, *entry, strlen(*entry));
        assert_memory_equal(line + strlen(*entry), " (", 2);
        line = strchr(line, '\n') + 1;
    }
    assert_string_equal(line, "");
    colony_spawn_plan_clear(&plan);
    (void)close(fd);
}

static char **saved_environ;

static int set_up(void **state)
{
    static char *ours[] = {"HOME=/root", "LANG=C",           "PATH=/ours", "NOTIFY_SOCKET=/theirs",
                           "=x",         "WATCHDOG_USEC=99", "junk",       NULL};

    (void)state;
    saved_environ = environ;
    environ = ours;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    environ = saved_environ;
    return 0;
}

TEST(test_only_the_mark_is_there_when_nothing_is_asked_for)
{
    struct colony_template template = template_of(NULL, NULL);

    assert_environment(&template, "COLONY_ID=0123456789abcdef/web/3 (colony)\n");
    template.detach = true;
    assert_environment(&template, "COLONY_DETACHED_ID=0123456789abcdef/web/3 (colony)\n");
}

TEST(test_without_a_mark_the_environment_is_what_is_asked_for)
{
    static char *env[] = {"A=b", NULL};
    struct colony_template template = template_of(NULL, env);

    template.mark = false;
    assert_environment(&template, "A=b (env)\n");
    assert_plan_agrees(&template);
}

TEST(test_each_process_has_a_port_of_its_own_that_wins_over_env)
{
    static char *env[] = {"PORT=80", NULL};
    struct colony_template template = template_of(NULL, env);

    template.port = 5000;
    assert_environment(&template, "COLONY_ID=0123456789abcdef/web/3 (colony)\n"
                                  "PORT=5002 (port)\n");
    assert_plan_agrees(&template);
    template.port = 65533; /* the third has the last one there is */
    assert_environment(&template, "COLONY_ID=0123456789abcdef/web/3 (colony)\n"
                                  "PORT=65535 (port)\n");
}

TEST(test_a_port_above_the_last_one_is_told)
{
    struct colony_template template = template_of(NULL, NULL);
    struct colony_payload_bytes bytes;
    struct colony_error err = {0};

    template.port = 65534;
    assert_int_equal(colony_payload_make(&bytes, &template, 3, &context, &err), -ERANGE);
    assert_string_equal(err.message, "cannot prepare web.3: its PORT would be above 65535 (`port` "
                                     "is 65534)");
}

TEST(test_each_name_appears_once_and_the_later_source_wins)
{
    static char *files[] = {"LANG=file", "A=file", "B=file", "B=file again", "EMPTY=", NULL};
    static char *env[] = {"A=env", "HOME=/home", "C=x=y", NULL};
    struct colony_template template = template_of(files, env);

    template.os_env = true;
    assert_environment(&template, "A=env (env)\n"
                                  "B=file again (env_file)\n"
                                  "C=x=y (env)\n"
                                  "COLONY_ID=0123456789abcdef/web/3 (colony)\n"
                                  "EMPTY= (env_file)\n"
                                  "HOME=/home (env)\n"
                                  "LANG=file (env_file)\n"
                                  "PATH=/ours (colony's environment)\n");
    assert_plan_agrees(&template);
}

TEST(test_names_of_which_one_begins_the_other_are_two)
{
    static char *env[] = {"AB=2", "A=1", "ABC=3", "A_=4", NULL};
    struct colony_template template = template_of(NULL, env);

    assert_environment(&template, "A=1 (env)\nAB=2 (env)\nABC=3 (env)\nA_=4 (env)\n"
                                  "COLONY_ID=0123456789abcdef/web/3 (colony)\n");
}

TEST(test_what_is_inherited_by_name_can_be_overruled)
{
    static char *names[] = {"HOME", "LANG", "NOTIFY_SOCKET", "NONE", NULL};
    static char *files[] = {"LANG=file", NULL};
    struct colony_template template = template_of(files, NULL);

    template.env_inherit = names;
    assert_environment(&template, "COLONY_ID=0123456789abcdef/web/3 (colony)\n"
                                  "HOME=/root (colony's environment)\n"
                                  "LANG=file (env_file)\n");
}

/* A sweep finds what is left of a process by its mark. */
TEST(test_nothing_overrules_what_colony_says)
{
    static char *env[] = {"COLONY_ID=mine", "NOTIFY_SOCKET=/mine", "WATCHDOG_USEC=1", NULL};
    struct colony_template template = template_of(NULL, env);
    struct told told = {""};
    char path[COLONY_NOTIFY_PATH_SIZE];

    assert_environment(&template, "COLONY_ID=0123456789abcdef/web/3 (colony)\n"
                                  "NOTIFY_SOCKET=/mine (env)\n" /* none of ours: the user's */
                                  "WATCHDOG_USEC=1 (env)\n");
    template.watchdog_ms = 1500;
    assert_int_equal(colony_payload_each_variable(&template, 3, &context, on_variable, &told), 0);
    assert_int_equal(colony_notify_path(path, sizeof path, "/state", "web", 3), 0);
    assert_non_null(strstr(told.text, path));
    assert_null(strstr(told.text, "mine"));
    assert_non_null(strstr(told.text, "WATCHDOG_USEC=1500000 (colony)\n"));
}

TEST(test_a_socket_is_given_to_those_that_are_to_notify)
{
    struct colony_template template = template_of(NULL, NULL);
    struct told told = {""};

    assert_false(colony_payload_has_notify(&template));
    template.ready = &(const struct colony_ready_settings){.kind = READY_LINE};
    assert_false(colony_payload_has_notify(&template));
    template.ready = &(const struct colony_ready_settings){.kind = READY_NOTIFY};
    assert_true(colony_payload_has_notify(&template));
    assert_int_equal(colony_payload_each_variable(&template, 3, &context, on_variable, &told), 0);
    assert_non_null(strstr(told.text, "NOTIFY_SOCKET=/state/notify/"));
    assert_null(strstr(told.text, "WATCHDOG_USEC"));
    template.detach = true; /* forgotten: nobody would listen */
    assert_false(colony_payload_has_notify(&template));
}

TEST(test_a_heart_is_told_with_its_period)
{
    struct colony_health_settings health = {.kind = HEALTH_HEARTBEAT, .period_ms = 1500};
    struct colony_template template = template_of(NULL, NULL);

    template.health = &health;
    assert_environment(&template, "COLONY_HEARTBEAT=/state/hearts/web.3 (colony)\n"
                                  "COLONY_HEARTBEAT_USEC=1500000 (colony)\n"
                                  "COLONY_ID=0123456789abcdef/web/3 (colony)\n");
    health.text = (char *)"/run/heart";
    assert_environment(&template, "COLONY_HEARTBEAT=/run/heart (colony)\n"
                                  "COLONY_HEARTBEAT_USEC=1500000 (colony)\n"
                                  "COLONY_ID=0123456789abcdef/web/3 (colony)\n");
    health.kind = HEALTH_EXEC;
    assert_environment(&template, "COLONY_ID=0123456789abcdef/web/3 (colony)\n");
}

TEST(test_a_state_folder_with_too_long_a_path_says_what_to_do)
{
    char folder[120] = "/";
    struct colony_payload_context far = context;
    struct colony_template template = template_of(NULL, NULL);
    struct colony_error err = {0};
    struct told told = {""};

    memset(folder + 1, 'x', sizeof folder - 2);
    far.state_dir = folder;
    template.ready = &(const struct colony_ready_settings){.kind = READY_NOTIFY};
    assert_int_equal(colony_payload_each_variable(&template, 3, &far, on_variable, &told),
                     -ENAMETOOLONG);
    assert_string_equal(told.text, "");
    assert_int_equal(make_fd(&template, 3, &far, &err), -ENAMETOOLONG);
    assert_non_null(strstr(err.message, "cannot prepare web.3: "));
    assert_non_null(strstr(err.message, "choose a shorter --state than /xxx"));
}

TEST(test_limits_and_oom_score_reach_the_plan)
{
    struct colony_template template = template_of(NULL, NULL);
    struct colony_spawn_plan plan;
    int fd = make_fd(&template, 1, &context, NULL);

    assert_int_equal(colony_spawn_plan_init(&plan, fd), 0);
    assert_int_equal(plan.payload->flags, 0);
    assert_false(colony_spawn_plan_has_limits(&plan));
    colony_spawn_plan_clear(&plan);
    (void)close(fd);
    template.has_oom_score_adj = true;
    template.oom_score_adj = -7;
    template.limits = &(const struct colony_limits){1 << 20, 1500, 9, true};
    fd = make_fd(&template, 1, &context, NULL);
    assert_int_equal(colony_spawn_plan_init(&plan, fd), 0);
    assert_int_equal(plan.payload->flags, PAYLOAD_HAS_OOM | PAYLOAD_LIMITS_OPTIONAL);
    assert_int_equal(plan.payload->oom_score_adj, -7);
    assert_int_equal(plan.payload->memory_max_bytes, 1 << 20);
    assert_int_equal(plan.payload->cpu_max_milli, 1500);
    assert_int_equal(plan.payload->pids_max, 9);
    assert_true(colony_spawn_plan_has_limits(&plan));
    colony_spawn_plan_clear(&plan);
    (void)close(fd);
}

TEST(test_the_program_is_looked_for_in_the_path_that_won)
{
    static char *files[] = {"PATH=/file", NULL};
    static char *env[] = {"PATH=/env", NULL};
    struct colony_template template = template_of(files, NULL);
    struct colony_spawn_plan plan;
    int fd = make_fd(&template, 1, &context, NULL);

    assert_int_equal(colony_spawn_plan_init(&plan, fd), 0);
    assert_string_equal(plan.paths[0], "/file/run");
    colony_spawn_plan_clear(&plan);
    (void)close(fd);
    template.env = env;
    fd = make_fd(&template, 1, &context, NULL);
    assert_int_equal(colony_spawn_plan_init(&plan, fd), 0);
    assert_string_equal(plan.paths[0], "/env/run");
    assert_null(plan.paths[1]);
    colony_spawn_plan_clear(&plan);
    (void)close(fd);
}

/* Looking each name up in all others would take minutes. */
TEST(test_a_hundred_thousand_variables_are_no_matter)
{
    enum {
        MANY = 100000,
    };
    char **env = calloc(MANY + 1, sizeof *env);
    struct colony_template template = template_of(NULL, env);
    struct colony_spawn_plan plan;
    int fd;

    assert_non_null(env);
    for (int i = 0; i < MANY; i++)
        assert_true(asprintf(&env[i], "NAME%d=%d", i % (MANY / 2), i) > 0);
    fd = make_fd(&template, 1, &context, NULL);
    assert_int_equal(colony_spawn_plan_init(&plan, fd), 0);
    assert_int_equal(plan.payload->envc, MANY / 2 + 1);
    colony_spawn_plan_clear(&plan);
    (void)close(fd);
    for (int i = 0; i < MANY; i++)
        free(env[i]);
    free(env);
}

TEST(test_more_than_can_be_given_is_refused)
{
    static char *env[] = {NULL, NULL};
    struct colony_template template = template_of(NULL, env);
    struct colony_error err = {0};

    env[0] = malloc(COLONY_PAYLOAD_MAX + 1);
    assert_non_null(env[0]);
    memset(env[0], 'x', COLONY_PAYLOAD_MAX);
    memcpy(env[0], "A=", 2);
    env[0][COLONY_PAYLOAD_MAX] = '\0';
    assert_int_equal(make_fd(&template, 1, &context, &err), -E2BIG);
    free(env[0]);
}

#define PAYLOAD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAYLOAD_TEST(test_only_the_mark_is_there_when_nothing_is_asked_for),
        PAYLOAD_TEST(test_without_a_mark_the_environment_is_what_is_asked_for),
        PAYLOAD_TEST(test_each_process_has_a_port_of_its_own_that_wins_over_env),
        PAYLOAD_TEST(test_a_port_above_the_last_one_is_told),
        PAYLOAD_TEST(test_each_name_appears_once_and_the_later_source_wins),
        PAYLOAD_TEST(test_names_of_which_one_begins_the_other_are_two),
        PAYLOAD_TEST(test_what_is_inherited_by_name_can_be_overruled),
        PAYLOAD_TEST(test_nothing_overrules_what_colony_says),
        PAYLOAD_TEST(test_a_socket_is_given_to_those_that_are_to_notify),
        PAYLOAD_TEST(test_a_heart_is_told_with_its_period),
        PAYLOAD_TEST(test_a_state_folder_with_too_long_a_path_says_what_to_do),
        PAYLOAD_TEST(test_limits_and_oom_score_reach_the_plan),
        PAYLOAD_TEST(test_the_program_is_looked_for_in_the_path_that_won),
        PAYLOAD_TEST(test_a_hundred_thousand_variables_are_no_matter),
        PAYLOAD_TEST(test_more_than_can_be_given_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
