/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl-migrate cancel DOMAIN: asks a send over its socket; one that is busy with
 * a link that stands still, and a save that xl runs on xl-save-helper, are
 * told by SIGTERM, which both take for the same. A signal asks nobody whether
 * it is too late: after the end it is seen where the domain is.
 */
#include "command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "xl-migrate/domain/guest_name.h"
#include "common/json.h"
#include "common/lines.h"
#include "xl-migrate/control/running.h"

#define ANSWER_MS 2000
/* A guest that was asked to suspend is waited for, and then looked after. */
#define END_MS 180000

static int help(void)
{
    printf("usage: xl-migrate cancel DOMAIN\n\n"
           "Stops the migration or save of DOMAIN (name, id or UUID) that goes "
           "on on this\nhost; the guest goes on running here. Once the guest "
           "may run at the target,\nit is too late. Waits until it has "
           "ended.\n");
    return EXIT_STATUS_DONE;
}

static const char *find_domain(int argc, char **argv, int *ret_status)
{
    *ret_status = EXIT_STATUS_USAGE;
    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        *ret_status = help();
    else if (argc == 2 && argv[1][0] == '-')
        fprintf(stderr, "xl-migrate cancel: unknown option \"%.40s\"\n",
                argv[1]);
    else if (argc != 2)
        fprintf(stderr, "xl-migrate cancel: expected one DOMAIN, not %d\n",
                argc - 1);
    else
        return argv[1];
    return NULL;
}

/* *ret_told: it has been asked, and will stop. */
static int ask(struct running *running, bool *ret_told, struct xcx_err *err)
{
    struct message answer = MESSAGE_INIT;
    struct json request = {.gen = NULL};
    struct xcx_err why = XCX_ERR_INIT;

    *ret_told = false;
    if (!running->answered)
        return 0;
    if (message_begin(&request, "cancel", err) < 0)
        return -1;
    *ret_told = control_call_ask(&running->call, &request,
                                 deadline_in_ms(ANSWER_MS), &answer, &why) == 0;
    message_done(&answer);
    json_done(&request);
    if (why.kind == XCX_ERR_PEER) {
        *err = why;
        return -1;
    }
    return 0;
}

/* The pidfd is open, so the number cannot become another process's. */
static int tell_by_signal(const struct running *running, int pid_fd,
                          struct xcx_err *err)
{
    char program[sizeof(running->program)];

    running_program(running->pid, program);
    if (strcmp(program, running->program) != 0)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "it has ended");
    if (pidfd_send_signal(pid_fd, SIGTERM, NULL, 0) < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "process %d",
                           (int)running->pid);
    return 0;
}

static int await_end(int pid_fd, struct xcx_err *err)
{
    struct pollfd end = {.fd = pid_fd, .events = POLLIN};
    uint64_t deadline_ns = deadline_in_ms(END_MS);
    int r;

    do
        r = poll(&end, 1, deadline_left_ms(deadline_ns));
    while (r < 0 && errno == EINTR);
    if (r == 1)
        return 0;
    return xcx_err_set(err, XCX_ERR_PEER, 0,
                       "asked to stop, but has not ended after %d s",
                       END_MS / 1000);
}

static int check_here(const struct running *running, struct xcx_err *err)
{
    if (!guest_is_gone(running->domid, running->status.uuid))
        return 0;
    return xcx_err_set(err, XCX_ERR_PEER, 0,
                       "could no longer be stopped: it has ended, and the "
                       "domain is not here");
}

static int cancel(struct running *running, struct xcx_err *err)
{
    int pid_fd = pidfd_open(running->pid, 0);
    bool told;
    int rc = -1;

    if (pid_fd < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "process %d",
                           (int)running->pid);
    if (ask(running, &told, err) == 0 &&
        (told || tell_by_signal(running, pid_fd, err) == 0))
        rc = await_end(pid_fd, err) || check_here(running, err) ? -1 : 0;
    close(pid_fd);
    return rc;
}

int cmd_cancel(int argc, char **argv)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct running_list list = {.nr = 0};
    struct running *running = NULL;
    char label[STATUS_LINE_BYTES];
    const char *domain;
    int status;

    domain = find_domain(argc, argv, &status);
    if (!domain)
        return status;
    if (running_load(&list, &err) == 0) {
        status = EXIT_STATUS_NONE;
        running = running_pick(&list, domain, &err);
    }
    if (running) {
        running_label(running, label, sizeof(label));
        if (cancel(running, &err) < 0)
            xcx_err_prefix(&err, "%.80s", label);
        else
            status = EXIT_STATUS_DONE;
    }
    if (status == EXIT_STATUS_DONE)
        lines_print(stdout, "%s: stopped", label);
    else
        fprintf(stderr, "xl-migrate cancel: %s\n", err.msg);
    running_done(&list);
    return status;
}
