/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * balloon: asks the guest's own balloon driver, through sysfs, for less
 * memory and for its memory back. The driver works on its own time; nobody
 * may touch the memory that is to come back before balloon_is_back says so,
 * or the guest could run out of it.
 *
 * Threads: one at a time. Files: DIR/target_kb, DIR/info/current_kb.
 */
#ifndef WITNESS_BALLOON_H
#define WITNESS_BALLOON_H

#include <stdbool.h>
#include <stdint.h>

#define BALLOON_DIR "/sys/devices/system/xen_memory/xen_memory0"

struct balloon {
    const char *dir;
    bool works; /* whether there was a driver at the last try */
    bool is_out;
    uint64_t target_kb;  /* to go back to */
    uint64_t current_kb; /* what the guest must have got back */
};

/* Lowers the target. Without a driver only `works` changes. */
void balloon_out(struct balloon *balloon, uint64_t bytes);

/* Puts the target back to what it was before balloon_out. */
void balloon_in(struct balloon *balloon);

/* Whether the memory is there again; true without a driver. */
bool balloon_is_back(const struct balloon *balloon);

#endif
