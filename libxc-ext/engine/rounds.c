/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/rounds.h"

#include <stdio.h>

#include "base/clock.h"
#include "engine/round_stats.h"
#include "engine/stop.h"

/* A PEEK pauses the guest: not more often than this, and 5 % of the time. */
#define PEEK_INTERVAL_NS (200 * XCX_NS_PER_MS)
#define PEEK_SHARE       20

/* Each one wakes the caller's process, and somebody has to read it. */
#define PROGRESS_INTERVAL_NS (200 * XCX_NS_PER_MS)

#define SUPERPAGE_PFNS       512

/* ---- batches ------------------------------------------------------------ */

/* An HVM page's type is asked once, when it is first heard of. */
static bool must_ask(const struct xcx_rounds *rounds, uint64_t pfn)
{
    const struct xcx_memory *memory = rounds->memory;

    return memory->guest->ops->types_change ||
           !xcx_bitmap_test(&memory->populated, pfn);
}

/* The types of the batch's pages; XTAB where there is none. */
static int find_types(struct xcx_rounds *rounds, struct xcx_err *err)
{
    struct xcx_guest *guest = rounds->memory->guest;
    uint16_t entry[XCX_PAGE_BATCH_MAX];
    uint8_t answers[XCX_PAGE_BATCH_MAX];
    unsigned nr_asked = 0;

    for (unsigned i = 0; i < rounds->nr_batch; i++) {
        uint64_t frame;

        rounds->types[i] = XCX_PAGE_NOTAB;
        if (!must_ask(rounds, rounds->batch[i]))
            continue;
        frame = guest->ops->frame(guest, rounds->batch[i]);
        rounds->types[i] = XCX_PAGE_XTAB;
        if (frame == XCX_NO_FRAME)
            continue;
        entry[nr_asked] = (uint16_t)i;
        rounds->asked[nr_asked++] = frame;
    }
    if (xcx_types_query(rounds->sender->types, rounds->asked, nr_asked, answers,
                        err))
        return -1;
    for (unsigned i = 0; i < nr_asked; i++)
        rounds->types[entry[i]] = answers[i];
    return 0;
}

/* Notes what is there; an HVM receiver is not told of what is not. */
static void sort_out(struct xcx_rounds *rounds)
{
    struct xcx_memory *memory = rounds->memory;
    bool tell = memory->guest->ops->types_change;
    unsigned nr_kept = 0;

    for (unsigned i = 0; i < rounds->nr_batch; i++) {
        uint64_t pfn = rounds->batch[i];
        uint8_t type = rounds->types[i];

        if (!tell && xcx_page_type_has_data(type) &&
            !xcx_bitmap_test(&memory->populated, pfn))
            xcx_memory_doubt(memory, false);
        if (xcx_page_type_has_data(type))
            xcx_bitmap_set(&memory->populated, pfn);
        else
            xcx_bitmap_clear(&memory->populated, pfn);
        if (!xcx_page_type_has_data(type) && !tell)
            continue;
        rounds->batch[nr_kept] = pfn;
        rounds->types[nr_kept++] = type;
    }
    rounds->nr_batch = nr_kept;
}

static void report_progress(struct xcx_rounds *rounds)
{
    const struct xcx_save_ops *ops = rounds->ops;
    uint64_t done = rounds->nr_handled;
    char what[48];

    if (!ops->progress)
        return;
    rounds->next_progress_ns = xcx_clock_ns() + PROGRESS_INTERVAL_NS;
    if (done > rounds->nr_total)
        done = rounds->nr_total;
    if (rounds->final)
        snprintf(what, sizeof(what), "Final round");
    else
        snprintf(what, sizeof(what), "Round %u", rounds->nr_rounds - 1);
    ops->progress(ops->opaque, what, done, rounds->nr_total);
}

static int watch_guest(struct xcx_rounds *rounds, struct xcx_err *err)
{
    uint64_t start_ns = xcx_clock_ns();

    if (xcx_alive_watch(&rounds->alive, rounds->memory->guest->hv, err) ||
        xcx_memory_watch_balloon(rounds->memory, err))
        return -1;
    rounds->other_ns += xcx_clock_ns() - start_ns;
    return 0;
}

