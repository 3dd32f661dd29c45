/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of policy: restart, flapping, depends_on, ready, limits and what goes with them. */
#include "../test.h"

#include <stdio.h>

#include "templates.h"

/* Each is refused below `cmd: x`, with the place and the reason. */
static void assert_all_refused(const char *const cases[][2], size_t count)
{
    char yaml[512];

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(yaml, sizeof yaml, "cmd: x\n%s\n", cases[i][0]);
        assert_refused(yaml, cases[i][1]);
    }
}

#define ASSERT_ALL_REFUSED(cases) assert_all_refused(cases, sizeof(cases) / sizeof(cases)[0])

static void assert_policy(const char *yaml, const struct colony_restart_policy *wanted)
{
    struct colony_template *template = web(yaml);
    const struct colony_restart_policy *got = template->restart;

    assert_int_equal(got->when, wanted->when);
    assert_memory_equal(got->expected, wanted->expected, sizeof got->expected);
    assert_int_equal(got->first_ms, wanted->first_ms);
    assert_int_equal(got->base_ms, wanted->base_ms);
    assert_int_equal(got->cap_ms, wanted->cap_ms);
    assert_int_equal(got->reset_ms, wanted->reset_ms);
    assert_true(got->factor == wanted->factor);
    assert_int_equal(got->jitter_percent, wanted->jitter_percent);
    assert_int_equal(got->attempts, wanted->attempts);
    assert_int_equal(got->window_ms, wanted->window_ms);
    assert_int_equal(got->retry_in_ms, wanted->retry_in_ms);
    assert_int_equal(got->max_retries, wanted->max_retries);
    assert_int_equal(got->is_shared, wanted->is_shared);
    colony_template_free(template);
}

TEST(test_restart_is_as_the_design_says_unless_given)
{
    struct colony_restart_policy wanted = colony_restart_default;

    assert_policy("cmd: x", &wanted);
    assert_policy("cmd: x\nrestart: ~\nflapping: ~", &wanted);
    assert_policy("cmd: x\nrestart: always", &wanted);
    assert_policy("cmd: x\nrestart: {}", &wanted);
    assert_policy("cmd: x\nflapping: false", &wanted);
    wanted.when = RESTART_ON_FAILURE;
    assert_policy("cmd: x\nrestart: on-failure", &wanted);
    wanted.when = RESTART_NEVER;
    assert_policy("cmd: x\nrestart: never", &wanted);
    assert_policy("cmd: x\nrestart: {when: never}\nflapping: false", &wanted);
}

TEST(test_every_part_of_restart_is_read)
{
    const struct colony_restart_policy wanted = {.when = RESTART_ON_FAILURE,
                                                 .expected = {1 | 8, 0, 0, UINT64_C(1) << 63},
                                                 .first_ms = 50,
                                                 .base_ms = 2000,
                                                 .cap_ms = 90000,
                                                 .reset_ms = 1500,
                                                 .factor = 1.5,
                                                 .jitter_percent = 0,
                                                 .attempts = 4,
                                                 .window_ms = 60000,
                                                 .retry_in_ms = 300000,
                                                 .max_retries = 3};

    assert_policy("cmd: x\nrestart: {when: on-failure, exit_codes: [0, 3, 255], first_delay: 50ms,"
                  " delay: 2, factor: 1.5, max_delay: 1.5m, reset: 1.5, jitter: 0, attempts: 4,"
                  " window: 1m, retry_in: 5m, max_retry: 3}",
                  &wanted);
}

TEST(test_exit_codes_may_be_one_or_none)
{
    struct colony_restart_policy wanted = colony_restart_default;

    wanted.when = RESTART_ON_FAILURE;
    wanted.expected[0] = 1 << 7;
    assert_policy("cmd: x\nrestart: {when: on-failure, exit_codes: 7}", &wanted);
    wanted.expected[0] = 0;
    assert_policy("cmd: x\nrestart: {when: on-failure, exit_codes: []}", &wanted);
}

