/* SPDX-License-Identifier: Apache-2.0 */
/* template_streams.c - the settings `redirect_output` and `custom_streams`: labels of streams. */
#include <errno.h>
#include <string.h>

#include "core/message.h"
#include "core/setting_internal.h"
#include "core/template.h"
#include "core/template_internal.h"
#include "core/utf8.h"
#include "core/value_internal.h"

_Static_assert((int)COLONY_CUSTOM_FD_FIRST + (int)COLONY_STREAMS_CUSTOM <=
                   (int)COLONY_CHILD_FDS_MAX,
               "a child has a descriptor for each custom stream");

static bool is_in(const char *text, char *const *list)
{
    for (size_t i = 0; list && list[i]; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

static bool is_label(const char *text)
{
    static char *const inputs[] = {".", "..", "stdin", "ttin", NULL};
    size_t length = strlen(text);

    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '/')
            return false;
    return length > 0 && length <= COLONY_LABEL_MAX && colony_utf8_length(text, length) == length &&
           !is_in(text, inputs);
}

static int read_some_labels(const struct colony__reading *reading,
                            const struct colony__setting *row, const struct colony_value *value,
                            void *field)
{
    int rc = colony__setting_texts.read(reading, row, value, field);
    char *const *labels = *(char ***)field;

    for (size_t i = 0; rc == 0 && labels && labels[i]; i++)
        if (!is_label(labels[i]))
            rc =
                colony__setting_fail(reading, value, -EINVAL,
                                     "cannot use `%s`: a label has 1 to %d bytes without blanks or "
                                     "/, and is not '.', 'stdin' or 'ttin'",
                                     row->name, COLONY_LABEL_MAX);
    return rc;
}

static size_t count_labels(char *const *labels)
{
    size_t count = 0;

    while (labels && labels[count])
        count++;
    return count;
}

static int read_labels(const struct colony__reading *reading, const struct colony__setting *row,
                       const struct colony_value *value, void *field)
{
    int rc = read_some_labels(reading, row, value, field);

    if (rc == 0 && count_labels(*(char ***)field) > 2)
        rc = colony__setting_fail(reading, value, -EINVAL,
                                  "cannot use `%s`: there are two outputs, stdout and stderr",
                                  row->name);
    return rc;
}

static int read_stream_labels(const struct colony__reading *reading,
                              const struct colony__setting *row, const struct colony_value *value,
                              void *field)
{
    int rc = read_some_labels(reading, row, value, field);
    char *const *labels = *(char ***)field;

    if (rc == 0 && count_labels(labels) > COLONY_STREAMS_CUSTOM)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `%s`: there may be %d, descriptors %d to %d",
                                    row->name, COLONY_STREAMS_CUSTOM, COLONY_CUSTOM_FD_FIRST,
                                    COLONY_CUSTOM_FD_FIRST + COLONY_STREAMS_CUSTOM - 1);
    for (size_t i = 0; rc == 0 && labels && labels[i]; i++) {
        if (strcmp(labels[i], "stdout") == 0 || strcmp(labels[i], "stderr") == 0)
            rc = colony__setting_fail(reading, value, -EINVAL,
                                      "cannot use `%s`: follow %s by `redirect_output`", row->name,
                                      labels[i]);
        else if (is_in(labels[i], labels + i + 1))
            rc = colony__setting_fail(reading, value, -EINVAL,
                                      "cannot use `%s`: two of them are called `%s`", row->name,
                                      labels[i]);
    }
    return rc;
}

/* Which of its streams is the descriptor by which it tells that it is ready; NULL: none. */
static const char *find_ready_label(const struct colony__draft *draft)
{
    char *const *labels = draft->template.custom_streams;

    if (draft->ready.kind != READY_FD)
        return NULL;
    for (int i = 0; labels[i]; i++)
        if (draft->ready.fd == COLONY_CUSTOM_FD_FIRST + i)
            return labels[i];
    return NULL;
}

int colony__streams_check(const struct colony__draft *draft, const struct colony__reading *reading)
{
    const struct colony_value *value = colony_value_get(draft->source, "custom_streams");
    const struct colony_template *template = &draft->template;
    char *const *labels = template->custom_streams;
    const char *ready;

    if (count_labels(labels) == 0)
        return 0;
    if (template->detach)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `custom_streams` together with `detach`: nobody "
                                    "is left to read them");
    for (size_t i = 0; labels[i]; i++)
        if (is_in(labels[i], template->redirect_output))
            return colony__setting_fail(reading, value, -EINVAL,
                                        "cannot use `custom_streams`: `%s` is in "
                                        "`redirect_output`, too",
                                        labels[i]);
    ready = find_ready_label(draft);
    if (ready)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `custom_streams`: descriptor %d is that of "
                                    "`ready: {fd: %d}` and of `%s`",
                                    draft->ready.fd, draft->ready.fd, ready);
    return 0;
}

const struct colony__setting_type colony__labels = {"a label or a list of two", false, read_labels,
                                                    NULL};
const struct colony__setting_type colony__stream_labels = {"a label or a list of labels", false,
                                                           read_stream_labels, NULL};
