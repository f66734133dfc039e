/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restore_sample.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/hvm/params.h>

#include "fake_xen.h"

#define PAGE    XCX_PAGE_BYTES
#define PRESENT 0x7 /* and writable, and the user's */

static void append(struct restore_sample *sample, const void *bytes,
                   size_t nr_bytes)
{
    if (sample->nr_bytes + nr_bytes > SAMPLE_ROOM)
        abort();
    memcpy(sample->bytes + sample->nr_bytes, bytes, nr_bytes);
    sample->nr_bytes += nr_bytes;
}

void sample_start(struct restore_sample *sample, bool hvm)
{
    const struct xcx_stream_headers headers = {
        .guest_type = hvm ? XCX_GUEST_HVM : XCX_GUEST_PV, .xen_major = 4};
    uint8_t bytes[XCX_IMAGE_HEADER_BYTES + XCX_DOMAIN_HEADER_BYTES];
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));

    *sample = (struct restore_sample){.hvm = hvm, .bytes = malloc(SAMPLE_ROOM)};
    if (!sample->bytes)
        abort();
    xcx_image_header_put(&put);
    xcx_domain_header_put(&put, &headers);
    append(sample, bytes, sizeof(bytes));
}

void sample_done(struct restore_sample *sample)
{
    free(sample->bytes);
    *sample = (struct restore_sample){0};
}

static void begin_record(struct restore_sample *sample, uint32_t type,
                         size_t bytes)
{
    uint8_t header[XCX_RECORD_HEADER_BYTES];
    struct xcx_put put = xcx_put_over(header, sizeof(header));

    xcx_record_header_put(&put, type, (uint32_t)bytes);
    append(sample, header, sizeof(header));
}

void sample_record(struct restore_sample *sample, uint32_t type,
                   const void *body, size_t bytes)
{
    static const uint8_t zeroes[XCX_RECORD_ALIGN];

    begin_record(sample, type, bytes);
    if (bytes)
        append(sample, body, bytes);
    append(sample, zeroes, xcx_record_padding((uint32_t)bytes));
}

/* ---- pages -------------------------------------------------------------- */

static void fill(void *page, uint64_t pfn)
{
    uint64_t *words = page;

    for (unsigned i = 0; i < PAGE / sizeof(*words); i++)
        words[i] = pfn * UINT64_C(0x0101010101) + i;
}

bool sample_page_is_right(const void *page, uint64_t pfn)
{
    uint64_t want[PAGE / sizeof(uint64_t)];

    fill(want, pfn);
    return page && !memcmp(page, want, PAGE);
}

void sample_table(uint64_t pfn, uint64_t *entries)
{
    memset(entries, 0, PAGE);
    if (pfn >= SAMPLE_L4 && pfn < SAMPLE_L1)
        entries[3] = (pfn + 1) << XCX_PAGE_SHIFT | PRESENT;
    if (pfn != SAMPLE_L1)
        return;
    for (unsigned i = 0; i < 4; i++)
        entries[i] = (uint64_t)(30 + i) << XCX_PAGE_SHIFT | PRESENT;
    entries[500] = (uint64_t)SAMPLE_UNSENT << XCX_PAGE_SHIFT | PRESENT;
    entries[501] = UINT64_C(0x123456789000); /* not present: as it is */
}

/* The start info is a page like any other, but for where the rings are. */
static void fill_start_info(void *page)
{
    start_info_t *start = page;

    start->store_mfn = SAMPLE_STORE;
    start->console.domU.mfn = SAMPLE_CONSOLE;
    start->flags = 77;
}

static void put_contents(struct restore_sample *sample, uint64_t pfn,
                         unsigned type)
{
    uint64_t page[PAGE / sizeof(uint64_t)];

    fill(page, pfn);
    if (type != XCX_PAGE_NOTAB)
        sample_table(pfn, page);
    else if (pfn == SAMPLE_START && !sample->hvm)
        fill_start_info(page);
    append(sample, page, PAGE);
}

