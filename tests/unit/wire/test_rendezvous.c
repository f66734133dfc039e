/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The socket where a case's processes meet, visitors being forked. */
#include "xl-migrate/wire/rendezvous.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/deadline.h"

#define ID      "0a1b"
#define WAIT_MS 30000

static char dir[] = "/tmp/test-meet-XXXXXX";
static char run_dir[64];

static void open_it(struct rendezvous *rendezvous)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (rendezvous_open(rendezvous, run_dir, ID, &err))
        fail_msg("%s", err.msg);
}

static enum rendezvous_visit take(struct rendezvous *rendezvous, int *ret_fd,
                                  int *ret_data_fd)
{
    struct pollfd waiting = {.fd = rendezvous->fd, .events = POLLIN};
    struct rendezvous_visitor visitor = {.fd = -1, .data_fd = -1};
    enum rendezvous_visit visit;

    assert_int_equal(poll(&waiting, 1, WAIT_MS), 1);
    visit = rendezvous_take(rendezvous, &visitor);
    *ret_fd = visitor.fd;
    *ret_data_fd = visitor.data_fd;
    return visit;
}

/* In the child: 0, or the kind of the error. */
static pid_t visit(int data_fd)
{
    struct xcx_err err = XCX_ERR_INIT;
    pid_t pid = fork();

    if (pid)
        return pid;
    if (data_fd >= 0)
        rendezvous_bring_data(run_dir, ID, data_fd, &err);
    else
        rendezvous_ask_yield(run_dir, ID, deadline_in_ms(WAIT_MS), &err);
    _exit(err.kind);
}

static void expect_exit(pid_t pid, int want)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), want);
}

