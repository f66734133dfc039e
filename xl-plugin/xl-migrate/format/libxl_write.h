/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_write: the layers around libxc's stream, written as xl and libxl write
 * them, so that any xl migrate-receive takes them:
 *
 *   libxl_write_start     xl header, configuration ─ libxl header ─
 *                         LIBXC_CONTEXT's header
 *   (xcx_save)            libxc stream
 *   libxl_write_xenstore  EMULATOR_XENSTORE_DATA   HVM, if there is any
 *   libxl_write_emulator  EMULATOR_CONTEXT         HVM
 *   libxl_write_end       END
 *
 * Source: docs/specs/libxl-migration-stream.pandoc; the xl header is xl's own
 * (tools/xl/xl.h). Beyond END no byte is written: xl's own messages follow.
 *
 * Blocking: on the fd, which may be a pipe or a socket and is left as it is;
 * a cancel and stall_ns end it. SIGPIPE must be ignored. Errors: IO, CANCELLED;
 * USAGE for what does not fit. After one the stream cannot be continued.
 * Threads: one at a time.
 */
#ifndef XL_MIGRATE_LIBXL_WRITE_H
#define XL_MIGRATE_LIBXL_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "xcext.h"

struct libxl_write {
    int fd;            /* the caller's */
    int cancel_fd;     /* readable to cancel; -1: none */
    uint64_t stall_ns; /* without a byte taken, at most; 0: no limit */
    uint64_t bytes;    /* written so far */
};

/* config_json: as domain_config_json() returns it. */
int libxl_write_start(struct libxl_write *write, const char *config_json,
                      struct xcx_err *err);

/* pairs: as xenstore_read_physmap() returns them; of 0 bytes: no record. */
int libxl_write_xenstore(struct libxl_write *write, const char *pairs,
                         size_t pairs_bytes, struct xcx_err *err);

/* The state as device_model_save() returns it: exactly so many bytes. */
int libxl_write_emulator(struct libxl_write *write, int state_fd,
                         uint64_t state_bytes, struct xcx_err *err);

int libxl_write_end(struct libxl_write *write, struct xcx_err *err);

/* Plain bytes of another layer, in the same way. */
int libxl_write_bytes(struct libxl_write *write, const void *bytes,
                      size_t nr_bytes, struct xcx_err *err);

#endif
