/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The socket's server, step by step: a client says something, the server has
 * its turn, the client looks what came.
 */
#include "xl-migrate/control/control.h"

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
#include <unistd.h>
#include <cmocka.h>

static struct {
    char dir[32], run_dir[64], path[108];
    struct control control;
    unsigned nr_cancelled, nr_tuned;
    bool too_late;
} f;

static void say_status(void *opaque, struct status *status)
{
    assert_ptr_equal(opaque, &f);
    status_init(status); /* as one that keeps a whole status does */
    strcpy(status->name, "web");
    status->left_ms = 5;
}

static int refuse(struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_USAGE, 0, "it is too late");
}

static int cancel(void *opaque, struct xcx_err *err)
{
    assert_ptr_equal(opaque, &f);
    f.nr_cancelled++;
    return f.too_late ? refuse(err) : 0;
}

static int tune(void *opaque, const struct xcx_policy_limits *limits,
                struct xcx_err *err)
{
    assert_ptr_equal(opaque, &f);
    assert_int_equal(limits->downtime_target_ns, 50000000);
    f.nr_tuned++;
    return f.too_late ? refuse(err) : 0;
}

static const struct control_ops ops = {
    .opaque = &f, .status = say_status, .cancel = cancel, .tune = tune};

static int set_up(void **state)
{
    struct xcx_policy_limits limits;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    memset(&f, 0, sizeof(f));
    strcpy(f.dir, "/tmp/test-control-XXXXXX");
    if (!mkdtemp(f.dir))
        return -1;
    snprintf(f.run_dir, sizeof(f.run_dir), "%s/a/b", f.dir);
    snprintf(f.path, sizeof(f.path), "%s/7.sock", f.run_dir);
    xcx_policy_limits_default(&limits);
    return control_open(&f.control, f.run_dir, 7, &limits, &ops, &err);
}

static int tear_down(void **state)
{
    char command[64];

    (void)state;
    control_close(&f.control);
    control_close(&f.control);
    assert_int_equal(access(f.path, F_OK), -1);
    snprintf(command, sizeof(command), "rm -rf %s", f.dir);
    return system(command);
}

static int join(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", f.path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)),
                     0);
    return fd;
}

/* As long as there is anything to do, and not for ever. */
static void serve(void)
{
    struct pollfd pollfd = {.fd = f.control.fd, .events = POLLIN};

    for (int i = 0; i < 100 && poll(&pollfd, 1, 0) == 1; i++)
        control_serve(&f.control);
    assert_int_equal(poll(&pollfd, 1, 0), 0);
}

/* What the client was told by now; "": nothing, "EOF": the end. */
static const char *heard(int fd)
{
    static char text[4096];
    ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return "EOF";
    text[n < 0 ? 0 : n] = 0;
    return text;
}

static const char *ask(int fd, const char *line)
{
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
    serve();
    return heard(fd);
}

static void requests_are_answered(void **state)
{
    int fd = join();
    const char *answer;

    (void)state;
    answer = ask(fd, "{\"type\":\"status\"}\n");
    assert_non_null(strstr(answer, "{\"type\":\"status\",\"domid\":7,"
                                   "\"name\":\"web\",\"left_ms\":5,"
                                   "\"limits\":{\"downtime_ms\":300,"));
    assert_int_equal(answer[strlen(answer) - 1], '\n');
    assert_string_equal(ask(fd, "{\"type\":\"cancel\"}\n"),
                        "{\"type\":\"ok\"}\n");
    assert_int_equal(f.nr_cancelled, 1);
    assert_string_equal(ask(fd, "{\"type\":\"tune\",\"downtime_ms\":50}\n"),
                        "{\"type\":\"ok\"}\n");
    assert_int_equal(f.nr_tuned, 1);
    assert_int_equal(f.control.limits.downtime_target_ns, 50000000);
    assert_int_equal(f.control.limits.max_rounds, 30);
    f.too_late = true;
    assert_string_equal(ask(fd, "{\"type\":\"cancel\"}\n"),
                        "{\"type\":\"error\",\"text\":\"it is too late\"}\n");
    assert_string_equal(
        ask(fd, "{\"type\":\"tune\",\"downtime_ms\":50,\"max_rounds\":1}\n"),
        "{\"type\":\"error\",\"text\":\"it is too late\"}\n");
    assert_int_equal(f.control.limits.max_rounds, 30);
    close(fd);
    serve();
}

static void nonsense_is_answered(void **state)
{
    static const struct {
        const char *line, *text;
    } cases[] = {
        {"hello\n", "a line that is no JSON object"},
        {"[1]\n", "a line that is no JSON object"},
        {"\n", "a line that is no JSON object"},
        {"{}\n", "a message whose \\\"type\\\" is missing or improper"},
        {"{\"type\":\"reboot\"}\n", "unknown request \\\"reboot\\\""},
        {"{\"type\":\"tune\"}\n", "nothing to change is named"},
        {"{\"type\":\"tune\",\"on_slow\":7}\n",
         "on_slow = \\\"7\\\": expected \\\"throttle\\\" or \\\"stop\\\" or "
         "\\\"abort\\\" or \\\"throttle-then-stop\\\""},
    };
    int fd = join();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[512];

        snprintf(expected, sizeof(expected),
                 "{\"type\":\"error\",\"text\":\"%s\"}\n", cases[i].text);
        assert_string_equal(ask(fd, cases[i].line), expected);
    }
    assert_int_equal(f.nr_cancelled + f.nr_tuned, 0);
    close(fd);
}