void sample_pages(struct restore_sample *sample, const uint64_t *pfns,
                  const uint8_t *types, unsigned nr)
{
    size_t nr_data = 0;

    for (unsigned i = 0; i < nr; i++)
        nr_data += !types || xcx_page_type_has_data(types[i]);
    begin_record(sample, XCX_REC_PAGE_DATA, 8 + 8 * nr + PAGE * nr_data);
    append(sample, (const uint32_t[]){nr, 0}, 8);
    for (unsigned i = 0; i < nr; i++) {
        uint64_t entry = xcx_page_entry(pfns[i], types ? types[i] : 0);

        append(sample, &entry, sizeof(entry));
    }
    sample->contents_from = sample->nr_bytes;
    for (unsigned i = 0; i < nr; i++)
        if (!types || xcx_page_type_has_data(types[i]))
            put_contents(sample, pfns[i], types ? types[i] : 0);
    sample->contents_to = sample->nr_bytes;
}

void sample_page_run(struct restore_sample *sample, uint64_t first, unsigned nr)
{
    uint64_t pfns[XCX_PAGE_BATCH_MAX];

    for (unsigned i = 0; i < nr; i++)
        pfns[i] = first + i;
    sample_pages(sample, pfns, NULL, nr);
}

/* ---- records ------------------------------------------------------------ */

void sample_static_data(struct restore_sample *sample, bool hvm)
{
    const uint8_t zeroes[XCX_CPUID_LEAF_BYTES] = {0};
    const uint8_t pv_info[8] = {8, 4};

    if (!hvm)
        sample_record(sample, XCX_REC_X86_PV_INFO, pv_info, sizeof(pv_info));
    sample_record(sample, XCX_REC_X86_CPUID_POLICY, zeroes,
                  XCX_CPUID_LEAF_BYTES);
    sample_record(sample, XCX_REC_X86_MSR_POLICY, zeroes, XCX_MSR_ENTRY_BYTES);
    sample_record(sample, XCX_REC_STATIC_DATA_END, NULL, 0);
}

void sample_hvm_state(struct restore_sample *sample)
{
    const uint64_t params[] = {3, /* then pairs */
                               HVM_PARAM_STORE_PFN,
                               2,
                               HVM_PARAM_CONSOLE_PFN,
                               3,
                               HVM_PARAM_X87_FIP_WIDTH,
                               8};
    const uint8_t tsc[XCX_TSC_INFO_BYTES] = {1}, context[200] = {9};

    sample_record(sample, XCX_REC_X86_TSC_INFO, tsc, sizeof(tsc));
    sample_record(sample, XCX_REC_HVM_PARAMS, params, sizeof(params));
    sample_record(sample, XCX_REC_HVM_CONTEXT, context, sizeof(context));
}

void sample_p2m_frames(struct restore_sample *sample, uint32_t start,
                       uint32_t end, uint64_t pfn)
{
    struct {
        uint32_t start, end;
        uint64_t pfn;
    } body = {start, end, pfn};

    sample_record(sample, XCX_REC_X86_PV_P2M_FRAMES, &body, sizeof(body));
}

void sample_pv_memory(struct restore_sample *sample)
{
    static const uint64_t pfns[] = {10, 11, 12, 13, 14, 20, 21, 22,
                                    23, 30, 31, 32, 33, 50, 51};
    static const uint8_t types[] = {
        0,
        0,
        0,
        0,
        0,
        XCX_PAGE_L4TAB_PIN,
        XCX_PAGE_L3TAB,
        XCX_PAGE_L2TAB,
        XCX_PAGE_L1TAB,
        0,
        0,
        0,
        0,
        XCX_PAGE_XTAB,
        XCX_PAGE_XALLOC,
    };

    sample_pages(sample, pfns, types, sizeof(types));
}

