/* SPDX-License-Identifier: Apache-2.0 */
/* files_ctl.h - `colony ctl --messages DIR --config DIR ACTION`: ncolony's own actions. */
#ifndef COLONY_CLI_FILES_CTL_H
#define COLONY_CLI_FILES_CTL_H

#include <stdbool.h>
#include <stddef.h>

struct colony_usage;

/* What completion, help and the manual know of them. */
extern const struct colony_usage colony_files_ctl_usage;

/* argv[1] is the action's name; both folders are given. The exit code; all is told. */
int colony_files_ctl(const char *messages, const char *config, int argc, char **argv);

#endif
