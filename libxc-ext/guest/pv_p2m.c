/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/pv_p2m.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xen/xen.h>

#include "base/cleanup.h"
#include "guest/pv_pagetable.h"
#include "hv/map.h"

#define ENTRIES      XCX_P2M_FRAME_ENTRIES
#define ADDRESS_BITS 48
#define ADDRESS_MASK ((UINT64_C(1) << ADDRESS_BITS) - 1)

/* A change of the list's mapping takes the guest microseconds. */
#define SETTLE_TRIES 10
#define SETTLE_NS    1000000

/* A growing list of frames of one level. */
struct frames {
    uint64_t *mfns;
    uint64_t nr;
};

static int bad(const struct xcx_hv *hv, struct xcx_err *err, const char *what,
               uint64_t value)
{
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "domain %u: its p2m has a bad %s "
                       "(%#llx)",
                       hv->domid, what, (unsigned long long)value);
}

/* The guest may change shared info at any time: each field is read once. */
static uint64_t read_field(const unsigned long *field)
{
    return __atomic_load_n(field, __ATOMIC_ACQUIRE);
}

static int new_list(const struct xcx_hv *hv, uint64_t nr, struct frames *ret,
                    struct xcx_err *err)
{
    ret->mfns = calloc(nr, sizeof(*ret->mfns));
    if (!ret->mfns)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: list of %llu p2m frames", hv->domid,
                           (unsigned long long)nr);
    ret->nr = nr;
    return 0;
}

/*
 * The trailing entries that all name one frame, beyond the first: an empty
 * table that the guest shares. 0 if nothing before them differs.
 */
static uint64_t shared_tail(const struct frames *list)
{
    uint64_t first = list->nr - 1;

    while (first > 0 && list->mfns[first - 1] == list->mfns[list->nr - 1])
        first--;
    return first > 0 ? list->nr - 1 - first : 0;
}

/* Maps the frames of from, and copies the entries first to first + nr - 1. */
static int copy_entries(const struct xcx_hv *hv, const struct frames *from,
                        uint64_t first, struct frames *to, struct xcx_err *err)
{
    uint64_t *tables = xcx_map_all(hv, false, from->mfns, from->nr, err);

    if (!tables)
        return xcx_err_prefix(err, "p2m");
    for (uint64_t i = 0; i < to->nr; i++)
        to->mfns[i] = __atomic_load_n(&tables[first + i], __ATOMIC_RELAXED);
    xcx_unmap(hv, tables, from->nr);
    return 0;
}

static int check_mfns(const struct xcx_hv *hv, const struct frames *list,
                      uint64_t nr_mfns, const char *what, struct xcx_err *err)
{
    for (uint64_t i = 0; i < list->nr; i++)
        if (list->mfns[i] == 0 || list->mfns[i] >= nr_mfns)
            return bad(hv, err, what, list->mfns[i]);
    return 0;
}

/* ---- the linear list ---------------------------------------------------- */

/* Index of the entry for an address among all entries of a level. */
static uint64_t entry_index(uint64_t address, unsigned level)
{
    return (address & ADDRESS_MASK) >> (12 + 9 * (level - 1));
}

/* From the tables of one level to what they refer to. */
static int descend(const struct xcx_hv *hv, uint64_t address, uint64_t last,
                   unsigned level, uint64_t nr_mfns, struct frames *list,
                   struct xcx_err *err)
{
    uint64_t first = entry_index(address, level);
    struct frames next = {0};
    int rc;

    if (new_list(hv, entry_index(last, level) - first + 1, &next, err))
        return -1;
    rc = copy_entries(hv, list, first % XCX_PT_ENTRIES, &next, err);
    for (uint64_t i = 0; i < next.nr; i++)
        next.mfns[i] = next.mfns[i] & XCX_PTE_PRESENT
                           ? (next.mfns[i] & XCX_PTE_FRAME_MASK) >> 12
                           : 0;
    if (!rc)
        rc = check_mfns(hv, &next, nr_mfns, "page table entry", err);
    free(list->mfns);
    *list = next;
    return rc;
}

