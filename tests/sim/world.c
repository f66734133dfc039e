/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC         "XCXSIM1"
#define PRESENT_SHIFT 9

static uint64_t align(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static void lay_out(struct sim_world *w)
{
    uint64_t at = align(sizeof(*w), SIM_PAGE_BYTES);
    uint64_t nr_pfns = w->max_nr_pfns;

    w->off_frames = at;
    at = align(at + w->nr_frames * sizeof(struct sim_frame), SIM_PAGE_BYTES);
    w->off_p2m = at;
    at = align(at + nr_pfns * 8, SIM_PAGE_BYTES);
    w->off_present = at;
    at = align(at + (nr_pfns >> PRESENT_SHIFT) + 1, SIM_PAGE_BYTES);
    w->off_dirty = at;
    at = align(at + nr_pfns / 8 + 8, SIM_PAGE_BYTES);
    w->off_summary = at;
    at = align(at + nr_pfns / 32768 + 1, SIM_M2P_CHUNK);
    w->off_m2p = at;
    w->m2p_bytes = align((w->mfn_base + w->nr_frames) * 8, SIM_M2P_CHUNK);
    at += w->m2p_bytes;
    w->off_ram = at;
    w->total_bytes = at + (w->nr_frames << SIM_PAGE_SHIFT);
}

static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

/* PV page tables must meet mfns that are no guest's: fill the m2p. */
static void fill_m2p(struct sim_world *w)
{
    memset(sim_m2p(w), 0xff, w->m2p_bytes);
}

static void describe(struct sim_world *w, const struct sim_spec *spec,
                     bool is_target, uint64_t nr_max_pages)
{
    uint64_t slack = spec->kind == SIM_PV ? 4096 : 1024;

    memcpy(w->magic, MAGIC, sizeof(w->magic));
    w->spec = *spec;
    w->nr_frames = nr_max_pages + slack;
    w->max_nr_pfns = spec->nr_pfns + 4 * SIM_GROW_PFNS;
    w->mfn_base = is_target ? 0x31000 : 0x12000;
    /* Runs of 16 (8) consecutive frames: mfns that are no order of pfns. */
    w->mfn_mask = spec->kind == SIM_PV ? (is_target ? 0x38 : 0x70) : 0;
    w->nr_frames = align(w->nr_frames, 128);
    w->max_pages = nr_max_pages;
    lay_out(w);
}

int sim_world_create(int fd, const struct sim_spec *spec, bool is_target,
                     uint64_t nr_max_pages, struct sim_world **ret_world,
                     struct xcx_err *err)
{
    struct sim_world *plan = calloc(1, sizeof(*plan)), *w;
    int rc = -1;

    if (!plan)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "world");
    describe(plan, spec, is_target, nr_max_pages);
    if (ftruncate(fd, (off_t)plan->total_bytes) < 0 ||
        pwrite(fd, plan, sizeof(*plan), 0) != (ssize_t)sizeof(*plan)) {
        xcx_err_set(err, XCX_ERR_RESOURCE, errno, "world of %llu bytes",
                    (unsigned long long)plan->total_bytes);
        goto out;
    }
    if (sim_world_map(fd, &w, err))
        goto out;
    init_lock(&w->lock);
    if (spec->kind == SIM_PV)
        fill_m2p(w);
    w->exists = true;
    w->paused = is_target;
    w->shared_info_frame = sim_frame_alloc(w, SIM_FRAME_XEN);
    w->grant_frame = sim_frame_alloc(w, SIM_FRAME_XEN);
    *ret_world = w;
    rc = 0;
out:
    free(plan);
    return rc;
}

int sim_world_map(int fd, struct sim_world **ret_world, struct xcx_err *err)
{
    struct sim_world *w;
    struct stat st;

    if (fstat(fd, &st) < 0 || (size_t)st.st_size < sizeof(*w))
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "this is no world");
    w = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (w == MAP_FAILED)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "mapping a world");
    if (memcmp(w->magic, MAGIC, sizeof(w->magic)) ||
        w->total_bytes != (uint64_t)st.st_size) {
        munmap(w, (size_t)st.st_size);
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "this is no world");
    }
    *ret_world = w;
    return 0;
}

