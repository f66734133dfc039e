/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The place of libxenforeignmemory, and of munmap(): libxenguest takes
 * foreign mappings away by that too.
 *
 * A mapping of ours is like the kernel's: one call holds the process's
 * mmap_lock throughout, pages that cannot be mapped leave a hole that faults,
 * and a forked child does not inherit any of it.
 */
#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma GCC visibility push(default)
#include <xenforeignmemory.h>
int munmap(void *addr, size_t bytes);
#pragma GCC visibility pop

struct xenforeignmemory_handle {
    pid_t pid;
};

struct xenforeignmemory_resource_handle {
    char *addr;
    uint64_t nr_pages;
};

static int raw_munmap(void *addr, size_t bytes)
{
    return (int)syscall(SYS_munmap, addr, bytes);
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger,
                                               unsigned open_flags)
{
    struct sim_process *p = sim_self();
    xenforeignmemory_handle *fmem;
    int rc;

    (void)logger;
    (void)open_flags;
    if (!p->w) {
        errno = ENOENT;
        return NULL;
    }
    rc = sim_enter(p, SIM_CALL_open, NULL);
    if (rc) {
        errno = -rc;
        return NULL;
    }
    fmem = malloc(sizeof(*fmem));
    if (fmem)
        fmem->pid = getpid();
    return fmem;
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
    free(fmem);
    return 0;
}

/* Where in the world's file the page is: an offset, or a negative errno. */
static int64_t offset_of(struct sim_world *w, uint32_t dom, int prot,
                         uint64_t gfn)
{
    uint64_t f;

    if (dom == DOMID_XEN) {
        if (gfn < SIM_M2P_MFN || gfn - SIM_M2P_MFN >= w->m2p_bytes >> 12 ||
            (prot & PROT_WRITE))
            return -EINVAL;
        return (int64_t)(w->off_m2p + ((gfn - SIM_M2P_MFN) << SIM_PAGE_SHIFT));
    }
    if (dom != w->spec.domid || !w->exists)
        return -ESRCH;
    f = w->spec.kind == SIM_PV ? sim_mfn_frame(w, gfn) : sim_pfn_frame(w, gfn);
    if (f == SIM_NO_FRAME || sim_frames(w)[f].state == SIM_FRAME_FREE)
        return -EINVAL;
    if ((prot & PROT_WRITE) && sim_frames(w)[f].type)
        return -EINVAL;
    return (int64_t)(w->off_ram + (f << SIM_PAGE_SHIFT));
}

/* Lays pages over the reserved range, neighbours in one go. */
static int lay(struct sim_process *p, uint32_t dom, int prot, char *addr,
               size_t nr_pages, const xen_pfn_t gfns[], int errors[])
{
    size_t i = 0;

    while (i < nr_pages) {
        int64_t first = offset_of(p->w, dom, prot, gfns[i]);
        size_t n = 1;

        errors[i] = first < 0 ? (int)first : 0;
        while (first >= 0 && i + n < nr_pages &&
               offset_of(p->w, dom, prot, gfns[i + n]) ==
                   first + (int64_t)(n << SIM_PAGE_SHIFT))
            errors[i + n++] = 0;
        if (first >= 0 &&
            mmap(addr + (i << SIM_PAGE_SHIFT), n << SIM_PAGE_SHIFT, prot,
                 MAP_SHARED | MAP_FIXED, p->world_fd, first) == MAP_FAILED)
            return -1;
        i += n;
    }
    return 0;
}

static void fail_one_page(size_t nr_pages, char *addr, int errors[])
{
    size_t at = nr_pages / 2;

    errors[at] = -EINVAL;
    mprotect(addr + (at << SIM_PAGE_SHIFT), SIM_PAGE_BYTES, PROT_NONE);
}

