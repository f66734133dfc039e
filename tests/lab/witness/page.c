/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "page.h"

#include <stddef.h>

#include "mix.h"

#define PAGE_MAGIC UINT64_C(0x787820736e746977)

enum { WORD_MAGIC, WORD_NUMBER, WORD_SEQ, WORD_SUM, WORD_CONTENTS };

static uint64_t contents_base(uint64_t number, uint64_t seq)
{
    return mix64(mix64(number) + seq);
}

static uint64_t contents_word(uint64_t base, unsigned i)
{
    uint64_t x = base + i * MIX_STEP;

    return (x ^ (x >> 32)) * MIX_FACTOR;
}

/* Four lanes, so that the multiplications do not wait for one another. */
static uint64_t page_sum(const uint64_t *words)
{
    uint64_t lane[4] = {1, 2, 3, 4};
    uint64_t sum = 0;

    for (unsigned i = 0; i < PAGE_WORDS; i++) {
        uint64_t word = i == WORD_SUM ? 0 : words[i];
        uint64_t x = (lane[i % 4] ^ word) * MIX_FACTOR;

        lane[i % 4] = x ^ (x >> 29);
    }
    for (unsigned i = 0; i < 4; i++)
        sum = mix64(sum ^ lane[i]);
    return sum;
}

const char *page_kind_name(enum page_kind kind)
{
    static const char *const names[PAGE_NR_KINDS] = {
        [PAGE_GOOD] = "good",   [PAGE_ZERO] = "zero",
        [PAGE_STALE] = "stale", [PAGE_MISPLACED] = "misplaced",
        [PAGE_AHEAD] = "ahead", [PAGE_TORN] = "torn",
        [PAGE_TABLE] = "table", [PAGE_CORRUPT] = "corrupt",
    };

    return (unsigned)kind < PAGE_NR_KINDS ? names[kind] : "unknown";
}

void page_stamp(void *page, uint64_t number, uint64_t seq)
{
    uint64_t *words = page;
    uint64_t base = contents_base(number, seq);

    words[WORD_MAGIC] = PAGE_MAGIC;
    words[WORD_NUMBER] = number;
    words[WORD_SEQ] = seq;
    for (unsigned i = WORD_CONTENTS; i < PAGE_WORDS; i++)
        words[i] = contents_word(base, i);
    words[WORD_SUM] = page_sum(words);
}

static bool all_zero(const uint64_t *words)
{
    for (unsigned i = 0; i < PAGE_WORDS; i++)
        if (words[i])
            return false;
    return true;
}

/* Counts the words that are not those of the expected stamp. */
static void count_bad_words(const uint64_t *words, struct page_finding *finding)
{
    uint64_t want[PAGE_WORDS], before[PAGE_WORDS];
    bool torn = true;

    page_stamp(want, finding->number, finding->expected_seq);
    page_stamp(before, finding->number, finding->expected_seq - 1);
    for (unsigned i = 0; i < PAGE_WORDS; i++) {
        if (words[i] == want[i])
            continue;
        if (finding->nr_bad_words++ == 0)
            finding->bad_byte = i * sizeof(words[0]);
        if (words[i] != before[i])
            torn = false;
    }
    if (finding->kind == PAGE_CORRUPT && torn && finding->nr_bad_words > 1)
        finding->kind = PAGE_TORN;
}

static enum page_kind kind_of_whole(const uint64_t *words, uint64_t number,
                                    uint64_t expected_seq)
{
    if (words[WORD_NUMBER] != number)
        return PAGE_MISPLACED;
    if (words[WORD_SEQ] == expected_seq)
        return PAGE_GOOD;
    return words[WORD_SEQ] < expected_seq ? PAGE_STALE : PAGE_AHEAD;
}

bool page_verify(const void *page, uint64_t number, uint64_t expected_seq,
                 struct page_finding *ret_finding)
{
    const uint64_t *words = page;
    bool whole =
        words[WORD_MAGIC] == PAGE_MAGIC && words[WORD_SUM] == page_sum(words);
    enum page_kind kind =
        whole ? kind_of_whole(words, number, expected_seq) : PAGE_CORRUPT;

    if (kind == PAGE_GOOD)
        return true;
    if (kind == PAGE_CORRUPT && all_zero(words))
        kind = PAGE_ZERO;
    *ret_finding = (struct page_finding){
        .kind = kind,
        .number = number,
        .expected_seq = expected_seq,
        .found_number = words[WORD_NUMBER],
        .found_seq = words[WORD_SEQ],
    };
    count_bad_words(words, ret_finding);
    return false;
}