TEST(test_restarts_that_contradict_themselves_are_refused)
{
    static const char *const cases[][2] = {
        {"restart: {attempts: 3}", "f.yaml:2:11: cannot use `attempts`: it means nothing without "
                                   "`window`"},
        {"restart: {window: 3}", "`window`: it means nothing without `attempts`"},
        {"restart: {retry_in: 3}", "`retry_in`: it means nothing without `attempts`"},
        {"restart: {attempts: 2, window: 9, max_retry: 3}",
         "`max_retry`: it means nothing without `retry_in`"},
        {"restart: {delay: 61}", "`delay`: it is 61 s, above `max_delay`, which is 60 s"},
        {"restart: {first_delay: 61}", "`first_delay`: it is 61 s, above `max_delay`"},
        {"restart: {max_delay: 10ms}", "`delay`: it is 0.1 s, above `max_delay`"},
        {"restart: {attempts: 9, window: 1}", "9 ends take 11.43 s or more"},
        {"restart: {exit_codes: [0, 1]}", "`exit_codes`: it means nothing without"},
        {"restart: {when: never, delay: 1}", "`delay`: with `when: never` nothing is restarted"},
        {"restart: {when: never, attempts: 2, window: 1}", "`attempts`: with `when: never`"},
        {"restart: always\nflapping: {}", "f.yaml:3:1: cannot use `flapping` together with "
                                          "`restart`: drop `flapping`"},
    };

    ASSERT_ALL_REFUSED(cases);
}

TEST(test_flapping_has_the_defaults_of_gaffer)
{
    struct colony_restart_policy wanted = {.when = RESTART_ALWAYS,
                                           .expected = {1},
                                           .reset_ms = 1,
                                           .factor = 1,
                                           .attempts = 2,
                                           .window_ms = 1000,
                                           .retry_in_ms = 7000,
                                           .max_retries = 5,
                                           .is_shared = true};

    assert_policy("cmd: x\nflapping: {}", &wanted);
    assert_policy("cmd: x\nflapping: {attempts: ~, window: 1.0}", &wanted);
    assert_policy("cmd: x\nflapping: 2, 1., 7., 5", &wanted);
    assert_policy("cmd: x\nflapping: 2", &wanted);
    assert_policy("cmd: x\nflapping: '2 ,1'", &wanted);
    assert_policy("cmd: x\nflapping: \"\\t2, 1000ms,7s\"", &wanted);
    wanted.attempts = 10;
    wanted.window_ms = 500;
    wanted.retry_in_ms = 3600000;
    wanted.max_retries = 0;
    assert_policy("cmd: x\nflapping: 10, .5, 1h, 0", &wanted);
    assert_policy("cmd: x\nflapping: {attempts: 10, window: 0.5, retry_in: 1h, max_retry: 0}",
                  &wanted);
}

TEST(test_flapping_that_cannot_be_is_refused)
{
    static const char *const cases[][2] = {
        {"flapping: true", "`flapping`: it must be a map of settings, a text such as"},
        {"flapping: [2, 1]", "`flapping`: it must be"},
        {"flapping: ''", "`attempts`: it must be a whole number"},
        {"flapping: 2, 1, 7, 5, 3", "`flapping`: it must be"},
        {"flapping: 2,,7", "`window`: it must be"},
        {"flapping: '2,'", "`window`: it must be"},
        {"flapping: 2x", "`attempts`: it must be"},
        {"flapping: 2, nan", "`window`: it must be"},
        {"flapping: 2, inf", "`window`: it must be"},
        {"flapping: 2, -1", "`window`: it must be"},
        {"flapping: 0", "`attempts`: it must be a whole number from 1"},
        {"flapping: 1001", "`attempts`: it must be a whole number from 1 to 1000"},
        {"flapping: {window: 0}", "`window`: it must be 1ms or more"},
        {"flapping: {retry_in: 0}", "`retry_in`: it must be 1ms or more"},
        {"flapping: {max_retry: -1}", "`max_retry`"},
        {"flapping: {attempt: 2}", "did you mean `attempts`"},
    };
    char yaml[512] = "cmd: x\nflapping: '2, 1";

    ASSERT_ALL_REFUSED(cases);
    memset(yaml + strlen(yaml), ' ', 300);
    yaml[strlen(yaml)] = '\'';
    assert_refused(yaml, "`flapping`: it must be");
}

TEST(test_a_dependency_may_be_a_name)
{
    struct colony_template *template = web("cmd: x\ndepends_on: db");

    assert_int_equal(template->dependency_count, 1);
    assert_string_equal(template->dependencies[0].name, "db");
    assert_int_equal(template->dependencies[0].condition, CONDITION_STARTED);
    assert_true(template->dependencies[0].is_needed);
    assert_int_equal(template->dependencies[0].when_down, WHEN_DOWN_STOP);
    colony_template_free(template);
}

