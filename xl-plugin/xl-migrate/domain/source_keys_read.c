/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source_keys_read.h"

#include <stdio.h>

#include "guest_keys.h"

int source_keys_read(struct xs_handle *xs, uint32_t domid,
                     const struct config_xenstore_keys *more,
                     struct xenstore_tree *ret, struct xcx_err *err)
{
    const char *keys[GUEST_KEYS_NR_SUBTREES + CONFIG_MAX_XENSTORE_KEYS];
    unsigned nr_keys = 0;

    for (unsigned i = 0; i < GUEST_KEYS_NR_SUBTREES; i++)
        keys[nr_keys++] = guest_keys_subtrees[i];
    for (unsigned i = 0; i < more->nr; i++)
        keys[nr_keys++] = more->key[i];
    /* First the few by which a toolstack at the target goes. */
    return xenstore_read_named(xs, domid, GUEST_KEYS_CONTROL,
                               GUEST_KEYS_FEATURE, ret, err) ||
                   xenstore_read(xs, domid, keys, nr_keys, ret, err)
               ? -1
               : 0;
}

void source_keys_survey(struct xs_handle *xs, uint32_t domid,
                        const struct config_xenstore_keys *more, char *text,
                        size_t room_bytes)
{
    struct xenstore_tree tree = {0};
    struct xcx_err why = XCX_ERR_INIT;

    text[0] = 0;
    if (source_keys_read(xs, domid, more, &tree, &why))
        snprintf(text, room_bytes, "%.200s", why.msg);
    else if (tree.nr_left_out)
        snprintf(text, room_bytes, "%u of them, the first: %s",
                 tree.nr_left_out, tree.left_out);
    xenstore_tree_done(&tree);
}
