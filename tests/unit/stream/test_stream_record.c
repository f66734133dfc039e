/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static uint64_t random_state = 5;

static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Whatever the values, they come back: decode(encode(x)) = x. */
static void values_come_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct xcx_stream_headers headers = {
            .version = 77,
            .guest_type = i & 1 ? XCX_GUEST_PV : XCX_GUEST_HVM,
            .xen_major = (uint32_t)random_u64(),
            .xen_minor = (uint32_t)random_u64()};
        struct xcx_stream_headers headers_back = {.version = 77};
        struct xcx_pv_info info = {i & 1 ? 4 : 8, i & 1 ? 3 : 4};
        struct xcx_pv_info info_back;
        struct xcx_tsc_info tsc = {
            .mode = (uint32_t)random_u64(),
            .khz = (uint32_t)random_u64(),
            .elapsed_ns = random_u64(),
            .incarnation = (uint32_t)random_u64(),
        };
        struct xcx_tsc_info tsc_back;
        uint32_t vcpu_id = (uint32_t)random_u64(), vcpu_id_back;
        uint8_t bytes[16 + 8 + 24 + 8];
        struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));
        struct xcx_get get;

        xcx_domain_header_put(&put, &headers);
        xcx_pv_info_put(&put, &info);
        xcx_tsc_info_put(&put, &tsc);
        xcx_vcpu_header_put(&put, vcpu_id);
        assert_false(put.overrun);
        assert_int_equal(xcx_put_left(&put), 0);

        assert_int_equal(xcx_domain_header_get(bytes, &headers_back, NULL), 0);
        get = xcx_get_over(bytes + 16, sizeof(bytes) - 16);
        assert_int_equal(xcx_pv_info_get(&get, &info_back, NULL), 0);
        assert_int_equal(xcx_tsc_info_get(&get, &tsc_back, NULL), 0);
        assert_int_equal(xcx_vcpu_header_get(&get, &vcpu_id_back, NULL), 0);
        assert_int_equal(headers_back.version, headers.version);
        assert_int_equal(headers_back.guest_type, headers.guest_type);
        assert_int_equal(headers_back.xen_major, headers.xen_major);
        assert_int_equal(headers_back.xen_minor, headers.xen_minor);
        assert_int_equal(info_back.guest_width, info.guest_width);
        assert_int_equal(info_back.pt_levels, info.pt_levels);
        assert_int_equal(tsc_back.mode, tsc.mode);
        assert_int_equal(tsc_back.khz, tsc.khz);
        assert_int_equal(tsc_back.elapsed_ns, tsc.elapsed_ns);
        assert_int_equal(tsc_back.incarnation, tsc.incarnation);
        assert_int_equal(vcpu_id_back, vcpu_id);
    }
}

/* Every type a pfn list can have: known or not, with contents or not. */
static void page_types_are_as_specified(void **state)
{
    /* k: known without contents, d: known with, -: reserved */
    static const char expect[] = "ddddd----ddddkkk";

    (void)state;
    for (unsigned type = 0; type < 16; type++) {
        bool known = xcx_page_type_is_known(type);

        assert_int_equal(known, expect[type] != '-');
        if (known)
            assert_int_equal(xcx_page_type_has_data(type), expect[type] == 'd');
    }
    assert_false(xcx_page_type_is_known(16));
}

static void entries_hold_52_bits_of_pfn(void **state)
{
    (void)state;
    assert_int_equal(xcx_page_entry(UINT64_MAX, XCX_PAGE_NOTAB),
                     UINT64_C(0x000fffffffffffff));
    assert_int_equal(xcx_page_entry(0x12, XCX_PAGE_L4TAB_PIN),
                     UINT64_C(0xc000000000000012));
}

static void p2m_frames_are_counted_by_width(void **state)
{
    static const struct {
        uint32_t start, end;
        unsigned width;
        uint64_t nr;
    } table[] = {
        {0, 0, 8, 1},
        {0, 511, 8, 1},
        {0, 512, 8, 2},
        {511, 512, 8, 2},
        {512, 1023, 8, 1},
        {0, 1023, 4, 1},
        {0, 1024, 4, 2},
        {0, UINT32_MAX, 8, 1 << 23},
        {0, UINT32_MAX, 4, 1 << 22},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct xcx_p2m_frames frames = {table[i].start, table[i].end};

        assert_int_equal(xcx_p2m_frames_nr(&frames, table[i].width),
                         table[i].nr);
    }
}

static void padding_reaches_eight(void **state)
{
    static const uint8_t expect[] = {0, 7, 6, 5, 4, 3, 2, 1, 0, 7};

    (void)state;
    for (uint32_t i = 0; i < sizeof(expect); i++)
        assert_int_equal(xcx_record_padding(i), expect[i]);
}

static void every_type_has_a_name(void **state)
{
    (void)state;
    for (uint32_t type = 0; type < XCX_NR_RECORD_TYPES; type++) {
        assert_non_null(xcx_record_name(type));
        assert_string_not_equal(xcx_record_name(type), XCX_RECORD_NAME_UNKNOWN);
    }
    assert_string_equal(xcx_record_name(XCX_REC_HVM_PARAMS), "HVM_PARAMS");
    assert_string_equal(xcx_record_name(XCX_NR_RECORD_TYPES),
                        XCX_RECORD_NAME_UNKNOWN);
    assert_string_equal(xcx_record_name(UINT32_MAX), XCX_RECORD_NAME_UNKNOWN);
}

/* Bodies cut short, for callers other than the reader, which checks first. */
static void short_bodies_are_told(void **state)
{
    static const uint8_t bytes[64];
    struct xcx_get get;
    struct xcx_err err;
    struct xcx_tsc_info tsc = {.khz = 9};
    struct xcx_pv_info info = {9, 9};
    uint32_t number = 9;
    struct xcx_page_list list = {.nr_pfns = 9};

    (void)state;
#define SHORT(call, message)                                                   \
    do {                                                                       \
        err = XCX_ERR_INIT;                                                    \
        get = xcx_get_over(bytes, 7);                                          \
        assert_int_equal(call, -1);                                            \
        assert_int_equal(err.kind, XCX_ERR_STREAM);                            \
        assert_string_equal(err.msg, message);                                 \
    } while (0)
    SHORT(xcx_tsc_info_get(&get, &tsc, &err), "body is too short");
    SHORT(xcx_pv_info_get(&get, &info, &err), "body is too short");
    SHORT(xcx_vcpu_header_get(&get, &number, &err), "body is too short");
    SHORT(xcx_hvm_params_get(&get, &number, &err),
          "0 parameters do not make 3 bytes");
    SHORT(xcx_page_header_get(&get, 16, &number, &err), "no room for a count");
    SHORT(xcx_page_list_get(&get, 1, 16, 9, false, &list, &err),
          "the pfn list is cut off");
    assert_int_equal(tsc.khz, 9);
    assert_int_equal(info.guest_width, 9);
    assert_int_equal(number, 9);
    assert_int_equal(list.nr_pfns, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(page_types_are_as_specified),
        cmocka_unit_test(entries_hold_52_bits_of_pfn),
        cmocka_unit_test(p2m_frames_are_counted_by_width),
        cmocka_unit_test(padding_reaches_eight),
        cmocka_unit_test(every_type_has_a_name),
        cmocka_unit_test(short_bodies_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
