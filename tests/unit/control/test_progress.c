/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a user sees of a send: on a terminal, in a file, or quiet. */
#include "xl-migrate/control/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MS           UINT64_C(1000000)
#define START        (5000 * MS)
#define PAGES_A_MIB  256
#define CLEAR_TO_END "\033[K"

struct screen {
    struct progress progress;
    char *text;
    size_t nr_bytes;
    size_t seen_bytes;
};

static void begin(struct screen *screen, bool is_terminal, bool quiet)
{
    FILE *out;

    memset(screen, 0, sizeof(*screen));
    out = open_memstream(&screen->text, &screen->nr_bytes);
    assert_non_null(out);
    progress_init(&screen->progress, out, "send: ", is_terminal, quiet, START);
}

/* What was printed since it was asked last. */
static void expect(struct screen *screen, const char *text)
{
    fflush(screen->progress.out);
    assert_string_equal(screen->text + screen->seen_bytes, text);
    screen->seen_bytes = screen->nr_bytes;
}

static void end(struct screen *screen)
{
    fclose(screen->progress.out);
    free(screen->text);
}

/* That many milliseconds after the start, so many MiB of 100. */
static void pages(struct screen *screen, const char *what, unsigned ms,
                  unsigned mib)
{
    progress_pages(&screen->progress, what, mib * PAGES_A_MIB,
                   100 * PAGES_A_MIB, START + ms * MS);
}

static void a_phase_is_shown_at_once(void **state)
{
    struct screen screen;

    (void)state;
    begin(&screen, false, false);
    progress_phase(&screen.progress, "connecting", START + 250 * MS);
    expect(&screen, "send: connecting, 0 s so far\n");
    progress_phase(&screen.progress, "copying memory", START + 260 * MS);
    expect(&screen, "send: copying memory, 0 s so far\n");
    end(&screen);
}

static void a_file_gets_a_line_every_five_seconds(void **state)
{
    struct screen screen;

    (void)state;
    begin(&screen, false, false);
    progress_phase(&screen.progress, "copying memory", START);
    expect(&screen, "send: copying memory, 0 s so far\n");
    for (unsigned ms = 0; ms < 5000; ms += 100)
        pages(&screen, "Round 0", ms, ms / 100);
    expect(&screen, "");
    pages(&screen, "Round 0", 5000, 50);
    expect(&screen, "send: copying memory, Round 0, 50 % of 25600 pages, 10.0 "
                    "MiB/s, 5 s so far, about 5 s left\n");
    pages(&screen, "Round 0", 5100, 51);
    expect(&screen, "");
    end(&screen);
}

static void a_terminal_has_one_line(void **state)
{
    struct screen screen;

    (void)state;
    begin(&screen, true, false);
    progress_phase(&screen.progress, "connecting", START);
    expect(&screen, "\rconnecting, 0 s so far" CLEAR_TO_END);
    pages(&screen, "Round 0", 199, 1);
    expect(&screen, "");
    pages(&screen, "Round 0", 200, 2);
    expect(
        &screen,
        "\rconnecting, Round 0, 2 % of 25600 pages, 0 s so far" CLEAR_TO_END);
    progress_say(&screen.progress, "host2: hello");
    expect(&screen, "\r" CLEAR_TO_END "send: host2: hello\n");
    progress_say(&screen.progress, "and again");
    expect(&screen, "send: and again\n");
    pages(&screen, "Round 0", 400, 4);
    expect(
        &screen,
        "\rconnecting, Round 0, 4 % of 25600 pages, 0 s so far" CLEAR_TO_END);
    progress_end(&screen.progress);
    progress_end(&screen.progress);
    expect(&screen, "\n");
    end(&screen);
}

static void a_terminal_s_line_does_not_wrap(void **state)
{
    struct screen screen;
    const char *line;

    (void)state;
    begin(&screen, true, false);
    screen.progress.status.downtime_ms = 123;
    screen.progress.status.dirty_bytes_per_s = 50 << 20;
    screen.progress.status.throttle_percent = 70;
    progress_phase(&screen.progress, "a phase of which much is to be told",
                   START);
    fflush(screen.progress.out);
    line = screen.text + 1;
    assert_int_equal(strstr(line, CLEAR_TO_END) - line, 79);
    end(&screen);
}

static void quiet_is_quiet_but_for_what_is_said(void **state)
{
    struct screen screen;

    (void)state;
    begin(&screen, true, true);
    progress_phase(&screen.progress, "copying memory", START);
    pages(&screen, "Round 0", 6000, 50);
    progress_end(&screen.progress);
    expect(&screen, "");
    progress_say(&screen.progress, "the disk is full");
    expect(&screen, "send: the disk is full\n");
    /* `xl-migrate status` is told all the same. */
    assert_string_equal(screen.progress.status.what, "Round 0");
    assert_int_equal(screen.progress.status.elapsed_ms, 6000);
    assert_int_equal(screen.progress.status.done_pages, 50 * PAGES_A_MIB);
    end(&screen);
}

static void the_rate_is_that_of_the_last_second(void **state)
{
    struct screen screen;
    const struct status *status = &screen.progress.status;

    (void)state;
    begin(&screen, false, true);
    progress_phase(&screen.progress, "copying memory", START);
    pages(&screen, "Round 0", 0, 0);
    pages(&screen, "Round 0", 500, 5);
    assert_true(status->send_bytes_per_s == STATUS_UNKNOWN);
    assert_true(status->left_ms == STATUS_UNKNOWN);
    pages(&screen, "Round 0", 1000, 10);
    assert_int_equal(status->send_bytes_per_s, 10 << 20);
    assert_int_equal(status->left_ms, 9000);
    pages(&screen, "Round 0", 2000, 40);
    assert_int_equal(status->send_bytes_per_s, 30 << 20);
    assert_int_equal(status->left_ms, 2000);
    end(&screen);
}

