/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams made by hand, most of them wrong. */
#include "stream/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/stream_sample.h"

/* ---- streams made by hand ---------------------------------------------- */

#define MAX_STREAM_BYTES (64 << 10)

struct hand {
    uint8_t bytes[MAX_STREAM_BYTES];
    struct xcx_put put;
};

static void hand_headers(struct hand *hand, uint32_t version, uint32_t type)
{
    hand->put = xcx_put_over(hand->bytes, sizeof(hand->bytes));
    xcx_put_be64(&hand->put, UINT64_MAX);
    xcx_put_be32(&hand->put, 0x58454e46);
    xcx_put_be32(&hand->put, version);
    xcx_put_zeroes(&hand->put, 8);
    xcx_put_le32(&hand->put, type);
    xcx_put_le16(&hand->put, 12);
    xcx_put_le16(&hand->put, 0);
    xcx_put_le32(&hand->put, 4);
    xcx_put_le32(&hand->put, 12);
}

/* A record of so many zero bytes, padding included. */
static void hand_record(struct hand *hand, uint32_t type, uint32_t body_bytes)
{
    xcx_put_le32(&hand->put, type);
    xcx_put_le32(&hand->put, body_bytes);
    xcx_put_zeroes(&hand->put, (body_bytes + 7) & ~7u);
}

/* A PAGE_DATA record with one pfn and a page of zeroes if it has data. */
static void hand_page(struct hand *hand, uint64_t entry, bool data)
{
    xcx_put_le32(&hand->put, XCX_REC_PAGE_DATA);
    xcx_put_le32(&hand->put, data ? 16 + 4096 : 16);
    xcx_put_le64(&hand->put, 1);
    xcx_put_le64(&hand->put, entry);
    xcx_put_zeroes(&hand->put, data ? 4096 : 0);
}

static void hand_pv_info(struct hand *hand, uint8_t width, uint8_t levels)
{
    xcx_put_le32(&hand->put, XCX_REC_X86_PV_INFO);
    xcx_put_le32(&hand->put, 8);
    xcx_put_u8(&hand->put, width);
    xcx_put_u8(&hand->put, levels);
    xcx_put_zeroes(&hand->put, 6);
}

static void hand_p2m(struct hand *hand, uint32_t start, uint32_t end,
                     uint64_t first_pfn, uint32_t nr)
{
    xcx_put_le32(&hand->put, XCX_REC_X86_PV_P2M_FRAMES);
    xcx_put_le32(&hand->put, 8 + 8 * nr);
    xcx_put_le32(&hand->put, start);
    xcx_put_le32(&hand->put, end);
    for (uint32_t i = 0; i < nr; i++)
        xcx_put_le64(&hand->put, first_pfn);
}

static void hand_vcpu(struct hand *hand, uint32_t type, uint32_t vcpu_id,
                      uint32_t blob_bytes)
{
    xcx_put_le32(&hand->put, type);
    xcx_put_le32(&hand->put, 8 + blob_bytes);
    xcx_put_le64(&hand->put, vcpu_id);
    xcx_put_zeroes(&hand->put, blob_bytes);
}

static void hand_hvm(struct hand *hand)
{
    hand_headers(hand, 3, XCX_GUEST_HVM);
    hand_record(hand, XCX_REC_STATIC_DATA_END, 0);
}

static void hand_pv(struct hand *hand)
{
    hand_headers(hand, 3, XCX_GUEST_PV);
    hand_pv_info(hand, 8, 4);
    hand_record(hand, XCX_REC_STATIC_DATA_END, 0);
}

static void hand_pv_memory(struct hand *hand)
{
    hand_pv(hand);
    hand_p2m(hand, 0, 511, 7, 1);
    hand_page(hand, 5, true);
}

