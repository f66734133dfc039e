/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bytes: bounded cursors over wire bytes. A get cursor reads, a put cursor
 * writes; neither can leave its buffer.
 *
 *   begin          pos                end
 *     |─── done ────|───── left ───────|
 *
 * The overrun flag is sticky: once an access did not fit, that one and all
 * later ones have no effect (a get returns 0, a put writes nothing), so code
 * can handle a whole body and look at the flag once, at the end. An access
 * that does not fit is never done in part.
 *
 * le is little-endian, be big-endian; unaligned positions are fine. The
 * buffer stays the caller's. Threads: a cursor belongs to one thread.
 */
#ifndef XCX_BASE_BYTES_H
#define XCX_BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct xcx_get {
    const uint8_t *pos;
    const uint8_t *end;
    bool overrun;
};

struct xcx_put {
    uint8_t *begin;
    uint8_t *pos;
    uint8_t *end;
    bool overrun;
};

static inline struct xcx_get xcx_get_over(const void *buf, size_t bytes)
{
    const uint8_t *begin = buf;

    return (struct xcx_get){.pos = begin, .end = begin ? begin + bytes : NULL};
}

static inline size_t xcx_get_left(const struct xcx_get *get)
{
    return get->pos ? (size_t)(get->end - get->pos) : 0;
}

/* The next `bytes` bytes in place; NULL (and overrun) if not so many. */
static inline const uint8_t *xcx_get_in_place(struct xcx_get *get, size_t bytes)
{
    const uint8_t *at = get->pos;

    if (get->overrun || xcx_get_left(get) < bytes) {
        get->overrun = true;
        return NULL;
    }
    if (bytes)
        get->pos += bytes;
    return at;
}

static inline void xcx_get_skip(struct xcx_get *get, size_t bytes)
{
    (void)xcx_get_in_place(get, bytes);
}

static inline void xcx_get_copy(struct xcx_get *get, void *ret, size_t bytes)
{
    const uint8_t *at = xcx_get_in_place(get, bytes);

    if (at)
        memcpy(ret, at, bytes);
}

static inline struct xcx_put xcx_put_over(void *buf, size_t bytes)
{
    uint8_t *begin = buf;

    return (struct xcx_put){
        .begin = begin, .pos = begin, .end = begin ? begin + bytes : NULL};
}

static inline size_t xcx_put_left(const struct xcx_put *put)
{
    return put->pos ? (size_t)(put->end - put->pos) : 0;
}

/* Bytes written so far. */
static inline size_t xcx_put_done(const struct xcx_put *put)
{
    return put->pos ? (size_t)(put->pos - put->begin) : 0;
}

/* Room for the next `bytes` bytes; NULL (and overrun) if there is none. */
static inline uint8_t *xcx_put_in_place(struct xcx_put *put, size_t bytes)
{
    uint8_t *at = put->pos;

    if (put->overrun || xcx_put_left(put) < bytes) {
        put->overrun = true;
        return NULL;
    }
    if (bytes)
        put->pos += bytes;
    return at;
}

static inline void xcx_put_copy(struct xcx_put *put, const void *from,
                                size_t bytes)
{
    uint8_t *at = xcx_put_in_place(put, bytes);

    if (at && bytes)
        memcpy(at, from, bytes);
}

static inline void xcx_put_zeroes(struct xcx_put *put, size_t bytes)
{
    uint8_t *at = xcx_put_in_place(put, bytes);

    if (at && bytes)
        memset(at, 0, bytes);
}

/* xcx_get_NAME() and xcx_put_NAME() for one integer type and byte order. */
#define XCX_BYTES_DEFINE(name, type, to_host, to_wire)                         \
    static inline type xcx_get_##name(struct xcx_get *get)                     \
    {                                                                          \
        type wire = 0;                                                         \
                                                                               \
        xcx_get_copy(get, &wire, sizeof(wire));                                \
        return to_host(wire);                                                  \
    }                                                                          \
    static inline void xcx_put_##name(struct xcx_put *put, type value)         \
    {                                                                          \
        type wire = to_wire(value);                                            \
                                                                               \
        xcx_put_copy(put, &wire, sizeof(wire));                                \
    }

#define XCX_BYTES_AS_IS(value) (value)
XCX_BYTES_DEFINE(u8, uint8_t, XCX_BYTES_AS_IS, XCX_BYTES_AS_IS)
XCX_BYTES_DEFINE(le16, uint16_t, le16toh, htole16)
XCX_BYTES_DEFINE(le32, uint32_t, le32toh, htole32)
XCX_BYTES_DEFINE(le64, uint64_t, le64toh, htole64)
XCX_BYTES_DEFINE(be16, uint16_t, be16toh, htobe16)
XCX_BYTES_DEFINE(be32, uint32_t, be32toh, htobe32)
XCX_BYTES_DEFINE(be64, uint64_t, be64toh, htobe64)
#undef XCX_BYTES_AS_IS
#undef XCX_BYTES_DEFINE

#endif
