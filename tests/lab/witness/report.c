/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include "clock.h"

/* The longest stalls since the last mark that there is room for. */
#define MARK_TOP 1

static void write_finding(struct json *json,
                          const struct workset_finding *finding)
{
    const struct page_finding *page = &finding->page;

    json_object(json, NULL);
    json_u64(json, "page", page->number);
    json_string(json, "kind", page_kind_name(page->kind));
    json_u64(json, "expected_seq", page->expected_seq);
    json_u64(json, "found_page", page->found_number);
    json_u64(json, "found_seq", page->found_seq);
    json_u64(json, "bad_words", page->nr_bad_words);
    json_u64(json, "bad_byte", page->bad_byte);
    json_ms(json, "at_real_ms", finding->at_real_ns);
    json_object_end(json);
}

static void write_memory(struct json *json, const struct report_view *view)
{
    json_object(json, "memory");
    json_u64(json, "resident_pages", view->workload.resident_pages);
    json_u64(json, "dirtied_pages", view->counts.dirtied_pages);
    json_u64(json, "verified_pages", view->counts.verified_pages);
    json_u64(json, "sweeps", view->workload.sweeps);
    json_u64(json, "errors", view->counts.errors);
    for (unsigned kind = PAGE_GOOD + 1; kind < PAGE_NR_KINDS; kind++)
        json_u64(json, page_kind_name((enum page_kind)kind),
                 view->counts.by_kind[kind]);
    json_array(json, "findings");
    for (unsigned i = 0; i < view->nr_findings; i++)
        write_finding(json, &view->findings[i]);
    json_array_end(json);
    json_object_end(json);
}

static void write_stall(struct json *json, const struct stall *stall,
                        int64_t began_ns)
{
    json_object(json, NULL);
    json_ms(json, "ms", stall_length_ns(stall));
    json_ms(json, "mono_ms", stall->gap.mono_ns);
    json_ms(json, "real_ms", stall->gap.real_ns);
    json_ms(json, "at_ms", stall->at.mono_ns - began_ns);
    json_ms(json, "at_real_ms", stall->at.real_ns);
    json_object_end(json);
}

static void write_stall_set(struct json *json, const char *key,
                            const struct stall_set *set, unsigned nr_top,
                            int64_t began_ns)
{
    json_object(json, key);
    json_u64(json, "ticks", set->nr_ticks);
    json_array(json, "histogram");
    for (unsigned b = 0; b < STALL_NR_BUCKETS; b++)
        json_u64(json, NULL, set->buckets[b]);
    json_array_end(json);
    json_array(json, "top");
    for (unsigned i = 0; i < set->nr_top && i < nr_top; i++)
        write_stall(json, &set->top[i], began_ns);
    json_array_end(json);
    json_object_end(json);
}

static uint64_t per_s(uint64_t count, int64_t span_ns)
{
    return span_ns > 0
               ? (uint64_t)((double)count * (double)NS_PER_S / (double)span_ns)
               : 0;
}

void report_write_phase(struct json *json, const char *key,
                        const struct report_phase *phase, int64_t began_ns)
{
    const struct workset_counts *within = &phase->within;
    int64_t took_ns = phase->took.mono_ns;

    json_object(json, key);
    json_string(json, "name", phase->name);
    json_ms(json, "at_ms", phase->began.mono_ns - began_ns);
    json_ms(json, "took_ms", took_ns);
    json_ms(json, "took_real_ms", phase->took.real_ns);
    json_u64(json, "dirtied_pages", within->dirtied_pages);
    json_u64(json, "dirtied_pages_per_s",
             per_s(within->dirtied_pages, took_ns));
    json_u64(json, "dirtied_bytes_per_s",
             per_s(within->dirtied_pages * PAGE_BYTES, took_ns));
    json_u64(json, "verified_pages", within->verified_pages);
    json_u64(json, "errors", within->errors);
    json_ms(json, "longest_stall_ms", stall_length_ns(&phase->longest));
    json_ms(json, "longest_stall_mono_ms", phase->longest.gap.mono_ns);
    json_ms(json, "longest_stall_real_ms", phase->longest.gap.real_ns);
    json_object_end(json);
}

