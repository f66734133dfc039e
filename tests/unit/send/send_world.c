/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "send_world.h"

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
#include "xl-migrate/handover/cases.h"
#include "xl-migrate/handover/handover_run.h"
#include "xl-migrate/control/hooks.h"
#include "xl-migrate/domain/guest_log.h"
#include "xl-migrate/domain/monitor.h"
#include "xl-migrate/send/send.h"
#include "xl-migrate/send/send_check.h"
#include "xl-migrate/send/send_config.h"
#include "unit/case_sample.h"
#include "unit/scratch.h"

#define UUID "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001"
#define BOOT "0f9b1c1e-1111-4222-8333-444455556666"

struct send_world fake;

void send_world_reset(void)
{
    memset(&fake, 0, sizeof(fake));
}

static void note_told(const char *what)
{
    size_t used = strlen(fake.told);

    snprintf(fake.told + used, sizeof(fake.told) - used, "%s%s",
             used ? " " : "", what);
}

/* ---- the host and its domains -------------------------------------------- */

int host_open(struct host *host, const struct xcx_log *log, struct xcx_err *err)
{
    (void)log, (void)err;
    snprintf(host->boot, sizeof(host->boot), BOOT);
    snprintf(host->name, sizeof(host->name), "host1");
    return 0;
}

void host_close(struct host *host)
{
    (void)host;
}

const char *domain_kind_name(enum domain_kind kind)
{
    (void)kind;
    return "pvh";
}

int domain_get(struct host *host, uint32_t domid, struct domain *ret,
               struct xcx_err *err)
{
    (void)host, (void)err;
    *ret = (struct domain){.domid = domid,
                           .uuid = UUID,
                           .name = "g1",
                           .kind = DOMAIN_PVH,
                           .state = fake.state};
    return 0;
}

bool domain_is_away(const char *name)
{
    return strstr(name, "--migratedaway") != NULL;
}

int domain_find(struct host *host, const char *text, struct domain *ret,
                struct xcx_err *err)
{
    assert_string_equal(text, "g1");
    if (fake.find_fails)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s", fake.find_fails);
    return domain_get(host, 7, ret, err);
}

int domain_look_source(struct host *host, uint32_t domid, const char *uuid,
                       bool *ret_there, struct domain *ret, struct xcx_err *err)
{
    (void)uuid;
    assert_int_equal(domid, 7);
    *ret_there = fake.copy != HANDOVER_ABSENT;
    if (domain_get(host, domid, ret, err))
        return -1;
    ret->state = fake.copy == HANDOVER_PAUSED ? DOMAIN_SUSPENDED : DOMAIN_RUNS;
    if (fake.renamed)
        snprintf(ret->name, sizeof(ret->name), "%s", fake.renamed);
    return 0;
}

int domain_look_target(struct host *host, const char *uuid, const char *name,
                       enum handover_copy *ret_copy, uint32_t *ret_domid,
                       struct xcx_err *err)
{
    (void)host, (void)err;
    assert_string_equal(uuid, UUID);
    assert_string_equal(name, "g1");
    *ret_copy = fake.anew_after > 1    ? HANDOVER_ABSENT
                : fake.anew_after == 1 ? HANDOVER_BUILDING
                                       : fake.anew;
    *ret_domid = *ret_copy ? 9 : 0;
    fake.anew_after -= fake.anew_after > 0;
    return 0;
}

int domain_destroy(struct host *host, uint32_t domid, struct xcx_err *err)
{
    (void)host, (void)domid;
    /* libxl takes the lock by its name. */
    assert_int_equal(fake.held, fake.unnamed);
    if (fake.destroy_fails)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "cannot be destroyed");
    fake.copy = HANDOVER_ABSENT;
    return 0;
}

int domain_resume(struct host *host, uint32_t domid, unsigned timeout_ms,
                  struct xcx_err *err)
{
    (void)host, (void)domid, (void)timeout_ms, (void)err;
    assert_false(fake.held);
    fake.copy = HANDOVER_RUNNING;
    return 0;
}

int saver_find(const char *proc_dir, uint32_t domid, struct saver *ret_saver,
               struct xcx_err *err)
{
    (void)proc_dir, (void)err;
    assert_int_equal(domid, 7);
    *ret_saver = (struct saver){.pid = fake.saver};
    snprintf(ret_saver->name, sizeof(ret_saver->name), "libxl-save-helper");
    return 0;
}

