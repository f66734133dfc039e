/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/*
 * A stream as a word, one letter a record:
 *   I PV_INFO      C CPUID  R MSR policy  S STATIC_DATA_END  M P2M_FRAMES
 *   D PAGE_DATA    T TSC    P HVM_PARAMS  X HVM_CONTEXT      H SHARED_INFO
 *   B vCPU basic   E extended  A xsave  N msrs
 *   V VERIFY       K CHECKPOINT  Z END    O TOOLSTACK  ? optional  ! unknown
 */
static uint32_t type_of(char letter)
{
    static const struct {
        char letter;
        uint32_t type;
    } letters[] = {
        {'I', XCX_REC_X86_PV_INFO},
        {'C', XCX_REC_X86_CPUID_POLICY},
        {'R', XCX_REC_X86_MSR_POLICY},
        {'S', XCX_REC_STATIC_DATA_END},
        {'M', XCX_REC_X86_PV_P2M_FRAMES},
        {'D', XCX_REC_PAGE_DATA},
        {'T', XCX_REC_X86_TSC_INFO},
        {'P', XCX_REC_HVM_PARAMS},
        {'X', XCX_REC_HVM_CONTEXT},
        {'H', XCX_REC_SHARED_INFO},
        {'B', XCX_REC_X86_PV_VCPU_BASIC},
        {'E', XCX_REC_X86_PV_VCPU_EXTENDED},
        {'A', XCX_REC_X86_PV_VCPU_XSAVE},
        {'N', XCX_REC_X86_PV_VCPU_MSRS},
        {'V', XCX_REC_VERIFY},
        {'K', XCX_REC_CHECKPOINT},
        {'Z', XCX_REC_END},
        {'O', XCX_REC_TOOLSTACK},
        {'?', 0x80000000},
        {'!', 0x13},
    };

    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if (letters[i].letter == letter)
            return letters[i].type;
    abort();
}

#define HVM     XCX_GUEST_HVM
#define PV      XCX_GUEST_PV
#define READER  false
#define WRITER  true
#define PLAIN   false
#define CHECKPT true

struct row {
    enum xcx_guest_type guest;
    bool side, checkpointed;
    uint32_t version;
    const char *stream;
    const char *message; /* of the last letter; NULL: all is legal */
};

static const struct row rows[] = {
    /* Legal as a whole, for both sides. */
    {HVM, WRITER, PLAIN, 3, "CRSDDDTPXZ", NULL},
    {HVM, READER, PLAIN, 3, "CRSDDDTPXZ", NULL},
    {HVM, WRITER, PLAIN, 3, "SDVDTPXZ", NULL},
    {HVM, READER, PLAIN, 3, "SDVDTPXZ", NULL},
    {HVM, WRITER, CHECKPT, 3, "SDTPXKDTPXKTPXKZ", NULL},
    {HVM, READER, CHECKPT, 3, "SDTPXKDTPXKTPXKZ", NULL},
    {PV, WRITER, PLAIN, 3, "ICRSMDDTHBEANBEANZ", NULL},
    {PV, READER, PLAIN, 3, "ICRSMDDTHBEANBEANZ", NULL},
    {PV, WRITER, PLAIN, 3, "CISMDMDTHBZ", NULL},
    /* What stock sends, and what the spec leaves open: the reader only. */
    {HVM, READER, PLAIN, 3, "CRSDTXPZ", NULL},
    {HVM, WRITER, PLAIN, 3, "CRSDTXP", "may not come after HVM_CONTEXT"},
    {HVM, READER, PLAIN, 3, "SXDPDZ", NULL},
    {HVM, WRITER, PLAIN, 3, "SX", "comes before any PAGE_DATA"},
    {HVM, WRITER, PLAIN, 3, "SDTD", "may not come after X86_TSC_INFO"},
    {HVM, WRITER, PLAIN, 3, "SDTT", "may not come after X86_TSC_INFO"},
    {HVM, READER, PLAIN, 3, "SDXZ", NULL},
    {HVM, WRITER, PLAIN, 3, "SDPXZ", "comes before any X86_TSC_INFO"},
    {HVM, WRITER, PLAIN, 3, "SDTXZ", "comes before any HVM_PARAMS"},
    {PV, READER, PLAIN, 3, "ISMDBZ", NULL},
    {PV, WRITER, PLAIN, 3, "ISMDTBZ", "comes before any SHARED_INFO"},
    {HVM, READER, PLAIN, 3, "?S?D?X?Z", NULL},
    /* Version 2 has no policies and no STATIC_DATA_END. */
    {HVM, READER, PLAIN, 2, "DTXPZ", NULL},
    {PV, READER, PLAIN, 2, "IMDTHBZ", NULL},
    {PV, READER, PLAIN, 2, "M", "comes before any X86_PV_INFO"},
    {HVM, READER, PLAIN, 2, "C", "does not belong to version 2"},
    {HVM, READER, PLAIN, 2, "S", "does not belong to version 2"},
    {HVM, READER, PLAIN, 2, "T", "comes before any STATIC_DATA_END"},
    /* Static data. */
    {HVM, READER, PLAIN, 3, "D", "comes before any STATIC_DATA_END"},
    {HVM, READER, PLAIN, 3, "SS", "may not come after STATIC_DATA_END"},
    {HVM, READER, PLAIN, 3, "SC", "may not come after STATIC_DATA_END"},
    {HVM, READER, PLAIN, 3, "CC", "may not come after X86_CPUID_POLICY"},
    {HVM, READER, PLAIN, 3, "RR", "may not come after X86_MSR_POLICY"},
    {PV, READER, PLAIN, 3, "II", "may not come after X86_PV_INFO"},
    {PV, READER, PLAIN, 3, "CS", "comes before any X86_PV_INFO"},
    {PV, READER, PLAIN, 3, "IM", "comes before any STATIC_DATA_END"},
    {PV, READER, PLAIN, 3, "ISD", "comes before any X86_PV_P2M_FRAMES"},
    {PV, READER, PLAIN, 3, "ISMB", "comes before any PAGE_DATA"},
    {PV, READER, PLAIN, 3, "ISMDBD", "may not come after X86_PV_VCPU_BASIC"},
    {PV, READER, PLAIN, 3, "ISMDBM", "may not come after X86_PV_VCPU_BASIC"},
    {PV, READER, PLAIN, 3, "H", "comes before any X86_PV_INFO"},
    /* Records of the other kind of guest, and of no forward stream. */
    {HVM, READER, PLAIN, 3, "I", "does not belong to an HVM guest"},
    {HVM, READER, PLAIN, 3, "SM", "does not belong to an HVM guest"},
    {HVM, READER, PLAIN, 3, "SH", "does not belong to an HVM guest"},
    {HVM, READER, PLAIN, 3, "SDB", "does not belong to an HVM guest"},
    {PV, READER, PLAIN, 3, "ISMDX", "does not belong to a PV guest"},
    {PV, READER, PLAIN, 3, "ISMDP", "does not belong to a PV guest"},
    {HVM, READER, PLAIN, 3, "SO", "has no place in a forward stream"},
    {HVM, READER, PLAIN, 3, "S!", "is of no known type"},
    /* Marks. */
    {HVM, READER, PLAIN, 3, "Z", "comes before any HVM_CONTEXT"},
    {PV, READER, PLAIN, 3, "ISMDHZ", "comes before any X86_PV_VCPU_BASIC"},
    {HVM, READER, PLAIN, 3, "SDXZZ", "comes after END"},
    {HVM, READER, PLAIN, 3, "SDXZ?", "comes after END"},
    {HVM, READER, PLAIN, 3, "SV", "comes before any PAGE_DATA"},
    {HVM, READER, PLAIN, 3, "SDVV", "may not come after VERIFY"},
    {HVM, READER, PLAIN, 3, "SDXK", "in a stream without checkpoints"},
    {HVM, READER, CHECKPT, 3, "SDK", "comes before any HVM_CONTEXT"},
    {HVM, READER, CHECKPT, 3, "SDXKDK", "comes before any HVM_CONTEXT"},
    {HVM, READER, CHECKPT, 3, "SDVXK", "may not come after VERIFY"},
    {HVM, READER, CHECKPT, 3, "SDXKDZ", NULL}, /* the checkpoint counts */
    {PV, READER, CHECKPT, 3, "ISMDBKDBKZ", NULL},
};

