/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "target_domain.h"

#include <string.h>

#include "domain.h"

static bool is_the_cases(const struct journal *journal, enum handover_copy copy,
                         uint32_t domid)
{
    if (!journal->entry || domid == journal->domid)
        return true;
    /* There was none when the entry was written: a whole one is another's. */
    return !journal->domid && copy == HANDOVER_BUILDING;
}

int target_domain_look(void *opaque, enum handover_copy *ret_copy,
                       uint32_t *ret_domid, struct xcx_err *err)
{
    struct target_domain *target = opaque;
    const struct journal *journal = target->journal;
    enum handover_copy copy = HANDOVER_ABSENT;
    uint32_t domid = 0;

    target->domid = 0;
    if (!strcmp(journal->about.boot, target->host->boot) &&
        domain_look_target(target->host, journal->about.uuid,
                           journal->about.name, &copy, &domid, err))
        return -1;
    if (!is_the_cases(journal, copy, domid)) {
        copy = HANDOVER_ABSENT;
        domid = 0;
    }
    if (journal->about.stay_paused && journal->entry == HANDOVER_STARTING &&
        copy == HANDOVER_PAUSED)
        copy = HANDOVER_RUNNING;
    *ret_copy = copy;
    *ret_domid = target->domid = domid;
    return 0;
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
