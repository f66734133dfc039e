/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host: this Dom0 as libxl and xenstore show it, opened once by each command
 * that works with domains.
 *
 * libxl's own lines go to the log given: its notices and below are of no
 * interest to an administrator and come as DEBUG. libxl reaps the children it
 * has started itself and no others: what a command forks is its own to wait
 * for, by pid.
 *
 * Blocking: as libxl and xenstored do. Threads: one at a time. Not to be used
 * in a forked child.
 */
#ifndef XL_MIGRATE_HOST_H
#define XL_MIGRATE_HOST_H

#include "xl-migrate/handover/journal.h"
#include "xcext.h"

#define HOST_NAME_BYTES 256

struct libxl__ctx; /* libxl_ctx */
struct xs_handle;
struct host_logger;

struct host {
    struct libxl__ctx *ctx;
    struct xs_handle *xs;          /* for reading and writing; no watches */
    struct host_logger *logger;    /* owned */
    char boot[JOURNAL_UUID_BYTES]; /* the kernel's boot_id */
    char name[HOST_NAME_BYTES];    /* as gethostname() has it */
};

/*
 * log may be NULL, and must outlive the host. Errors: RESOURCE, for a machine
 * that is no Dom0, or a user who is not root, too.
 */
int host_open(struct host *host, const struct xcx_log *log,
              struct xcx_err *err);

/* Idempotent; a zeroed host is fine. */
void host_close(struct host *host);

/* Name and boot id alone, without libxl and Xen. RESOURCE. */
int host_identify(struct host *host, struct xcx_err *err);

#endif
