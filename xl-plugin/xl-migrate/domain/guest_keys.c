/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest_keys.h"

#include <string.h>

const char *const guest_keys_subtrees[GUEST_KEYS_NR_SUBTREES] = {"data", "attr",
                                                                 "vm-data"};

static bool is_in(const char *path, const char *subtree)
{
    size_t nr_bytes = strlen(subtree);

    return !strncmp(path, subtree, nr_bytes) &&
           (!path[nr_bytes] || path[nr_bytes] == '/');
}

static bool is_feature(const char *path)
{
    static const char begin[] = GUEST_KEYS_CONTROL "/" GUEST_KEYS_FEATURE;
    const char *name = path + sizeof(begin) - 1;

    return !strncmp(path, begin, sizeof(begin) - 1) && *name &&
           !strchr(name, '/');
}

bool guest_keys_allow(const char *path, const struct config_xenstore_keys *more)
{
    for (unsigned i = 0; i < GUEST_KEYS_NR_SUBTREES; i++) {
        if (is_in(path, guest_keys_subtrees[i]))
            return true;
    }
    for (unsigned i = 0; i < more->nr; i++) {
        if (is_in(path, more->key[i]))
            return true;
    }
    return is_feature(path);
}

void guest_keys_restrict(struct xenstore_entry *entry)
{
    struct xenstore_perm *owner = &entry->perms[0];

    if (!entry->nr_perms || owner->domid == XENSTORE_SELF)
        return;
    if (owner->access == 'w')
        owner->access = 'n';
    else if (owner->access == 'b')
        owner->access = 'r';
}
