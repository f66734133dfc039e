/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is written is, to the byte, what xl and libxl expect. */
#include "xl-migrate/format/libxl_write.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "xl-migrate/format/libxl_stream.h"
#include "xl-migrate/format/xl_header.h"

#define MAX_BYTES (4U << 20)

/* What has been written to a memfd. */
struct written {
    uint8_t *bytes;
    size_t nr_bytes;
};

static int memory(void)
{
    int fd = memfd_create("stream", MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static struct written take(int fd)
{
    struct written written = {.bytes = malloc(MAX_BYTES)};
    ssize_t n = pread(fd, written.bytes, MAX_BYTES, 0);

    assert_true(n >= 0);
    written.nr_bytes = (size_t)n;
    close(fd);
    return written;
}

static void test_all_layers_to_the_byte(void **state)
{
    static const uint8_t want[] =
        "Xen saved domain, xl format\n \0 \r"
        "\4\3\2\1" /* byte order */
        "\3\0\0\0" /* JSON, stream v2 */
        "\0\0\0\0"
        "\7\0\0\0" /* optional data */
        "\3\0\0\0"
        "{}\0"
        "LibxlFmt\0\0\0\2\0\0\0\0"
        "\1\0\0\0\0\0\0\0" /* LIBXC_CONTEXT */
        "libxc"
        "\2\0\0\0\14\0\0\0\2\0\0\0\0\0\0\0" /* EMULATOR_XENSTORE_DATA */
        "k\0v\0\0\0\0\0"
        "\3\0\0\0\13\0\0\0\2\0\0\0\0\0\0\0" /* EMULATOR_CONTEXT */
        "qmu\0\0\0\0\0"
        "\0\0\0\0\0\0\0"; /* END; its last NUL is the text's */
    struct libxl_write out = {.fd = memory(), .cancel_fd = -1};
    struct xcx_err err = XCX_ERR_INIT;
    struct written written;
    int state_fd = memory();

    (void)state;
    assert_int_equal(write(state_fd, "qmu", 3), 3);
    assert_int_equal(libxl_write_start(&out, "{}", &err), 0);
    assert_int_equal(libxl_write_bytes(&out, "libxc", 5, &err), 0);
    assert_int_equal(libxl_write_xenstore(&out, NULL, 0, &err), 0);
    assert_int_equal(libxl_write_xenstore(&out, "k\0v", 4, &err), 0);
    assert_int_equal(libxl_write_emulator(&out, state_fd, 3, &err), 0);
    assert_int_equal(libxl_write_end(&out, &err), 0);
    assert_int_equal(out.bytes, sizeof(want));
    written = take(out.fd);
    assert_int_equal(written.nr_bytes, sizeof(want));
    assert_memory_equal(written.bytes, want, sizeof(want));
    free(written.bytes);
    close(state_fd);
}

/* ---- our own parsers take it -------------------------------------------- */

struct seen {
    uint64_t context_bytes;
    uint64_t sum;
    unsigned nr_pairs;
};

static int on_context(void *opaque, uint32_t emulator, uint32_t index,
                      const void *bytes, size_t nr_bytes, struct xcx_err *err)
{
    struct seen *seen = opaque;

    (void)err;
    assert_int_equal(emulator, LIBXL_EMULATOR_QEMU_UPSTREAM);
    assert_int_equal(index, 0);
    for (size_t i = 0; i < nr_bytes; i++)
        seen->sum += ((const uint8_t *)bytes)[i];
    seen->context_bytes += nr_bytes;
    return 0;
}

static int on_pair(void *opaque, uint32_t emulator, uint32_t index,
                   const char *key, const char *value, struct xcx_err *err)
{
    struct seen *seen = opaque;

    (void)emulator;
    (void)index;
    (void)err;
    assert_string_equal(key, "physmap/1/name");
    assert_int_equal(strspn(value, "v"), strlen(value));
    seen->nr_pairs++;
    return 0;
}

static void parse(const struct written *written, const char *config,
                  struct seen *ret_seen)
{
    struct libxl_stream_ops ops = {
        .opaque = ret_seen, .context = on_context, .xenstore = on_pair};
    struct xcx_err err = XCX_ERR_INIT;
    struct libxl_stream stream;
    struct xl_header header;
    size_t at = 0, used;

    *ret_seen = (struct seen){.nr_pairs = 0};
    xl_header_init(&header);
    assert_int_equal(
        xl_header_feed(&header, written->bytes, written->nr_bytes, &at, &err),
        0);
    assert_int_equal(xl_header_finish(&header, &err), 0);
    assert_string_equal(header.config, config);
    xl_header_done(&header);
    libxl_stream_init(&stream, &ops, at);
    while (at < written->nr_bytes) {
        if (libxl_stream_feed(&stream, written->bytes + at,
                              written->nr_bytes - at, &used, &err) < 0)
            fail_msg("%s", err.msg);
        at += used;
        libxl_stream_libxc_done(&stream, 0, false);
    }
    assert_int_equal(libxl_stream_finish(&stream, &err), 0);
}

/* Lengths around the alignment and around the pieces that are copied. */
static void test_any_length_is_read_back(void **state)
{
    static const size_t lengths[] = {1,    2,    7,     8,     9,
                                     4095, 4096, 65535, 65536, 200001};
    static uint8_t content[200001];

    (void)state;
    memset(content, 3, sizeof(content));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct libxl_write out = {.fd = memory(), .cancel_fd = -1};
        struct xcx_err err = XCX_ERR_INIT;
        struct written written;
        struct seen seen;
        char pairs[64] = "physmap/1/name";
        size_t nr_values = lengths[i] % 16;
        int fd = memory();

        memset(pairs + 15, 'v', nr_values);
        assert_int_equal(write(fd, content, lengths[i]), lengths[i]);
        assert_int_equal(libxl_write_start(&out, "{\"a\":1}", &err), 0);
        assert_int_equal(
            libxl_write_xenstore(&out, pairs, 15 + nr_values + 1, &err), 0);
        assert_int_equal(libxl_write_emulator(&out, fd, lengths[i], &err), 0);
        assert_int_equal(libxl_write_end(&out, &err), 0);
        written = take(out.fd);
        parse(&written, "{\"a\":1}", &seen);
        assert_int_equal(seen.nr_pairs, 1);
        assert_int_equal(seen.context_bytes, lengths[i]);
        assert_int_equal(seen.sum, 3 * lengths[i]);
        free(written.bytes);
        close(fd);
    }
}

/* ---- what can go wrong -------------------------------------------------- */

static void assert_err(const struct xcx_err *err, enum xcx_err_kind kind,
                       const char *text)
{
    assert_int_equal(err->kind, kind);
    if (!strstr(err->msg, text))
        fail_msg("\"%s\" is not in \"%s\"", text, err->msg);
}

static void test_a_reader_that_left(void **state)
{
    struct libxl_write out = {.cancel_fd = -1};
    struct xcx_err err = XCX_ERR_INIT;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    close(fds[0]);
    out.fd = fds[1];
    assert_int_equal(libxl_write_start(&out, "{}", &err), -1);
    assert_err(&err, XCX_ERR_IO, "writing behind byte 0 of the stream");
    assert_int_equal(err.os_errno, EPIPE);
    close(fds[1]);
}

/* A full pipe, a full socket: the writer waits, and yet a cancel gets in. */
static void test_a_cancel_while_there_is_no_room(void **state)
{
    static const uint8_t bytes[2U << 20];
    int cancel = eventfd(1, EFD_CLOEXEC);

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct libxl_write out = {.cancel_fd = -1};
        struct xcx_err err = XCX_ERR_INIT;
        int fds[2];

        if (i)
            assert_int_equal(
                socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        else
            assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        out.fd = fds[1];
        /* So that it meets a full one, not the cancel at once. */
        assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
        while (write(fds[1], bytes, 4096) > 0)
            ;
        assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0);
        out.cancel_fd = cancel;
        assert_int_equal(libxl_write_bytes(&out, bytes, sizeof(bytes), &err),
                         -1);
        assert_err(&err, XCX_ERR_CANCELLED, "cancelled");
        close(fds[0]);
        close(fds[1]);
    }
    close(cancel);
}

