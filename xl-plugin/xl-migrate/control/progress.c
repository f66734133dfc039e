/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "progress.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_MS      UINT64_C(1000000)
#define NS_PER_S       UINT64_C(1000000000)
#define PAGE_BYTES     4096
#define TERMINAL_NS    (200 * NS_PER_MS)
#define PLAIN_NS       (5 * NS_PER_S)
#define RATE_NS        NS_PER_S
#define DIRTY_RATE_NS  NS_PER_S
#define CLEAR_TO_END   "\033[K"
#define TERMINAL_WIDTH 79

void progress_init(struct progress *progress, FILE *out, const char *prefix,
                   bool is_terminal, bool quiet, uint64_t now_ns)
{
    *progress = (struct progress){
        .out = out,
        .prefix = prefix,
        .is_terminal = is_terminal,
        .quiet = quiet,
        .start_ns = now_ns,
    };
    status_init(&progress->status);
}

static void show(struct progress *progress, uint64_t now_ns)
{
    char line[STATUS_LINE_BYTES];

    progress->status.elapsed_ms = (now_ns - progress->start_ns) / NS_PER_MS;
    progress->shown_ns = now_ns;
    if (progress->quiet)
        return;
    status_line(&progress->status, line);
    if (progress->is_terminal) {
        fprintf(progress->out, "\r%.*s" CLEAR_TO_END, TERMINAL_WIDTH, line);
        progress->line_is_open = true;
    } else {
        fprintf(progress->out, "%s%s\n", progress->prefix, line);
    }
    fflush(progress->out);
}

void progress_phase(struct progress *progress, const char *phase,
                    uint64_t now_ns)
{
    struct status *status = &progress->status;

    snprintf(status->phase, sizeof(status->phase), "%s", phase);
    status->what[0] = 0;
    status->done_pages = status->total_pages = STATUS_UNKNOWN;
    status->send_bytes_per_s = status->left_ms = STATUS_UNKNOWN;
    show(progress, now_ns);
}

/* Over about a second, and anew in each round. */
static void measure(struct progress *progress, uint64_t now_ns)
{
    struct status *status = &progress->status;
    uint64_t since_ns = now_ns - progress->rate_ns;

    if (status->done_pages < progress->rate_pages || !progress->rate_ns) {
        progress->rate_pages = status->done_pages;
        progress->rate_ns = now_ns;
    } else if (since_ns >= RATE_NS) {
        status->send_bytes_per_s =
            (uint64_t)((double)(status->done_pages - progress->rate_pages) *
                       PAGE_BYTES * NS_PER_S / (double)since_ns);
        progress->rate_pages = status->done_pages;
        progress->rate_ns = now_ns;
    }
    status->left_ms = STATUS_UNKNOWN;
    if (status->send_bytes_per_s != STATUS_UNKNOWN &&
        status->send_bytes_per_s && status->total_pages >= status->done_pages)
        status->left_ms = (status->total_pages - status->done_pages) *
                          PAGE_BYTES * 1000 / status->send_bytes_per_s;
}

void progress_pages(struct progress *progress, const char *what, uint64_t done,
                    uint64_t total, uint64_t now_ns)
{
    struct status *status = &progress->status;
    uint64_t interval_ns = progress->is_terminal ? TERMINAL_NS : PLAIN_NS;

    if (strcmp(status->what, what) != 0) {
        snprintf(status->what, sizeof(status->what), "%s", what);
        progress->rate_ns = 0;
    }
    status->done_pages = done;
    status->total_pages = total;
    measure(progress, now_ns);
    status->elapsed_ms = (now_ns - progress->start_ns) / NS_PER_MS;
    if (now_ns - progress->shown_ns >= interval_ns)
        show(progress, now_ns);
}

/*
 * The newest live rounds that together took a second or more, or all of them:
 * a round of a few milliseconds says nothing, and the final one counts what
 * suspending itself writes.
 */
static uint64_t dirty_rate(const struct xcx_save_stats *stats)
{
    uint64_t nr_pfns = 0, ns = 0;

    for (unsigned i = stats->nr_rounds; i-- > 0 && ns < DIRTY_RATE_NS;) {
        if (stats->round[i].final)
            continue;
        nr_pfns += stats->round[i].nr_pfns_written;
        ns += stats->round[i].duration_ns;
    }
    if (ns == 0)
        return STATUS_UNKNOWN;
    return (uint64_t)((double)nr_pfns * PAGE_BYTES * NS_PER_S / (double)ns);
}

void progress_stats(struct progress *progress,
                    const struct xcx_save_stats *stats)
{
    struct status *status = &progress->status;
    const struct xcx_round_stats *last;

    status->sent_bytes = stats->total_bytes;
    status->throttle_percent = stats->throttle_percent_min;
    if (!stats->nr_rounds)
        return;
    last = &stats->round[stats->nr_rounds - 1];
    if (last->predicted_blackout_ns &&
        last->predicted_blackout_ns != UINT64_MAX)
        status->downtime_ms = last->predicted_blackout_ns / NS_PER_MS;
    status->dirty_bytes_per_s = dirty_rate(stats);
}

void progress_end(struct progress *progress)
{
    if (progress->line_is_open) {
        fputc('\n', progress->out);
        fflush(progress->out);
    }
    progress->line_is_open = false;
}

void progress_say(struct progress *progress, const char *line)
{
    if (progress->line_is_open)
        fprintf(progress->out, "\r" CLEAR_TO_END);
    progress->line_is_open = false;
    fprintf(progress->out, "%s%s\n", progress->prefix, line);
    fflush(progress->out);
}
