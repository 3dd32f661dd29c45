/* SPDX-License-Identifier: Apache-2.0 */
/* Settings in YAML. */
#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct colony_value *tree = NULL;
    struct colony_error err = {0};
    int rc = colony_value_parse_yaml(&tree, (const char *)data, size, "x.yaml", &err);

    if (rc < 0) {
        CHECK(strncmp(err.message, "x.yaml:", 7) == 0);
        check_error(rc, &err);
        return 0;
    }
    check_again(tree);
    check_settings(tree, "x.yaml");
    return 0;
}