void sample_vcpu(struct restore_sample *sample, uint64_t cr3_pfn,
                 uint64_t gdt_entries, uint64_t start_info)
{
    struct {
        uint32_t id, reserved;
        vcpu_guest_context_t context;
    } body;

    memset(&body, 0, sizeof(body));
    body.context.user_regs.rdx = start_info;
    body.context.ctrlreg[3] = cr3_pfn << XCX_PAGE_SHIFT;
    body.context.ctrlreg[1] = cr3_pfn << XCX_PAGE_SHIFT | 1;
    body.context.gdt_ents = gdt_entries;
    body.context.gdt_frames[0] = SAMPLE_GDT;
    sample_record(sample, XCX_REC_X86_PV_VCPU_BASIC, &body, sizeof(body));
}

void sample_pv_state(struct restore_sample *sample)
{
    const uint8_t tsc[XCX_TSC_INFO_BYTES] = {1}, part[8 + 32] = {0};
    shared_info_t *info = calloc(1, PAGE);

    if (!info)
        abort();
    info->arch.max_pfn = SAMPLE_NR_PFNS;
    info->arch.pfn_to_mfn_frame_list_list = 5;
    info->evtchn_pending[0] = 1;
    sample_record(sample, XCX_REC_X86_TSC_INFO, tsc, sizeof(tsc));
    sample_record(sample, XCX_REC_SHARED_INFO, info, PAGE);
    free(info);
    sample_vcpu(sample, SAMPLE_L4, 16, SAMPLE_START);
    sample_record(sample, XCX_REC_X86_PV_VCPU_EXTENDED, part, sizeof(part));
    sample_record(sample, XCX_REC_X86_PV_VCPU_XSAVE, part, sizeof(part));
    sample_record(sample, XCX_REC_X86_PV_VCPU_MSRS, part, sizeof(part));
}

void sample_guest(struct restore_sample *sample, bool hvm)
{
    sample_start(sample, hvm);
    sample_static_data(sample, hvm);
    if (hvm) {
        sample_page_run(sample, 0, 4);
        sample_hvm_state(sample);
    } else {
        sample_p2m_frames(sample, 0, SAMPLE_NR_PFNS - 1, SAMPLE_LEAF);
        sample_pv_memory(sample);
        sample_pv_state(sample);
    }
    sample_record(sample, XCX_REC_END, NULL, 0);
}

/* ---- a run -------------------------------------------------------------- */

static int on_static_data_done(void *opaque, unsigned missing,
                               struct xcx_err *err)
{
    struct restore_run *run = opaque;

    run->missing = missing;
    return run->answer ? xcx_err_set(err, XCX_ERR_PEER, 0, "told to fail") : 0;
}

static void on_log(void *opaque, enum xcx_log_level level, const char *line)
{
    (void)line;
    ((struct restore_run *)opaque)->nr_warnings += level >= XCX_LOG_WARN;
}

/* One file for all runs: making one takes longer than a restore. */
static int stream_fd(const void *bytes, size_t nr_bytes)
{
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("stream", MFD_CLOEXEC);
    if (fd < 0 || pwrite(fd, bytes, nr_bytes, 0) != (ssize_t)nr_bytes ||
        ftruncate(fd, (off_t)nr_bytes) || lseek(fd, 0, SEEK_SET))
        abort();
    return fd;
}

void restore_bytes(struct restore_run *run, const void *bytes, size_t nr_bytes)
{
    const struct xcx_restore_params params = {
        .domid = FAKE_DOMID,
        .in_fd = stream_fd(bytes, nr_bytes),
        .store_port = 1,
        .console_port = 2,
        .nr_workers = XCX_NO_WORKERS,
    };
    const struct xcx_restore_ops ops = {
        .opaque = run, .static_data_done = on_static_data_done, .log = on_log};

    run->err = XCX_ERR_INIT;
    run->missing = UINT_MAX;
    run->nr_warnings = 0;
    run->rc = xcx_restore(&params, &ops, &run->results, &run->stats, &run->err);
}