static void test_a_reader_that_takes_nothing(void **state)
{
    static const uint8_t bytes[2U << 20];
    struct libxl_write out = {.cancel_fd = -1, .stall_ns = 50000000};
    struct xcx_err err = XCX_ERR_INIT;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    out.fd = fds[1];
    assert_int_equal(libxl_write_bytes(&out, bytes, sizeof(bytes), &err), -1);
    assert_err(&err, XCX_ERR_IO, "the receiver has taken no data for");
    assert_int_equal(err.os_errno, ETIMEDOUT);
    close(fds[0]);
    close(fds[1]);
}

static void test_a_state_that_is_shorter_than_said(void **state)
{
    struct libxl_write out = {.fd = memory(), .cancel_fd = -1};
    struct xcx_err err = XCX_ERR_INIT;
    int fd = memory();

    (void)state;
    assert_int_equal(write(fd, "abc", 3), 3);
    assert_int_equal(libxl_write_emulator(&out, fd, 4, &err), -1);
    assert_err(&err, XCX_ERR_IO, "reading the device model's state");
    close(fd);
    close(out.fd);
}

static void test_what_does_not_fit(void **state)
{
    struct libxl_write out = {.fd = memory(), .cancel_fd = -1};
    struct xcx_err err = XCX_ERR_INIT;
    char *config = malloc(XL_HEADER_MAX_DATA_BYTES + 1);

    (void)state;
    memset(config, ' ', XL_HEADER_MAX_DATA_BYTES);
    config[XL_HEADER_MAX_DATA_BYTES] = '\0';
    assert_int_equal(libxl_write_start(&out, config, &err), -1);
    assert_err(&err, XCX_ERR_USAGE, "a configuration of 4194305 bytes");
    err = XCX_ERR_INIT;
    assert_int_equal(
        libxl_write_xenstore(&out, config, LIBXL_XENSTORE_MAX_BYTES, &err), -1);
    assert_err(&err, XCX_ERR_USAGE, "of a device model's xenstore");
    err = XCX_ERR_INIT;
    assert_int_equal(libxl_write_emulator(&out, -1, UINT32_MAX, &err), -1);
    assert_err(&err, XCX_ERR_USAGE, "EMULATOR_CONTEXT of 4294967295 bytes");
    assert_int_equal(out.bytes, 0);
    free(config);
    close(out.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_layers_to_the_byte),
        cmocka_unit_test(test_any_length_is_read_back),
        cmocka_unit_test(test_a_reader_that_left),
        cmocka_unit_test(test_a_cancel_while_there_is_no_room),
        cmocka_unit_test(test_a_reader_that_takes_nothing),
        cmocka_unit_test(test_a_state_that_is_shorter_than_said),
        cmocka_unit_test(test_what_does_not_fit),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
