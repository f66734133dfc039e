/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A target without the plugin. Its words are made from what xl answers and
 * from looks at xl list:
 *
 *   the source said   seen there                      heard
 *   nothing yet       xl has named its copy           READY
 *                     none, or a half-built one,
 *                     that no xl works on             ABORTED
 *   GO (xl unpause)   it runs, or is gone             STARTING
 *                     paused                          nothing; unpaused again
 *   ABORT             none, after xl destroy          settled
 *                     it runs                         STARTING
 *   DONE              -                               settled
 */
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/lines.h"
#include "xl-migrate/wire/remote_shell.h"
#include "stock_list.h"
#include "xl-migrate/wire/transport_ssh.h"
#include "xl-migrate/format/xl_answers.h"

#define COMMAND_MS    30000
#define LOOK_AGAIN_MS 500
#define GRACE_MS      2000
/* xl destroys its own half-built copy in less, once its input has ended. */
#define INCOMING_ALONE_MS 10000

#define UUID_LETTERS      "0123456789abcdefABCDEF-"
/* No domain has this one. */
#define NO_UUID "ffffffff-ffff-ffff-ffff-ffffffffffff"

struct peer_stock {
    struct peer peer;
    const struct peer_address *address;
    struct journal_case about;
    struct remote_shell shell;
    struct transport_ssh data; /* xl migrate-receive */
    struct xl_answers answers;
    struct xcx_err garbled; /* what it said instead of an answer */
    bool receiving;         /* xl may still work on its copy */
    uint64_t kill_ns;       /* when the connection of the data is; 0: never */
    enum handover_word said;
    enum handover_copy copy; /* as of the last look */
    uint32_t domid;
    uint64_t building_ns; /* since when seen half-built and alone; 0: not */
    bool told_ready;
};

static struct peer_stock *stock_of(struct peer *peer)
{
    return (struct peer_stock *)peer;
}

/* ---- what is there ------------------------------------------------------- */

/*
 * The list's head and the lines that name the UUID: a host may have more
 * domains than an answer has room for.
 */
#define LIST_BY_UUID                                                           \
    "list=$(xl list -v 2>&1); status=$?; "                                     \
    "[ $status = 0 ] || { printf '%%s\\n' \"$list\"; exit $status; }; "        \
    "printf '%%s\\n' \"$list\" | grep -iF -e 'Name ' -e '%s'"

static int run_shell(struct peer_stock *stock, const char *command,
                     struct xcx_err *err)
{
    return remote_shell_run(&stock->shell, command, deadline_in_ms(COMMAND_MS),
                            err);
}

static int find_copy(struct peer_stock *stock, struct xcx_err *err)
{
    char command[512];

    if (stock->about.uuid[strspn(stock->about.uuid, UUID_LETTERS)])
        return xcx_err_set(err, XCX_ERR_BUG, 0, "\"%.40s\" is no UUID",
                           stock->about.uuid);
    snprintf(command, sizeof(command), LIST_BY_UUID, stock->about.uuid);
    if (run_shell(stock, command, err))
        return -1;
    if (stock->shell.status != 0) {
        stock->shell.answer[strcspn(stock->shell.answer, "\n")] = 0;
        lines_make_plain(stock->shell.answer);
        return xcx_err_set(
            err, XCX_ERR_PEER, 0, "%.60s: xl list fails (%d): %.120s",
            stock->address->host, stock->shell.status, stock->shell.answer);
    }
    return stock_list_find(stock->shell.answer, stock->about.uuid, &stock->copy,
                           &stock->domid, err);
}

/* Asks for the one domain. *ret_there: it exists, and has the UUID. */
static int confirm_copy(struct peer_stock *stock, bool *ret_there,
                        struct xcx_err *err)
{
    char command[64];

    *ret_there = false;
    snprintf(command, sizeof(command), "xl list -v %u", stock->domid);
    if (run_shell(stock, command, err))
        return -1;
    if (stock->shell.status != 0)
        return 0;
    if (stock_list_confirm(stock->shell.answer, stock->about.uuid, stock->domid,
                           &stock->copy, err))
        return -1;
    *ret_there = stock->copy != HANDOVER_ABSENT;
    return 0;
}

