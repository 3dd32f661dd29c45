/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "rpc/curve.h"

TEST(test_keys_are_read_as_they_were_saved)
{
    char path[] = "/tmp/colony-test-XXXXXX";
    struct colony_rpc_keys keys;
    struct colony_rpc_keys again;
    struct colony_error err;
    struct stat info;
    int fd = mkstemp(path);

    assert_int_equal(close(fd), 0);
    assert_int_equal(colony_rpc_keygen(&keys, NULL), 0);
    assert_int_equal(strlen(keys.public), COLONY_RPC_KEY_SIZE - 1);
    assert_int_equal(colony_rpc_keys_save(path, &keys, &err), -EEXIST); /* never replaced */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(colony_rpc_keys_save(path, &keys, NULL), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(colony_rpc_keys_load(&again, path, NULL), 0);
    assert_string_equal(again.public, keys.public);
    assert_string_equal(again.secret, keys.secret);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(colony_rpc_keys_load(&again, path, &err), -EACCES);
    assert_int_equal(unlink(path), 0);
}

TEST(test_keys_that_are_no_pair_are_refused)
{
    char path[] = "/tmp/colony-test-XXXXXX";
    struct colony_rpc_keys keys;
    struct colony_rpc_keys other;
    struct colony_error err;
    int fd = mkstemp(path);

    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(colony_rpc_keygen(&keys, NULL), 0);
    assert_int_equal(colony_rpc_keygen(&other, NULL), 0);
    memcpy(keys.public, other.public, sizeof keys.public);
    assert_int_equal(colony_rpc_keys_save(path, &keys, NULL), 0);
    assert_int_equal(colony_rpc_keys_load(&other, path, &err), -EINVAL);
    assert_non_null(strstr(err.message, "they are not a pair"));
    assert_null(strstr(err.message, keys.secret));
    assert_int_equal(unlink(path), 0);
}

static void assert_refused(const char *list, const char *message)
{
    struct colony_rpc_curve *curve = calloc(1, sizeof *curve);
    struct colony_error err = {0};

    assert_int_equal(colony_rpc_peers_parse(curve, list, "list", &err), -EINVAL);
    if (!strstr(err.message, message))
        fail_msg("`%s` is not in `%s`", message, err.message);
    free(curve);
}

TEST(test_a_list_says_who_may_connect_and_do_what)
{
    struct colony_rpc_curve *curve = calloc(1, sizeof *curve);
    struct colony_rpc_keys keys;
    struct colony_rpc_keys other;
    char list[512];
    const struct colony_rpc_peer *peer;

    assert_int_equal(colony_rpc_keygen(&keys, NULL), 0);
    assert_int_equal(colony_rpc_keygen(&other, NULL), 0);
    (void)snprintf(list, sizeof list, "# who\n\n ann\tread %s\r\nbob control %s", keys.public,
                   other.public);
    assert_int_equal(colony_rpc_peers_parse(curve, list, "list", NULL), 0);
    assert_int_equal(curve->peer_count, 2);
    peer = colony_rpc_curve_find(curve, keys.public);
    assert_string_equal(peer->name, "ann");
    assert_false(peer->may_control);
    assert_true(colony_rpc_curve_find(curve, other.public)->may_control);
    assert_null(colony_rpc_curve_find(curve, keys.secret));
    (void)snprintf(list, sizeof list, "ann read %s\nann read %s\n", keys.public, other.public);
    assert_refused(list, "list:2: cannot use this line: the name is there twice");
    (void)snprintf(list, sizeof list, "ann read %s\nbob read %s\n", keys.public, keys.public);
    assert_refused(list, "the key is there twice");
    (void)snprintf(list, sizeof list, "ann write %s\n", keys.public);
    assert_refused(list, "list:1: cannot use this line: the scope");
    assert_refused("ann read short\n", "40 characters");
    assert_refused("ann read\n", "it is not `NAME SCOPE KEY`");
    free(curve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_read_as_they_were_saved),
        cmocka_unit_test(test_keys_that_are_no_pair_are_refused),
        cmocka_unit_test(test_a_list_says_who_may_connect_and_do_what),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