int monitor_start(const struct domain *domain, struct xcx_err *err)
{
    (void)domain, (void)err;
    return 0;
}

int __wrap_xcx_settle(uint32_t domid, const char *lock_dir,
                      const struct xcx_log *log, struct xcx_err *err);
int __wrap_xcx_settle(uint32_t domid, const char *lock_dir,
                      const struct xcx_log *log, struct xcx_err *err)
{
    (void)domid, (void)lock_dir, (void)log, (void)err;
    if (fake.copy == HANDOVER_RUNNING && !fake.nr_same_checks)
        fake.hooks[fake.nr_hooks++] = 'u';
    return 0;
}

int xenstore_read(struct xs_handle *xs, uint32_t domid,
                  const char *const *subtrees, unsigned nr_subtrees,
                  struct xenstore_tree *ret, struct xcx_err *err)
{
    static char path[] = "data/key";
    static struct xenstore_entry entry = {.path = path};

    (void)xs;
    assert_int_equal(domid, 7);
    assert_int_equal(nr_subtrees, 3);
    assert_string_equal(subtrees[0], "data");
    if (++fake.nr_reads == fake.failing_read)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "xenstored is gone");
    *ret = (struct xenstore_tree){.entries = &entry,
                                  .nr_entries = 1,
                                  .nr_left_out = fake.left_out ? 2 : 0,
                                  .left_out = "data/aaa, 1105 bytes: too long"};
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

/* ---- what send does before and around it --------------------------------- */

int send_same_note(struct send_same *same, struct host *host,
                   const struct domain *domain, struct xcx_err *err)
{
    (void)same, (void)host, (void)domain, (void)err;
    return 0;
}

static int check_same(unsigned look, struct xcx_err *err)
{
    /* The last look, at GO, is made once nobody can change the guest. */
    assert_int_equal(fake.held, look == SEND_WORLD_GLANCE);
    fake.nr_same_checks = look;
    if (fake.changes != look)
        return 0;
    return xcx_err_set(err, XCX_ERR_GUEST, 0, "g1 was changed (disks)");
}

int send_same_check(struct send_same *same, struct host *host,
                    const struct domain *domain, struct xcx_err *err)
{
    (void)same, (void)host, (void)domain;
    return check_same(fake.nr_same_checks + 1, err);
}

int send_same_glance(const struct send_same *same, struct host *host,
                     const struct domain *domain, struct xcx_err *err)
{
    (void)same, (void)host, (void)domain;
    return check_same(SEND_WORLD_GLANCE, err);
}

void send_same_done(struct send_same *same)
{
    (void)same;
}

int send_config_json(struct host *host, const struct domain *domain,
                     const char *file, unsigned xl_ms, bool keep_domid,
                     char **ret_json, struct xcx_err *err)
{
    fake.hooks[fake.nr_hooks++] = '=';
    (void)host, (void)domain, (void)xl_ms, (void)keep_domid;
    (void)err;
    assert_false(fake.held);
    *ret_json = strdup(file ? file : "{}");
    return 0;
}

int send_hold_take(struct send_hold *hold, const char *libxl_dir,
                   const struct domain *domain, unsigned timeout_ms,
                   struct xcx_err *err)
{
    (void)hold, (void)timeout_ms;
    assert_string_equal(libxl_dir, SEND_SAME_LIBXL_DIR);
    assert_int_equal(domain->domid, 7);
    if (fake.hold_fails)
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "g1: another changes it");
    fake.held = true;
    return 0;
}

void send_hold_unname(struct send_hold *hold)
{
    (void)hold;
    fake.unnamed = fake.held;
}

void send_hold_release(struct send_hold *hold)
{
    (void)hold;
    fake.held = fake.unnamed = false;
}

void send_hold_expire(struct send_hold *hold)
{
    (void)hold;
}

