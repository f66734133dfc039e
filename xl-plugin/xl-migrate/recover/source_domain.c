/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source_domain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/saver.h"
#include "xl-migrate/domain/domain.h"
#include "xl-migrate/handover/handover_run.h"
#include "xl-migrate/domain/monitor.h"

/* Each; in between the target is told to give up its copy. */
#define RESUME_MS 2000

static void __attribute__((format(printf, 2, 3)))
see(struct source_domain *source, const char *format, ...)
{
    size_t used;
    va_list args;

    snprintf(source->seen, sizeof(source->seen), "%.80s (domain %" PRIu32 ") ",
             source->journal->about.name, source->journal->domid);
    used = strlen(source->seen);
    va_start(args, format);
    vsnprintf(source->seen + used, sizeof(source->seen) - used, format, args);
    va_end(args);
}

/* Before the case's own request nobody but another program can have asked. */
static bool has_not_asked(const struct journal *journal)
{
    return journal->entry == HANDOVER_NONE ||
           (journal->entry == HANDOVER_OFFERED &&
            !journal->about.suspends_unnoted);
}

/* The copy is the case's to resume or to give away, unless others have it. */
static bool is_at_stake(enum handover_entry entry)
{
    return entry <= HANDOVER_GO || entry == HANDOVER_RESUMED ||
           entry == HANDOVER_FENCED;
}

/*
 * The guest was suspended for this migration, but a save helper that is at work
 * on it takes any suspension for its own: libxl gives up waiting for the
 * guest's acknowledgement after a minute, and goes on all the same.
 */
static int look_for_saver(struct source_domain *source, bool *ret_taken,
                          struct xcx_err *err)
{
    struct saver saver;

    if (saver_find(SAVER_PROC, source->journal->domid, &saver, err))
        return -1;
    *ret_taken = saver.pid != 0;
    if (*ret_taken)
        see(source, "is being saved or moved by process %d (%.60s)",
            (int)saver.pid, saver.name);
    return 0;
}

/* Whether another program holds the copy, which is there and at stake. */
static bool is_taken(struct source_domain *source, const struct domain *domain)
{
    if (domain_is_away(domain->name)) {
        see(source, "is called %.100s: xl migrate has moved it, or is about to",
            domain->name);
        return true;
    }
    if (!domain->name[0] && source->journal->about.name[0]) {
        see(source, "has no name any more: another program is destroying it");
        return true;
    }
    if (domain->state == DOMAIN_SUSPENDED &&
        (source->is_another_s || has_not_asked(source->journal))) {
        see(source, "is suspended, and not for this migration: another program "
                    "saves or moves it");
        return true;
    }
    return false;
}

int source_domain_look(void *opaque, enum handover_copy *ret_copy,
                       uint32_t *ret_domid, struct xcx_err *err)
{
    struct source_domain *source = opaque;
    const struct journal *journal = source->journal;
    struct domain domain;
    bool there, taken;

    *ret_domid = 0;
    *ret_copy = HANDOVER_ABSENT;
    /* Why the copy was given up stays so, whatever becomes of it. */
    if (journal->entry != HANDOVER_YIELDED)
        source->seen[0] = 0;
    if (!journal->domid || strcmp(journal->about.boot, source->host->boot) != 0)
        return 0;
    if (domain_look_source(source->host, journal->domid, journal->about.uuid,
                           &there, &domain, err))
        return -1;
    if (!there) {
        see(source, "is not on this host any more: another program has "
                    "destroyed, saved or moved it, or it has shut down");
        *ret_copy = HANDOVER_GONE;
        return 0;
    }
    *ret_domid = journal->domid;
    taken = is_at_stake(journal->entry) && is_taken(source, &domain);
    if (!taken && is_at_stake(journal->entry) &&
        domain.state == DOMAIN_SUSPENDED && look_for_saver(source, &taken, err))
        return -1;
    if (taken)
        *ret_copy = HANDOVER_TAKEN;
    else
        *ret_copy = domain.state == DOMAIN_SUSPENDED ? HANDOVER_PAUSED
                                                     : HANDOVER_RUNNING;
    return 0;
}

const char *source_domain_seen(void *opaque)
{
    const struct source_domain *source = opaque;

    return source->seen;
}

bool source_domain_way_out(const struct source_domain *source,
                           enum handover_copy copy, char *text,
                           size_t room_bytes)
{
    uint32_t domid = source->journal->domid;

    if (copy != HANDOVER_TAKEN && copy != HANDOVER_PAUSED)
        return false;
    snprintf(text, room_bytes,
             "if that program has died: where %.60s runs nowhere else, "
             "xl-migrate recover --resume %" PRIu32 " lets it go on here; "
             "where it does, xl destroy %" PRIu32,
             source->journal->about.name, domid, domid);
    return true;
}

static int say_nothing(void *opaque, enum handover_word word, const char *text,
                       struct xcx_err *err)
{
    (void)opaque;
    (void)word;
    (void)text;
    return xcx_err_set(err, XCX_ERR_BUG, 0, "the target is not told this");
}

int source_domain_note(struct source_domain *source, enum handover_event event,
                       struct xcx_err *err)
{
    const struct handover_seam seam = {.opaque = source,
                                       .look = source_domain_look,
                                       .act = source_domain_act,
                                       .say = say_nothing};
    struct handover_outcome outcome;
    struct xcx_err why = XCX_ERR_INIT;

    if (!handover_run(source->journal, &seam, event, &outcome, &why))
        return 0;
    if (source->seen[0])
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "%s", source->seen);
    return xcx_err_set(err, why.kind, 0, "%s", why.msg);
}

int source_domain_may_go(const struct source_domain *source,
                         struct xcx_err *err)
{
    const struct journal *journal = source->journal;
    struct domain domain;
    bool there;

    if (domain_look_source(source->host, journal->domid, journal->about.uuid,
                           &there, &domain, err))
        return -1;
    /* If the domain is gone, the look has said so. */
    if (!there)
        return 0;
    if (domain.state != DOMAIN_SUSPENDED)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "%.80s (domain %" PRIu32 ") does not stand still "
                           "any more: another program has resumed it",
                           journal->about.name, journal->domid);
    if (!strcmp(domain.name, journal->about.name))
        return 0;
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "%.80s is called %.80s by now: it was renamed while it "
                       "moved",
                       journal->about.name, domain.name);
}

static void warn_of_leftovers(const struct source_domain *source,
                              const struct xcx_err *why)
{
    xcx_log(source->log, XCX_LOG_WARN,
            "what a save that died has left of the guest is still there: %s",
            why->msg);
}

int source_domain_undo_leftovers(const struct source_domain *source,
                                 uint32_t domid, struct xcx_err *err)
{
    struct saver saver;

    if (saver_find(SAVER_PROC, domid, &saver, err))
        return -1;
    /* Log-dirty mode, left on by us, may be that program's by now. */
    if (saver.pid)
        return xcx_err_set(err, XCX_ERR_GUEST, EBUSY,
                           "domain %u: process %d (%.60s) is saving or "
                           "migrating it",
                           (unsigned)domid, (int)saver.pid, saver.name);
    return xcx_settle(domid, source->lock_dir, source->log, err);
}

void source_domain_settle(const struct source_domain *source, uint32_t domid)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (source_domain_undo_leftovers(source, domid, &why))
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

/* Does not resume a domain while another process is saving it. */
static int resume(const struct source_domain *source, uint32_t domid,
                  struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (source_domain_undo_leftovers(source, domid, &why)) {
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
