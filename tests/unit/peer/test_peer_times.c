/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the guest began to run at the target, and how long its hello may take.
 */
#include "xl-migrate/peer/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

int peer_plugin_open(const struct peer_address *address, struct peer **ret,
                     bool *ret_absent, struct xcx_err *err)
{
    (void)address;
    (void)ret;
    (void)ret_absent;
    return xcx_err_set(err, XCX_ERR_BUG, 0, "nothing is opened here");
}

int peer_stock_open(const struct peer_address *address, struct peer **ret,
                    struct xcx_err *err)
{
    (void)address;
    (void)ret;
    return xcx_err_set(err, XCX_ERR_BUG, 0, "nothing is opened here");
}

static void the_way_is_as_long_there_as_back(void **state)
{
    static const struct {
        const char *what;
        uint64_t heard_ns, start_ns, answer_ns, started_ns;
    } rows[] = {
        {"no way at all", 1500, 300, 500, 1300},
        {"100 there, 100 back", 1700, 300, 500, 1400},
        {"an odd way", 1501, 300, 500, 1300},
        {"all at once", 1000, 0, 0, 1000},
        {"a start behind the answer", 1500, 900, 500, 1500},
        {"an answer before the question", 1500, 300, 900, 1300},
        {"nonsense", 1500, INT64_MAX, INT64_MAX, 1500},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t started_ns = peer_started_ns(
            1000, rows[i].heard_ns, rows[i].start_ns, rows[i].answer_ns);

        if (started_ns != rows[i].started_ns)
            fail_msg("%s: %llu", rows[i].what, (unsigned long long)started_ns);
    }
}

static void a_hello_has_its_time(void **state)
{
    static const struct {
        unsigned timeout_s;
        bool again;
        uint64_t ms;
    } rows[] = {
        {4, false, 60000}, {3600, false, 60000}, {4, true, 15000},
        {15, true, 15000}, {20, true, 20000},    {3600, true, 3600000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct peer_address address = {.timeout_s = rows[i].timeout_s,
                                             .again = rows[i].again};

        assert_int_equal(peer_hello_ms(&address), rows[i].ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_way_is_as_long_there_as_back),
        cmocka_unit_test(a_hello_has_its_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