/* The caller may have changed them; the sender may have asked, too. */
static void follow_limits(struct xcx_rounds *rounds)
{
    xcx_limits_follow(rounds->limits, &rounds->sender->bucket);
    rounds->max_batch = xcx_limits_max_batch(rounds->limits);
    xcx_policy_set_limits(&rounds->policy, &rounds->limits->now);
}

static int flush(struct xcx_rounds *rounds, struct xcx_err *err)
{
    if (!rounds->nr_batch)
        return 0;
    rounds->nr_handled += rounds->nr_batch;
    if (find_types(rounds, err))
        return -1;
    sort_out(rounds);
    if (xcx_sender_send(rounds->sender, rounds->batch, rounds->types,
                        rounds->nr_batch, err))
        return -1;
    rounds->nr_batch = 0;
    follow_limits(rounds);
    if (xcx_clock_ns() >= rounds->next_progress_ns)
        report_progress(rounds);
    return rounds->final ? 0 : watch_guest(rounds, err);
}

/* ---- looking at what is written meanwhile ------------------------------- */

static void step_policy(struct xcx_rounds *rounds, bool round_end,
                        uint64_t nr_dirty, uint64_t nr_left)
{
    uint64_t now_ns = xcx_clock_ns();
    struct xcx_policy_sample sample = {
        .round_end = round_end,
        .nr_rounds = round_end ? rounds->nr_rounds : rounds->nr_rounds - 1,
        .elapsed_ns = now_ns - rounds->start_ns,
        .round_ns = now_ns - rounds->round_start_ns,
        .nr_pfns_dirty = nr_dirty,
        .nr_pfns_left = nr_left,
        .nr_pfns_sent = rounds->sender->nr_sent,
        .send_ns = now_ns - rounds->round_start_ns - rounds->other_ns,
        .costs = rounds->costs,
        .scan_is_doubtful = rounds->scan_times.nr < XCX_POLICY_NR_TIMES,
    };

    sample.costs.settle_ns = xcx_sender_settle_ns(rounds->sender);
    /* The canary's pages are in the record, but the guest did not write them.
     */
    if (nr_dirty >= rounds->canary.nr_pages)
        rounds->nr_written = nr_dirty - rounds->canary.nr_pages;
    rounds->nr_unsent = nr_dirty + nr_left;
    follow_limits(rounds);
    xcx_policy_step(&rounds->policy, &sample, &rounds->decision);
}

static int peek(struct xcx_rounds *rounds, struct xcx_err *err)
{
    uint64_t start_ns = xcx_clock_ns(), end_ns, nr_dirty, nr_left = 0;

    if (!rounds->log || rounds->final || start_ns < rounds->next_peek_ns)
        return 0;
    if (xcx_logdirty_peek(rounds->log, &nr_dirty, err))
        return -1;
    rounds->peeked = true;
    end_ns = xcx_clock_ns();
    rounds->other_ns += end_ns - start_ns;
    rounds->next_peek_ns = end_ns + (end_ns - start_ns) * PEEK_SHARE;
    if (rounds->next_peek_ns < end_ns + PEEK_INTERVAL_NS)
        rounds->next_peek_ns = end_ns + PEEK_INTERVAL_NS;
    if (rounds->nr_total > rounds->nr_handled)
        nr_left = rounds->nr_total - rounds->nr_handled;
    step_policy(rounds, false, nr_dirty, nr_left);
    rounds->cut = rounds->decision.action != XCX_POLICY_CONTINUE;
    return 0;
}

static bool is_written_again(const struct xcx_rounds *rounds, uint64_t pfn)
{
    const struct xcx_bitmap *fresh;

    if (!rounds->peeked)
        return false;
    fresh = xcx_logdirty_bitmap(rounds->log);
    return pfn < fresh->nr_bits && xcx_bitmap_test(fresh, pfn);
}

/* ---- a round ------------------------------------------------------------ */

enum pass {
    PASS_COLD, /* all but the hot ones */
    PASS_ALL,
};

/*
 * The receiver makes a superpage of a range that comes in one record: so while
 * all of memory is sent, a batch that the bandwidth limit calls full goes on
 * to the end of its range.
 */
