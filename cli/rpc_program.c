/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc_program.c - `colony rpc-program PROGRAM…`: becomes PROGRAM, whose input and output are then
 * the custom stream that `colony rpc serve` has it talk on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "core/error.h"
#include "core/template.h"

enum {
    CANNOT_RUN = 126,
    NO_COMMAND = 127,
};

int colony_cmd_rpc_program(int argc, char **argv)
{
    int error;

    if (argc < 2 || dup2(COLONY_CUSTOM_FD_FIRST, STDIN_FILENO) < 0 ||
        dup2(COLONY_CUSTOM_FD_FIRST, STDOUT_FILENO) < 0) {
        (void)fprintf(stderr, "colony rpc-program: cannot run: this command is for colony's own "
                              "use, start `colony rpc serve`\n");
        return EXIT_USAGE;
    }
    (void)close(COLONY_CUSTOM_FD_FIRST);
    (void)execvp(argv[1], argv + 1);
    error = errno;
    (void)fprintf(stderr, "colony rpc serve: cannot run %s: %s\n", argv[1], strerror(error));
    return error == ENOENT ? NO_COMMAND : CANNOT_RUN;
}
