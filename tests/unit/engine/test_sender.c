/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sender, over a made-up hypervisor: frame N is pfn N and holds N all
 * over. Each case runs with workers and without.
 */
#include "engine/sender.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "hv/map.h"
#include "stream/record.h"

#define FIRST_GONE   100 /* cannot be mapped: there is no such page */
#define FIRST_STUCK  110 /* cannot be mapped, though it is there */
#define FIRST_PASSES 120 /* cannot be mapped by a worker, then it can */
#define NR_PFNS      200
#define PIPE_BYTES   (1 << 20) /* all pages fit */

static pid_t parent;

static bool can_be_mapped(uint64_t frame)
{
    return frame < FIRST_GONE || (frame >= FIRST_PASSES && getpid() == parent);
}

void *xcx_map(const struct xcx_hv *hv, const uint64_t *frames,
              uint64_t nr_pages, int *ret_errors)
{
    uint8_t *pages =
        mmap(NULL, nr_pages * XCX_PAGE_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)hv;
    if (pages == MAP_FAILED)
        return NULL; /* nothing to map */
    for (uint64_t i = 0; i < nr_pages; i++) {
        ret_errors[i] = can_be_mapped(frames[i]) ? 0 : EFAULT;
        memset(pages + i * XCX_PAGE_BYTES, (int)frames[i], XCX_PAGE_BYTES);
    }
    return pages;
}

void xcx_unmap(const struct xcx_hv *hv, void *addr, uint64_t nr_pages)
{
    (void)hv;
    if (addr)
        munmap(addr, nr_pages * XCX_PAGE_BYTES);
}

void xcx_hv_silence(struct xcx_hv *hv)
{
    (void)hv;
}

int xcx_types_query(struct xcx_types *types, const uint64_t *frames,
                    unsigned nr_frames, uint8_t *ret_types, struct xcx_err *err)
{
    (void)types;
    (void)err;
    for (unsigned i = 0; i < nr_frames; i++)
        ret_types[i] = frames[i] >= FIRST_GONE && frames[i] < FIRST_STUCK
                           ? XCX_PAGE_XTAB
                           : XCX_PAGE_NOTAB;
    return 0;
}

static uint64_t frame(const struct xcx_guest *guest, uint64_t pfn)
{
    (void)guest;
    return pfn;
}

/* Page tables 1 to 9 come out inverted; 10 and above are in a race. */
static int normalise(struct xcx_guest *guest, unsigned type, uint64_t pfn,
                     const void *src, void *dst, bool final,
                     enum xcx_normalised *ret_result, struct xcx_err *err)
{
    const uint8_t *from = src;
    uint8_t *to = dst;

    (void)guest;
    (void)type;
    (void) final;
    (void)err;
    for (size_t i = 0; i < XCX_PAGE_BYTES; i++)
        to[i] = (uint8_t)~from[i];
    *ret_result = pfn < 10 ? XCX_NORMALISED : XCX_RACED;
    return 0;
}

static const struct xcx_guest_ops hvm_ops = {.type = XCX_GUEST_HVM,
                                             .frame = frame};
static const struct xcx_guest_ops pv_ops = {.type = XCX_GUEST_PV,
                                            .types_change = true,
                                            .frame = frame,
                                            .normalise = normalise};

/* ---- fixture ------------------------------------------------------------ */

struct fixture {
    struct xcx_hv hv;
    struct xcx_guest guest;
    struct xcx_writer writer;
    struct xcx_bitmap populated, todo;
    struct xcx_out out;
    struct xcx_sender sender;
    int pipe[2];
    uint64_t start_bytes; /* of the stream, before any page */
};

static struct fixture f;

