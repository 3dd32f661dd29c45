/* SPDX-License-Identifier: Apache-2.0 */
/* Settings in gaffer's INI. */
#include "core/ini.h"

#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct colony_value *tree = NULL;
    struct colony_error err = {0};
    int rc = colony_value_parse_ini(&tree, (const char *)data, size, "x.ini", &err);

    if (rc < 0) {
        CHECK(strncmp(err.message, "x.ini:", 6) == 0);
        check_error(rc, &err);
        return 0;
    }
    check_again(tree);
    check_settings(tree, "x.ini");
    return 0;
}
