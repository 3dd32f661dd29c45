/* SPDX-License-Identifier: Apache-2.0 */
/* test_keeper_user.c - under `user:` the engine has no rights, and a keeper that is root lends few.
 */
#include "kept.h"

enum {
    OTHER_USER = 1234,
};

static struct kept kept;

static int set_up(void **state)
{
    struct colony_keeper_identity *identities;

    (void)state;
    kept_init(&kept);
    kept.options->has_user = true;
    kept.options->identity_count = 2;
    identities = kept.options->identities;
    identities[0] = (struct colony_keeper_identity){.uid = NOBODY, .gid = NOBODY};
    identities[1] = (struct colony_keeper_identity){
        .uid = OTHER_USER, .gid = OTHER_USER, .group_count = 2, .groups = {7001, 7002}};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kept_clear(&kept);
    return 0;
}

/* False, and says so, where the test is not root. */
static bool begin(void)
{
    if (geteuid() != 0) {
        skip_aloud("needs root");
        return false;
    }
    kept_begin(&kept);
    return true;
}

/* What an honest engine orders: a shell as identities[0]. */
static void honest_payload(struct made_payload *made)
{
    made_init_shell(made, "exec cat /proc/self/status");
    made_set_identity(made, NOBODY, NOBODY);
}

static struct told spawn_payload(struct made_payload *made)
{
    struct colony_message order = spawn_order("web", 1);

    order_spawn(&kept, &order, made);
    return hear(&kept);
}

static void assert_spawned(struct made_payload *made)
{
    struct told told = spawn_payload(made);
    const struct colony_record *record = &kept.table.records[told.message.index];

    if (told.message.type != MESSAGE_SPAWNED)
        fail_msg("%s: %s", colony_spawn_step_name(record->failed_step),
                 strerror(record->failed_errno));
    close_told(&told);
    (void)expect(&kept, MESSAGE_EXITED);
}

static void assert_forbidden(struct made_payload *made)
{
    struct told told = spawn_payload(made);
    const struct colony_record *record;

    assert_int_equal(told.message.type, MESSAGE_SPAWN_FAILED);
    record = &kept.table.records[told.message.index];
    assert_int_equal(record->failed_step, STEP_PREPARE);
    assert_int_equal(record->failed_errno, EPERM);
    assert_int_equal(record->pid, 0);
    close_told(&told);
}

