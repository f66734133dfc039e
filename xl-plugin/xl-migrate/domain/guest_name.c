/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest_name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <xenstore.h>

/* The text of /local/domain/DOMID/KEY behind skip, if it begins so. */
static void read_key(struct xs_handle *xs, uint32_t domid, const char *key,
                     const char *skip, char *ret, size_t bytes)
{
    char path[64];
    unsigned nr_bytes;
    char *text;

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/%s", domid, key);
    text = xs_read(xs, XBT_NULL, path, &nr_bytes);
    ret[0] = 0;
    if (text && strncmp(text, skip, strlen(skip)) == 0 &&
        strlen(text) - strlen(skip) < bytes)
        memcpy(ret, text + strlen(skip), strlen(text) - strlen(skip) + 1);
    free(text);
}

void guest_name(uint32_t domid, char ret_name[GUEST_NAME_BYTES],
                char ret_uuid[GUEST_UUID_BYTES])
{
    struct xs_handle *xs = xs_open(0);

    ret_name[0] = ret_uuid[0] = 0;
    if (!xs)
        return;
    read_key(xs, domid, "name", "", ret_name, GUEST_NAME_BYTES);
    read_key(xs, domid, "vm", "/vm/", ret_uuid, GUEST_UUID_BYTES);
    xs_close(xs);
}

bool guest_is_gone(uint32_t domid, const char *uuid)
{
    struct xs_handle *xs = xs_open(0);
    char now[GUEST_UUID_BYTES];
    bool gone;

    if (!xs)
        return false;
    errno = 0;
    read_key(xs, domid, "vm", "/vm/", now, sizeof(now));
    gone = now[0] ? uuid[0] && strcasecmp(now, uuid) != 0 : errno == ENOENT;
    xs_close(xs);
    return gone;
}