/* Reads the first `cut` bytes, then the rest. */
static void check_cut(const struct hand *hand, size_t cut, const char *expect,
                      const char *expect_log)
{
    size_t nr_bytes = xcx_put_done(&hand->put), used = 0;
    struct sample_events events = {0};
    struct xcx_reader_ops ops = sample_ops(&events);
    struct xcx_reader_limits limits = sample_limits(SAMPLE_HVM);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_reader reader;

    xcx_reader_init(&reader, &ops, &limits);
    if (!xcx_reader_feed(&reader, hand->bytes, cut, &used, &err))
        xcx_reader_feed(&reader, hand->bytes + cut, nr_bytes - cut, &used,
                        &err);
    assert_string_equal(err.msg, expect ? expect : "");
    if (expect) {
        assert_int_equal(err.kind, XCX_ERR_STREAM);
        assert_int_equal(reader.state, XCX_READER_FAILED);
    }
    if (expect_log)
        assert_string_equal(events.log.data, expect_log);
    xcx_reader_done(&reader);
    sample_buf_done(&events.log);
}

/*
 * Reads it all, cut in two at many places. NULL expect: it must be fine.
 * Otherwise the whole message.
 */
static void check_hand(const struct hand *hand, const char *name,
                       const char *expect, const char *expect_log)
{
    size_t nr_bytes = xcx_put_done(&hand->put);

    print_message("# %s\n", name);
    assert_false(hand->put.overrun);
    for (size_t cut = 0; cut <= nr_bytes; cut += 1 + nr_bytes / 40)
        check_cut(hand, cut, expect, expect_log);
}

/* One byte of a good header changed, or several. */
static void malformed_headers(void **state)
{
    static const struct {
        unsigned at;
        uint8_t value;
        const char *message;
    } table[] = {
        {0, 0,
         "image header at byte 0: marker 0x00ffffffffffffff: not a migration "
         "stream, or one of the legacy format"},
        {8, 0x59, "image header at byte 0: id 0x59454e46"},
        {15, 1, "image header at byte 0: version 1, can read 2 and 3"},
        {15, 4, "image header at byte 0: version 4, can read 2 and 3"},
        {17, 1, "image header at byte 0: big-endian stream"},
        {24, 0, "domain header at byte 24: guest type 0 is neither PV nor HVM"},
        {24, 3, "domain header at byte 24: guest type 3 is neither PV nor HVM"},
        {28, 13, "domain header at byte 24: page shift 13, not 12"},
    };
    struct hand hand;

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        hand_hvm(&hand);
        hand.bytes[table[i].at] = table[i].value;
        check_hand(&hand, table[i].message, table[i].message, NULL);
    }
}

/* Reserved fields must be ignored; so must padding. */
static void reserved_fields_are_ignored(void **state)
{
    struct hand hand;

    (void)state;
    hand_hvm(&hand);
    hand.bytes[16] = 0xfe; /* options 8 to 15, then both reserved fields */
    memset(hand.bytes + 18, 0xff, 6);
    memset(hand.bytes + 30, 0xff, 2);
    hand_page(&hand, UINT64_C(0x0ff0000000000001), true);
    hand.put.pos[-4096 - 12] = 0xff; /* behind the count */
    hand_record(&hand, XCX_REC_HVM_CONTEXT, 1);
    memset(hand.put.pos - 7, 0xff, 7);
    hand_record(&hand, XCX_REC_END, 0);
    check_hand(&hand, "reserved", NULL,
               "headers v3 type 2 Xen 4.12\nSTATIC_DATA_END\n"
               "PAGE_DATA 1 pfns\n  pfn 1 type 0\n"
               "pages 4096 bytes b93a0c83ce3b6325\n"
               "HVM_CONTEXT 1 bytes af63bd4c8601b7df\nEND\n");
}

static void version_2_infers_static_data_end(void **state)
{
    struct hand hand;

    (void)state;
    hand_headers(&hand, 2, XCX_GUEST_HVM);
    hand_page(&hand, UINT64_C(0xf) << 60, false);
    hand_page(&hand, UINT64_C(0xf) << 60, false);
    check_hand(&hand, "HVM", NULL,
               "headers v2 type 2 Xen 4.12\ninferred STATIC_DATA_END\n"
               "PAGE_DATA 1 pfns\n  pfn 0 type f\n"
               "pages 0 bytes cbf29ce484222325\n"
               "PAGE_DATA 1 pfns\n  pfn 0 type f\n"
               "pages 0 bytes cbf29ce484222325\n");
    hand_headers(&hand, 2, XCX_GUEST_PV);
    hand_pv_info(&hand, 8, 4);
    hand_p2m(&hand, 0, 0, 9, 1);
    check_hand(&hand, "PV", NULL,
               "headers v2 type 1 Xen 4.12\nPV width 8 levels 4\n"
               "inferred STATIC_DATA_END\np2m 0 to 0, 1 81a3697174a540ac\n");
    hand_headers(&hand, 2, XCX_GUEST_HVM);
    hand_record(&hand, XCX_REC_STATIC_DATA_END, 0);
    check_hand(&hand, "explicit",
               "record 0 (STATIC_DATA_END) at byte 40: does not belong to "
               "version 2",
               NULL);
}

