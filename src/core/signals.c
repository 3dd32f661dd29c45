/* SPDX-License-Identifier: Apache-2.0 */
#include "core/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SIGNAL_LAST = 64,
};

/* The first name of a number is the one that is shown. */
static const struct signal_row {
    int signo;
    const char *name;
} rows[] = {
    {SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},       {SIGQUIT, "SIGQUIT"}, {SIGILL, "SIGILL"},
    {SIGTRAP, "SIGTRAP"}, {SIGABRT, "SIGABRT"},     {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
    {SIGKILL, "SIGKILL"}, {SIGUSR1, "SIGUSR1"},     {SIGSEGV, "SIGSEGV"}, {SIGUSR2, "SIGUSR2"},
    {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"},     {SIGTERM, "SIGTERM"}, {SIGSTKFLT, "SIGSTKFLT"},
    {SIGCHLD, "SIGCHLD"}, {SIGCONT, "SIGCONT"},     {SIGSTOP, "SIGSTOP"}, {SIGTSTP, "SIGTSTP"},
    {SIGTTIN, "SIGTTIN"}, {SIGTTOU, "SIGTTOU"},     {SIGURG, "SIGURG"},   {SIGXCPU, "SIGXCPU"},
    {SIGXFSZ, "SIGXFSZ"}, {SIGVTALRM, "SIGVTALRM"}, {SIGPROF, "SIGPROF"}, {SIGWINCH, "SIGWINCH"},
    {SIGIO, "SIGIO"},     {SIGPWR, "SIGPWR"},       {SIGSYS, "SIGSYS"},   {SIGIOT, "SIGIOT"},
    {SIGPOLL, "SIGPOLL"}, {SIGCLD, "SIGCLD"},
};

/* Those without a name: 32 to 64. */
static const char *const numbered[] = {
    "signal 32", "signal 33", "signal 34", "signal 35", "signal 36", "signal 37", "signal 38",
    "signal 39", "signal 40", "signal 41", "signal 42", "signal 43", "signal 44", "signal 45",
    "signal 46", "signal 47", "signal 48", "signal 49", "signal 50", "signal 51", "signal 52",
    "signal 53", "signal 54", "signal 55", "signal 56", "signal 57", "signal 58", "signal 59",
    "signal 60", "signal 61", "signal 62", "signal 63", "signal 64",
};

static int parse_number(const char *text)
{
    size_t length = strspn(text, "0123456789");
    long number;

    if (length == 0 || length > 2 || text[length] != '\0')
        return -EINVAL;
    number = strtol(text, NULL, 10);
    return number >= 1 && number <= SIGNAL_LAST ? (int)number : -EINVAL;
}

int colony_signal_parse(const char *text)
{
    const char *word = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcasecmp(rows[i].name + 3, word) == 0)
            return rows[i].signo;
    return parse_number(text);
}

const char *colony_signal_name(int signo)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].signo == signo)
            return rows[i].name;
    if (signo >= 32 && signo <= SIGNAL_LAST)
        return numbered[signo - 32];
    return "no signal";
}
