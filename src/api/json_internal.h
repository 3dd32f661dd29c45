/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_internal.h - writes JSON from front to back, without a tree and without blanks.
 *
 *     struct colony__json json = {0};
 *
 *     colony__json_open(&json, NULL, '{');
 *     colony__json_add_text(&json, "name", name);
 *     colony__json_close(&json, '}');
 *
 * Inside an object every function takes the key, as ASCII that needs no escape; inside a list and
 * at the top it is NULL. Commas come by themselves. Nothing fails visibly: what could not be held
 * (COLONY__ANSWER_MAX, memory) is noted in `failed`, which colony__respond_json answers.
 */
#ifndef COLONY_API_JSON_INTERNAL_H
#define COLONY_API_JSON_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/buffer_internal.h"

/* A plain value; all-zero is empty. */
struct colony__json {
    struct colony__buffer text; /* without a NUL */
    bool failed;
};

void colony__json_clear(struct colony__json *json);

/* @bracket: '{' or '[', and the same one's other half to close it. */
void colony__json_open(struct colony__json *json, const char *key, char bracket);
void colony__json_close(struct colony__json *json, char bracket);

void colony__json_add_null(struct colony__json *json, const char *key);
void colony__json_add_bool(struct colony__json *json, const char *key, bool value);
void colony__json_add_number(struct colony__json *json, const char *key, uint64_t number);
void colony__json_add_signed(struct colony__json *json, const char *key, int64_t number);
/* Rounded to 1/100: 12.5; null for what is no number. */
void colony__json_add_rounded(struct colony__json *json, const char *key, double number);
/* 1.250 */
void colony__json_add_seconds(struct colony__json *json, const char *key, uint64_t ms);
/* "2026-03-01T12:00:00.250Z", UTC; null for 0 and for what no calendar has. */
void colony__json_add_time(struct colony__json *json, const char *key, uint64_t wall_ms);
/* Each byte that is not UTF-8 is replaced by '?'; NULL is "". */
void colony__json_add_text(struct colony__json *json, const char *key, const char *text);
/* What is JSON already: a whole value. NULL: there was no memory for it. */
void colony__json_add_raw(struct colony__json *json, const char *key, const char *text,
                          size_t size);

#endif
