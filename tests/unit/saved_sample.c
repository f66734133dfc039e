/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "saved_sample.h"

#include <stdlib.h>
#include <string.h>

void saved_put(struct sample_buf *buf, const void *bytes, size_t nr_bytes)
{
    size_t need = buf->bytes + nr_bytes + 1;

    if (need > buf->room) {
        buf->room = 2 * need;
        buf->data = realloc(buf->data, buf->room);
        if (!buf->data)
            abort();
    }
    memcpy(buf->data + buf->bytes, bytes, nr_bytes);
    buf->bytes += nr_bytes;
    buf->data[buf->bytes] = 0;
}

void saved_put_le32(struct sample_buf *buf, uint32_t value)
{
    uint32_t wire = htole32(value);

    saved_put(buf, &wire, sizeof(wire));
}

void saved_put_be32(struct sample_buf *buf, uint32_t value)
{
    uint32_t wire = htobe32(value);

    saved_put(buf, &wire, sizeof(wire));
}

void saved_put_xl_header(struct sample_buf *buf, uint32_t mandatory_flags,
                         const char *config, uint32_t config_bytes)
{
    saved_put(buf, "Xen saved domain, xl format\n \0 \r", 32);
    saved_put_le32(buf, 0x01020304);
    saved_put_le32(buf, mandatory_flags);
    saved_put_le32(buf, 0);
    saved_put_le32(buf, 4 + config_bytes);
    saved_put_le32(buf, config_bytes);
    saved_put(buf, config, config_bytes);
}

void saved_put_libxl_header(struct sample_buf *buf)
{
    saved_put(buf, "LibxlFmt", 8);
    saved_put_be32(buf, 2);
    saved_put_be32(buf, 0);
}

void saved_put_record(struct sample_buf *buf, uint32_t type, const void *body,
                      uint32_t body_bytes)
{
    saved_put_le32(buf, type);
    saved_put_le32(buf, body_bytes);
    saved_put(buf, body, body_bytes);
    saved_put(buf, "\0\0\0\0\0\0\0", -body_bytes % 8);
}

static void put_emulator(struct sample_buf *buf, struct saved_layout *layout)
{
    static const char pairs[] = "\2\0\0\0\0\0\0\0"
                                "physmap/0/start\0"
                                "0xf0000000\0"
                                "a@b-c_d\0\0"
                                "name\0v";
    uint8_t context[8 + SAVED_CONTEXT_BYTES] = {2};

    memset(context + 8, 'Q', SAVED_CONTEXT_BYTES);
    saved_put_record(buf, 2, pairs, sizeof(pairs));
    layout->context_at = buf->bytes;
    saved_put_record(buf, 3, context, sizeof(context));
}

/* Copies a libxc stream and puts libxl's records behind its checkpoints. */
static void put_libxc(struct sample_buf *buf, const struct sample_buf *libxc,
                      struct saved_layout *layout)
{
    size_t at = XCX_IMAGE_HEADER_BYTES + XCX_DOMAIN_HEADER_BYTES, copied = 0;

    while (at < libxc->bytes) {
        struct xcx_get get = xcx_get_over(libxc->data + at, 8);
        uint32_t type = xcx_get_le32(&get), body = xcx_get_le32(&get);

        at += 8 + body + xcx_record_padding(body);
        if (type != XCX_REC_CHECKPOINT)
            continue;
        saved_put(buf, libxc->data + copied, at - copied);
        copied = at;
        put_emulator(buf, layout);
        saved_put_record(buf, 4, "", 0);
    }
    saved_put(buf, libxc->data + copied, at - copied);
}

void saved_make(enum saved_layer outer, enum sample_kind kind, uint64_t seed,
                struct sample_buf *bytes, struct saved_layout *ret_layout)
{
    struct sample_buf libxc = {0}, log = {0};

    memset(ret_layout, 0, sizeof(*ret_layout));
    sample_make(kind, seed, &libxc, &log);
    ret_layout->libxc_bytes = libxc.bytes;
    if (outer == SAVED_XL) {
        ret_layout->config_at = 52;
        ret_layout->config_bytes = sizeof(SAVED_CONFIG);
        saved_put_xl_header(bytes, 3, SAVED_CONFIG, sizeof(SAVED_CONFIG));
    }
    ret_layout->libxl_at = bytes->bytes;
    if (outer == SAVED_LIBXC) {
        saved_put(bytes, libxc.data, libxc.bytes);
    } else {
        saved_put_libxl_header(bytes);
        saved_put_record(bytes, 0x80000077, "optional", 9);
        saved_put_record(bytes, 1, "", 0);
        ret_layout->libxc_at = bytes->bytes;
        put_libxc(bytes, &libxc, ret_layout);
        put_emulator(bytes, ret_layout);
        saved_put_record(bytes, 0, "", 0);
    }
    sample_buf_done(&libxc);
    sample_buf_done(&log);
}