static bool is_full(const struct xcx_rounds *rounds, uint64_t next_pfn)
{
    if (!rounds->nr_batch || rounds->nr_batch < rounds->max_batch)
        return false;
    return rounds->nr_rounds > 1 || rounds->nr_batch == XCX_PAGE_BATCH_MAX ||
           next_pfn / SUPERPAGE_PFNS !=
               rounds->batch[rounds->nr_batch - 1] / SUPERPAGE_PFNS;
}

static int take_pfn(struct xcx_rounds *rounds, uint64_t pfn,
                    struct xcx_err *err)
{
    if (is_full(rounds, pfn) && (flush(rounds, err) || peek(rounds, err)))
        return -1;
    xcx_bitmap_clear(&rounds->memory->todo, pfn);
    if (is_written_again(rounds, pfn)) {
        rounds->nr_skipped++;
        rounds->nr_handled++;
        return 0;
    }
    rounds->batch[rounds->nr_batch++] = pfn;
    return 0;
}

/* Sends the part of todo from first to end - 1; stops if the round is cut. */
static int send_range(struct xcx_rounds *rounds, enum pass pass, uint64_t first,
                      uint64_t end, struct xcx_err *err)
{
    struct xcx_memory *memory = rounds->memory;
    struct xcx_bitmap range; /* no search may go on to the p2m's far end */
    uint64_t pfn;

    if (end > memory->todo.nr_bits)
        end = memory->todo.nr_bits;
    xcx_bitmap_wrap(&range, memory->todo.words, end);
    pfn = xcx_bitmap_next_set(&range, first);
    while (pfn < end && !rounds->cut) {
        if (pass == PASS_ALL || !xcx_bitmap_test(&memory->hot, pfn))
            if (take_pfn(rounds, pfn, err))
                return -1;
        pfn = xcx_bitmap_next_set(&range, pfn + 1);
    }
    return 0;
}

/*
 * All of todo in one pass. Full of runs, it goes in aligned chunks, so that a
 * receiver can use superpages; sparse, in full batches.
 */
static int send_pass(struct xcx_rounds *rounds, enum pass pass, bool in_chunks,
                     struct xcx_err *err)
{
    uint64_t nr_pfns = rounds->memory->guest->nr_pfns, pfn = 0;

    if (!in_chunks)
        return send_range(rounds, pass, 0, nr_pfns, err) || flush(rounds, err)
                   ? -1
                   : 0;
    while (!rounds->cut) {
        uint64_t end;

        pfn = xcx_bitmap_next_set(&rounds->memory->todo, pfn);
        if (pfn >= nr_pfns)
            break;
        end = (pfn / XCX_CHUNK_PFNS + 1) * XCX_CHUNK_PFNS;
        if (send_range(rounds, pass, pfn, end, err) || flush(rounds, err) ||
            peek(rounds, err))
            return -1;
        pfn = end;
    }
    return 0;
}

/* Finding what there is, and sending it as it is found. */
static int search_and_send(struct xcx_rounds *rounds, struct xcx_err *err)
{
    struct xcx_memory *memory = rounds->memory;

    while (!xcx_memory_is_known(memory) && !rounds->cut) {
        uint64_t first;

        if (xcx_memory_search(memory, &first, err) ||
            send_range(rounds, PASS_ALL, first, first + XCX_CHUNK_PFNS, err) ||
            flush(rounds, err) || peek(rounds, err))
            return -1;
    }
    return 0;
}

static void begin_round(struct xcx_rounds *rounds, uint64_t nr_total)
{
    rounds->nr_rounds++;
    rounds->nr_total = nr_total;
    rounds->nr_handled = 0;
    rounds->nr_skipped = 0;
    rounds->nr_written = 0;
    rounds->other_ns = 0;
    rounds->cut = false;
    rounds->peeked = false;
    rounds->round_bytes = rounds->writer->bytes;
    rounds->next_peek_ns = rounds->round_start_ns + PEEK_INTERVAL_NS;
    rounds->sender->nr_sent = 0;
    rounds->sender->nr_deferred = 0;
    rounds->sender->nr_no_data = 0;
    report_progress(rounds);
}

