/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cases_incoming.h"

#include <string.h>
#include <time.h>

#include "cases.h"

struct incoming {
    const char *dir;
    const struct journal_case *about;
    const struct xcx_log *log;
};

static bool is_undecided_source(const struct journal *journal)
{
    return journal->entry >= HANDOVER_OFFERED && journal->entry <= HANDOVER_GO;
}

/* After another boot there is no copy of it any more. */
static bool is_open_target(const struct journal *journal, const char *boot)
{
    return strcmp(journal->about.boot, boot) == 0 &&
           (journal->entry == HANDOVER_NONE ||
            journal->entry == HANDOVER_READY ||
            journal->entry == HANDOVER_STARTING);
}

static int refuse_for_source(const struct journal_case *open,
                             struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "%.60s: its migration %s from here to %.60s is not "
                       "settled: run xl-migrate recover %s here",
                       open->name, open->id, open->peer, open->id);
}

static int refuse_for_target(const struct incoming *incoming,
                             const struct journal_case *open,
                             struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;
    struct journal journal;
    bool held =
        journal_open(&journal, incoming->dir, open->id, open->side, &why) != 0;

    if (!held)
        journal_close(&journal);
    /* The case has been settled meanwhile. */
    if (held && why.kind == XCX_ERR_USAGE)
        return 0;
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "%.60s is being received already: migration %s from "
                       "%.60s%s",
                       open->name, open->id, open->peer,
                       held ? ""
                            : "; its receiver is gone: run xl-migrate recover "
                              "here, and there");
}

static int check_one(void *opaque, const struct case_name *name,
                     struct xcx_err *err)
{
    const struct incoming *incoming = opaque;
    struct journal seen;

    if (cases_peek(incoming->dir, name, incoming->log, &seen) ||
        strcmp(seen.about.uuid, incoming->about->uuid) != 0)
        return 0;
    if (name->side == JOURNAL_SOURCE)
        return is_undecided_source(&seen) ? refuse_for_source(&seen.about, err)
                                          : 0;
    return is_open_target(&seen, incoming->about->boot)
               ? refuse_for_target(incoming, &seen.about, err)
               : 0;
}

int cases_check_incoming(const char *dir, const struct journal_case *about,
                         const struct xcx_log *log, struct xcx_err *err)
{
    struct incoming incoming = {.dir = dir, .about = about, .log = log};

    return cases_each(dir, check_one, &incoming, err);
}

/* ---- what has had its time ----------------------------------------------- */

struct expiry {
    const char *dir, *boot;
    uint64_t keep_s;
    cases_has_copy *has_copy;
    void *opaque;
    const struct xcx_log *log;
};

static bool is_old(const struct journal *journal, uint64_t keep_s)
{
    uint64_t now_s = (uint64_t)time(NULL);

    return keep_s && journal->time_s && journal->time_s < now_s &&
           now_s - journal->time_s > keep_s;
}

static bool has_expired(const struct expiry *expiry,
                        const struct journal *journal)
{
    if (journal->entry != HANDOVER_ABORTED &&
        journal->entry != HANDOVER_STARTED)
        return false;
    if (journal->entry == HANDOVER_ABORTED && !journal->was_ready &&
        strcmp(journal->about.boot, expiry->boot) != 0)
        return true;
    return is_old(journal, expiry->keep_s) &&
           (journal->entry == HANDOVER_STARTED ||
            !expiry->has_copy(expiry->opaque, journal));
}

/* Looked at once more under its lock; what cannot be removed is tried again. */
static int expire_one(void *opaque, const struct case_name *name,
                      struct xcx_err *err)
{
    const struct expiry *expiry = opaque;
    struct journal journal;

    (void)err;
    if (name->side != JOURNAL_TARGET ||
        cases_peek(expiry->dir, name, NULL, &journal) ||
        !has_expired(expiry, &journal) ||
        journal_open(&journal, expiry->dir, name->id, name->side, NULL))
        return 0;
    if (has_expired(expiry, &journal) && !journal_remove(&journal, NULL))
        xcx_log(expiry->log, XCX_LOG_INFO,
                "case %s of %.60s, which %.60s never settled, has expired",
                name->id, journal.about.name, journal.about.peer);
    journal_close(&journal);
    return 0;
}

void cases_expire(const char *dir, const char *boot, uint64_t keep_s,
                  cases_has_copy *has_copy, void *opaque,
                  const struct xcx_log *log)
{
    struct expiry expiry = {.dir = dir,
                            .boot = boot,
                            .keep_s = keep_s,
                            .has_copy = has_copy,
                            .opaque = opaque,
                            .log = log};

    cases_each(dir, expire_one, &expiry, NULL);
}
