/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulator's texts: worlds, faults, costs, and libxl's messages. */
#include "sim/calls.h"
#include "sim/cost.h"
#include "sim/fault.h"
#include "sim/protocol.h"
#include "sim/spec.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void worlds_are_read(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct sim_spec spec;

    (void)state;
    assert_int_equal(sim_spec_parse("kind=pv,mem=1G,rate=0x10,p2mform=tree,"
                                    "shadow=0,clock=calls,content=random",
                                    &spec, &err),
                     0);
    assert_int_equal(spec.kind, SIM_PV);
    assert_int_equal(spec.nr_pages, 262144);
    assert_int_equal(spec.dirty_rate, 16);
    assert_int_equal(spec.content, SIM_RANDOM);
    assert_true(spec.p2m_tree && spec.no_shadow && spec.clock_calls);
    assert_int_equal(sim_spec_parse("p2m=xl", &spec, &err), 0);
    assert_int_equal(spec.nr_pfns, 1044480);
    assert_int_equal(spec.kind, SIM_HVM);
}

static void bad_worlds_are_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"kind=arm", "world: kind=arm: bad value"},
        {"mem=", "world: mem=: bad value"},
        {"mem=1X", "world: mem=1X: bad value"},
        {"mem=1Kx", "world: mem=1Kx: bad value"},
        {"memory=1G", "world: unknown key in 'memory=1G'"},
        {"live", "world: unknown key in 'live'"},
        {"mem=4K", "world: mem must be 1M to 1T"},
        {"mem=2T", "world: mem must be 1M to 1T"},
        {"vcpus=9", "world: vcpus: 1 to 8"},
        {"p2m=268435457", "world: p2m above 1T"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct sim_spec spec = {.domid = 99};

        assert_int_equal(sim_spec_parse(cases[i].text, &spec, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_USAGE);
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(spec.domid, 99);
    }
}

static void faults_meet_their_use(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    const struct sim_fault *fault;
    struct sim_faults faults;

    (void)state;
    assert_int_equal(sim_faults_parse("map:3:ENOMEM,shadow_clean:2:EIO:always,"
                                      "any:9:SIGTERM",
                                      &faults, &err),
                     0);
    assert_int_equal(faults.nr, 3);
    assert_null(sim_fault_match(&faults, SIM_CALL_map, 2, 5));
    fault = sim_fault_match(&faults, SIM_CALL_map, 3, 5);
    assert_int_equal(fault->number, ENOMEM);
    assert_null(sim_fault_match(&faults, SIM_CALL_map, 4, 5));
    assert_null(sim_fault_match(&faults, SIM_CALL_shadow_clean, 1, 5));
    assert_non_null(sim_fault_match(&faults, SIM_CALL_shadow_clean, 7, 5));
    fault = sim_fault_match(&faults, SIM_CALL_version, 1, 9);
    assert_int_equal(fault->kind, SIM_FAULT_SIGNAL);
    assert_int_equal(fault->number, SIGTERM);
}

static void bad_faults_are_refused(void **state)
{
    static const char *const texts[] = {
        "map",       "map:0:EIO",       "map:x:EIO", "nothing:1:EIO",
        "map:1:BAD", "map:1:EIO:maybe", "map:1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct sim_faults faults;

        assert_int_equal(sim_faults_parse(texts[i], &faults, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_USAGE);
        assert_non_null(strstr(err.msg, texts[i]));
    }
}

static void costs_are_a_model_and_changes(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct sim_cost cost;

    (void)state;
    assert_int_equal(sim_cost_parse(NULL, &cost, &err), 0);
    assert_int_equal(cost.map_ns, 0);
    assert_int_equal(sim_cost_parse("pv-dom0,map=5,cpus=2", &cost, &err), 0);
    assert_int_equal(cost.map_ns, 5);
    assert_int_equal(cost.nr_cpus, 2);
    assert_true(cost.unmap_ns > 4 * 2000); /* the unmap is what is dear */
    assert_int_equal(sim_cost_parse("pv-dom1", &cost, &err), -1);
    assert_string_equal(err.msg, "bad cost model 'pv-dom1'");
    err = XCX_ERR_INIT;
    assert_int_equal(sim_cost_parse("cpus=0", &cost, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
}

/* length 4 + 2 + ...: type 10, retval -1, errno 5 */
static const uint8_t complete[] = {10,  0,   10, 0, 255, 255,
                                   255, 255, 5,  0, 0,   0};

static void messages_come_in_pieces(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct sim_message message;

    (void)state;
    for (size_t n = 0; n < sizeof(complete); n++)
        assert_int_equal(sim_message_parse(complete, n, &message, &err), 0);
    assert_int_equal(
        sim_message_parse(complete, sizeof(complete), &message, &err),
        sizeof(complete));
    assert_int_equal(message.type, SIM_MSG_COMPLETE);
    assert_int_equal((int32_t)message.number[0], -1);
    assert_int_equal(message.number[1], 5);
}

static void strings_end_with_nul(void **state)
{
    static const uint8_t good[] = {22, 0, 1, 0, 8,   0, 0, 0, 0, 0, 0,   0,
                                   2,  0, 0, 0, 'x', 0, 2, 0, 0, 0, 'y', 0};
    uint8_t bad[sizeof(good)];
    struct xcx_err err = XCX_ERR_INIT;
    struct sim_message message;

    (void)state;
    assert_int_equal(sim_message_parse(good, sizeof(good), &message, &err),
                     sizeof(good));
    assert_string_equal(message.text[0], "x");
    assert_string_equal(message.text[1], "y");
    memcpy(bad, good, sizeof(bad));
    bad[sizeof(bad) - 1] = 'z';
    assert_int_equal(sim_message_parse(bad, sizeof(bad), &message, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_STREAM);
    assert_string_equal(err.msg, "message of type 1, 22 bytes: bad arguments");
}

static void messages_of_wrong_size_are_refused(void **state)
{
    static const uint8_t longer[] = {3, 0, 3, 0, 0};
    static const uint8_t unknown[] = {2, 0, 11, 0};
    struct xcx_err err = XCX_ERR_INIT;
    struct sim_message message;

    (void)state;
    assert_int_equal(sim_message_parse(longer, 5, &message, &err), -1);
    assert_string_equal(err.msg, "message of type 3, 3 bytes: bad arguments");
    err = XCX_ERR_INIT;
    assert_int_equal(sim_message_parse(unknown, 4, &message, &err), -1);
    assert_string_equal(err.msg, "message of unknown type");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worlds_are_read),
        cmocka_unit_test(bad_worlds_are_refused),
        cmocka_unit_test(faults_meet_their_use),
        cmocka_unit_test(bad_faults_are_refused),
        cmocka_unit_test(costs_are_a_model_and_changes),
        cmocka_unit_test(messages_come_in_pieces),
        cmocka_unit_test(strings_end_with_nul),
        cmocka_unit_test(messages_of_wrong_size_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
