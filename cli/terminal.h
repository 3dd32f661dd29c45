/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal.h - the user's terminal, set up for a while and always given back as it was: also when
 * a signal ends the command.
 */
#ifndef COLONY_CLI_TERMINAL_H
#define COLONY_CLI_TERMINAL_H

#include <signal.h>
#include <stdbool.h>
#include <termios.h>

#define COLONY_TERMINAL_LEAVE '\x1d' /* ctrl-] */

struct colony_terminal {
    struct termios before;
    sigset_t mask; /* for ppoll(): only then do signals come */
    bool is_set;
};

/*
 * Blocks the signals that end commands, which colony_terminal_signal() then tells of. If stdin is a
 * terminal: reads by lines, which end with ctrl-] too; with @is_raw by bytes, without echo and with
 * no key that is a signal.
 */
void colony_terminal_begin(struct colony_terminal *terminal, bool is_raw);

/* The signal that came while ppoll() waited, or 0. */
int colony_terminal_signal(void);

/* Gives the terminal back; ends by the signal that came, if one did. */
void colony_terminal_end(struct colony_terminal *terminal);

#endif
