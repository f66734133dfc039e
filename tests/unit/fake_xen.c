/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_xen.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenguest.h>

#define PAGE     4096
#define NR_SLOTS 4096 /* a power of two, twice what is ever used */
#define BASE_MFN 0x1000

struct fake_xen fake_xen;

enum state { NEVER, USED, GONE };

/* Open addressing by pfn; the place in the table is the mfn. */
static struct slot {
    enum state state;
    uint64_t pfn;
} slots[NR_SLOTS];
static uint8_t (*ram)[PAGE];
static uint8_t shared_info[PAGE];

static struct mapping {
    struct mapping *next;
    uint8_t *addr;
    size_t nr_pages;
    bool writable;
    xen_pfn_t frames[];
} * mappings;

static void __attribute__((format(printf, 1, 2))) misuse(const char *fmt, ...)
{
    va_list ap;

    if (fake_xen.nr_misuses++)
        return;
    va_start(ap, fmt);
    vsnprintf(fake_xen.first_misuse, sizeof(fake_xen.first_misuse), fmt, ap);
    va_end(ap);
}

/* ---- the domain's memory ------------------------------------------------ */

static unsigned first_slot(uint64_t pfn)
{
    return (unsigned)(pfn * UINT64_C(0x9e3779b97f4a7c15) >> 52) % NR_SLOTS;
}

static struct slot *find(uint64_t pfn)
{
    unsigned i = first_slot(pfn);

    for (; slots[i].state != NEVER; i = (i + 1) % NR_SLOTS)
        if (slots[i].state == USED && slots[i].pfn == pfn)
            return &slots[i];
    return NULL;
}

static struct slot *add(uint64_t pfn)
{
    unsigned i = first_slot(pfn);

    while (slots[i].state == USED)
        i = (i + 1) % NR_SLOTS;
    slots[i] = (struct slot){.state = USED, .pfn = pfn};
    memset(ram[i], 0xa5, PAGE); /* Xen does not promise zeroes */
    fake_xen.nr_pages++;
    return &slots[i];
}

void fake_xen_reset(bool hvm, uint64_t max_pages)
{
    if (!ram)
        ram = mmap(NULL, (size_t)NR_SLOTS * PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ram == MAP_FAILED)
        abort();
    memset(slots, 0, sizeof(slots));
    memset(shared_info, 0, sizeof(shared_info));
    while (mappings) {
        struct mapping *mapping = mappings;

        mappings = mapping->next;
        free(mapping->addr);
        free(mapping);
    }
    fake_xen = (struct fake_xen){.hvm = hvm,
                                 .address_bits = 36,
                                 .max_pages = max_pages,
                                 .host_pages = UINT64_MAX};
}

void *fake_xen_page(uint64_t pfn)
{
    const struct slot *slot = find(pfn);

    return slot ? ram[slot - slots] : NULL;
}

void *fake_xen_shared_info(void)
{
    return shared_info;
}

uint64_t fake_xen_mfn(uint64_t pfn)
{
    const struct slot *slot = find(pfn);

    return slot ? BASE_MFN + (uint64_t)(slot - slots) : 0;
}

static uint8_t *page_of_frame(uint64_t frame)
{
    if (fake_xen.hvm)
        return fake_xen_page(frame);
    if (frame == FAKE_SHARED_INFO)
        return shared_info;
    if (frame < BASE_MFN || frame - BASE_MFN >= NR_SLOTS ||
        slots[frame - BASE_MFN].state != USED)
        return NULL;
    return ram[frame - BASE_MFN];
}

int xc_domain_populate_physmap(xc_interface *xch, uint32_t domid,
                               unsigned long nr_extents,
                               unsigned int extent_order,
                               unsigned int mem_flags, xen_pfn_t *extents)
{
    uint64_t nr = UINT64_C(1) << extent_order;

    (void)xch;
    (void)mem_flags;
    if (domid != FAKE_DOMID || (extent_order && extent_order != 9))
        misuse("populate of order %u in domain %u", extent_order, domid);
    if (extent_order && fake_xen.no_superpages)
        return 0;
    for (unsigned long i = 0; i < nr_extents; i++) {
        uint64_t pfn = extents[i];

        if (fake_xen.nr_pages + nr > fake_xen.max_pages) {
            misuse("more than %llu pages",
                   (unsigned long long)fake_xen.max_pages);
            return (int)i;
        }
        if (fake_xen.nr_pages + nr > fake_xen.host_pages)
            return (int)i;
        for (uint64_t j = 0; j < nr; j++)
            if (find(pfn + j) || pfn % nr) {
                misuse("pfn %#llx populated again",
                       (unsigned long long)(pfn + j));
                return (int)i;
            }
        for (uint64_t j = 0; j < nr; j++)
            add(pfn + j);
        if (!fake_xen.hvm)
            extents[i] = fake_xen_mfn(pfn);
        fake_xen.nr_superpages += extent_order != 0;
    }
    return (int)nr_extents;
}

