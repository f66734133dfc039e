/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_model: talks QMP with an HVM guest's QEMU, beside libxl, which does
 * the same: each call takes libxl's lock for the socket, connects, and hangs
 * up. PV and PVH guests have none to talk to.
 *
 *   lock userdata-l.DOMID.UUID.qmp-socket-lock ─▶ connect qmp-libxl-DOMID
 *     ◀─ greeting ─▶ qmp_capabilities ─▶ command… ─▶ close, unlink, unlock
 *
 * What QEMU says is bounded in bytes and time: qmp.h.
 *
 * Blocking: up to timeout_ms a call. Threads: one at a time.
 *
 * Errors: PEER for what QEMU refuses (its own words are in the message) or
 * does not answer in time; IO, RESOURCE.
 */
#ifndef XL_MIGRATE_DEVICE_MODEL_H
#define XL_MIGRATE_DEVICE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "domain.h"
#include "xcext.h"

#define DEVICE_MODEL_TIMEOUT_MS      10000
#define DEVICE_MODEL_SAVE_TIMEOUT_MS 60000
#define DEVICE_MODEL_MAX_STATE_BYTES (128U << 20)

/* Zeroed texts: libxl's own directories. */
struct device_model {
    uint32_t domid;
    char uuid[DOMAIN_UUID_BYTES];
    const char *run_dir;  /* of the socket; NULL: /var/run/xen */
    const char *lock_dir; /* NULL: /var/lib/xen */
    unsigned timeout_ms;  /* of a call; 0: the defaults */
};

/* For the domain, with the defaults. */
struct device_model device_model_of(const struct domain *domain);

/*
 * stop, then xen-save-devices-state (live: its images' locks are given up, as
 * for a migration). *ret_fd: the state, ret_bytes of it, read from offset 0;
 * the caller's to close. The device model stays stopped, after an error too.
 */
int device_model_save(const struct device_model *model, bool live, int *ret_fd,
                      uint64_t *ret_bytes, struct xcx_err *err);

/* Lets it go on. Fails while another QEMU holds the images' locks. */
int device_model_cont(const struct device_model *model, struct xcx_err *err);

/* Lets log-dirty see the pages of the guest that the device model writes. */
int device_model_set_log_dirty(const struct device_model *model, bool on,
                               struct xcx_err *err);

/* QEMU's AnnounceParameters; its own limits: step 10000, rounds 1000. */
struct device_model_announce {
    unsigned initial_ms, max_ms, step_ms, rounds;
};

/* Lets the emulated NICs tell the network where they are now. */
int device_model_announce_self(const struct device_model *model,
                               const struct device_model_announce *announce,
                               struct xcx_err *err);

#endif