/* All that comes before pages; nobody looks at it. */
static void put_start(const struct xcx_guest_ops *ops)
{
    const struct xcx_stream_headers headers = {.guest_type = ops->type,
                                               .xen_major = 4};
    const struct xcx_pv_info info = {.guest_width = 8, .pt_levels = 4};
    const struct xcx_p2m_frames frames = {.end_pfn = NR_PFNS - 1};
    const uint64_t frame_pfn = 0;
    static uint8_t bytes[4096];
    size_t nr;
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(xcx_writer_headers(&f.writer, &headers, false, &err), 0);
    if (ops->types_change)
        assert_int_equal(xcx_writer_pv_info(&f.writer, &info, &err), 0);
    assert_int_equal(
        xcx_writer_record(&f.writer, XCX_REC_STATIC_DATA_END, NULL, 0, &err),
        0);
    if (ops->types_change)
        assert_int_equal(
            xcx_writer_p2m_frames(&f.writer, &frames, 8, &frame_pfn, &err), 0);
    assert_int_equal(xcx_io_read(f.pipe[0], bytes, f.writer.bytes,
                                 XCX_NO_DEADLINE, XCX_CANCEL_NONE, &nr, &err),
                     0);
    f.start_bytes = f.writer.bytes;
}

static void open_fixture_as(const struct xcx_guest_ops *ops,
                            unsigned nr_workers, bool by_gain)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_sink sink = {.writev = xcx_out_writev, .opaque = &f.out};

    memset(&f, 0, sizeof(f));
    parent = getpid();
    assert_int_equal(pipe(f.pipe), 0);
    assert_int_equal(fcntl(f.pipe[1], F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES);
    f.hv.domid = 7;
    f.guest = (struct xcx_guest){.ops = ops, .hv = &f.hv, .nr_pfns = NR_PFNS};
    assert_int_equal(xcx_bitmap_init(&f.populated, NR_PFNS, &err), 0);
    assert_int_equal(xcx_bitmap_init(&f.todo, NR_PFNS, &err), 0);
    xcx_bitmap_set_range(&f.populated, 0, NR_PFNS);
    assert_int_equal(xcx_out_init(&f.out, f.pipe[1], XCX_CANCEL_NONE, &err), 0);
    xcx_writer_init(&f.writer, sink);
    put_start(ops);
    f.sender.guest = &f.guest;
    f.sender.writer = &f.writer;
    f.sender.cancel = XCX_CANCEL_NONE;
    f.sender.populated = &f.populated;
    f.sender.todo = &f.todo;
    f.sender.by_gain = by_gain;
    xcx_bucket_init(&f.sender.bucket, 0, 0);
    assert_int_equal(xcx_sender_init(&f.sender, f.pipe[1], nr_workers, &err),
                     0);
}

static void open_fixture(const struct xcx_guest_ops *ops, unsigned nr_workers)
{
    open_fixture_as(ops, nr_workers, false);
}

static void close_fixture(void)
{
    xcx_sender_done(&f.sender);
    xcx_sender_done(&f.sender);
    xcx_out_done(&f.out);
    xcx_bitmap_done(&f.populated);
    xcx_bitmap_done(&f.todo);
    close(f.pipe[0]);
    close(f.pipe[1]);
}

static int send_pfns(const uint64_t *pfns, const uint8_t *types, unsigned nr,
                     struct xcx_err *err)
{
    if (xcx_sender_send(&f.sender, pfns, types, nr, err))
        return -1;
    return xcx_sender_drain(&f.sender, err);
}

/* Reads what is in the pipe: got[pfn] is the byte its page is full of, or
 * -type for an entry without contents, or 1000 if it did not come. */
