/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl_header.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define CONFIG_COUNT_BYTES 4
#define CONFIG_MIN_ROOM    4096U

const char xl_header_magic[XL_HEADER_MAGIC_BYTES] =
    "Xen saved domain, xl format\n \0 \r";

static void enter(struct xl_header *header, enum xl_header_state state,
                  uint32_t bytes)
{
    header->state = state;
    header->left = bytes;
}

void xl_header_init(struct xl_header *header)
{
    memset(header, 0, sizeof(*header));
    enter(header, XL_HEADER_FIXED, XL_HEADER_BYTES);
}

void xl_header_done(struct xl_header *header)
{
    free(header->config);
    header->config = NULL;
    header->config_got_bytes = header->config_room_bytes = 0;
}

/* ---- what each part means, once it is there ---------------------------- */

static int check_fixed(const struct xl_header *header, struct xcx_err *err)
{
    uint32_t order = wire_le32(header->buf + XL_HEADER_MAGIC_BYTES);
    uint32_t unknown = header->mandatory_flags &
                       ~(XL_HEADER_FLAG_JSON | XL_HEADER_FLAG_STREAM_V2);

    if (memcmp(header->buf, xl_header_magic, XL_HEADER_MAGIC_BYTES) != 0)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "the magic at byte 0 is damaged");
    if (order != XL_HEADER_BYTE_ORDER)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "byte order %#010" PRIx32 " at byte 32", order);
    if (unknown)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "unknown mandatory flags %#" PRIx32 " at byte 36",
                           unknown);
    if (!(header->mandatory_flags & XL_HEADER_FLAG_STREAM_V2))
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "flags at byte 36 say that a legacy stream follows "
                           "(Xen 4.5 or older)");
    if (header->data_bytes > XL_HEADER_MAX_DATA_BYTES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "%" PRIu32 " bytes of optional data at byte 44, "
                           "at most %u",
                           header->data_bytes, XL_HEADER_MAX_DATA_BYTES);
    if (header->data_bytes && header->data_bytes < CONFIG_COUNT_BYTES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "%" PRIu32 " bytes of optional data at byte 44, "
                           "too few for the configuration's size",
                           header->data_bytes);
    return 0;
}

static int take_fixed(struct xl_header *header, struct xcx_err *err)
{
    header->mandatory_flags = wire_le32(header->buf + 36);
    header->optional_flags = wire_le32(header->buf + 40);
    header->data_bytes = wire_le32(header->buf + 44);
    if (check_fixed(header, err) < 0)
        return -1;
    enter(header, XL_HEADER_CONFIG_BYTES,
          header->data_bytes ? CONFIG_COUNT_BYTES : 0);
    return 0;
}

static int take_config_bytes(struct xl_header *header, struct xcx_err *err)
{
    uint32_t room, config_bytes;

    if (!header->data_bytes) {
        enter(header, XL_HEADER_DONE, 0);
        return 0;
    }
    room = header->data_bytes - CONFIG_COUNT_BYTES;
    config_bytes = wire_le32(header->buf);
    if (config_bytes > room)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "a configuration of %" PRIu32 " bytes at byte %d, "
                           "but room for %" PRIu32,
                           config_bytes, XL_HEADER_BYTES, room);
    header->config_bytes = config_bytes;
    enter(header, XL_HEADER_CONFIG, config_bytes);
    return 0;
}

/* Goes on as long as the next part is complete, which an empty one is. */
static int take_parts(struct xl_header *header, struct xcx_err *err)
{
    while (!header->left && header->state != XL_HEADER_DONE) {
        switch (header->state) {
        case XL_HEADER_FIXED:
            if (take_fixed(header, err) < 0)
                return -1;
            break;
        case XL_HEADER_CONFIG_BYTES:
            if (take_config_bytes(header, err) < 0)
                return -1;
            break;
        case XL_HEADER_CONFIG:
            enter(header, XL_HEADER_REST,
                  header->data_bytes - CONFIG_COUNT_BYTES -
                      header->config_bytes);
            break;
        default:
            enter(header, XL_HEADER_DONE, 0);
            break;
        }
    }
    return 0;
}

/* ---- feeding ----------------------------------------------------------- */

static int keep_config(struct xl_header *header, const uint8_t *bytes,
                       uint32_t nr_bytes, struct xcx_err *err)
{
    uint32_t need = header->config_got_bytes + nr_bytes;
    uint32_t room = header->config_room_bytes;
    char *config;

    if (need > room) {
        room = room < CONFIG_MIN_ROOM ? CONFIG_MIN_ROOM : room;
        while (room < need)
            room *= 2;
        config = realloc(header->config, room);
        if (!config)
            return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                               "a configuration of %" PRIu32 " bytes", need);
        header->config = config;
        header->config_room_bytes = room;
    }
    memcpy(header->config + header->config_got_bytes, bytes, nr_bytes);
    header->config_got_bytes = need;
    return 0;
}

static int feed_some(struct xl_header *header, const uint8_t *bytes,
                     uint32_t nr_bytes, struct xcx_err *err)
{
    if (header->state == XL_HEADER_FIXED)
        memcpy(header->buf + XL_HEADER_BYTES - header->left, bytes, nr_bytes);
    else if (header->state == XL_HEADER_CONFIG_BYTES)
        memcpy(header->buf + CONFIG_COUNT_BYTES - header->left, bytes,
               nr_bytes);
    else if (header->state == XL_HEADER_CONFIG &&
             keep_config(header, bytes, nr_bytes, err) < 0)
        return -1;
    header->left -= nr_bytes;
    header->offset += nr_bytes;
    return take_parts(header, err);
}

int xl_header_feed(struct xl_header *header, const void *bytes, size_t nr_bytes,
                   size_t *ret_used, struct xcx_err *err)
{
    const uint8_t *pos = bytes;
    size_t left = nr_bytes;

    while (left && header->left) {
        uint32_t now = left < header->left ? (uint32_t)left : header->left;

        if (feed_some(header, pos, now, err) < 0)
            return xcx_err_prefix(err, "xl header");
        pos += now;
        left -= now;
    }
    *ret_used = nr_bytes - left;
    return 0;
}

int xl_header_finish(const struct xl_header *header, struct xcx_err *err)
{
    static const char *const parts[] = {
        [XL_HEADER_FIXED] = "the fixed part",
        [XL_HEADER_CONFIG_BYTES] = "the configuration's size",
        [XL_HEADER_CONFIG] = "the configuration",
        [XL_HEADER_REST] = "optional data",
    };

    if (header->state == XL_HEADER_DONE)
        return 0;
    return xcx_err_set(err, XCX_ERR_STREAM, 0,
                       "xl header: truncated at byte %" PRIu64 ", in %s",
                       header->offset, parts[header->state]);
}
