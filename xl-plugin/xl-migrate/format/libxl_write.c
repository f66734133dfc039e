/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fd is blocking and stays so, since ssh or xl may share its open file
 * description. So that a cancel always gets through, a socket is written
 * without waiting, and a pipe PIPE_BUF at a time, which POLLOUT promises room
 * for. All that passes here is small.
 */
#include "libxl_write.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/deadline.h"
#include "libxl_stream.h"
#include "xl_header.h"

#define PIECE_BYTES           (64U << 10)
#define EMULATOR_HEADER_BYTES 8
#define RECORD_ALIGN          8

/* ---- bytes -------------------------------------------------------------- */

static int wait_for_room(const struct libxl_write *out, struct xcx_err *err)
{
    struct pollfd fds[] = {{out->fd, POLLOUT, 0}, {out->cancel_fd, POLLIN, 0}};
    uint64_t deadline_ns =
        out->stall_ns ? deadline_now_ns() + out->stall_ns : DEADLINE_NEVER;
    int nr = poll(fds, 2, deadline_left_ms(deadline_ns));

    if (nr < 0 && errno != EINTR)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "poll");
    if (nr == 0)
        return xcx_err_set(err, XCX_ERR_IO, ETIMEDOUT,
                           "the receiver has taken no data for %u s",
                           (unsigned)(out->stall_ns / NS_PER_S));
    if (fds[1].revents)
        return xcx_err_set(err, XCX_ERR_CANCELLED, 0, "cancelled");
    return 0;
}

static ssize_t write_some(int fd, const void *bytes, size_t nr_bytes)
{
    ssize_t n = send(fd, bytes, nr_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno == ENOTSOCK)
        n = write(fd, bytes, nr_bytes < PIPE_BUF ? nr_bytes : PIPE_BUF);
    return n;
}

int libxl_write_bytes(struct libxl_write *out, const void *bytes,
                      size_t nr_bytes, struct xcx_err *err)
{
    const char *at = bytes;

    while (nr_bytes) {
        ssize_t n;

        if (wait_for_room(out, err) < 0)
            return -1;
        n = write_some(out->fd, at, nr_bytes);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return xcx_err_set(err, XCX_ERR_IO, errno,
                               "writing behind byte %llu of the stream",
                               (unsigned long long)out->bytes);
        if (n > 0) {
            at += n;
            nr_bytes -= (size_t)n;
            out->bytes += (uint64_t)n;
        }
    }
    return 0;
}

/* ---- headers ------------------------------------------------------------ */

static int write_record_header(struct libxl_write *out, uint32_t type,
                               uint32_t body_bytes, struct xcx_err *err)
{
    uint32_t header[] = {htole32(type), htole32(body_bytes)};

    return libxl_write_bytes(out, header, sizeof(header), err);
}

static int write_padding(struct libxl_write *out, uint32_t body_bytes,
                         struct xcx_err *err)
{
    static const char zeroes[RECORD_ALIGN];

    return libxl_write_bytes(out, zeroes, -body_bytes % RECORD_ALIGN, err);
}

/*
 * xl's header and what it calls optional data: the configuration's length and
 * text, the NUL counted. Numbers are in the host's byte order.
 */
static int write_xl_header(struct libxl_write *out, const char *config_json,
                           struct xcx_err *err)
{
    size_t nr_bytes = strlen(config_json) + 1;
    uint32_t config_bytes = (uint32_t)nr_bytes;
    uint32_t numbers[5] = {XL_HEADER_BYTE_ORDER,
                           XL_HEADER_FLAG_JSON | XL_HEADER_FLAG_STREAM_V2};

    if (nr_bytes > XL_HEADER_MAX_DATA_BYTES - sizeof(config_bytes))
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "a configuration of %zu bytes", nr_bytes);
    numbers[3] = config_bytes + (uint32_t)sizeof(config_bytes);
    numbers[4] = config_bytes;
    if (libxl_write_bytes(out, xl_header_magic, XL_HEADER_MAGIC_BYTES, err) <
            0 ||
        libxl_write_bytes(out, numbers, sizeof(numbers), err) < 0)
        return -1;
    return libxl_write_bytes(out, config_json, nr_bytes, err);
}

int libxl_write_start(struct libxl_write *out, const char *config_json,
                      struct xcx_err *err)
{
    uint32_t numbers[] = {htobe32(LIBXL_STREAM_VERSION), htobe32(0)};

    if (write_xl_header(out, config_json, err) < 0 ||
        libxl_write_bytes(out, LIBXL_STREAM_IDENT, LIBXL_STREAM_IDENT_BYTES,
                          err) < 0 ||
        libxl_write_bytes(out, numbers, sizeof(numbers), err) < 0)
        return -1;
    return write_record_header(out, LIBXL_REC_LIBXC_CONTEXT, 0, err);
}

/* ---- records ------------------------------------------------------------ */

static int write_emulator_header(struct libxl_write *out, uint32_t type,
                                 uint64_t content_bytes, struct xcx_err *err)
{
    uint32_t header[] = {htole32(LIBXL_EMULATOR_QEMU_UPSTREAM), htole32(0)};

    if (content_bytes > UINT32_MAX - EMULATOR_HEADER_BYTES)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s of %llu bytes",
                           libxl_record_name(type),
                           (unsigned long long)content_bytes);
    if (write_record_header(out, type,
                            (uint32_t)content_bytes + EMULATOR_HEADER_BYTES,
                            err) < 0)
        return -1;
    return libxl_write_bytes(out, header, sizeof(header), err);
}

int libxl_write_xenstore(struct libxl_write *out, const char *pairs,
                         size_t pairs_bytes, struct xcx_err *err)
{
    if (!pairs_bytes)
        return 0;
    if (pairs_bytes > LIBXL_XENSTORE_MAX_BYTES - EMULATOR_HEADER_BYTES)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "%zu bytes of a device model's xenstore",
                           pairs_bytes);
    if (write_emulator_header(out, LIBXL_REC_EMULATOR_XENSTORE_DATA,
                              pairs_bytes, err) < 0 ||
        libxl_write_bytes(out, pairs, pairs_bytes, err) < 0)
        return -1;
    return write_padding(out, (uint32_t)pairs_bytes, err);
}

/* The state goes through a small buffer: it may be of megabytes. */
static int copy_state(struct libxl_write *out, int state_fd,
                      uint64_t state_bytes, struct xcx_err *err)
{
    char piece[PIECE_BYTES];
    uint64_t at = 0;

    while (at < state_bytes) {
        size_t wanted = state_bytes - at < sizeof(piece)
                            ? (size_t)(state_bytes - at)
                            : sizeof(piece);
        ssize_t n = pread(state_fd, piece, wanted, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return xcx_err_set(err, XCX_ERR_IO, n < 0 ? errno : 0,
                               "reading the device model's state");
        if (libxl_write_bytes(out, piece, (size_t)n, err) < 0)
            return -1;
        at += (uint64_t)n;
    }
    return 0;
}

int libxl_write_emulator(struct libxl_write *out, int state_fd,
                         uint64_t state_bytes, struct xcx_err *err)
{
    if (write_emulator_header(out, LIBXL_REC_EMULATOR_CONTEXT, state_bytes,
                              err) < 0 ||
        copy_state(out, state_fd, state_bytes, err) < 0)
        return -1;
    return write_padding(out, (uint32_t)state_bytes, err);
}

int libxl_write_end(struct libxl_write *out, struct xcx_err *err)
{
    return write_record_header(out, LIBXL_REC_END, 0, err);
}
