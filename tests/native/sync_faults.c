/* Preloaded into the broker: fsync and fdatasync that fail or take their time.
 *
 * SYNC_FAULTS names a file with two numbers, read at every call: "<every> <delay_us>". Every n-th
 * call fails with EIO and syncs nothing (0: none does); every call takes so many microseconds
 * longer. No file, or one that cannot be read, means that nothing is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_ulong calls;

static int fails(void)
{
    const char *path = getenv("SYNC_FAULTS");
    char text[64];
    unsigned long every = 0, delay_us = 0;
    ssize_t length = -1;
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        length = read(file, text, sizeof text - 1);
        close(file);
    }
    if (length <= 0)
        return 0;
    text[length] = '\0';
    if (sscanf(text, "%lu %lu", &every, &delay_us) != 2)
        return 0;
    if (delay_us > 0)
        usleep(delay_us);
    return every > 0 && atomic_fetch_add(&calls, 1) % every == every - 1;
}

static int sync_by(long call, int file)
{
    if (fails()) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, file);
}

int fsync(int file)
{
    return sync_by(SYS_fsync, file);
}

int fdatasync(int file)
{
    return sync_by(SYS_fdatasync, file);
}