void sim_world_unmap(struct sim_world *w)
{
    if (w)
        munmap(w, w->total_bytes);
}

void sim_lock(struct sim_world *w)
{
    /* A process killed inside: what it did was short and is complete. */
    if (pthread_mutex_lock(&w->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&w->lock);
}

void sim_unlock(struct sim_world *w)
{
    pthread_mutex_unlock(&w->lock);
}

static uint64_t *p2m(struct sim_world *w)
{
    return (uint64_t *)((char *)w + w->off_p2m);
}

static uint8_t *present(struct sim_world *w)
{
    return (uint8_t *)w + w->off_present;
}

uint64_t sim_p2m_get(struct sim_world *w, uint64_t pfn)
{
    if (pfn >= w->max_nr_pfns || !present(w)[pfn >> PRESENT_SHIFT])
        return 0;
    return p2m(w)[pfn];
}

void sim_p2m_set(struct sim_world *w, uint64_t pfn, uint64_t entry)
{
    present(w)[pfn >> PRESENT_SHIFT] = 1;
    p2m(w)[pfn] = entry;
    if (pfn >= w->nr_pfns)
        w->nr_pfns = pfn + 1;
}

uint64_t sim_pfn_frame(struct sim_world *w, uint64_t pfn)
{
    uint64_t entry = sim_p2m_get(w, pfn);

    return entry & SIM_P2M_FRAME ? (entry & SIM_P2M_FRAME) - 1 : SIM_NO_FRAME;
}

void *sim_pfn_ram(struct sim_world *w, uint64_t pfn)
{
    uint64_t frame = sim_pfn_frame(w, pfn);

    return frame == SIM_NO_FRAME ? NULL : sim_ram(w, frame);
}

uint64_t sim_frame_alloc(struct sim_world *w, enum sim_frame_state state)
{
    struct sim_frame *frames = sim_frames(w);

    for (uint64_t tried = 0; tried < w->nr_frames; tried++) {
        uint64_t next = w->next_frame++ % w->nr_frames;
        uint64_t f = next ^ w->mfn_mask;

        if (frames[f].state != SIM_FRAME_FREE)
            continue;
        frames[f] =
            (struct sim_frame){.state = (uint8_t)state, .pfn = SIM_NO_PFN};
        return f;
    }
    return SIM_NO_FRAME;
}

int sim_populate(struct sim_world *w, uint64_t pfn)
{
    uint64_t entry = sim_p2m_get(w, pfn), f;

    if (pfn >= w->max_nr_pfns)
        return -EINVAL;
    if (entry & SIM_P2M_FRAME)
        return -EEXIST;
    if (w->nr_pages >= w->max_pages)
        return -ENOMEM;
    f = sim_frame_alloc(w, SIM_FRAME_GUEST);
    if (f == SIM_NO_FRAME)
        return -ENOMEM;
    sim_frames(w)[f].pfn = (uint32_t)pfn;
    sim_p2m_set(w, pfn, (f + 1) | SIM_P2M_EVER);
    if (w->spec.kind == SIM_PV)
        sim_m2p(w)[sim_mfn(w, f)] = pfn;
    w->nr_pages++;
    return 0;
}

void sim_depopulate(struct sim_world *w, uint64_t pfn)
{
    uint64_t f = sim_pfn_frame(w, pfn);

    if (f == SIM_NO_FRAME)
        return;
    sim_frames(w)[f] = (struct sim_frame){.state = SIM_FRAME_FREE};
    memset(sim_ram(w, f), 0, SIM_PAGE_BYTES);
    sim_p2m_set(w, pfn, SIM_P2M_EVER);
    if (w->spec.kind == SIM_PV)
        sim_m2p(w)[sim_mfn(w, f)] = SIM_INVALID_MFN;
    w->nr_pages--;
}

void sim_world_reset_use(struct sim_world *w)
{
    w->nr_calls = 0;
    w->nr_mapped_pages = 0;
    w->nr_unmapped_pages = 0;
    w->nr_findings = 0;
    for (unsigned i = 0; i < SIM_MAX_CALLS; i++)
        w->calls[i] = 0;
}

uint64_t sim_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t sim_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}
