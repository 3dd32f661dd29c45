/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/message_internal.h"

#include "../test.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"

static struct colony__message message_of(const char *text)
{
    struct colony__message message = {0};
    struct colony_error err = {0};

    if (colony__message_parse(&message, text, strlen(text), "/m/1", &err) < 0)
        fail_msg("%s", err.message);
    return message;
}

static void assert_refused(const char *text, int code, const char *why)
{
    struct colony__message message;
    struct colony_error err = {0};

    assert_int_equal(colony__message_parse(&message, text, strlen(text), "/m/1", &err), code);
    if (!strstr(err.message, why) || strncmp(err.message, "/m/1:1:", 7) != 0)
        fail_msg("`%s` is not in `%s`", why, err.message);
}

TEST(test_the_three_messages_of_ncolony)
{
    struct colony__message message = message_of("{\"type\": \"RESTART\", \"name\": \"web\"}");

    assert_int_equal(message.type, MESSAGE_RESTART_ONE);
    assert_string_equal(message.target, "web");
    message = message_of("{\"type\": \"RESTART-ALL\"}\n");
    assert_int_equal(message.type, MESSAGE_RESTART_ALL);
    message = message_of("{\"group\": \"g\", \"type\": \"RESTART-GROUP\", \"more\": [1]}");
    assert_int_equal(message.type, MESSAGE_RESTART_GROUP);
    assert_string_equal(message.target, "g");
    message = message_of("{\"type\": \"RESTART\", \"name\": \"8080\"}");
    assert_string_equal(message.target, "8080");
}

TEST(test_anything_else_is_refused_with_its_place)
{
    assert_refused("", -EBADMSG, "cannot read");
    assert_refused("{\"type\": \"RESTART\", \"na", -EBADMSG, "cannot read");
    assert_refused("1", -EINVAL, "a JSON object");
    assert_refused("{\"type\": null}", -EINVAL, "`type` must be there");
    assert_refused("{\"type\": \"restart\", \"name\": \"x\"}", -EINVAL, "RESTART-GROUP");
    assert_refused("{\"type\": \"RESTART\", \"group\": \"x\"}", -EINVAL, "`name` must be there");
    assert_refused("{\"type\": \"RESTART-GROUP\", \"name\": \"x\"}", -EINVAL,
                   "`group` must be there");
    assert_refused("{\"type\": \"RESTART\", \"name\": \"..\"}", -EINVAL, "it means a folder");
    assert_refused("{\"type\": \"RESTART\", \"name\": \"\"}", -EINVAL, "it is empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_three_messages_of_ncolony),
        cmocka_unit_test(test_anything_else_is_refused_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
