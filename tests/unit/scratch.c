/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char scratch_dir[] = "/tmp/xl-migrate-test-XXXXXX";

int scratch_make(void **state)
{
    (void)state;
    return mkdtemp(scratch_dir) ? 0 : -1;
}

int scratch_remove(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", scratch_dir);
    return system(command);
}

int scratch_remove_empty(void **state)
{
    (void)state;
    return rmdir(scratch_dir);
}
