/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <signal.h>

#include "core/signals.h"

TEST(test_names_and_numbers_are_signals)
{
    assert_int_equal(colony_signal_parse("TERM"), SIGTERM);
    assert_int_equal(colony_signal_parse("SIGTERM"), SIGTERM);
    assert_int_equal(colony_signal_parse("sigterm"), SIGTERM);
    assert_int_equal(colony_signal_parse("usr1"), SIGUSR1);
    assert_int_equal(colony_signal_parse("15"), SIGTERM);
    assert_int_equal(colony_signal_parse("1"), 1);
    assert_int_equal(colony_signal_parse("64"), 64);
    assert_int_equal(colony_signal_parse("CLD"), SIGCHLD);
}

TEST(test_what_is_no_signal_is_refused)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "65",
                                      "-1",
                                      "+9",
                                      "15 ",
                                      "0x9",
                                      "SIG",
                                      "SIG15x",
                                      "TERMX",
                                      "SIGSIGTERM",
                                      "nine",
                                      "99999999999999999999"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(colony_signal_parse(bad[i]), -EINVAL);
}

TEST(test_every_number_has_a_name)
{
    assert_string_equal(colony_signal_name(SIGTERM), "SIGTERM");
    assert_string_equal(colony_signal_name(SIGABRT), "SIGABRT");
    assert_string_equal(colony_signal_name(SIGSYS), "SIGSYS");
    assert_string_equal(colony_signal_name(40), "signal 40");
    assert_string_equal(colony_signal_name(32), "signal 32");
    assert_string_equal(colony_signal_name(64), "signal 64");
    assert_string_equal(colony_signal_name(0), "no signal");
    assert_string_equal(colony_signal_name(65), "no signal");
    for (int signo = 1; signo < 32; signo++)
        assert_int_equal(colony_signal_parse(colony_signal_name(signo)), signo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_numbers_are_signals),
        cmocka_unit_test(test_what_is_no_signal_is_refused),
        cmocka_unit_test(test_every_number_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
