/* SPDX-License-Identifier: Apache-2.0 */
/* Procfiles: what was read, written as such a file, is read as the same. */
#include "core/error.h"
#include "core/procfile.h"

#include "fuzz.h"

static void check_again(const struct colony_procfile *procfile)
{
    struct colony_procfile again;
    struct colony_error err = {0};
    size_t size = 1;
    size_t used = 0;
    char *text;

    for (size_t i = 0; i < procfile->count; i++)
        size += strlen(procfile->types[i].name) + strlen(procfile->types[i].command) + 3;
    text = malloc(size);
    CHECK(text);
    for (size_t i = 0; i < procfile->count; i++)
        used += (size_t)snprintf(text + used, size - used, "%s: %s\n", procfile->types[i].name,
                                 procfile->types[i].command);
    CHECK(used + 1 == size);
    if (used <= COLONY_PROCFILE_BYTES_MAX) {
        CHECK(colony_procfile_parse(&again, text, used, "again", &err) == 0);
        CHECK(again.count == procfile->count);
        for (size_t i = 0; i < again.count; i++) {
            CHECK(strcmp(again.types[i].name, procfile->types[i].name) == 0);
            CHECK(strcmp(again.types[i].command, procfile->types[i].command) == 0);
        }
        colony_procfile_clear(&again);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct colony_procfile procfile;
    struct colony_error err = {0};

    if (colony_procfile_parse(&procfile, text, size, "file", &err) < 0) {
        CHECK(strncmp(err.message, "file:", 5) == 0 || size > COLONY_PROCFILE_BYTES_MAX);
        CHECK(procfile.count == 0);
    } else {
        CHECK(procfile.count > 0);
        check_again(&procfile);
    }
    colony_procfile_clear(&procfile);
    free(text);
    return 0;
}
