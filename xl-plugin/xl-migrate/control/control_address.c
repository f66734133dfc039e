/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control_address.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

void control_name(uint32_t domid, char ret_name[CONTROL_NAME_BYTES])
{
    snprintf(ret_name, CONTROL_NAME_BYTES, "%" PRIu32 ".sock", domid);
}

void control_address(int dir_fd, uint32_t domid,
                     struct sockaddr_un *ret_address)
{
    char name[CONTROL_NAME_BYTES];

    control_name(domid, name);
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(ret_address->sun_path, sizeof(ret_address->sun_path),
             "/proc/self/fd/%d/%s", dir_fd, name);
}
