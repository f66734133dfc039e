/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As test_check.c, of CPU pools, CPUs and schedulers. */
#include "check_trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define guest  sample.guest
#define there  sample.there
#define wishes sample.wishes

static void put(char *to, const char *text)
{
    strcpy(to, text);
}

static void no_pool(void)
{
    put(guest.pool, "fast");
    put(guest.pool_now, "fast");
    there.pool = FACTS_NO;
}
static void pool_unknown(void)
{
    put(guest.pool, "fast");
    put(guest.pool_now, "fast");
    there.pool = FACTS_UNKNOWN;
}
static void other_pool_now(void)
{
    put(guest.pool, "fast");
    put(guest.pool_now, "slow");
    there.pool = FACTS_YES;
}
static void left_first_pool(void)
{
    put(guest.pool_now, "slow");
}
static void pinned(unsigned first, unsigned second)
{
    guest.nr_pins = 2;
    facts_cpus_add(&guest.pins[0], 1);
    facts_cpus_add(&guest.pins[1], first);
    facts_cpus_add(&guest.pins[1], second);
    there.has_cpus = true;
    for (unsigned i = 0; i < 4; i++)
        facts_cpus_add(&there.cpus, i);
}
static void pinned_elsewhere(void)
{
    pinned(9, 6);
}
static void cpus_unknown(void)
{
    pinned(2, 6);
    there.has_cpus = false;
}
static void no_caps_here(void)
{
    put(guest.sched, "null");
    wishes.may_throttle = true;
}
static void cap_is_lost(void)
{
    guest.cap = 50;
    put(there.sched, "rtds");
}

static const struct check_change changes[] = {
    {no_pool, "cpupool", CHECK_BLOCKER, "no CPU pool fast", "cpupool-create"},
    {no_pool, "cpupool", CHECK_BLOCKER, "no CPU pool fast", "-C FILE"},
    {pool_unknown, "cpupool", CHECK_UNKNOWN, "fast", NULL},
    {other_pool_now, "cpupool", CHECK_WARNING,
     "web is in CPU pool slow; on host2 it will be in fast", "pool=\"slow\""},
    {left_first_pool, "cpupool", CHECK_WARNING, "it will be in Pool-0",
     "pool=\"slow\""},
    {pinned_elsewhere, "affinity", CHECK_BLOCKER,
     "web has a vCPU that may run on CPUs 6, 9 only", "-C FILE"},
    {cpus_unknown, "affinity", CHECK_UNKNOWN, "host2", NULL},
    {no_caps_here, "scheduler", CHECK_WARNING,
     "web cannot be throttled: the scheduler null has no caps",
     "--on-slow stop"},
    {cap_is_lost, "scheduler", CHECK_WARNING, "50 %", "-C FILE"},
};

static void test_each_is_found(void **state)
{
    (void)state;
    check_trial_all(changes, sizeof(changes) / sizeof(changes[0]));
}

static void test_pins_that_meet(void **state)
{
    const struct check_finding *found = NULL;

    (void)state;
    check_sample_make();
    pinned(9, 3);
    put(guest.sched, "credit2");
    put(there.sched, "credit");
    guest.cap = 50;
    wishes.may_throttle = true;
    check_trial_run();
    assert_int_equal(check_trial_count("affinity", &found), 0);
    assert_int_equal(check_trial_count("scheduler", &found), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_found),
        cmocka_unit_test(test_pins_that_meet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
