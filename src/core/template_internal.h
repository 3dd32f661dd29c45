/* SPDX-License-Identifier: Apache-2.0 */
/* template_internal.h - the types of settings that only templates have; see setting_internal.h. */
#ifndef COLONY_CORE_TEMPLATE_INTERNAL_H
#define COLONY_CORE_TEMPLATE_INTERNAL_H

struct colony__setting_type;

/* Read later, together with others: see command_internal.h and identity_internal.h. */
extern const struct colony__setting_type colony__setting_later;
extern const struct colony__setting_type colony__env_names; /* char **; names without `=` */
extern const struct colony__setting_type colony__umask;     /* the template */
extern const struct colony__setting_type colony__nice;      /* the template; detail is a range */
extern const struct colony__setting_type colony__rlimits;   /* the template */
extern const struct colony__setting_type colony__signal;    /* int */
extern const struct colony__setting_type colony__log;      /* log settings; detail is their table */
extern const struct colony__setting_type colony__log_mode; /* detail is the mode that true means */

#endif
