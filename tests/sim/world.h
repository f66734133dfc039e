/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * world: one simulated host with one domain, in one sparse shared file.
 *
 *   0        header: struct sim_world (state, vCPUs, parameters, counters)
 *   frames   one struct sim_frame a machine frame
 *   p2m      one uint64_t a pfn (gfn), what the hypervisor knows
 *   present  one byte for each 512 entries of p2m: 0 if all are holes
 *   dirty    one bit a pfn; summary: one byte for each 4096 bytes of dirty
 *   m2p      one uint64_t a machine frame number, as a PV toolstack maps it
 *   ram      the machine frames themselves
 *
 * Every process that takes part (helpers under the preloaded library, their
 * forked workers, the lab) maps the file; offsets in the header say where
 * things lie. Reading a hole of the file would allocate it, hence present
 * and summary: a 1 TiB p2m costs nothing until it is used.
 *
 * A frame's index f is its place in ram; its machine frame number is
 * mfn_base + f, so that pfns, indices and mfns never coincide by chance.
 *
 * Locking: sim_lock() around every look at or change of shared state; it is
 * held for short, never while a cost is slept off. Counters are atomic.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/domctl.h>

#include "xcext/err.h"
#include "spec.h"

#define SIM_NO_FRAME      UINT64_MAX
#define SIM_NO_PFN        UINT32_MAX
#define SIM_INVALID_MFN   UINT64_MAX
#define SIM_M2P_CHUNK     (1UL << 21)
#define SIM_M2P_MFN       (1UL << 36) /* where the m2p's own frames are numbered */
#define SIM_NR_PARAMS     64
#define SIM_MAX_CALLS     64
#define SIM_MAX_CPUS      16
#define SIM_MAX_LEAVES    64
#define SIM_MAX_MSRS      16
#define SIM_HVM_CTX_BYTES 32768
#define SIM_MAX_SILENT    8
#define SIM_GROW_PFNS     64

enum sim_frame_state {
    SIM_FRAME_FREE,
    SIM_FRAME_GUEST, /* in the p2m, at pfn */
    SIM_FRAME_XEN,   /* shared info, grant table */
};

struct sim_frame {
    uint32_t pfn;
    uint32_t nr_refs; /* as a page table of its type (PV) */
    uint8_t state;
    uint8_t type;      /* 0, or 1 to 4: a validated page table */
    uint8_t pinned;    /* one of nr_refs is a pin */
    uint8_t undefined; /* ballooned in and not written by the guest yet */
    uint32_t born;     /* nr_cleans + 1 when it was ballooned in (HVM) */
};

/* An entry of p2m: 0, or a frame's index + 1, with these flags. */
#define SIM_P2M_FRAME   ((1UL << 40) - 1)
#define SIM_P2M_SPECIAL (1UL << 60) /* answers XTAB, but can be mapped */
#define SIM_P2M_BROKEN  (1UL << 61)
#define SIM_P2M_EVER    (1UL << 62) /* has been populated at some time */

struct sim_vcpu {
    vcpu_guest_context_t context;
    struct xen_domctl_ext_vcpucontext ext;
    uint32_t xsave_bytes; /* 0: none */
    uint8_t xsave[4096];
    uint32_t nr_msrs;
    struct xen_domctl_vcpu_msr msrs[SIM_MAX_MSRS];
    bool online;
};

/* Where the PV guest's kernel keeps things; pfns. See pv_build.c. */
struct sim_pv {
    uint32_t start_info, store, console, gdt;
    uint32_t l4_kernel, l4_user, l3_direct, l2_direct, l1_direct;
    uint32_t l3_list, l2_list, l1_list, leaves, fll, fl;
    uint32_t l3_user, l2_user;
    uint32_t first_data; /* pfns below are spoken for */
    uint32_t nr_leaves, nr_l1_direct, nr_l2_direct, nr_l1_list, nr_fl;
    uint32_t user_table[512]; /* the pfn behind each entry of l2_user, or 0 */
    uint32_t moved_leaf, moved_pfn; /* a leaf that has moved to moved_pfn */
};

/* The guest's doings; only workload.c looks inside. */
struct sim_workload {
    uint64_t rng;
    uint64_t last_ns, next_seq, next_page;
    uint64_t owed_writes, owed_balloon, owed_tables; /* rate x ns */
    uint64_t nr_writes, nr_balloon_out, nr_balloon_in, nr_tables;
    uint64_t nr_clock_calls;
    uint64_t rival_acts_at;          /* nr_writes; 0: not to come, or over */
    uint32_t silent[SIM_MAX_SILENT]; /* pfns */
    uint32_t nr_silent;
};

struct sim_world {
    char magic[8];
    uint64_t total_bytes;
    struct sim_spec spec;
    pthread_mutex_t lock;