/* A domain that the list of all names is there only if it says so itself. */
static int look(struct peer_stock *stock, struct xcx_err *err)
{
    bool is_there = false;

    if (stock->domid && confirm_copy(stock, &is_there, err))
        return -1;
    if (is_there)
        return 0;
    if (find_copy(stock, err))
        return -1;
    if (!stock->domid)
        return 0;
    if (confirm_copy(stock, &is_there, err))
        return -1;
    if (!is_there) {
        stock->copy = HANDOVER_ABSENT;
        stock->domid = 0;
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "%.60s: xl list names a domain that is not there",
                           stock->address->host);
    }
    return 0;
}

/* By the domid that the last look has shown: a name of digits is one to xl. */
static int run_on_copy(struct peer_stock *stock, const char *verb,
                       struct xcx_err *err)
{
    char command[64];

    snprintf(command, sizeof(command), "xl %s %u", verb, stock->domid);
    return run_shell(stock, command, err);
}

static int act_on_copy(struct peer_stock *stock, const char *verb,
                       struct xcx_err *err)
{
    return run_on_copy(stock, verb, err) || look(stock, err) ? -1 : 0;
}

/* ---- xl migrate-receive -------------------------------------------------- */

static void feed_answers(struct peer_stock *stock)
{
    char bytes[512];
    ssize_t nr_bytes = read(stock->data.from_fd, bytes, sizeof(bytes));

    if (nr_bytes > 0 && !xcx_err_is_set(&stock->garbled))
        xl_answers_feed(&stock->answers, bytes, (size_t)nr_bytes,
                        &stock->garbled);
    if (nr_bytes == 0 || (nr_bytes < 0 && errno != EINTR))
        stock->receiving = false;
}

static void poll_receiver(struct peer_stock *stock, uint64_t deadline_ns)
{
    struct pollfd fds[] = {
        {.fd = stock->data.from_fd, .events = POLLIN},
        {.fd = stock->data.said.ended ? -1 : stock->data.said.fd,
         .events = POLLIN},
        {.fd = stock->shell.cancel_fd, .events = POLLIN},
    };

    if (poll(fds, 3, deadline_left_ms(deadline_ns)) <= 0)
        return;
    if (fds[1].revents)
        transport_ssh_hear(&stock->data, stock->address->log);
    if (fds[0].revents)
        feed_answers(stock);
}

static void word(struct peer_message *ret, enum handover_word heard,
                 const char *text)
{
    *ret = (struct peer_message){.news = PEER_WORD, .word = heard};
    snprintf(ret->text, sizeof(ret->text), "%s", text);
}

/* A link that stands still never brings the end of its input to xl. */
static void end_dropped(struct peer_stock *stock)
{
    if (!stock->kill_ns || deadline_left_ms(stock->kill_ns))
        return;
    spawn_signal(&stock->data.child, SIGKILL);
    stock->kill_ns = 0;
    stock->receiving = false;
}

/* While xl works on its copy, only the answers of xl itself count. */
static int hear_receiver(struct peer_stock *stock, uint64_t deadline_ns,
                         struct peer_message *ret)
{
    bool last;

    do {
        last = deadline_left_ms(deadline_ns) == 0;
        poll_receiver(stock, deadline_ns);
        end_dropped(stock);
        if (stock->answers.heard == XL_ANSWER_STARTED && !stock->told_ready) {
            stock->receiving = false;
            stock->told_ready = true;
            stock->peer.times.ready_ns = deadline_now_ns();
            word(ret, HANDOVER_SAY_READY, "");
            return 0;
        }
    } while (stock->receiving && !last);
    return 0;
}

/* ---- words --------------------------------------------------------------- */

static const char *why_absent(struct peer_stock *stock)
{
    if (xcx_err_is_set(&stock->garbled))
        return stock->garbled.msg;
    if (stock->data.last[0])
        return stock->data.last;
    return "there is no copy at the target";
}

