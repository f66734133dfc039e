/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/pv_restore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "guest/pv_incoming.h"
#include "hv/vcpu_set.h"

#define GUEST_WIDTH 8

/* X86_PV_P2M_FRAMES counts in 32 bits: 16 TiB. */
#define MAX_NR_PFNS (UINT64_C(1) << 32)

/*
 * A p2m may be far larger than the guest's memory: Linux kernels that can add
 * memory have had one of 512 GiB whatever they own, and a guest may have begun
 * with much more than its balloon has left to it.
 */
#define USUAL_NR_PFNS (UINT64_C(1) << 28)
#define PFNS_A_PAGE   64

static uint64_t max_nr_pfns(uint64_t max_pages)
{
    if (max_pages > MAX_NR_PFNS / PFNS_A_PAGE)
        return MAX_NR_PFNS;
    if (max_pages * PFNS_A_PAGE < USUAL_NR_PFNS)
        return USUAL_NR_PFNS;
    return max_pages * PFNS_A_PAGE;
}

static int pv_setup(struct xcx_incoming *guest, struct xcx_err *err)
{
    struct xcx_pv_incoming *pv = xcx_pv_incoming_of(guest);

    guest->max_nr_pfns = max_nr_pfns(guest->info.max_pages);
    if (xcx_bitmap_init(&pv->to_localise, guest->max_nr_pfns, err))
        return -1;
    pv->nr_vcpus = guest->info.max_vcpu_id + 1;
    pv->vcpus = calloc(pv->nr_vcpus, sizeof(*pv->vcpus));
    if (!pv->vcpus)
        return xcx_err_no_memory(err, ENOMEM, "state of %u vCPUs",
                                 pv->nr_vcpus);
    return 0;
}

static uint64_t pv_frame(const struct xcx_incoming *guest, uint64_t pfn)
{
    const struct xcx_pv_incoming *pv = (const struct xcx_pv_incoming *)guest;

    return pfn < guest->nr_pfns && pv->p2m[pfn] ? pv->p2m[pfn] : XCX_NO_FRAME;
}

static void pv_set_frame(struct xcx_incoming *guest, uint64_t pfn,
                         uint64_t frame)
{
    xcx_pv_incoming_of(guest)->p2m[pfn] = frame;
}

static void pv_set_type(struct xcx_incoming *guest, uint64_t pfn, unsigned type)
{
    struct xcx_pv_incoming *pv = xcx_pv_incoming_of(guest);

    pv->types[pfn] = (uint8_t)type;
    if (xcx_pv_is_table(type))
        xcx_bitmap_set(&pv->to_localise, pfn);
    else
        xcx_bitmap_clear(&pv->to_localise, pfn);
    if (type != XCX_PAGE_NOTAB && pfn >= pv->tables_end)
        pv->tables_end = pfn + 1;
}

/* ---- the p2m ------------------------------------------------------------ */

/* Zeroed memory that grows and keeps its contents. */
static int grow(struct xcx_pv_table *table, size_t bytes, struct xcx_err *err)
{
    void *grown =
        table->bytes
            ? mremap(table->memory, table->bytes, bytes, MREMAP_MAYMOVE)
            : mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (grown == MAP_FAILED)
        return xcx_err_no_memory(err, errno, "table of %zu bytes for the p2m",
                                 bytes);
    *table = (struct xcx_pv_table){.memory = grown, .bytes = bytes};
    return 0;
}

static void drop(struct xcx_pv_table *table)
{
    if (table->bytes)
        munmap(table->memory, table->bytes);
    *table = (struct xcx_pv_table){0};
}

/* Sizes differ after a growth that failed half way: each has its own. */
static int grow_tables(struct xcx_pv_incoming *pv, uint64_t nr_pfns,
                       struct xcx_err *err)
{
    uint64_t nr_leaves =
        (nr_pfns + XCX_PV_LEAF_ENTRIES - 1) / XCX_PV_LEAF_ENTRIES;

    if (grow(&pv->p2m_table, nr_pfns * sizeof(*pv->p2m), err) ||
        grow(&pv->types_table, nr_pfns * sizeof(*pv->types), err) ||
        grow(&pv->leaves_table, nr_leaves * sizeof(*pv->leaves), err))
        return -1;
    pv->p2m = pv->p2m_table.memory;
    pv->types = pv->types_table.memory;
    pv->leaves = pv->leaves_table.memory;
    pv->guest.nr_pfns = nr_pfns;
    pv->nr_leaves = nr_leaves;
    return 0;
}

static int pv_take_p2m_frames(struct xcx_incoming *guest,
                              const struct xcx_p2m_frames *frames,
                              uint64_t nr_frames, struct xcx_get pfns,
                              struct xcx_err *err)
{
    struct xcx_pv_incoming *pv = xcx_pv_incoming_of(guest);
    uint64_t nr_pfns = (uint64_t)frames->end_pfn + 1;
    uint64_t first = frames->start_pfn / XCX_PV_LEAF_ENTRIES;

