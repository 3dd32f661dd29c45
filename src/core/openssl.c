/* SPDX-License-Identifier: Apache-2.0 */
#include "core/openssl.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <openssl/pem.h>

#include "core/error.h"
#include "core/library.h"
#include "core/secret.h"

#define TEXT_OF(value) #value
#define SONAME_OF(version) "libssl.so." TEXT_OF(version)
#define SONAME SONAME_OF(OPENSSL_SHLIB_VERSION)

COLONY_LIBRARY_NOTE(openssl_note, "tls", "TLS of the control endpoint and of colony ctl", SONAME);

#define SYMBOL(function) {#function, offsetof(struct colony_openssl, function)},

static const struct colony_symbol symbols[] = {COLONY_OPENSSL_FUNCTIONS(SYMBOL){NULL, 0}};

static struct colony_openssl functions;

static struct colony_library library = {.soname = SONAME,
                                        .package = "libssl3",
                                        .purpose = "TLS",
                                        .symbols = symbols,
                                        .table = &functions,
                                        .lock = PTHREAD_MUTEX_INITIALIZER};

int colony_openssl_get(const struct colony_openssl **out, struct colony_error *err)
{
    int rc = colony_library_open(&library, err);

    if (rc == 0)
        *out = &functions;
    return rc;
}

static const char no_key[] = "there is no key in it";

/* What OpenSSL's own words do not tell. */
static const struct {
    int library;
    int reason;
    const char *text;
} reasons[] = {
    {ERR_LIB_CRYPTO, ERR_R_INTERRUPTED_OR_CANCELLED,
     "it has a passphrase, which colony cannot ask for (openssl pkey takes it off)"},
    {ERR_LIB_OSSL_DECODER, ERR_R_UNSUPPORTED, no_key},
    {ERR_LIB_PEM, PEM_R_NO_START_LINE, "there is no certificate in it"},
};

const char *colony_openssl_reason(const struct colony_openssl *ssl)
{
    unsigned long code = ssl->ERR_get_error();
    const char *reason = code ? ssl->ERR_reason_error_string(code) : NULL;

    ssl->ERR_clear_error();
    if (ERR_SYSTEM_ERROR(code))
        return strerror(ERR_GET_REASON(code));
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].library == ERR_GET_LIB(code) && reasons[i].reason == ERR_GET_REASON(code))
            return reasons[i].text;
    return reason ? reason : "unknown reason";
}

int colony_openssl_fail_file(const struct colony_openssl *ssl, const char *what, const char *path,
                             struct colony_error *err)
{
    return colony_fail(err, -EINVAL, "cannot use the %s %s: %s", what, path,
                       colony_openssl_reason(ssl));
}

/* Nobody sits at a terminal to be asked. */
static int refuse_password(char *text, int size, int is_writing, void *data)
{
    (void)text, (void)size, (void)is_writing, (void)data;
    return -1;
}

static int fail_key(const struct colony_openssl *ssl, const struct colony_openssl_files *files,
                    struct colony_error *err)
{
    const char *reason = colony_openssl_reason(ssl);

    if (!files->key && reason == no_key)
        return colony_fail(err, -EINVAL, "cannot use %s: %s: %s must say where it is",
                           files->certificate, reason, files->key_option);
    return colony_fail(err, -EINVAL, "cannot use the key %s: %s",
                       files->key ? files->key : files->certificate, reason);
}

/* A key of its own is judged before it is read; a certificate may be public, unless a key is found
 * in its file. */
int colony_openssl_use(const struct colony_openssl *ssl, SSL_CTX *context,
                       const struct colony_openssl_files *files, struct colony_error *err)
{
    const char *key = files->key ? files->key : files->certificate;
    int rc = files->key ? colony_secret_check(key, err) : 0;

    if (rc < 0)
        return rc;
    ssl->SSL_CTX_set_default_passwd_cb(context, refuse_password);
    if (ssl->SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1)
        return colony_openssl_fail_file(ssl, "certificate", files->certificate, err);
    if (ssl->SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
        ssl->SSL_CTX_check_private_key(context) != 1)
        return fail_key(ssl, files, err);
    return files->key ? 0 : colony_secret_check(key, err);
}
