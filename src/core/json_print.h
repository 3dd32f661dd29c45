/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_print.h - cJSON's trees as text that is like any other.
 *
 * A program that embeds colony may have given cJSON an allocator of its own (cJSON_InitHooks): what
 * cJSON prints is then cJSON's to free, and this is not.
 */
#ifndef COLONY_CORE_JSON_PRINT_H
#define COLONY_CORE_JSON_PRINT_H

struct cJSON;

/* Without blanks, for free(). NULL: @json is NULL, or there is no memory. */
char *colony_json_print(const struct cJSON *json);

#endif
