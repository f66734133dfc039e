/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wire: integers at any address in bytes that came from elsewhere. */
#ifndef XL_MIGRATE_WIRE_H
#define XL_MIGRATE_WIRE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t wire_le32(const void *at)
{
    uint32_t wire;

    memcpy(&wire, at, sizeof(wire));
    return le32toh(wire);
}

static inline uint32_t wire_be32(const void *at)
{
    uint32_t wire;

    memcpy(&wire, at, sizeof(wire));
    return be32toh(wire);
}

#endif
