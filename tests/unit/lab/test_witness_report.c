/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab/witness/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <yajl/yajl_tree.h>

#include "lab/witness/clock.h"
#include "lab/witness/line.h"

static struct stall_times at_ms(int64_t mono_ms, int64_t real_ms)
{
    return (struct stall_times){mono_ms * NS_PER_MS, real_ms * NS_PER_MS};
}

static void note_gap(struct stall_set *set, int64_t mono_ms, int64_t real_ms)
{
    const struct stall_times last = at_ms(50, 1000);
    const struct stall_times now = at_ms(50 + mono_ms, 1000 + real_ms);

    stall_note(set, &last, &now);
}

static void stalls_are_sorted_and_cut(void **state)
{
    static const int64_t gaps_ms[] = {3, 1, 700, 20, 9000, 4, 1, 700, 55};
    static const int64_t want_ms[] = {9000, 700, 700, 55};
    struct stall_set set = {0};

    (void)state;
    assert_int_equal(stall_longest_ns(&set), 0);
    for (size_t i = 0; i < sizeof(gaps_ms) / sizeof(gaps_ms[0]); i++)
        note_gap(&set, gaps_ms[i], gaps_ms[i]);
    assert_int_equal(set.nr_top, STALL_TOP);
    for (unsigned i = 0; i < STALL_TOP; i++)
        assert_int_equal(stall_length_ns(&set.top[i]), want_ms[i] * NS_PER_MS);
    assert_int_equal(stall_longest_ns(&set), 9000 * NS_PER_MS);
    assert_int_equal(set.top[0].at.mono_ns, 50 * NS_PER_MS);
    assert_int_equal(set.nr_ticks, 9);
}

static void histogram_has_its_edges(void **state)
{
    static const struct {
        int64_t gap_ms;
        unsigned bucket;
    } cases[] = {{0, 0},   {1, 0},   {2, 1},    {4, 1},    {5, 2},
                 {499, 7}, {500, 8}, {4999, 9}, {5000, 10}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stall_set set = {0};

        note_gap(&set, cases[i].gap_ms, cases[i].gap_ms);
        assert_int_equal(set.buckets[cases[i].bucket], 1);
    }
}

/* A moved guest: MONOTONIC saw 2 ms, the wall clock the whole blackout. */
static void blackout_shows_by_the_wall_clock(void **state)
{
    struct stall_set set = {0};

    (void)state;
    note_gap(&set, 2, 350);
    note_gap(&set, 100, -500);
    assert_int_equal(stall_length_ns(&set.top[0]), 350 * NS_PER_MS);
    assert_int_equal(set.top[0].gap.mono_ns, 2 * NS_PER_MS);
    assert_int_equal(stall_length_ns(&set.top[1]), 100 * NS_PER_MS);
}

static void datagrams_are_accounted_for(void **state)
{
    static struct nettrack track;
    struct nettrack_counts *counts = &track.counts;
    uint64_t sent[10][NETTRACK_WORDS];
    int64_t now_ns = 5 * NS_PER_S;

    (void)state;
    nettrack_init(&track, 42);
    for (unsigned i = 0; i < 10; i++)
        nettrack_send(&track, now_ns + i * NS_PER_MS, sent[i]);
    nettrack_unsend(&track);
    assert_int_equal(counts->sent, 9);

    for (unsigned i = 0; i < 3; i++) {
        assert_true(nettrack_is_whole(sent[i], NETTRACK_BYTES));
        nettrack_answer(sent[i], NS_PER_S + 350 * i * i * NS_PER_MS);
        nettrack_receive(&track, now_ns + (20 + 100 * i) * NS_PER_MS,
                         now_ns + (20 + 300 * i) * NS_PER_MS, sent[i],
                         NETTRACK_BYTES);
    }
    assert_int_equal(counts->replies, 3);
    assert_int_equal(counts->longest_gap_ns, 100 * NS_PER_MS);
    assert_int_equal(counts->longest_gap_real_ns, 300 * NS_PER_MS);
    assert_int_equal(counts->longest_gap_peer_ns, 1050 * NS_PER_MS);
    assert_int_equal(counts->longest_rtt_ns, 218 * NS_PER_MS);

    nettrack_receive(&track, now_ns, now_ns, sent[1], NETTRACK_BYTES);
    assert_int_equal(counts->duplicated, 1);
    nettrack_receive(&track, now_ns, now_ns, sent[9], NETTRACK_BYTES);
    assert_int_equal(counts->unknown, 1);
    nettrack_receive(&track, now_ns, now_ns, sent[3], NETTRACK_BYTES - 1);
    sent[3][20] ^= 8;
    nettrack_receive(&track, now_ns, now_ns, sent[3], NETTRACK_BYTES);
    assert_int_equal(counts->corrupted, 2);

    nettrack_judge(&track, now_ns + NETTRACK_LOST_NS);
    assert_int_equal(counts->lost, 0);
    nettrack_judge(&track, now_ns + NETTRACK_LOST_NS + 100 * NS_PER_MS);
    assert_int_equal(counts->lost, 6);
    nettrack_receive(&track, now_ns, now_ns, sent[5], NETTRACK_BYTES);
    assert_int_equal(counts->lost, 5);
    assert_int_equal(counts->late, 1);
    assert_int_equal(counts->replies, 4);
}

