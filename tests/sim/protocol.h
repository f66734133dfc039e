/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * protocol: libxl's side of its conversation with a save helper.
 *
 * A message is a 16-bit length (of what follows), a 16-bit type and packed
 * arguments in the machine's byte order; a string is a 32-bit length that
 * counts the NUL, then the bytes. Some are answered with one native int.
 * This part is pure: bytes in, messages out. It is as strict as libxl, which
 * drops what it cannot parse, and says why.
 */
#ifndef SIM_PROTOCOL_H
#define SIM_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcext/err.h"

enum sim_message_type {
    SIM_MSG_LOG = 1,
    SIM_MSG_PROGRESS,
    SIM_MSG_SUSPEND,
    SIM_MSG_POSTCOPY,
    SIM_MSG_CHECKPOINT,
    SIM_MSG_WAIT_CHECKPOINT,
    SIM_MSG_QEMU_LOGDIRTY,
    SIM_MSG_STATIC_DATA_DONE,
    SIM_MSG_RESTORE_RESULTS,
    SIM_MSG_COMPLETE,
};

struct sim_message {
    enum sim_message_type type;
    uint32_t
        number[2];   /* level, errno; domid, enable; missing; retval, errno */
    uint64_t big[2]; /* done, total; store gfn, console gfn */
    const char *text[2]; /* context, text; inside the caller's bytes */
};

/* Whether libxl answers a message of this type. */
bool sim_message_is_answered(enum sim_message_type type);

/*
 * Takes one message from the nr_bytes at bytes: the number of bytes it took,
 * 0 if it is not there in full yet, -1 if it breaks the protocol.
 */
long sim_message_parse(const uint8_t *bytes, size_t nr_bytes,
                       struct sim_message *ret_message, struct xcx_err *err);

#endif