void report_phase_update(struct report_phase *phase,
                         const struct stall_times *now,
                         const struct workset_counts *counts,
                         const struct stall_set *stalls)
{
    const struct workset_counts *before = &phase->at_begin;
    struct workset_counts *within = &phase->within;

    phase->took.mono_ns = now->mono_ns - phase->began.mono_ns;
    phase->took.real_ns = now->real_ns - phase->began.real_ns;
    within->dirtied_pages = counts->dirtied_pages - before->dirtied_pages;
    within->verified_pages = counts->verified_pages - before->verified_pages;
    within->errors = counts->errors - before->errors;
    if (stalls->nr_top)
        phase->longest = stalls->top[0];
}

static void write_disk(struct json *json, const struct report_view *view)
{
    const struct disk_counts *disk = &view->disk;

    json_object(json, "disk");
    json_bool(json, "direct", view->disk_direct);
    json_u64(json, "written_blocks", disk->written);
    json_u64(json, "read_blocks", disk->read);
    json_u64(json, "wrong_blocks", disk->wrong);
    json_u64(json, "io_errors", disk->io_errors);
    json_ms(json, "longest_io_ms", disk->longest_io_ns);
    if (disk->last_wrong.kind != PAGE_GOOD) {
        json_object(json, "last_wrong");
        json_u64(json, "block", disk->last_wrong.number - PAGE_NUMBER_DISK);
        json_string(json, "kind", page_kind_name(disk->last_wrong.kind));
        json_object_end(json);
    }
    json_object_end(json);
}

static void write_net(struct json *json, const struct net_counts *net)
{
    const struct nettrack_counts *track = &net->track;

    json_object(json, "net");
    json_u64(json, "sent", track->sent);
    json_u64(json, "replies", track->replies);
    json_u64(json, "lost", track->lost);
    json_u64(json, "late", track->late);
    json_u64(json, "duplicated", track->duplicated);
    json_u64(json, "corrupted", track->corrupted);
    json_u64(json, "unknown", track->unknown);
    json_u64(json, "socket_errors", net->socket_errors);
    json_ms(json, "longest_gap_ms", track->longest_gap_ns);
    json_ms(json, "longest_gap_real_ms", track->longest_gap_real_ns);
    json_ms(json, "longest_gap_peer_ms", track->longest_gap_peer_ns);
    json_ms(json, "longest_rtt_ms", track->longest_rtt_ns);
    json_object_end(json);
}

static void write_stream(struct json *json, const struct stream_counts *stream)
{
    json_object(json, "stream");
    json_bool(json, "connected", stream->connected);
    json_bool(json, "broken", stream->broken);
    json_u64(json, "sent_bytes", stream->sent_bytes);
    json_u64(json, "received_bytes", stream->received_bytes);
    json_u64(json, "wrong_bytes", stream->wrong_bytes);
    json_object_end(json);
}

static void write_balloon(struct json *json, const struct report_view *view)
{
    json_object(json, "balloon");
    json_bool(json, "driver", view->workload.balloon_works);
    json_u64(json, "cycles", view->workload.balloon_cycles);
    json_u64(json, "late", view->workload.balloon_late);
    json_object_end(json);
}

static bool is_clean(const struct report_view *view)
{
    return view->counts.errors == 0 &&
           (!view->has_disk || view->disk.wrong == 0) &&
           (!view->has_net || view->net.track.corrupted == 0) &&
           (!view->has_stream || view->stream.wrong_bytes == 0);
}

void report_write(struct json *json, const struct report_view *view)
{
    int64_t began_ns = view->began.mono_ns;

    json_bool(json, "clean", is_clean(view));
    json_string(json, "workload", spec_pattern_name(view->spec->pattern));
    json_u64(json, "size_bytes", view->spec->size_bytes);
    json_u64(json, "rate_bytes_per_s", view->workload.rate_bytes_per_s);
    json_ms(json, "uptime_ms", view->now.mono_ns - began_ns);
    json_ms(json, "at_real_ms", view->now.real_ns);
    json_bool(json, "locked", view->locked);
    json_bool(json, "realtime", view->realtime);
    write_memory(json, view);
    write_stall_set(json, "stall", &view->since_start, STALL_TOP, began_ns);
    write_stall_set(json, "mark_stall", &view->since_mark, MARK_TOP, began_ns);
    json_array(json, "phases");
    for (unsigned i = 0; i < view->nr_phases; i++)
        report_write_phase(json, NULL, &view->phases[i], began_ns);
    json_array_end(json);
    if (view->spec->pattern == SPEC_BALLOON)
        write_balloon(json, view);
    if (view->has_disk)
        write_disk(json, view);
    if (view->has_net)
        write_net(json, &view->net);
    if (view->has_stream)
        write_stream(json, &view->stream);
}
