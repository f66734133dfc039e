/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu_log_dirty.h"

#include "saver.h"

static void arguments(yajl_gen gen, const void *opaque)
{
    qmp_argument_bool(gen, "enable", *(const bool *)opaque);
}

static int switch_mode(struct qmp *qmp, bool on, struct xcx_err *err)
{
    const struct qmp_command command = {.name = "xen-set-global-dirty-log",
                                        .arguments = arguments,
                                        .opaque = &on,
                                        .send_fd = -1};

    return qmp_run(qmp, &command, NULL, err);
}

int qemu_log_dirty_end(const struct qemu_socket *socket, struct xcx_err *err)
{
    struct qemu_identity identity;
    struct qmp qmp = QMP_INIT;
    struct saver saver;
    int rc;

    qemu_socket_identify(socket, &identity);
    if (!identity.hvm || !identity.uuid[0])
        return 0;
    rc = qemu_socket_open(socket, &identity, QEMU_LOG_DIRTY_MS, &qmp, err);
    if (rc == 0)
        rc = saver_find(SAVER_PROC, socket->domid, &saver, err);
    if (rc == 0 && saver.pid == 0 &&
        (switch_mode(&qmp, true, err) || switch_mode(&qmp, false, err)))
        rc = -1;
    qmp_close(&qmp);
    return rc;
}