static void optional_records_are_skipped(void **state)
{
    struct hand hand;

    (void)state;
    hand_hvm(&hand);
    hand_record(&hand, 0x80000001, 0);
    hand_record(&hand, 0x8000ffff, 12345);
    hand_record(&hand, XCX_REC_HVM_CONTEXT, 8);
    hand_record(&hand, XCX_REC_END, 0);
    check_hand(&hand, "optional", NULL,
               "headers v3 type 2 Xen 4.12\nSTATIC_DATA_END\n"
               "HVM_CONTEXT 8 bytes a8c7f832281a39c5\nEND\n");
}

/* Old senders made empty records; they are tolerated and not handed on. */
static void empty_blobs_are_tolerated(void **state)
{
    struct hand hand;

    (void)state;
    hand_hvm(&hand);
    hand_record(&hand, XCX_REC_HVM_PARAMS, 8);
    check_hand(&hand, "HVM_PARAMS", NULL,
               "headers v3 type 2 Xen 4.12\nSTATIC_DATA_END\n");
    hand_pv_memory(&hand);
    hand_vcpu(&hand, XCX_REC_X86_PV_VCPU_EXTENDED, 0, 0);
    hand_vcpu(&hand, XCX_REC_X86_PV_VCPU_XSAVE, 0, 0);
    hand_vcpu(&hand, XCX_REC_X86_PV_VCPU_MSRS, 0, 0);
    check_hand(&hand, "vCPU", NULL, NULL);
}