TEST(test_the_engine_runs_as_the_user)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;

    if (!begin())
        return;
    assert_int_equal(getsockopt(kept.control, SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
    assert_int_equal(peer.uid, NOBODY);
    assert_int_equal(peer.gid, NOBODY);
    assert_int_equal(kept.hello.owner_uid, 0);
}

TEST(test_what_is_in_the_list_may_be_spawned_as)
{
    struct made_payload made;
    char text[4096] = "";
    struct told told;

    if (!begin())
        return;
    honest_payload(&made);
    told = spawn_payload(&made);
    assert_int_equal(told.message.type, MESSAGE_SPAWNED);
    (void)expect(&kept, MESSAGE_EXITED);
    assert_true(read(told.fds[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "Uid:\t65534\t65534\t65534\t65534\n"));
    close_told(&told);
    honest_payload(&made);
    made_set_identity(&made, OTHER_USER, OTHER_USER);
    made.header.group_count = 2;
    made.header.groups[0] = 7001;
    made.header.groups[1] = 7002;
    assert_spawned(&made);
}

TEST(test_an_identity_that_is_not_in_the_list_is_forbidden)
{
    static const uint32_t others[][2] = {
        {0, 0}, {NOBODY, 0}, {0, NOBODY}, {OTHER_USER, NOBODY}, {NOBODY + 1, NOBODY + 1}};
    struct made_payload made;

    if (!begin())
        return;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        honest_payload(&made);
        made_set_identity(&made, others[i][0], others[i][1]);
        assert_forbidden(&made);
    }
}

TEST(test_groups_beside_those_of_the_list_are_forbidden)
{
    struct made_payload made;

    if (!begin())
        return;
    honest_payload(&made);
    made.header.group_count = 1; /* root's */
    assert_forbidden(&made);
    honest_payload(&made);
    made_set_identity(&made, OTHER_USER, OTHER_USER);
    assert_forbidden(&made); /* also fewer of them */
    honest_payload(&made);
    made_set_identity(&made, OTHER_USER, OTHER_USER);
    made.header.group_count = 2;
    made.header.groups[0] = 7001;
    made.header.groups[1] = 7003;
    assert_forbidden(&made);
}

TEST(test_no_identity_would_be_roots_and_is_forbidden)
{
    struct made_payload made;

    if (!begin())
        return;
    made_init_shell(&made, ":");
    assert_forbidden(&made);
    honest_payload(&made);
    made.header.flags = 0; /* it is there, but not to be taken */
    assert_forbidden(&made);
}

/* The privileges that the list may grant: each is tried without and with its grant. */

static void ask_for_nice(struct made_payload *made)
{
    honest_payload(made);
    made->header.flags |= PAYLOAD_HAS_NICE;
    made->header.nice = -1;
}

static void ask_for_oom(struct made_payload *made)
{
    honest_payload(made);
    made->header.flags |= PAYLOAD_HAS_OOM;
    made->header.oom_score_adj = -1;
}

static void ask_for_limit(struct made_payload *made)
{
    struct rlimit limit;

    honest_payload(made);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    made_set_rlimit(made, RLIMIT_NOFILE, limit.rlim_max, limit.rlim_max + 1);
}

TEST(test_without_grants_no_privilege_is_lent)
{
    struct made_payload made;

    if (!begin())
        return;
    ask_for_nice(&made);
    assert_forbidden(&made);
    ask_for_oom(&made);
    assert_forbidden(&made);
    ask_for_limit(&made);
    assert_forbidden(&made);
    honest_payload(&made);
    made_set_rlimit(&made, 999, 1, 1); /* no limit that there is */
    assert_forbidden(&made);
}

TEST(test_what_needs_no_privilege_needs_no_grant)
{
    struct made_payload made;

    if (!begin())
        return;
    honest_payload(&made);
    made.header.flags |= PAYLOAD_HAS_NICE | PAYLOAD_HAS_OOM | PAYLOAD_HAS_UMASK;
    made.header.nice = 5;
    made.header.oom_score_adj = 500;
    made_set_rlimit(&made, RLIMIT_NOFILE, 50, 50);
    made.header.flags |= PAYLOAD_LIMITS_OPTIONAL; /* they only take away */
    made.header.memory_max_bytes = 1 << 30;
    made.header.pids_max = 10;
    assert_spawned(&made);
}

TEST(test_a_grant_lends_what_it_names_and_no_more)
{
    struct made_payload made;
    struct told told;

    kept.options->grants = GRANT_NICE | GRANT_OOM;
    if (!begin())
        return;
    ask_for_nice(&made);
    assert_spawned(&made);
    ask_for_oom(&made);
    told = spawn_payload(&made); /* a root without CAP_SYS_RESOURCE cannot do it either */
    assert_true(told.message.type == MESSAGE_SPAWNED ||
                kept.table.records[told.message.index].failed_step == STEP_OOM);
    close_told(&told);
    if (told.message.type == MESSAGE_SPAWNED)
        (void)expect(&kept, MESSAGE_EXITED);
    ask_for_limit(&made);
    assert_forbidden(&made);
}

TEST(test_the_next_engine_has_no_more_rights_than_the_first)
{
    struct made_payload made;

    if (!begin())
        return;
    next_engine(&kept);
    made_init_shell(&made, ":");
    assert_forbidden(&made);
}

TEST(test_no_name_of_a_socket_makes_root_remove_a_file)
{
    struct colony_message hold = {.type = MESSAGE_HOLD};
    struct made_payload made;
    int fd;

    if (!begin())
        return;
    fd = openat(kept.scratch.fd, "precious", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    (void)snprintf(hold.u.name, sizeof hold.u.name, "http unix:%s/precious", kept.scratch.path);
    say(&kept, &hold, &fd, 1);
    (void)close(fd);
    honest_payload(&made);
    assert_spawned(&made); /* so that it has been heard */
    say_simple(&kept, MESSAGE_SHUTDOWN, 0);
    leave_engine(&kept);
    assert_int_equal(keeper_code(&kept), 0);
    assert_int_equal(faccessat(kept.scratch.fd, "precious", F_OK, 0), 0);
}

#define KEEPER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(test_the_engine_runs_as_the_user),
        KEEPER_TEST(test_what_is_in_the_list_may_be_spawned_as),
        KEEPER_TEST(test_an_identity_that_is_not_in_the_list_is_forbidden),
        KEEPER_TEST(test_groups_beside_those_of_the_list_are_forbidden),
        KEEPER_TEST(test_no_identity_would_be_roots_and_is_forbidden),
        KEEPER_TEST(test_without_grants_no_privilege_is_lent),
        KEEPER_TEST(test_what_needs_no_privilege_needs_no_grant),
        KEEPER_TEST(test_a_grant_lends_what_it_names_and_no_more),
        KEEPER_TEST(test_the_next_engine_has_no_more_rights_than_the_first),
        KEEPER_TEST(test_no_name_of_a_socket_makes_root_remove_a_file),
    };

    if (argc > 1)
        return kept_role(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
