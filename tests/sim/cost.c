/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLEEP_MIN_NS 30000 /* shorter costs are collected */

static const struct {
    const char *name;
    struct sim_cost cost;
} models[] = {
    {"free", {.nr_cpus = 4}},
    {"pv-dom0",
     {.map_ns = 3500,
      .unmap_ns = 12000,
      .exit_ns = 4000,
      .fork_ns = 500000,
      .type_ns = 5000,
      .call_ns = 2000,
      .peek_ns = 300000,
      .bitmap_ps = 200,
      .populate_ns = 1000,
      .nr_cpus = 4}},
    {"pvh-dom0",
     {.map_ns = 1500,
      .unmap_ns = 1000,
      .exit_ns = 800,
      .fork_ns = 250000,
      .type_ns = 400,
      .call_ns = 1500,
      .peek_ns = 200000,
      .bitmap_ps = 200,
      .populate_ns = 800,
      .nr_cpus = 4}},
};

static const struct {
    const char *key;
    size_t offset;
} keys[] = {
    {"map", offsetof(struct sim_cost, map_ns)},
    {"unmap", offsetof(struct sim_cost, unmap_ns)},
    {"exit", offsetof(struct sim_cost, exit_ns)},
    {"fork", offsetof(struct sim_cost, fork_ns)},
    {"type", offsetof(struct sim_cost, type_ns)},
    {"call", offsetof(struct sim_cost, call_ns)},
    {"peek", offsetof(struct sim_cost, peek_ns)},
    {"bitmap", offsetof(struct sim_cost, bitmap_ps)},
    {"populate", offsetof(struct sim_cost, populate_ns)},
    {"cpus", offsetof(struct sim_cost, nr_cpus)},
};

static bool parse_one(char *item, struct sim_cost *cost)
{
    char *equals = strchr(item, '='), *end;

    for (size_t i = 0; !equals && i < sizeof(models) / sizeof(models[0]); i++) {
        if (!strcmp(item, models[i].name)) {
            *cost = models[i].cost;
            return true;
        }
    }
    if (!equals)
        return false;
    *equals = 0;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!strcmp(item, keys[i].key)) {
            *(uint64_t *)((char *)cost + keys[i].offset) =
                strtoull(equals + 1, &end, 10);
            return !*end && end != equals + 1;
        }
    }
    return false;
}

int sim_cost_parse(const char *text, struct sim_cost *ret_cost,
                   struct xcx_err *err)
{
    struct sim_cost cost = models[0].cost;
    char *copy = strdup(text ? text : ""), *save = NULL;
    bool ok = copy != NULL;

    for (char *item = ok ? strtok_r(copy, ",", &save) : NULL; item && ok;
         item = strtok_r(NULL, ",", &save))
        ok = parse_one(item, &cost);
    free(copy);
    if (!ok || !cost.nr_cpus || cost.nr_cpus > SIM_MAX_CPUS)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "bad cost model '%s'", text);
    *ret_cost = cost;
    return 0;
}

/* Books ns on the CPU that is free first; when it will be done. */
static uint64_t book(struct sim_world *w, const struct sim_cost *cost,
                     uint64_t ns)
{
    uint64_t now = sim_now_ns(), *best = &w->cpu_busy_until_ns[0];

    sim_lock(w);
    for (uint64_t i = 1; i < cost->nr_cpus; i++) {
        if (w->cpu_busy_until_ns[i] < *best)
            best = &w->cpu_busy_until_ns[i];
    }
    *best = (*best > now ? *best : now) + ns;
    now = *best;
    sim_unlock(w);
    return now;
}

void sim_cost_pay(struct sim_world *w, const struct sim_cost *cost, uint64_t ns)
{
    static __thread int64_t debt_ns; /* negative: slept too long before */
    uint64_t end;
    struct timespec until;

    debt_ns += (int64_t)ns;
    if (debt_ns < SLEEP_MIN_NS)
        return;
    end = book(w, cost, (uint64_t)debt_ns);
    until.tv_sec = (time_t)(end / 1000000000);
    until.tv_nsec = (long)(end % 1000000000);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) ==
           EINTR)
        ;
    debt_ns = (int64_t)(end - sim_now_ns());
}