/* Header only: what is refused before a byte of the body is looked at. */
static void bad_lengths_are_refused_at_once(void **state)
{
#define AT_48 "at byte 48: length "
    static const struct {
        uint32_t type, bytes;
        const char *message;
    } table[] = {
        {0x13, 0,
         "record 1 (unknown) at byte 48: unknown mandatory type 0x00000013"},
        {0x7fffffff, 8,
         "record 1 (unknown) at byte 48: unknown mandatory type 0x7fffffff"},
        {0x80000000, 0x08000001,
         "record 1 (unknown) " AT_48 "134217729, must be at most 134217728"},
        {XCX_REC_HVM_CONTEXT, UINT32_MAX,
         "record 1 (HVM_CONTEXT) " AT_48
         "4294967295, must be at most 134217728"},
        {XCX_REC_HVM_CONTEXT, 0,
         "record 1 (HVM_CONTEXT) " AT_48 "0, must be 1 to 16777216"},
        {XCX_REC_HVM_CONTEXT, (16 << 20) + 1,
         "record 1 (HVM_CONTEXT) " AT_48 "16777217, must be 1 to 16777216"},
        {XCX_REC_HVM_PARAMS, 7,
         "record 1 (HVM_PARAMS) " AT_48 "7, must be 8 to 4104"},
        {XCX_REC_HVM_PARAMS, 25,
         "record 1 (HVM_PARAMS) " AT_48 "25, must be 8 and a multiple of 16"},
        {XCX_REC_X86_TSC_INFO, 23,
         "record 1 (X86_TSC_INFO) " AT_48 "23, must be 24"},
        {XCX_REC_X86_TSC_INFO, 25,
         "record 1 (X86_TSC_INFO) " AT_48 "25, must be 24"},
        {XCX_REC_END, 8, "record 1 (END) " AT_48 "8, must be 0"},
        {XCX_REC_VERIFY, 1, "record 1 (VERIFY) " AT_48 "1, must be 0"},
        {XCX_REC_CHECKPOINT, 1, "record 1 (CHECKPOINT) " AT_48 "1, must be 0"},
        {XCX_REC_STATIC_DATA_END, 4,
         "record 1 (STATIC_DATA_END) " AT_48 "4, must be 0"},
        {XCX_REC_PAGE_DATA, 8,
         "record 1 (PAGE_DATA) " AT_48 "8, must be 16 to 4202504"},
        {XCX_REC_PAGE_DATA, 4202512,
         "record 1 (PAGE_DATA) " AT_48 "4202512, must be 16 to 4202504"},
        {XCX_REC_PAGE_DATA, 20,
         "record 1 (PAGE_DATA) " AT_48 "20, must be 16 and a multiple of 8"},
        {XCX_REC_X86_CPUID_POLICY, 0,
         "record 1 (X86_CPUID_POLICY) " AT_48 "0, must be 24 to 98304"},
        {XCX_REC_X86_CPUID_POLICY, 40,
         "record 1 (X86_CPUID_POLICY) " AT_48
         "40, must be 24 and a multiple of 24"},
        {XCX_REC_X86_MSR_POLICY, 24,
         "record 1 (X86_MSR_POLICY) " AT_48
         "24, must be 16 and a multiple of 16"},
        {XCX_REC_X86_PV_INFO, 16,
         "record 1 (X86_PV_INFO) " AT_48 "16, must be 8"},
        {XCX_REC_SHARED_INFO, 4095,
         "record 1 (SHARED_INFO) " AT_48 "4095, must be 4096"},
        {XCX_REC_X86_PV_P2M_FRAMES, 8,
         "record 1 (X86_PV_P2M_FRAMES) " AT_48 "8, must be 16 to 16392"},
        {XCX_REC_X86_PV_P2M_FRAMES, 16400,
         "record 1 (X86_PV_P2M_FRAMES) " AT_48 "16400, must be 16 to 16392"},
        {XCX_REC_X86_PV_VCPU_BASIC, 8,
         "record 1 (X86_PV_VCPU_BASIC) " AT_48 "8, must be 9 to 65536"},
        {XCX_REC_X86_PV_VCPU_XSAVE, 7,
         "record 1 (X86_PV_VCPU_XSAVE) " AT_48 "7, must be 8 to 1048576"},
        {XCX_REC_X86_PV_VCPU_MSRS, 23,
         "record 1 (X86_PV_VCPU_MSRS) " AT_48
         "23, must be 8 and a multiple of 16"},
        {XCX_REC_TOOLSTACK, 8,
         "record 1 (TOOLSTACK) at byte 48: has no place in a forward stream"},
        {XCX_REC_CHECKPOINT_DIRTY_PFN_LIST, 8,
         "record 1 (CHECKPOINT_DIRTY_PFN_LIST) at byte 48: has no place in a "
         "forward stream"},
    };
    struct hand hand;

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        hand_hvm(&hand);
        xcx_put_le32(&hand.put, table[i].type);
        xcx_put_le32(&hand.put, table[i].bytes);
        check_hand(&hand, table[i].message, table[i].message,
                   "headers v3 type 2 Xen 4.12\nSTATIC_DATA_END\n");
    }
}

