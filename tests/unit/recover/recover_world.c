/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recover_world.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/saver.h"
#include "xl-migrate/domain/domain.h"
#include "xl-migrate/domain/host.h"
#include "xl-migrate/domain/monitor.h"
#include "unit/scratch.h"

struct recover_world recover_world;

static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
    size_t used = strlen(recover_world.done);
    va_list args;

    va_start(args, format);
    vsnprintf(recover_world.done + used, sizeof(recover_world.done) - used,
              format, args);
    va_end(args);
}

/* ---- the host and its domain --------------------------------------------- */

int host_open(struct host *host, const struct xcx_log *log, struct xcx_err *err)
{
    (void)log, (void)err;
    snprintf(host->boot, sizeof(host->boot), BOOT);
    return 0;
}

void host_close(struct host *host)
{
    (void)host;
}

bool domain_uuid_normalise(const char *text, char ret[DOMAIN_UUID_BYTES])
{
    (void)ret, (void)text;
    return false;
}

int domain_look_source(struct host *host, uint32_t domid, const char *uuid,
                       bool *ret_there, struct domain *ret, struct xcx_err *err)
{
    (void)host, (void)err;
    assert_string_equal(uuid, UUID);
    *ret_there =
        domid == recover_world.domid && recover_world.copy != HANDOVER_ABSENT;
    *ret = (struct domain){.domid = domid,
                           .state = recover_world.copy == HANDOVER_PAUSED
                                        ? DOMAIN_SUSPENDED
                                        : DOMAIN_RUNS};
    snprintf(ret->name, sizeof(ret->name), "g1%s",
             recover_world.suffix ? recover_world.suffix : "");
    return 0;
}

bool domain_is_away(const char *name)
{
    return strstr(name, DOMAIN_SUFFIX_AWAY) != NULL;
}

int domain_look_target(struct host *host, const char *uuid, const char *name,
                       enum handover_copy *ret_copy, uint32_t *ret_domid,
                       struct xcx_err *err)
{
    (void)host, (void)name, (void)err;
    assert_string_equal(uuid, UUID);
    *ret_copy = recover_world.copy;
    *ret_domid = recover_world.copy ? recover_world.domid : 0;
    return 0;
}

int domain_look_copy(struct host *host, uint32_t domid, const char *uuid,
                     const char *name, enum handover_copy *ret_copy,
                     struct xcx_err *err)
{
    (void)host, (void)name, (void)err;
    *ret_copy = domid == recover_world.domid && !recover_world.is_other_uuid &&
                        !strcmp(uuid, UUID)
                    ? recover_world.copy
                    : HANDOVER_ABSENT;
    return 0;
}

int domain_find_other(struct host *host, const char *uuid, uint32_t but,
                      uint32_t *ret_domid, struct xcx_err *err)
{
    (void)host, (void)uuid, (void)err;
    *ret_domid = recover_world.copy && recover_world.domid != but
                     ? recover_world.domid
                     : recover_world.twin;
    return 0;
}

int domain_get(struct host *host, uint32_t domid, struct domain *ret,
               struct xcx_err *err)
{
    bool there;

    domain_look_source(host, domid, UUID, &there, ret, err);
    snprintf(ret->uuid, sizeof(ret->uuid), UUID);
    return there ? 0 : xcx_err_set(err, XCX_ERR_USAGE, 0, "no domain");
}

int domain_find(struct host *host, const char *text, struct domain *ret,
                struct xcx_err *err)
{
    assert_string_equal(text, "g1");
    return domain_get(host, recover_world.domid, ret, err);
}

static int become(enum handover_copy copy, const char *what, uint32_t domid)
{
    note("%s %u, ", what, (unsigned)domid);
    assert_int_equal(domid, recover_world.domid);
    recover_world.copy = copy;
    return 0;
}

int domain_unpause(struct host *host, uint32_t domid, struct xcx_err *err)
{
    (void)host, (void)err;
    return become(HANDOVER_RUNNING, "unpause", domid);
}

