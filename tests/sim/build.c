/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "build.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <xen/hvm/params.h>

#define CHUNK_PFNS 512UL
#define HOLE_FIRST 0xf0000UL /* the gap below 4 GiB, as in a real guest */
#define HOLE_END   0x100000UL

#define LINE_BYTES 64

static void fill_text(char *page, uint64_t *rng)
{
    static const char lines[8][LINE_BYTES] = {
        "the round ends when every page that was dirty has been sent onc",
        "a guest that writes faster than the link must be slowed or stop",
        "xen: log-dirty mode on, pages written since the last clean foll",
        "Lorem ipsum is not what guests keep in memory, logs and tables ",
        "for each frame of the p2m ask for its type, then map it, then s",
        "2026-03-01T12:00:00Z host kernel: eth0: link becomes ready, 10 ",
        "0000000 0000001 0000010 0000011 0000100 0000101 0000110 0000111",
        "int main(void) { return copy(source, target) ? EXIT_FAILURE : 0"};

    for (size_t at = 0; at < SIM_PAGE_BYTES; at += LINE_BYTES)
        memcpy(page + at, lines[sim_random(rng) % 8], LINE_BYTES);
}

static void fill_random(uint64_t *page, uint64_t *rng)
{
    for (size_t i = 0; i < SIM_PAGE_BYTES / 8; i++)
        page[i] = sim_random(rng);
}

void sim_fill_page(void *page, enum sim_content content, uint64_t seed,
                   uint64_t pfn)
{
    uint64_t rng = seed * 0x100000001b3 + pfn;

    if (content == SIM_MIX) {
        uint64_t die = sim_random(&rng) % 10;

        content = die < 4 ? SIM_ZERO : die < 8 ? SIM_TEXT : SIM_RANDOM;
    }
    if (content == SIM_TEXT)
        fill_text(page, &rng);
    else if (content == SIM_RANDOM)
        fill_random(page, &rng);
    /* Zero pages are written as well: whoever reads them first would pay. */
    *(uint64_t *)page = content == SIM_ZERO ? 0 : pfn;
}

static int fill_from_file(struct sim_world *w, struct xcx_err *err)
{
    int fd = open(w->spec.file, O_RDONLY | O_CLOEXEC);
    off_t at = 0;

    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_USAGE, errno, "%s", w->spec.file);
    for (uint64_t pfn = 0; pfn < w->nr_pfns; pfn++) {
        void *page = sim_pfn_ram(w, pfn);
        ssize_t r = page ? pread(fd, page, SIM_PAGE_BYTES, at) : 0;

        if (page && r <= 0 && at == 0)
            break;
        at = page ? (r < (ssize_t)SIM_PAGE_BYTES ? 0 : at + r) : at;
    }
    close(fd);
    return 0;
}

/* How many pfns low memory of nr_pages takes, the gap below 4 GiB included. */
static uint64_t low_end(uint64_t nr_pages)
{
    return nr_pages <= HOLE_FIRST ? nr_pages : nr_pages + HOLE_END - HOLE_FIRST;
}

void sim_spec_settle(struct sim_spec *spec)
{
    uint64_t need = spec->nr_pages;

    if (spec->kind == SIM_HVM)
        need = low_end(need) + spec->nr_special + spec->nr_broken +
               SIM_NR_TOP_PAGES;
    else
        spec->nr_pfns = 0;
    if (spec->nr_pfns < need)
        spec->nr_pfns = need;
}

uint64_t sim_nth_pfn(const struct sim_spec *spec, uint64_t n)
{
    uint64_t nr_chunks = (spec->nr_pages + CHUNK_PFNS - 1) / CHUNK_PFNS;
    uint64_t room = (spec->nr_pfns - spec->nr_special - spec->nr_broken -
                     SIM_NR_TOP_PAGES) /
                    CHUNK_PFNS;

    if (spec->kind == SIM_HVM && spec->spread && room > nr_chunks)
        return n / CHUNK_PFNS * (room / nr_chunks) * CHUNK_PFNS +
               n % CHUNK_PFNS;
    if (spec->kind == SIM_PV || n < HOLE_FIRST)
        return n;
    return n - HOLE_FIRST + HOLE_END;
}

static int populate_memory(struct sim_world *w, struct xcx_err *err)
{
    uint64_t rng = w->spec.seed ^ 0x401e5;

    for (uint64_t n = 0; n < w->spec.nr_pages; n++) {
        uint64_t pfn = sim_nth_pfn(&w->spec, n);
        /* Neither the first pages nor a PV kernel's own are ballooned. */
        bool hole = n >= w->spec.nr_pages / 2 &&
                    sim_random(&rng) % 1000 < w->spec.holes_permille;

        if (hole) {
            sim_p2m_set(w, pfn, 0);
            continue;
        }
        if (sim_populate(w, pfn))
            return xcx_err_set(err, XCX_ERR_BUG, 0, "world: no room");
        if (w->spec.content != SIM_FILE)
            sim_fill_page(sim_pfn_ram(w, pfn), w->spec.content, w->spec.seed,
                          pfn);
    }
    return w->spec.content == SIM_FILE ? fill_from_file(w, err) : 0;
}

/*
 * The top of an HVM guest: broken pages, special pages, then the pages that
 * xl makes for xenstore, console, ioreq and so on, which are plain memory.
 */
