/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tls_internal.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/openssl.h"
#include "core/settings.h"

enum {
    HANDSHAKE_RECORD = 0x16, /* the first byte of whoever speaks TLS */
};

struct colony__tls_context {
    const struct colony_openssl *lib;
    SSL_CTX *ssl;
};

struct colony__tls {
    const struct colony_openssl *lib;
    SSL *ssl;
    const char *in; /* borrowed */
    size_t in_size;
    struct colony__buffer wire;
    bool has_begun;
    bool is_broken; /* OpenSSL must not be asked again */
};

/* --- files ------------------------------------------------------------------------------------ */

/* Forward secrecy and authenticated encryption only, which every client since 2014 has. */
static int set_rules(struct colony__tls_context *context, struct colony_error *err)
{
    const struct colony_openssl *lib = context->lib;
    SSL_CTX *ssl = context->ssl;

    lib->SSL_CTX_ctrl(ssl, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
    lib->SSL_CTX_ctrl(ssl, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, NULL);
    lib->SSL_CTX_ctrl(ssl, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
    /* Nothing is resumed: who is no longer let in after a reload must not get in by a ticket. */
    (void)lib->SSL_CTX_set_num_tickets(ssl, 0);
    (void)lib->SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                            SSL_OP_NO_COMPRESSION |
                                            SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (lib->SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
        return colony_fail(err, -ENOTSUP, "cannot use TLS: %s", colony_openssl_reason(lib));
    return 0;
}

static int use_certificate(struct colony__tls_context *context,
                           const struct colony_tls_settings *settings, struct colony_error *err)
{
    const struct colony_openssl_files files = {.certificate = settings->certfile,
                                               .key = settings->keyfile,
                                               .key_option = "`keyfile` (--keyfile FILE)"};

    return colony_openssl_use(context->lib, context->ssl, &files, err);
}

static int want_client_certificates(struct colony__tls_context *context, const char *path,
                                    struct colony_error *err)
{
    const struct colony_openssl *lib = context->lib;
    STACK_OF(X509_NAME) *names = lib->SSL_load_client_CA_file(path);

    if (!names || lib->SSL_CTX_load_verify_locations(context->ssl, path, NULL) != 1)
        return colony_openssl_fail_file(lib, "authorities", path, err);
    lib->SSL_CTX_set_client_CA_list(context->ssl, names); /* which owns them now */
    lib->SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return 0;
}

int colony__tls_context_new(struct colony__tls_context **out,
                            const struct colony_tls_settings *settings, struct colony_error *err)
{
    const struct colony_openssl *lib = NULL;
    struct colony__tls_context *context;
    int rc = colony_openssl_get(&lib, err);

    if (rc < 0)
        return rc;
    context = calloc(1, sizeof *context);
    if (!context)
        return colony_fail(err, -ENOMEM, "cannot use TLS: out of memory");
    lib->ERR_clear_error();
    context->lib = lib;
    context->ssl = lib->SSL_CTX_new(lib->TLS_server_method());
    if (context->ssl)
        rc = set_rules(context, err);
    else
        rc = colony_fail(err, -ENOMEM, "cannot use TLS: %s", colony_openssl_reason(lib));
    if (rc == 0)
        rc = use_certificate(context, settings, err);
    if (rc == 0 && settings->client_ca)
        rc = want_client_certificates(context, settings->client_ca, err);
    if (rc < 0) {
        colony__tls_context_free(context);
        return rc;
    }
    *out = context;
    return 0;
}

void colony__tls_context_free(struct colony__tls_context *context)
{
    if (!context)
        return;
    context->lib->SSL_CTX_free(context->ssl);
    free(context);
}

/* --- a stream's ends in memory ---------------------------------------------------------------- */

static const struct colony_openssl *lib_of(BIO *bio, struct colony__tls **tls);

/* OpenSSL takes what was fed; it keeps itself what is no whole record yet. */
static int take_fed(BIO *bio, char *data, int size)
{
    struct colony__tls *tls;
    const struct colony_openssl *lib = lib_of(bio, &tls);
    size_t count = (size_t)size < tls->in_size ? (size_t)size : tls->in_size;

    lib->BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (count == 0) {
        lib->BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
        return -1;
    }
    memcpy(data, tls->in, count);
    tls->in += count;
    tls->in_size -= count;
    return (int)count;
}

static int put_sealed(BIO *bio, const char *data, int size)
{
    struct colony__tls *tls;
    const struct colony_openssl *lib = lib_of(bio, &tls);

    lib->BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (colony__buffer_append(&tls->wire, data, (size_t)size, COLONY__TLS_BACKLOG) < 0)
        return -1;
    return size;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *make_method(const struct colony_openssl *lib)
{
    BIO_METHOD *method =
        lib->BIO_meth_new(lib->BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "colony");
    if (!method)
        return NULL;
    (void)lib->BIO_meth_set_read(method, take_fed);
    (void)lib->BIO_meth_set_write(method, put_sealed);
    (void)lib->BIO_meth_set_ctrl(method, control);
    return method;
}

/* The kind of BIO that does so; made once, by whichever engine of the program is the first. */
static BIO_METHOD *memory_method(const struct colony_openssl *lib)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static BIO_METHOD *made;
    BIO_METHOD *method;

    (void)pthread_mutex_lock(&lock);
    if (!made)
        made = make_method(lib);
    method = made;
    (void)pthread_mutex_unlock(&lock);
    return method;
}

static const struct colony_openssl *lib_of(BIO *bio, struct colony__tls **tls)
{
    const struct colony_openssl *lib = NULL;

    (void)colony_openssl_get(&lib, NULL); /* it is open: who else would call this */
    *tls = lib->BIO_get_data(bio);
    return lib;
}

int colony__tls_new(struct colony__tls **out, struct colony__tls_context *context)
{
    const struct colony_openssl *lib = context->lib;
    BIO_METHOD *method = memory_method(lib);
    struct colony__tls *tls = calloc(1, sizeof *tls);
    BIO *bio = method && tls ? lib->BIO_new(method) : NULL;

    if (bio)
        tls->ssl = lib->SSL_new(context->ssl);
    if (!bio || !tls->ssl) {
        if (bio)
            lib->BIO_free(bio);
        free(tls);
        lib->ERR_clear_error();
        return -ENOMEM;
    }
    tls->lib = lib;
    lib->BIO_set_data(bio, tls);
    lib->BIO_set_init(bio, 1);
    lib->SSL_set_bio(tls->ssl, bio, bio); /* which owns it now */
    lib->SSL_set_accept_state(tls->ssl);
    *out = tls;
    return 0;
}

void colony__tls_free(struct colony__tls *tls)
{
    if (!tls)
        return;
    tls->lib->SSL_free(tls->ssl);
    colony__buffer_clear(&tls->wire);
    free(tls);
}

/* --- bytes ------------------------------------------------------------------------------------ */

void colony__tls_feed(struct colony__tls *tls, const char *data, size_t size)
{
    tls->in = data;
    tls->in_size = size;
}

struct colony__buffer *colony__tls_wire(struct colony__tls *tls)
{
    return &tls->wire;
}

/* Whether what @rc says is no failure; else no more is asked of OpenSSL. */
static int judge(struct colony__tls *tls, int rc)
{
    int error = tls->lib->SSL_get_error(tls->ssl, rc);

    tls->lib->ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return 0;
    if (error == SSL_ERROR_ZERO_RETURN)
        return -ESHUTDOWN;
    tls->is_broken = true;
    return -EPROTO;
}

ssize_t colony__tls_open(struct colony__tls *tls, char *plain, size_t size)
{
    int rc;

    if (tls->is_broken)
        return -EPROTO;
    if (!tls->has_begun && tls->in_size > 0 && tls->in[0] != HANDSHAKE_RECORD) {
        tls->is_broken = true;
        return tls->in[0] >= 'A' && tls->in[0] <= 'Z' ? -EPROTONOSUPPORT : -EPROTO;
    }
    tls->has_begun |= tls->in_size > 0;
    tls->lib->ERR_clear_error();
    rc = tls->lib->SSL_read(tls->ssl, plain, size < INT_MAX ? (int)size : INT_MAX);
    return rc > 0 ? rc : judge(tls, rc);
}

int colony__tls_seal(struct colony__tls *tls, const void *data, size_t size)
{
    int rc;

    if (size == 0)
        return 0;
    if (tls->is_broken || size > INT_MAX)
        return -EPROTO;
    tls->lib->ERR_clear_error();
    rc = tls->lib->SSL_write(tls->ssl, data, (int)size);
    if (rc == (int)size)
        return 0;
    tls->is_broken = true;
    tls->lib->ERR_clear_error();
    return -EPROTO;
}

void colony__tls_end(struct colony__tls *tls)
{
    if (tls->is_broken || !tls->has_begun)
        return;
    tls->lib->ERR_clear_error();
    (void)tls->lib->SSL_shutdown(tls->ssl);
    tls->lib->ERR_clear_error();
}