static void data_is_handed_over_and_waited_for(void **state)
{
    struct rendezvous meet;
    int fds[2], fd, data_fd, status;
    char text[8];
    pid_t pid;

    (void)state;
    open_it(&meet);
    assert_int_equal(pipe(fds), 0);
    pid = visit(fds[0]);
    close(fds[0]);
    assert_int_equal(take(&meet, &fd, &data_fd), RENDEZVOUS_DATA);
    rendezvous_accept(fd);
    assert_int_equal(write(fds[1], "bytes", 5), 5);
    assert_int_equal(read(data_fd, text, sizeof(text)), 5);
    assert_int_equal(fcntl(data_fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    close(fd);
    expect_exit(pid, 0);
    close(data_fd);
    close(fds[1]);
    rendezvous_close(&meet);
    rendezvous_close(&meet);
}

static void data_that_is_sent_away_is_told(void **state)
{
    struct rendezvous meet;
    int fd, data_fd;
    pid_t pid;

    (void)state;
    open_it(&meet);
    pid = visit(STDIN_FILENO);
    assert_int_equal(take(&meet, &fd, &data_fd), RENDEZVOUS_DATA);
    close(data_fd);
    close(fd);
    expect_exit(pid, XCX_ERR_USAGE);
    rendezvous_close(&meet);
}

static void who_asks_for_the_case_waits_for_its_end(void **state)
{
    struct rendezvous meet;
    int fd, data_fd, status;
    pid_t pid;

    (void)state;
    open_it(&meet);
    pid = visit(-1);
    assert_int_equal(take(&meet, &fd, &data_fd), RENDEZVOUS_YIELD);
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    close(fd);
    expect_exit(pid, 0);
    rendezvous_close(&meet);
}

static void a_domain_that_was_made_waits_until_it_is_written_down(void **state)
{
    (void)state;
    for (int taken = 0; taken < 2; taken++) {
        struct rendezvous meet;
        struct rendezvous_visitor visitor;
        struct pollfd waiting;
        int status;
        pid_t pid;

        open_it(&meet);
        pid = fork();
        if (pid == 0) {
            struct xcx_err err = XCX_ERR_INIT;

            rendezvous_announce_built(meet.path, 70000 % 65536, &err);
            _exit(err.kind);
        }
        waiting = (struct pollfd){.fd = meet.fd, .events = POLLIN};
        assert_int_equal(poll(&waiting, 1, WAIT_MS), 1);
        assert_int_equal(rendezvous_take(&meet, &visitor), RENDEZVOUS_BUILT);
        assert_int_equal(visitor.domid, 70000 % 65536);
        assert_int_equal(visitor.pid, pid);
        assert_int_equal(visitor.data_fd, -1);
        assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
        if (taken)
            rendezvous_accept(visitor.fd);
        close(visitor.fd);
        expect_exit(pid, taken ? 0 : XCX_ERR_USAGE);
        rendezvous_close(&meet);
    }
}

static void nobody_at_home_is_an_error(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    char want[256];

    (void)state;
    assert_int_equal(rendezvous_bring_data(run_dir, "77", 0, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    snprintf(want, sizeof(want),
             "case 77 waits for no data: %s/77.data: No such file or directory",
             run_dir);
    assert_string_equal(err.msg, want);
    err = XCX_ERR_INIT;
    assert_int_equal(rendezvous_ask_yield(run_dir, "77", 0, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
}

static void without_a_folder_it_is_the_built_in_one(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(rendezvous_bring_data("", "77no", 0, &err), -1);
    assert_non_null(strstr(err.msg,
                           "case 77no waits for no data: " RENDEZVOUS_DIR
                           "/77no.data: "));
}

static void who_is_heard_by_its_source_does_not_yield(void **state)
{
    struct rendezvous meet;
    int fd, data_fd;
    pid_t pid;

    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        open_it(&meet);
        pid = fork();
        if (pid == 0) {
            struct xcx_err err = XCX_ERR_INIT;

            rendezvous_ask_if_lost(run_dir, ID, deadline_in_ms(WAIT_MS), &err);
            _exit(err.os_errno ? 99 : err.kind);
        }
        assert_int_equal(take(&meet, &fd, &data_fd), RENDEZVOUS_YIELD_IF_LOST);
        if (!lost)
            rendezvous_refuse(fd);
        close(fd);
        expect_exit(pid, lost ? 0 : XCX_ERR_IO);
        rendezvous_close(&meet);
    }
}

static void who_does_not_yield_in_time_is_told_of(void **state)
{
    char want[128];
    struct rendezvous meet;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    open_it(&meet);
    assert_int_equal(rendezvous_ask_yield(run_dir, ID, deadline_in_ms(1), &err),
                     -1);
    snprintf(want, sizeof(want),
             "case 0a1b: process %d works on it, and does not let go: "
             "Connection timed out",
             (int)getpid());
    assert_string_equal(err.msg, want);
    assert_int_equal(err.kind, XCX_ERR_IO);
    rendezvous_close(&meet);
}

static void visitors_without_sense_are_sent_away(void **state)
{
    static const char *const words[] = {"", "X", "D",
                                        "B"}; /* without fd, domid */
    struct rendezvous meet;

    (void)state;
    open_it(&meet);
    for (size_t i = 0; i < 4; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int mine = socket(AF_UNIX, SOCK_SEQPACKET, 0), fd, data_fd;
        char byte;

        strcpy(address.sun_path, meet.path);
        assert_int_equal(
            connect(mine, (struct sockaddr *)&address, sizeof(address)), 0);
        if (*words[i])
            assert_int_equal(send(mine, words[i], 1, 0), 1);
        else
            shutdown(mine, SHUT_WR);
        assert_int_equal(take(&meet, &fd, &data_fd), RENDEZVOUS_NOBODY);
        assert_int_equal(recv(mine, &byte, 1, 0), 0);
        close(mine);
    }
    rendezvous_close(&meet);
}

static void the_socket_is_ours_alone_and_replaces_a_stale_one(void **state)
{
    struct rendezvous meet, again;
    struct stat st;

    (void)state;
    open_it(&meet);
    assert_int_equal(stat(meet.path, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    close(meet.fd); /* as if it had been killed */
    open_it(&again);
    rendezvous_close(&again);
    assert_int_equal(stat(meet.path, &st), -1);
}

static void a_folder_that_is_too_long_is_refused(void **state)
{
    struct rendezvous meet;
    struct xcx_err err = XCX_ERR_INIT;
    char path[121];

    (void)state;
    memset(path, 'd', 120);
    path[120] = 0;
    assert_int_equal(rendezvous_open(&meet, path, ID, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_non_null(strstr(err.msg, "dddd: too long for a socket in it"));
    rendezvous_close(&meet);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(run_dir) || rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_is_handed_over_and_waited_for),
        cmocka_unit_test(data_that_is_sent_away_is_told),
        cmocka_unit_test(who_asks_for_the_case_waits_for_its_end),
        cmocka_unit_test(a_domain_that_was_made_waits_until_it_is_written_down),
        cmocka_unit_test(nobody_at_home_is_an_error),
        cmocka_unit_test(without_a_folder_it_is_the_built_in_one),
        cmocka_unit_test(who_is_heard_by_its_source_does_not_yield),
        cmocka_unit_test(who_does_not_yield_in_time_is_told_of),
        cmocka_unit_test(visitors_without_sense_are_sent_away),
        cmocka_unit_test(the_socket_is_ours_alone_and_replaces_a_stale_one),
        cmocka_unit_test(a_folder_that_is_too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
