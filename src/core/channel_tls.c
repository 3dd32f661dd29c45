/* SPDX-License-Identifier: Apache-2.0 */
/* channel_tls.c - a channel whose bytes are sealed by OpenSSL. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/channel.h"
#include "core/channel_internal.h"
#include "core/error.h"
#include "core/openssl.h"
#include "core/target.h"

enum {
    HANDSHAKE_MS = 5000,
};

struct colony_channel_tls {
    const struct colony_openssl *lib;
    SSL_CTX *context;
    SSL *ssl;
};

/* --- files ------------------------------------------------------------------------------------ */

/* Whom we trust: those of the system, or only who is named. */
static int use_authorities(struct colony_channel_tls *tls, const char *cacert,
                           struct colony_error *err)
{
    const struct colony_openssl *lib = tls->lib;

    if (!cacert)
        (void)lib->SSL_CTX_set_default_verify_paths(tls->context);
    else if (lib->SSL_CTX_load_verify_locations(tls->context, cacert, NULL) != 1)
        return colony_openssl_fail_file(lib, "authorities", cacert, err);
    lib->SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    return 0;
}

static int use_own_certificate(struct colony_channel_tls *tls, const struct colony_target *target,
                               struct colony_error *err)
{
    const struct colony_openssl_files files = {
        .certificate = target->cert, .key = target->key, .key_option = "--key FILE"};

    return target->cert ? colony_openssl_use(tls->lib, tls->context, &files, err) : 0;
}

/* The name or address that its certificate must be for. */
static int expect_host(struct colony_channel_tls *tls, const struct colony_target *target,
                       struct colony_error *err)
{
    const struct colony_openssl *lib = tls->lib;

    if (lib->X509_VERIFY_PARAM_set1_ip_asc(lib->SSL_get0_param(tls->ssl), target->host) == 1)
        return 0;
    lib->ERR_clear_error();
    if (lib->SSL_set1_host(tls->ssl, target->host) == 1 &&
        lib->SSL_ctrl(tls->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                      (void *)target->host) == 1)
        return 0;
    return colony_fail(err, -EINVAL, "cannot ask for the host %s: %s", target->host,
                       colony_openssl_reason(lib));
}

/* --- TLS -------------------------------------------------------------------------------------- */

static void tls_free(struct colony_channel_tls *tls)
{
    if (!tls)
        return;
    if (tls->ssl)
        tls->lib->SSL_free(tls->ssl);
    if (tls->context)
        tls->lib->SSL_CTX_free(tls->context);
    free(tls);
}

static int tls_new(struct colony_channel_tls **out, const struct colony_target *target, int fd,
                   struct colony_error *err)
{
    const struct colony_openssl *lib = NULL;
    struct colony_channel_tls *tls;
    int rc = colony_openssl_get(&lib, err);

    if (rc < 0)
        return rc;
    tls = calloc(1, sizeof *tls);
    if (!tls)
        return colony_fail(err, -ENOMEM, "cannot use TLS: out of memory");
    tls->lib = lib;
    tls->context = lib->SSL_CTX_new(lib->TLS_client_method());
    if (!tls->context)
        rc = colony_fail(err, -ENOMEM, "cannot use TLS: %s", colony_openssl_reason(lib));
    if (rc == 0) {
        lib->SSL_CTX_ctrl(tls->context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
        rc = use_authorities(tls, target->cacert, err);
    }
    if (rc == 0)
        rc = use_own_certificate(tls, target, err);
    if (rc == 0) {
        tls->ssl = lib->SSL_new(tls->context);
        rc = tls->ssl && lib->SSL_set_fd(tls->ssl, fd) == 1
                 ? expect_host(tls, target, err)
                 : colony_fail(err, -ENOMEM, "cannot use TLS: %s", colony_openssl_reason(lib));
    }
    if (rc < 0) {
        tls_free(tls);
        return rc;
    }
    lib->SSL_set_connect_state(tls->ssl);
    *out = tls;
    return 0;
}

/* Waits for what @rc of the last call lacked: 0, -ETIMEDOUT, or -EPROTO when it was something else.
 */
static int wait_for(struct colony_channel *channel, int rc, int wait_ms)
{
    int error = channel->tls->lib->SSL_get_error(channel->tls->ssl, rc);
    struct pollfd wait = {.fd = channel->fd};

    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        return -EPROTO;
    wait.events = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    rc = poll(&wait, 1, wait_ms);
    if (rc < 0)
        return errno == EINTR ? 0 : -errno;
    return rc == 0 ? -ETIMEDOUT : 0;
}

static int fail_handshake(const struct colony_channel *channel, const struct colony_target *target,
                          int rc, struct colony_error *err)
{
    const struct colony_openssl *lib = channel->tls->lib;
    long verdict = lib->SSL_get_verify_result(channel->tls->ssl);

    if (rc == -ETIMEDOUT)
        return colony_fail(err, -ECONNREFUSED, "cannot reach colony at %s: no TLS within 5 seconds",
                           target->text);
    if (verdict != X509_V_OK)
        return colony_fail(err, -EACCES,
                           "cannot trust %s: %s (--cacert FILE says who may have signed its "
                           "certificate)",
                           target->text, lib->X509_verify_cert_error_string(verdict));
    return colony_fail(err, -EACCES, "cannot speak TLS with %s: %s", target->text,
                       colony_openssl_reason(lib));
}

static int shake_hands(struct colony_channel *channel, const struct colony_target *target,
                       struct colony_error *err)
{
    const struct colony_openssl *lib = channel->tls->lib;
    uint64_t deadline_ms = colony_target_now_ms() + HANDSHAKE_MS;
    int rc = 0;