TEST(test_dependencies_may_be_a_list_or_a_map)
{
    struct colony_template *template = web("cmd: x\ndepends_on: [db, g:cache]");

    assert_int_equal(template->dependency_count, 2);
    assert_string_equal(template->dependencies[1].name, "g:cache");
    assert_int_equal(template->dependencies[1].when_down, WHEN_DOWN_STOP);
    colony_template_free(template);
    template = web("cmd: x\ndepends_on:\n  a: ready\n  b:\n  c: {condition: completed}\n"
                   "  d: {needed: false}\n  e: {when_down: restart}\n"
                   "  f: {needed: false, when_down: keep, condition: ready}\n");
    assert_int_equal(template->dependency_count, 6);
    assert_int_equal(template->dependencies[0].condition, CONDITION_READY);
    assert_int_equal(template->dependencies[1].condition, CONDITION_STARTED);
    assert_int_equal(template->dependencies[2].condition, CONDITION_COMPLETED);
    assert_false(template->dependencies[3].is_needed);
    assert_int_equal(template->dependencies[3].when_down, WHEN_DOWN_KEEP);
    assert_int_equal(template->dependencies[4].when_down, WHEN_DOWN_RESTART);
    assert_int_equal(template->dependencies[5].condition, CONDITION_READY);
    assert_int_equal(template->dependencies[5].when_down, WHEN_DOWN_KEEP);
    colony_template_free(template);
}

TEST(test_a_dependency_may_be_on_a_state)
{
    struct colony_template *template =
        web("cmd: x\ndepends_on:\n  master.tws: state:operative\n"
            "  db: {condition: 'state:*', when_down: keep}\n  c: completed\n");
    struct colony_template *copy = NULL;

    assert_int_equal(colony_template_copy(&copy, template), 0);
    colony_template_free(template);
    assert_int_equal(copy->dependencies[0].condition, CONDITION_STATE);
    assert_string_equal(copy->dependencies[0].state, "operative");
    assert_int_equal(copy->dependencies[0].when_down, WHEN_DOWN_STOP);
    assert_string_equal(copy->dependencies[1].state, COLONY_ANY_STATE);
    assert_int_equal(copy->dependencies[1].when_down, WHEN_DOWN_KEEP);
    assert_null(copy->dependencies[2].state);
    colony_template_free(copy);
    assert_refused("cmd: x\ndepends_on: {db: 'state:'}", "cannot use the state ``: ");
    assert_refused("cmd: x\ndepends_on: {db: 'state:a/b'}", "cannot use the state `a/b`: ");
    assert_refused("cmd: x\ndepends_on: {db: operative}", "or state:NAME");
}

TEST(test_dependencies_that_cannot_be_are_refused)
{
    static const char *const cases[][2] = {
        {"depends_on: web", "web cannot wait for itself"},
        {"depends_on: {web: ready}", "f.yaml:2:14: cannot use `depends_on`: web cannot wait"},
        {"depends_on: [a, b, a]", "f.yaml:2:20: cannot use `depends_on`: a is there twice"},
        {"depends_on: a/b", "cannot use the name `a/b`"},
        {"depends_on: ['']", "it is empty"},
        {"depends_on: [7]", "cannot use `depends_on`: it must be a name"},
        {"depends_on: [[a]]", "cannot use `depends_on`: it must be a name"},
        {"depends_on: [~]", "cannot use `depends_on`: it must be a name"},
        {"depends_on: {a: soon}", "must be one of started, ready, completed, healthy"},
        {"depends_on: {a: [ready]}", "must be one of started"},
        {"depends_on: {a: {condition: 1}}", "must be one of started"},
        {"depends_on: {a: {needed: 1}}", "`needed`"},
        {"depends_on: {a: {when_down: die}}", "must be one of stop, keep, restart"},
        {"depends_on: {a: {need: false}}", "did you mean `needed`"},
        {"depends_on: {a: {needed: false, when_down: stop}}", "it can only be keep"},
    };
    enum { SIZE = 4096 };
    char *yaml = calloc(1, SIZE);

    ASSERT_ALL_REFUSED(cases);
    assert_non_null(yaml);
    (void)snprintf(yaml, SIZE, "cmd: x\ndepends_on:\n");
    for (int i = 0; i <= COLONY_DEPENDENCIES_MAX; i++)
        (void)snprintf(yaml + strlen(yaml), SIZE - strlen(yaml), "- n%d\n", i);
    assert_refused(yaml, "more than 256");
    free(yaml);
}