    /* layout, constant after creation */
    uint64_t nr_frames, mfn_base, mfn_mask, max_nr_pfns;
    uint64_t off_frames, off_p2m, off_present, off_dirty, off_summary;
    uint64_t off_m2p, m2p_bytes, off_ram;

    /* the domain */
    uint64_t nr_pfns; /* highest pfn ever populated + 1 */
    uint64_t nr_pages, max_pages, next_frame;
    bool exists, paused, shutdown;
    uint32_t shutdown_reason;
    uint64_t shared_info_frame, grant_frame; /* indices */
    uint64_t params[SIM_NR_PARAMS];
    struct sim_vcpu vcpu[SIM_MAX_VCPUS];
    uint32_t hvm_ctx_bytes;
    uint8_t hvm_ctx[SIM_HVM_CTX_BYTES];
    uint32_t nr_leaves, nr_msrs;
    xen_cpuid_leaf_t leaves[SIM_MAX_LEAVES];
    xen_msr_entry_t msrs[SIM_MAX_MSRS];
    struct xen_domctl_tsc_info tsc;
    uint32_t cap_percent, nr_cap_changes;
    struct sim_pv pv;
    struct sim_workload work;

    /* log-dirty */
    bool logdirty;
    bool rival_owns; /* another program has switched it on */
    uint64_t nr_dirty, nr_dirty_marks, nr_cleans;
    uint64_t lost_pfn; /* of spec.lose_nth; 0: none yet */

    /* the device model's log-dirty, as the lab plays it */
    bool qemu_logdirty;

    /* the host's time */
    uint64_t cpu_busy_until_ns[SIM_MAX_CPUS];

    /* use, since sim_world_reset_use() */
    atomic_ullong nr_calls, nr_mapped_pages, nr_unmapped_pages;
    atomic_ullong calls[SIM_MAX_CALLS];
    atomic_uint nr_findings;
};

static inline struct sim_frame *sim_frames(struct sim_world *w)
{
    return (struct sim_frame *)((char *)w + w->off_frames);
}

static inline uint64_t *sim_m2p(struct sim_world *w)
{
    return (uint64_t *)((char *)w + w->off_m2p);
}

static inline void *sim_ram(struct sim_world *w, uint64_t frame)
{
    return (char *)w + w->off_ram + (frame << SIM_PAGE_SHIFT);
}

/* Frames are numbered in an order of their own, in runs for PV. */
static inline uint64_t sim_mfn(const struct sim_world *w, uint64_t frame)
{
    return w->mfn_base + frame;
}

static inline uint64_t sim_mfn_frame(const struct sim_world *w, uint64_t mfn)
{
    return mfn >= w->mfn_base && mfn - w->mfn_base < w->nr_frames
               ? mfn - w->mfn_base
               : SIM_NO_FRAME;
}

/*
 * Makes an empty world of this spec in the empty file fd: no memory, no
 * state. is_target gives it other machine frame numbers and allows it as
 * much memory as nr_max_pages.
 */
int sim_world_create(int fd, const struct sim_spec *spec, bool is_target,
                     uint64_t nr_max_pages, struct sim_world **ret_world,
                     struct xcx_err *err);

/* Maps the world behind fd, which may be closed afterwards. */
int sim_world_map(int fd, struct sim_world **ret_world, struct xcx_err *err);

void sim_world_unmap(struct sim_world *w);

void sim_lock(struct sim_world *w);
void sim_unlock(struct sim_world *w);

/* The p2m's entry for pfn, 0 beyond its end. Lock held, as for all below. */
uint64_t sim_p2m_get(struct sim_world *w, uint64_t pfn);
void sim_p2m_set(struct sim_world *w, uint64_t pfn, uint64_t entry);

/* The frame behind pfn, or SIM_NO_FRAME. */
uint64_t sim_pfn_frame(struct sim_world *w, uint64_t pfn);

/* The memory behind pfn, or NULL. */
void *sim_pfn_ram(struct sim_world *w, uint64_t pfn);

/* A free frame in the given state, zeroed; SIM_NO_FRAME when none is left. */
uint64_t sim_frame_alloc(struct sim_world *w, enum sim_frame_state state);

/* Puts a fresh frame at pfn, a hole so far. 0, or a negative errno. */
int sim_populate(struct sim_world *w, uint64_t pfn);

/* Takes the frame at pfn away; a hole is left as it is. */
void sim_depopulate(struct sim_world *w, uint64_t pfn);

void sim_world_reset_use(struct sim_world *w);

uint64_t sim_now_ns(void);

/* A small generator (splitmix64): the next number of *state. */
uint64_t sim_random(uint64_t *state);

#endif
