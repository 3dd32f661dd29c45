/* SPDX-License-Identifier: Apache-2.0 */
/* colony/error.h - what went wrong, as a code for programs and one line for people. */
#ifndef COLONY_ERROR_H
#define COLONY_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

enum {
    COLONY_ERROR_TEXT_MAX = 512,
};

/*
 * The caller's; every function that takes one also takes NULL. It is filled when the function
 * fails, and left alone otherwise.
 */
struct colony_error {
    int code;                            /* negative errno, 0 when nothing went wrong */
    char message[COLONY_ERROR_TEXT_MAX]; /* one line: "cannot <do> <what>: <why>" */
};

#ifdef __cplusplus
}
#endif

#endif
