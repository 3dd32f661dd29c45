/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "session/config.h"
#include "session/uri.h"

#include "../test.h"

static char *ib_argv[] = {"/usr/bin/ib-service", "{path}", "--account={account}", NULL};
static char *all_argv[] = {"svc", "{host}:{port}{path}?{query}", "{{{a}}}", NULL};
static char *odd_argv[] = {"{path", NULL};
static char *none_argv[] = {"{query}", NULL};
static char *empty_argv[] = {NULL};
static struct colony_scheme schemes[] = {
    {"ib", ib_argv},     {"all", all_argv},    {"odd", odd_argv},
    {"none", none_argv}, {"void", empty_argv},
};
static const struct colony_session_config config = {.schemes = schemes, .scheme_count = 5};

static int command(char ***argv, const char *text, struct colony_error *err)
{
    struct colony_uri uri;
    int rc;

    assert_int_equal(colony_uri_parse(&uri, text, err), 0);
    rc = colony_uri_command(argv, &uri, &config, err);
    colony_uri_clear(&uri);
    return rc;
}

static void check(const char *text, const char *const *words)
{
    struct colony_error err = {0};
    char **argv;

    if (command(&argv, text, &err) < 0)
        fail_msg("%s", err.message);
    for (size_t i = 0; words[i] || argv[i]; i++) {
        assert_true(words[i] && argv[i]);
        assert_string_equal(argv[i], words[i]);
    }
    colony_argv_free(argv);
}

static void refuse(const char *text, int code, const char *why)
{
    struct colony_error err = {0};
    char **argv;

    assert_int_equal(command(&argv, text, &err), code);
    if (!strstr(err.message, why))
        fail_msg("`%s` is not told in: %s", why, err.message);
}

TEST(test_exec_runs_the_path_with_what_is_in_the_query)
{
    check(
        "exec://localhost/home/agp/Jts/tws?username=myuser&password=mypassword",
        (const char *const[]){"/home/agp/Jts/tws", "username=myuser", "password=mypassword", NULL});
    check("exec:///bin/sleep?60", (const char *const[]){"/bin/sleep", "60", NULL});
    check("EXEC://LOCALHOST/bin/a%20b?x=%26&-v&e=",
          (const char *const[]){"/bin/a b", "x=&", "-v", "e=", NULL});
}

TEST(test_exec_takes_the_name_of_this_machine)
{
    char name[256] = "";
    char text[300];

    assert_int_equal(gethostname(name, sizeof name - 1), 0);
    (void)snprintf(text, sizeof text, "exec://%s/bin/true", name);
    check(text, (const char *const[]){"/bin/true", NULL});
}

TEST(test_exec_elsewhere_or_of_nothing_is_refused)
{
    refuse("exec://elsewhere.invalid/bin/true", -EINVAL, "elsewhere.invalid");
    refuse("exec://localhost", -EINVAL, "no path");
    refuse("exec://localhost/", -EINVAL, "no path");
    refuse("exec:///bin/", -EINVAL, "no path");
    refuse("exec://?a=b", -EINVAL, "no path");
    refuse("exec://localhost:80/bin/true", -EINVAL, "port 80");
}

TEST(test_a_scheme_says_what_is_run)
{
    check("ib://localhost:9090/master-trader?account=0&tws=master.tws",
          (const char *const[]){"/usr/bin/ib-service", "/master-trader", "--account=0", NULL});
    check("ib://localhost/sync?uid=master&account=0&tws=master.tws",
          (const char *const[]){"/usr/bin/ib-service", "/sync", "--account=0", NULL});
    check("all://h:1/p?a=b%26{c}",
          (const char *const[]){"svc", "h:1/p?a=b%26{c}", "{b&{c}}", NULL});
}

TEST(test_a_placeholder_that_the_uri_has_nothing_for_is_refused)
{
    refuse("ib://localhost/x", -EINVAL, "parameter `account`");
    refuse("ib://localhost?account=1", -EINVAL, "wants a path");
    refuse("ib://h/x?account=1&account=2", -EINVAL, "twice");
    refuse("all://h/p?a=b", -EINVAL, "wants a port");
    refuse("odd://h/p", -EINVAL, "placeholder");
    refuse("none://h/p", -EINVAL, "no program");
    refuse("void://h/p", -EINVAL, "no program");
}

TEST(test_an_unknown_scheme_is_told_how_to_be_added)
{
    refuse("ftp://h/p", -ENOENT, "etc/session.yaml");
    refuse("attached://x", -EINVAL, "attached");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec_runs_the_path_with_what_is_in_the_query),
        cmocka_unit_test(test_exec_takes_the_name_of_this_machine),
        cmocka_unit_test(test_exec_elsewhere_or_of_nothing_is_refused),
        cmocka_unit_test(test_a_scheme_says_what_is_run),
        cmocka_unit_test(test_a_placeholder_that_the_uri_has_nothing_for_is_refused),
        cmocka_unit_test(test_an_unknown_scheme_is_told_how_to_be_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
