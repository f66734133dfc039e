/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader with callbacks that only count; xcext.h has the interface.
 * Page contents are passed over. The HVM context is an opaque blob to libxc:
 * its vCPUs are counted where its descriptors make sense, and are no reason
 * to call a stream broken where they do not.
 */
#include "xcext.h"

#include <errno.h>
#include <stdlib.h>

#include "stream/page_counts.h"
#include "stream/reader.h"

#define MAX_VCPU_ID      8191 /* Xen's own limit for PV guests */
#define COUNTS_MAX_BYTES ((size_t)256 << 20)
#define KIND_OTHER       XCX_NR_RECORD_TYPES
#define SUPERPAGE_PFNS   512

/* From Xen's public header for saved HVM state. */
#define HVM_DESCRIPTOR_BYTES 8
#define HVM_CODE_END         0
#define HVM_CODE_CPU         2

_Static_assert(XCX_INSPECT_NR_KINDS == XCX_NR_RECORD_TYPES + 1,
               "a kind for each record type, and one for the others");
_Static_assert(XCX_INSPECT_MAX_HVM_PARAMS == XCX_HVM_PARAMS_MAX,
               "room for the longest list");

struct xcx_inspector {
    struct xcx_reader reader;
    struct xcx_inspect report;
    struct xcx_page_counts counts;
    bool verifying;
    uint64_t last_pfn; /* of the entry before; for passes */
    uint64_t run_pfns; /* of a superpage that may be under way */
    uint8_t vcpus_seen[(MAX_VCPU_ID + 1) / 8];
};

static int on_headers(void *opaque, const struct xcx_stream_headers *headers,
                      struct xcx_err *err)
{
    struct xcx_inspect *report = &((struct xcx_inspector *)opaque)->report;

    (void)err;
    report->has_headers = true;
    report->hvm = headers->guest_type == XCX_GUEST_HVM;
    report->version = headers->version;
    report->xen_major = headers->xen_major;
    report->xen_minor = headers->xen_minor;
    return 0;
}

static int on_record(void *opaque, uint32_t type, uint32_t body_bytes,
                     uint64_t offset, struct xcx_err *err)
{
    struct xcx_inspect *report = &((struct xcx_inspector *)opaque)->report;
    struct xcx_inspect_kind *kind =
        &report->kinds[type < XCX_NR_RECORD_TYPES ? type : KIND_OTHER];

    (void)err;
    if (!kind->nr_records++)
        kind->first_offset = offset;
    kind->bytes += (uint64_t)XCX_RECORD_HEADER_BYTES + body_bytes +
                   xcx_record_padding(body_bytes);
    return 0;
}

static int on_pv_info(void *opaque, const struct xcx_pv_info *info,
                      struct xcx_err *err)
{
    struct xcx_inspect *report = &((struct xcx_inspector *)opaque)->report;

    (void)err;
    report->guest_width = info->guest_width;
    report->pt_levels = info->pt_levels;
    return 0;
}

static int on_cpu_policy(void *opaque, enum xcx_record_type type,
                         const void *entries, uint32_t bytes,
                         struct xcx_err *err)
{
    struct xcx_inspect *report = &((struct xcx_inspector *)opaque)->report;

    (void)entries;
    (void)err;
    if (type == XCX_REC_X86_CPUID_POLICY)
        report->nr_cpuid_leaves = bytes / XCX_CPUID_LEAF_BYTES;
    else
        report->nr_msr_entries = bytes / XCX_MSR_ENTRY_BYTES;
    return 0;
}

static int on_p2m_frames(void *opaque, const struct xcx_p2m_frames *frames,
                         uint64_t nr_frames, struct xcx_get pfns,
                         struct xcx_err *err)
{
    struct xcx_inspect *report = &((struct xcx_inspector *)opaque)->report;

    (void)nr_frames;
    (void)pfns;
    (void)err;
    report->has_p2m = true;
    report->p2m_first_pfn = frames->start_pfn;
    report->p2m_last_pfn = frames->end_pfn;
    return 0;
}

/* ---- PAGE_DATA --------------------------------------------------------- */

/* Contents of one pfn; whether they are the first. */
static bool count_contents(struct xcx_inspector *inspector, uint64_t pfn)
{
    struct xcx_inspect_pages *pages = &inspector->report.pages;
    unsigned times = xcx_page_counts_add(&inspector->counts, pfn);

    pages->nr_pfns_data++;
    pages->nr_pfns_uncounted += times == 0;
    pages->nr_pfns_distinct += times == 1;
    pages->nr_pfns_repeated += times == 2;
    if (times > pages->max_times)
        pages->max_times = times;
    return times == 1;
}

