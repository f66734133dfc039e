/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "target_domain.h"

#include <string.h>

#include "xl-migrate/domain/domain.h"

/* The UUID of the domain that its journal names. */
static const char *own_uuid(const struct journal *journal)
{
    return *journal->built_uuid ? journal->built_uuid : journal->about.uuid;
}

int target_domain_look(void *opaque, enum handover_copy *ret_copy,
                       uint32_t *ret_domid, struct xcx_err *err)
{
    struct target_domain *target = opaque;
    const struct journal *journal = target->journal;
    enum handover_copy copy = HANDOVER_ABSENT;

    target->domid = 0;
    if (journal->domid && !strcmp(journal->about.boot, target->host->boot) &&
        domain_look_copy(target->host, journal->domid, own_uuid(journal),
                         journal->about.name, &copy, err))
        return -1;
    if (copy != HANDOVER_ABSENT)
        target->domid = journal->domid;
    if (journal->about.stay_paused && journal->entry == HANDOVER_STARTING &&
        copy == HANDOVER_PAUSED)
        copy = HANDOVER_RUNNING;
    *ret_copy = copy;
    *ret_domid = target->domid;
    return 0;
}

int target_domain_find_other(const struct target_domain *target,
                             uint32_t *ret_domid, struct xcx_err *err)
{
    const struct journal *journal = target->journal;
    bool is_ours = !strcmp(own_uuid(journal), journal->about.uuid) &&
                   !strcmp(journal->about.boot, target->host->boot);

    return domain_find_other(target->host, journal->about.uuid,
                             is_ours ? journal->domid : 0, ret_domid, err);
}

bool target_domain_is_left(void *opaque, const struct journal *journal)
{
    struct target_domain target = {.host = opaque, .journal = journal};
    enum handover_copy copy;
    uint32_t domid;

    return target_domain_look(&target, &copy, &domid, NULL) ||
           copy != HANDOVER_ABSENT;
}

int target_domain_act(void *opaque, enum handover_act act, struct xcx_err *err)
{
    const struct target_domain *target = opaque;

    switch (act) {
    case HANDOVER_DO_UNPAUSE:
        return target->journal->about.stay_paused
                   ? 0
                   : domain_unpause(target->host, target->domid, err);
    case HANDOVER_DO_DESTROY:
        return domain_destroy(target->host, target->domid, err);
    default:
        return xcx_err_set(err, XCX_ERR_BUG, 0, "no target does this");
    }
}
