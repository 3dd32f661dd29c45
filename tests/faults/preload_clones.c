/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preload_clones.c - clone3 comes from inline assembly, which no wrapper reaches: there a seccomp
 * filter asks a thread of this library.
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    LISTENER_FD = 512,
};

static bool is_ours(uint32_t tid)
{
    char path[48];

    (void)snprintf(path, sizeof path, "/proc/self/task/%u", tid);
    return access(path, F_OK) == 0;
}

static int listener = -1;
static sem_t listens;

/* A process of the keeper's is not asked about: what it does goes on. */
static void *answer_clones(void *data)
{
    (void)data;
    while (sem_wait(&listens) < 0)
        continue;
    for (;;) {
        struct seccomp_notif asked = {0};
        struct seccomp_notif_resp answer = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
            continue;
        answer.id = asked.id;
        if (is_ours(asked.pid) && fails(KIND_SPAWN, "clone3")) {
            answer.flags = 0;
            answer.error = -EAGAIN;
        }
        (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    return NULL;
}

/* The thread is there before the filter: nobody could answer for its own clone3. */
void watch_clones(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    int low;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    if (sem_init(&listens, 0, 0) < 0 || pthread_create(&thread, NULL, answer_clones, NULL) != 0)
        abort();
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    low = (int)REAL(syscall)(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                             &program);
    if (low >= 0)
        listener = REAL(fcntl)(low, F_DUPFD_CLOEXEC, LISTENER_FD); /* low ones are the keeper's */
    if (listener < 0) {
        perror("faults: cannot watch clone3");
        abort();
    }
    (void)close(low);
    (void)sem_post(&listens);
}