/* usable: a page that the receiver has to populate now. */
static void follow_superpage(struct xcx_inspector *inspector, uint64_t pfn,
                             bool usable)
{
    bool follows = inspector->run_pfns && pfn == inspector->last_pfn + 1;

    if (!usable)
        inspector->run_pfns = 0;
    else if (pfn % SUPERPAGE_PFNS == 0)
        inspector->run_pfns = 1;
    else
        inspector->run_pfns = follows ? inspector->run_pfns + 1 : 0;
    if (inspector->run_pfns == SUPERPAGE_PFNS)
        inspector->report.pages.nr_superpages++;
}

static void count_entry(struct xcx_inspector *inspector, uint64_t pfn,
                        unsigned type)
{
    struct xcx_inspect_pages *pages = &inspector->report.pages;
    bool is_new = type == XCX_PAGE_XALLOC;

    pages->by_type[type]++;
    if (xcx_page_type_has_data(type))
        is_new = count_contents(inspector, pfn);
    if (!pages->nr_pfns++) {
        pages->nr_passes = 1;
        pages->first_pfn = pages->last_pfn = pfn;
    } else if (pfn <= inspector->last_pfn) {
        pages->nr_passes++;
    }
    if (pfn < pages->first_pfn)
        pages->first_pfn = pfn;
    if (pfn > pages->last_pfn)
        pages->last_pfn = pfn;
    follow_superpage(inspector, pfn, is_new);
    inspector->last_pfn = pfn;
}

static int on_page_data(void *opaque, const struct xcx_page_list *list,
                        struct xcx_err *err)
{
    struct xcx_inspector *inspector = opaque;

    (void)err;
    if (inspector->verifying) {
        inspector->report.pages.nr_pfns_verify += list->nr_pfns;
        return 0;
    }
    for (uint32_t i = 0; i < list->nr_pfns; i++)
        count_entry(inspector, list->pfns[i], list->types[i]);
    return 0;
}

static int on_verify(void *opaque, struct xcx_err *err)
{
    (void)err;
    ((struct xcx_inspector *)opaque)->verifying = true;
    return 0;
}

/* ---- state ------------------------------------------------------------- */

static int on_tsc_info(void *opaque, const struct xcx_tsc_info *info,
                       struct xcx_err *err)
{
    struct xcx_inspect *report = &((struct xcx_inspector *)opaque)->report;

    (void)err;
    report->has_tsc = true;
    report->tsc_mode = info->mode;
    report->tsc_khz = info->khz;
    report->tsc_incarnation = info->incarnation;
    report->tsc_elapsed_ns = info->elapsed_ns;
    return 0;
}

static int on_vcpu(void *opaque, enum xcx_record_type type, uint32_t vcpu_id,
                   const void *blob, uint32_t bytes, struct xcx_err *err)
{
    struct xcx_inspector *inspector = opaque;
    uint8_t bit = (uint8_t)(1U << vcpu_id % 8);

    (void)blob;
    (void)bytes;
    (void)err;
    if (type != XCX_REC_X86_PV_VCPU_BASIC ||
        inspector->vcpus_seen[vcpu_id / 8] & bit)
        return 0;
    inspector->vcpus_seen[vcpu_id / 8] |= bit;
    inspector->report.nr_vcpus++;
    return 0;
}

static int on_hvm_params(void *opaque, uint32_t nr_params,
                         struct xcx_get params, struct xcx_err *err)
{
    struct xcx_inspect *report = &((struct xcx_inspector *)opaque)->report;

    (void)err;
    report->nr_hvm_params = nr_params;
    for (uint32_t i = 0; i < nr_params; i++) {
        struct xcx_hvm_param param = xcx_hvm_param_get(&params);

        report->hvm_params[i].index = param.index;
        report->hvm_params[i].value = param.value;
    }
    return 0;
}

/* 0 if it is not a row of entries up to the one that ends it. */
static unsigned vcpus_of_hvm_context(const void *blob, uint32_t bytes)
{
    struct xcx_get get = xcx_get_over(blob, bytes);
    unsigned nr_vcpus = 0;

    while (xcx_get_left(&get) >= HVM_DESCRIPTOR_BYTES) {
        unsigned code = xcx_get_le16(&get);

        xcx_get_skip(&get, 2); /* the instance */
        xcx_get_skip(&get, xcx_get_le32(&get));
        if (get.overrun)
            return 0;
        if (code == HVM_CODE_END)
            return nr_vcpus;
        nr_vcpus += code == HVM_CODE_CPU;
    }
    return 0;
}

static int on_hvm_context(void *opaque, const void *blob, uint32_t bytes,
                          struct xcx_err *err)
{
    struct xcx_inspect *report = &((struct xcx_inspector *)opaque)->report;

    (void)err;
    report->hvm_context_bytes = bytes;
    report->nr_vcpus = vcpus_of_hvm_context(blob, bytes);
    return 0;
}

/* ---- the interface ----------------------------------------------------- */

