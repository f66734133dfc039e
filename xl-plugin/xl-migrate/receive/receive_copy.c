/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "receive.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xl-migrate/domain/domain.h"
#include "restore_helper.h"

/* How often within build_timeout_s xl is seen not to get on. */
#define LOOKS_A_TIMEOUT 8

/* ---- building it --------------------------------------------------------- */

/* Ours, unless whoever called us has chosen another, or ours is not there. */
static int find_helper(const struct config *config, const char **ret,
                       struct xcx_err *err)
{
    const char *const helpers[] = {
        getenv("LIBXL_SAVE_HELPER"),
        XL_SAVE_HELPER,
        config->stock_helper,
        "/usr/lib/xen/bin/libxl-save-helper",
        "/usr/libexec/xen/bin/libxl-save-helper",
    };
    const char *chosen = helpers[0];

    for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
        *ret = helpers[i];
        if (*ret && **ret && (*ret == chosen || !access(*ret, X_OK)))
            return 0;
    }
    return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                       "no program to restore guests with, neither %s nor "
                       "Xen's: set stock_helper",
                       XL_SAVE_HELPER);
}

/* This program: as libxl's helper it tells of the domain first. */
static int find_itself(char *ret, size_t room_bytes, struct xcx_err *err)
{
    static const char deleted[] = " (deleted)";
    ssize_t nr_bytes = readlink("/proc/self/exe", ret, room_bytes - 1);
    char *end;

    ret[nr_bytes > 0 ? nr_bytes : 0] = 0;
    end = nr_bytes > 0 ? strstr(ret, deleted) : NULL;
    /* The program was replaced by another version, which does the same. */
    if (end && !end[sizeof(deleted) - 1])
        *end = 0;
    if (nr_bytes > 0 && !access(ret, X_OK))
        return 0;
    return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                       "xl-migrate cannot find its own program");
}

int receive_data(struct receive *receive, int data_fd, struct xcx_err *err)
{
    char itself[PATH_MAX], first[PATH_MAX + 64], then[PATH_MAX + 64];
    char socket[RENDEZVOUS_PATH_BYTES + 64];
    const char *const env[] = {first, then, socket, NULL};
    const char *helper;

    if (find_helper(receive->config, &helper, err) ||
        find_itself(itself, sizeof(itself), err)) {
        close(data_fd);
        return -1;
    }
    snprintf(first, sizeof(first), "LIBXL_SAVE_HELPER=%s", itself);
    snprintf(then, sizeof(then), RESTORE_HELPER_THEN "=%s", helper);
    snprintf(socket, sizeof(socket), RESTORE_HELPER_SOCKET "=%s",
             receive->rendezvous.path);
    if (xl_receiver_start(&receive->xl, data_fd, receive->debug,
                          receive->monitor, env, err))
        return -1;
    receive->building = receive->fed = true;
    receive->progress.looked_ns = deadline_now_ns();
    return 0;
}

/* ---- which domain it is -------------------------------------------------- */

/* Another program may build or run the same guest here at any time. */
int receive_check_alone(struct receive *receive, struct xcx_err *err)
{
    uint32_t other;

    if (target_domain_find_other(&receive->target, &other, err))
        return -1;
    if (!other)
        return 0;
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "domain %u here has the guest's UUID %s, too: another "
                       "program has received or started the guest; this copy "
                       "does not run beside that domain",
                       (unsigned)other, receive->journal.about.uuid);
}

static int claim(struct receive *receive, uint32_t domid, struct xcx_err *err)
{
    const char *uuid = receive->journal.about.uuid;
    struct domain domain;

    if (domain_get(&receive->host, domid, &domain, err) ||
        journal_append_built(&receive->journal, domid, domain.uuid, err))
        return -1;
    if (strcmp(domain.uuid, uuid) != 0)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "the stream holds the guest with UUID %s, not the "
                           "announced one with UUID %s",
                           domain.uuid, uuid);
    return receive_check_alone(receive, err);
}

bool receive_claim(struct receive *receive,
                   const struct rendezvous_visitor *visitor)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (!receive->building || receive->journal.entry ||
        receive->journal.domid ||
        !xl_receiver_is_parent_of(&receive->xl, visitor->pid))
        return false;
    if (!claim(receive, visitor->domid, &why))
        return true;
    /* libxl destroys the domain, as its helper fails, and xl ends. */
    xcx_log(&receive->log, XCX_LOG_ERROR, "%s", why.msg);
    if (!xcx_err_is_set(&receive->why))
        receive->why = why;
    return false;
}

