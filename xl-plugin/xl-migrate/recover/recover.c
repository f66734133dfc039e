/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recover.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xl-migrate/handover/cases.h"
#include "xl-migrate/handover/cases_incoming.h"
#include "common/exit_status.h"
#include "common/deadline.h"
#include "xl-migrate/domain/domain.h"
#include "xl-migrate/handover/handover_run.h"
#include "xl-migrate/domain/host.h"
#include "common/lines.h"
#include "recover_tell.h"
#include "xl-migrate/wire/rendezvous.h"
#include "settle.h"
#include "source_domain.h"
#include "source_keys.h"
#include "target_domain.h"
#include "xl-migrate/wire/transport_ssh.h"

#define ANSWER_NS (30 * NS_PER_S)
/*
 * Less than send's: at boot nobody cancels it, and guests wait to be started.
 * A second connection may be silent for as long again.
 */
#define WATCHED_NS (300 * NS_PER_S)
/* A process that has a case and is not busy lets go of it at once. */
#define LET_GO_MS 10000
#define S_PER_H   3600

struct recover {
    const struct recover_options *options;
    const struct config *config;
    struct xcx_log log;
    struct host host;
    char ssh[2 * CONFIG_TEXT_BYTES];
    struct peer_address address;
    struct journal journal; /* of the case at hand */
    struct source_domain source;
    struct target_domain target;
    bool by_domid; /* what was asked for is no ID, name or UUID */
    unsigned nr_found;
    unsigned nr_held;   /* whose they are could not be seen */
    unsigned nr_unread; /* that cannot be read, and may be another's */
    struct recover_tell tell;
};

static void on_log(void *opaque, enum xcx_log_level level, const char *line)
{
    const struct recover *recover = opaque;

    if (level >= XCX_LOG_INFO &&
        (unsigned long)level >= recover->config->log_level)
        fprintf(stderr, "xl-migrate recover: %s\n", line);
}

/* ---- the source's end ---------------------------------------------------- */

static int on_look(void *opaque, enum handover_copy *ret_copy,
                   uint32_t *ret_domid, struct xcx_err *err)
{
    struct recover *recover = opaque;

    return source_domain_look(&recover->source, ret_copy, ret_domid, err);
}

static int on_act(void *opaque, enum handover_act act, struct xcx_err *err)
{
    struct recover *recover = opaque;

    return source_domain_act(&recover->source, act, err);
}

static int on_connect(void *opaque, struct peer **ret, struct xcx_err *err)
{
    struct recover *recover = opaque;
    int rc = peer_open(&recover->address, ret, err);

    recover->address.again = true;
    return rc;
}

static int on_let_go(void *opaque, struct peer *peer, struct xcx_err *err)
{
    struct recover *recover = opaque;

    return source_keys_send(&recover->source, &recover->config->xenstore_keys,
                            peer, &recover->log, err);
}

static const char *on_seen(void *opaque)
{
    struct recover *recover = opaque;

    return source_domain_seen(&recover->source);
}

static void on_told(void *opaque, const struct peer_message *message)
{
    const struct recover *recover = opaque;

    xcx_log(&recover->log, message->level, "%s: %s", recover->address.host,
            message->text);
}

static enum handover_event first_event(const struct recover *recover)
{
    if (recover->options->target_is_fenced)
        return HANDOVER_FENCE;
    return recover->journal.entry <= HANDOVER_SUSPENDING ? HANDOVER_WITHDRAW
                                                         : HANDOVER_LOOK;
}

static int settle_source(struct recover *recover, struct settle_result *ret,
                         struct xcx_err *err)
{
    const struct settle_ops ops = {.opaque = recover,
                                   .look = on_look,
                                   .act = on_act,
                                   .connect = on_connect,
                                   .let_go = on_let_go,
                                   .seen = on_seen,
                                   .told = on_told};
    struct peer *peer = NULL;
    const struct settle_params params = {
        .journal = &recover->journal,
        .ops = &ops,
        .peer = &peer,
        .first = first_event(recover),
        .begun = recover->journal.entry != HANDOVER_NONE,
        .reconnect_ns = recover->config->reconnect_timeout_s * NS_PER_S,
        .answer_ns = ANSWER_NS,
        .watched_ns = WATCHED_NS,
    };
    int rc = settle(&params, ret, err);

    peer_close(&peer);
    return rc;
}

/* A case of which nothing was offered: nothing was begun. */
static void drop(struct recover *recover, const struct journal_case *about)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (journal_remove(&recover->journal, &err))
        recover_tell_fault(&recover->tell, about->id, err.msg);
    else
        lines_print(stdout, "%s: %s was never offered; nothing to do",
                    about->id, about->name);
}

/* First: the target may not be reached for long, and the guest is slowed. */
static int lift_leftovers(struct recover *recover, struct xcx_err *err)
{
    enum handover_copy copy;
    uint32_t domid;

    if (source_domain_look(&recover->source, &copy, &domid, err))
        return -1;
    if (copy == HANDOVER_RUNNING)
        source_domain_settle(&recover->source, domid);
    return 0;
}

