/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>

#include "api/timestamp_internal.h"

#include "../test.h"

TEST(test_times_are_iso_8601_in_utc_with_milliseconds)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } times[] = {
        {1, "1970-01-01T00:00:00.001Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1772366400250, "2026-03-01T12:00:00.250Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        cJSON *json = colony__json_time(times[i].ms);

        assert_string_equal(cJSON_GetStringValue(json), times[i].text);
        cJSON_Delete(json);
    }
}

TEST(test_no_time_is_null)
{
    cJSON *json = colony__json_time(0);

    assert_true(cJSON_IsNull(json));
    cJSON_Delete(json);
    json = colony__json_time(UINT64_MAX); /* no calendar has it */
    assert_true(cJSON_IsNull(json) || cJSON_IsString(json));
    cJSON_Delete(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_iso_8601_in_utc_with_milliseconds),
        cmocka_unit_test(test_no_time_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
