/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu_socket: finds the QMP socket that libxl has for the QEMU of a domain,
 * with the lock that libxl takes for it, and opens both.
 *
 * Threads: one at a time.
 */
#ifndef COMMON_QEMU_SOCKET_H
#define COMMON_QEMU_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qmp.h"
#include "xcext.h"

struct xs_handle;

/* Texts that are NULL: libxl's own directories. */
struct qemu_socket {
    struct xs_handle *xs; /* the caller's */
    uint32_t domid;
    const char *run_dir;  /* of the socket: /var/run/xen */
    const char *lock_dir; /* of libxl's lock for it: /var/lib/xen */
};

#define QEMU_SOCKET_UUID_BYTES 37

struct qemu_identity {
    char uuid[QEMU_SOCKET_UUID_BYTES]; /* of the domain; "": unknown */
    bool hvm; /* QEMU is its device model, and not only serves disks */
};

/* By xenstore. Does not block for long. */
void qemu_socket_identify(const struct qemu_socket *socket,
                          struct qemu_identity *ret);

/* As qmp_open(). */
int qemu_socket_open(const struct qemu_socket *socket,
                     const struct qemu_identity *identity, unsigned timeout_ms,
                     struct qmp *qmp, struct xcx_err *err);

/* A node's value; "" for one that is not there, or does not fit. */
void qemu_socket_read_node(struct xs_handle *xs, const char *dir,
                           const char *node, char *ret, size_t room_bytes);

#endif
