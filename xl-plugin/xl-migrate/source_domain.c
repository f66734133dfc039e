/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source_domain.h"

#include <errno.h>
#include <string.h>

#include "domain.h"
#include "monitor.h"

/* Each; in between the target is told to give up its copy. */
#define RESUME_MS 2000

int source_domain_look(void *opaque, enum handover_copy *ret_copy,
                       uint32_t *ret_domid, struct xcx_err *err)
{
    const struct source_domain *source = opaque;
    const struct journal *journal = source->journal;

    *ret_domid = 0;
    if (!journal->domid ||
        strcmp(journal->about.boot, source->host->boot) != 0) {
        *ret_copy = HANDOVER_ABSENT;
        return 0;
    }
    if (domain_look_source(source->host, journal->domid, journal->about.uuid,
                           ret_copy, err))
        return -1;
    if (*ret_copy != HANDOVER_ABSENT)
        *ret_domid = journal->domid;
    return 0;
}

static void warn_of_leftovers(const struct source_domain *source,
                              const struct xcx_err *why)
{
    xcx_log(source->log, XCX_LOG_WARN,
            "what a save that died has left of the guest is still there: %s",
            why->msg);
}

void source_domain_settle(const struct source_domain *source, uint32_t domid)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (xcx_settle(domid, source->lock_dir, source->log, &why))
        warn_of_leftovers(source, &why);
}

void source_domain_watch(const struct source_domain *source, uint32_t domid)
{
    struct xcx_err why = XCX_ERR_INIT;
    struct domain domain;

    if (domain_get(source->host, domid, &domain, &why) ||
        monitor_start(&domain, &why))
        xcx_log(source->log, XCX_LOG_WARN,
                "nothing will handle the guest's own reboot or poweroff: %s",
                why.msg);
}

/* One that a save is at work on is not ours to resume. */
static int resume(const struct source_domain *source, uint32_t domid,
                  struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (xcx_settle(domid, source->lock_dir, source->log, &why)) {
        if (why.os_errno == EBUSY)
            return xcx_err_set(err, why.kind, 0, "%s", why.msg);
        warn_of_leftovers(source, &why);
    }
    if (domain_resume(source->host, domid, RESUME_MS, err))
        return -1;
    source_domain_watch(source, domid);
    return 0;
}

int source_domain_act(void *opaque, enum handover_act act, struct xcx_err *err)
{
    const struct source_domain *source = opaque;
    uint32_t domid = source->journal->domid;

    switch (act) {
    case HANDOVER_DO_RESUME:
        return resume(source, domid, err);
    case HANDOVER_DO_DESTROY:
        return domain_destroy(source->host, domid, err);
    default:
        return xcx_err_set(err, XCX_ERR_BUG, 0, "no source does that");
    }
}