static int build_top(struct sim_world *w, struct xcx_err *err)
{
    static const unsigned params[SIM_NR_TOP_PAGES] = {
        HVM_PARAM_PAGING_RING_PFN,  HVM_PARAM_MONITOR_RING_PFN,
        HVM_PARAM_SHARING_RING_PFN, HVM_PARAM_BUFIOREQ_PFN,
        HVM_PARAM_STORE_PFN,        HVM_PARAM_IOREQ_PFN,
        HVM_PARAM_IDENT_PT,         HVM_PARAM_CONSOLE_PFN};
    uint64_t top = w->spec.nr_pfns - SIM_NR_TOP_PAGES;
    uint64_t special = top - w->spec.nr_special;

    for (uint64_t i = 0; i < w->spec.nr_broken; i++)
        sim_p2m_set(w, special - w->spec.nr_broken + i, SIM_P2M_BROKEN);
    for (uint64_t pfn = special; pfn < top; pfn++) {
        uint64_t f = sim_frame_alloc(w, SIM_FRAME_XEN);

        if (f == SIM_NO_FRAME)
            return xcx_err_set(err, XCX_ERR_BUG, 0, "world: no room");
        sim_p2m_set(w, pfn, (f + 1) | SIM_P2M_SPECIAL);
    }
    for (unsigned i = 0; i < SIM_NR_TOP_PAGES; i++) {
        if (sim_populate(w, top + i))
            return xcx_err_set(err, XCX_ERR_BUG, 0, "world: no room");
        sim_fill_page(sim_pfn_ram(w, top + i), SIM_RANDOM, w->spec.seed,
                      top + i);
        w->params[params[i]] = params[i] == HVM_PARAM_IDENT_PT
                                   ? (top + i) << SIM_PAGE_SHIFT
                                   : top + i;
    }
    w->params[HVM_PARAM_VIRIDIAN] = 0x1;
    w->params[HVM_PARAM_X87_FIP_WIDTH] = 8;
    w->params[HVM_PARAM_VM_GENERATION_ID_ADDR] = 0xfc001000;
    return 0;
}

static void fill_bytes(void *at, size_t bytes, uint64_t *rng)
{
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)at)[i] = (uint8_t)sim_random(rng);
}

static void build_vcpus(struct sim_world *w)
{
    uint64_t rng = w->spec.seed ^ 0xc9c;

    for (unsigned v = 0; v < w->spec.nr_vcpus; v++) {
        struct sim_vcpu *vcpu = &w->vcpu[v];

        fill_bytes(&vcpu->context.fpu_ctxt, sizeof(vcpu->context.fpu_ctxt),
                   &rng);
        fill_bytes(&vcpu->context.user_regs, sizeof(vcpu->context.user_regs),
                   &rng);
        vcpu->context.flags = VGCF_online;
        vcpu->ext.vcpu = v;
        vcpu->ext.size = sizeof(vcpu->ext);
        vcpu->ext.sysenter_callback_eip = 0xffffffff81000000 + v;
        vcpu->xsave_bytes = w->spec.xsave_bytes;
        fill_bytes(vcpu->xsave, w->spec.xsave_bytes, &rng);
        vcpu->nr_msrs = v % 2 ? 0 : 2;
        vcpu->msrs[0] =
            (struct xen_domctl_vcpu_msr){.index = 0xc0000103, .value = v};
        vcpu->msrs[1] = (struct xen_domctl_vcpu_msr){.index = 0xc0011027,
                                                     .value = 0x1000 + v};
        vcpu->online = true;
    }
    /* A vCPU that is unplugged: nothing of it may travel. */
    if (w->spec.nr_vcpus > 2)
        w->vcpu[w->spec.nr_vcpus - 1].online = false;
    w->hvm_ctx_bytes = 6000 + 1000 * w->spec.nr_vcpus;
    fill_bytes(w->hvm_ctx, w->hvm_ctx_bytes, &rng);
}

static void build_policy(struct sim_world *w)
{
    static const xen_cpuid_leaf_t leaves[] = {
        {0, XEN_CPUID_NO_SUBLEAF, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69},
        {1, XEN_CPUID_NO_SUBLEAF, 0x306a9, 0x100800, 0x9a2203, 0x178bfbff},
        {7, 0, 0, 0x281, 0, 0},
        {0x80000000, XEN_CPUID_NO_SUBLEAF, 0x80000008, 0, 0, 0},
        {0x80000001, XEN_CPUID_NO_SUBLEAF, 0, 0, 0x1, 0x28100800},
    };

    memcpy(w->leaves, leaves, sizeof(leaves));
    w->nr_leaves = sizeof(leaves) / sizeof(leaves[0]);
    w->msrs[0] = (xen_msr_entry_t){.idx = 0xce, .val = 0x80000000};
    w->nr_msrs = 1;
    w->tsc = (struct xen_domctl_tsc_info){.tsc_mode = 0,
                                          .gtsc_khz = 2400000,
                                          .incarnation = 3,
                                          .elapsed_nsec = 123456789};
}

static void pick_silent(struct sim_world *w)
{
    uint32_t n = w->spec.nr_silent;

    if (w->spec.kind == SIM_PV)
        return;
    w->work.nr_silent = n < SIM_MAX_SILENT ? n : SIM_MAX_SILENT;
    for (uint32_t i = 0; i < w->work.nr_silent; i++)
        w->work.silent[i] = 16 + 3 * i;
}

int sim_build_guest(struct sim_world *w, struct xcx_err *err)
{
    if (populate_memory(w, err))
        return -1;
    build_vcpus(w);
    build_policy(w);
    pick_silent(w);
    w->cap_percent = w->spec.cap_percent;
    w->work.rng = w->spec.seed ^ 0x5eed;
    if (w->spec.kind == SIM_HVM ? build_top(w, err) : sim_pv_build(w, err))
        return -1;
    if (w->spec.busy)
        w->logdirty = true;
    w->work.last_ns = sim_now_ns();
    w->max_pages += SIM_GROW_PFNS;
    return 0;
}

void sim_build_target(struct sim_world *w)
{
    for (unsigned v = 0; v < w->spec.nr_vcpus; v++)
        w->vcpu[v].online = false;
}