static void add_round_stats(struct xcx_rounds *rounds)
{
    struct xcx_save_stats *stats = rounds->stats;
    const struct xcx_sender *sender = rounds->sender;
    uint64_t now_ns = xcx_clock_ns();
    struct xcx_round_stats round = {
        .round = rounds->nr_rounds - 1,
        .final = rounds->final,
        .start_ns = rounds->round_start_ns - rounds->start_ns,
        .duration_ns = now_ns - rounds->round_start_ns,
        .nr_pfns_dirty = rounds->nr_total,
        .nr_pfns_sent = sender->nr_sent,
        .nr_pfns_deferred = sender->nr_deferred + rounds->nr_skipped,
        .nr_pfns_no_data = sender->nr_no_data,
        .nr_pfns_written = rounds->nr_written,
        .bytes = rounds->writer->bytes - rounds->round_bytes,
        .predicted_blackout_ns = rounds->decision.predicted_blackout_ns,
    };

    xcx_stats_add_round(stats, &round);
    stats->nr_pfns_p2m = rounds->memory->guest->nr_pfns;
    stats->total_bytes = rounds->writer->bytes;
    stats->total_ns = now_ns - rounds->start_ns;
}

/* All is in the stream; an HVM guest's page that was not there has gone. */
static int drain(struct xcx_rounds *rounds, struct xcx_err *err)
{
    if (xcx_sender_drain(rounds->sender, err))
        return -1;
    if (!rounds->memory->guest->ops->types_change && rounds->sender->nr_no_data)
        xcx_memory_doubt(rounds->memory, true);
    if (!rounds->final && rounds->ops->drain)
        rounds->ops->drain(rounds->ops->opaque);
    /* As xcext.h says of ops->drain, for what is the nearest. */
    return xcx_out_drain(rounds->out, XCX_OUT_LITTLE_BYTES, err);
}

/* How long that takes says something of what suspending will. */
static int count_dirty(struct xcx_rounds *rounds, uint64_t *ret_nr_dirty,
                       struct xcx_err *err)
{
    struct xcx_policy_times *times = &rounds->count_times;

    do {
        uint64_t start_ns = xcx_clock_ns();

        if (xcx_logdirty_count(rounds->memory->guest->hv, ret_nr_dirty, err))
            return -1;
        rounds->costs.suspend_ns = xcx_policy_suspend_guess(
            xcx_policy_note_time(times, xcx_clock_ns() - start_ns));
    } while (xcx_policy_is_worth_a_look(times, rounds->costs.suspend_ns,
                                        &rounds->policy.limits));
    return 0;
}

static int end_round(struct xcx_rounds *rounds, struct xcx_err *err)
{
    uint64_t nr_dirty;

    if (drain(rounds, err))
        return -1;
    report_progress(rounds);
    if (!rounds->final && !rounds->cut) {
        if (count_dirty(rounds, &nr_dirty, err))
            return -1;
        step_policy(rounds, true, nr_dirty,
                    xcx_bitmap_count(&rounds->memory->todo));
    }
    add_round_stats(rounds);
    if (rounds->ops->stats)
        rounds->ops->stats(rounds->ops->opaque, rounds->stats);
    return 0;
}

/* ---- live --------------------------------------------------------------- */

/* The p2m may have grown; then the record has to cover more. */
static int follow_p2m(struct xcx_rounds *rounds, struct xcx_err *err)
{
    struct xcx_guest *guest = rounds->memory->guest;
    struct xcx_logdirty *larger;

    if (guest->ops->refresh(guest, rounds->writer, rounds->final, err) ||
        xcx_memory_grow(rounds->memory, err))
        return -1;
    if (!rounds->log ||
        xcx_logdirty_bitmap(rounds->log)->nr_bits >= guest->nr_pfns)
        return 0;
    if (xcx_logdirty_new(guest->hv, guest->nr_pfns, &larger, err))
        return -1;
    xcx_logdirty_free(rounds->log);
    rounds->log = rounds->canary.log = larger;
    return 0;
}

/* Adds the pages written since the last CLEAN to todo: the next round begins.
 */
static int take_dirty(struct xcx_rounds *rounds, struct xcx_err *err)
{
    uint64_t start_ns, nr_dirty;

    if (follow_p2m(rounds, err) ||
        xcx_memory_follow_balloon(
            rounds->memory,
            rounds->final ? XCX_FOLLOW_SUSPENDED : XCX_FOLLOW_ROUND, err))
        return -1;
    rounds->round_start_ns = start_ns = xcx_clock_ns();
    if (!rounds->log)
        return 0;
    if (xcx_canary_clean(&rounds->canary, rounds->final, &nr_dirty, err))
        return -1;
    rounds->costs.final_scan_ns =
        xcx_policy_note_time(&rounds->scan_times, xcx_clock_ns() - start_ns);
    xcx_memory_take_dirty(rounds->memory, xcx_logdirty_bitmap(rounds->log));
    return 0;
}

