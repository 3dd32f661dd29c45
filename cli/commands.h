/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.h - the subcommands of `colony`, one file each, listed in one table in main.c.
 *
 * argv[0] is the command's own name. Each returns its exit code (enum colony_exit).
 */
#ifndef COLONY_CLI_COMMANDS_H
#define COLONY_CLI_COMMANDS_H

int colony_cmd_check(int argc, char **argv);
int colony_cmd_ctl(int argc, char **argv);
int colony_cmd_engine(int argc, char **argv);
int colony_cmd_keeper(int argc, char **argv);
int colony_cmd_serve(int argc, char **argv);

#endif