int send_check(struct send_session *session, struct xcx_err *ret_refusal,
               struct xcx_err *err)
{
    snprintf(fake.checked_config, sizeof(fake.checked_config), "%s",
             session->config_json);
    if (fake.unchecked)
        return xcx_err_set(err, XCX_ERR_HYPERCALL, 0, "not checked: x");
    if (session->options->dry_run)
        printf("{check}\n");
    if (fake.refused)
        xcx_err_set(ret_refusal, XCX_ERR_GUEST, 0, "refused by a check: x");
    return 0;
}

void send_check_learn(struct send_session *session)
{
    (void)session;
}

int hooks_run(const struct hooks *hooks, enum hooks_phase phase,
              const struct hooks_case *about, struct xcx_err *err)
{
    (void)hooks, (void)about;
    /* A hook may ask xl for a configuration. */
    assert_false(fake.held);
    fake.hooks[fake.nr_hooks++] = "csStF"[phase];
    return phase == HOOKS_PRE_CHECK && fake.hook_fails
               ? xcx_err_set(err, fake.hook_fails, 0, "hook no")
               : 0;
}

/* ---- the guest's own end ------------------------------------------------- */

int guest_watch_start(struct guest_watch *watch, uint32_t domid,
                      void (*ended)(void *opaque), void *opaque,
                      struct xcx_err *err)
{
    (void)err;
    assert_int_equal(domid, 7);
    assert_false(watch->runs);
    watch->runs = true;
    if (fake.guest_end)
        ended(opaque);
    return 0;
}

enum guest_end guest_watch_stop(struct guest_watch *watch)
{
    watch->runs = false;
    return fake.guest_end;
}

enum guest_end guest_log_end(const char *log_dir, const char *name,
                             uint32_t domid)
{
    assert_string_equal(log_dir, "/var/log/xen");
    assert_string_equal(name, "g1");
    assert_int_equal(domid, 7);
    return fake.logged_end ? fake.logged_end : GUEST_DESTROYED;
}

const char *guest_end_text(enum guest_end end)
{
    return end == GUEST_REBOOTED    ? "rebooted"
           : end == GUEST_DESTROYED ? "was destroyed"
           : end == GUEST_CRASHED   ? "crashed"
                                    : "powered off";
}

int send_stream_run(struct send_stream *stream, struct xcx_err *err)
{
    bool asks = !fake.stream_fails || fake.copy_then == HANDOVER_PAUSED;

    snprintf(fake.sent_config, sizeof(fake.sent_config), "%s",
             stream->config_json);

    if (fake.stops_unasked)
        fake.copy = HANDOVER_PAUSED;
    if (asks && stream->before_suspend(stream->opaque, err))
        return -1;
    fake.copy = fake.copy_then;
    stream->times.start_ns = 1;
    stream->suspend.by_another = fake.by_another;
    return fake.stream_fails
               ? xcx_err_set(err, XCX_ERR_GUEST, 0, "%s", fake.stream_fails)
               : 0;
}

/* ---- the target ---------------------------------------------------------- */

static int on_begin(struct peer *peer, const struct peer_begin *begin,
                    int *ret_data_fd, struct xcx_err *err)
{
    fake.journal_is_stock = begin->about->stock;
    *ret_data_fd = -1;
    peer->refused = fake.answer == SAYS_NO;
    if (peer->refused)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "host2: no memory");
    if (fake.answer == GUEST_ENDS) {
        fake.copy = fake.copy_then;
        return xcx_err_set(err, XCX_ERR_CANCELLED, 0, "cancelled");
    }
    if (fake.answer == FALLS_SILENT)
        return xcx_err_set(err, XCX_ERR_IO, 0, "host2: no answer");
    return 0;
}

static int on_reattach(struct peer *peer, const struct journal_case *about,
                       bool *ret_known, struct xcx_err *err)
{
    (void)peer, (void)err;
    assert_string_equal(about->uuid, UUID);
    note_told("AGAIN");
    *ret_known = true;
    return 0;
}

static int on_put_entry(struct peer *peer, const struct xenstore_entry *entry,
                        struct xcx_err *err)
{
    (void)peer, (void)err;
    note_told(entry->path);
    return 0;
}

static int on_say(struct peer *peer, enum handover_word word,
                  struct xcx_err *err)
{
    (void)peer, (void)err;
    note_told(handover_word_name(word));
    return 0;
}

