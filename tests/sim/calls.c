/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "calls.h"

#include <string.h>

static const char *const names[SIM_NR_CALLS] = {
#define SIM_CALL_NAME(name) #name,
    SIM_CALLS(SIM_CALL_NAME)
#undef SIM_CALL_NAME
};

const char *sim_call_name(unsigned call)
{
    return call < SIM_NR_CALLS ? names[call] : NULL;
}

unsigned sim_call_find(const char *name, size_t bytes)
{
    unsigned call = 0;

    while (call < SIM_NR_CALLS &&
           (strlen(names[call]) != bytes || memcmp(names[call], name, bytes)))
        call++;
    return call;
}
