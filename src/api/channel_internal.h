/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel_internal.h - something that is told as it happens, to any number of clients.
 *
 * A channel is one subject (events, output, samples) in one form. What it tells is put into that
 * form once and kept until all who follow have been sent it, up to a limit of bytes: then the
 * oldest goes, and whoever has not got it yet is told how much he missed. So nobody holds up
 * anybody, and a thousand who follow one stream take the memory of one.
 */
#ifndef COLONY_API_CHANNEL_INTERNAL_H
#define COLONY_API_CHANNEL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony__channel;
struct colony__connection;
struct colony__follower;
struct colony__request;
struct colony__server;
struct colony_error;

enum colony__feed {
    FEED_NONE,        /* answer once */
    FEED_LONGPOLL,    /* wait for one, then end */
    FEED_CONTINUOUS,  /* one chunk each, for ever */
    FEED_EVENTSOURCE, /* text/event-stream */
    FEED_TEXT,        /* messages of a WebSocket, in UTF-8 */
    FEED_BINARY,      /* the same as bytes */
};

/* What a client asks for by ?feed=, &heartbeat= and Last-Event-ID. */
struct colony__feed_wish {
    enum colony__feed feed;
    uint64_t heartbeat_ms; /* 0: none */
    bool has_last_id;
    uint64_t last_id; /* what it has seen already */
};

/* How a request is read. */
struct colony__feed_defaults {
    enum colony__feed feed; /* without ?feed= */
    bool is_silent;         /* a heartbeat comes only to who asks for one */
    bool resumes;           /* Last-Event-ID and ?since= mean something here */
};

/* -EINVAL. */
int colony__feed_parse(const struct colony__request *request,
                       const struct colony__feed_defaults *defaults, struct colony__feed_wish *wish,
                       struct colony_error *err);

/* What channels count; server_internal.h has a counter for each. */
extern const char *const colony__feed_units[];

struct colony__channel_options {
    const char *subject; /* what it is known by, together with its form; copied */
    enum colony__feed feed;
    bool is_raw;                /* bytes as they are, unless it is an event source */
    const char *unit;           /* what is counted when some of it was dropped: "events", "bytes" */
    void (*closed)(void *data); /* nobody follows any more; the channel is gone after it */
    void *data;
};

/* The channel of @subject in that form, if it still goes on; else NULL. */
struct colony__channel *colony__channel_find(struct colony__server *server, const char *subject,
                                             enum colony__feed feed);
/* One that nobody follows yet: let a client follow, or free it. -ENOMEM. */
int colony__channel_new(struct colony__channel **out, struct colony__server *server,
                        const struct colony__channel_options *options);
/* For one that nobody came to follow: does not call options->closed. */
void colony__channel_free(struct colony__channel *channel);

#define COLONY__NO_ID UINT64_MAX /* nobody can come back with it */

/* Something to be told; all is borrowed. */
struct colony__tidings {
    const char *event;
    uint64_t id; /* 0: the channel numbers it */
    const char *text;
    size_t size;
    uint64_t weight; /* in the channel's unit */
};

/*
 * What there is no memory for counts as dropped. False: the last who followed has gone, and with
 * him the channel and what options->closed() has freed.
 */
bool colony__channel_tell(struct colony__channel *channel, const struct colony__tidings *tidings);
/* Tells that @weight was lost on the way to the channel. False: as above. */
bool colony__channel_tell_dropped(struct colony__channel *channel, uint64_t weight);
/* Nothing more comes: each client's answer ends once it has been sent all. May be the end of it. */
void colony__channel_end(struct colony__channel *channel);

/* What one client is told before it follows: called when it can take more, and when it has gone. */
struct colony__prelude {
    void (*writable)(struct colony__follower *follower, void *data);
    void (*closed)(void *data);
};

/*
 * Has @connection answered from @channel from now on (a WebSocket must be open already); with
 * @prelude (may be NULL) not before colony__follower_release(). The channel may be gone after this
 * call. -ENOMEM: then it is, if nobody else follows.
 */
int colony__channel_follow(struct colony__channel *channel, struct colony__connection *connection,
                           const struct colony__feed_wish *wish,
                           const struct colony__prelude *prelude, void *data);

/* Inside a prelude. What is told by the channel up to now is none of this client's. */
void colony__follower_catch_up(struct colony__follower *follower);
/* Tells this client alone. False: it has gone, or got all it wanted. */
bool colony__follower_tell(struct colony__follower *follower,
                           const struct colony__tidings *tidings);
/* Tells this client alone that so much is missing. False: it has gone. */
bool colony__follower_tell_dropped(struct colony__follower *follower, uint64_t weight);
/* The prelude calls no more until this was sent; false: nothing is being sent. */
bool colony__follower_flush(struct colony__follower *follower);
/* From now on it follows, but for what has an id up to @last_id. */
void colony__follower_release(struct colony__follower *follower, uint64_t last_id);
/* Hangs up: it may come again. */
void colony__follower_close(struct colony__follower *follower);

#endif
