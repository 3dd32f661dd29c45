/* SPDX-License-Identifier: Apache-2.0 */
#include "ncurses.h"

#include <stddef.h>

#include "core/library.h"

#define SONAME "libncursesw.so.6"

COLONY_LIBRARY_NOTE(ncurses_note, "top", "the screen of colony top", SONAME);

#define SYMBOL(function) {#function, offsetof(struct colony_ncurses, function)},

static const struct colony_symbol symbols[] = {COLONY_NCURSES_FUNCTIONS(SYMBOL){NULL, 0}};

int colony_ncurses_get(const struct colony_ncurses **out, struct colony_error *err)
{
    static const struct colony_library library = {SONAME, "libncursesw6", "a live screen"};
    static struct colony_ncurses functions;
    int rc = colony_library_open(&library, symbols, &functions, err);

    if (rc == 0)
        *out = &functions;
    return rc;
}
