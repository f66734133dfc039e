/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How send ends before there is a case: nothing is done to the guest. */
#include "xl-migrate/send/send.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "unit/scratch.h"
#include "send_world.h"

#define UNSETTLED                                                              \
    "xl-migrate send: an earlier migration of this domain is not settled: "    \
    "run xl-migrate recover 0a\n"
static const struct {
    const char *name;
    enum domain_state state;
    bool unsettled;
    const char *find_fails;
    enum exit_status status;
    const char *result, *said;
} early[] = {
    {"paused", DOMAIN_PAUSED, .status = EXIT_STATUS_REFUSED,
     .result = "refused",
     .said = "xl-migrate send: g1 is paused: xl unpause it, unless xl-migrate "
             "recover has a case of it\n"},
    {"shut down", DOMAIN_SHUT_DOWN, .status = EXIT_STATUS_REFUSED,
     .result = "refused", .said = "xl-migrate send: g1 is shut down\n"},
    {"suspended", DOMAIN_SUSPENDED, .status = EXIT_STATUS_UNDECIDED,
     .result = "needs-recover",
     .said = "xl-migrate send: g1 is suspended: an earlier migration may not "
             "be settled; see xl-migrate recover\n"},
    {"suspended by a case that is known", DOMAIN_SUSPENDED, .unsettled = true,
     .status = EXIT_STATUS_UNDECIDED, .result = "needs-recover",
     .said = UNSETTLED},
    {"paused with a case", DOMAIN_PAUSED, .unsettled = true,
     .status = EXIT_STATUS_UNDECIDED, .result = "needs-recover",
     .said = UNSETTLED},
    {"it runs, but a case is not settled", DOMAIN_RUNS, .unsettled = true,
     .status = EXIT_STATUS_UNDECIDED, .result = "needs-recover",
     .said = UNSETTLED},
    {"no such domain", DOMAIN_RUNS, .find_fails = "there is no g1",
     .status = EXIT_STATUS_USAGE, .result = "failed",
     .said = "xl-migrate send: there is no g1\n"},
};

static void a_guest_that_does_not_run_is_not_said_to(void **state)
{
    static const enum deed deeds[] = {ENDS};

    (void)state;
    for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
        char said[SEND_WORLD_BYTES], result[64];
        int status;

        print_message("%s\n", early[i].name);
        send_world_reset();
        fake.state = early[i].state;
        fake.find_fails = early[i].find_fails;
        fake.deeds = deeds;
        if (early[i].unsettled)
            send_world_leave_case("0a");
        status = send_world_run(said);
        snprintf(result, sizeof(result), "\"result\": \"%s\"", early[i].result);
        if (status != (int)early[i].status || !strstr(said, early[i].said) ||
            !strstr(said, result))
            fail_msg("%d: %s", status, said);
        assert_string_equal(fake.told, "");
        assert_int_equal(send_world_take_case(), HANDOVER_NONE);
    }
}

static void a_dry_run_prints_one_object(void **state)
{
    static const struct {
        bool refused, unchecked;
        enum exit_status status;
        const char *said; /* all of it; NULL: the report */
    } ends[] = {
        {.status = EXIT_STATUS_DONE, .said = "{check}\n"},
        {.refused = true,
         .status = EXIT_STATUS_REFUSED,
         .said = "xl-migrate send: refused by a check: x\n{check}\n"},
        {.unchecked = true, .status = EXIT_STATUS_AT_SOURCE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char said[SEND_WORLD_BYTES];

        send_world_reset();
        fake.dry_run = fake.quiet = true;
        fake.refused = ends[i].refused;
        fake.unchecked = ends[i].unchecked;
        assert_int_equal(send_world_run(said), ends[i].status);
        if (ends[i].said)
            assert_string_equal(said, ends[i].said);
        else
            assert_non_null(strstr(said, "\"error\": \"not checked: x\""));
        assert_int_equal(send_world_take_case(), HANDOVER_NONE);
    }
}

static void who_was_asked_first_hears_of_a_failure(void **state)
{
    static const enum deed deeds[] = {READY, STARTING, SETTLES};
    static const struct {
        enum xcx_err_kind hook_fails;
        bool no_route, refused, unchecked, unsettled, done;
        int saver; /* another program's: its log-dirty mode stays on */
        const char *hooks;
    } ends[] = {
        {.done = true, .hooks = "cu=s"},
        {.hook_fails = XCX_ERR_GUEST, .hooks = "cF"},
        {.hook_fails = XCX_ERR_USAGE, .hooks = "c"}, /* refused, not run */
        {.no_route = true, .hooks = "cu=F"},
        {.unchecked = true, .hooks = "cu=F"},
        {.refused = true, .hooks = "cu=F"},
        {.unsettled = true, .hooks = "cu=F"},
        {.saver = 77, .hooks = "cF"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char said[SEND_WORLD_BYTES];

        send_world_reset();
        fake.copy = HANDOVER_RUNNING;
        fake.copy_then = HANDOVER_PAUSED;
        fake.deeds = deeds;
        fake.hook_fails = ends[i].hook_fails;
        fake.no_route = ends[i].no_route;
        fake.refused = ends[i].refused;
        fake.unchecked = ends[i].unchecked;
        fake.saver = ends[i].saver;
        if (ends[i].unsettled)
            send_world_leave_case("0a");
        assert_int_equal(!send_world_run(said), ends[i].done);
        assert_string_equal(fake.hooks, ends[i].hooks);
        assert_int_equal(send_world_take_case(), HANDOVER_NONE);
    }
}

/* Another bridge, another disk's path: what is checked is what is sent. */
static void the_configuration_that_is_checked_is_sent(void **state)
{
    static const enum deed deeds[] = {READY, STARTING, SETTLES};
    static const char *const files[] = {NULL, "other.cfg"};

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char said[SEND_WORLD_BYTES];

        send_world_reset();
        fake.copy = HANDOVER_RUNNING;
        fake.copy_then = HANDOVER_PAUSED;
        fake.deeds = deeds;
        fake.config_file = files[i];
        assert_int_equal(send_world_run(said), EXIT_STATUS_DONE);
        assert_string_equal(fake.checked_config, files[i] ? files[i] : "{}");
        assert_string_equal(fake.sent_config, fake.checked_config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_that_does_not_run_is_not_said_to),
        cmocka_unit_test(a_dry_run_prints_one_object),
        cmocka_unit_test(who_was_asked_first_hears_of_a_failure),
        cmocka_unit_test(the_configuration_that_is_checked_is_sent),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
