/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include <stddef.h>
#include <unistd.h>

static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static volatile sig_atomic_t caught;

static void on_signal(int signo)
{
    caught = signo;
}

static void catch_signals(sigset_t *before)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;

    (void)sigemptyset(&action.sa_mask);
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        struct sigaction old;

        if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
            continue; /* nohup */
        (void)sigaddset(&blocked, fatal[i]);
        (void)sigaction(fatal[i], &action, NULL);
    }
    (void)sigprocmask(SIG_BLOCK, &blocked, before);
}

void colony_terminal_begin(struct colony_terminal *terminal, bool is_raw)
{
    struct termios now;

    catch_signals(&terminal->mask);
    terminal->is_set = tcgetattr(STDIN_FILENO, &terminal->before) == 0;
    if (!terminal->is_set)
        return;
    now = terminal->before;
    now.c_iflag |= ICRNL; /* Enter is a newline, which is what ends lines in a pipe */
    if (is_raw) {
        now.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
        now.c_iflag &= ~(tcflag_t)IXON;
        now.c_cc[VMIN] = 1;
        now.c_cc[VTIME] = 0;
    } else {
        now.c_lflag |= ICANON | ECHO | ECHOE | ISIG;
        now.c_cc[VEOL] = (cc_t)COLONY_TERMINAL_LEAVE;
    }
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &now);
}

int colony_terminal_signal(void)
{
    return caught;
}

void colony_terminal_end(struct colony_terminal *terminal)
{
    if (terminal->is_set)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
    terminal->is_set = false;
    if (caught) {
        (void)signal(caught, SIG_DFL);
        (void)raise(caught);
    }
    (void)sigprocmask(SIG_SETMASK, &terminal->mask, NULL); /* where it comes */
}
