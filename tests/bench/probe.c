/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - what is supervised in the bench: it tells when its first instruction ran, and waits.
 *
 *     probe FILE [anything]
 *
 * Appends two 64-bit numbers to FILE: CLOCK_MONOTONIC in nanoseconds, read before anything else,
 * and its pid. One argument is enough, so that `#!/…/probe FILE` makes a service of it without a
 * shell. With EXIT_AT_ONCE it ends instead of waiting. No libc: its start-up would be most of the
 * time.
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/time.h>

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txorl %ebp, %ebp\n\tmovq %rsp, %rdi\n\tandq $-16, %rsp\n"
        "\tcall probe_main\n");

static long call(long number, long a, long b, long c, long d)
{
    register long fourth __asm__("r10") = d;
    long result = number;

    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, xzr\n\tmov x0, sp\n\tbl probe_main\n");

static long call(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;

    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
#else
#error "probe.c knows the system calls of x86-64 and aarch64 only"
#endif

__attribute__((noreturn)) void probe_main(long *stack);

/* @stack: argc, argv. */
void probe_main(long *stack)
{
    struct __kernel_timespec now = {0};
    long record[2];
    long fd;

    call(__NR_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0);
    record[0] = now.tv_sec * 1000000000 + now.tv_nsec;
    record[1] = call(__NR_getpid, 0, 0, 0, 0);
    fd = stack[0] > 1 ? call(__NR_openat, AT_FDCWD, stack[2], O_WRONLY | O_APPEND, 0) : -1;
    if (fd < 0 || call(__NR_write, fd, (long)record, sizeof record, 0) != sizeof record)
        call(__NR_exit_group, 111, 0, 0, 0);
    call(__NR_close, fd, 0, 0, 0);
#ifdef EXIT_AT_ONCE
    call(__NR_exit_group, 1, 0, 0, 0);
#endif
    for (;;)
        call(__NR_ppoll, 0, 0, 0, 0);
}
