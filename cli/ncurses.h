/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ncurses.h - the functions of ncursesw that `colony top` uses, opened on first use (library.h).
 */
#ifndef COLONY_CLI_NCURSES_H
#define COLONY_CLI_NCURSES_H

#include <stdbool.h>
#include <stdio.h>

#define NCURSES_NOMACROS 1
#include <curses.h>

struct colony_error;

#define COLONY_NCURSES_FUNCTIONS(F)                                                                \
    F(cbreak)                                                                                      \
    F(clearok)                                                                                     \
    F(curs_set)                                                                                    \
    F(delscreen)                                                                                   \
    F(delwin)                                                                                      \
    F(doupdate)                                                                                    \
    F(endwin)                                                                                      \
    F(getmaxx)                                                                                     \
    F(getmaxy)                                                                                     \
    F(has_colors)                                                                                  \
    F(init_pair)                                                                                   \
    F(keypad)                                                                                      \
    F(newterm)                                                                                     \
    F(newwin)                                                                                      \
    F(nodelay)                                                                                     \
    F(noecho)                                                                                      \
    F(resizeterm)                                                                                  \
    F(set_escdelay)                                                                                \
    F(start_color)                                                                                 \
    F(use_default_colors)                                                                          \
    F(waddnstr)                                                                                    \
    F(wattrset)                                                                                    \
    F(werase)                                                                                      \
    F(wgetch)                                                                                      \
    F(wmove)                                                                                       \
    F(wnoutrefresh)                                                                                \
    F(wresize)

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it is a name, which has none */
#define COLONY_NCURSES_MEMBER(function) __typeof__(function) *function;

struct colony_ncurses {
    COLONY_NCURSES_FUNCTIONS(COLONY_NCURSES_MEMBER)
};

/* The first call opens the library. -ENOENT, -ENOTSUP with what to install. */
int colony_ncurses_get(const struct colony_ncurses **out, struct colony_error *err);

#endif
