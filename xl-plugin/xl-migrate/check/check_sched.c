/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPU pool, CPUs and scheduler. libxl builds the guest in the pool that its
 * configuration names, and fails if the host has none of that name, or if a
 * vCPU is bound to CPUs that are all outside of it.
 */
#include "check_parts.h"

#include <string.h>

#define CPUS_CHARS 100

static const char *pool_of(const char *name)
{
    return name[0] ? name : FACTS_FIRST_POOL;
}

static void check_pool(struct checking *at)
{
    const struct facts_guest *guest = at->guest;
    char fix[CHECK_TEXT_BYTES];

    if (guest->pool[0] && at->there->pool == FACTS_NO) {
        check_add(at->check, "cpupool", CHECK_BLOCKER,
                  "there: xl cpupool-create; or -C FILE, whose pool= is one "
                  "that is there",
                  "%s has no CPU pool %s", at->target, guest->pool);
    } else if (guest->pool[0] && at->there->pool == FACTS_UNKNOWN) {
        check_add(at->check, "cpupool", CHECK_UNKNOWN, "",
                  "whether %s has a CPU pool %s was not found out", at->target,
                  guest->pool);
    } else if (guest->pool_now[0] &&
               strcmp(guest->pool_now, pool_of(guest->pool)) != 0) {
        snprintf(fix, sizeof(fix), "-C FILE with pool=\"%.200s\"",
                 guest->pool_now);
        check_add(at->check, "cpupool", CHECK_WARNING, fix,
                  "%s is in CPU pool %s; on %s it will be in %s, as its "
                  "configuration says",
                  guest->name, guest->pool_now, at->target,
                  pool_of(guest->pool));
    }
}

/* "0, 3-5", cut to fit. */
static void print_cpus(const struct facts_cpus *cpus, char *text, size_t bytes)
{
    size_t used = 0;

    text[0] = 0;
    for (unsigned i = 0; i < FACTS_MAX_CPUS && used < bytes; i++) {
        unsigned first = i;

        if (!facts_cpus_have(cpus, i))
            continue;
        while (facts_cpus_have(cpus, i + 1))
            i++;
        used += (size_t)snprintf(text + used, bytes - used,
                                 first < i ? "%s%u-%u" : "%s%u",
                                 used ? ", " : "", first, i);
    }
}

static void check_pin(struct checking *at, const struct facts_cpus *pin)
{
    char cpus[CPUS_CHARS];

    if (facts_cpus_meet(pin, &at->there->cpus))
        return;
    print_cpus(pin, cpus, sizeof(cpus));
    check_add(at->check, "affinity", CHECK_BLOCKER,
              "-C FILE with other cpus=, or without",
              "%s has a vCPU that may run on CPUs %s only, none of which is in "
              "%s on %s",
              at->guest->name, cpus, pool_of(at->guest->pool), at->target);
}

static void check_pins(struct checking *at)
{
    const struct facts_guest *guest = at->guest;

    if (guest->nr_pins == 0 || at->there->pool == FACTS_NO)
        return;
    if (!at->there->has_cpus || guest->nr_pins > FACTS_MAX_PINS) {
        check_add(at->check, "affinity", CHECK_UNKNOWN, "",
                  "whether %s has the CPUs that %s is bound to was not found "
                  "out",
                  at->target, guest->name);
        return;
    }
    for (unsigned i = 0; i < guest->nr_pins; i++)
        check_pin(at, &guest->pins[i]);
}

static bool has_no_caps(const char *sched)
{
    return sched[0] && strcmp(sched, "credit") != 0 &&
           strcmp(sched, "credit2") != 0;
}

static void check_caps(struct checking *at)
{
    const struct facts_guest *guest = at->guest;

    if (at->wishes->may_throttle && has_no_caps(guest->sched))
        check_add(at->check, "scheduler", CHECK_WARNING,
                  "--on-slow stop, or xl cpupool-migrate to a pool of credit2",
                  "%s cannot be throttled: the scheduler %s has no caps",
                  guest->name, guest->sched);
    if (guest->cap && has_no_caps(at->there->sched))
        check_add(at->check, "scheduler", CHECK_WARNING,
                  "-C FILE with a pool= whose scheduler is credit or credit2",
                  "%s gets %u %% of its CPU time at most; the scheduler %s of "
                  "%s cannot hold it to that",
                  guest->name, guest->cap, at->there->sched, at->target);
}

void check_scheduling(struct checking *at)
{
    check_pool(at);
    check_pins(at);
    check_caps(at);
}
