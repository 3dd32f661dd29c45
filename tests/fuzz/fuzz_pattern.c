/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions of `ready: {line: …}`: the pattern, a newline, and a line of output.
 *
 * What regexec(3) says of a short text is what we say; a long one must take its time and no more.
 */
#include <errno.h>
#include <regex.h>

#include "core/error.h"
#include "core/pattern.h"

#include "fuzz.h"

enum {
    SHORT_TEXT = 24, /* for which regexec is quick */
    SHORT_PATTERN = 24,
    REPEATS_MAX = 3, /* regcomp writes `a+++` out as 2^3 times a */
};

/* What regcomp and regexec take in which time they can. */
static bool both_know(const char *pattern)
{
    size_t repeats = 0;

    for (const char *at = pattern; (at = strpbrk(at, "*+?{")); at++)
        repeats++;
    if (repeats > REPEATS_MAX)
        return false;
    return strlen(pattern) <= SHORT_PATTERN && !strchr(pattern, '{') && !strstr(pattern, "[=") &&
           !strstr(pattern, "[.");
}

static void compare(const char *pattern, const char *bytes, size_t size, bool is_match)
{
    regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)size};
    regex_t regex;

    if (!both_know(pattern) || regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return;
    CHECK((regexec(&regex, bytes, 1, &range, REG_STARTEND) == 0) == is_match);
    regfree(&regex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t length = newline ? (size_t)(newline - data) : size;
    size_t left = newline ? size - length - 1 : 0;
    char *text = fuzz_text(data, length);
    char *output = fuzz_text(data + size - left, left);
    struct colony_pattern *pattern = NULL;
    struct colony_error reason = {0};

    if (colony_pattern_new(&pattern, text, &reason) < 0) {
        CHECK(reason.code == -EINVAL && reason.message[0] != '\0');
    } else {
        bool is_match = colony_pattern_matches(pattern, output, left);

        CHECK(colony_pattern_matches(pattern, output, left) == is_match);
        if (left <= SHORT_TEXT && !memchr(output, '\n', left))
            compare(text, output, left, is_match);
    }
    colony_pattern_free(pattern);
    free(output);
    free(text);
    return 0;
}
