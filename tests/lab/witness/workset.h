/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * workset: the stamped pages and the table that says what each must hold.
 * Pages below nr_resident are stamped; those above were released.
 *
 * Threads: all by the one writer, but for what workset_counts and
 * workset_findings hand to others.
 */
#ifndef WITNESS_WORKSET_H
#define WITNESS_WORKSET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcext/err.h"
#include "page.h"
#include "table.h"

#define WORKSET_FINDINGS 2

/* Since the start. errors: all kinds together. */
struct workset_counts {
    uint64_t dirtied_pages;
    uint64_t verified_pages;
    uint64_t errors;
    uint64_t by_kind[PAGE_NR_KINDS];
};

struct workset_finding {
    struct page_finding page;
    int64_t at_real_ns;
};

struct workset {
    /* set by workset_init */
    unsigned char *pages;
    size_t nr_pages;
    bool locked; /* mlock was permitted */

    /* the writer's */
    struct table table;
    void *table_memory;
    size_t nr_resident;

    /* under lock; the writer writes */
    pthread_mutex_t lock;
    struct workset_counts counts;
    unsigned nr_findings;
    struct workset_finding findings[WORKSET_FINDINGS]; /* the first ones */
};

/*
 * Takes the memory, locks it where that is permitted, stamps every page.
 * Errors: RESOURCE. On failure nothing is held.
 */
int workset_init(struct workset *set, size_t nr_pages, struct xcx_err *err);
void workset_done(struct workset *set);

/* Verifies a resident page and stamps it anew with the next sequence. */
void workset_write(struct workset *set, size_t index);

/* Verifies a resident page; a bad one is reported and stamped anew. */
void workset_verify(struct workset *set, size_t index);

/* Verifies the pages from index on and gives their memory to the kernel. */
void workset_release(struct workset *set, size_t from_index);

/* Takes the released pages again, stamped with their next sequences. */
void workset_retake(struct workset *set);

/* Flips one bit of a resident page on purpose. */
void workset_corrupt(struct workset *set, size_t index);

/* Copies; any thread. ret_findings: WORKSET_FINDINGS. Returns how many. */
void workset_get_counts(struct workset *set, struct workset_counts *ret_counts);
unsigned workset_get_findings(struct workset *set,
                              struct workset_finding *ret_findings);

#endif
