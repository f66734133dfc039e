/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report: what the witness saw, as one JSON object below JSON_BYTES.
 *
 * Names say their units: _ms (three decimals), _bytes, _pages (4 KiB each),
 * _per_s. *_real_ms is by CLOCK_REALTIME, other times by
 * CLOCK_MONOTONIC; at_* is a moment, the rest are spans. Counts run
 * from the start of the witness unless they are inside a phase.
 *
 *   "for"       the command, and "tag" if the command had one
 *   "clean"     nothing was wrong: memory.errors, disk.wrong_blocks,
 *               net.corrupted and stream.wrong_bytes are all 0 (I/O errors,
 *               lost datagrams and a broken stream are not corruption: judge
 *               them by their own counts)
 *   "workload"  the pattern; "size_bytes", "rate_bytes_per_s": as it is now
 *   "uptime_ms" since the start; "at_real_ms": wall clock, since 1970
 *   "locked"    the working set is locked in memory
 *   "realtime"  the tick thread has real-time priority
 *   "memory"    "resident_pages"  stamped now (less than all: ballooned out)
 *               "dirtied_pages", "verified_pages", "sweeps" (whole passes of
 *               the background sweep), "errors", and for each kind of error
 *               its count: "zero" "misplaced" "stale" "ahead" "torn"
 *               "corrupt" "table" (page.h says what each means)
 *               "findings": the first two: "page", "kind", "expected_seq",
 *               "found_page", "found_seq", "bad_words" (of 8 bytes),
 *               "bad_byte" (offset of the first), "at_real_ms"
 *   "stall"     since the start; "mark_stall": since the last mark. Each:
 *               "ticks", "histogram" (counts of gaps below 2, 5, 10, 20, 50,
 *               100, 200, 500, 1000, 5000 ms, and longer), and "top", the
 *               4 longest, the longest first (since the mark that one alone):
 *               "ms" (the longer of the next two), "mono_ms", "real_ms",
 *               "at_ms" (since the start), "at_real_ms" (wall clock)
 *   "phases"    the last REPORT_PHASES, oldest first, the present one last:
 *               "name", "at_ms", "took_ms", "took_real_ms", "dirtied_pages",
 *               "dirtied_pages_per_s", "dirtied_bytes_per_s" (by took_ms),
 *               "verified_pages", "errors", "longest_stall_ms" and its
 *               "longest_stall_mono_ms" and "longest_stall_real_ms"
 *   "balloon"   (pattern balloon) "driver": there is one; "cycles": times
 *               out and in again; "late": periods in which memory did not
 *               come back in time
 *   "disk"      (--disk) "direct": past the page cache, "written_blocks",
 *               "read_blocks", "wrong_blocks", "io_errors", "longest_io_ms",
 *               "last_wrong": "block", "kind"
 *   "net"       (--peer) "sent", "replies", "lost" (no reply in 2 s), "late",
 *               "duplicated", "corrupted", "unknown", "socket_errors",
 *               the longest gap between two replies:
 *               "longest_gap_ms", "longest_gap_real_ms" and, by the clock of
 *               the peer, which was not moved, "longest_gap_peer_ms"; and
 *               "longest_rtt_ms"
 *   "stream"    (--peer) "connected": it was, once; "broken": and ended then;
 *               "sent_bytes", "received_bytes", "wrong_bytes" (of those)
 *
 * Pure: the view is gathered by control.c.
 */
#ifndef WITNESS_REPORT_H
#define WITNESS_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "json.h"
#include "net.h"
#include "stall.h"
#include "stream.h"
#include "workload.h"
#include "workset.h"

#define REPORT_PHASES     4
#define REPORT_NAME_BYTES 25 /* of a phase, with its NUL */

struct report_phase {
    char name[REPORT_NAME_BYTES];
    struct stall_times began;
    struct stall_times took;
    struct workset_counts at_begin;
    struct workset_counts within; /* at_begin taken off */
    struct stall longest;
};

struct report_view {
    const struct spec *spec;
    struct stall_times began, now;
    bool locked, realtime;
    struct workload_status workload;
    struct workset_counts counts;
    unsigned nr_findings;
    struct workset_finding findings[WORKSET_FINDINGS];
    struct stall_set since_start, since_mark;
    unsigned nr_phases;
    struct report_phase phases[REPORT_PHASES];
    bool has_disk, disk_direct;
    struct disk_counts disk;
    bool has_net;
    struct net_counts net;
    bool has_stream;
    struct stream_counts stream;
};

/* Adds the members above, "for" and "tag" excepted, to an open object. */
void report_write(struct json *json, const struct report_view *view);

/* The phase's "took" and "within", from what is counted by now. */
void report_phase_update(struct report_phase *phase,
                         const struct stall_times *now,
                         const struct workset_counts *counts,
                         const struct stall_set *stalls);

/* One phase as an object. */
void report_write_phase(struct json *json, const char *key,
                        const struct report_phase *phase, int64_t began_ns);

#endif
