/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hv: the handle on the hypervisor for one domain.
 *
 * The files of hv/ are the only users of libxenctrl, libxenguest and
 * libxenforeignmemory; none of their types shows in these headers. What the
 * libraries have to say goes to the log function given here, never to a
 * standard stream.
 *
 * Threads: one thread at a time. Processes: of a forked child's calls only
 * xcx_map() is allowed (libxenctrl's cached hypercall buffers are not there),
 * after xcx_hv_silence().
 */
#ifndef XCX_HV_HV_H
#define XCX_HV_HV_H

#include <stdint.h>

#include "xcext/err.h"

#define XCX_FRAME_BYTES 4096

struct xc_interface_core;
struct xenforeignmemory_handle;
struct xcx_hv_logger;

typedef void xcx_hv_log_fn(void *opaque, const char *line);

struct xcx_hv {
    struct xc_interface_core *xch;
    struct xenforeignmemory_handle *fmem;
    struct xcx_hv_logger *logger;
    uint32_t domid;
};

/* Opens the handle. log may be NULL. Errors: RESOURCE. */
int xcx_hv_open(struct xcx_hv *hv, uint32_t domid, xcx_hv_log_fn *log,
                void *log_opaque, struct xcx_err *err);

/* Closes it; a zeroed or closed handle is fine. */
void xcx_hv_close(struct xcx_hv *hv);

/* From now on the log function is not called: for a forked child. */
void xcx_hv_silence(struct xcx_hv *hv);

/* Records a failed call by name, domain and the current errno. Returns -1. */
int xcx_hv_failed(const struct xcx_hv *hv, struct xcx_err *err,
                  const char *call);

#endif
