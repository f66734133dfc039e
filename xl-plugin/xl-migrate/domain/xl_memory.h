/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl_memory: room for a domain that is about to be created, as xl makes it:
 * unless Dom0's memory is fixed (xl.conf(5), "autoballoon"), Dom0 balloons down
 * until Xen has as much free memory as the domain needs. xl's own lock, which
 * every xl create, restore and migrate-receive takes, is held from before the
 * look until the domain has been created, or another would take the room.
 *
 * Blocking: up to 60 s for the lock, and 30 s for Dom0 (more while libxl
 * waits, which is 10 s at most). Threads: one at a time for a context.
 */
#ifndef XL_MIGRATE_XL_MEMORY_H
#define XL_MIGRATE_XL_MEMORY_H

#include <libxl.h>

#include "xcext.h"

/* xl's own files. */
struct xl_memory_paths {
    const char *conf, *lock;
};

#define XL_MEMORY_PATHS                                                        \
    ((struct xl_memory_paths){"/etc/xen/xl.conf", "/var/lock/xl"})

/*
 * Returns an fd that holds the lock, to be closed when the domain is there; or
 * -1, there is none to hold. What fails is logged: creating the domain says
 * whether there was memory enough.
 */
int xl_memory_make_room(libxl_ctx *ctx, libxl_domain_config *config,
                        const struct xl_memory_paths *paths,
                        const struct xcx_log *log);

#endif
