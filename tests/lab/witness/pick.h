/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pick: which page is written next. The same pattern, seed and number of
 * pages give the same pages in the same order.
 *
 * Zipf: rank by the rejection-free method of Gray et al. ("Quickly
 * generating billion-record synthetic databases", 1994); ranks are spread
 * over the pages by a multiplication, so that hot pages are not neighbours.
 *
 * Pure; one thread at a time.
 */
#ifndef WITNESS_PICK_H
#define WITNESS_PICK_H

#include <stdint.h>

#include "mix.h"
#include "spec.h"

struct pick {
    enum spec_pattern pattern;
    struct mix_prng prng;
    uint32_t nr_pages;
    uint32_t cursor; /* seq: the next page */
    /* zipf: see pick.c */
    double zeta_n, eta, second;
};

/* nr_pages: at least 1. Takes time proportional to it for zipf. */
void pick_init(struct pick *pick, enum spec_pattern pattern, uint64_t seed,
               uint32_t nr_pages);

/* A page below nr_pages. */
uint32_t pick_next(struct pick *pick);

#endif