/* ---- giving it up -------------------------------------------------------- */

void receive_end_data(struct receive *receive)
{
    if (receive->data_visit_fd >= 0)
        close(receive->data_visit_fd);
    receive->data_visit_fd = -1;
}

/* The data's process first: with it the pipe ends that xl reads from. */
void receive_stop_building(struct receive *receive)
{
    receive_end_data(receive);
    if (receive->building)
        xl_receiver_stop(&receive->xl, RECEIVE_STOP_MS, &receive->log);
    receive->building = false;
}

int receive_give_up(struct receive *receive, const struct xcx_err *why,
                    struct xcx_err *err)
{
    struct handover_outcome outcome;

    if (!xcx_err_is_set(&receive->why) && xcx_err_is_set(why))
        receive->why = *why;
    receive_stop_building(receive);
    if (receive_step(receive, HANDOVER_GIVE_UP, &outcome, err))
        return -1;
    receive_unlock_uuid(receive);
    receive_run_late_hooks(receive, HOOKS_FAILED, receive->why.msg);
    return 0;
}

/* ---- whether xl gets anywhere -------------------------------------------- */

uint64_t receive_look_ns(const struct receive *receive)
{
    return receive->building
               ? receive->config->build_timeout_s * NS_PER_S / LOOKS_A_TIMEOUT
               : DEADLINE_NEVER;
}

/*
 * A host that stood still meanwhile has let neither xl nor the source go on:
 * no time between two looks counts for much more than it was to be.
 */
static bool is_stuck(struct receive *receive)
{
    uint64_t now_ns = deadline_now_ns(), before = receive->progress.read_bytes;
    uint64_t since_ns = now_ns - receive->progress.looked_ns;
    uint64_t longest_ns = 2 * receive_look_ns(receive);

    receive->progress.looked_ns = now_ns;
    if (!xl_receiver_has_input(&receive->xl) ||
        !xl_receiver_read_bytes(&receive->xl, &receive->progress.read_bytes) ||
        receive->progress.read_bytes != before)
        receive->progress.still_ns = 0;
    else
        receive->progress.still_ns +=
            since_ns < longest_ns ? since_ns : longest_ns;
    return receive->progress.still_ns >=
           receive->config->build_timeout_s * NS_PER_S;
}

int receive_watch_building(struct receive *receive, struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (!receive->building || deadline_now_ns() - receive->progress.looked_ns <
                                  receive_look_ns(receive))
        return 0;
    if (!is_stuck(receive))
        return 0;
    xcx_err_set(&why, XCX_ERR_PEER, 0,
                "xl migrate-receive has read nothing for %lu s although data "
                "of the guest waits: see build_timeout_s, and xl's log",
                receive->config->build_timeout_s);
    return receive_give_up(receive, &why, err);
}

/* ---- when it is whole ---------------------------------------------------- */

/* The very domain that our xl has made, and nobody has let it run. */
static int check_copy(struct receive *receive, struct xcx_err *err)
{
    enum handover_copy copy;
    uint32_t domid;

    if (!receive->journal.domid)
        return xcx_err_set(
            err, XCX_ERR_BUG, 0,
            "xl has received a guest without its restore helper: "
            "which domain holds it is not known; see xl list");
    if (target_domain_look(&receive->target, &copy, &domid, err))
        return -1;
    if (copy != HANDOVER_PAUSED)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %u, which xl has received, is not there or "
                           "not paused any more: another program acts on it",
                           (unsigned)receive->journal.domid);
    return receive_check_alone(receive, err);
}

/* Gives the copy all that it needs before it may run. */
static int prepare(struct receive *receive, struct xcx_err *err)
{
    if (!xl_receiver_has_copy(&receive->xl))
        return xl_receiver_why(&receive->xl, err);
    return check_copy(receive, err) || receive_keys_write(receive, err) ||
                   receive_run_hooks(receive, HOOKS_PRE_START, NULL, err)
               ? -1
               : 0;
}

int receive_built(struct receive *receive, struct xcx_err *err)
{
    struct handover_outcome outcome;
    struct xcx_err why = XCX_ERR_INIT;

    receive->times.whole_ns = deadline_now_ns();
    receive->building = false;
    receive_end_data(receive);
    if (prepare(receive, &why))
        return receive_give_up(receive, &why, err);
    return receive_step(receive, HANDOVER_COMPLETE, &outcome, err);
}
