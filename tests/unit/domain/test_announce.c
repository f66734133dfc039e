/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frames byte by byte, the waits, and what is read of "ip". */
#include "xl-migrate/domain/announce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct announce_nic nic = {
    .mac = {0x00, 0x16, 0x3e, 0x0a, 0x0b, 0x0c},
    .ipv4 = {192, 0, 2, 7},
    .bridge = "no-such-bridge",
};

static void rarp_names_the_address_twice(void **state)
{
    static const uint8_t want[ANNOUNCE_FRAME_BYTES] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff,             /* to all */
        0x00, 0x16, 0x3e, 0x0a, 0x0b, 0x0c, 0x80, 0x35, /* from it; RARP */
        0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x03, /* who am I? */
        0x00, 0x16, 0x3e, 0x0a, 0x0b, 0x0c, 0,    0,    0, 0,
        0x00, 0x16, 0x3e, 0x0a, 0x0b, 0x0c, 0,    0,    0, 0,
    };
    uint8_t frame[ANNOUNCE_FRAME_BYTES];

    (void)state;
    memset(frame, 0x5a, sizeof(frame));
    announce_rarp(&nic, frame);
    assert_memory_equal(frame, want, sizeof(want));
}

static void arp_asks_for_its_own_address(void **state)
{
    static const uint8_t want[ANNOUNCE_FRAME_BYTES] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff,             /* to all */
        0x00, 0x16, 0x3e, 0x0a, 0x0b, 0x0c, 0x08, 0x06, /* from it; ARP */
        0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x01, /* request */
        0x00, 0x16, 0x3e, 0x0a, 0x0b, 0x0c, 192,  0,    2, 7,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 192,  0,    2, 7,
    };
    uint8_t frame[ANNOUNCE_FRAME_BYTES];

    (void)state;
    memset(frame, 0x5a, sizeof(frame));
    announce_arp(&nic, frame);
    assert_memory_equal(frame, want, sizeof(want));
}

/* The guest's port of a virtual switch is in a VLAN; the bridge's is not. */
static void the_frame_is_in_the_vlan(void **state)
{
    static const uint8_t want[ANNOUNCE_FRAME_BYTES] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff,             /* to all */
        0x00, 0x16, 0x3e, 0x0a, 0x0b, 0x0c, 0x81, 0x00, /* from it; a tag */
        0x0e, 0xd8, 0x80, 0x35,                         /* VLAN 3800; RARP */
        0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x03, /* who am I? */
        0x00, 0x16, 0x3e, 0x0a, 0x0b, 0x0c, 0,    0,    0, 0,
        0x00, 0x16, 0x3e, 0x0a, 0x0b, 0x0c, 0,    0,    0, 0,
    };
    struct announce_nic tagged = nic;
    uint8_t frame[ANNOUNCE_FRAME_BYTES];

    (void)state;
    tagged.vlan = 3800;
    announce_rarp(&tagged, frame);
    assert_memory_equal(frame, want, sizeof(want));
}

static void waits_grow_to_their_bound(void **state)
{
    static const struct announce announce = {
        .rounds = 6, .initial_ms = 50, .step_ms = 100, .max_ms = 275};
    static const uint64_t want_ms[] = {0, 50, 150, 250, 275, 275};

    (void)state;
    for (size_t i = 0; i < sizeof(want_ms) / sizeof(want_ms[0]); i++)
        assert_int_equal(announce_wait_ms(&announce, i), want_ms[i]);
    assert_int_equal(announce_wait_ms(&announce, UINT32_MAX), 275);
}

/* 1000 rounds of 100 s would keep the process for more than a day. */
static void rounds_end_within_a_time(void **state)
{
    static const struct {
        struct announce announce;
        uint64_t rounds;
    } rows[] = {
        {{5, 50, 100, 550}, 5},         {{1000, 100000, 0, 100000}, 4},
        {{1000, 0, 100000, 100000}, 5}, {{1000, 300, 0, 300}, 1000},
        {{1000, 0, 0, 0}, 1000},        {{0, 100000, 0, 100000}, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct announce announce = rows[i].announce;

        announce_bound(&announce);
        assert_int_equal(announce.rounds, rows[i].rounds);
    }
}

static void the_first_ipv4_address_is_taken(void **state)
{
    static const struct {
        const char *text;
        uint8_t want[4];
    } rows[] = {
        {"192.0.2.7", {192, 0, 2, 7}},
        {"2001:db8::1 192.0.2.8", {192, 0, 2, 8}},
        {"192.0.2.9/24,192.0.2.10", {192, 0, 2, 9}},
        {" , 192.0.2.11 ", {192, 0, 2, 11}},
        {"1111111111111111111111 host 256.1.1.1", {0, 0, 0, 0}},
        {"2001:0db8:0000:0000:0000:0000:0000:0001", {0, 0, 0, 0}},
        {"", {0, 0, 0, 0}},
        {NULL, {0, 0, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t got[4] = {1, 1, 1, 1};

        announce_parse_ipv4(rows[i].text, got);
        assert_memory_equal(got, rows[i].want, 4);
    }
}

static void nothing_to_announce_is_no_error(void **state)
{
    static const struct announce none = {.rounds = 0};
    static const struct announce some = {.rounds = 3};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(announce_start(&none, &nic, 1, &err), 0);
    assert_int_equal(announce_start(&some, &nic, 0, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_end_within_a_time),
        cmocka_unit_test(rarp_names_the_address_twice),
        cmocka_unit_test(arp_asks_for_its_own_address),
        cmocka_unit_test(the_frame_is_in_the_vlan),
        cmocka_unit_test(waits_grow_to_their_bound),
        cmocka_unit_test(the_first_ipv4_address_is_taken),
        cmocka_unit_test(nothing_to_announce_is_no_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