static void assert_ready(const char *yaml, const struct colony_ready_settings *wanted)
{
    struct colony_template *template = web(yaml);
    const struct colony_ready_settings *got = template->ready;

    assert_int_equal(got->kind, wanted->kind);
    assert_int_equal(got->fd, wanted->fd);
    assert_int_equal(got->delay_ms, wanted->delay_ms);
    assert_int_equal(got->interval_ms, wanted->interval_ms);
    assert_int_equal(got->try_ms, wanted->try_ms);
    if (wanted->text)
        assert_string_equal(got->text, wanted->text);
    else
        assert_null(got->text);
    colony_template_free(template);
}

TEST(test_ready_is_told_in_seven_ways)
{
    struct colony_ready_settings wanted = {.kind = READY_NONE};

    assert_ready("cmd: x", &wanted);
    wanted =
        (struct colony_ready_settings){.kind = READY_NOTIFY, .interval_ms = 1000, .try_ms = 5000};
    assert_ready("cmd: x\nready: notify", &wanted);
    assert_ready("cmd: x\nready: {notify: true}", &wanted);
    wanted.kind = READY_FD;
    wanted.fd = 7;
    assert_ready("cmd: x\nready: {fd: 7, notify: false}", &wanted);
    wanted.fd = 0;
    wanted.kind = READY_LINE;
    wanted.text = "^(up|ready) in [0-9]+ ms$";
    assert_ready("cmd: x\nready: {line: '^(up|ready) in [0-9]+ ms$'}", &wanted);
    wanted.kind = READY_TCP;
    wanted.text = "[::1]:80";
    wanted.interval_ms = 10;
    wanted.try_ms = 250;
    assert_ready("cmd: x\nready: {tcp: '[::1]:80', interval: 10ms, try: 0.25}", &wanted);
    wanted.kind = READY_EXEC;
    wanted.text = "curl -f 'http://a b'";
    assert_ready("cmd: x\nready: {exec: \"curl -f 'http://a b'\", interval: 10ms, try: 0.25}",
                 &wanted);
    wanted.kind = READY_HTTP;
    wanted.text = "https://[::1]:8443/up?x=1";
    assert_ready("cmd: x\nready: {http: 'https://[::1]:8443/up?x=1', interval: 10ms, try: 0.25}",
                 &wanted);
    wanted = (struct colony_ready_settings){
        .kind = READY_DELAY, .delay_ms = 3000, .interval_ms = 1000, .try_ms = 5000};
    assert_ready("cmd: x\nready: {delay: 3}", &wanted);
}

static void assert_health(const char *yaml, const struct colony_health_settings *wanted)
{
    struct colony_template *template = web(yaml);
    const struct colony_health_settings *got = template->health;

    assert_int_equal(got->kind, wanted->kind);
    assert_int_equal(got->then, wanted->then);
    assert_int_equal(got->period_ms, wanted->period_ms);
    assert_int_equal(got->timeout_ms, wanted->timeout_ms);
    assert_int_equal(got->grace_ms, wanted->grace_ms);
    assert_int_equal(got->max_bad, wanted->max_bad);
    if (wanted->text)
        assert_string_equal(got->text, wanted->text);
    else
        assert_null(got->text);
    colony_template_free(template);
}

TEST(test_health_is_checked_in_four_ways)
{
    struct colony_health_settings wanted = {.kind = HEALTH_NONE};

    assert_health("cmd: x", &wanted);
    wanted = (struct colony_health_settings){
        .kind = HEALTH_HEARTBEAT, .period_ms = 10000, .timeout_ms = 5000, .grace_ms = 10000};
    assert_health("cmd: x\nhealth: {heartbeat: true}", &wanted);
    wanted.text = "/run/it";
    wanted.period_ms = 1500;
    wanted.grace_ms = 60000;
    assert_health("cmd: x\nhealth: {heartbeat: /run/it, period: 1.5, grace: 1m}", &wanted);
    wanted = (struct colony_health_settings){.kind = HEALTH_TCP,
                                             .text = "localhost:80",
                                             .period_ms = 2000,
                                             .timeout_ms = 5000,
                                             .grace_ms = 2000,
                                             .max_bad = 2};
    assert_health("cmd: x\nhealth: {tcp: 'localhost:80', heartbeat: false, period: 2}", &wanted);
    wanted.kind = HEALTH_HTTP;
    wanted.text = "http://localhost/";
    wanted.grace_ms = 0;
    wanted.max_bad = 0;
    wanted.then = HEALTH_REPORT;
    assert_health("cmd: x\nhealth: {http: 'http://localhost/', period: 2, grace: 0, max_bad: 0, "
                  "then: report}",
                  &wanted);
    wanted.kind = HEALTH_EXEC;
    wanted.text = "check 'a b'";
    assert_health("cmd: x\nhealth: {exec: \"check 'a b'\", period: 2, grace: 0, max_bad: 0, then: "
                  "report}",
                  &wanted);
}

