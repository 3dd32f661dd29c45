/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error.h - what went wrong, as a code for programs and one line for people.
 *
 * Codes are negative errno values. Whoever knows the reason fills the error once, and whoever ends
 * its journey logs it or answers the client. libc only, so that the keeper can use it.
 */
#ifndef COLONY_CORE_ERROR_H
#define COLONY_CORE_ERROR_H

#include <stdbool.h>

#include <colony/error.h> /* struct colony_error */

/* Exit codes of every command (DESIGN §6); colony_exits says what they mean. */
enum colony_exit {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_RUNNING = 3,
    EXIT_NO_SUCH_NAME = 4,
    EXIT_CONFLICT = 5,
    EXIT_UNREACHABLE = 69,
    EXIT_TIMED_OUT = 75,
    EXIT_NOT_ALLOWED = 77,
    EXIT_BAD_CONFIG = 78,
};

struct colony_exit_info {
    enum colony_exit code;
    const char *help; /* "timed out" */
};

/* All of them in order, up to one without help. */
extern const struct colony_exit_info colony_exits[];

/* How one errno is told on each front-end. */
struct colony_error_info {
    int code;         /* negative errno */
    int http_status;  /* RFC 9110 */
    const char *word; /* gaffer's error word (ORIGINALS §1) */
    int rpc_code;     /* JSON-RPC 2.0 §5.1 */
    enum colony_exit exit_code;
};

/*
 * Fill @err (may be NULL) with @code and a formatted line; control bytes in it become '?'.
 * Return @code, so that callers can `return colony_fail(...)`. The _os form appends ": " and the
 * text of the errno.
 */
int colony_fail(struct colony_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int colony_fail_os(struct colony_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True when @code says that memory, descriptors or threads have run out: later it may work. */
bool colony_is_shortage(int code);

/* The row of @code (negative errno); never NULL: unlisted codes get the row of -EIO. */
const struct colony_error_info *colony_error_info(int code);

#endif