int xc_domain_decrease_reservation(xc_interface *xch, uint32_t domid,
                                   unsigned long nr_extents,
                                   unsigned int extent_order,
                                   xen_pfn_t *extents)
{
    (void)xch;
    (void)domid;
    for (unsigned long i = 0; i < nr_extents; i++) {
        struct slot *slot = find(extents[i]);

        if (!slot || extent_order || !fake_xen.hvm) {
            misuse("pfn %#llx given back", (unsigned long long)extents[i]);
            return (int)i;
        }
        slot->state = GONE;
        fake_xen.nr_pages--;
        fake_xen.nr_given_back++;
    }
    return (int)nr_extents;
}

/* ---- mappings ----------------------------------------------------------- */

static int copy_in(struct mapping *mapping, int *errors)
{
    int error = 0;

    for (size_t i = 0; i < mapping->nr_pages; i++) {
        const uint8_t *page = page_of_frame(mapping->frames[i]);
        int one = page ? 0 : -EINVAL;

        if (page)
            memcpy(mapping->addr + i * PAGE, page, PAGE);
        if (errors)
            errors[i] = one;
        else if (one)
            error = one;
    }
    return error;
}

static void drop(struct mapping **link)
{
    struct mapping *mapping = *link;

    *link = mapping->next;
    fake_xen.nr_mapped--;
    free(mapping->addr);
    free(mapping);
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom,
                           int prot, size_t pages, const xen_pfn_t arr[],
                           int err[])
{
    struct mapping *mapping =
        malloc(sizeof(*mapping) + pages * sizeof(mapping->frames[0]));

    (void)fmem;
    if (dom != FAKE_DOMID || !pages)
        misuse("%zu pages of domain %u mapped", pages, dom);
    if (!mapping)
        abort();
    *mapping = (struct mapping){.next = mappings,
                                .addr = malloc(pages * PAGE),
                                .nr_pages = pages,
                                .writable = prot & PROT_WRITE};
    if (!mapping->addr)
        abort();
    memcpy(mapping->frames, arr, pages * sizeof(arr[0]));
    mappings = mapping;
    fake_xen.nr_mapped++;
    if (copy_in(mapping, err)) {
        drop(&mappings);
        errno = EINVAL;
        return NULL;
    }
    return mapping->addr;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr,
                           size_t pages)
{
    struct mapping **link = &mappings;

    (void)fmem;
    while (*link && (*link)->addr != addr)
        link = &(*link)->next;
    if (!*link || (*link)->nr_pages != pages) {
        misuse("unmap of what is not mapped");
        return -1;
    }
    for (size_t i = 0; (*link)->writable && i < pages; i++) {
        uint8_t *page = page_of_frame((*link)->frames[i]);

        if (page)
            memcpy(page, (*link)->addr + i * PAGE, PAGE);
    }
    drop(link);
    return 0;
}

/* ---- handles and the domain as a whole ---------------------------------- */

xc_interface *xc_interface_open(xentoollog_logger *logger,
                                xentoollog_logger *dombuild_logger,
                                unsigned open_flags)
{
    (void)logger;
    (void)dombuild_logger;
    (void)open_flags;
    fake_xen.nr_handles++;
    return (xc_interface *)&fake_xen;
}

int xc_interface_close(xc_interface *xch)
{
    (void)xch;
    fake_xen.nr_handles--;
    return 0;
}

struct xenforeignmemory_handle *xc_interface_fmem_handle(xc_interface *xch)
{
    (void)xch;
    return (struct xenforeignmemory_handle *)&fake_xen;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first_domid,
                      unsigned int max_doms, xc_dominfo_t *info)
{
    (void)xch;
    (void)max_doms;
    *info = (xc_dominfo_t){
        .domid = first_domid,
        .hvm = fake_xen.hvm,
        .paused = 1,
        .nr_pages = fake_xen.nr_pages,
        .max_memkb = fake_xen.max_pages * 4,
        .gpaddr_bits = (uint8_t)fake_xen.address_bits,
        .shared_info_frame = FAKE_SHARED_INFO,
        .max_vcpu_id = fake_xen.max_vcpu_id,
        .nr_online_vcpus = fake_xen.max_vcpu_id + 1,
    };
    return 1;
}

