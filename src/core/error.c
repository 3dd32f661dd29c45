/* SPDX-License-Identifier: Apache-2.0 */
#include "core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct colony_error_info infos[] = {
    {-EIO,          500, "server_error",       -32603, EXIT_FAILED},
    {-EINVAL,       400, "bad_value",          -32602, EXIT_USAGE},
    {-EBADMSG,      400, "invalid_json",       -32700, EXIT_USAGE},
    {-ENOENT,       404, "not_found",          -32001, EXIT_NO_SUCH_NAME},
    {-ESRCH,        409, "not_running",        -32002, EXIT_NOT_RUNNING},
    {-EEXIST,       409, "conflict",           -32003, EXIT_CONFLICT},
    {-EBUSY,        409, "conflict",           -32003, EXIT_CONFLICT},
    {-EADDRINUSE,   409, "conflict",           -32003, EXIT_CONFLICT},
    {-EILSEQ,       400, "bad_value",          -32602, EXIT_BAD_CONFIG},
    {-ELOOP,        400, "bad_value",          -32602, EXIT_USAGE},
    {-EALREADY,     409, "conflict",           -32003, EXIT_CONFLICT},
    {-EACCES,       403, "forbidden",          -32004, EXIT_NOT_ALLOWED},
    {-EPERM,        403, "forbidden",          -32004, EXIT_NOT_ALLOWED},
    {-ETIMEDOUT,    408, "timeout",            -32005, EXIT_TIMED_OUT},
    {-EMSGSIZE,     413, "too_large",          -32600, EXIT_FAILED},
    {-ENOTSUP,      405, "method_not_allowed", -32601, EXIT_USAGE},
    {-ENOSYS,       501, "not_implemented",    -32601, EXIT_FAILED},
    {-ENOMEM,       503, "unavailable",        -32006, EXIT_FAILED},
    {-EMFILE,       503, "unavailable",        -32006, EXIT_FAILED},
    {-EAGAIN,       503, "unavailable",        -32006, EXIT_FAILED},
    {-ESHUTDOWN,    503, "shutting_down",      -32006, EXIT_NOT_RUNNING},
    {-ECONNREFUSED, 503, "unavailable",        -32006, EXIT_UNREACHABLE},
    {-ECONNRESET,   503, "unavailable",        -32006, EXIT_UNREACHABLE},
};

const struct colony_exit_info colony_exits[] = {
    {EXIT_OK,           "ok"},
    {EXIT_FAILED,       "failed"},
    {EXIT_USAGE,        "usage"},
    {EXIT_NOT_RUNNING,  "not running"},
    {EXIT_NO_SUCH_NAME, "no such name"},
    {EXIT_CONFLICT,     "conflict"},
    {EXIT_UNREACHABLE,  "cannot reach colony"},
    {EXIT_TIMED_OUT,    "timed out"},
    {EXIT_NOT_ALLOWED,  "not allowed"},
    {EXIT_BAD_CONFIG,   "bad configuration"},
    {0},
};
/* clang-format on */

const struct colony_error_info *colony_error_info(int code)
{
    for (size_t i = 0; i < sizeof infos / sizeof infos[0]; i++)
        if (infos[i].code == code)
            return &infos[i];
    return &infos[0];
}

bool colony_is_shortage(int code)
{
    return code == -ENOMEM || code == -EMFILE || code == -ENFILE || code == -EAGAIN;
}

/* A message is one line: what a user typed may be quoted in it and must not forge another. */
static void blank_control_bytes(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

__attribute__((format(printf, 3, 0))) static void fill(struct colony_error *err, int code,
                                                       const char *format, va_list args)
{
    err->code = code;
    if (vsnprintf(err->message, sizeof err->message, format, args) < 0)
        err->message[0] = '\0';
    blank_control_bytes(err->message);
}

int colony_fail(struct colony_error *err, int code, const char *format, ...)
{
    va_list args;

    if (!err)
        return code;
    va_start(args, format);
    fill(err, code, format, args);
    va_end(args);
    return code;
}

int colony_fail_os(struct colony_error *err, int code, const char *format, ...)
{
    char buffer[128];
    const char *reason = strerror_r(-code, buffer, sizeof buffer); /* GNU's: always a text */
    size_t used;
    va_list args;

    if (!err)
        return code;
    va_start(args, format);
    fill(err, code, format, args);
    va_end(args);
    used = strlen(err->message);
    (void)snprintf(err->message + used, sizeof err->message - used, ": %s", reason);
    return code;
}
