/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk: writes stamped blocks of 4 KiB to the first DISK_NR_BLOCKS blocks of
 * a disk (whatever was there is gone), past the page cache where that is
 * possible, DISK_STEPS_PER_S times a second; reads each one before it writes
 * it again, and once more after. A block whose write failed is not verified
 * until a later write of it succeeds.
 *
 * Threads: one of its own. disk_get_counts by any, the rest by main.
 */
#ifndef WITNESS_DISK_H
#define WITNESS_DISK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "xcext/err.h"
#include "mix.h"
#include "page.h"
#include "table.h"

#define DISK_NR_BLOCKS   1024u
#define DISK_STEPS_PER_S 32

struct disk_counts {
    uint64_t written, read; /* blocks */
    uint64_t wrong;         /* blocks read back that were not as written */
    uint64_t io_errors;
    int64_t longest_io_ns;          /* the one under way included */
    struct page_finding last_wrong; /* of kind PAGE_GOOD when there is none */
};

struct disk {
    /* set by disk_start */
    int fd;
    bool direct; /* past the page cache */
    uint32_t nr_blocks;
    pthread_t thread;
    bool started;

    /* atomic: written by main, read by the thread */
    bool stop;

    /* the thread's */
    struct mix_prng prng;
    uint64_t last_seq;  /* no two writes have the same one */
    struct table table; /* sequence 0: contents unknown */
    void *memory;       /* the table's, and one block to read and write */
    void *block;

    /* under lock; the thread writes */
    pthread_mutex_t lock;
    struct disk_counts counts;
    int64_t io_since_ns; /* 0: none under way */
};

/* disk: zeroed. Errors: IO for a path that cannot be used, RESOURCE. */
int disk_start(struct disk *disk, const char *path, uint64_t seed,
               struct xcx_err *err);

/* Waits for the I/O under way. Idempotent; takes a zeroed disk. */
void disk_stop(struct disk *disk);

void disk_get_counts(struct disk *disk, struct disk_counts *ret_counts);

#endif