static void what_the_ring_forgets_is_lost(void **state)
{
    static struct nettrack track;
    uint64_t words[NETTRACK_WORDS];

    (void)state;
    nettrack_init(&track, 42);
    for (unsigned i = 0; i < NETTRACK_RING + 5; i++)
        nettrack_send(&track, 1, words);
    assert_int_equal(track.counts.lost, 5);
    nettrack_judge(&track, 2 + NETTRACK_LOST_NS);
    assert_int_equal(track.counts.lost, NETTRACK_RING + 5);
}

static void addresses(void **state)
{
    static const char *const bad[] = {
        "",   "192.0.2.1",   "192.0.2.1:",
        ":7", "localhost:7", "192.0.2.1.2222222222:7"};
    struct sockaddr_in address;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(net_parse_address("192.0.2.1:7777", &address, &err), 0);
    assert_int_equal(address.sin_port, htons(7777));
    assert_int_equal(ntohl(address.sin_addr.s_addr), 0xc0000201);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err = XCX_ERR_INIT;
        assert_int_equal(net_parse_address(bad[i], &address, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_USAGE);
    }
    assert_string_equal(err.msg,
                        "'192.0.2.1.2222222222:7' is not ADDRESS:PORT of IPv4");
    err = XCX_ERR_INIT;
    assert_int_equal(net_parse_address("192.0.2.1:65536", &address, &err), -1);
    assert_string_equal(err.msg, "port: 65536 is not in 0..65535");
}

static void crc_is_the_usual_one(void **state)
{
    (void)state;
    assert_int_equal(line_crc32("123456789", 9), 0xcbf43926);
    assert_int_equal(line_crc32("", 0), 0);
}

static void strings_are_escaped(void **state)
{
    struct json json;

    (void)state;
    json_begin(&json);
    json_string(&json, "s", "a\"b\\c\n\xff");
    assert_string_equal(json_end(&json),
                        "{\"s\":\"a\\\"b\\\\c\\u000a\\u00ff\"}");
}

static void what_does_not_fit_says_so(void **state)
{
    struct json json;

    (void)state;
    json_begin(&json);
    for (unsigned i = 0; i < JSON_BYTES; i++)
        json_u64(&json, "n", i);
    assert_string_equal(json_end(&json), "{\"error\":\"reply too long\"}");
}

/* Everything there is to report, in numbers that months of running give. */
static void fill_view(struct report_view *view, const struct spec *spec)
{
    const uint64_t many = UINT64_C(999999999999);
    const int64_t longest_ns = 99999999 * NS_PER_MS;
    const struct stall_times moment = at_ms(9999999999, 1999999999999);
    const struct stall stall = {moment, at_ms(99999999, 99999999)};

    *view = (struct report_view){
        .spec = spec,
        .now = moment,
        .workload = {many, 9999999, many, 9999999, 9999999, false},
        .counts = {many, many, many, {0}},
        .nr_findings = WORKSET_FINDINGS,
        .nr_phases = REPORT_PHASES,
        .has_disk = true,
        .disk = {many, many, many, many, longest_ns, {0}},
        .has_net = true,
        .net.socket_errors = many,
        .has_stream = true,
        .stream = {true, true, many, many, many},
        .net.track = {many, many, many, many, many, many, many, 1, 1, 1,
                      longest_ns, longest_ns, longest_ns, longest_ns},
    };
    view->disk.last_wrong.kind = PAGE_MISPLACED;
    view->disk.last_wrong.number = PAGE_NUMBER_DISK + 1023;
    for (unsigned k = 0; k < PAGE_NR_KINDS; k++)
        view->counts.by_kind[k] = 9999999;
    for (unsigned i = 0; i < WORKSET_FINDINGS; i++)
        view->findings[i] = (struct workset_finding){
            {PAGE_MISPLACED, 9999999, many, UINT64_MAX, UINT64_MAX, 512, 4088},
            moment.real_ns,
        };
    view->since_start.nr_ticks = many;
    for (unsigned b = 0; b < STALL_NR_BUCKETS; b++)
        view->since_start.buckets[b] = b ? 9999999 : many;
    view->since_start.nr_top = STALL_TOP;
    for (unsigned i = 0; i < STALL_TOP; i++)
        view->since_start.top[i] = stall;
    view->since_mark = view->since_start;
    for (unsigned i = 0; i < REPORT_PHASES; i++) {
        view->phases[i] = (struct report_phase){
            .name = "before_the_migration_one",
            .began = moment,
            .took = moment,
            .within = view->counts,
            .longest = stall,
        };
    }
}