static bool is_sane_range(uint64_t address, uint64_t last)
{
    uint64_t xen_first = UINT64_C(0xffff800000000000);
    uint64_t xen_last = UINT64_C(0xffff87ffffffffff);

    if (last < address || address % XCX_FRAME_BYTES)
        return false;
    if ((int64_t)(address << 16) >> 16 != (int64_t)address ||
        (int64_t)(last << 16) >> 16 != (int64_t)last ||
        address >> 47 != last >> 47)
        return false;
    return last < xen_first || address > xen_last;
}

/* Where the list ends, less the tail whose L1 tables are one shared table. */
static uint64_t without_tail(uint64_t address, uint64_t last,
                             const struct frames *l1_tables)
{
    uint64_t tail = shared_tail(l1_tables), l1_span = UINT64_C(1) << 21;
    uint64_t end;

    if (!tail)
        return last;
    /* All of the run goes, its first one too: it is as empty. */
    end = ((address & ~(l1_span - 1)) + (l1_tables->nr - 1 - tail) * l1_span);
    return end > address ? end - 1 : last;
}

static int find_list(const struct xcx_hv *hv,
                     const struct arch_shared_info *arch, uint64_t nr_mfns,
                     struct xcx_pv_p2m *p2m, struct xcx_err *err)
{
    uint64_t address = read_field(&arch->p2m_vaddr);
    uint64_t root = read_field(&arch->p2m_cr3) / XCX_FRAME_BYTES;
    uint64_t nr_frames = (p2m->nr_pfns + ENTRIES - 1) / ENTRIES;
    uint64_t last = address + nr_frames * XCX_FRAME_BYTES - 1;
    struct frames list = {0};

    if (!is_sane_range(address, last))
        return bad(hv, err, "address", address);
    if (root == 0 || root >= nr_mfns)
        return bad(hv, err, "cr3", root);
    if (new_list(hv, 1, &list, err))
        return -1;
    list.mfns[0] = root;
    for (unsigned level = 4; level > 0; level--) {
        if (descend(hv, address, last, level, nr_mfns, &list, err)) {
            free(list.mfns);
            return -1;
        }
        if (level == 2) {
            last = without_tail(address, last, &list);
            list.nr = entry_index(last, 2) - entry_index(address, 2) + 1;
        }
    }
    p2m->frame_mfns = list.mfns;
    p2m->nr_frames = list.nr;
    return 0;
}

/* ---- the frame list list ------------------------------------------------ */

static int find_tree(const struct xcx_hv *hv,
                     const struct arch_shared_info *arch, uint64_t nr_mfns,
                     struct xcx_pv_p2m *p2m, struct xcx_err *err)
{
    const uint64_t pfns_a_list = (uint64_t)ENTRIES * ENTRIES;
    uint64_t root = read_field(&arch->pfn_to_mfn_frame_list_list);
    struct frames top = {.mfns = &root, .nr = 1}, lists = {0}, leaves = {0};
    int rc;

    if (root == 0 || root >= nr_mfns)
        return bad(hv, err, "frame list list", root);
    if (p2m->nr_pfns > ENTRIES * pfns_a_list)
        return bad(hv, err, "size for its frame list list", p2m->nr_pfns);
    if (new_list(hv, (p2m->nr_pfns + pfns_a_list - 1) / pfns_a_list, &lists,
                 err))
        return -1;
    rc = copy_entries(hv, &top, 0, &lists, err);
    if (!rc)
        rc = check_mfns(hv, &lists, nr_mfns, "frame list", err);
    if (!rc) {
        lists.nr -= shared_tail(&lists);
        if (p2m->nr_pfns > lists.nr * pfns_a_list)
            p2m->nr_pfns = lists.nr * pfns_a_list;
        rc = new_list(hv, (p2m->nr_pfns + ENTRIES - 1) / ENTRIES, &leaves, err);
    }
    if (!rc)
        rc = copy_entries(hv, &lists, 0, &leaves, err);
    if (!rc)
        rc = check_mfns(hv, &leaves, nr_mfns, "frame", err);
    free(lists.mfns);
    p2m->frame_mfns = leaves.mfns;
    p2m->nr_frames = leaves.nr;
    return rc;
}

