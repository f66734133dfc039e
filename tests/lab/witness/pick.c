/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pick.h"

#include <math.h>

#define THETA 0.99

/* A prime above any number of pages, so that it maps ranks one to one. */
#define SPREAD     UINT64_C(4294967291)

#define HOT_SHARE  10 /* one in so many pages is hot */
#define HOT_WRITES 9  /* of 10 */

static double zeta(uint32_t nr_pages)
{
    double sum = 0;

    for (uint32_t i = 1; i <= nr_pages; i++)
        sum += pow(1.0 / i, THETA);
    return sum;
}

void pick_init(struct pick *pick, enum spec_pattern pattern, uint64_t seed,
               uint32_t nr_pages)
{
    *pick = (struct pick){
        .pattern = pattern,
        .prng = {seed},
        .nr_pages = nr_pages,
    };
    if (pattern == SPEC_ZIPF) {
        pick->second = pow(0.5, THETA);
        pick->zeta_n = zeta(nr_pages);
        pick->eta = (1 - pow(2.0 / nr_pages, 1 - THETA)) /
                    (1 - (1 + pick->second) / pick->zeta_n);
    }
}

static uint32_t zipf_rank(struct pick *pick)
{
    double u = mix_unit(&pick->prng);
    double uz = u * pick->zeta_n;
    double rank;

    if (uz < 1 || pick->nr_pages == 1)
        return 0;
    if (uz < 1 + pick->second)
        return 1;
    rank = pick->nr_pages * pow(pick->eta * u - pick->eta + 1, 1 / (1 - THETA));
    return rank < pick->nr_pages ? (uint32_t)rank : pick->nr_pages - 1;
}

static uint32_t hot_page(struct pick *pick)
{
    uint32_t nr_hot = (pick->nr_pages + HOT_SHARE - 1) / HOT_SHARE;
    uint32_t nr_cold = pick->nr_pages - nr_hot;

    if (nr_cold == 0 || mix_below(&pick->prng, 10) < HOT_WRITES)
        return mix_below(&pick->prng, nr_hot);
    return nr_hot + mix_below(&pick->prng, nr_cold);
}

uint32_t pick_next(struct pick *pick)
{
    uint32_t page;

    switch (pick->pattern) {
    case SPEC_ZIPF:
        return zipf_rank(pick) * SPREAD % pick->nr_pages;
    case SPEC_HOT:
        return hot_page(pick);
    case SPEC_SEQ:
        page = pick->cursor;
        pick->cursor = page + 1 < pick->nr_pages ? page + 1 : 0;
        return page;
    default:
        return mix_below(&pick->prng, pick->nr_pages);
    }
}
