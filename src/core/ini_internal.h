/* SPDX-License-Identifier: Apache-2.0 */
/* ini_internal.h - from lines to sections (ini.c), from sections to settings (ini_gaffer.c). */
#ifndef COLONY_CORE_INI_INTERNAL_H
#define COLONY_CORE_INI_INTERNAL_H

struct colony__reading;
struct colony_value;

/*
 * Takes the sections of a file, each a map of texts, and puts colony's settings in their place, as
 * ini.h says. What it could not use stays in @root, which is the caller's as before.
 */
int colony__ini_settle(struct colony_value *root, const struct colony__reading *reading);

#endif
