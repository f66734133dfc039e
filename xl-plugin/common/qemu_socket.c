/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu_socket.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

#define RUN_DIR    "/var/run/xen"
#define LOCK_DIR   "/var/lib/xen"
#define PATH_BYTES 256

void qemu_socket_read_node(struct xs_handle *xs, const char *dir,
                           const char *node, char *ret, size_t room_bytes)
{
    char path[3 * PATH_BYTES];
    unsigned nr_bytes = 0;
    char *value;

    ret[0] = 0;
    snprintf(path, sizeof(path), "%s/%s", dir, node);
    value = xs_read(xs, XBT_NULL, path, &nr_bytes);
    if (value && strlen(value) < room_bytes)
        memcpy(ret, value, strlen(value) + 1);
    free(value);
}

void qemu_socket_identify(const struct qemu_socket *socket,
                          struct qemu_identity *ret)
{
    char dir[PATH_BYTES], text[PATH_BYTES];

    snprintf(dir, sizeof(dir), "/libxl/%" PRIu32, socket->domid);
    qemu_socket_read_node(socket->xs, dir, "type", text, sizeof(text));
    ret->hvm = strcmp(text, "hvm") == 0;
    snprintf(dir, sizeof(dir), "/local/domain/%" PRIu32, socket->domid);
    qemu_socket_read_node(socket->xs, dir, "vm", text, sizeof(text));
    snprintf(ret->uuid, sizeof(ret->uuid), "%.36s",
             strncmp(text, "/vm/", 4) == 0 ? text + 4 : "");
}

int qemu_socket_open(const struct qemu_socket *socket,
                     const struct qemu_identity *identity, unsigned timeout_ms,
                     struct qmp *qmp, struct xcx_err *err)
{
    char socket_path[PATH_BYTES], lock_path[PATH_BYTES];

    snprintf(socket_path, sizeof(socket_path), "%s/qmp-libxl-%" PRIu32,
             socket->run_dir ? socket->run_dir : RUN_DIR, socket->domid);
    snprintf(lock_path, sizeof(lock_path),
             "%s/userdata-l.%" PRIu32 ".%s.qmp-socket-lock",
             socket->lock_dir ? socket->lock_dir : LOCK_DIR, socket->domid,
             identity->uuid);
    return qmp_open(qmp, socket_path, lock_path, timeout_ms, err);
}
