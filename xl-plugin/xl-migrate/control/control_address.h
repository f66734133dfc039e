/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control_address: where the control socket of a domain is, for both ends.
 */
#ifndef XL_MIGRATE_CONTROL_ADDRESS_H
#define XL_MIGRATE_CONTROL_ADDRESS_H

#include <stdint.h>
#include <sys/un.h>

#define CONTROL_NAME_BYTES 32

/* "DOMID.sock" */
void control_name(uint32_t domid, char ret_name[CONTROL_NAME_BYTES]);

/*
 * dir_fd is the open run_dir: a socket's address has room for 107 characters,
 * a folder's name may be longer.
 */
void control_address(int dir_fd, uint32_t domid,
                     struct sockaddr_un *ret_address);

#endif
