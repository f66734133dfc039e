/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake_xen: as much of libxenctrl, libxenguest and libxenforeignmemory as a
 * restore calls, over one small domain in this very process. A program that
 * links it has these in the place of the real ones.
 *
 * A mapping is a copy in memory of its own, put back when it is unmapped: so
 * the address sanitizer sees every byte too many, and every leak. What no
 * program may do to a hypervisor is counted in nr_misuses, the first of it in
 * words. One domain, one thread, no worker processes.
 */
#ifndef FAKE_XEN_H
#define FAKE_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_DOMID       7
#define FAKE_MAX_PAGES   2048            /* that a test may allow the domain */
#define FAKE_SHARED_INFO UINT64_C(0x900) /* its mfn */
#define FAKE_NR_PARAMS   64

struct fake_xen {
    /* Set by the test. */
    bool hvm;
    unsigned address_bits;
    uint64_t max_pages;
    uint64_t host_pages; /* that there are for it */
    bool no_superpages;
    unsigned max_vcpu_id;

    /* What has become of the domain. */
    uint64_t nr_pages;
    unsigned nr_superpages, nr_given_back;
    unsigned nr_pins, nr_vcpus_set, nr_parts_set, nr_policies_set;
    unsigned nr_contexts_set, nr_tsc_set, nr_seeds;
    uint64_t params[FAKE_NR_PARAMS];
    uint64_t store_frame, console_frame; /* of the grant table */
    uint64_t cr3, start_info;            /* of vCPU 0 */

    unsigned nr_mapped, nr_handles, nr_buffers; /* 0 at the end */
    unsigned nr_misuses;
    char first_misuse[128];
};

extern struct fake_xen fake_xen;

/* An empty domain; everything of the last one is gone. */
void fake_xen_reset(bool hvm, uint64_t max_pages);

/* The page at a pfn of the domain, or NULL; shared info is its own page. */
void *fake_xen_page(uint64_t pfn);
void *fake_xen_shared_info(void);

/* The mfn behind a pfn of a PV domain; 0: none. */
uint64_t fake_xen_mfn(uint64_t pfn);

#endif
