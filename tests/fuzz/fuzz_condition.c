/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions of `colony session wait`. */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "session/condition.h"
#include "session/fingerprint_internal.h"

static const char fp_text[] = "{cmdline: [/opt/tws, username=me], files: [/var/log/tws.log],"
                              " listen: ['0.0.0.0:7496', '::1:7497']}";

static void check_error(int rc, const struct colony_error *err)
{
    if (rc == -E2BIG)
        CHECK(strncmp(err->message, "cannot ", 7) == 0);
    else
        CHECK(rc == -EINVAL && strncmp(err->message, "column ", 7) == 0);
    CHECK(err->code == rc);
}

static void evaluate(const struct colony_condition_tree *tree, const struct colony_subject *subject)
{
    struct colony_error err = {0};
    int rc = colony_condition_evaluate(tree, subject, &err);

    if (rc < 0)
        check_error(rc, &err);
    else
        CHECK(rc == 0 || rc == 1);
    CHECK(colony_condition_evaluate(tree, subject, NULL) == rc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct colony_fingerprint fp;
    struct colony_subject living = {
        .fp = &fp, .state = "operative", .pid = 42, .alive = true, .uptime_seconds = 1.5};
    struct colony_subject dead = {.state = "stopped"};
    struct colony_condition_tree *tree = NULL;
    struct colony_error err = {0};
    char *text = fuzz_text(data, size);
    int rc;

    if (fp.fields[FIELD_CMDLINE].count == 0)
        CHECK(colony__fingerprint_parse(&fp, fp_text, strlen(fp_text), "fp", NULL) == 0);
    rc = colony_condition_parse(&tree, text, &err);
    if (rc < 0) {
        check_error(rc, &err);
    } else {
        evaluate(tree, &living);
        evaluate(tree, &dead);
    }
    colony_condition_free(tree);
    free(text);
    return 0;
}