int domain_destroy(struct host *host, uint32_t domid, struct xcx_err *err)
{
    (void)host, (void)err;
    return become(HANDOVER_ABSENT, "destroy", domid);
}

int domain_resume(struct host *host, uint32_t domid, unsigned timeout_ms,
                  struct xcx_err *err)
{
    (void)host, (void)timeout_ms, (void)err;
    return become(HANDOVER_RUNNING, "resume", domid);
}

int monitor_start(const struct domain *domain, struct xcx_err *err)
{
    (void)err;
    note("watch %u, ", (unsigned)domain->domid);
    return 0;
}

int saver_find(const char *proc_dir, uint32_t domid, struct saver *ret_saver,
               struct xcx_err *err)
{
    (void)proc_dir, (void)err;
    assert_int_equal(domid, 7);
    *ret_saver = (struct saver){.pid = recover_world.saver};
    snprintf(ret_saver->name, sizeof(ret_saver->name), "libxl-save-helper");
    return 0;
}

int __wrap_xcx_settle(uint32_t domid, const char *lock_dir,
                      const struct xcx_log *log, struct xcx_err *err);
int __wrap_xcx_settle(uint32_t domid, const char *lock_dir,
                      const struct xcx_log *log, struct xcx_err *err)
{
    (void)log;
    assert_string_equal(lock_dir, "/locks");
    note("settle %u, ", (unsigned)domid);
    if (recover_world.nr_busy && recover_world.nr_busy--)
        return xcx_err_set(err, XCX_ERR_GUEST, EBUSY, "a save is at work");
    return recover_world.settle_fails
               ? xcx_err_set(err, XCX_ERR_GUEST, 0, "a save is running")
               : 0;
}

/* ---- its keys ------------------------------------------------------------ */

int xenstore_read(struct xs_handle *xs, uint32_t domid,
                  const char *const *subtrees, unsigned nr_subtrees,
                  struct xenstore_tree *ret, struct xcx_err *err)
{
    static struct xenstore_entry entry = {.path = (char *)"data/x"};

    (void)xs, (void)err;
    assert_int_equal(domid, recover_world.domid);
    assert_int_equal(nr_subtrees, 4);
    assert_string_equal(subtrees[0], "data");
    assert_string_equal(subtrees[3], "mine");
    *ret = (struct xenstore_tree){.entries = &entry, .nr_entries = 1};
    return 0;
}

int xenstore_read_named(struct xs_handle *xs, uint32_t domid, const char *dir,
                        const char *begin, struct xenstore_tree *ret,
                        struct xcx_err *err)
{
    (void)xs, (void)domid, (void)ret, (void)err;
    assert_string_equal(dir, "control");
    assert_string_equal(begin, "feature-");
    return 0;
}

void xenstore_tree_done(struct xenstore_tree *tree)
{
    (void)tree;
}

/* ---- the target, as the source sees it ----------------------------------- */

static int on_reattach(struct peer *peer, const struct journal_case *about,
                       bool *ret_known, struct xcx_err *err)
{
    (void)peer, (void)about, (void)err;
    *ret_known = true;
    return 0;
}

static int on_put_entry(struct peer *peer, const struct xenstore_entry *entry,
                        struct xcx_err *err)
{
    (void)peer;
    note("%s, ", entry->path);
    return recover_world.nr_lost && recover_world.nr_lost--
               ? xcx_err_set(err, XCX_ERR_IO, 0, "host2: gone")
               : 0;
}

static int on_say(struct peer *peer, enum handover_word word,
                  struct xcx_err *err)
{
    (void)peer, (void)err;
    note("%s, ", word == HANDOVER_SAY_GO      ? "GO"
                 : word == HANDOVER_SAY_ABORT ? "ABORT"
                                              : "DONE");
    return 0;
}

