/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.h - the subcommands of `colony`, one file each, listed in one table in main.c.
 *
 * argv[0] is the command's own name. Each returns its exit code (enum colony_exit).
 */
#ifndef COLONY_CLI_COMMANDS_H
#define COLONY_CLI_COMMANDS_H

struct colony_usage;

int colony_cmd_app(int argc, char **argv);
int colony_cmd_beat(int argc, char **argv);
int colony_cmd_beatcheck(int argc, char **argv);
int colony_cmd_check(int argc, char **argv);
int colony_cmd_complete(int argc, char **argv); /* what the completion scripts call */
int colony_cmd_completion(int argc, char **argv);
int colony_cmd_ctl(int argc, char **argv);
int colony_cmd_engine(int argc, char **argv);
int colony_cmd_event(int argc, char **argv);
int colony_cmd_events(int argc, char **argv);
int colony_cmd_files(int argc, char **argv);
int colony_cmd_http(int argc, char **argv);
int colony_cmd_httpcheck(int argc, char **argv);
int colony_cmd_keeper(int argc, char **argv);
int colony_cmd_rpc(int argc, char **argv);
int colony_cmd_rpc_program(int argc, char **argv); /* what rpc serve has its program run as */
int colony_cmd_schedule(int argc, char **argv);
int colony_cmd_serve(int argc, char **argv);
int colony_cmd_session(int argc, char **argv);
int colony_cmd_top(int argc, char **argv);

/* What completion knows of them. */
extern const struct colony_usage colony_usage; /* of `colony` itself */
extern const struct colony_usage colony_app_usage;
extern const struct colony_usage colony_beat_usage;
extern const struct colony_usage colony_beatcheck_usage;
extern const struct colony_usage colony_check_usage;
extern const struct colony_usage colony_completion_usage;
extern const struct colony_usage colony_ctl_usage;
extern const struct colony_usage colony_event_usage;
extern const struct colony_usage colony_events_usage;
extern const struct colony_usage colony_files_usage;
extern const struct colony_usage colony_http_usage;
extern const struct colony_usage colony_httpcheck_usage;
extern const struct colony_usage colony_rpc_usage;
extern const struct colony_usage colony_schedule_usage;
extern const struct colony_usage colony_serve_usage;
extern const struct colony_usage colony_session_usage;
extern const struct colony_usage colony_top_usage;

#endif
