/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control_call.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_address.h"

/* Asks the kernel who listens. */
static int check_server(struct control_call *call, struct xcx_err *err)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(call->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "control socket");
    if (peer.uid != 0 && peer.uid != geteuid())
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "the control socket is another user's");
    call->pid = peer.pid;
    return 0;
}

static int connect_to(struct control_call *call, const char *run_dir,
                      uint32_t domid, bool *ret_absent, struct xcx_err *err)
{
    int dir_fd = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un address;
    int r;

    *ret_absent = dir_fd < 0 && errno == ENOENT;
    if (*ret_absent)
        return 0;
    if (dir_fd < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "%s", run_dir);
    control_address(dir_fd, domid, &address);
    r = connect(call->fd, (struct sockaddr *)&address, sizeof(address));
    *ret_absent = r < 0 && (errno == ENOENT || errno == ECONNREFUSED);
    if (r < 0 && !*ret_absent)
        xcx_err_set(err, XCX_ERR_IO, errno, "control socket of domain %u",
                    domid);
    close(dir_fd);
    return r < 0 && !*ret_absent ? -1 : 0;
}

int control_call_open(struct control_call *call, const char *run_dir,
                      uint32_t domid, bool *ret_absent, struct xcx_err *err)
{
    *call = CONTROL_CALL_INIT;
    call->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (call->fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "control socket");
    if (connect_to(call, run_dir, domid, ret_absent, err) == 0 &&
        (*ret_absent || (check_server(call, err) == 0 &&
                         channel_init(&call->channel, call->fd, call->fd,
                                      "xl-migrate send", err) == 0))) {
        if (*ret_absent)
            control_call_close(call);
        return 0;
    }
    control_call_close(call);
    return -1;
}

void control_call_close(struct control_call *call)
{
    channel_done(&call->channel);
    if (call->fd >= 0)
        close(call->fd);
    *call = CONTROL_CALL_INIT;
}

int control_call_ask(struct control_call *call, struct json *request,
                     uint64_t deadline_ns, struct message *ret,
                     struct xcx_err *err)
{
    int r;

    if (channel_send(&call->channel, request, deadline_ns, err) < 0)
        return -1;
    r = channel_receive(&call->channel, deadline_ns, ret, err);
    if (r < 0)
        return -1;
    if (r == 0)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "the migration has ended");
    if (strcmp(ret->type, "error") != 0)
        return 0;
    channel_take_error(&call->channel, ret, NULL, err);
    message_done(ret);
    return -1;
}

int control_call_status(struct control_call *call, uint64_t deadline_ns,
                        struct status *ret, struct xcx_err *err)
{
    struct message answer = MESSAGE_INIT;
    struct json request = {.gen = NULL};
    int rc = -1;

    if (message_begin(&request, "status", err) < 0)
        return -1;
    if (control_call_ask(call, &request, deadline_ns, &answer, err) == 0)
        rc = status_take(&answer, ret, err);
    message_done(&answer);
    json_done(&request);
    return rc;
}
