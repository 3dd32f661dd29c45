/* SPDX-License-Identifier: Apache-2.0 */
/* Files of tokens: each that was accepted opens what its line says, and nothing near it does. */
#include "api/access_internal.h"
#include "api/tokens_internal.h"
#include "core/error.h"

#include "fuzz.h"

/* What the file says again of its own line @at: the last word is the token. */
static void check_line(const struct colony__tokens *tokens, const char *at, size_t size)
{
    char word[3][COLONY__TOKEN_BYTES_MAX + 2] = {{0}};
    const char *end = at + size;
    const char *name;
    unsigned rights;
    size_t count = 0;

    while (at < end && count < 3) {
        size_t length = 0;

        while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
            at++;
        while (at < end && *at != ' ' && *at != '\t' && *at != '\r') {
            if (length + 1 < sizeof word[0])
                word[count][length++] = *at;
            at++;
        }
        count += length > 0;
    }
    if (count == 0 || word[0][0] == '#')
        return;
    CHECK(count == 3);
    rights = colony__tokens_find(tokens, word[2], &name);
    CHECK(name && strcmp(name, word[0]) == 0);
    CHECK(rights == (strcmp(word[1], "read") == 0 ? ACCESS_READ : ACCESS_READ | ACCESS_CONTROL));
    word[2][strlen(word[2]) - 1] = '\0';
    rights = colony__tokens_find(tokens, word[2], &name);
    CHECK(rights == 0 || strcmp(name, word[0]) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct colony__tokens *tokens = NULL;
    struct colony_error err = {0};
    const char *name;

    if (colony__tokens_parse(&tokens, text, "f", &err) < 0) {
        CHECK(err.code < 0 && err.message[0] != '\0');
    } else {
        for (const char *at = text; *at != '\0'; at += *at == '\n') {
            check_line(tokens, at, strcspn(at, "\n"));
            at += strcspn(at, "\n");
        }
        (void)colony__tokens_find(tokens, text, &name);
        colony__tokens_free(tokens);
    }
    free(text);
    return 0;
}