/* The source has said nothing yet. */
static int hear_before_go(struct peer_stock *stock, struct peer_message *ret,
                          struct xcx_err *err)
{
    if (look(stock, err))
        return -1;
    if (stock->copy != HANDOVER_BUILDING)
        stock->building_ns = 0;
    switch (stock->copy) {
    case HANDOVER_PAUSED:
        word(ret, HANDOVER_SAY_READY, "");
        return 0;
    case HANDOVER_RUNNING:
        word(ret, HANDOVER_SAY_STARTING, "");
        return 0;
    case HANDOVER_ABSENT:
        word(ret, HANDOVER_SAY_ABORTED, why_absent(stock));
        return 0;
    default:
        if (!stock->building_ns)
            stock->building_ns = deadline_now_ns();
        if (deadline_now_ns() - stock->building_ns >=
            INCOMING_ALONE_MS * 1000000ull)
            word(ret, HANDOVER_SAY_ABORTED, why_absent(stock));
        return 0;
    }
}

static int hear_after_go(struct peer_stock *stock, struct peer_message *ret,
                         struct xcx_err *err)
{
    if (look(stock, err))
        return -1;
    if (stock->copy == HANDOVER_PAUSED && !stock->about.stay_paused)
        return act_on_copy(stock, "unpause", err);
    if (stock->copy == HANDOVER_BUILDING)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "%.60s: the domain there is half-built, though it "
                           "was let go: look at both hosts",
                           stock->address->host);
    word(ret, HANDOVER_SAY_STARTING, "");
    return 0;
}

/* A copy that xl still works on is left to xl, which gives it up by itself. */
static int hear_after_abort(struct peer_stock *stock, struct peer_message *ret,
                            struct xcx_err *err)
{
    if (look(stock, err))
        return -1;
    if (stock->copy == HANDOVER_ABSENT)
        ret->news = PEER_SETTLED;
    else if (stock->copy == HANDOVER_RUNNING)
        word(ret, HANDOVER_SAY_STARTING, "");
    else if (stock->copy == HANDOVER_PAUSED)
        return act_on_copy(stock, "destroy", err);
    else if (!stock->building_ns)
        stock->building_ns = deadline_now_ns();
    else if (deadline_now_ns() - stock->building_ns >=
             INCOMING_ALONE_MS * 1000000ull)
        return act_on_copy(stock, "destroy", err);
    return 0;
}

static int hear_by_look(struct peer_stock *stock, struct peer_message *ret,
                        struct xcx_err *err)
{
    switch (stock->said) {
    case HANDOVER_SAY_NOTHING:
        return hear_before_go(stock, ret, err);
    case HANDOVER_SAY_GO:
        return hear_after_go(stock, ret, err);
    case HANDOVER_SAY_ABORT:
        return hear_after_abort(stock, ret, err);
    default:
        ret->news = PEER_SETTLED;
        return 0;
    }
}

static int stock_hear(struct peer *peer, uint64_t deadline_ns,
                      struct peer_message *ret, struct xcx_err *err)
{
    struct peer_stock *stock = stock_of(peer);
    struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};

    *ret = (struct peer_message){.news = PEER_NOTHING};
    if (stock->receiving) {
        hear_receiver(stock, deadline_ns, ret);
        if (ret->news != PEER_NOTHING || stock->receiving)
            return 0;
    }
    if (!deadline_ns)
        return 0;
    if (hear_by_look(stock, ret, err))
        return -1;
    if (ret->news == PEER_NOTHING)
        nanosleep(&pause, NULL);
    return 0;
}

static int stock_say(struct peer *peer, enum handover_word said,
                     struct xcx_err *err)
{
    struct peer_stock *stock = stock_of(peer);
    struct peer_times *times = &stock->peer.times;

    stock->said = said;
    if (said == HANDOVER_SAY_ABORT) {
        transport_ssh_close_input(&stock->data);
        return 0;
    }
    if (said != HANDOVER_SAY_GO || stock->about.stay_paused ||
        !stock->told_ready)
        return 0;
    times->go_ns = deadline_now_ns();
    if (look(stock, err))
        return -1;
    if (stock->copy != HANDOVER_PAUSED)
        return 0;
    if (run_on_copy(stock, "unpause", err))
        return -1;
    if (stock->shell.status == 0)
        times->started_ns = deadline_now_ns();
    return look(stock, err);
}