static int on_hear(struct peer *peer, uint64_t deadline_ns,
                   struct peer_message *ret, struct xcx_err *err)
{
    static const enum handover_word words[] = {
        [READY] = HANDOVER_SAY_READY,
        [STARTING] = HANDOVER_SAY_STARTING,
        [ABORTED] = HANDOVER_SAY_ABORTED,
    };

    (void)peer, (void)deadline_ns;
    if (*fake.deeds == ENDS || *fake.deeds == LOST)
        return xcx_err_set(err, XCX_ERR_IO, 0, "host2: gone");
    if (*fake.deeds == SETTLES)
        *ret = (struct peer_message){.news = PEER_SETTLED};
    else
        *ret = (struct peer_message){.news = PEER_WORD,
                                     .word = words[*fake.deeds]};
    if (*fake.deeds == READY && fake.ends_at_ready)
        fake.copy = HANDOVER_ABSENT;
    if (*fake.deeds == READY && fake.saver_at_ready)
        fake.saver = 77;
    if (*fake.deeds == READY)
        fake.renamed = fake.renamed_at_ready;
    fake.deeds++;
    return 0;
}

static void on_drop(struct peer *peer)
{
    (void)peer;
    note_told("(drop)");
}

static void on_end(struct peer *peer)
{
    (void)peer;
}

int peer_open(const struct peer_address *address, struct peer **ret,
              struct xcx_err *err)
{
    static struct peer_ops ops = {.begin = on_begin,
                                  .reattach = on_reattach,
                                  .say = on_say,
                                  .hear = on_hear,
                                  .end_data = on_end,
                                  .drop_data = on_drop,
                                  .close = on_end};
    static struct peer peer;

    if (fake.no_route || (address->again && *fake.deeds != LOST))
        return xcx_err_set(err, XCX_ERR_IO, 0, "host2: no route");
    if (address->again)
        fake.deeds++;
    ops.put_entry = fake.stock ? NULL : on_put_entry;
    peer = (struct peer){.ops = &ops, .plugin = !fake.stock};
    *ret = &peer;
    return 0;
}

/* ---- running it ---------------------------------------------------------- */

int send_world_run(char said[SEND_WORLD_BYTES])
{
    const struct send_options options = {.domain = "g1",
                                         .host = "host2",
                                         .config_file = fake.config_file,
                                         .json = true,
                                         .quiet = fake.quiet,
                                         .dry_run = fake.dry_run};
    struct config config;
    int fd = memfd_create("said", MFD_CLOEXEC), status;
    int out = dup(STDOUT_FILENO), errors = dup(STDERR_FILENO);
    ssize_t nr_bytes;

    config_default(&config);
    snprintf(config.journal_dir, sizeof(config.journal_dir), "%s", scratch_dir);
    config.run_dir[0] = config.stats_dir[0] = 0;
    config.reconnect_timeout_s = 0;
    fflush(NULL);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    status = send_run(&options, &config);
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    nr_bytes = pread(fd, said, SEND_WORLD_BYTES - 1, 0);
    said[nr_bytes < 0 ? 0 : nr_bytes] = 0;
    close(fd);
    close(out);
    close(errors);
    return status;
}

enum handover_entry send_world_take_case(void)
{
    struct case_name *names = NULL;
    struct xcx_err err = XCX_ERR_INIT;
    enum handover_entry entry = HANDOVER_NONE;
    struct journal journal;
    unsigned nr = 0;

    if (cases_list(scratch_dir, &names, &nr, &err))
        fail_msg("%s", err.msg);
    assert_in_range(nr, 0, 1);
    if (nr) {
        if (journal_open(&journal, scratch_dir, names[0].id, names[0].side,
                         &err))
            fail_msg("%s", err.msg);
        entry = journal.entry;
        assert_int_equal(journal.about.stock, fake.stock);
        assert_int_equal(journal_remove(&journal, NULL), 0);
    }
    free(names);
    return entry;
}

void send_world_leave_case(const char *id)
{
    struct journal_case about;
    struct journal journal;

    case_sample_make(&about, JOURNAL_SOURCE);
    snprintf(about.id, sizeof(about.id), "%s", id);
    assert_int_equal(journal_create(&journal, scratch_dir, &about, NULL), 0);
    journal_close(&journal);
}
