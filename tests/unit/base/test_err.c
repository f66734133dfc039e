/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xcext/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void first_error_wins(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(xcx_err_set(&err, XCX_ERR_STREAM, 0, "record %d", 7), -1);
    assert_int_equal(xcx_err_set(&err, XCX_ERR_IO, EPIPE, "later"), -1);
    assert_int_equal(err.kind, XCX_ERR_STREAM);
    assert_string_equal(err.msg, "record 7");
}

static void errno_text_is_appended_and_errno_kept(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    errno = EAGAIN;
    xcx_err_set(&err, XCX_ERR_IO, EPIPE, "write to %s", "peer");
    assert_int_equal(errno, EAGAIN);
    assert_string_equal(err.msg, "write to peer: Broken pipe");
    assert_int_equal(xcx_err_to_errno(&err), EPIPE);
}

static void long_message_is_cut(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    char text[2 * XCX_ERR_MSG_BYTES];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    xcx_err_set(&err, XCX_ERR_BUG, EIO, "%s", text);
    assert_int_equal(strlen(err.msg), XCX_ERR_MSG_BYTES - 1);
    xcx_err_prefix(&err, "while testing");
    assert_int_equal(strlen(err.msg), XCX_ERR_MSG_BYTES - 1);
    assert_memory_equal(err.msg, "while testing: xxx", 18);
}

/* Peers, guests and files choose parts of a message. */
static void control_characters_are_replaced(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    xcx_err_set(&err, XCX_ERR_PEER, 0, "%s",
                "no \x1b[2K\r\nall is well\t\xc2\x9b");
    assert_string_equal(err.msg, "no ?[2K ?all is well ??");
    xcx_err_prefix(&err, "host\x07");
    assert_string_equal(err.msg, "host?: no ?[2K ?all is well ??");
}

static void null_and_empty_are_harmless(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(xcx_err_set(NULL, XCX_ERR_IO, 0, "nobody"), -1);
    assert_int_equal(xcx_err_prefix(&err, "nothing"), -1);
    assert_false(xcx_err_is_set(&err));
    assert_string_equal(xcx_err_kind_name(XCX_ERR_GUEST), "GUEST");
    assert_string_equal(xcx_err_kind_name((enum xcx_err_kind)99), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_wins),
        cmocka_unit_test(errno_text_is_appended_and_errno_kept),
        cmocka_unit_test(long_message_is_cut),
        cmocka_unit_test(control_characters_are_replaced),
        cmocka_unit_test(null_and_empty_are_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