int xcx_inspector_new(uint64_t offset, struct xcx_inspector **ret_inspector,
                      struct xcx_err *err)
{
    static const struct xcx_reader_limits limits = {
        .max_pfn = XCX_PAGE_COUNTS_MAX_PFN,
        .max_vcpu_id = MAX_VCPU_ID,
        .checkpointed = true,
    };
    struct xcx_inspector *inspector = calloc(1, sizeof(*inspector));
    struct xcx_reader_ops ops = {
        .opaque = inspector,
        .record = on_record,
        .headers = on_headers,
        .pv_info = on_pv_info,
        .cpu_policy = on_cpu_policy,
        .p2m_frames = on_p2m_frames,
        .page_data = on_page_data,
        .tsc_info = on_tsc_info,
        .vcpu = on_vcpu,
        .hvm_params = on_hvm_params,
        .hvm_context = on_hvm_context,
        .verify = on_verify,
    };

    if (!inspector)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "inspector");
    inspector->counts.max_bytes = COUNTS_MAX_BYTES;
    inspector->report.offset = offset;
    for (unsigned i = 0; i < KIND_OTHER; i++)
        inspector->report.kinds[i].name = xcx_record_name(i);
    inspector->report.kinds[KIND_OTHER].name = XCX_RECORD_NAME_UNKNOWN;
    xcx_reader_init(&inspector->reader, &ops, &limits);
    xcx_reader_set_offset(&inspector->reader, offset);
    *ret_inspector = inspector;
    return 0;
}

void xcx_inspector_free(struct xcx_inspector *inspector)
{
    if (!inspector)
        return;
    xcx_reader_done(&inspector->reader);
    xcx_page_counts_done(&inspector->counts);
    free(inspector);
}

int xcx_inspector_feed(struct xcx_inspector *inspector, const void *bytes,
                       size_t nr_bytes, size_t *ret_used, struct xcx_err *err)
{
    return xcx_reader_feed(&inspector->reader, bytes, nr_bytes, ret_used, err);
}

void xcx_inspector_resume(struct xcx_inspector *inspector, uint64_t offset)
{
    if (inspector->reader.state != XCX_READER_CHECKPOINT)
        return;
    xcx_reader_set_offset(&inspector->reader, offset);
    xcx_reader_resume(&inspector->reader);
}

int xcx_inspector_finish(const struct xcx_inspector *inspector,
                         struct xcx_err *err)
{
    return xcx_reader_finish(&inspector->reader, err);
}

enum xcx_inspector_state
xcx_inspector_state(const struct xcx_inspector *inspector)
{
    switch (inspector->reader.state) {
    case XCX_READER_CHECKPOINT:
        return XCX_INSPECTOR_CHECKPOINT;
    case XCX_READER_END:
        return XCX_INSPECTOR_END;
    case XCX_READER_FAILED:
        return XCX_INSPECTOR_FAILED;
    default:
        return XCX_INSPECTOR_READING;
    }
}

/* Between two records it is the next one, of which nothing is known. */
static void report_place(const struct xcx_reader *reader,
                         struct xcx_inspect *report)
{
    bool between = reader->state == XCX_READER_RECORD_HEADER ||
                   reader->state == XCX_READER_CHECKPOINT;

    if (between) {
        report->record_name = "";
        report->record_index = reader->nr_records;
        report->record_offset = reader->offset - reader->buf_bytes;
    } else if (reader->nr_records) {
        report->record_name = xcx_record_name(reader->type);
        report->record_index = reader->nr_records - 1;
        report->record_offset = reader->record_offset;
    } else {
        report->record_name = "";
        report->record_index = 0;
        report->record_offset = reader->record_offset;
    }
}

const struct xcx_inspect *xcx_inspector_report(struct xcx_inspector *inspector)
{
    const struct xcx_reader *reader = &inspector->reader;
    struct xcx_inspect *report = &inspector->report;

    report->end_offset = reader->offset;
    report->complete = reader->state == XCX_READER_END;
    report->nr_records = reader->nr_records;
    report_place(reader, report);
    return report;
}

const char *xcx_inspect_page_type_name(unsigned type)
{
    static const char *const names[XCX_INSPECT_NR_PAGE_TYPES] = {
        [XCX_PAGE_NOTAB] = "NOTAB",
        [XCX_PAGE_L1TAB] = "L1TAB",
        [XCX_PAGE_L2TAB] = "L2TAB",
        [XCX_PAGE_L3TAB] = "L3TAB",
        [XCX_PAGE_L4TAB] = "L4TAB",
        [XCX_PAGE_L1TAB_PIN] = "L1TAB_PINNED",
        [XCX_PAGE_L2TAB_PIN] = "L2TAB_PINNED",
        [XCX_PAGE_L3TAB_PIN] = "L3TAB_PINNED",
        [XCX_PAGE_L4TAB_PIN] = "L4TAB_PINNED",
        [XCX_PAGE_BROKEN] = "BROKEN",
        [XCX_PAGE_XALLOC] = "XALLOC",
        [XCX_PAGE_XTAB] = "XTAB",
    };

    return type < XCX_INSPECT_NR_PAGE_TYPES ? names[type] : NULL;
}
