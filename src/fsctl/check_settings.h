/* SPDX-License-Identifier: Apache-2.0 */
/* check_settings.h - "ncolony.beatcheck" and "ncolony.httpcheck" of a configuration file. */
#ifndef COLONY_FSCTL_CHECK_SETTINGS_H
#define COLONY_FSCTL_CHECK_SETTINGS_H

#include <stdint.h>

struct colony_error;
struct colony_value;

/* Texts are borrowed from the tree. */
struct colony_beat_settings {
    const char *status;
    uint64_t period_ms;
    uint64_t grace_ms; /* grace times period */
};

struct colony_httpcheck_settings {
    const char *url;
    uint64_t period_ms;
    uint64_t timeout_ms; /* not above the period */
    uint64_t grace_ms;
    uint32_t max_bad;
};

/* 1: @config (a map) has it; 0: it does not ask to be checked; -EINVAL with the reason. */
int colony_beat_settings_read(const struct colony_value *config, struct colony_beat_settings *out,
                              struct colony_error *err);
int colony_httpcheck_settings_read(const struct colony_value *config,
                                   struct colony_httpcheck_settings *out, struct colony_error *err);

#endif
