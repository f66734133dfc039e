/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void values_and_bytes(void **state)
{
    static const uint8_t expect[] = {
        0xa5,                               /* u8 */
        0x02, 0x01,                         /* le16 */
        0x04, 0x03, 0x02, 0x01,             /* le32 */
        8,    7,    6,    5,    4, 3, 2, 1, /* le64 */
        0x01, 0x02,                         /* be16 */
        0x01, 0x02, 0x03, 0x04,             /* be32 */
        1,    2,    3,    4,    5, 6, 7, 8, /* be64 */
        0,    0,    'a',  'b',
    };
    uint8_t bytes[sizeof(expect)];
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));
    struct xcx_get get = xcx_get_over(bytes, sizeof(bytes));
    char text[2];

    (void)state;
    memset(bytes, 0xee, sizeof(bytes));
    xcx_put_u8(&put, 0xa5);
    xcx_put_le16(&put, 0x0102);
    xcx_put_le32(&put, 0x01020304);
    xcx_put_le64(&put, UINT64_C(0x0102030405060708));
    xcx_put_be16(&put, 0x0102);
    xcx_put_be32(&put, 0x01020304);
    xcx_put_be64(&put, UINT64_C(0x0102030405060708));
    xcx_put_zeroes(&put, 2);
    xcx_put_copy(&put, "ab", 2);
    assert_false(put.overrun);
    assert_int_equal(xcx_put_left(&put), 0);
    assert_int_equal(xcx_put_done(&put), sizeof(expect));
    assert_memory_equal(bytes, expect, sizeof(expect));

    assert_int_equal(xcx_get_u8(&get), 0xa5);
    assert_int_equal(xcx_get_le16(&get), 0x0102);
    assert_int_equal(xcx_get_le32(&get), 0x01020304);
    assert_int_equal(xcx_get_le64(&get), UINT64_C(0x0102030405060708));
    assert_int_equal(xcx_get_be16(&get), 0x0102);
    assert_int_equal(xcx_get_be32(&get), 0x01020304);
    assert_int_equal(xcx_get_be64(&get), UINT64_C(0x0102030405060708));
    xcx_get_skip(&get, 2);
    xcx_get_copy(&get, text, 2);
    assert_memory_equal(text, "ab", 2);
    assert_false(get.overrun);
    assert_int_equal(xcx_get_left(&get), 0);
}

static void get_overrun_sticks(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5};
    struct xcx_get get = xcx_get_over(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(xcx_get_le16(&get), 0x0201);
    assert_int_equal(xcx_get_le32(&get), 0);
    assert_true(get.overrun);
    assert_int_equal(xcx_get_left(&get), 3);
    /* It would fit, but nothing after an overrun counts. */
    assert_int_equal(xcx_get_u8(&get), 0);
    assert_null(xcx_get_in_place(&get, 1));
    assert_int_equal(xcx_get_left(&get), 3);
}

static void put_overrun_sticks_and_spares_the_rest(void **state)
{
    uint8_t bytes[8] = {9, 9, 9, 9, 9, 9, 9, 9};
    static const uint8_t expect[8] = {1, 0, 9, 9, 9, 9, 9, 9};
    struct xcx_put put = xcx_put_over(bytes, 5);

    (void)state;
    xcx_put_le16(&put, 1);
    xcx_put_le32(&put, UINT32_MAX);
    assert_true(put.overrun);
    xcx_put_u8(&put, 7);
    xcx_put_zeroes(&put, 1);
    xcx_put_copy(&put, "x", 1);
    assert_int_equal(xcx_put_done(&put), 2);
    assert_memory_equal(bytes, expect, sizeof(expect));
}

static void sizes_cannot_wrap(void **state)
{
    uint8_t bytes[4] = {1, 2, 3, 4};
    struct xcx_get get = xcx_get_over(bytes, sizeof(bytes));
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));
    /* Volatile: the compiler would warn of such a size. */
    volatile size_t huge = SIZE_MAX - 1;

    (void)state;
    xcx_get_skip(&get, huge);
    assert_true(get.overrun);
    xcx_put_zeroes(&put, huge);
    assert_true(put.overrun);
    assert_int_equal(bytes[0], 1);
}

static void nothing_is_a_fine_buffer(void **state)
{
    struct xcx_get get = xcx_get_over(NULL, 0);
    struct xcx_put put = xcx_put_over(NULL, 0);

    (void)state;
    xcx_get_skip(&get, 0);
    xcx_put_zeroes(&put, 0);
    xcx_put_copy(&put, NULL, 0);
    assert_false(get.overrun);
    assert_false(put.overrun);
    assert_int_equal(xcx_get_left(&get) + xcx_put_left(&put), 0);
    assert_int_equal(xcx_put_done(&put), 0);
    assert_int_equal(xcx_get_u8(&get), 0);
    assert_true(get.overrun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_bytes),
        cmocka_unit_test(get_overrun_sticks),
        cmocka_unit_test(put_overrun_sticks_and_spares_the_rest),
        cmocka_unit_test(sizes_cannot_wrap),
        cmocka_unit_test(nothing_is_a_fine_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