TEST(test_health_that_cannot_be_is_refused)
{
    static const char *const cases[][2] = {
        {"health: {}", "give one of heartbeat, http, tcp and exec"},
        {"health: {period: 1}", "give one of"},
        {"health: {heartbeat: false}", "give one of"},
        {"health: true", "`health`: it must be a map"},
        {"health: {tcp: 'a:1', exec: b}", "`exec` together with `tcp`"},
        {"health: {heartbeat: relative}", "`heartbeat`: it must be true, or the whole path"},
        {"health: {heartbeat: 5}", "`heartbeat`"},
        {"health: {http: nonsense}", "`http`"},
        {"health: {tcp: '80'}", "`tcp`"},
        {"health: {exec: ''}", "`exec`"},
        {"health: {exec: x, period: 0}", "`period`"},
        {"health: {exec: x, period: 10ms}", "`period`"},
        {"health: {exec: x, timeout: 0}", "`timeout`"},
        {"health: {exec: x, max_bad: -1}", "`max_bad`"},
        {"health: {exec: x, then: kill}", "`then`: it must be one of restart, report"},
        {"health: {exec: x, perod: 1}", "did you mean `period`"},
        {"detach: true\nhealth: {exec: x}", "`detach`"},
    };

    ASSERT_ALL_REFUSED(cases);
}

TEST(test_ready_that_cannot_be_is_refused)
{
    static const char *const cases[][2] = {
        {"ready: {}", "give one of notify, fd, line, tcp, http, exec and delay"},
        {"ready: {notify: false}", "give one of"},
        {"ready: {interval: 1}", "give one of"},
        {"ready: true", "`ready`: it must be `notify` or a map"},
        {"ready: tcp", "`ready`: it must be `notify` or a map"},
        {"ready: {tcp: 'a:1', exec: b}", "`exec` together with `tcp`"},
        {"ready: {notify: true, delay: 1}", "`delay` together with `notify`"},
        {"ready: {fd: 2}", "`fd`: it must be a whole number from 3 to 7"},
        {"ready: {fd: 8}", "`fd`"},
        {"ready: {line: 'a(b'}", "`line`: it is no regular expression: a `(` is not closed"},
        {"ready: {line: '[z-a]'}", "`line`: it is no regular expression"},
        {"ready: {line: ''}", "`line`: it is empty"},
        {"ready: {line: up}\nlog: none", "f.yaml:2:9: cannot use `line`: colony does not see"},
        {"log: {direct: true}\nready: {line: up}", "`log: direct`"},
        {"detach: true\nready: {line: up}", "`detach`"},
        {"ready: {tcp: '80'}", "`tcp`"},
        {"ready: {http: 'localhost:80'}", "`http`"},
        {"ready: {http: 'ftp://localhost/'}", "`http`"},
        {"ready: {http: 'http://a b/'}", "`http`"},
        {"ready: {http: 'http://'}", "`http`"},
        {"ready: {tcp: 'a:'}", "`tcp`"},
        {"ready: {tcp: ':80'}", "`tcp`"},
        {"ready: {tcp: '::1:80'}", "`tcp`"},
        {"ready: {tcp: 'a:65536'}", "`tcp`"},
        {"ready: {tcp: 'a:0'}", "`tcp`"},
        {"ready: {tcp: '[]:80'}", "`tcp`"},
        {"ready: {exec: \"a 'b\"}", "`exec`: a quote is not closed"},
        {"ready: {exec: ' '}", "`exec`: it is empty"},
        {"ready: {exec: [a]}", "`exec`"},
        {"ready: {tcp: 'a:1', interval: 9ms}", "`interval`: it must be 10ms or more"},
        {"ready: {tcp: 'a:1', try: 0}", "`try`: it must be 10ms or more"},
        {"ready: {delay: 5}\nstart_timeout: 5", "`delay`: `start_timeout` is over before it"},
    };
    char yaml[1200] = "cmd: x\nready: {line: '";

    ASSERT_ALL_REFUSED(cases);
    memset(yaml + strlen(yaml), 'a', 1001);
    memcpy(yaml + strlen(yaml), "'}", 3);
    assert_refused(yaml, "longer than 1000 bytes");
}

