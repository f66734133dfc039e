/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process: what the preloaded library keeps for the process it lives in.
 *
 * There is one struct a process, made when the library is loaded, from:
 *
 *   XCX_SIM_WORLD   path of the world; without it the library is asleep
 *   XCX_SIM_FAULT   what shall fail (fault.h)
 *   XCX_SIM_COST    the cost model (cost.h)
 *   XCX_SIM_REPORT  file that findings are appended to, a JSON object a line
 *
 * A finding is an illegal use: something a real hypervisor or kernel would
 * punish, sooner or later, or that leaks.
 */
#ifndef SIM_PROCESS_H
#define SIM_PROCESS_H

#include <pthread.h>
#include <sys/types.h>

#include "calls.h"
#include "cost.h"
#include "fault.h"
#include "world.h"

/* A foreign mapping of this process. */
struct sim_mapping {
    char *addr;
    uint64_t nr_pages;
    uint64_t *gfns; /* as asked for; NULL where it does not matter */
};

struct sim_process {
    struct sim_world *w; /* NULL: asleep */
    int world_fd;
    int report_fd;  /* -1: none */
    pid_t main_pid; /* the helper; a fork of it differs in getpid() */
    struct sim_faults faults;
    struct sim_cost cost;

    /* The kernel's mmap_lock: one map or unmap at a time in a process. */
    pthread_mutex_t mmap_lock;

    pthread_mutex_t lock; /* of all below */
    struct sim_mapping *mappings;
    size_t nr_mappings, max_mappings;
    uint64_t nr_mapped_pages;
    int64_t nr_buffers, nr_handles;
    bool exit_checked;
};

/* The process's own; never NULL. */
struct sim_process *sim_self(void);

/*
 * Counts a use of call, lets the guest run, and meets the faults: 0, or a
 * negative errno. *ret_page (may be NULL) is set when one page shall fail.
 */
int sim_enter(struct sim_process *p, enum sim_call call, bool *ret_page);

/* Pays the cost, if this model has one. */
void sim_pay(struct sim_process *p, uint64_t ns);

/* Records an illegal use. */
void sim_finding(struct sim_process *p, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The mappings; addresses are those given to the caller of map. */
void sim_mapping_add(struct sim_process *p, char *addr, uint64_t nr_pages,
                     const uint64_t *gfns);

/* Forgets the mapping at addr; its size in pages, 0 if there is none. */
uint64_t sim_mapping_remove(struct sim_process *p, const char *addr);

/* Whether a page at gfn is mapped by this very process. */
bool sim_mapping_has(struct sim_process *p, uint64_t gfn);

/* At the end of the process: leaks, and what its end costs. Idempotent. */
void sim_exit_check(struct sim_process *p);

#endif