    if (nr_pfns > guest->nr_pfns && grow_tables(pv, nr_pfns, err))
        return -1;
    for (uint64_t i = 0; i < nr_frames; i++)
        pv->leaves[first + i] = xcx_get_le64(&pfns) + 1;
    return 0;
}

/* ---- the other records -------------------------------------------------- */

static int pv_take_info(struct xcx_incoming *guest,
                        const struct xcx_pv_info *info, struct xcx_err *err)
{
    unsigned width;

    if (info->guest_width != GUEST_WIDTH)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "a 32-bit PV guest, which this program does not "
                           "restore: set restore = \"stock\"");
    if (xcx_domain_guest_width(guest->hv, &width, err))
        return -1;
    if (width != GUEST_WIDTH)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %u was built for 32 bits, the guest has 64",
                           guest->hv->domid);
    return 0;
}

static int pv_take_shared_info(struct xcx_incoming *guest, const void *page,
                               struct xcx_err *err)
{
    struct xcx_pv_incoming *pv = xcx_pv_incoming_of(guest);

    (void)err;
    memcpy(pv->shared_info, page, sizeof(pv->shared_info));
    pv->has_shared_info = true;
    return 0;
}

static int keep(struct xcx_pv_blob *blob, const void *from, uint32_t bytes,
                struct xcx_err *err)
{
    void *copy = malloc(bytes);

    if (!copy)
        return xcx_err_no_memory(err, ENOMEM, "%" PRIu32 " bytes of vCPU state",
                                 bytes);
    memcpy(copy, from, bytes);
    free(blob->bytes);
    *blob = (struct xcx_pv_blob){.bytes = copy, .nr_bytes = bytes};
    return 0;
}

static int keep_part(struct xcx_pv_vcpu *vcpu, enum xcx_vcpu_part part,
                     const void *from, uint32_t bytes, struct xcx_err *err)
{
    if (xcx_vcpu_check_bytes(part, bytes, err))
        return -1;
    return keep(&vcpu->parts[part], from, bytes, err);
}

static int pv_take_vcpu(struct xcx_incoming *guest, enum xcx_record_type type,
                        uint32_t vcpu_id, const void *blob, uint32_t bytes,
                        struct xcx_err *err)
{
    struct xcx_pv_incoming *pv = xcx_pv_incoming_of(guest);
    struct xcx_pv_vcpu *vcpu;

    if (vcpu_id >= pv->nr_vcpus)
        return xcx_err_set(err, XCX_ERR_BUG, 0, "vCPU %" PRIu32, vcpu_id);
    vcpu = &pv->vcpus[vcpu_id];
    switch (type) {
    case XCX_REC_X86_PV_VCPU_EXTENDED:
        return keep_part(vcpu, XCX_VCPU_EXTENDED, blob, bytes, err);
    case XCX_REC_X86_PV_VCPU_XSAVE:
        return keep_part(vcpu, XCX_VCPU_XSAVE, blob, bytes, err);
    case XCX_REC_X86_PV_VCPU_MSRS:
        return keep_part(vcpu, XCX_VCPU_MSRS, blob, bytes, err);
    default:
        break;
    }
    if (bytes != xcx_vcpu_basic_bytes())
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "%" PRIu32 " bytes of vCPU state, must be %" PRIu32,
                           bytes, xcx_vcpu_basic_bytes());
    return keep(&vcpu->basic, blob, bytes, err);
}

static void pv_done(struct xcx_incoming *guest)
{
    struct xcx_pv_incoming *pv = xcx_pv_incoming_of(guest);

    for (unsigned i = 0; pv->vcpus && i < pv->nr_vcpus; i++) {
        free(pv->vcpus[i].basic.bytes);
        for (unsigned part = 0; part <= XCX_VCPU_MSRS; part++)
            free(pv->vcpus[i].parts[part].bytes);
    }
    free(pv->vcpus);
    drop(&pv->p2m_table);
    drop(&pv->types_table);
    drop(&pv->leaves_table);
    xcx_bitmap_done(&pv->to_localise);
    free(pv);
}

static const struct xcx_incoming_ops pv_ops = {
    .type = XCX_GUEST_PV,
    .setup = pv_setup,
    .frame = pv_frame,
    .set_frame = pv_set_frame,
    .set_type = pv_set_type,
    .localise = xcx_pv_localise,
    .as_localised = xcx_pv_as_localised,
    .pv_info = pv_take_info,
    .p2m_frames = pv_take_p2m_frames,
    .shared_info = pv_take_shared_info,
    .vcpu = pv_take_vcpu,
    .complete = xcx_pv_complete,
    .done = pv_done,
};

int xcx_pv_restore_new(struct xcx_incoming **ret_guest, struct xcx_err *err)
{
    struct xcx_pv_incoming *pv = calloc(1, sizeof(*pv));

    if (!pv)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "state of a PV guest");
    pv->guest.ops = &pv_ops;
    *ret_guest = &pv->guest;
    return 0;
}
