/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recover_resume.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/directory.h"
#include "xl-migrate/handover/cases.h"
#include "common/exit_status.h"
#include "xl-migrate/domain/domain.h"
#include "xl-migrate/domain/host.h"
#include "common/lines.h"
#include "source_domain.h"

#define RESUME_MS 2000

struct resuming {
    const struct config *config;
    struct host host;
    struct domain domain;
};

static void on_log(void *opaque, enum xcx_log_level level, const char *line)
{
    (void)opaque;
    if (level >= XCX_LOG_INFO)
        fprintf(stderr, "xl-migrate recover: %s\n", line);
}

static const struct xcx_log to_stderr = {.emit = on_log};

/* ---- what forbids it ----------------------------------------------------- */

static bool decides(const struct journal *journal, const char *boot)
{
    enum handover_entry entry = journal->entry;

    if (journal->about.side == JOURNAL_SOURCE)
        return (entry >= HANDOVER_OFFERED && entry <= HANDOVER_RESUMED) ||
               entry == HANDOVER_FENCED;
    return !strcmp(journal->about.boot, boot) &&
           (entry == HANDOVER_NONE || entry == HANDOVER_READY ||
            entry == HANDOVER_STARTING);
}

static int check_case(void *opaque, const struct case_name *name,
                      struct xcx_err *err)
{
    const struct resuming *resuming = opaque;
    struct xcx_err why = XCX_ERR_INIT;
    struct journal seen;

    if (journal_peek(&seen, resuming->config->journal_dir, name->id, name->side,
                     &why))
        /* USAGE: the case was settled since its name was read. */
        return why.kind == XCX_ERR_USAGE
                   ? 0
                   : xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                                 "%s: which guest this case is about cannot be "
                                 "seen",
                                 why.msg);
    if (strcmp(seen.about.uuid, resuming->domain.uuid) != 0 ||
        !decides(&seen, resuming->host.boot))
        return 0;
    return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                       "the case %s decides where %.60s runs: run xl-migrate "
                       "recover %s",
                       name->id, seen.about.name, name->id);
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t name_bytes = strlen(name), suffix_bytes = strlen(suffix);

    return name_bytes >= suffix_bytes &&
           !strcmp(name + name_bytes - suffix_bytes, suffix);
}

static int check_state(const struct domain *domain, struct xcx_err *err)
{
    if (domain->state != DOMAIN_SUSPENDED)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "it is not suspended: nothing is to be resumed");
    if (domain_is_away(domain->name))
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "xl migrate has moved it, or was about to: see "
                           "whether it runs at the other host; if so, xl "
                           "destroy %" PRIu32 "; if not, rename it with xl "
                           "rename first",
                           domain->domid);
    if (!domain->name[0] || ends_with(domain->name, DOMAIN_SUFFIX_INCOMING))
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "another program makes or destroys it");
    return 0;
}

static int check_alone(struct resuming *resuming, struct xcx_err *err)
{
    uint32_t other = 0;

    if (domain_find_other(&resuming->host, resuming->domain.uuid,
                          resuming->domain.domid, &other, err))
        return -1;
    return other ? xcx_err_set(err, XCX_ERR_GUEST, 0,
                               "domain %" PRIu32 " has the same UUID", other)
                 : 0;
}

/* ---- doing it ------------------------------------------------------------ */

/* Under the domain's lock. The domain is looked at once more. */
static int resume(struct resuming *resuming, struct xcx_err *err)
{
    const struct config *config = resuming->config;
    const struct source_domain source = {
        .host = &resuming->host,
        .lock_dir = config->lock_dir[0] ? config->lock_dir : NULL,
        .log = &to_stderr,
    };
    struct xcx_err why = XCX_ERR_INIT;
    uint32_t domid = resuming->domain.domid;

    if (domain_get(&resuming->host, domid, &resuming->domain, err) ||
        check_state(&resuming->domain, err) ||
        cases_each(config->journal_dir, check_case, resuming, err) ||
        check_alone(resuming, err))
        return -1;
    if (source_domain_undo_leftovers(&source, domid, &why)) {
        if (why.os_errno == EBUSY)
            return xcx_err_set(err, why.kind, 0, "%s", why.msg);
        fprintf(stderr, "xl-migrate recover: %s\n", why.msg);
    }
    if (domain_resume(&resuming->host, domid, RESUME_MS, err))
        return -1;
    source_domain_watch(&source, domid);
    return 0;
}

static int find_and_resume(struct resuming *resuming, const char *what,
                           struct xcx_err *err)
{
    const char *dir = resuming->config->journal_dir;
    int lock_fd = -1, rc;

    if (domain_find(&resuming->host, what, &resuming->domain, err) ||
        directory_make(dir, 0700, err) ||
        cases_lock_domain(dir, resuming->domain.uuid, &lock_fd, err))
        return -1;
    rc = resume(resuming, err);
    cases_unlock_domain(dir, resuming->domain.uuid, &lock_fd);
    return rc;
}

static enum exit_status status_of(const struct xcx_err *err)
{
    if (err->kind == XCX_ERR_USAGE)
        return EXIT_STATUS_USAGE;
    return err->kind == XCX_ERR_GUEST ? EXIT_STATUS_TAKEN
                                      : EXIT_STATUS_UNDECIDED;
}

int recover_resume(const char *what, const struct config *config)
{
    struct resuming resuming = {.config = config};
    struct xcx_err err = XCX_ERR_INIT;
    enum exit_status status = EXIT_STATUS_DONE;

    if (host_open(&resuming.host, &to_stderr, &err) ||
        find_and_resume(&resuming, what, &err)) {
        lines_print(stderr, "xl-migrate recover: %.60s is not resumed: %s",
                    what, err.msg);
        status = status_of(&err);
    } else {
        lines_print(
            stdout,
            "%s (domain %" PRIu32 ") goes on here; if it was started "
            "elsewhere since it was suspended, destroy one of the two now",
            resuming.domain.name, resuming.domain.domid);
    }
    host_close(&resuming.host);
    return (int)status;
}
