/* SPDX-License-Identifier: Apache-2.0 */
#include "ncurses.h"

#include <stddef.h>

#include "core/library.h"

#define SONAME "libncursesw.so.6"

COLONY_LIBRARY_NOTE(ncurses_note, "top", "the screen of colony top", SONAME);

#define SYMBOL(function) {#function, offsetof(struct colony_ncurses, function)},

static const struct colony_symbol symbols[] = {COLONY_NCURSES_FUNCTIONS(SYMBOL){NULL, 0}};

static struct colony_ncurses functions;

static struct colony_library library = {.soname = SONAME,
                                        .package = "libncursesw6",
                                        .purpose = "a live screen",
                                        .symbols = symbols,
                                        .table = &functions,
                                        .lock = PTHREAD_MUTEX_INITIALIZER};

int colony_ncurses_get(const struct colony_ncurses **out, struct colony_error *err)
{
    int rc = colony_library_open(&library, err);

    if (rc == 0)
        *out = &functions;
    return rc;
}