static void lines_come_in_pieces_and_together(void **state)
{
    int fd = join();

    (void)state;
    assert_string_equal(ask(fd, "{\"type\":"), "");
    assert_string_equal(ask(fd, "\"cancel\"}"), "");
    assert_string_equal(ask(fd, "\n{\"type\":\"cancel\"}\n{\"ty"),
                        "{\"type\":\"ok\"}\n{\"type\":\"ok\"}\n");
    assert_string_equal(ask(fd, "pe\":\"cancel\"}\n"), "{\"type\":\"ok\"}\n");
    assert_int_equal(f.nr_cancelled, 3);
    close(fd);
}

static void too_long_a_line_ends_it(void **state)
{
    char line[CONTROL_LINE_BYTES + 1];
    int fd = join();

    (void)state;
    memset(line, ' ', sizeof(line));
    line[CONTROL_LINE_BYTES] = 0;
    assert_string_equal(ask(fd, line), "EOF");
    close(fd);
}

/* It never waits for one that asks and does not read. */
static void who_does_not_read_is_let_go(void **state)
{
    static const char line[] = "{\"type\":\"status\"}\n";
    int fd = join(), nr = 0;

    (void)state;
    serve();
    while (nr < 100000 && f.control.clients[0].fd >= 0) {
        assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL),
                         strlen(line));
        control_serve(&f.control);
        nr++;
    }
    assert_in_range(nr, 2, 99999);
    close(fd);
}

static void the_one_silent_longest_makes_room(void **state)
{
    int fds[CONTROL_MAX_CLIENTS], last;

    (void)state;
    for (int i = 0; i < CONTROL_MAX_CLIENTS; i++) {
        fds[i] = join();
        serve();
    }
    assert_string_equal(ask(fds[0], "{\"type\":\"cancel\"}\n"),
                        "{\"type\":\"ok\"}\n");
    last = join();
    serve();
    assert_string_equal(heard(fds[1]), "EOF");
    assert_string_equal(heard(fds[0]), "");
    assert_string_equal(ask(last, "{\"type\":\"cancel\"}\n"),
                        "{\"type\":\"ok\"}\n");
    for (int i = 0; i < CONTROL_MAX_CLIENTS; i++)
        close(fds[i]);
    close(last);
}

/* A forked worker holds a client's fd, too. */
static void a_client_goes_though_a_child_has_his_fd(void **state)
{
    int fd = join(), copy;

    (void)state;
    serve();
    copy = dup(f.control.clients[0].fd);
    assert_string_equal(ask(fd, "{\"type\":\"cancel\"}\n"),
                        "{\"type\":\"ok\"}\n");
    close(fd);
    serve(); /* asserts that nothing is left to do */
    assert_int_equal(f.control.clients[0].fd, -1);
    close(copy);
}

static void the_socket_is_ours_alone(void **state)
{
    struct xcx_policy_limits limits;
    struct xcx_err err = XCX_ERR_INIT;
    struct control other;
    struct stat stat_of;

    (void)state;
    assert_int_equal(stat(f.path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
    xcx_policy_limits_default(&limits);
    assert_int_equal(control_open(&other, f.run_dir, 7, &limits, &ops, &err),
                     -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_string_equal(err.msg, "domain 7 is being moved by another process");
    serve(); /* its look came, and went */
    close(join());
}

static void a_dead_ones_socket_is_replaced(void **state)
{
    struct xcx_policy_limits limits = f.control.limits;
    struct xcx_err err = XCX_ERR_INIT;
    int fd;

    (void)state;
    close(f.control.listen_fd); /* as if it had been killed */
    close(f.control.fd);
    close(f.control.dir_fd);
    assert_int_equal(access(f.path, F_OK), 0);
    assert_int_equal(
        control_open(&f.control, f.run_dir, 7, &limits, &ops, &err), 0);
    fd = join();
    assert_string_equal(ask(fd, "{\"type\":\"cancel\"}\n"),
                        "{\"type\":\"ok\"}\n");
    close(fd);
}

static void without_a_folder_there_is_none(void **state)
{
    struct xcx_policy_limits limits = f.control.limits;
    struct xcx_err err = XCX_ERR_INIT;
    struct control none;
    char file[128];

    (void)state;
    assert_int_equal(control_open(&none, "", 7, &limits, &ops, &err), 0);
    assert_int_equal(none.fd, -1);
    control_serve(&none);
    control_close(&none);
    snprintf(file, sizeof(file), "%s/file", f.dir);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(control_open(&none, file, 7, &limits, &ops, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_int_equal(err.os_errno, ENOTDIR);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(requests_are_answered),
        TEST(nonsense_is_answered),
        TEST(lines_come_in_pieces_and_together),
        TEST(too_long_a_line_ends_it),
        TEST(who_does_not_read_is_let_go),
        TEST(the_one_silent_longest_makes_room),
        TEST(a_client_goes_though_a_child_has_his_fd),
        TEST(the_socket_is_ours_alone),
        TEST(a_dead_ones_socket_is_replaced),
        TEST(without_a_folder_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
