/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint_colony.c - colony's own fingerprints (session/fingerprint.h) of each pid.
 *
 *     fingerprint_colony SAMPLES < PIDS
 *
 * Prints the nanoseconds of CPU time of one look at all pids, with one table of sockets for all, as
 * fingerprint_proc.c does.
 */
#include <unistd.h>

#include "core/error.h"
#include "samples.h"
#include "session/fingerprint.h"

static void look(const pid_t *pids, size_t count)
{
    struct colony_socket_table *sockets = NULL;
    struct colony_error err;

    if (colony_socket_table_read(&sockets, getpid(), &err) < 0)
        errx(1, "%s", err.message);
    for (size_t i = 0; i < count; i++) {
        struct colony_fingerprint fingerprint = {0};

        if (colony_fingerprint_take(&fingerprint, pids[i], sockets, &err) < 0)
            errx(1, "%s", err.message);
        colony_fingerprint_clear(&fingerprint);
    }
    colony_socket_table_free(sockets);
}

int main(int argc, char **argv)
{
    static pid_t pids[SAMPLE_PIDS_MAX];
    size_t wanted = samples_wanted(argc, argv);
    size_t count = samples_read_pids(pids);

    look(pids, count); /* what the kernel makes once */
    for (size_t i = 0; i < wanted; i++) {
        uint64_t began_ns = samples_cpu_ns();

        look(pids, count);
        (void)printf("%llu\n", (unsigned long long)(samples_cpu_ns() - began_ns));
    }
    return 0;
}