/* ---- both --------------------------------------------------------------- */

/* Waits until no change of the list is under way. */
static uint64_t settled_generation(const struct arch_shared_info *arch)
{
    const struct timespec pause = {.tv_nsec = SETTLE_NS};
    uint64_t generation = read_field(&arch->p2m_generation);

    for (unsigned i = 0; generation % 2 && i < SETTLE_TRIES; i++) {
        nanosleep(&pause, NULL);
        generation = read_field(&arch->p2m_generation);
    }
    return generation;
}

static int find_once(const struct xcx_hv *hv,
                     const struct arch_shared_info *arch, uint64_t nr_mfns,
                     struct xcx_pv_p2m *p2m, struct xcx_err *err)
{
    uint64_t nr_pfns = read_field(&arch->max_pfn); /* a count, by its use */
    int rc;

    *p2m = (struct xcx_pv_p2m){.nr_pfns = nr_pfns};
    if (nr_pfns == 0 || nr_pfns > XCX_P2M_MAX_PFNS)
        return bad(hv, err, "size", nr_pfns);
    p2m->generation = settled_generation(arch);
    if (read_field(&arch->p2m_cr3))
        rc = find_list(hv, arch, nr_mfns, p2m, err);
    else
        rc = find_tree(hv, arch, nr_mfns, p2m, err);
    if (!rc && p2m->nr_pfns > p2m->nr_frames * ENTRIES)
        p2m->nr_pfns = p2m->nr_frames * ENTRIES;
    return rc;
}

int xcx_pv_p2m_find(const struct xcx_hv *hv,
                    const struct shared_info *shared_info, uint64_t nr_mfns,
                    struct xcx_pv_p2m *p2m, struct xcx_err *err)
{
    const struct arch_shared_info *arch = &shared_info->arch;
    struct xcx_err why = XCX_ERR_INIT;

    /* A walk that a change has disturbed may fail or lie: once more. */
    for (unsigned i = 0; i < SETTLE_TRIES; i++) {
        int rc;

        why = XCX_ERR_INIT;
        rc = find_once(hv, arch, nr_mfns, p2m, &why);
        if (xcx_pv_p2m_is_current(shared_info, p2m)) {
            if (rc)
                *err = xcx_err_is_set(err) ? *err : why;
            return rc;
        }
        xcx_pv_p2m_done(hv, p2m);
    }
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "domain %u: its p2m does not come to rest", hv->domid);
}

int xcx_pv_p2m_map(const struct xcx_hv *hv, struct xcx_pv_p2m *p2m,
                   struct xcx_err *err)
{
    p2m->entries = xcx_map_all(hv, false, p2m->frame_mfns, p2m->nr_frames, err);
    return p2m->entries ? 0 : xcx_err_prefix(err, "p2m");
}

bool xcx_pv_p2m_is_current(const struct shared_info *shared_info,
                           const struct xcx_pv_p2m *p2m)
{
    uint64_t generation = read_field(&shared_info->arch.p2m_generation);

    return generation == p2m->generation && generation % 2 == 0;
}

bool xcx_pv_p2m_same_leaves(const struct xcx_pv_p2m *a,
                            const struct xcx_pv_p2m *b)
{
    return a->nr_pfns == b->nr_pfns && a->nr_frames == b->nr_frames &&
           !memcmp(a->frame_mfns, b->frame_mfns,
                   a->nr_frames * sizeof(*a->frame_mfns));
}

void xcx_pv_p2m_done(const struct xcx_hv *hv, struct xcx_pv_p2m *p2m)
{
    xcx_unmap(hv, (void *)p2m->entries, p2m->nr_frames);
    free(p2m->frame_mfns);
    *p2m = (struct xcx_pv_p2m){0};
}