static char *map_locked(struct sim_process *p, uint32_t dom, void *addr,
                        int prot, int flags, size_t nr_pages,
                        const xen_pfn_t gfns[], int errors[])
{
    size_t bytes = nr_pages << SIM_PAGE_SHIFT;
    char *at = mmap(addr, bytes, PROT_NONE,
                    flags | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int rc, saved_errno;

    if (at == MAP_FAILED)
        return NULL;
    sim_lock(p->w);
    rc = lay(p, dom, prot, at, nr_pages, gfns, errors);
    sim_unlock(p->w);
    if (rc) {
        saved_errno = errno;
        raw_munmap(at, bytes);
        errno = saved_errno;
        return NULL;
    }
    madvise(at, bytes, MADV_DONTFORK);
    sim_pay(p, nr_pages * p->cost.map_ns);
    return at;
}

static void *map_checked(struct sim_process *p, uint32_t dom, void *addr,
                         int prot, int flags, size_t nr_pages,
                         const xen_pfn_t gfns[], int errors[])
{
    bool bad_page = false;
    int rc = sim_enter(p, SIM_CALL_map, &bad_page);
    char *at;

    if (rc || !nr_pages) {
        errno = rc ? -rc : EINVAL;
        return NULL;
    }
    pthread_mutex_lock(&p->mmap_lock);
    at = map_locked(p, dom, addr, prot, flags, nr_pages, gfns, errors);
    pthread_mutex_unlock(&p->mmap_lock);
    if (!at)
        return NULL;
    if (bad_page)
        fail_one_page(nr_pages, at, errors);
    p->w->nr_mapped_pages += nr_pages;
    sim_mapping_add(p, at, nr_pages, dom == DOMID_XEN ? NULL : gfns);
    return at;
}

static int unmap_known(struct sim_process *p, void *addr, uint64_t nr_known,
                       size_t nr_pages)
{
    int rc;

    if (nr_known != nr_pages)
        sim_finding(p, "unmap of another size", "%llu of %llu pages",
                    (unsigned long long)nr_pages, (unsigned long long)nr_known);
    pthread_mutex_lock(&p->mmap_lock);
    rc = raw_munmap(addr, nr_pages << SIM_PAGE_SHIFT);
    sim_pay(p, nr_pages * p->cost.unmap_ns);
    pthread_mutex_unlock(&p->mmap_lock);
    p->w->nr_unmapped_pages += nr_pages;
    return rc;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr,
                           size_t pages)
{
    struct sim_process *p = sim_self();
    uint64_t nr_known;
    int rc = sim_enter(p, SIM_CALL_unmap, NULL);

    (void)fmem;
    nr_known = sim_mapping_remove(p, addr);
    if (rc) { /* what then stays mapped is not the caller's fault */
        errno = -rc;
        return -1;
    }
    if (!nr_known) {
        sim_finding(p, "unmap of what is not mapped", "%p", addr);
        errno = EINVAL;
        return -1;
    }
    return unmap_known(p, addr, nr_known, pages);
}

int munmap(void *addr, size_t bytes)
{
    struct sim_process *p = sim_self();
    uint64_t nr_known =
        p->w && p->nr_mappings ? sim_mapping_remove(p, addr) : 0;

    if (!nr_known)
        return raw_munmap(addr, bytes);
    return unmap_known(p, addr, nr_known,
                       (bytes + SIM_PAGE_BYTES - 1) >> SIM_PAGE_SHIFT);
}

/* The caller gave no room for errors: any of them fails the whole. */
static void *map_all_or_none(struct sim_process *p, uint32_t dom, void *addr,
                             int prot, int flags, size_t pages,
                             const xen_pfn_t arr[])
{
    int *errors = calloc(pages ? pages : 1, sizeof(*errors)), failed = 0;
    void *at = NULL;

    if (errors)
        at = map_checked(p, dom, addr, prot, flags, pages, arr, errors);
    for (size_t i = 0; at && i < pages && !failed; i++)
        failed = errors[i];
    free(errors);
    if (failed) {
        unmap_known(p, at, sim_mapping_remove(p, at), pages);
        errno = -failed;
        return NULL;
    }
    return at;
}

void *xenforeignmemory_map2(xenforeignmemory_handle *fmem, uint32_t dom,
                            void *addr, int prot, int flags, size_t pages,
                            const xen_pfn_t arr[], int err[])
{
    struct sim_process *p = sim_self();

    (void)fmem;
    if (!pages) { /* as mmap() of nothing */
        errno = EINVAL;
        return NULL;
    }
    return err ? map_checked(p, dom, addr, prot, flags, pages, arr, err)
               : map_all_or_none(p, dom, addr, prot, flags, pages, arr);
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom,
                           int prot, size_t pages, const xen_pfn_t arr[],
                           int err[])
{
    return xenforeignmemory_map2(fmem, dom, NULL, prot, 0, pages, arr, err);
}

/* The grant table's first frame is all there is. */
xenforeignmemory_resource_handle *
xenforeignmemory_map_resource(xenforeignmemory_handle *fmem, domid_t domid,
                              unsigned int type, unsigned int id,
                              unsigned long frame, unsigned long nr_frames,
                              void **paddr, int prot, int flags)
{
    struct sim_process *p = sim_self();
    xenforeignmemory_resource_handle *fres = NULL;
    int rc = sim_enter(p, SIM_CALL_map_resource, NULL);
    void *at;

    (void)fmem;
    (void)flags;
    if (!rc && (domid != p->w->spec.domid || type != 1 || id || frame ||
                nr_frames != 1))
        rc = -EINVAL;
    if (rc) {
        errno = -rc;
        return NULL;
    }
    at = mmap(*paddr, SIM_PAGE_BYTES, prot, MAP_SHARED, p->world_fd,
              (off_t)(p->w->off_ram + (p->w->grant_frame << SIM_PAGE_SHIFT)));
    if (at != MAP_FAILED)
        fres = malloc(sizeof(*fres));
    if (!fres)
        return NULL;
    *fres = (xenforeignmemory_resource_handle){.addr = at, .nr_pages = 1};
    sim_mapping_add(p, at, 1, NULL);
    *paddr = at;
    return fres;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem,
                                    xenforeignmemory_resource_handle *fres)
{
    struct sim_process *p = sim_self();
    int rc = unmap_known(p, fres->addr, sim_mapping_remove(p, fres->addr),
                         fres->nr_pages);

    (void)fmem;
    free(fres);
    return rc;
}

int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem, domid_t domid,
                                   unsigned int type, unsigned int id,
                                   size_t *size)
{
    (void)fmem;
    (void)domid;
    (void)type;
    (void)id;
    *size = SIM_PAGE_BYTES;
    return 0;
}

int xenforeignmemory_restrict(xenforeignmemory_handle *fmem, domid_t domid)
{
    (void)fmem;
    (void)domid;
    return 0;
}
