/* SPDX-License-Identifier: Apache-2.0 */
/*
 * colony.h - libcolony: keep processes alive, be a daemon, serve RPC, write control files and drive
 * sessions, from within a program.
 *
 * What holds for all of it:
 * - Every type is opaque but those whose members stand here; these never change within an
 *   interface (COLONY_INTERFACE).
 * - A function that can fail returns 0 (or a count), or a negative errno with the reason in its
 *   last parameter, struct colony_error (colony/error.h).
 * - Pointers are borrowed for the call unless the comment says that they are kept or owned. What a
 *   function hands out is borrowed until the next call on the same object unless it says otherwise.
 * - Threads: what may be called from any thread says so. All else is called from the thread that
 *   runs the object's loop, and callbacks run there.
 * - Nothing of it calls exit, prints, installs signal handlers, or touches children of the program.
 *   SIGPIPE is to be ignored by the program.
 *
 * docs/embedding.md is the guide; examples/embed has a program for each part.
 */
#ifndef COLONY_H
#define COLONY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <colony/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define COLONY_API __attribute__((visibility("default")))
#else
#define COLONY_API
#endif

/* The interface that this header describes; libcolony.so.0 has it, and nothing of it goes or
 * changes before libcolony.so.1. */
#define COLONY_INTERFACE 0

struct cJSON;
struct uv_loop_s;

/* The release of the library that runs: "0.1.0". Any thread. */
COLONY_API const char *colony_version(void);

/* --- the engine: processes kept alive ----------------------------------------------------------
 *
 * A struct colony is one engine in this program, and a keeper beside it: a process (`colony
 * keeper`) that is the parent of all that the engine runs, so that the program's own children are
 * its own. There may be several, each with a state folder of its own.
 */
struct colony;

/* What is said before it starts; each is a text, and NULL is its default. */
enum colony_engine_option {
    COLONY_STATE,   /* its state folder; the default is one of its own, removed at the end */
    COLONY_PROGRAM, /* the program run as keeper; the default is the installed colony */
    COLONY_LEAVES,  /* "yes": what runs goes on when the program ends, or dies, and is taken over by
                       the next engine of that state folder. The default: it is stopped */
    COLONY_NAME,    /* of this engine, as /status and logs have it; the default is the program's */
};

/* On the loop. Any may be NULL. */
struct colony_callbacks {
    /* All that lives is known, what is to run is started and controllers serve. */
    void (*ready)(struct colony *colony, void *data);
    /* It has ended; @error is why, code 0: it was asked to. Last of all callbacks. */
    void (*stopped)(struct colony *colony, const struct colony_error *error, void *data);
    void *data;
};

/*
 * An engine that does nothing yet. @loop is the program's (which runs it, and on whose thread all
 * calls are made); NULL: one of its own, for colony_engine_run(). -ENOMEM, and libuv's errors.
 */
COLONY_API int colony_engine_open(struct colony **out, struct uv_loop_s *loop,
                                  const struct colony_callbacks *callbacks,
                                  struct colony_error *err);
/* Copies @value. -EINVAL; -EBUSY: it runs. */
COLONY_API int colony_engine_set(struct colony *colony, enum colony_engine_option option,
                                 const char *value, struct colony_error *err);
/* Settings as in docs/configuration.md, of a file or of memory (YAML, which JSON is, too); twice is
 * an error. Templates may be added without any. -EBUSY; errors begin with the place. */
COLONY_API int colony_engine_load(struct colony *colony, const char *path,
                                  struct colony_error *err);
COLONY_API int colony_engine_load_text(struct colony *colony, const char *text, size_t size,
                                       struct colony_error *err);
/*
 * Starts the keeper, and with it all there is; `ready` tells when. -EBUSY: another engine holds its
 * state folder; -ENOENT: there is no program to be run as keeper.
 */
COLONY_API int colony_engine_start(struct colony *colony, struct colony_error *err);
/* Starts it unless it is, and runs its loop until `stopped`. Not inside a callback. 0, or why. */
COLONY_API int colony_engine_run(struct colony *colony, struct colony_error *err);
/* Stops its processes, unless it leaves them, and then the engine; at the second time without
 * grace. @why for people; copied. Any thread. */