/*
 * The answer of one kind of target is none for a case of the other: a target
 * that was rebooted has no copy, which after GO means that a stock one has let
 * it run.
 */
static enum peer_kind kind_of(const struct recover *recover,
                              const struct journal_case *about)
{
    if (about->stock)
        return PEER_STOCK;
    return about->tells_stock ? PEER_PLUGIN : recover->options->kind;
}

static void recover_source(struct recover *recover)
{
    struct journal_case about = recover->journal.about;
    uint32_t domid = recover->journal.domid;
    struct xcx_err err = XCX_ERR_INIT;
    struct settle_result result;
    int lock_fd = -1;

    if (recover->journal.entry == HANDOVER_NONE) {
        drop(recover, &about);
        return;
    }
    recover->address.host = about.peer;
    recover->address.kind = kind_of(recover, &about);
    recover->address.again = false;
    if (recover->options->target_is_fenced)
        lines_print(
            stderr,
            "xl-migrate recover: %s: if %s runs %s after all, its disks "
            "will be destroyed; and what it wrote there since it was let "
            "go is newer than its memory here",
            about.id, about.peer, about.name);
    if (cases_lock_domain(recover->config->journal_dir, about.uuid, &lock_fd,
                          &err) ||
        lift_leftovers(recover, &err) ||
        settle_source(recover, &result, &err)) {
        recover_tell_fault(&recover->tell, about.id, err.msg);
    } else {
        if (result.place == HANDOVER_HERE && result.copy == HANDOVER_RUNNING)
            source_domain_watch(&recover->source, domid);
        recover_tell_source(&recover->tell, &about, &result);
    }
    cases_unlock_domain(recover->config->journal_dir, about.uuid, &lock_fd);
}

/* ---- the target's end ---------------------------------------------------- */

static int target_look(void *opaque, enum handover_copy *ret_copy,
                       uint32_t *ret_domid, struct xcx_err *err)
{
    struct recover *recover = opaque;

    return target_domain_look(&recover->target, ret_copy, ret_domid, err);
}

static int target_act(void *opaque, enum handover_act act, struct xcx_err *err)
{
    struct recover *recover = opaque;

    return target_domain_act(&recover->target, act, err);
}

/* The source asks; nobody is connected now. */
static int target_say(void *opaque, enum handover_word word, const char *text,
                      struct xcx_err *err)
{
    (void)opaque;
    (void)word;
    (void)text;
    return xcx_err_set(err, XCX_ERR_IO, 0, "the source is not connected");
}

static void recover_target(struct recover *recover)
{
    const struct handover_seam seam = {.opaque = recover,
                                       .look = target_look,
                                       .act = target_act,
                                       .say = target_say};
    const struct journal *journal = &recover->journal;
    struct handover_outcome outcome;
    struct xcx_err err = XCX_ERR_INIT;
    /* The receiver is gone: a copy that was not whole never will be. */
    enum handover_event event =
        journal->entry ? HANDOVER_LOOK : HANDOVER_GIVE_UP;

    if (handover_run(&recover->journal, &seam, event, &outcome, &err))
        recover_tell_fault(&recover->tell, journal->about.id, err.msg);
    else
        recover_tell_target(&recover->tell, &journal->about, &outcome);
}

/* ---- all of them --------------------------------------------------------- */

/* A domid counts only for this boot: others had the number before. */
static bool has_domid(const struct recover *recover,
                      const struct journal *journal, const char *what)
{
    char domid[16];

    snprintf(domid, sizeof(domid), "%u", (unsigned)journal->domid);
    return journal->domid && !strcmp(what, domid) &&
           !strcmp(journal->about.boot, recover->host.boot);
}

static bool is_asked_for(const struct recover *recover,
                         const struct journal *journal)
{
    const struct journal_case *about = &journal->about;
    const char *what = recover->options->what;
    char uuid[DOMAIN_UUID_BYTES];

    if (recover->options->target_is_fenced && about->side == JOURNAL_TARGET)
        return false;
    if (recover->by_domid)
        return has_domid(recover, journal, what);
    return !what || !strcmp(what, about->id) || !strcmp(what, about->name) ||
           (domain_uuid_normalise(what, uuid) && !strcmp(uuid, about->uuid));
}

/*
 * Leaves the case of another guest alone, whatever its state. A journal that
 * cannot be read stops nobody who asks for a guest by its name: a source has
 * one case of a guest at a time, and that one was read.
 */
static bool is_another_s(struct recover *recover, const struct case_name *name)
{
    struct xcx_err why = XCX_ERR_INIT;
    struct journal seen;

    if (!recover->options->what || !strcmp(recover->options->what, name->id))
        return false;
    if (!journal_peek(&seen, recover->config->journal_dir, name->id, name->side,
                      &why))
        return !is_asked_for(recover, &seen);
    if (why.kind == XCX_ERR_USAGE)
        return true;
    xcx_log(&recover->log, XCX_LOG_WARN,
            "%s: %s; passed over: whether it is about \"%.60s\" cannot be seen",
            name->id, why.msg, recover->options->what);
    recover->nr_unread++;
    return true;
}

