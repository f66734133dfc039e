/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu_disks: the disks of a guest that QEMU serves by itself (backendtype
 * qdisk: qcow2, vhd, raw images), and how the source's QEMU has written the
 * last of them before the target's QEMU opens the same image.
 *
 * QEMU keeps metadata of an image (which cluster holds which block) in its
 * memory and data in the page cache of its host. A PV or PVH guest has no
 * device model that a toolstack would stop at a move, so without this the
 * target's QEMU reads an image that lacks the source's last writes, and
 * nothing fails: the guest finds zeros and old blocks.
 *
 *   check        before anything: QEMU answers, its images can be flushed
 *   flush_live   just before the guest is asked to suspend: writes back what
 *                there is, so that little is left to do while the guest stands
 *   settle       the guest is suspended: every request that it has made is
 *                answered (its rings are empty), then all is flushed. From
 *                here on QEMU has nothing to write, at its end neither
 *
 * A flush is QMP's "stop", which drains and flushes every image, and "cont".
 * xen-block serves its guest in both run states, so no path, not even a kill
 * between the two, leaves anything to undo, and a guest that stays is served.
 *
 * An HVM guest's images are flushed and given up as its device model's state
 * is taken: who takes it calls drain before. Disks that are read-only do not
 * matter.
 *
 * A guest writes its own xenstore nodes and ring: whoever lies there loses
 * blocks of its own disk, or its own move.
 *
 * Blocking: by the limits below. Threads: one at a time.
 * Errors: GUEST for disks that cannot be settled; PEER, IO for a QEMU that does
 * not answer; RESOURCE.
 */
#ifndef XL_PLUGIN_QEMU_DISKS_H
#define XL_PLUGIN_QEMU_DISKS_H

#include <stdint.h>

#include "xcext.h"

#define QEMU_DISKS_LOOK_MS   10000 /* check */
#define QEMU_DISKS_LIVE_MS   30000 /* flush_live */
#define QEMU_DISKS_RINGS_MS  10000 /* settle: the rings, */
#define QEMU_DISKS_SETTLE_MS 20000 /* then the flush */

struct xs_handle;

/* Texts that are NULL: libxl's own directories. */
struct qemu_disks {
    struct xs_handle *xs; /* the caller's */
    uint32_t domid;
    const char *run_dir;  /* of QEMU's socket: /var/run/xen */
    const char *lock_dir; /* of libxl's lock for it: /var/lib/xen */
    unsigned limit_ms;    /* of any wait; 0: those above */
    unsigned nr;          /* filled: how many there are */
};

/*
 * Nothing is changed. Beside a QEMU that does not answer it refuses a disk
 * whose QEMU runs in a driver domain, and an image that QEMU writes to at its
 * end (lazy refcounts, persistent bitmaps).
 */
int qemu_disks_check(struct qemu_disks *disks, struct xcx_err *err);

/* Nothing to do for an HVM guest. */
int qemu_disks_flush_live(struct qemu_disks *disks, struct xcx_err *err);

/*
 * The guest is suspended. Disks that came or went since the check count as they
 * are now. Nothing to do for an HVM guest.
 */
int qemu_disks_settle(struct qemu_disks *disks, struct xcx_err *err);

/* Waits for the rings alone, as settle does; for guests of any kind. */
int qemu_disks_drain(struct qemu_disks *disks, struct xcx_err *err);

#endif