TEST(test_limits_and_what_restarts_are_read)
{
    struct colony_template *template =
        web("cmd: x\nlimits: {memory: 64MiB, cpu: 1.5, pids: 100, optional: true}\n"
            "restart_above: {memory: 32MiB, cpu: 80%, for: 1m}\nmax_age: 1d\nessential: true\n"
            "oom_score_adj: -500\nstart_timeout: 30\nwatchdog: 500ms\n");

    assert_int_equal(template->limits->memory_bytes, 64 << 20);
    assert_int_equal(template->limits->cpu_milli, 1500);
    assert_int_equal(template->limits->pids, 100);
    assert_true(template->limits->is_optional);
    assert_int_equal(template->restart_above->memory_bytes, 32 << 20);
    assert_int_equal(template->restart_above->cpu_percent, 80);
    assert_int_equal(template->restart_above->for_ms, 60000);
    assert_int_equal(template->max_age_ms, 86400000);
    assert_true(template->essential);
    assert_true(template->has_oom_score_adj);
    assert_int_equal(template->oom_score_adj, -500);
    assert_int_equal(template->start_timeout_ms, 30000);
    assert_int_equal(template->watchdog_ms, 500);
    colony_template_free(template);
    template = web("cmd: x\nlimits: {cpu: 50%}\nrestart_above: {cpu: 50}");
    assert_int_equal(template->limits->cpu_milli, 500);
    assert_int_equal(template->restart_above->cpu_percent, 50);
    assert_int_equal(template->restart_above->for_ms, 30000);
    colony_template_free(template);
}

TEST(test_nothing_is_limited_unless_given)
{
    struct colony_template *template = web("cmd: x\nlimits: {}");

    assert_int_equal(template->limits->memory_bytes, 0);
    assert_int_equal(template->limits->cpu_milli, 0);
    assert_int_equal(template->limits->pids, 0);
    assert_false(template->limits->is_optional);
    assert_int_equal(template->restart_above->memory_bytes, 0);
    assert_int_equal(template->restart_above->cpu_percent, 0);
    assert_int_equal(template->max_age_ms, 0);
    assert_false(template->essential);
    assert_false(template->has_oom_score_adj);
    assert_int_equal(template->start_timeout_ms, 0);
    assert_int_equal(template->watchdog_ms, 0);
    assert_int_equal(template->dependency_count, 0);
    colony_template_free(template);
}

TEST(test_limits_that_cannot_be_are_refused)
{
    static const char *const cases[][2] = {
        {"limits: 5", "`limits`: it must be a map"},
        {"limits: {cpu: 0}", "`cpu`: it must be a number of CPUs"},
        {"limits: {cpu: -1}", "`cpu`"},
        {"limits: {cpu: .nan}", "`cpu`"},
        {"limits: {cpu: .inf}", "`cpu`"},
        {"limits: {cpu: '50'}", "`cpu`"},
        {"limits: {cpu: '%'}", "`cpu`"},
        {"limits: {cpu: 0x10%}", "`cpu`"},
        {"limits: {cpu: 5%%}", "`cpu`"},
        {"limits: {cpu: 0.5%}", "`cpu`"},
        {"limits: {memory: 5}", "`memory`"},
        {"limits: {pids: 0}", "`pids`"},
        {"limits: {pid: 5}", "did you mean `pids`"},
        {"restart_above: {}", "`restart_above`: give `memory`, `cpu` or both"},
        {"restart_above: {for: 5}", "give `memory`, `cpu` or both"},
        {"restart_above: {cpu: 0}", "`cpu`: it must be a percentage"},
        {"restart_above: {cpu: 0.5}", "`cpu`"},
        {"restart_above: {memory: 2MiB}\nlimits: {memory: 1MiB}",
         "f.yaml:2:17: cannot use `memory` of `restart_above`: it is above"},
        {"restart_above: {cpu: 51}\nlimits: {cpu: 50%}", "`cpu` of `restart_above`"},
        {"max_age: 999ms", "`max_age`: it must be 1s or more"},
        {"max_age: 1h\ndetach: true", "`max_age` together with `detach`"},
        {"watchdog: 1\ndetach: true", "`watchdog` together with `detach`"},
        {"start_timeout: 1\ndetach: true", "`start_timeout` together with `detach`"},
        {"restart_above: {cpu: 5}\ndetach: true", "`restart_above` together with `detach`"},
        {"oom_score_adj: 1001", "`oom_score_adj`: it must be a whole number from -1000 to 1000"},
        {"oom_score_adj: '5'", "`oom_score_adj`"},
    };

    ASSERT_ALL_REFUSED(cases);
}