static void each_round_is_measured_anew(void **state)
{
    struct screen screen;
    const struct status *status = &screen.progress.status;

    (void)state;
    begin(&screen, false, true);
    progress_phase(&screen.progress, "copying memory", START);
    pages(&screen, "Round 0", 0, 0);
    pages(&screen, "Round 0", 1000, 10);
    pages(&screen, "Round 1", 1100, 50);
    assert_int_equal(status->send_bytes_per_s, 10 << 20);
    pages(&screen, "Round 1", 2100, 70);
    assert_int_equal(status->send_bytes_per_s, 20 << 20);
    /* The same words, but it began anew. */
    pages(&screen, "Round 1", 2200, 1);
    pages(&screen, "Round 1", 3200, 6);
    assert_int_equal(status->send_bytes_per_s, 5 << 20);
    /* Another phase: what was measured is no longer true. */
    progress_phase(&screen.progress, "handing over", START + 3300 * MS);
    assert_true(status->send_bytes_per_s == STATUS_UNKNOWN);
    assert_true(status->done_pages == STATUS_UNKNOWN);
    assert_string_equal(status->what, "");
    end(&screen);
}

static void nothing_sent_has_no_end(void **state)
{
    struct screen screen;

    (void)state;
    begin(&screen, false, true);
    pages(&screen, "Round 0", 0, 7);
    pages(&screen, "Round 0", 1000, 7);
    assert_int_equal(screen.progress.status.send_bytes_per_s, 0);
    assert_true(screen.progress.status.left_ms == STATUS_UNKNOWN);
    end(&screen);
}

static void a_round_s_end_tells_dirty_rate_and_downtime(void **state)
{
    struct xcx_save_stats stats = {.total_bytes = 1000,
                                   .throttle_percent_min = 60};
    struct screen screen;
    const struct status *status = &screen.progress.status;

    (void)state;
    begin(&screen, false, true);
    progress_stats(&screen.progress, &stats);
    assert_int_equal(status->sent_bytes, 1000);
    assert_int_equal(status->throttle_percent, 60);
    assert_true(status->dirty_bytes_per_s == STATUS_UNKNOWN);

    stats.nr_rounds = 1;
    stats.round[0].duration_ns = 2000 * MS;
    stats.round[0].nr_pfns_written = 10 * PAGES_A_MIB;
    stats.round[0].predicted_blackout_ns = UINT64_MAX;
    progress_stats(&screen.progress, &stats);
    assert_true(status->downtime_ms == STATUS_UNKNOWN);
    assert_int_equal(status->dirty_bytes_per_s, 5 << 20);

    stats.nr_rounds = 2;
    stats.round[1].duration_ns = 1000 * MS;
    stats.round[1].nr_pfns_dirty = 10 * PAGES_A_MIB;
    stats.round[1].nr_pfns_written = PAGES_A_MIB;
    stats.round[1].predicted_blackout_ns = 120 * MS;
    progress_stats(&screen.progress, &stats);
    assert_int_equal(status->downtime_ms, 120);
    assert_int_equal(status->dirty_bytes_per_s, 1 << 20);
    end(&screen);
}

/*
 * As seen on real Xen: 0.5 MiB/s was shown as 14 to 159 MiB/s, since what
 * suspending wrote was divided by the duration of a live round of few pages.
 */
static void
neither_short_rounds_nor_the_final_one_change_the_dirty_rate(void **state)
{
    struct xcx_save_stats stats = {
        .nr_rounds = 4,
        .round = {{.duration_ns = 4000 * MS,
                   .nr_pfns_written = 2 * PAGES_A_MIB},
                  {.round = 1,
                   .duration_ns = 5 * MS,
                   .nr_pfns_dirty = 2 * PAGES_A_MIB,
                   .nr_pfns_written = 40},
                  {.round = 2,
                   .duration_ns = 5 * MS,
                   .nr_pfns_dirty = 40,
                   .nr_pfns_written = 40},
                  {.round = 3,
                   .final = true,
                   .duration_ns = 20 * MS,
                   .nr_pfns_dirty = 300}},
    };
    struct screen screen;

    (void)state;
    begin(&screen, false, true);
    for (unsigned i = 2; i <= 4; i++) {
        stats.nr_rounds = i;
        progress_stats(&screen.progress, &stats);
        assert_in_range(screen.progress.status.dirty_bytes_per_s, 1 << 19,
                        (1 << 20) * 6 / 10);
    }
    end(&screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_phase_is_shown_at_once),
        cmocka_unit_test(a_file_gets_a_line_every_five_seconds),
        cmocka_unit_test(a_terminal_has_one_line),
        cmocka_unit_test(a_terminal_s_line_does_not_wrap),
        cmocka_unit_test(quiet_is_quiet_but_for_what_is_said),
        cmocka_unit_test(the_rate_is_that_of_the_last_second),
        cmocka_unit_test(each_round_is_measured_anew),
        cmocka_unit_test(nothing_sent_has_no_end),
        cmocka_unit_test(a_round_s_end_tells_dirty_rate_and_downtime),
        cmocka_unit_test(
            neither_short_rounds_nor_the_final_one_change_the_dirty_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