static void longest_report_fits_and_parses(void **state)
{
    static const char *const paths[][5] = {
        {"clean", NULL},
        {"uptime_ms", NULL},
        {"memory", "misplaced", NULL},
        {"memory", "findings", NULL},
        {"stall", "top", NULL},
        {"mark_stall", "histogram", NULL},
        {"phases", NULL},
        {"balloon", "driver", NULL},
        {"disk", "last_wrong", "block", NULL},
        {"net", "longest_gap_real_ms", NULL},
        {"stream", "broken", NULL},
    };
    const struct spec spec = {.pattern = SPEC_BALLOON, .size_bytes = 1 << 30};
    struct report_view view;
    struct json json;
    char message[200] = "";
    yajl_val tree;

    (void)state;
    fill_view(&view, &spec);
    json_begin(&json);
    json_u64(&json, "tag", 999999999);
    json_string(&json, "for", "report");
    report_write(&json, &view);
    tree = yajl_tree_parse(json_end(&json), message, sizeof(message));
    assert_string_equal(message, "");
    assert_non_null(tree);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_non_null(
            yajl_tree_get(tree, (const char **)paths[i], yajl_t_any));
    yajl_tree_free(tree);
}

static void clean_looks_at_all(void **state)
{
    const struct spec spec = {.pattern = SPEC_IDLE};

    (void)state;
    for (unsigned which = 0; which < 5; which++) {
        struct report_view view = {.spec = &spec,
                                   .has_disk = true,
                                   .has_net = true,
                                   .has_stream = true};
        struct json json;

        view.counts.errors = which == 1;
        view.disk.wrong = which == 2;
        view.net.track.corrupted = which == 3;
        view.stream.wrong_bytes = which == 4;
        json_begin(&json);
        report_write(&json, &view);
        assert_int_equal(strstr(json_end(&json), "\"clean\":true") != NULL,
                         which == 0);
    }
}

/* At place 17 a byte is missing (-1), there twice (1), or all is well. */
static void lost_and_doubled_bytes_are_wrong(void **state)
{
    uint8_t data[65];

    (void)state;
    for (int more = -1; more <= 1; more++) {
        struct stream_counts counts = {0};
        size_t used = 0;

        for (uint64_t i = 0; i < 64; i++) {
            int times = i == 17 ? 1 + more : 1;

            while (times-- > 0)
                data[used++] = stream_byte(i);
        }
        stream_take(&counts, data, 20);
        stream_take(&counts, data + 20, used - 20);
        assert_int_equal(counts.received_bytes, 64 + more);
        if (more == 0)
            assert_int_equal(counts.wrong_bytes, 0);
        else /* a byte may be like its neighbour by chance */
            assert_in_range(counts.wrong_bytes, 35, 64 + more - 17);
    }
}

static void phases_count_what_is_theirs(void **state)
{
    struct report_phase phase = {
        .began = at_ms(1000, 5000),
        .at_begin = {.dirtied_pages = 100, .verified_pages = 50, .errors = 1},
    };
    const struct workset_counts counts = {
        .dirtied_pages = 1100, .verified_pages = 90, .errors = 3};
    const struct stall_times now = at_ms(3000, 9000);
    struct stall_set stalls = {0};
    struct json json;

    (void)state;
    strcpy(phase.name, "during");
    note_gap(&stalls, 7, 9);
    report_phase_update(&phase, &now, &counts, &stalls);
    json_begin(&json);
    report_write_phase(&json, "p", &phase, 500 * NS_PER_MS);
    assert_string_equal(
        json_end(&json),
        "{\"p\":{\"name\":\"during\",\"at_ms\":500.000,\"took_ms\":2000.000,"
        "\"took_real_ms\":4000.000,\"dirtied_pages\":1000,"
        "\"dirtied_pages_per_s\":500,\"dirtied_bytes_per_s\":2048000,"
        "\"verified_pages\":40,\"errors\":2,\"longest_stall_ms\":9.000,"
        "\"longest_stall_mono_ms\":7.000,\"longest_stall_real_ms\":9.000}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stalls_are_sorted_and_cut),
        cmocka_unit_test(histogram_has_its_edges),
        cmocka_unit_test(blackout_shows_by_the_wall_clock),
        cmocka_unit_test(datagrams_are_accounted_for),
        cmocka_unit_test(what_the_ring_forgets_is_lost),
        cmocka_unit_test(addresses),
        cmocka_unit_test(crc_is_the_usual_one),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(what_does_not_fit_says_so),
        cmocka_unit_test(longest_report_fits_and_parses),
        cmocka_unit_test(clean_looks_at_all),
        cmocka_unit_test(lost_and_doubled_bytes_are_wrong),
        cmocka_unit_test(phases_count_what_is_theirs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
