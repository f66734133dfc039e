/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "balloon.h"

#include <inttypes.h>
#include <stdio.h>

/* What the driver may leave undone of a target. */
#define SLACK_KB 1024

static bool read_kb(const struct balloon *balloon, const char *name,
                    uint64_t *ret_kb)
{
    char path[256];
    FILE *file;
    bool ok;

    snprintf(path, sizeof(path), "%s/%s", balloon->dir, name);
    file = fopen(path, "re");
    if (!file)
        return false;
    ok = fscanf(file, "%" SCNu64, ret_kb) == 1;
    fclose(file);
    return ok;
}

static bool write_target(const struct balloon *balloon, uint64_t kb)
{
    char path[256];
    FILE *file;
    bool ok;

    snprintf(path, sizeof(path), "%s/target_kb", balloon->dir);
    file = fopen(path, "we");
    if (!file)
        return false;
    ok = fprintf(file, "%" PRIu64 "\n", kb) > 0;
    return fclose(file) == 0 && ok;
}

void balloon_out(struct balloon *balloon, uint64_t bytes)
{
    uint64_t out_kb = bytes / 1024;
    uint64_t target_kb, current_kb;

    balloon->works = read_kb(balloon, "target_kb", &target_kb) &&
                     read_kb(balloon, "info/current_kb", &current_kb) &&
                     target_kb > out_kb &&
                     write_target(balloon, target_kb - out_kb);
    balloon->is_out = balloon->works;
    if (!balloon->is_out)
        return;
    balloon->target_kb = target_kb;
    balloon->current_kb = current_kb < target_kb ? current_kb : target_kb;
}

void balloon_in(struct balloon *balloon)
{
    if (balloon->is_out)
        balloon->works = write_target(balloon, balloon->target_kb);
}

bool balloon_is_back(const struct balloon *balloon)
{
    uint64_t current_kb;

    if (!balloon->is_out)
        return true;
    return read_kb(balloon, "info/current_kb", &current_kb) &&
           current_kb + SLACK_KB >= balloon->current_kb;
}
