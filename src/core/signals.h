/* SPDX-License-Identifier: Apache-2.0 */
/* signals.h - names and numbers of signals, signal(7). */
#ifndef COLONY_CORE_SIGNALS_H
#define COLONY_CORE_SIGNALS_H

/* A signal (1…64) by its number or name ("TERM", "SIGTERM", "sigterm", "15"), or -EINVAL. */
int colony_signal_parse(const char *text);
/* "SIGTERM", or "signal 40" for one without a name; in static memory. */
const char *colony_signal_name(int signo);

#endif
