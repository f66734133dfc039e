/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * send_same: whether a guest is still the one whose configuration was sent: a
 * disk or a NIC attached or detached, another name, number of vCPUs, memory
 * target or scheduler setting meanwhile would not be at the target.
 *
 *   send_same_note()    when the configuration is read
 *   send_same_check()   all of it: before the guest is asked to suspend, and
 *                       once all is written, while the target gets ready
 *   send_same_glance()  at GO: what a toolstack leaves on disk and in xenstore
 *                       when it changes a guest; two reads, well below 1 ms
 *
 * libxl replaces its file of a guest's configuration whenever it changes a
 * device, so another inode is another configuration.
 *
 * Blocking: check as libxl does, some milliseconds. Threads: the host's.
 */
#ifndef XL_MIGRATE_SEND_SAME_H
#define XL_MIGRATE_SEND_SAME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "xl-migrate/domain/domain.h"
#include "xl-migrate/domain/host.h"
#include "xcext.h"

#define SEND_SAME_LIBXL_DIR "/var/lib/xen"

struct send_same_mark {
    bool has_file;
    ino_t inode;
    struct timespec written;
    char memory_target[32]; /* KiB, as in xenstore; "": none */
};

struct send_same {
    const char *libxl_dir; /* where libxl keeps its files of domains */
    char *json;            /* owned; NULL: nothing was noted */
    struct send_same_mark mark;
};

#define SEND_SAME_INIT ((struct send_same){.libxl_dir = SEND_SAME_LIBXL_DIR})

/* The guest as it is. Errors: those of domain_config_json(). */
int send_same_note(struct send_same *same, struct host *host,
                   const struct domain *domain, struct xcx_err *err);

/* GUEST, naming the first difference: it is not. Others: it cannot be read. */
int send_same_check(struct send_same *same, struct host *host,
                    const struct domain *domain, struct xcx_err *err);
int send_same_glance(const struct send_same *same, struct host *host,
                     const struct domain *domain, struct xcx_err *err);

void send_same_done(struct send_same *same); /* idempotent */

/*
 * Two configurations as libxl prints them: false, and into text, which of
 * them differs ("b_info.max_vcpus: 2 is 4 now"). Pure.
 */
bool send_same_config(const char *before, const char *now, char *text,
                      size_t text_bytes);

#endif
