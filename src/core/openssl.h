/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openssl.h - the functions of OpenSSL that colony uses, opened on first use (library.h).
 *
 * Errors of OpenSSL's are kept per thread: colony_openssl_reason() takes what is there.
 */
#ifndef COLONY_CORE_OPENSSL_H
#define COLONY_CORE_OPENSSL_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

struct colony_error;

#define COLONY_OPENSSL_FUNCTIONS(F)                                                                \
    F(BIO_clear_flags)                                                                             \
    F(BIO_free)                                                                                    \
    F(BIO_get_data)                                                                                \
    F(BIO_get_new_index)                                                                           \
    F(BIO_meth_new)                                                                                \
    F(BIO_meth_set_ctrl)                                                                           \
    F(BIO_meth_set_read)                                                                           \
    F(BIO_meth_set_write)                                                                          \
    F(BIO_new)                                                                                     \
    F(BIO_set_data)                                                                                \
    F(BIO_set_flags)                                                                               \
    F(BIO_set_init)                                                                                \
    F(ERR_clear_error)                                                                             \
    F(ERR_get_error)                                                                               \
    F(ERR_reason_error_string)                                                                     \
    F(SSL_CTX_check_private_key)                                                                   \
    F(SSL_CTX_ctrl)                                                                                \
    F(SSL_CTX_free)                                                                                \
    F(SSL_CTX_load_verify_locations)                                                               \
    F(SSL_CTX_new)                                                                                 \
    F(SSL_CTX_set_cipher_list)                                                                     \
    F(SSL_CTX_set_client_CA_list)                                                                  \
    F(SSL_CTX_set_default_passwd_cb)                                                               \
    F(SSL_CTX_set_default_verify_paths)                                                            \
    F(SSL_CTX_set_num_tickets)                                                                     \
    F(SSL_CTX_set_options)                                                                         \
    F(SSL_CTX_set_verify)                                                                          \
    F(SSL_CTX_use_PrivateKey_file)                                                                 \
    F(SSL_CTX_use_certificate_chain_file)                                                          \
    F(SSL_ctrl)                                                                                    \
    F(SSL_do_handshake)                                                                            \
    F(SSL_free)                                                                                    \
    F(SSL_get0_param)                                                                              \
    F(SSL_get_error)                                                                               \
    F(SSL_get_verify_result)                                                                       \
    F(SSL_load_client_CA_file)                                                                     \
    F(SSL_new)                                                                                     \
    F(SSL_read)                                                                                    \
    F(SSL_set1_host)                                                                               \
    F(SSL_set_accept_state)                                                                        \
    F(SSL_set_bio)                                                                                 \
    F(SSL_set_connect_state)                                                                       \
    F(SSL_set_fd)                                                                                  \
    F(SSL_shutdown)                                                                                \
    F(SSL_write)                                                                                   \
    F(TLS_client_method)                                                                           \
    F(TLS_server_method)                                                                           \
    F(X509_VERIFY_PARAM_set1_ip_asc)                                                               \
    F(X509_verify_cert_error_string)

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it is a name, which has none */
#define COLONY_OPENSSL_MEMBER(function) __typeof__(function) *function;

struct colony_openssl {
    COLONY_OPENSSL_FUNCTIONS(COLONY_OPENSSL_MEMBER)
};

/*
 * The first call opens the library, and is made on a program's first thread. -ENOENT, -ENOTSUP with
 * what to install.
 */
int colony_openssl_get(const struct colony_openssl **out, struct colony_error *err);

/* A certificate, its key, and what is said to name the latter. */
struct colony_openssl_files {
    const char *certificate;
    const char *key;        /* NULL: it is in the same file */
    const char *key_option; /* "--key FILE" */
};

/*
 * Has @context show the certificate and use its key, which nobody else may be able to read and
 * which has no passphrase. -EINVAL, or what colony_secret_check() says.
 */
int colony_openssl_use(const struct colony_openssl *ssl, SSL_CTX *context,
                       const struct colony_openssl_files *files, struct colony_error *err);

/* `cannot use the WHAT PATH: …` by the first error of this thread's. -EINVAL. */
int colony_openssl_fail_file(const struct colony_openssl *ssl, const char *what, const char *path,
                             struct colony_error *err);

/* The first error of this thread's, as a text that stays until the next; forgets the others. */
const char *colony_openssl_reason(const struct colony_openssl *ssl);

#endif