/* PAGE_DATA that says something wrong of itself never has an effect. */
static void malformed_page_data(void **state)
{
#define PAGE_AT "record 1 (PAGE_DATA) at byte 48: "
    static const struct {
        uint32_t body_bytes, count;
        uint64_t entry[2];
        const char *message;
    } table[] = {
        {16, 0, {0}, PAGE_AT "0 pfns, must be 1 to 1024"},
        {16, 1025, {0}, PAGE_AT "1025 pfns, must be 1 to 1024"},
        {16, UINT32_MAX, {0}, PAGE_AT "4294967295 pfns, must be 1 to 1024"},
        {16, 2, {0}, PAGE_AT "2 pfns do not fit into length 16"},
        {16, 1, {5}, PAGE_AT "length 16, but 1 pfns with 1 pages make 4112"},
        {24,
         2,
         {1, UINT64_C(0xf) << 60},
         PAGE_AT "length 24, but 2 pfns with 1 pages make 4120"},
        {4112,
         1,
         {UINT64_C(0xf) << 60},
         PAGE_AT "length 4112, but 1 pfns with 0 pages make 16"},
        {16,
         1,
         {SAMPLE_MAX_PFN + 1},
         PAGE_AT "pfn 0x100000 (entry 0) lies above the limit 0xfffff"},
        {24,
         2,
         {UINT64_C(0xf) << 60, UINT64_C(0xd00fffffffffffff)},
         PAGE_AT "pfn 0xfffffffffffff (entry 1) lies above the limit 0xfffff"},
        {16,
         1,
         {UINT64_C(0x5000000000000007)},
         PAGE_AT "pfn 0x7 (entry 0) has reserved type 0x5"},
        {16,
         1,
         {UINT64_C(0x8000000000000007)},
         PAGE_AT "pfn 0x7 (entry 0) has reserved type 0x8"},
        {4112,
         1,
         {UINT64_C(0x1000000000000007)},
         PAGE_AT
         "pfn 0x7 (entry 0) is a page table, type 0x1, of an HVM guest"},
        {4112,
         1,
         {UINT64_C(0xc000000000000007)},
         PAGE_AT
         "pfn 0x7 (entry 0) is a page table, type 0xc, of an HVM guest"},
    };
    struct hand hand;

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        hand_hvm(&hand);
        xcx_put_le32(&hand.put, XCX_REC_PAGE_DATA);
        xcx_put_le32(&hand.put, table[i].body_bytes);
        xcx_put_le64(&hand.put, table[i].count);
        xcx_put_le64(&hand.put, table[i].entry[0]);
        xcx_put_le64(&hand.put, table[i].entry[1]);
        check_hand(&hand, table[i].message, table[i].message,
                   "headers v3 type 2 Xen 4.12\nSTATIC_DATA_END\n");
    }
}

static void malformed_bodies(void **state)
{
    struct hand hand;

    (void)state;
    hand_headers(&hand, 3, XCX_GUEST_PV);
    hand_pv_info(&hand, 4, 4);
    check_hand(&hand, "PV_INFO",
               "record 0 (X86_PV_INFO) at byte 40: guest width 4 with 4 page "
               "table levels",
               NULL);
    hand_pv(&hand);
    hand_p2m(&hand, 2, 1, 0, 1);
    check_hand(&hand, "p2m backwards",
               "record 2 (X86_PV_P2M_FRAMES) at byte 64: pfns 0x2 to 0x1, the "
               "limit is 0xfffff",
               NULL);
    hand_pv(&hand);
    hand_p2m(&hand, 0, SAMPLE_MAX_PFN + 1, 0, 1);
    check_hand(&hand, "p2m too large",
               "record 2 (X86_PV_P2M_FRAMES) at byte 64: pfns 0 to 0x100000, "
               "the limit is 0xfffff",
               NULL);
    hand_pv(&hand);
    hand_p2m(&hand, 511, 512, 0, 1);
    check_hand(&hand, "p2m too short",
               "record 2 (X86_PV_P2M_FRAMES) at byte 64: pfns 0x1ff to 0x200 "
               "take 2 frames, not 8 bytes",
               NULL);
    hand_pv(&hand);
    hand_p2m(&hand, 0, 511, SAMPLE_MAX_PFN + 1, 1);
    check_hand(&hand, "p2m frame out of bounds",
               "record 2 (X86_PV_P2M_FRAMES) at byte 64: frame 0 at pfn "
               "0x100000, the limit is 0xfffff",
               NULL);
    hand_pv_memory(&hand);
    hand_vcpu(&hand, XCX_REC_X86_PV_VCPU_BASIC, 16, 8);
    check_hand(&hand, "vCPU",
               "record 4 (X86_PV_VCPU_BASIC) at byte 4208: vCPU 16, the limit "
               "is 15",
               NULL);
    hand_hvm(&hand);
    hand_record(&hand, XCX_REC_HVM_PARAMS, 24);
    check_hand(&hand, "HVM_PARAMS",
               "record 1 (HVM_PARAMS) at byte 48: 0 parameters do not make 16 "
               "bytes",
               NULL);
    hand_hvm(&hand);
    hand_record(&hand, XCX_REC_END, 0);
    check_hand(&hand, "order",
               "record 1 (END) at byte 48: comes before any HVM_CONTEXT", NULL);
}