int xc_domain_get_guest_width(xc_interface *xch, uint32_t domid,
                              unsigned int *guest_width)
{
    (void)xch;
    (void)domid;
    *guest_width = 8;
    return 0;
}

/* ---- state -------------------------------------------------------------- */

int xc_domain_set_tsc_info(xc_interface *xch, uint32_t domid, uint32_t tsc_mode,
                           uint64_t elapsed_nsec, uint32_t gtsc_khz,
                           uint32_t incarnation)
{
    (void)xch;
    (void)domid;
    (void)tsc_mode;
    (void)elapsed_nsec;
    (void)gtsc_khz;
    (void)incarnation;
    fake_xen.nr_tsc_set++;
    return 0;
}

int xc_set_domain_cpu_policy(xc_interface *xch, uint32_t domid,
                             uint32_t nr_leaves, xen_cpuid_leaf_t *leaves,
                             uint32_t nr_msrs, xen_msr_entry_t *msrs,
                             uint32_t *err_leaf_p, uint32_t *err_subleaf_p,
                             uint32_t *err_msr_p)
{
    (void)xch;
    (void)domid;
    (void)leaves;
    (void)msrs;
    (void)err_leaf_p;
    (void)err_subleaf_p;
    (void)err_msr_p;
    fake_xen.nr_policies_set += (nr_leaves != 0) + (nr_msrs != 0);
    return 0;
}

int xc_domain_hvm_setcontext(xc_interface *xch, uint32_t domid,
                             uint8_t *ctxt_buf, uint32_t size)
{
    (void)xch;
    (void)domid;
    if (!ctxt_buf || !size)
        misuse("a context of %u bytes", size);
    fake_xen.nr_contexts_set++;
    return 0;
}

int xc_hvm_param_set(xc_interface *handle, uint32_t dom, uint32_t param,
                     uint64_t value)
{
    (void)handle;
    (void)dom;
    if (param >= FAKE_NR_PARAMS)
        misuse("parameter %u", param);
    else
        fake_xen.params[param] = value;
    return 0;
}

int xc_dom_gnttab_seed(xc_interface *xch, uint32_t guest_domid, bool is_hvm,
                       xen_pfn_t console_gfn, xen_pfn_t xenstore_gfn,
                       uint32_t console_domid, uint32_t xenstore_domid)
{
    (void)xch;
    (void)guest_domid;
    (void)console_domid;
    (void)xenstore_domid;
    if (is_hvm != fake_xen.hvm)
        misuse("grant table of the other kind");
    fake_xen.nr_seeds++;
    fake_xen.console_frame = console_gfn;
    fake_xen.store_frame = xenstore_gfn;
    return 0;
}

int xc_mmuext_op(xc_interface *xch, struct mmuext_op *op, unsigned int nr_ops,
                 uint32_t dom)
{
    (void)xch;
    (void)dom;
    for (unsigned i = 0; i < nr_ops; i++)
        if (!page_of_frame(op[i].arg1.mfn))
            misuse("mfn %#lx pinned", (unsigned long)op[i].arg1.mfn);
    fake_xen.nr_pins += nr_ops;
    return 0;
}

int xc_vcpu_setcontext(xc_interface *xch, uint32_t domid, uint32_t vcpu,
                       vcpu_guest_context_any_t *ctxt)
{
    (void)xch;
    (void)domid;
    if (vcpu > fake_xen.max_vcpu_id)
        misuse("context of vCPU %u", vcpu);
    if (vcpu == 0) {
        fake_xen.cr3 = ctxt->c.ctrlreg[3];
        fake_xen.start_info = ctxt->c.user_regs.rdx;
    }
    fake_xen.nr_vcpus_set++;
    return 0;
}

int xc_domctl(xc_interface *xch, struct xen_domctl *domctl)
{
    (void)xch;
    (void)domctl;
    fake_xen.nr_parts_set++;
    return 0;
}

void *xc__hypercall_buffer_alloc(xc_interface *xch, xc_hypercall_buffer_t *b,
                                 size_t size)
{
    (void)xch;
    b->hbuf = malloc(size);
    fake_xen.nr_buffers++;
    return b->hbuf;
}

void xc__hypercall_buffer_free(xc_interface *xch, xc_hypercall_buffer_t *b)
{
    (void)xch;
    free(b->hbuf);
    fake_xen.nr_buffers--;
}