    for (;;) {
        uint64_t now = colony_target_now_ms();
        int done;

        lib->ERR_clear_error();
        done = lib->SSL_do_handshake(channel->tls->ssl);
        if (done == 1)
            return 0;
        rc = wait_for(channel, done, now < deadline_ms ? (int)(deadline_ms - now) : 0);
        if (rc < 0)
            return fail_handshake(channel, target, rc, err);
    }
}

/* --- bytes ------------------------------------------------------------------------------------ */

static int send_sealed(struct colony_channel *channel, const char *bytes, size_t size)
{
    const struct colony_openssl *lib = channel->tls->lib;

    while (size > 0) {
        int count;

        lib->ERR_clear_error();
        count = lib->SSL_write(channel->tls->ssl, bytes, size < INT_MAX ? (int)size : INT_MAX);
        if (count <= 0) {
            int rc = wait_for(channel, count, -1);

            if (rc < 0)
                return rc;
            continue;
        }
        bytes += count;
        size -= (size_t)count;
    }
    return 0;
}

static ssize_t receive_sealed(struct colony_channel *channel, char *bytes, size_t size,
                              struct colony_error *err)
{
    const struct colony_openssl *lib = channel->tls->lib;
    unsigned long code;
    const char *reason;
    int count;
    int error;

    lib->ERR_clear_error();
    count = lib->SSL_read(channel->tls->ssl, bytes, size < INT_MAX ? (int)size : INT_MAX);
    if (count > 0)
        return count;
    error = lib->SSL_get_error(channel->tls->ssl, count);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return -EAGAIN;
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (error == SSL_ERROR_SYSCALL)
        return -ECONNRESET;
    code = lib->ERR_get_error();
    if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return -ECONNRESET; /* without a goodbye, as when an engine dies */
    reason = lib->ERR_reason_error_string(code);
    lib->ERR_clear_error();
    return colony_fail(err, -EACCES, "cannot speak TLS with colony: %s (--cert FILE is our own)",
                       reason ? reason : "unknown reason");
}

static void end(struct colony_channel *channel)
{
    channel->tls->lib->ERR_clear_error();
    (void)channel->tls->lib->SSL_shutdown(channel->tls->ssl);
}

static void free_tls(struct colony_channel *channel)
{
    tls_free(channel->tls);
}

static const struct colony__channel_seal tls_seal = {
    .send = send_sealed,
    .receive = receive_sealed,
    .end = end,
    .free = free_tls,
};

int colony__channel_secure(struct colony_channel *channel, const struct colony_target *target,
                           struct colony_error *err)
{
    int rc = fcntl(channel->fd, F_SETFL, O_NONBLOCK) < 0
                 ? colony_fail_os(err, -errno, "cannot reach colony at %s", target->text)
                 : tls_new(&channel->tls, target, channel->fd, err);

    if (rc < 0)
        return rc;
    channel->seal = &tls_seal;
    return shake_hands(channel, target, err);
}
