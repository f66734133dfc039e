/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore_sample: small whole streams of guests that fake_xen.h can hold, and
 * one call that restores such bytes into a fresh domain. The records are put
 * together by hand, so that a test can leave one out, or bend it.
 */
#ifndef RESTORE_SAMPLE_H
#define RESTORE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "stream/record.h"
#include "xcext.h"

/* A stream being put together. */
struct restore_sample {
    bool hvm;
    size_t nr_bytes;
    uint8_t *bytes;                    /* SAMPLE_ROOM of them */
    size_t contents_from, contents_to; /* of the last PAGE_DATA */
};

#define SAMPLE_ROOM (6u << 20)

void sample_start(struct restore_sample *sample, bool hvm);
void sample_done(struct restore_sample *sample);

/* A record with this body, padded. */
void sample_record(struct restore_sample *sample, uint32_t type,
                   const void *body, size_t bytes);

/*
 * PAGE_DATA for nr entries of pfns and types (NULL: ordinary pages); a page's
 * contents are its pfn all over, unless it is a page table: then they are
 * those of sample_table().
 */
void sample_pages(struct restore_sample *sample, const uint64_t *pfns,
                  const uint8_t *types, unsigned nr);
void sample_page_run(struct restore_sample *sample, uint64_t first,
                     unsigned nr);

/* Whether a page that came by sample_pages() holds what was sent. */
bool sample_page_is_right(const void *page, uint64_t pfn);

/*
 * The PV guest, all of it below pfn 64. Its L1 refers to pages 30 to 33, and
 * to SAMPLE_UNSENT, which is never sent.
 */
#define SAMPLE_LEAF    10
#define SAMPLE_START   11
#define SAMPLE_STORE   12
#define SAMPLE_CONSOLE 13
#define SAMPLE_GDT     14
#define SAMPLE_L4      20
#define SAMPLE_L1      23
#define SAMPLE_UNSENT  40
#define SAMPLE_NR_PFNS 64

void sample_table(uint64_t pfn, uint64_t *entries);

/* The records of whole guests, bent by a test where it wants. */
void sample_static_data(struct restore_sample *sample, bool hvm);
void sample_hvm_state(struct restore_sample *sample);
void sample_p2m_frames(struct restore_sample *sample, uint32_t start,
                       uint32_t end, uint64_t pfn);
void sample_pv_memory(struct restore_sample *sample);
void sample_vcpu(struct restore_sample *sample, uint64_t cr3_pfn,
                 uint64_t gdt_entries, uint64_t start_info);
void sample_pv_state(struct restore_sample *sample);

/* A whole guest: 3 pages and the rings, or the PV guest. */
void sample_guest(struct restore_sample *sample, bool hvm);

/* What a run said. */
struct restore_run {
    int rc;
    struct xcx_err err;
    struct xcx_restore_results results;
    struct xcx_restore_stats stats;
    unsigned missing; /* UINT_MAX: not asked */
    int answer;       /* to static data done; set before */
    unsigned nr_warnings;
};

/*
 * Restores the bytes into the domain that fake_xen_reset() has made, without
 * workers.
 */
void restore_bytes(struct restore_run *run, const void *bytes, size_t nr_bytes);

#endif
