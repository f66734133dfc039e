/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `xl list -v` prints, as xl does it and as nobody should. */
#include "xl-migrate/peer/stock_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define UUID  "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001"
#define OTHER "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a002"
#define HEAD                                                                   \
    "Name             ID   Mem VCPUs      State   Time(s)   UUID   "           \
    "Reason-Code Security Label\n"                                             \
    "Domain-0          0  1024     2     r-----      30.1 "                    \
    "00000000-0000-0000-0000-000000000000        -                -\n"
#define LINE(name, id, state) name " " id " 128 1 " state " 1.0 " UUID " - -\n"

static const struct {
    const char *text;
    enum handover_copy copy;
    uint32_t domid;
} lists[] = {
    {HEAD, HANDOVER_ABSENT, 0},
    {HEAD LINE("web", "7", "--p---"), HANDOVER_PAUSED, 7},
    {HEAD LINE("web", "7", "-b----"), HANDOVER_RUNNING, 7},
    {HEAD LINE("web", "7", "------"), HANDOVER_RUNNING, 7},
    {HEAD LINE("web", "7", "---s--"), HANDOVER_RUNNING, 7},
    {HEAD LINE("web--incoming", "8", "--p---"), HANDOVER_BUILDING, 8},
    {HEAD LINE("--incoming", "8", "--p---"), HANDOVER_PAUSED, 8},
    {HEAD LINE("(null)", "8", "--p--d"), HANDOVER_ABSENT, 0},
    {HEAD LINE("(null)", "8", "--p--d") LINE("web", "9", "-b----"),
     HANDOVER_RUNNING, 9},
    {HEAD LINE("a name of words", "9", "--p---"), HANDOVER_PAUSED, 9},
    /* A name, and the columns of another domain. */
    {HEAD "x 5 1 1 --p--- 1.0 " UUID " 8 128 1 -b---- 1.0 " OTHER " - -\n",
     HANDOVER_ABSENT, 0},
    {HEAD "x 5 1 1 --p--- 1.0 " UUID " - - 8 128 1 -b---- 1.0 " OTHER
          " - -\n" LINE("web", "9", "-b----"),
     HANDOVER_RUNNING, 9},
    {"Warning: something\n" HEAD LINE("web", "7", "--p---"), HANDOVER_PAUSED,
     7},
};

static void finds_the_domain_by_its_uuid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        enum handover_copy copy = HANDOVER_NR_COPIES;
        struct xcx_err err = XCX_ERR_INIT;
        uint32_t domid = 99;

        if (stock_list_find(lists[i].text, UUID, &copy, &domid, &err))
            fail_msg("%zu: %s", i, err.msg);
        assert_int_equal(copy, lists[i].copy);
        assert_int_equal(domid, lists[i].domid);
    }
}

static const struct {
    const char *text, *why;
} refused[] = {
    {"", "nothing that can be read"},
    {"sh: xl: not found\n", "nothing that can be read"},
    {LINE("web", "7", "--p---"), "nothing that can be read"},
    {HEAD LINE("web", "x", "--p---"), "of the domain"},
    {HEAD LINE("web", "0", "--p---"), "of the domain"},
    {HEAD LINE("web", "40000", "--p---"), "of the domain"},
    {HEAD LINE("web", "7", "--p"), "of the domain"},
    {HEAD UUID "\n", "of the domain"},
    {HEAD LINE("web", "7", "--p---") LINE("web", "8", "-b----"),
     "two domains of one UUID"},
};

static void refuses_what_is_no_list(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        enum handover_copy copy = HANDOVER_NR_COPIES;
        struct xcx_err err = XCX_ERR_INIT;
        uint32_t domid = 99;

        assert_int_equal(
            stock_list_find(refused[i].text, UUID, &copy, &domid, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_PEER);
        if (!strstr(err.msg, refused[i].why))
            fail_msg("%zu: %s", i, err.msg);
        assert_int_equal(copy, HANDOVER_NR_COPIES);
        assert_int_equal(domid, 99);
    }
}

/* What `xl list -v 7` printed. */
static const struct {
    const char *text;
    int rc;
    enum handover_copy copy;
} confirmed[] = {
    {HEAD LINE("web", "7", "--p---"), 0, HANDOVER_PAUSED},
    {HEAD LINE("web--incoming", "7", "--p---"), 0, HANDOVER_BUILDING},
    {HEAD "web 7 128 1 --p--- 1.0 " OTHER " - -\n", 0, HANDOVER_ABSENT},
    /* A name with a line break, which ends as a list's row does. */
    {HEAD LINE("x\nweb", "7", "--p---"), 0, HANDOVER_PAUSED},
    {HEAD LINE("web", "7", "--p---") "y 7 128 1 -b---- 1.0 " OTHER " - -\n", 0,
     HANDOVER_ABSENT},
    {HEAD LINE("web", "5", "--p---"), -1, HANDOVER_NR_COPIES},
    {HEAD LINE("web", "7", "--p---") "more\n", -1, HANDOVER_NR_COPIES},
    {HEAD, -1, HANDOVER_NR_COPIES},
    {"", -1, HANDOVER_NR_COPIES},
};

static void only_its_own_row_counts_of_one_domain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(confirmed) / sizeof(confirmed[0]); i++) {
        enum handover_copy copy = HANDOVER_NR_COPIES;
        struct xcx_err err = XCX_ERR_INIT;

        if (stock_list_confirm(confirmed[i].text, UUID, 7, &copy, &err) !=
            confirmed[i].rc)
            fail_msg("%zu: %s", i, err.msg);
        assert_int_equal(copy, confirmed[i].copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_domain_by_its_uuid),
        cmocka_unit_test(refuses_what_is_no_list),
        cmocka_unit_test(only_its_own_row_counts_of_one_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