/* USAGE: it has been settled meanwhile. */
static int open_case(struct recover *recover, const struct case_name *name,
                     struct xcx_err *err)
{
    const struct config *config = recover->config;
    struct xcx_err first = XCX_ERR_INIT, asked = XCX_ERR_INIT;

    if (!journal_open(&recover->journal, config->journal_dir, name->id,
                      name->side, &first))
        return 0;
    if (first.kind != XCX_ERR_RESOURCE || name->side != JOURNAL_TARGET) {
        *err = first;
        return -1;
    }
    if (!rendezvous_ask_if_lost(config->run_dir, name->id,
                                deadline_in_ms(LET_GO_MS), &asked))
        return journal_open(&recover->journal, config->journal_dir, name->id,
                            name->side, err);
    *err = asked.kind == XCX_ERR_IO ? asked : first;
    return -1;
}

static void recover_one(struct recover *recover, const struct case_name *name)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (is_another_s(recover, name))
        return;
    if (open_case(recover, name, &err)) {
        if (err.kind != XCX_ERR_USAGE) {
            recover_tell_fault(&recover->tell, name->id, err.msg);
            recover->nr_held++;
        }
        return;
    }
    if (is_asked_for(recover, &recover->journal)) {
        recover->nr_found++;
        recover->tell.domid = recover->journal.domid;
        if (name->side == JOURNAL_SOURCE)
            recover_source(recover);
        else
            recover_target(recover);
    }
    journal_close(&recover->journal);
}

/* By its ID; all of them if it is none. */
static void recover_named(struct recover *recover,
                          const struct case_name *names, unsigned nr)
{
    const char *what = recover->options->what;
    bool is_id = false;

    for (unsigned i = 0; what && i < nr; i++)
        is_id = is_id || !strcmp(what, names[i].id);
    for (unsigned i = 0; i < nr; i++) {
        if (!is_id || !strcmp(what, names[i].id))
            recover_one(recover, &names[i]);
    }
}

/* A name of digits is a name first: a fence must not be put up for another. */
static int recover_all(struct recover *recover, struct xcx_err *err)
{
    struct case_name *names = NULL;
    unsigned nr = 0;

    if (cases_list(recover->config->journal_dir, &names, &nr, err))
        return -1;
    recover_named(recover, names, nr);
    recover->by_domid = recover->options->what && !recover->nr_found &&
                        !recover->nr_held && !recover->nr_unread;
    if (recover->by_domid)
        recover_named(recover, names, nr);
    free(names);
    if (recover->nr_unread && !recover->nr_found)
        recover_tell_fault(&recover->tell, "",
                           "no case that can be read is about it: mend or "
                           "remove the journals that cannot, then try again");
    cases_expire(recover->config->journal_dir, recover->host.boot,
                 recover->config->decided_keep_h * S_PER_H,
                 target_domain_is_left, &recover->host, &recover->log);
    return 0;
}

int recover_run(const struct recover_options *options,
                const struct config *config)
{
    struct recover recover = {
        .options = options,
        .config = config,
        .journal = JOURNAL_INIT,
        .tell = {.worst = EXIT_STATUS_DONE,
                 .target_is_fenced = options->target_is_fenced},
    };
    struct xcx_err err = XCX_ERR_INIT;

    signal(SIGPIPE, SIG_IGN);
    recover.log = (struct xcx_log){.emit = on_log, .opaque = &recover};
    transport_ssh_command(options->ssh ? options->ssh : config->remote_command,
                          (unsigned)config->peer_timeout_s, recover.ssh,
                          sizeof(recover.ssh));
    recover.address = (struct peer_address){
        .ssh = recover.ssh,
        .timeout_s = (unsigned)config->peer_timeout_s,
        .log = &recover.log,
    };
    recover.source = (struct source_domain){
        .host = &recover.host,
        .journal = &recover.journal,
        .lock_dir = config->lock_dir[0] ? config->lock_dir : NULL,
        .log = &recover.log,
    };
    recover.tell.host = &recover.host;
    recover.tell.source = &recover.source;
    recover.target = (struct target_domain){.host = &recover.host,
                                            .journal = &recover.journal};
    if (host_open(&recover.host, &recover.log, &err) ||
        recover_all(&recover, &err)) {
        fprintf(stderr, "xl-migrate recover: %s\n", err.msg);
        recover.tell.worst = EXIT_STATUS_UNDECIDED;
    } else if (!recover.nr_found && !recover.nr_held && !recover.nr_unread &&
               options->what) {
        lines_print(stderr, "xl-migrate recover: no case of \"%.60s\" in %s",
                    options->what, config->journal_dir);
        recover.tell.worst = EXIT_STATUS_USAGE;
    } else if (!recover.nr_found && recover.tell.worst == EXIT_STATUS_DONE) {
        printf("no case is open in %s\n", config->journal_dir);
    }
    host_close(&recover.host);
    return (int)recover.tell.worst;
}
