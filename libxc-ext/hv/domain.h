/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain: Xen's facts about a domain as a whole. Every call is one or two
 * hypercalls and does not block. Errors: HYPERCALL unless said otherwise.
 */
#ifndef XCX_HV_DOMAIN_H
#define XCX_HV_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/hv.h"

struct xcx_domain_info {
    bool hvm; /* HVM or PVH */
    bool hap; /* with hardware-assisted paging */
    bool dying;
    bool paused;
    bool shutdown;
    unsigned shutdown_reason; /* SHUTDOWN_*; meaningful when shutdown */
    uint64_t nr_pages;        /* in the p2m: own, shared and paged out */
    uint64_t nr_pages_own;    /* without those shared and paged out */
    uint64_t nr_pages_paged;  /* paged out: their contents are not in Xen */
    uint64_t max_pages;       /* that it may own */
    unsigned address_bits;    /* of its physical addresses; 0: not told */
    unsigned max_vcpu_id;
    unsigned nr_online_vcpus;
    uint64_t shared_info_mfn; /* PV */
};

#define XCX_SHUTDOWN_SUSPEND 2

/* GUEST when there is no such domain. */
int xcx_domain_get_info(const struct xcx_hv *hv,
                        struct xcx_domain_info *ret_info, struct xcx_err *err);

/* The number of pfns from 0 to the highest one in use, holes included. */
int xcx_domain_p2m_size(const struct xcx_hv *hv, uint64_t *ret_nr_pfns,
                        struct xcx_err *err);

/*
 * Pfns that are populated on demand and so have no page yet; Xen makes one
 * when their type is asked for. 0 for a domain without such pfns and where
 * Xen cannot say.
 */
uint64_t xcx_domain_nr_on_demand(const struct xcx_hv *hv);

/* 4 or 8 octets. PV only. */
int xcx_domain_guest_width(const struct xcx_hv *hv, unsigned *ret_width,
                           struct xcx_err *err);

int xcx_hv_version(const struct xcx_hv *hv, unsigned *ret_major,
                   unsigned *ret_minor, struct xcx_err *err);

int xcx_vcpu_is_online(const struct xcx_hv *hv, unsigned vcpu_id,
                       bool *ret_online, struct xcx_err *err);

#endif