TEST(test_the_group_is_what_stands_before_the_first_colon)
{
    static const char *const cases[][2] = {
        {"a:b", "a"}, {"a:b:c", "a"}, {"a:", "a"}, {"a", NULL}, {":a", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct colony_template *template = NULL;
        struct colony_error err = {0};

        assert_int_equal(make(&template, cases[i][0], "cmd: x", true, &err), 0);
        if (cases[i][1])
            assert_string_equal(template->group, cases[i][1]);
        else
            assert_null(template->group);
        colony_template_free(template);
    }
}

/* GET answers with defaults filled in; that must neither be refused nor mean anything else. */
TEST(test_what_is_got_can_be_put_and_changes_nothing)
{
    static const char *const settings[] = {
        "cmd: x",
        "cmd: x\nrestart: never",
        "cmd: x\nrestart: {when: never, exit_codes: [0, 2]}",
        "cmd: x\nrestart: {when: on-failure}",
        "cmd: x\nrestart: {attempts: 3, window: 60, retry_in: 9, max_retry: 2}",
        "cmd: x\nflapping: {window: 2}",
        "cmd: x\nflapping: 2, 1.",
        "cmd: x\nflapping: false\nrestart: on-failure",
        "cmd: x\ndepends_on: [a, b]",
        "cmd: x\ndepends_on: {a: ready, b: {needed: false}}",
        "cmd: x\nready: notify\nwatchdog: 5",
        "cmd: x\nready: {line: up}\nstart_timeout: 5",
        "cmd: x\nlimits: {memory: 5MiB}\nrestart_above: {cpu: 5}\nmax_age: 5\nessential: true",
        "cmd: x\nenv: {A: b}\noom_score_adj: 5",
    };

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct colony_template *template = web(settings[i]);
        struct colony_template *put = put_again(template);
        struct colony_template *again = put_again(put);

        assert_int_equal(put->restart->when, template->restart->when);
        assert_int_equal(put->restart->attempts, template->restart->attempts);
        assert_int_equal(put->dependency_count, template->dependency_count);
        assert_int_equal(put->ready->kind, template->ready->kind);
        assert_true(put->hash == again->hash);
        assert_true(put->process_hash == again->process_hash);
        colony_template_free(again);
        colony_template_free(put);
        colony_template_free(template);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart_is_as_the_design_says_unless_given),
        cmocka_unit_test(test_every_part_of_restart_is_read),
        cmocka_unit_test(test_exit_codes_may_be_one_or_none),
        cmocka_unit_test(test_restarts_that_contradict_themselves_are_refused),
        cmocka_unit_test(test_flapping_has_the_defaults_of_gaffer),
        cmocka_unit_test(test_flapping_that_cannot_be_is_refused),
        cmocka_unit_test(test_a_dependency_may_be_a_name),
        cmocka_unit_test(test_dependencies_may_be_a_list_or_a_map),
        cmocka_unit_test(test_a_dependency_may_be_on_a_state),
        cmocka_unit_test(test_dependencies_that_cannot_be_are_refused),
        cmocka_unit_test(test_ready_is_told_in_seven_ways),
        cmocka_unit_test(test_ready_that_cannot_be_is_refused),
        cmocka_unit_test(test_health_is_checked_in_four_ways),
        cmocka_unit_test(test_health_that_cannot_be_is_refused),
        cmocka_unit_test(test_limits_and_what_restarts_are_read),
        cmocka_unit_test(test_nothing_is_limited_unless_given),
        cmocka_unit_test(test_limits_that_cannot_be_are_refused),
        cmocka_unit_test(test_the_group_is_what_stands_before_the_first_colon),
        cmocka_unit_test(test_what_is_got_can_be_put_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