COLONY_API void colony_engine_stop(struct colony *colony, const char *why);
/* Closes what is open; a living engine as colony_engine_stop() does. @cb (may be NULL) on the loop,
 * when nothing of it is left; with a loop of its own before this returns. NULL is fine. */
COLONY_API void colony_engine_free(struct colony *colony, void (*cb)(void *data), void *data);
/* For handles of the program's own. */
COLONY_API struct uv_loop_s *colony_engine_loop(struct colony *colony);
/* Calls @fn on the loop, soon. Any thread, until colony_engine_free(). -ENOMEM. */
COLONY_API int colony_engine_post(struct colony *colony,
                                  void (*fn)(struct colony *colony, void *arg), void *arg);

/* --- controllers: parts of a program around an engine ------------------------------------------
 */

/* --- daemon: events, status and ping over HTTP and UDP -----------------------------------------
 */

/* --- RPC: methods and attributes over ZeroMQ ---------------------------------------------------
 */

/* --- files: the folders of processes and messages ----------------------------------------------
 *
 * ncolony's two folders, as `colony ctl --messages DIR --config DIR` writes them (docs/files.md).
 * No engine is needed, and none need run: who watches the folders finds what is written. A file is
 * complete when it appears, and on disk when these return. They block on the disk: any thread, but
 * better not that of a loop.
 */

/* Where they are. Both must be there; -ENOTDIR: one is not. */
struct colony_places {
    const char *config;   /* a file for each process */
    const char *messages; /* a file for each message */
    FILE *dry_run; /* not NULL: what would be written goes there, a line each, and the folders
                      stay as they are */
};

/* A process. Lists end with NULL; what is NULL is not said in its file. */
struct colony_file {
    const char *cmd; /* the program; required */
    const char *const *args;
    const char *const *env;         /* KEY=VALUE; of two with one KEY the last counts */
    const char *const *env_inherit; /* names of variables of whoever runs it */
    const uid_t *uid;               /* who it runs as; else whoever runs it decides */
    const gid_t *gid;
    const char *extras; /* more members of it: a JSON object, or the path of a file with one */
};

/*
 * Writes the file of the process @name, which adds the process or changes it. 1: done; 0: that is
 * what stands there, and nothing was touched. -EINVAL: colony could not use it, or @name; -EBADMSG:
 * `extras` are no JSON; -ENOENT: they are in no file; -EFBIG: 1 MiB; -EACCES, -ENOSPC, … -ENOMEM.
 */
COLONY_API int colony_files_add(const struct colony_places *places, const char *name,
                                const struct colony_file *file, struct colony_error *err);
/* Removes its file: the process is stopped. -ENOENT: there is none, and the nearest is named. */
COLONY_API int colony_files_remove(const struct colony_places *places, const char *name,
                                   struct colony_error *err);
/* Sends a message: restart it, all, or those whose `group` has @group. Messages of one program are
 * acted on in the order they were sent. -ENOENT: there is no process of that name. */
COLONY_API int colony_files_restart(const struct colony_places *places, const char *name,
                                    struct colony_error *err);
COLONY_API int colony_files_restart_all(const struct colony_places *places,
                                        struct colony_error *err);
COLONY_API int colony_files_restart_group(const struct colony_places *places, const char *group,
                                          struct colony_error *err);
/* The names of the processes, in order, up to NULL: how many. For colony_files_free(). */
COLONY_API int colony_files_list(const struct colony_places *places, char ***names,
                                 struct colony_error *err);
/* NULL is fine. */
COLONY_API void colony_files_free(char **names);
/* The file of a process as it stands there, NUL-terminated after @size bytes, for free(). -ENOENT;
 * -EINVAL: it is no regular file; -EFBIG: it has more than 1 MiB. */
COLONY_API int colony_files_read(const struct colony_places *places, const char *name, char **text,
                                 size_t *size, struct colony_error *err);

/* --- session: a working directory of related processes -----------------------------------------
 */

#ifdef __cplusplus
}
#endif

#endif