static void read_stream(int got[NR_PFNS])
{
    static uint8_t bytes[PIPE_BYTES];
    size_t nr;
    uint64_t nr_bytes = f.writer.bytes - f.start_bytes;
    struct xcx_get get;
    struct xcx_err err = XCX_ERR_INIT;

    for (unsigned pfn = 0; pfn < NR_PFNS; pfn++)
        got[pfn] = 1000;
    assert_true(nr_bytes <= sizeof(bytes));
    assert_int_equal(xcx_io_read(f.pipe[0], bytes, nr_bytes, XCX_NO_DEADLINE,
                                 XCX_CANCEL_NONE, &nr, &err),
                     0);
    get = xcx_get_over(bytes, nr);
    while (xcx_get_left(&get)) {
        static struct xcx_page_list list;
        uint32_t type = xcx_get_le32(&get), body = xcx_get_le32(&get), nr_pfns;

        assert_int_equal(type, XCX_REC_PAGE_DATA);
        assert_int_equal(xcx_page_header_get(&get, body, &nr_pfns, &err), 0);
        assert_int_equal(xcx_page_list_get(&get, nr_pfns, body, NR_PFNS - 1,
                                           true, &list, &err),
                         0);
        for (unsigned i = 0; i < nr_pfns; i++) {
            const uint8_t *page;

            assert_int_equal(got[list.pfns[i]], 1000); /* never twice */
            got[list.pfns[i]] = -list.types[i];
            if (!xcx_page_type_has_data(list.types[i]))
                continue;
            page = xcx_get_in_place(&get, XCX_PAGE_BYTES);
            assert_non_null(page);
            got[list.pfns[i]] = page[0];
            assert_memory_equal(page, page + 1, XCX_PAGE_BYTES - 1);
        }
    }
    assert_false(get.overrun);
}

/* ---- limits that change ------------------------------------------------- */

static unsigned nr_asked;

/* No limit any more. */
static void lift_limit(void *opaque, struct xcx_policy_limits *limits)
{
    (void)opaque;
    nr_asked++;
    limits->bandwidth_bytes_per_s = 0;
}

/* ---- tests -------------------------------------------------------------- */

static const unsigned workers[] = {0, 1, 2};
#define NR_WORKER_CASES (sizeof(workers) / sizeof(workers[0]))

static void what_cannot_be_mapped_while_it_runs(void **state)
{
    const uint64_t pfns[] = {1, FIRST_GONE, 2, FIRST_STUCK, FIRST_PASSES, 3};
    const uint8_t types[6] = {0};
    int got[NR_PFNS];

    (void)state;
    for (size_t i = 0; i < NR_WORKER_CASES; i++) {
        struct xcx_err err = XCX_ERR_INIT;

        open_fixture(&hvm_ops, workers[i]);
        assert_int_equal(send_pfns(pfns, types, 6, &err), 0);
        read_stream(got);
        assert_int_equal(got[1], 1);
        assert_int_equal(got[2], 2);
        assert_int_equal(got[3], 3);
        assert_int_equal(got[FIRST_PASSES], FIRST_PASSES);
        assert_int_equal(got[FIRST_GONE], 1000);
        assert_int_equal(got[FIRST_STUCK], 1000);
        assert_false(xcx_bitmap_test(&f.populated, FIRST_GONE));
        assert_true(xcx_bitmap_test(&f.populated, FIRST_STUCK));
        assert_true(xcx_bitmap_test(&f.todo, FIRST_STUCK));
        assert_int_equal(xcx_bitmap_count(&f.todo), 1);
        assert_int_equal(f.sender.nr_sent, 4);
        assert_int_equal(f.sender.nr_deferred, 1);
        close_fixture();
    }
}

