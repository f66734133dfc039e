/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source_keys.h"

#include "xl-migrate/domain/source_keys_read.h"
#include "xl-migrate/domain/xenstore.h"

static int send_tree(const struct xenstore_tree *tree, struct peer *peer,
                     struct xcx_err *err)
{
    for (unsigned i = 0; i < tree->nr_entries; i++) {
        if (peer->ops->put_entry(peer, &tree->entries[i], err))
            return -1;
    }
    return 0;
}

/* Nothing, if its copy here has been let go of or runs again. */
static int read_keys(struct source_domain *source,
                     const struct config_xenstore_keys *more,
                     struct xenstore_tree *ret_tree, struct xcx_err *err)
{
    enum handover_copy copy;
    uint32_t domid;

    /* The domid may be another domain's by now. */
    if (source_domain_look(source, &copy, &domid, err))
        return -1;
    if (copy != HANDOVER_PAUSED)
        return 0;
    return source_keys_read(source->host->xs, domid, more, ret_tree, err);
}

static void warn_of_left_out(const struct source_domain *source,
                             const struct xenstore_tree *tree)
{
    if (tree->nr_left_out)
        xcx_log(source->log, XCX_LOG_WARN,
                "%u of the guest's own keys in xenstore do not move with it, "
                "the first: %s",
                tree->nr_left_out, tree->left_out);
}

int source_keys_send(struct source_domain *source,
                     const struct config_xenstore_keys *more, struct peer *peer,
                     const struct xcx_log *again_log, struct xcx_err *err)
{
    struct xenstore_tree tree = {0};
    struct xcx_err why = XCX_ERR_INIT;
    int rc = 0;

    if (!peer->ops->put_entry)
        return 0;
    if (!read_keys(source, more, &tree, again_log ? &why : err)) {
        if (!again_log)
            warn_of_left_out(source, &tree);
        rc = send_tree(&tree, peer, err);
    } else if (again_log)
        xcx_log(again_log, XCX_LOG_WARN,
                "the guest's own keys in xenstore are not sent again: %s",
                why.msg);
    else
        rc = -1;
    xenstore_tree_done(&tree);
    return rc;
}