/* ---- the rest of the vtable ---------------------------------------------- */

static bool is_cancelled(const struct peer_stock *stock)
{
    struct pollfd cancel = {.fd = stock->shell.cancel_fd, .events = POLLIN};

    return poll(&cancel, 1, 0) == 1;
}

static int stock_begin(struct peer *peer, const struct peer_begin *begin,
                       int *ret_data_fd, struct xcx_err *err)
{
    struct peer_stock *stock = stock_of(peer);
    const struct peer_address *address = stock->address;
    uint64_t deadline_ns = deadline_in_ms(COMMAND_MS);
    char remote[64];
    bool cancelled;

    stock->about = *begin->about;
    snprintf(remote, sizeof(remote), "xl migrate-receive -p%s%s",
             begin->debug ? " -d" : "", begin->monitor ? "" : " -e");
    if (transport_ssh_start(&stock->data, address->ssh, address->host, remote,
                            err))
        return -1;
    stock->receiving = true;
    while (stock->receiving && !is_cancelled(stock) &&
           stock->answers.heard == XL_ANSWER_NOTHING &&
           !xcx_err_is_set(&stock->garbled) &&
           deadline_left_ms(deadline_ns) != 0)
        poll_receiver(stock, deadline_ns);
    cancelled = is_cancelled(stock);
    /* From here on what was begun is to be ended by words. */
    stock->shell.cancel_fd = -1;
    if (cancelled)
        return xcx_err_set(err, XCX_ERR_CANCELLED, 0, "cancelled");
    if (stock->answers.heard == XL_ANSWER_NOTHING)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "%.60s: xl migrate-receive does not begin: %.120s",
                           address->host,
                           xcx_err_is_set(&stock->garbled) ? stock->garbled.msg
                                                           : stock->data.last);
    *ret_data_fd = stock->data.to_fd;
    return 0;
}

static int stock_reattach(struct peer *peer, const struct journal_case *about,
                          bool *ret_known, struct xcx_err *err)
{
    (void)err;
    stock_of(peer)->about = *about;
    *ret_known = true;
    return 0;
}

static uint64_t stock_queued_bytes(struct peer *peer)
{
    return transport_ssh_queued_bytes(&stock_of(peer)->data);
}

static void stock_end_data(struct peer *peer)
{
    transport_ssh_close_input(&stock_of(peer)->data);
}

/* xl says why, if the end of its input gets there in time. */
static void stock_drop_data(struct peer *peer)
{
    struct peer_stock *stock = stock_of(peer);

    if (stock->data.to_fd < 0)
        return;
    transport_ssh_close_input(&stock->data);
    stock->kill_ns = deadline_in_ms(GRACE_MS);
}

static void stock_close(struct peer *peer)
{
    struct peer_stock *stock = stock_of(peer);

    remote_shell_done(&stock->shell);
    transport_ssh_done(&stock->data, GRACE_MS);
    free(stock);
}

static const struct peer_ops stock_ops = {
    .begin = stock_begin,
    .reattach = stock_reattach,
    .say = stock_say,
    .hear = stock_hear,
    .queued_bytes = stock_queued_bytes,
    .end_data = stock_end_data,
    .drop_data = stock_drop_data,
    .close = stock_close,
};

int peer_stock_open(const struct peer_address *address, struct peer **ret,
                    struct xcx_err *err)
{
    struct peer_stock *stock = calloc(1, sizeof(*stock));

    if (!stock)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "connection");
    stock->peer = (struct peer){.ops = &stock_ops};
    stock->address = address;
    stock->data = TRANSPORT_SSH_INIT;
    stock->answers = XL_ANSWERS_INIT;
    snprintf(stock->about.uuid, sizeof(stock->about.uuid), NO_UUID);
    /* Only to find out whether there is an xl that answers. */
    if (remote_shell_start(&stock->shell, address->ssh, address->host,
                           address->log, err)) {
        free(stock);
        return -1;
    }
    if (address->cancel_fd)
        stock->shell.cancel_fd = *address->cancel_fd;
    if (look(stock, err)) {
        stock_close(&stock->peer);
        return -1;
    }
    *ret = &stock->peer;
    return 0;
}
