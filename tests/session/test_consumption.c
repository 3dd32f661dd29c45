/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>

#include "core/table.h"
#include "session/consumption.h"

TEST(test_it_tells_what_a_process_uses)
{
    struct colony_consumption_meter meter = {0};
    struct colony_consumption out;
    uint64_t start_ticks = colony_proc_start_ticks(getpid());
    uint64_t until_ms;

    assert_int_equal(colony_consumption_read(&out, &meter, getpid(), start_ticks), 0);
    assert_true(out.uptime_seconds >= 0 && out.uptime_seconds < 3600);
    assert_true(out.mem_bytes > 100000 && out.mem_bytes < UINT64_C(1) << 40);
    until_ms = clock_ms() + 100;
    while (clock_ms() < until_ms)
        ;
    assert_int_equal(colony_consumption_read(&out, &meter, getpid(), start_ticks), 0);
    assert_true(out.cpu_percent > 0 && out.cpu_percent < 300); /* others may have the CPU */
}

TEST(test_one_that_idles_uses_nothing)
{
    struct colony_consumption_meter meter = {0};
    struct colony_consumption out;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    assert_int_equal(colony_consumption_read(&out, &meter, pid, colony_proc_start_ticks(pid)), 0);
    (void)poll(NULL, 0, 50);
    assert_int_equal(colony_consumption_read(&out, &meter, pid, colony_proc_start_ticks(pid)), 0);
    assert_true(out.cpu_percent < 50);
    (void)kill(pid, SIGKILL);
    (void)wait_for_child(pid);
    assert_int_equal(colony_consumption_read(&out, &meter, pid, 1), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_tells_what_a_process_uses),
        cmocka_unit_test(test_one_that_idles_uses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
