/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "thread.h"

static void io_begins(struct disk *disk)
{
    pthread_mutex_lock(&disk->lock);
    disk->io_since_ns = clock_mono_ns();
    pthread_mutex_unlock(&disk->lock);
}

/* *counter: the one of disk->counts that counts the successes. */
static bool io_ended(struct disk *disk, ssize_t done_bytes, uint64_t *counter)
{
    bool ok = done_bytes == PAGE_BYTES;
    int64_t took_ns;

    pthread_mutex_lock(&disk->lock);
    took_ns = clock_mono_ns() - disk->io_since_ns;
    if (took_ns > disk->counts.longest_io_ns)
        disk->counts.longest_io_ns = took_ns;
    disk->io_since_ns = 0;
    (*(ok ? counter : &disk->counts.io_errors))++;
    pthread_mutex_unlock(&disk->lock);
    return ok;
}

static void read_back(struct disk *disk, uint32_t index, uint64_t seq)
{
    uint64_t number = disk->table.first_number + index;
    struct page_finding finding;
    ssize_t done_bytes;

    io_begins(disk);
    done_bytes =
        pread(disk->fd, disk->block, PAGE_BYTES, (off_t)index * PAGE_BYTES);
    if (!io_ended(disk, done_bytes, &disk->counts.read) ||
        page_verify(disk->block, number, seq, &finding))
        return;
    pthread_mutex_lock(&disk->lock);
    disk->counts.wrong++;
    disk->counts.last_wrong = finding;
    pthread_mutex_unlock(&disk->lock);
}

static void disk_step(struct disk *disk)
{
    uint32_t index = mix_below(&disk->prng, disk->nr_blocks);
    ssize_t done_bytes;
    uint64_t seq;

    table_get(&disk->table, index, &seq);
    if (seq != 0)
        read_back(disk, index, seq);
    seq = ++disk->last_seq;
    page_stamp(disk->block, disk->table.first_number + index, seq);
    io_begins(disk);
    done_bytes =
        pwrite(disk->fd, disk->block, PAGE_BYTES, (off_t)index * PAGE_BYTES);
    if (!io_ended(disk, done_bytes, &disk->counts.written)) {
        table_set(&disk->table, index, 0);
        return;
    }
    table_set(&disk->table, index, seq);
    read_back(disk, index, seq);
}

static void *disk_main(void *arg)
{
    struct disk *disk = arg;

    while (!__atomic_load_n(&disk->stop, __ATOMIC_RELAXED)) {
        disk_step(disk);
        clock_sleep_ns(NS_PER_S / DISK_STEPS_PER_S);
    }
    return NULL;
}

static int open_disk(struct disk *disk, const char *path, struct xcx_err *err)
{
    off_t size_bytes;

    disk->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    disk->direct = disk->fd >= 0;
    if (disk->fd < 0 && errno == EINVAL)
        disk->fd = open(path, O_RDWR | O_CLOEXEC);
    if (disk->fd < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "open %s", path);
    size_bytes = lseek(disk->fd, 0, SEEK_END);
    if (size_bytes < (off_t)PAGE_BYTES) {
        close(disk->fd);
        return xcx_err_set(err, XCX_ERR_IO, 0, "%s: smaller than one block",
                           path);
    }
    disk->nr_blocks = size_bytes / PAGE_BYTES < DISK_NR_BLOCKS
                          ? (uint32_t)(size_bytes / PAGE_BYTES)
                          : DISK_NR_BLOCKS;
    return 0;
}

int disk_start(struct disk *disk, const char *path, uint64_t seed,
               struct xcx_err *err)
{
    size_t bytes = table_bytes(DISK_NR_BLOCKS);

    if (open_disk(disk, path, err))
        return -1;
    disk->memory = mmap(NULL, bytes + PAGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (disk->memory == MAP_FAILED) {
        close(disk->fd);
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "memory for %s", path);
    }
    disk->block = (char *)disk->memory + bytes;
    table_init(&disk->table, disk->memory, PAGE_NUMBER_DISK, disk->nr_blocks);
    disk->prng.state = seed;
    pthread_mutex_init(&disk->lock, NULL);
    if (thread_start(&disk->thread, "disk", disk_main, disk, err)) {
        munmap(disk->memory, bytes + PAGE_BYTES);
        close(disk->fd);
        return -1;
    }
    disk->started = true;
    return 0;
}

void disk_stop(struct disk *disk)
{
    if (!disk->started)
        return;
    __atomic_store_n(&disk->stop, true, __ATOMIC_RELAXED);
    pthread_join(disk->thread, NULL);
    pthread_mutex_destroy(&disk->lock);
    munmap(disk->memory, table_bytes(DISK_NR_BLOCKS) + PAGE_BYTES);
    close(disk->fd);
    disk->started = false;
}

void disk_get_counts(struct disk *disk, struct disk_counts *ret_counts)
{
    int64_t since_ns, now_ns = clock_mono_ns();

    pthread_mutex_lock(&disk->lock);
    *ret_counts = disk->counts;
    since_ns = disk->io_since_ns;
    pthread_mutex_unlock(&disk->lock);
    if (since_ns && now_ns - since_ns > ret_counts->longest_io_ns)
        ret_counts->longest_io_ns = now_ns - since_ns;
}
