/* SPDX-License-Identifier: Apache-2.0 */
/* stats_family.c - a process with its descendants, from one sample to the next. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "core/array.h"
#include "core/stats_internal.h"
#include "core/sweep.h"

enum {
    KEPT_SHARE = 6, /* one part in so many of all descriptors may be kept */
    FILES_EACH = 3,
};

static const uint64_t user_fresh_ns = 1000000000;
static const uint64_t fresh_ns = COLONY_STATS_MS * 500000ULL; /* half of the time of a sample */

struct colony__member {
    pid_t pid;
    struct colony__proc_files files; /* none: opened for each sample */
    uint32_t round;
    uint64_t start_ticks; /* 0: not known yet */
    uint64_t cpu_ns;
    uint64_t sampled_at_ns; /* CLOCK_MONOTONIC; 0: not yet */
    uint64_t user_at_ns;    /* when who it runs as was looked up; 0: not yet */
    double cpu_percent;
    uint64_t stack;
    uid_t uid;
    char *cmdline;
    char comm[STATS_COMM_SIZE];
    char username[STATS_USERNAME_SIZE];
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void colony__sampler_init(struct colony__sampler *sampler)
{
    struct rlimit limit = {.rlim_cur = 1024};
    struct sysinfo machine = {.totalram = 1, .mem_unit = 1};

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    (void)sysinfo(&machine);
    memset(sampler, 0, sizeof *sampler);
    sampler->kept_max = (size_t)limit.rlim_cur / KEPT_SHARE / FILES_EACH;
    sampler->has_listed_children = colony__kin_is_listed();
    sampler->memory_bytes = (uint64_t)machine.totalram * machine.mem_unit;
    sampler->ns_per_tick = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

void colony__sampler_rest(struct colony__sampler *sampler)
{
    colony__kin_clear(&sampler->kin);
    sampler->kin_read_at_ns = 0;
    memset(&sampler->users, 0, sizeof sampler->users);
}

/* Members. */

static void member_free(struct colony__sampler *sampler, struct colony__member *member)
{
    if (member->files.stat_fd >= 0)
        sampler->kept_count--;
    colony__proc_close(&member->files);
    free(member->cmdline);
    free(member);
}

/* Where @pid is or belongs in the list. */
static size_t place_of(const struct colony__family *family, pid_t pid)
{
    size_t low = 0;
    size_t high = family->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (family->members[middle]->pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The member @pid, known already or new; NULL: no memory. */
static struct colony__member *know(struct colony__family *family, pid_t pid)
{
    size_t place = place_of(family, pid);
    struct colony__member **members;
    struct colony__member *member;

    if (place < family->count && family->members[place]->pid == pid)
        return family->members[place];
    members = colony_array_room(family->members, family->count, &family->capacity,
                                sizeof(struct colony__member *));
    if (!members)
        return NULL;
    family->members = members;
    member = calloc(1, sizeof *member);
    if (!member)
        return NULL;
    member->pid = pid;
    member->files = colony__proc_files_none;
    memmove(&family->members[place + 1], &family->members[place],
            (family->count - place) * sizeof(struct colony__member *));
    family->members[place] = member;
    family->count++;
    return member;
}

/* Lets go of those that the last sample has not found. */
static void forget_gone(struct colony__sampler *sampler, struct colony__family *family)
{
    size_t kept = 0;

    for (size_t i = 0; i < family->count; i++) {
        struct colony__member *member = family->members[i];

        if (member->round == family->round || member == family->self)
            family->members[kept++] = member;
        else
            member_free(sampler, member);
    }
    family->count = kept;
}

/* Keeps its files open if it may. */
static int read_member(struct colony__sampler *sampler, struct colony__member *member,
                       struct colony__proc_stat *out)
{
    bool is_open = member->files.stat_fd >= 0;
    int rc = is_open ? 0 : colony__proc_open(&member->files, member->pid);

    if (rc < 0)
        return rc;
    rc = colony__proc_read(out, &member->files);
    if (is_open)
        return rc;
    if (rc == 0 && sampler->kept_count < sampler->kept_max)
        sampler->kept_count++;
    else
        colony__proc_close(&member->files);
    return rc;
}

/* CPU since the sample before; since it was started if there is none. */
static double cpu_percent(const struct colony__sampler *sampler,
                          const struct colony__member *member, uint64_t cpu_ns, uint64_t now_ns)
{
    uint64_t elapsed_ns;
    uint64_t started_ns;

    if (member->sampled_at_ns > 0) {
        elapsed_ns = now_ns - member->sampled_at_ns;
        if (cpu_ns <= member->cpu_ns || elapsed_ns == 0)
            return 0;
        return (double)(cpu_ns - member->cpu_ns) * 100 / (double)elapsed_ns;
    }
    started_ns = member->start_ticks * sampler->ns_per_tick;
    elapsed_ns = clock_ns(CLOCK_BOOTTIME);
    elapsed_ns = elapsed_ns > started_ns ? elapsed_ns - started_ns : 0;
    if (elapsed_ns < sampler->ns_per_tick)
        elapsed_ns = sampler->ns_per_tick; /* the start is known no better */
    return (double)cpu_ns * 100 / (double)elapsed_ns;
}

static void fill_numbers(const struct colony__sampler *sampler,
                         const struct colony__proc_stat *stat, uint64_t cpu_ns,
                         struct colony_process_stats *out)
{
    out->rss_bytes = stat->rss_bytes;
    out->vms_bytes = stat->vms_bytes;
    out->mem_percent = (double)stat->rss_bytes * 100 / (double)sampler->memory_bytes;
    out->cpu_seconds = cpu_ns / 1000000000;
    out->cpu_ns = cpu_ns;
    out->nice = stat->nice;
}

/*
 * Its owner is who it runs as, whereas its files may be root's. It may change at any time, but
 * costs a path to look at: once a second is enough for a name.
 */
static void refresh_username(struct colony__sampler *sampler, struct colony__member *member,
                             uint64_t now_ns)
{
    char path[32];
    struct stat info;

    if (member->user_at_ns != 0 && now_ns - member->user_at_ns < user_fresh_ns)
        return;
    member->user_at_ns = now_ns;
    (void)snprintf(path, sizeof path, "/proc/%d", (int)member->pid);
    if (stat(path, &info) < 0)
        return; /* it has just ended */
    if (member->username[0] != '\0' && member->uid == info.st_uid)
        return;
    member->uid = info.st_uid;
    (void)snprintf(member->username, sizeof member->username, "%s",
                   colony__user_name(&sampler->users, info.st_uid));
}

/* Read once a program: another one has another stack, and mostly another name. */
static int refresh_cmdline(struct colony__member *member, const struct colony__proc_stat *stat)
{
    char *cmdline;

    if (member->cmdline && member->stack == stat->stack && strcmp(member->comm, stat->comm) == 0)
        return 0;
    cmdline = colony__proc_cmdline(member->pid, stat->comm);
    if (!cmdline)
        return -ENOMEM;
    free(member->cmdline);
    member->cmdline = cmdline;
    member->stack = stat->stack;
    (void)snprintf(member->comm, sizeof member->comm, "%s", stat->comm);
    return 0;
}

/* Appends @member to @sample. -ESRCH also when its number is that of another process by now. */
static int sample_member(struct colony__sampler *sampler, struct colony__member *member,
                         struct colony__sample *sample)
{
    struct colony_process_stats *out = &sample->items[sample->count];
    struct colony__proc_stat stat;
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t cpu_ns = 0;
    int rc = read_member(sampler, member, &stat);

    if (rc == 0 && member->start_ticks == 0)
        member->start_ticks = stat.start_ticks;
    if (rc == 0 && member->start_ticks != stat.start_ticks)
        rc = -ESRCH;
    if (rc == 0)
        rc = colony__proc_cpu_ns(member->pid, &cpu_ns);
    if (rc == 0)
        rc = refresh_cmdline(member, &stat);
    if (rc < 0)
        return rc;
    refresh_username(sampler, member, now_ns);
    member->cpu_percent = cpu_percent(sampler, member, cpu_ns, now_ns);
    member->cpu_ns = cpu_ns;
    member->sampled_at_ns = now_ns;
    *out = (struct colony_process_stats){.pid = member->pid,
                                         .cpu_percent = member->cpu_percent,
                                         .username = member->username,
                                         .cmdline = member->cmdline};
    fill_numbers(sampler, &stat, cpu_ns, out);
    sample->places[sample->count].member = member;
    sample->places[sample->count].has_threads = stat.thread_count > 1;
    sample->count++;
    return 0;
}

/* Samples. */

static size_t find_children(const struct colony__sampler *sampler, size_t parent,
                            struct colony__sample *sample)
{
    const struct colony__member *member = sample->places[parent].member;
    size_t max = COLONY_STATS_CHILDREN_MAX + 1 - sample->count;

    if (max == 0)
        return 0;
    if (!sampler->has_listed_children)
        return colony__kin_children(&sampler->kin, member->pid, sample->pids, max);
    if (sample->places[parent].has_threads)
        return colony_proc_children(member->pid, sample->pids, max);
    return colony__proc_children(&member->files, member->pid, sample->pids, max);
}

static void sample_children(struct colony__sampler *sampler, struct colony__family *family,
                            struct colony__sample *sample, size_t parent)
{
    struct colony_process_stats *item = &sample->items[parent];
    size_t count;

    if (sample->places[parent].depth >= COLONY_STATS_DEPTH_MAX)
        return;
    count = find_children(sampler, parent, sample);
    item->children = &sample->items[sample->count];
    for (size_t i = 0; i < count; i++) {
        struct colony__member *member = know(family, sample->pids[i]);

        if (!member || member->round == family->round || sample_member(sampler, member, sample) < 0)
            continue; /* it vanished, or was seen already and got another parent meanwhile */
        member->round = family->round;
        sample->places[sample->count - 1].depth = (uint8_t)(sample->places[parent].depth + 1);
        item->child_count++;
    }
}

/* One scan does for all that is sampled in the same moment. */
static void refresh_kin(struct colony__sampler *sampler)
{
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

    if (sampler->has_listed_children ||
        (sampler->kin_read_at_ns > 0 && now_ns - sampler->kin_read_at_ns < fresh_ns))
        return;
    sampler->kin_read_at_ns = now_ns;
    (void)colony__kin_scan(&sampler->kin); /* without it there are no descendants to see */
}

int colony__family_sample(struct colony__family *family, struct colony__sampler *sampler,
                          struct colony__sample *sample)
{
    int rc;

    sample->count = 0;
    sample->places[0].depth = 0;
    rc = sample_member(sampler, family->self, sample);
    if (rc < 0)
        return rc;
    family->self->round = ++family->round;
    refresh_kin(sampler);
    for (size_t i = 0; i < sample->count; i++)
        sample_children(sampler, family, sample, i);
    forget_gone(sampler, family);
    return 0;
}

/* Families. */

int colony__family_init(struct colony__family *family, pid_t pid, uint64_t start_ticks)
{
    memset(family, 0, sizeof *family);
    family->self = know(family, pid);
    if (!family->self)
        return -ENOMEM;
    family->self->start_ticks = start_ticks;
    return 0;
}

void colony__family_clear(struct colony__family *family, struct colony__sampler *sampler)
{
    for (size_t i = 0; i < family->count; i++)
        member_free(sampler, family->members[i]);
    free(family->members);
    memset(family, 0, sizeof *family);
}

bool colony__family_is(struct colony__family *family, struct colony__sampler *sampler, pid_t pid,
                       uint64_t start_ticks)
{
    struct colony__member *self = family->self;
    struct colony__proc_stat stat;

    return self->pid == pid && (start_ticks == 0 || start_ticks == self->start_ticks) &&
           read_member(sampler, self, &stat) == 0 && stat.start_ticks == self->start_ticks;
}

double colony__family_cpu(const struct colony__family *family)
{
    return family->self->cpu_percent;
}

int colony__sampler_look(const struct colony__sampler *sampler, pid_t pid, uint64_t uptime_ms,
                         struct colony_process_stats *out)
{
    struct colony__proc_stat stat = {0};
    uint64_t cpu_ns = 0;
    int fd = colony__proc_open_file(pid, "statm"); /* stat costs three times as much */
    int rc = fd < 0 ? fd : colony__proc_read_memory(&stat, fd);

    if (fd >= 0)
        (void)close(fd);
    if (rc == 0)
        rc = colony__proc_cpu_ns(pid, &cpu_ns);
    if (rc < 0)
        return rc;
    stat.nice = getpriority(PRIO_PROCESS, (id_t)pid);
    *out = (struct colony_process_stats){.pid = pid, .username = "", .cmdline = ""};
    fill_numbers(sampler, &stat, cpu_ns, out);
    out->cpu_percent = (double)cpu_ns / 10000 / (double)(uptime_ms > 0 ? uptime_ms : 1);
    return 0;
}