static int round_zero(struct xcx_rounds *rounds, struct xcx_err *err)
{
    rounds->round_start_ns = xcx_clock_ns();
    begin_round(rounds, rounds->stats->nr_pfns_guest);
    if (search_and_send(rounds, err) || send_pass(rounds, PASS_ALL, true, err))
        return -1;
    return end_round(rounds, err);
}

static int live_round(struct xcx_rounds *rounds, struct xcx_err *err)
{
    if (take_dirty(rounds, err))
        return -1;
    begin_round(rounds, xcx_bitmap_count(&rounds->memory->todo));
    if (send_pass(rounds, PASS_COLD, false, err) ||
        send_pass(rounds, PASS_ALL, false, err))
        return -1;
    return end_round(rounds, err);
}

int xcx_rounds_live(struct xcx_rounds *rounds, struct xcx_err *err)
{
    bool again;

    if (round_zero(rounds, err))
        return -1;
    for (;;) {
        again = true;
        switch (rounds->decision.action) {
        case XCX_POLICY_STOP_AND_COPY:
            if (xcx_stop_prepare(rounds, &again, err))
                return -1;
            if (!again)
                return 0;
            break;
        case XCX_POLICY_ABORT:
            rounds->stats->stop_reason = rounds->decision.reason;
            xcx_policy_abort_err(&rounds->policy, &rounds->decision, err);
            return xcx_err_prefix(err, "domain %u",
                                  rounds->memory->guest->hv->domid);
        case XCX_POLICY_THROTTLE:
            if (xcx_stop_throttle(rounds, &again, err))
                return -1;
            break;
        case XCX_POLICY_CONTINUE:
            break;
        }
        if (again && live_round(rounds, err))
            return -1;
    }
}

/* ---- with the guest suspended ------------------------------------------- */

/* Once more, if the search or the sending has shown that pages may lack. */
static int send_missing(struct xcx_rounds *rounds, bool was_known,
                        struct xcx_err *err)
{
    if (drain(rounds, err))
        return -1;
    if (!rounds->log || (was_known && !rounds->memory->is_in_doubt))
        return 0;
    return xcx_memory_follow_balloon(rounds->memory, XCX_FOLLOW_SUSPENDED,
                                     err) ||
                   send_pass(rounds, PASS_ALL, false, err)
               ? -1
               : 0;
}

int xcx_rounds_final(struct xcx_rounds *rounds, struct xcx_err *err)
{
    struct xcx_memory *memory = rounds->memory;
    uint64_t scan_ns = xcx_clock_ns(), copy_ns;
    bool in_chunks = !rounds->log, was_known = xcx_memory_is_known(memory);

    rounds->final = rounds->sender->final = true;
    if (take_dirty(rounds, err))
        return -1;
    copy_ns = xcx_clock_ns();
    rounds->stats->final_scan_ns = copy_ns - scan_ns;
    begin_round(rounds, was_known ? xcx_bitmap_count(&memory->todo)
                                  : rounds->stats->nr_pfns_guest);
    if (search_and_send(rounds, err) ||
        send_pass(rounds, PASS_ALL, in_chunks, err) ||
        send_missing(rounds, was_known, err) || end_round(rounds, err))
        return -1;
    rounds->stats->final_copy_ns = xcx_clock_ns() - copy_ns;
    return 0;
}

int xcx_rounds_verify(struct xcx_rounds *rounds, struct xcx_err *err)
{
    struct xcx_memory *memory = rounds->memory;

    if (xcx_writer_record(rounds->writer, XCX_REC_VERIFY, NULL, 0, err))
        return -1;
    xcx_bitmap_or(&memory->todo, &memory->populated);
    rounds->round_start_ns = xcx_clock_ns();
    begin_round(rounds, xcx_bitmap_count(&memory->todo));
    if (send_pass(rounds, PASS_ALL, true, err))
        return -1;
    return end_round(rounds, err);
}
