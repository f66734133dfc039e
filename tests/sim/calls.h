/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls: the simulated hypercalls, by name.
 *
 * The library stands below libxenctrl: it takes the place of libxencall and
 * libxenforeignmemory, so that libxenctrl and libxenguest run unmodified,
 * and any program on top of them. Every entry has a name, under which it is
 * counted and can be made to fail (fault.h).
 */
#ifndef SIM_CALLS_H
#define SIM_CALLS_H

#include "world.h"

#define SIM_CALLS(X)                                                           \
    X(map)                                                                     \
    X(unmap)                                                                   \
    X(map_resource)                                                            \
    X(buffer_alloc)                                                            \
    X(open)                                                                    \
    X(version)                                                                 \
    X(getdomaininfo)                                                           \
    X(getpageframeinfo3)                                                       \
    X(shadow_enable)                                                           \
    X(shadow_off)                                                              \
    X(shadow_clean)                                                            \
    X(shadow_peek)                                                             \
    X(shadow_other)                                                            \
    X(pausedomain)                                                             \
    X(unpausedomain)                                                           \
    X(resumedomain)                                                            \
    X(getvcpuinfo)                                                             \
    X(getvcpucontext)                                                          \
    X(setvcpucontext)                                                          \
    X(get_ext_vcpucontext)                                                     \
    X(set_ext_vcpucontext)                                                     \
    X(getvcpuextstate)                                                         \
    X(setvcpuextstate)                                                         \
    X(get_vcpu_msrs)                                                           \
    X(set_vcpu_msrs)                                                           \
    X(gethvmcontext)                                                           \
    X(sethvmcontext)                                                           \
    X(gettscinfo)                                                              \
    X(settscinfo)                                                              \
    X(get_cpu_policy)                                                          \
    X(set_cpu_policy)                                                          \
    X(get_address_size)                                                        \
    X(set_address_size)                                                        \
    X(scheduler_op)                                                            \
    X(domctl_other)                                                            \
    X(sysctl_cpu_policy)                                                       \
    X(sysctl_sched_id)                                                         \
    X(sysctl_other)                                                            \
    X(maximum_ram_page)                                                        \
    X(maximum_gpfn)                                                            \
    X(machphys_mfn_list)                                                       \
    X(populate_physmap)                                                        \
    X(decrease_reservation)                                                    \
    X(add_to_physmap)                                                          \
    X(remove_from_physmap)                                                     \
    X(get_pod_target)                                                          \
    X(claim_pages)                                                             \
    X(memory_other)                                                            \
    X(hvm_get_param)                                                           \
    X(hvm_set_param)                                                           \
    X(mmuext_op)                                                               \
    X(mmu_update)                                                              \
    X(modified_memory)                                                         \
    X(other)

enum sim_call {
#define SIM_CALL_ENUM(name) SIM_CALL_##name,
    SIM_CALLS(SIM_CALL_ENUM)
#undef SIM_CALL_ENUM
        SIM_NR_CALLS
};

_Static_assert(SIM_NR_CALLS <= SIM_MAX_CALLS, "room in the counters");

/* "shadow_clean"; NULL beyond the last. */
const char *sim_call_name(unsigned call);

/* The call of that name, or SIM_NR_CALLS. */
unsigned sim_call_find(const char *name, size_t bytes);

/*
 * One hypercall: a result of 0 or more, or a negative errno. The world's
 * lock is not held. Handles in arguments are plain pointers.
 */
long sim_hypercall(struct sim_world *w, unsigned op, const uint64_t arg[5]);

/* XEN_DMOP_modified_memory: marks pages as written while log-dirty is on. */
long sim_modified_memory(struct sim_world *w, uint64_t domid,
                         uint64_t first_pfn, uint64_t nr_pfns);

/* The parts, by hypercall; the lock is held, costs are paid outside. */
long sim_domctl(struct sim_world *w, struct xen_domctl *op);
long sim_domctl_vcpu(struct sim_world *w, struct xen_domctl *op);
long sim_memory_op(struct sim_world *w, unsigned cmd, void *arg);

#endif
