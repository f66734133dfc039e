/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "own_limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define OOM_SCORE_ADJ "/proc/self/oom_score_adj"
#define OOM_POINTS    500

void own_limits_offer_to_oom_killer(void)
{
    FILE *file = fopen(OOM_SCORE_ADJ, "r+e");
    int points;

    if (!file)
        return;
    if (fscanf(file, "%d", &points) == 1 && points < OOM_POINTS) {
        rewind(file);
        fprintf(file, "%d", OOM_POINTS);
    }
    fclose(file);
}

/* 0: unknown. */
static uint64_t mapped_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    uint64_t nr_pages = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%" SCNu64, &nr_pages) != 1)
        nr_pages = 0;
    fclose(file);
    return nr_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

int own_limits_set_address_space(uint64_t more_bytes, struct xcx_err *err)
{
    uint64_t bytes = mapped_bytes();
    struct rlimit limit;

    if (!bytes || getrlimit(RLIMIT_AS, &limit) < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "no limit of address space: cannot read what is "
                           "mapped");
    bytes += more_bytes;
    if (limit.rlim_cur <= bytes)
        return 0;
    limit.rlim_cur = bytes;
    if (setrlimit(RLIMIT_AS, &limit) < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "no limit of address space");
    return 0;
}