/* ---- failures that are not the peer's ---------------------------------- */

static int refuse(void *opaque, const struct xcx_page_list *list,
                  struct xcx_err *err)
{
    (void)opaque;
    return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "no room for pfn %d",
                       (int)list->pfns[0]);
}

static void a_callback_can_refuse(void **state)
{
    struct xcx_reader_ops ops = {.page_data = refuse};
    struct xcx_reader_limits limits = sample_limits(SAMPLE_HVM);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_reader reader;
    struct hand hand;
    size_t used = 12345;

    (void)state;
    hand_hvm(&hand);
    hand_page(&hand, 9, true);
    xcx_reader_init(&reader, &ops, &limits);
    assert_int_equal(xcx_reader_feed(&reader, hand.bytes,
                                     xcx_put_done(&hand.put), &used, &err),
                     -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_string_equal(err.msg,
                        "record 1 (PAGE_DATA) at byte 48: no room for pfn 9");
    assert_int_equal(used, 12345);
    assert_int_equal(xcx_reader_want(&reader), 0);
    err = XCX_ERR_INIT;
    assert_int_equal(xcx_reader_feed(&reader, "x", 1, &used, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_BUG);
    assert_string_equal(err.msg, "reading on after a failure");
    err = XCX_ERR_INIT;
    assert_int_equal(xcx_reader_finish(&reader, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_BUG);
    xcx_reader_done(&reader);
}

static void taking_what_is_not_there_is_a_bug(void **state)
{
    struct xcx_reader_ops ops = {0};
    struct xcx_reader_limits limits = sample_limits(SAMPLE_HVM);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_reader reader;
    struct hand hand;
    size_t used;

    (void)state;
    hand_hvm(&hand);
    hand_page(&hand, 9, true);
    xcx_reader_init(&reader, &ops, &limits);
    assert_int_equal(xcx_reader_feed(&reader, hand.bytes,
                                     xcx_put_done(&hand.put) - 4096, &used,
                                     &err),
                     0);
    assert_int_equal(xcx_reader_raw_left(&reader), 4096);
    assert_int_equal(xcx_reader_took_raw(&reader, 4097, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_BUG);
    assert_string_equal(err.msg, "4097 bytes taken that are not page contents");
    xcx_reader_done(&reader);
}

/* A body of 16 MiB that is claimed but not sent takes next to no memory. */
static void memory_follows_what_arrived(void **state)
{
    struct xcx_reader_ops ops = {0};
    struct xcx_reader_limits limits = sample_limits(SAMPLE_HVM);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_reader reader;
    struct hand hand;
    size_t used;

    (void)state;
    hand_hvm(&hand);
    xcx_put_le32(&hand.put, XCX_REC_HVM_CONTEXT);
    xcx_put_le32(&hand.put, 16 << 20);
    xcx_put_zeroes(&hand.put, 5000);
    xcx_reader_init(&reader, &ops, &limits);
    assert_int_equal(xcx_reader_feed(&reader, hand.bytes,
                                     xcx_put_done(&hand.put), &used, &err),
                     0);
    assert_int_equal(reader.buf_bytes, 5000);
    assert_true(reader.buf_room_bytes <= 8192);
    xcx_reader_done(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_headers),
        cmocka_unit_test(reserved_fields_are_ignored),
        cmocka_unit_test(version_2_infers_static_data_end),
        cmocka_unit_test(optional_records_are_skipped),
        cmocka_unit_test(empty_blobs_are_tolerated),
        cmocka_unit_test(bad_lengths_are_refused_at_once),
        cmocka_unit_test(malformed_page_data),
        cmocka_unit_test(malformed_bodies),
        cmocka_unit_test(a_callback_can_refuse),
        cmocka_unit_test(taking_what_is_not_there_is_a_bug),
        cmocka_unit_test(memory_follows_what_arrived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