static void rows_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct xcx_err err = XCX_ERR_INIT;
        struct xcx_order order, before;
        const char *at = row->stream;

        print_message("# %zu: %s\n", i, row->stream);
        xcx_order_init(&order, row->guest, row->version, row->checkpointed,
                       row->side);
        for (; *at; at++) {
            xcx_order_infers_static_data_end(&order, type_of(*at));
            before = order;
            if (xcx_order_next(&order, type_of(*at), XCX_ERR_STREAM, &err))
                break;
        }
        assert_string_equal(err.msg, row->message ? row->message : "");
        if (!row->message)
            continue;
        assert_int_equal(err.kind, XCX_ERR_STREAM);
        assert_int_equal(at[1], 0);
        assert_memory_equal(&before, &order, sizeof(order));
    }
}

/* Whatever the writer may send, the reader takes. */
static void reader_takes_all_the_writer_may_send(void **state)
{
    static const char letters[] = "ICRSMDTPXHBEANVKZ";
    uint64_t seed = 42;
    unsigned nr_complete = 0;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        enum xcx_guest_type guest = i & 1 ? PV : HVM;
        struct xcx_order writer, reader;

        xcx_order_init(&writer, guest, 3, i & 2, WRITER);
        xcx_order_init(&reader, guest, 3, i & 2, READER);
        for (unsigned step = 0; step < 200 && !writer.ended; step++) {
            uint32_t type;

            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            type = type_of(letters[(seed >> 33) % (sizeof(letters) - 1)]);
            if (!xcx_order_next(&writer, type, XCX_ERR_BUG, NULL))
                assert_int_equal(
                    xcx_order_next(&reader, type, XCX_ERR_STREAM, NULL), 0);
        }
        nr_complete += writer.ended;
    }
    assert_true(nr_complete > 1000);
}

static void the_kind_is_the_callers(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_order order;

    (void)state;
    xcx_order_init(&order, HVM, 3, false, true);
    assert_int_equal(xcx_order_next(&order, XCX_REC_END, XCX_ERR_BUG, &err),
                     -1);
    assert_int_equal(err.kind, XCX_ERR_BUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold),
        cmocka_unit_test(reader_takes_all_the_writer_may_send),
        cmocka_unit_test(the_kind_is_the_callers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
