/* SPDX-License-Identifier: Apache-2.0 */
/* engine_internal.h - templates and slots as the engine's own files see them. */
#ifndef COLONY_CORE_ENGINE_INTERNAL_H
#define COLONY_CORE_ENGINE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>
#include <uv.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/keeper_options.h"
#include "core/link.h"
#include "core/logs.h"
#include "core/message.h"
#include "core/restart.h"
#include "core/settings.h"
#include "core/slot.h"
#include "core/table.h"
#include "core/template.h"

enum {
    WHY_SIZE = 96,
    OUTPUT_STREAM = 0, /* stdout and stderr, in order */
};

/* What a record keeps for the engine over its own death. COLONY_NOTE_SIZE at most. */
struct slot_note {
    uint8_t version;
    uint8_t is_wanted;
    uint8_t state; /* enum colony_slot_state when it was written */
    uint8_t exit_is_told;
    uint32_t attempt;
    uint64_t restarts;
    uint64_t template_hash;
    uint64_t retry_boot_ms; /* SLOT_BACKOFF: when */
};

_Static_assert(sizeof(struct slot_note) <= COLONY_NOTE_SIZE, "a note must fit its record");

struct slot {
    struct template_entry *entry;
    uint32_t number; /* from 1 */
    enum colony_slot_state state;
    uint32_t moves;   /* how often the state changed */
    bool is_wanted;   /* it should run */
    bool is_leaving;  /* no settings know it any more: freed once it is stopped */
    bool is_spawning; /* the keeper has been asked */
    bool has_record;
    bool output_lost;
    uint8_t adopted_state; /* enum colony_record_state it was told in, until WELCOME */

    /* the record of its process, or of its last one */
    uint32_t index;
    uint64_t id;
    pid_t os_pid; /* 0: none lives */
    uint64_t started_boot_ms;
    uint64_t started_at_ms; /* wall clock */
    UT_hash_handle by_id;   /* while one lives */

    struct colony_log *log;
    struct colony_restart_state restart;
    uint64_t restarts;
    uint64_t retry_boot_ms;
    uv_timer_t timer; /* grace, sweep or backoff, by the state */

    /* a stop under way */
    uint64_t deadline_ms; /* on the loop's clock: SIGKILL from then on */
    uint32_t sweep_delay_ms;
    int swept_with; /* the signal of the sweep under way; -1: none is */
    bool strays_counted;

    /* its last end */
    bool has_exit;
    bool exit_known;
    bool exit_is_told; /* that of the process in its record */
    int32_t wait_status;
    char *failure; /* why the last spawn failed; NULL: it did not */
};

struct template_entry {
    struct colony_engine *engine;
    struct colony_template *template;
    bool owns_template; /* else the settings do */
    uint32_t place;     /* in the order of addition */
    struct slot **slots;
    uint32_t slot_count;
    struct colony_stop_report report;
    char why[WHY_SIZE]; /* who last asked for something */
    UT_hash_handle hh;  /* by name */
};

struct colony_engine {
    uv_loop_t *loop;
    const struct colony_settings *settings;
    const struct colony_keeper_options *keeper;
    struct colony_engine_callbacks callbacks;
    struct colony_link *link;
    struct colony_logs *logs;
    struct colony_events *events;
    struct colony_table table; /* the keeper's, read-only */
    struct colony_hello hello;
    struct colony_held_socket sockets[KEEPER_SOCKETS_MAX];
    size_t socket_count;
    struct template_entry *entries; /* uthash by name, in order of addition */
    struct slot *living;            /* uthash by id */
    uv_poll_t keeper_poll;          /* its pidfd */
    int keeper_pidfd;
    uint32_t up_count; /* slots that are not SLOT_STOPPED */
    bool is_welcomed;
    bool is_stopping;
    bool is_lost;
    bool is_closing;
    int exit_code;
    size_t open_handles;
    colony_engine_close_cb close_cb;
    void *close_data;
};

/* engine_slot.c: the state machine. */
int engine_slot_new(struct slot **out, struct template_entry *entry, uint32_t number);
void engine_slot_handle(struct slot *slot, enum colony_slot_event event);
void engine_slot_start(struct slot *slot);
void engine_slot_stop(struct slot *slot);
void engine_slot_hurry(struct slot *slot);
void engine_slot_retry_later(struct slot *slot, uint64_t delay_ms);
void engine_slot_on_spawned(struct slot *slot);
void engine_slot_on_failed(struct slot *slot, int step, int error);
void engine_slot_on_exited(struct slot *slot);
void engine_slot_on_swept(struct slot *slot, const struct colony_swept *swept);
void engine_slot_retire(struct slot *slot);

/* engine_spawn.c: orders to the keeper. */
int engine_order_spawn(struct slot *slot, struct colony_error *err);
void engine_order_signal(struct slot *slot, int signo, uint32_t flags);
void engine_order_sweep(struct slot *slot, int signo);
void engine_order_forget(struct colony_engine *engine, uint32_t index, uint64_t id);
void engine_save_note(struct slot *slot);
void engine_describe_failure(struct slot *slot, int step, int error);

/* engine_link.c: what the keeper says. */
void engine_on_message(const struct colony_message *message, const int *fds, size_t fd_count,
                       void *data);

/* engine_index.c */
struct template_entry *engine_find_entry(struct colony_engine *engine, const char *name);
int engine_add_entry(struct colony_engine *engine, struct colony_template *template, bool owns,
                     struct template_entry **out);
void engine_free_entries(struct colony_engine *engine);
struct slot *engine_find_living(struct colony_engine *engine, uint64_t id);
void engine_add_living(struct slot *slot);
void engine_remove_living(struct slot *slot);

/* engine.c */
struct slot *engine_entry_slot(struct template_entry *entry, uint32_t number);
void engine_set_why(struct template_entry *entry, const char *why);
void engine_publish(struct template_entry *entry, enum colony_event_type type);
void engine_check_stopped(struct colony_engine *engine);
void engine_stop_all(struct colony_engine *engine, const char *why);
void engine_lose(struct colony_engine *engine);
uint64_t engine_boot_ms(void);
const struct colony_record *engine_slot_record(const struct slot *slot);

#endif
