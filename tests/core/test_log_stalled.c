/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_stalled.c - a disk that hangs: a FUSE filesystem of one file, served by the test. */
#include "logged.h"

#include <linux/fuse.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/uio.h>

enum {
    REQUEST_BYTES = 256 << 10,
    FILE_BYTES = 64 << 10,
    FILE_NODE = 2,
};

/* What the server and the test share. */
struct disk {
    _Atomic bool hangs; /* writes are taken and not answered */
    _Atomic bool is_asked;
    _Atomic size_t size;
    _Atomic bool has_file;
    char bytes[FILE_BYTES];
};

static struct disk *disk;

static void answer(int fd, uint64_t unique, int error, const void *body, size_t size)
{
    struct fuse_out_header head = {
        .len = (uint32_t)(sizeof head + size), .error = error, .unique = unique};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)body, size}};

    if (writev(fd, parts, 2) < 0)
        return; /* whoever asked is gone */
}

static struct fuse_attr attributes(uint64_t node)
{
    if (node == FUSE_ROOT_ID)
        return (struct fuse_attr){.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2};
    return (struct fuse_attr){
        .ino = FILE_NODE, .mode = S_IFREG | 0600, .nlink = 1, .size = atomic_load(&disk->size)};
}

static void answer_entry(int fd, const struct fuse_in_header *head, bool is_open)
{
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out = {.entry = {.nodeid = FILE_NODE, .attr = attributes(FILE_NODE)}};

    if (is_open)
        atomic_store(&disk->has_file, true);
    if (!atomic_load(&disk->has_file))
        answer(fd, head->unique, -ENOENT, NULL, 0);
    else
        answer(fd, head->unique, 0, &out, is_open ? sizeof out : sizeof out.entry);
}

static void answer_write(int fd, const struct fuse_in_header *head)
{
    const struct fuse_write_in *in = (const void *)(head + 1);
    struct fuse_write_out out = {.size = in->size};

    uint64_t until_ms = clock_ms() + 3 * DEADLINE_MS; /* a test that failed must be able to end */

    atomic_store(&disk->is_asked, true);
    while (atomic_load(&disk->hangs) && clock_ms() < until_ms)
        (void)poll(NULL, 0, 1);
    memcpy(disk->bytes + in->offset, in + 1, in->size);
    if (in->offset + in->size > atomic_load(&disk->size))
        atomic_store(&disk->size, in->offset + in->size);
    answer(fd, head->unique, 0, &out, sizeof out);
}

static void answer_request(int fd, const struct fuse_in_header *head)
{
    const struct fuse_init_out init = {
        .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096};
    const struct fuse_attr_out attr = {.attr = attributes(head->nodeid)};
    const struct fuse_open_out opened = {0};

    switch (head->opcode) {
    case FUSE_INIT:
        answer(fd, head->unique, 0, &init, sizeof init);
        break;
    case FUSE_GETATTR:
        answer(fd, head->unique, 0, &attr, sizeof attr);
        break;
    case FUSE_LOOKUP:
    case FUSE_CREATE:
        answer_entry(fd, head, head->opcode == FUSE_CREATE);
        break;
    case FUSE_OPEN:
        answer(fd, head->unique, 0, &opened, sizeof opened);
        break;
    case FUSE_WRITE:
        answer_write(fd, head);
        break;
    case FUSE_RELEASE:
    case FUSE_FLUSH:
        answer(fd, head->unique, 0, NULL, 0);
        break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        break;
    default:
        answer(fd, head->unique, -ENOSYS, NULL, 0);
    }
}

static __attribute__((noreturn)) void serve(int fd)
{
    static _Alignas(8) char request[REQUEST_BYTES];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        if (read(fd, request, sizeof request) > 0)
            answer_request(fd, (const void *)request);
        else if (errno == ENODEV)
            _exit(0);
}

/* Mounts it on @folder, in a namespace of our own; the server is the child @server. */
static void mount_disk(const char *folder, pid_t *server)
{
    char options[128];
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    disk = mmap(NULL, sizeof *disk, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(disk != MAP_FAILED);
    (void)snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    if (fd < 0 || geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("hung", folder, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
        skip_in_child("needs root and /dev/fuse, to make a disk that hangs");
    *server = fork();
    CHECK(*server >= 0);
    if (*server == 0)
        serve(fd);
    (void)close(fd); /* when the server ends, so does the disk */
}

static void check_disk(const char *text)
{
    CHECK(atomic_load(&disk->size) == strlen(text));
    CHECK(memcmp(disk->bytes, text, strlen(text)) == 0);
}

FOLDER_TEST(test_a_log_on_a_disk_that_hangs_holds_up_nobody_and_loses_nothing)
{
    struct logged logged = {0};
    struct colony_log *healthy;
    pid_t server;
    char path[300];
    char folder[] = "/tmp/colony-test-XXXXXX";
    int fd;

    CHECK(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/y.log", folder);
    mount_disk(data, &server);
    logged_init(&logged, data);
    fd = open_log(&logged, path, &healthy);
    CHECK(write(logged.write_fd, "one\n", 4) == 4);
    TURN_UNTIL(&logged, atomic_load(&disk->size) == 4);
    atomic_store(&disk->hangs, true);
    atomic_store(&disk->is_asked, false);
    CHECK(write(logged.write_fd, "two\n", 4) == 4);
    TURN_UNTIL(&logged, atomic_load(&disk->is_asked));
    CHECK(write(fd, "healthy\n", 8) == 8);
    TURN_UNTIL(&logged, colony_log_status(logged.log) == LOG_STALLED);
    TURN_UNTIL(&logged, size_of(path) == 8); /* by another mover */
    TURN_UNTIL(&logged, logged.status_count == 1 && logged.statuses[0] == LOG_STALLED);
    colony_log_close(logged.log); /* also its end waits for the disk */
    CHECK(write(fd, "still\n", 6) == 6);
    TURN_UNTIL(&logged, size_of(path) == 14);
    atomic_store(&disk->hangs, false);
    TURN_UNTIL(&logged, atomic_load(&disk->size) == 8);
    check_disk("one\ntwo\n");
    logged_close(&logged);
    (void)close(fd);
    CHECK(kill(server, SIGKILL) == 0 && waitpid(server, NULL, 0) == server);
    CHECK(unlink(path) == 0 && rmdir(folder) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_log_on_a_disk_that_hangs_holds_up_nobody_and_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