static int on_hear(struct peer *peer, uint64_t deadline_ns,
                   struct peer_message *ret, struct xcx_err *err)
{
    (void)peer, (void)deadline_ns, (void)err;
    *ret = (struct peer_message){.news = PEER_SETTLED};
    if (recover_world.answer) {
        *ret = (struct peer_message){.news = PEER_WORD,
                                     .word = recover_world.answer};
        recover_world.answer = HANDOVER_SAY_NOTHING;
    }
    return 0;
}

static void on_close(struct peer *peer)
{
    (void)peer;
}

int peer_open(const struct peer_address *address, struct peer **ret,
              struct xcx_err *err)
{
    static const struct peer_ops ops = {.reattach = on_reattach,
                                        .put_entry = on_put_entry,
                                        .say = on_say,
                                        .hear = on_hear,
                                        .close = on_close};
    static struct peer peer = {.ops = &ops, .plugin = true};

    (void)err;
    assert_string_equal(address->host, "host2");
    recover_world.kind = address->kind;
    *ret = &peer;
    return 0;
}

/* ---- a case -------------------------------------------------------------- */

static void leave_case(const struct recover_situation *at)
{
    struct journal_case about = {.id = ID,
                                 .side = at->side,
                                 .uuid = UUID,
                                 .peer = "host2",
                                 .stay_paused = at->stay_paused,
                                 .stock = at->stock};
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;

    snprintf(about.name, sizeof(about.name), "%s",
             at->guest ? at->guest : "g1");
    snprintf(about.boot, sizeof(about.boot), "%s", at->boot);
    if (journal_create(&journal, scratch_dir, &about, &err) ||
        (at->built && journal_append_built(&journal, 7, UUID, &err)) ||
        (at->entry &&
         journal_append(&journal, at->entry, at->unseen ? 0 : 7, &err)))
        fail_msg("%s", err.msg);
    journal_close(&journal);
}

void recover_world_check_case(const struct recover_situation *at)
{
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;
    char path[PATH_MAX];

    if (at->settled) {
        assert_int_equal(
            journal_open(&journal, scratch_dir, ID, at->side, &err), -1);
        assert_non_null(strstr(err.msg, "no such case"));
        return;
    }
    if (journal_open(&journal, scratch_dir, ID, at->side, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(journal.entry, at->then);
    snprintf(path, sizeof(path), "%s", journal.path);
    journal_close(&journal);
    unlink(path);
}

enum exit_status recover_world_run(const char *what, enum peer_kind kind,
                                   bool fenced, char *said)
{
    const struct recover_options options = {
        .what = what, .kind = kind, .target_is_fenced = fenced};
    struct config config = {.lock_dir = "/locks",
                            .reconnect_timeout_s = 5,
                            .xenstore_keys = {.nr = 1, .key = {"mine"}}};
    int fd = memfd_create("said", MFD_CLOEXEC), status;
    int out = dup(STDOUT_FILENO), errors = dup(STDERR_FILENO);
    ssize_t nr_bytes;

    snprintf(config.journal_dir, sizeof(config.journal_dir), "%s", scratch_dir);
    fflush(NULL);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    status = recover_run(&options, &config);
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    nr_bytes = pread(fd, said, TEXT_BYTES - 1, 0);
    said[nr_bytes < 0 ? 0 : nr_bytes] = 0;
    close(fd);
    close(out);
    close(errors);
    return (enum exit_status)status;
}

void recover_world_begin(const struct recover_situation *at)
{
    memset(&recover_world, 0, sizeof(recover_world));
    recover_world.copy = at->copy;
    recover_world.suffix = at->suffix;
    recover_world.saver = at->saver;
    recover_world.domid = at->domid;
    recover_world.is_other_uuid = at->is_other_uuid;
    recover_world.settle_fails = at->settle_fails;
    recover_world.nr_busy = at->nr_busy;
    recover_world.answer = at->answer;
    recover_world.nr_lost = at->nr_lost;
    leave_case(at);
}
