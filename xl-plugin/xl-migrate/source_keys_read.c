/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source_keys.h"

#define NR_OWN_KEYS 3

int source_keys_read(struct xs_handle *xs, uint32_t domid,
                     const struct config_xenstore_keys *more,
                     struct xenstore_tree *ret, struct xcx_err *err)
{
    const char *keys[NR_OWN_KEYS + CONFIG_MAX_XENSTORE_KEYS] = {"data", "attr",
                                                                "vm-data"};

    for (unsigned i = 0; i < more->nr; i++)
        keys[NR_OWN_KEYS + i] = more->key[i];
    /* First the few by which a toolstack at the target goes. */
    return xenstore_read_named(xs, domid, "control", "feature-", ret, err) ||
                   xenstore_read(xs, domid, keys, NR_OWN_KEYS + more->nr, ret,
                                 err)
               ? -1
               : 0;
}