static void what_cannot_be_mapped_in_the_end(void **state)
{
    const uint64_t pfns[] = {1, FIRST_STUCK + 1};
    const uint8_t types[2] = {0};

    (void)state;
    for (size_t i = 0; i < NR_WORKER_CASES; i++) {
        struct xcx_err err = XCX_ERR_INIT;

        open_fixture(&hvm_ops, workers[i]);
        f.sender.final = true;
        assert_int_equal(send_pfns(pfns, types, 2, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_HYPERCALL);
        assert_int_equal(err.os_errno, EFAULT);
        assert_non_null(strstr(err.msg, "domain 7: cannot map pfn 0x6f"));
        close_fixture();
    }
}

static void page_tables_go_by_the_parents_hand(void **state)
{
    const uint64_t pfns[] = {1, 2, 3, 10, FIRST_GONE, 4, 5};
    const uint8_t types[] = {XCX_PAGE_NOTAB, XCX_PAGE_L1TAB, XCX_PAGE_L4TAB_PIN,
                             XCX_PAGE_L2TAB, XCX_PAGE_NOTAB, XCX_PAGE_XTAB,
                             XCX_PAGE_BROKEN};
    int got[NR_PFNS];

    (void)state;
    for (size_t i = 0; i < NR_WORKER_CASES; i++) {
        struct xcx_err err = XCX_ERR_INIT;

        open_fixture(&pv_ops, workers[i]);
        assert_int_equal(send_pfns(pfns, types, 7, &err), 0);
        read_stream(got);
        assert_int_equal(got[1], 1);
        assert_int_equal(got[2], 255 - 2);
        assert_int_equal(got[3], 255 - 3);
        assert_int_equal(got[10], 1000); /* in a race: later */
        assert_true(xcx_bitmap_test(&f.todo, 10));
        assert_int_equal(got[FIRST_GONE], -XCX_PAGE_XTAB);
        assert_int_equal(got[4], -XCX_PAGE_XTAB);
        assert_int_equal(got[5], -XCX_PAGE_BROKEN);
        close_fixture();
    }
}

/* All ballooned out since it was looked for, but for a page table. */
static void a_batch_without_data_needs_no_worker(void **state)
{
    const uint64_t pfns[] = {4, 5, 2};
    const uint8_t types[] = {XCX_PAGE_XTAB, XCX_PAGE_BROKEN, XCX_PAGE_L1TAB};
    int got[NR_PFNS];

    (void)state;
    for (size_t i = 0; i < NR_WORKER_CASES; i++) {
        for (unsigned nr = 2; nr <= 3; nr++) {
            struct xcx_err err = XCX_ERR_INIT;

            open_fixture(&pv_ops, workers[i]);
            if (send_pfns(pfns, types, nr, &err))
                fail_msg("%s", err.msg);
            read_stream(got);
            assert_int_equal(got[4], -XCX_PAGE_XTAB);
            assert_int_equal(got[5], -XCX_PAGE_BROKEN);
            assert_int_equal(got[2], nr > 2 ? 255 - 2 : 1000);
            close_fixture();
        }
    }
}

/* More batches than workers: nothing is lost, nothing comes twice. */
static void many_small_batches(void **state)
{
    const uint8_t types[3] = {0};
    int got[NR_PFNS];

    (void)state;
    for (size_t i = 0; i < NR_WORKER_CASES; i++) {
        struct xcx_err err = XCX_ERR_INIT;

        open_fixture(&hvm_ops, workers[i]);
        for (uint64_t pfn = 0; pfn < 12; pfn += 3) {
            const uint64_t pfns[] = {pfn, pfn + 1, pfn + 2};

            assert_int_equal(xcx_sender_send(&f.sender, pfns, types, 3, &err),
                             0);
        }
        assert_int_equal(xcx_sender_drain(&f.sender, &err), 0);
        read_stream(got);
        for (int pfn = 0; pfn < 12; pfn++)
            assert_int_equal(got[pfn], pfn);
        assert_int_equal(got[12], 1000);
        close_fixture();
    }
}

static uint64_t nr_mapped_by_workers(void)
{
    return f.sender.pool.workers[0].nr_pages_mapped +
           f.sender.pool.workers[1].nr_pages_mapped;
}

/* Sends one page; whether no worker had a part in it. */
static bool goes_direct(uint64_t pfn)
{
    const uint8_t type = XCX_PAGE_NOTAB;
    uint64_t before = nr_mapped_by_workers();
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(send_pfns(&pfn, &type, 1, &err), 0);
    return before == nr_mapped_by_workers();
}

/* nr pages that take 10 ms to map, and next to no time to write. */
static void note_dear_batches(unsigned times, uint64_t nr_pages)
{
    for (unsigned i = 0; i < times; i++)
        xcx_gain_note(&f.sender.gain, nr_pages, 10000000, 1000);
}

static void workers_come_when_they_pay(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    open_fixture_as(&hvm_ops, 2, true);
    assert_true(goes_direct(1));
    assert_int_equal(f.sender.pool.nr_workers, 0);
    note_dear_batches(XCX_GAIN_IN_A_ROW, XCX_GAIN_MIN_PAGES);
    assert_true(goes_direct(2));
    assert_int_equal(f.sender.pool.nr_workers, 2);
    /* 156 us a page: a single one is not worth waking anybody. */
    assert_true(goes_direct(3));
    f.sender.gain.nr_pages = 1; /* but one that takes 10 ms is */
    assert_false(goes_direct(4));
    assert_int_equal(xcx_sender_settle(&f.sender, 1, &err), 0);
    assert_int_not_equal(f.sender.pool.workers[0].pid, 0);
    assert_int_equal(xcx_sender_settle(&f.sender, 0, &err), 0);
    assert_int_equal(f.sender.pool.workers[0].pid, 0);
    assert_false(goes_direct(5)); /* it is back */
    close_fixture();
}

/* Ten pages at a page a minute, twice. */
static void a_lifted_limit_ends_the_wait(void **state)
{
    const struct xcx_save_ops ops = {.limits = lift_limit};
    struct xcx_limits limits = {.ops = &ops, .now.bandwidth_bytes_per_s = 68};
    const uint64_t pfns[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const uint8_t types[10] = {0};

    (void)state;
    for (size_t i = 0; i < NR_WORKER_CASES; i++) {
        struct xcx_err err = XCX_ERR_INIT;
        uint64_t start_ns = xcx_clock_ns();

        open_fixture(&hvm_ops, workers[i]);
        f.sender.limits = &limits;
        nr_asked = 0;
        limits.now.bandwidth_bytes_per_s = 68;
        xcx_limits_fill(&limits, &f.sender.bucket);
        assert_int_equal(send_pfns(pfns, types, 10, &err), 0);
        assert_int_equal(nr_asked, 1);
        assert_int_equal(send_pfns(pfns, types, 10, &err), 0);
        assert_int_equal(nr_asked, 1); /* nothing to wait for */
        assert_true(xcx_clock_ns() - start_ns < 60 * XCX_NS_PER_S);
        close_fixture();
    }
}

static void the_first_batch_is_cut_to_see_whether_they_pay(void **state)
{
    static const uint8_t types[NR_PFNS];
    uint64_t pfns[FIRST_GONE + NR_PFNS - FIRST_PASSES];
    unsigned nr = 0;
    int got[NR_PFNS];

    (void)state;
    for (uint64_t pfn = 0; pfn < NR_PFNS; pfn++)
        if (pfn < FIRST_GONE || pfn >= FIRST_PASSES)
            pfns[nr++] = pfn;
    for (int by_gain = 0; by_gain < 2; by_gain++) {
        struct xcx_err err = XCX_ERR_INIT;
        uint64_t nr_records;

        open_fixture_as(&hvm_ops, by_gain ? 2 : 0, by_gain);
        nr_records = f.writer.nr_records;
        assert_int_equal(send_pfns(pfns, types, nr, &err), 0);
        assert_int_equal(f.writer.nr_records - nr_records, by_gain ? 2 : 1);
        read_stream(got);
        for (unsigned i = 0; i < nr; i++)
            assert_int_equal(got[pfns[i]], pfns[i]);
        close_fixture();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_mapped_while_it_runs),
        cmocka_unit_test(what_cannot_be_mapped_in_the_end),
        cmocka_unit_test(page_tables_go_by_the_parents_hand),
        cmocka_unit_test(a_batch_without_data_needs_no_worker),
        cmocka_unit_test(many_small_batches),
        cmocka_unit_test(workers_come_when_they_pay),
        cmocka_unit_test(a_lifted_limit_ends_the_wait),
        cmocka_unit_test(the_first_batch_is_cut_to_see_whether_they_pay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
