/* SPDX-License-Identifier: Apache-2.0 */
/* test.h - cmocka, and how a test begins. A file of tests ends with cmocka_run_group_tests. */
#ifndef COLONY_TESTS_TEST_H
#define COLONY_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEST(name) static void name(void **state __attribute__((unused)))

#endif
