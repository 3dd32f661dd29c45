/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MessageDaemon of malacoda's README, with libcolony:
 *
 *     cc -o message_daemon message_daemon.c $(pkg-config --cflags --libs colony libcjson)
 *     ./message_daemon &
 *     colony rpc call MessageDaemon insert_message 'hello world'
 *     ./message_daemon insert 'hello again'       # the same by a proxy; [PLACE [KEY-FILE]]
 *     colony rpc stop MessageDaemon
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <colony.h>

struct message {
    struct message *next;
    char *text;
};

/* What several threads have in common. */
static struct {
    pthread_mutex_t lock;
    struct message *first;
    struct message *last;
    double counter; /* pst_counter */
} self = {PTHREAD_MUTEX_INITIALIZER, NULL, NULL, 0};

static int insert_message(const struct cJSON *params, struct cJSON **result,
                          struct colony_rpc_error *error, void *data)
{
    const cJSON *msg = cJSON_GetObjectItem(params, "msg");
    struct message *message;

    (void)data;
    if (!cJSON_IsString(msg))
        return colony_rpc_throw(error, -EINVAL, "TypeError", "insert_message(msg): msg is no text");
    message = calloc(1, sizeof *message);
    if (!message || !(message->text = strdup(msg->valuestring))) {
        free(message);
        return -ENOMEM;
    }
    pthread_mutex_lock(&self.lock);
    if (self.first)
        self.last->next = message;
    else
        self.first = message;
    self.last = message;
    self.counter++;
    pthread_mutex_unlock(&self.lock);
    *result = cJSON_CreateString("Message received!");
    return 0;
}

static int get_counter(struct cJSON **value, struct colony_rpc_error *error, void *data)
{
    (void)error, (void)data;
    pthread_mutex_lock(&self.lock);
    *value = cJSON_CreateNumber(self.counter);
    pthread_mutex_unlock(&self.lock);
    return 0;
}

static int set_counter(const struct cJSON *value, struct colony_rpc_error *error, void *data)
{
    (void)data;
    if (!cJSON_IsNumber(value))
        return colony_rpc_throw(error, -EINVAL, "ValueError", "pst_counter is a number");
    pthread_mutex_lock(&self.lock);
    self.counter = value->valuedouble;
    pthread_mutex_unlock(&self.lock);
    return 0;
}

static void print_messages(void)
{
    struct message *message;
    int count = 0;

    pthread_mutex_lock(&self.lock);
    message = self.first;
    self.first = NULL;
    pthread_mutex_unlock(&self.lock);
    for (struct message *at = message; at; at = at->next)
        count++;
    if (count > 0)
        printf("Found %d new messages\n", count);
    while (message) {
        struct message *next = message->next;

        puts(message->text);
        free(message->text);
        free(message);
        message = next;
    }
    fflush(stdout);
}

static void run(struct colony_rpc_daemon *daemon, void *data)
{
    (void)data;
    while (colony_rpc_running(daemon)) {
        print_messages();
        colony_rpc_sleep(daemon, 5000);
    }
    print_messages();
}

static const struct colony_rpc_method insert = {
    .name = "insert_message",
    .params = "msg",
    .doc = "insert_message(msg): prints a message, and counts it.",
    .call = insert_message,
};
static const struct colony_rpc_attribute counter = {
    .name = "pst_counter",
    .doc = "messages so far",
    .get = get_counter,
    .set = set_counter,
};

static int serve(const char *settings, struct colony_error *err)
{
    struct colony_rpc_daemon *daemon;
    int rc = colony_rpc_open(&daemon, "MessageDaemon", settings, err);

    if (rc < 0)
        return rc;
    rc = colony_rpc_expose_method(daemon, &insert, NULL, err);
    if (!rc)
        rc = colony_rpc_expose_attr(daemon, &counter, NULL, NULL, err);
    if (!rc)
        rc = colony_rpc_add_run(daemon, run, NULL, err);
    if (!rc)
        rc = colony_rpc_stop_on_signal(daemon, SIGTERM, err);
    if (!rc)
        rc = colony_rpc_stop_on_signal(daemon, SIGINT, err);
    if (!rc)
        rc = colony_rpc_run(daemon, err);
    colony_rpc_close(daemon);
    return rc;
}

/* What the README does in Python: d = get('MessageDaemon'); d.insert_message(…); d.pst_counter */
static int ask(const char *place, const char *text, const char *key_file, struct colony_error *err)
{
    const struct colony_rpc_access access = {key_file, NULL};
    struct colony_rpc_proxy *proxy;
    cJSON *params = cJSON_CreateArray();
    cJSON *answer = NULL;
    cJSON *count = NULL;
    int rc = colony_rpc_connect(&proxy, place, &access, err);

    cJSON_AddItemToArray(params, cJSON_CreateString(text));
    if (!rc) {
        colony_rpc_set_timeout(proxy, 10000);
        rc = colony_rpc_call(proxy, "insert_message", params, &answer, err);
        if (!rc)
            rc = colony_rpc_get(proxy, "pst_counter", &count, err);
        if (!rc)
            printf("%s\n%g\n", cJSON_GetStringValue(answer), cJSON_GetNumberValue(count));
        colony_rpc_disconnect(proxy);
    }
    cJSON_Delete(params);
    cJSON_Delete(answer);
    cJSON_Delete(count);
    return rc;
}

int main(int argc, char **argv)
{
    struct colony_error err = {0};
    const char *text = argc > 1 ? argv[1] : "pst: {class_name: PstFileStorage}";
    int rc;

    signal(SIGPIPE, SIG_IGN);
    if (argc > 2 && strcmp(text, "insert") == 0)
        rc = ask(argc > 3 ? argv[3] : "MessageDaemon", argv[2], argc > 4 ? argv[4] : NULL, &err);
    else
        rc = serve(text, &err);
    if (rc < 0)
        fprintf(stderr, "message_daemon: %s\n", err.message);
    return rc < 0;
}
