/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl.h - the functions of libcurl that colony uses, opened on first use (library.h).
 */
#ifndef COLONY_CORE_CURL_H
#define COLONY_CORE_CURL_H

/* Its checks of types are macros around the functions' names, which here are members. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#undef curl_easy_getinfo
#undef curl_easy_setopt
#undef curl_multi_setopt

struct colony_error;

#define COLONY_CURL_FUNCTIONS(F)                                                                   \
    F(curl_easy_cleanup)                                                                           \
    F(curl_easy_getinfo)                                                                           \
    F(curl_easy_init)                                                                              \
    F(curl_easy_perform)                                                                           \
    F(curl_easy_setopt)                                                                            \
    F(curl_easy_strerror)                                                                          \
    F(curl_global_init)                                                                            \
    F(curl_multi_add_handle)                                                                       \
    F(curl_multi_assign)                                                                           \
    F(curl_multi_cleanup)                                                                          \
    F(curl_multi_info_read)                                                                        \
    F(curl_multi_init)                                                                             \
    F(curl_multi_remove_handle)                                                                    \
    F(curl_multi_setopt)                                                                           \
    F(curl_multi_socket_action)                                                                    \
    F(curl_slist_append)                                                                           \
    F(curl_slist_free_all)

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it is a name, which has none */
#define COLONY_CURL_MEMBER(function) __typeof__(function) *function;

struct colony_curl {
    COLONY_CURL_FUNCTIONS(COLONY_CURL_MEMBER)
};

/*
 * The first call opens the library and makes it ready. Any thread, until it is. -ENOENT, -ENOTSUP
 * with what to install; -ENOMEM.
 */
int colony_curl_get(const struct colony_curl **out, struct colony_error *err);

#endif
