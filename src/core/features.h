/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features.h - what was left out of this build: `make WITHOUT='tls top'`.
 *
 * In the place of FILE.c that is left out stands FILE_without.c, if anybody calls it: it says so.
 */
#ifndef COLONY_CORE_FEATURES_H
#define COLONY_CORE_FEATURES_H

#include <stdbool.h>

/* The reason in messages. Both are literals. */
#define COLONY_LEFT_OUT(what, feature)                                                             \
    "this colony was built without " what " (make WITHOUT=" feature ")"

/* The names of all that was left out, with a blank between; "": nothing was. */
const char *colony_left_out(void);
/* True unless @name, one of FEATURES in the Makefile, was left out. */
bool colony_has_feature(const char *name);

#endif
