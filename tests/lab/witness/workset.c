/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workset.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"

static void *page_at(const struct workset *set, size_t index)
{
    return set->pages + index * PAGE_BYTES;
}

static void note_finding(struct workset *set, const struct page_finding *page)
{
    pthread_mutex_lock(&set->lock);
    set->counts.errors++;
    set->counts.by_kind[page->kind]++;
    if (set->nr_findings < WORKSET_FINDINGS)
        set->findings[set->nr_findings++] = (struct workset_finding){
            .page = *page,
            .at_real_ns = clock_ns(CLOCK_REALTIME),
        };
    pthread_mutex_unlock(&set->lock);
}

static void stamp(struct workset *set, size_t index, uint64_t seq)
{
    page_stamp(page_at(set, index), index, seq);
    table_set(&set->table, index, seq);
}

/* Returns whether page and table agree; *ret_seq is the table's word. */
static bool verify(struct workset *set, size_t index, uint64_t *ret_seq)
{
    enum table_state state = table_get(&set->table, index, ret_seq);
    struct page_finding finding = {
        .kind = PAGE_TABLE,
        .number = index,
        .expected_seq = *ret_seq,
    };
    bool good = state == TABLE_GOOD;

    if (!good)
        note_finding(set, &finding);
    if (state != TABLE_LOST &&
        !page_verify(page_at(set, index), index, *ret_seq, &finding)) {
        note_finding(set, &finding);
        good = false;
    }
    return good;
}

static void count(struct workset *set, unsigned verified, unsigned dirtied)
{
    pthread_mutex_lock(&set->lock);
    set->counts.verified_pages += verified;
    set->counts.dirtied_pages += dirtied;
    pthread_mutex_unlock(&set->lock);
}

static void *map(size_t bytes, struct xcx_err *err)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory != MAP_FAILED)
        return memory;
    xcx_err_set(err, XCX_ERR_RESOURCE, errno, "%zu bytes of memory", bytes);
    return NULL;
}

int workset_init(struct workset *set, size_t nr_pages, struct xcx_err *err)
{
    memset(set, 0, sizeof(*set));
    set->nr_pages = nr_pages;
    set->pages = map(nr_pages * PAGE_BYTES, err);
    if (!set->pages)
        return -1;
    set->table_memory = map(table_bytes(nr_pages), err);
    if (!set->table_memory) {
        munmap(set->pages, nr_pages * PAGE_BYTES);
        set->pages = NULL;
        return -1;
    }
    pthread_mutex_init(&set->lock, NULL);
    set->locked = mlock(set->pages, nr_pages * PAGE_BYTES) == 0 &&
                  mlock(set->table_memory, table_bytes(nr_pages)) == 0;
    table_init(&set->table, set->table_memory, 0, nr_pages);
    workset_retake(set);
    return 0;
}

void workset_done(struct workset *set)
{
    if (!set->pages)
        return;
    pthread_mutex_destroy(&set->lock);
    munmap(set->table_memory, table_bytes(set->nr_pages));
    munmap(set->pages, set->nr_pages * PAGE_BYTES);
    set->pages = NULL;
}

void workset_write(struct workset *set, size_t index)
{
    uint64_t seq;

    verify(set, index, &seq);
    stamp(set, index, seq + 1);
    count(set, 1, 1);
}

void workset_verify(struct workset *set, size_t index)
{
    uint64_t seq;

    if (!verify(set, index, &seq))
        stamp(set, index, seq + 1);
    count(set, 1, 0);
}

void workset_release(struct workset *set, size_t from_index)
{
    size_t bytes = (set->nr_resident - from_index) * PAGE_BYTES;

    for (size_t i = from_index; i < set->nr_resident; i++)
        workset_verify(set, i);
    /* Locked memory cannot be given back. */
    munlock(page_at(set, from_index), bytes);
    madvise(page_at(set, from_index), bytes, MADV_DONTNEED);
    set->nr_resident = from_index;
}

void workset_retake(struct workset *set)
{
    size_t from_index = set->nr_resident;

    if (set->locked)
        mlock(page_at(set, from_index),
              (set->nr_pages - from_index) * PAGE_BYTES);
    for (size_t i = from_index; i < set->nr_pages; i++) {
        uint64_t seq;

        table_get(&set->table, i, &seq);
        stamp(set, i, seq + 1);
    }
    set->nr_resident = set->nr_pages;
}

void workset_corrupt(struct workset *set, size_t index)
{
    unsigned char *page = page_at(set, index);

    page[PAGE_BYTES / 2] ^= 0x10;
}

void workset_get_counts(struct workset *set, struct workset_counts *ret_counts)
{
    pthread_mutex_lock(&set->lock);
    *ret_counts = set->counts;
    pthread_mutex_unlock(&set->lock);
}

unsigned workset_get_findings(struct workset *set,
                              struct workset_finding *ret_findings)
{
    unsigned nr;

    pthread_mutex_lock(&set->lock);
    nr = set->nr_findings;
    memcpy(ret_findings, set->findings, sizeof(set->findings));
    pthread_mutex_unlock(&set->lock);
    return nr;
}
