/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/pst.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "core/error.h"
#include "core/log.h"
#include "core/secret.h"
#include "core/value.h"
#include "rpc/pst_internal.h"

struct colony_rpc_pst {
    uv_work_t work;
    uv_loop_t *loop;
    const struct rpc_place_kind *kind;
    struct rpc_place place;
    bool is_busy;
    bool is_saving;
    char *text;
    size_t size;
    int rc;
    struct colony_error err;
    bool was_aside; /* err says where what was there is now */
    colony_rpc_pst_loaded_cb loaded_cb;
    colony_rpc_pst_saved_cb saved_cb;
    void *data;
};

static const struct rpc_place_kind *const kinds[] = {
    [PST_FILE_STORAGE] = &rpc_place_file,
    [PST_FILE] = &rpc_place_file,
    [PST_SQLITE] = &rpc_place_sqlite,
    [PST_S3] = &rpc_place_s3,
    [PST_NONE] = NULL,
};

static int copy_text(char **out, const char *text)
{
    if (!text)
        return 0;
    *out = strdup(text);
    return *out ? 0 : -ENOMEM;
}

/* `KEY SECRET` of the file as libcurl wants them. */
static int read_credentials(char **out, const char *path, struct colony_error *err)
{
    char *text = NULL;
    size_t size = 0;
    char *secret;
    int rc = colony_secret_read(&text, &size, path, err);

    if (rc < 0)
        return rc;
    text[strcspn(text, "\r\n")] = '\0';
    secret = strpbrk(text, " \t:");
    if (!secret || secret == text || secret[1] == '\0') {
        colony_secret_free(text, size);
        return colony_fail(err, -EINVAL, "%s:1:1: cannot use these credentials: write KEY SECRET",
                           path);
    }
    *secret = ':';
    rc = copy_text(out, text);
    colony_secret_free(text, size);
    return rc < 0 ? colony_fail_os(err, rc, "cannot read %s", path) : 0;
}

static int fill_place(struct rpc_place *place, const struct colony_pst_settings *settings,
                      const char *path, const char *name)
{
    int rc = copy_text(&place->path, settings->file_path ? settings->file_path : path);

    if (rc == 0)
        rc = copy_text(&place->name, name);
    if (rc == 0)
        rc = copy_text(&place->url, settings->url);
    return rc == 0 ? copy_text(&place->region, settings->region) : rc;
}

/* NOLINTNEXTLINE(readability-function-size): a path and a name stand for what settings leave out */
int colony_rpc_pst_new(struct colony_rpc_pst **out, struct uv_loop_s *loop,
                       const struct colony_pst_settings *settings, const char *path,
                       const char *name, struct colony_error *err)
{
    struct colony_rpc_pst *pst;
    int rc;

    *out = NULL;
    if (!kinds[settings->class_name])
        return 0;
    pst = calloc(1, sizeof *pst);
    if (!pst)
        return colony_fail_os(err, -ENOMEM, "cannot keep attributes");
    pst->loop = loop;
    pst->kind = kinds[settings->class_name];
    rc = fill_place(&pst->place, settings, path, name);
    if (rc < 0)
        (void)colony_fail_os(err, rc, "cannot keep attributes");
    else if (settings->class_name == PST_S3 && settings->credentials)
        rc = read_credentials(&pst->place.credentials, settings->credentials, err);
    if (rc < 0)
        colony_rpc_pst_free(pst);
    else
        *out = pst;
    return rc;
}

int colony_rpc_pst_new_kept(struct colony_rpc_pst **out, struct uv_loop_s *loop,
                            const struct colony_rpc_keeping *keeping, struct colony_error *err)
{
    struct colony_rpc_pst *pst = calloc(1, sizeof *pst);

    if (!pst)
        return colony_fail_os(err, -ENOMEM, "cannot keep attributes");
    pst->loop = loop;
    pst->kind = &rpc_place_kept;
    pst->place.keeping = *keeping;
    *out = pst;
    return 0;
}

void colony_rpc_pst_free(struct colony_rpc_pst *pst)
{
    if (!pst)
        return;
    free(pst->place.path);
    free(pst->place.name);
    free(pst->place.url);
    free(pst->place.region);
    if (pst->place.credentials)
        explicit_bzero(pst->place.credentials, strlen(pst->place.credentials));
    free(pst->place.credentials);
    free(pst->text);
    free(pst);
}

static bool is_object(const char *text, size_t size, struct colony_error *err)
{
    struct colony_value *value = NULL;
    int rc = colony_value_parse_json(&value, text, size, err);
    bool is_map = rc == 0 && value->type == VALUE_MAP;

    colony_value_free(value);
    return is_map || rc == -ENOMEM;
}

static void load(struct colony_rpc_pst *pst)
{
    pst->rc = pst->kind->load(&pst->place, &pst->text, &pst->size, &pst->err);
    if (pst->rc == -EBADMSG ||
        (pst->rc == 0 && pst->text && !is_object(pst->text, pst->size, NULL))) {
        free(pst->text);
        pst->text = NULL;
        pst->rc = pst->kind->put_aside(&pst->place, &pst->err);
        pst->was_aside = pst->rc == 0;
    }
}

static void on_work(uv_work_t *work)
{
    struct colony_rpc_pst *pst = work->data;

    if (pst->is_saving)
        pst->rc = pst->kind->save(&pst->place, pst->text, pst->size, &pst->err);
    else
        load(pst);
}

static void on_done(uv_work_t *work, int status)
{
    struct colony_rpc_pst *pst = work->data;
    char *text = pst->text;

    (void)status;
    pst->text = NULL;
    pst->is_busy = false;
    if (pst->was_aside)
        colony_log(SEVERITY_WARNING, "%s", pst->err.message);
    pst->was_aside = false;
    if (pst->is_saving)
        pst->saved_cb(pst->rc, &pst->err, pst->data);
    else
        pst->loaded_cb(pst->rc, text, &pst->err, pst->data);
    free(text);
}

static int begin(struct colony_rpc_pst *pst)
{
    int rc;

    pst->is_busy = true;
    pst->err = (struct colony_error){0};
    pst->work.data = pst;
    rc = uv_queue_work(pst->loop, &pst->work, on_work, on_done);
    if (rc < 0) {
        free(pst->text);
        pst->text = NULL;
        pst->is_busy = false;
    }
    return rc;
}

int colony_rpc_pst_load(struct colony_rpc_pst *pst, colony_rpc_pst_loaded_cb cb, void *data)
{
    if (pst->is_busy)
        return -EBUSY;
    pst->is_saving = false;
    pst->loaded_cb = cb;
    pst->data = data;
    return begin(pst);
}

int colony_rpc_pst_save(struct colony_rpc_pst *pst, const char *text, size_t size,
                        colony_rpc_pst_saved_cb cb, void *data)
{
    if (pst->is_busy)
        return -EBUSY;
    pst->text = malloc(size + 1);
    if (!pst->text)
        return -ENOMEM;
    memcpy(pst->text, text, size);
    pst->text[size] = '\0';
    pst->size = size;
    pst->is_saving = true;
    pst->saved_cb = cb;
    pst->data = data;
    return begin(pst);
}
