/* SPDX-License-Identifier: Apache-2.0 */
/* The small texts of settings: durations, sizes, signals, addresses. */
#include <inttypes.h>

#include "core/address.h"
#include "core/ready_internal.h"
#include "core/setting_internal.h"
#include "core/settings.h"
#include "core/signals.h"

#include "fuzz.h"

static void check_duration(const char *text)
{
    char printed[32];
    uint64_t again;
    uint64_t ms;

    if (colony_settings_parse_duration(text, &ms) < 0)
        return;
    CHECK(ms <= COLONY__DURATION_MS_MAX);
    (void)snprintf(printed, sizeof printed, "%" PRIu64 "ms", ms);
    CHECK(colony_settings_parse_duration(printed, &again) == 0 && again == ms);
}

static void check_size(const char *text)
{
    char printed[32];
    uint64_t again;
    uint64_t bytes;

    if (colony_settings_parse_size(text, &bytes) < 0)
        return;
    (void)snprintf(printed, sizeof printed, "%" PRIu64, bytes);
    CHECK(colony_settings_parse_size(printed, &again) == 0 && again == bytes);
}

static void check_signal(const char *text)
{
    int signo = colony_signal_parse(text);
    const char *name = colony_signal_name(signo);

    if (signo < 0)
        return;
    CHECK(signo >= 1 && signo <= 64);
    CHECK(strncmp(name, "SIG", 3) == 0 ? colony_signal_parse(name) == signo
                                       : strtol(name + strlen("signal "), NULL, 10) == signo);
}

static void check_address(const char *text)
{
    struct colony__ready_address address;
    struct colony__ready_address again;
    struct colony_bind bind;
    char printed[sizeof address.host + sizeof address.port + 3];

    if (colony_bind_parse(&bind, text, NULL) == 0)
        CHECK(bind.is_unix ? bind.path[0] != '\0' : bind.host[0] != '\0' && bind.port[0] != '\0');
    if (colony__ready_split_address(&address, text) < 0)
        return;
    (void)snprintf(printed, sizeof printed, strchr(address.host, ':') ? "[%s]:%s" : "%s:%s",
                   address.host, address.port);
    CHECK(colony__ready_split_address(&again, printed) == 0);
    CHECK(strcmp(again.host, address.host) == 0 && strcmp(again.port, address.port) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    check_duration(text);
    check_size(text);
    check_signal(text);
    check_address(text);
    (void)colony__is_host_port(text);
    free(text);
    return 0;
}
