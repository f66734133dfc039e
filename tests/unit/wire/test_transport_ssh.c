/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spawn and transport_ssh, with programs that every machine has. */
#include "xl-migrate/wire/transport_ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define LIMIT_MS 20000

static const char *program;

static void read_all(int fd, char *text, size_t room_bytes)
{
    size_t used = 0;
    ssize_t nr_bytes;

    while ((nr_bytes = read(fd, text + used, room_bytes - 1 - used)) > 0)
        used += (size_t)nr_bytes;
    text[used] = 0;
}

static void start(struct transport_ssh *transport, const char *ssh,
                  const char *host, const char *remote)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (transport_ssh_start(transport, ssh, host, remote, &err))
        fail_msg("%s", err.msg);
}

static void bytes_go_there_and_back(void **state)
{
    struct transport_ssh transport;
    char text[64];

    (void)state;
    start(&transport, "sh -c", "cat", "unused");
    assert_int_equal(write(transport.to_fd, "there", 5), 5);
    transport_ssh_close_input(&transport);
    transport_ssh_close_input(&transport);
    read_all(transport.from_fd, text, sizeof(text));
    assert_string_equal(text, "there");
    assert_true(transport_ssh_wait(&transport, DEADLINE_NEVER, NULL));
    assert_int_equal(spawn_exit_status(&transport.child), 0);
    transport_ssh_done(&transport, 0);
    transport_ssh_done(&transport, 0);
}

/* A journal or another program may name any host. */
static void a_host_runs_nothing_and_is_no_option(void **state)
{
    static const char *const hosts[] = {"",
                                        "-oProxyCommand=id",
                                        " -oProxyCommand=id",
                                        "h$(id)",
                                        "h;id",
                                        "h'x",
                                        "h id",
                                        "h\nid",
                                        "h`id`",
                                        "h\x1b[2K"};
    static const char *const good[] = {"host-2.lab.example", "root@10.0.0.1",
                                       "[fe80::1%eth0]", "x_y"};
    struct transport_ssh transport;
    char text[64], expected[64];

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;

        assert_int_equal(
            transport_ssh_start(&transport, "echo", hosts[i], "ls", &err), -1);
        assert_int_equal(err.kind, XCX_ERR_USAGE);
        assert_non_null(strstr(err.msg, "is no HOST"));
        for (const char *c = err.msg; *c; c++)
            assert_in_range(*c, ' ', '~');
        transport_ssh_done(&transport, 0);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        start(&transport, "echo", good[i], "ls");
        read_all(transport.from_fd, text, sizeof(text));
        snprintf(expected, sizeof(expected), "%s ls\n", good[i]);
        assert_string_equal(text, expected);
        transport_ssh_done(&transport, 0);
    }
}

static int unsent_bytes(int fd)
{
    int nr_bytes = 0;

    ioctl(fd, SIOCOUTQ, &nr_bytes);
    return nr_bytes;
}

/*
 * A program that sends more than its peer takes, whenever it is asked, and
 * says how much was queued before and is now. In between that only gets less.
 */
static int hold_data(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t room = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    static char bytes[65536];

    if (bind(listener, (struct sockaddr *)&address, room) ||
        listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &room) ||
        connect(fd, (struct sockaddr *)&address, room))
        return 1;
    while (read(STDIN_FILENO, bytes, 1) == 1) {
        int before_bytes = unsent_bytes(fd);

        while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            continue;
        printf("%d %d\n", before_bytes, unsent_bytes(fd));
        fflush(stdout);
    }
    return 0;
}

static void ask_for_data(struct transport_ssh *transport, int *ret_before_bytes,
                         int *ret_now_bytes)
{
    char text[32];
    ssize_t nr_bytes;

    assert_int_equal(write(transport->to_fd, "?", 1), 1);
    nr_bytes = read(transport->from_fd, text, sizeof(text) - 1);
    assert_true(nr_bytes > 0);
    text[nr_bytes] = 0;
    assert_int_equal(sscanf(text, "%d %d", ret_before_bytes, ret_now_bytes), 2);
}

static void what_is_on_its_way_is_counted(void **state)
{
    uint64_t deadline_ns = deadline_in_ms(LIMIT_MS), queued_bytes;
    struct transport_ssh transport;
    int last_bytes, before_bytes, now_bytes;

    (void)state;
    start(&transport, "", "exec sleep 100", "unused");
    assert_int_equal(transport_ssh_queued_bytes(&transport), 0);
    assert_int_equal(write(transport.to_fd, "there", 5), 5);
    assert_int_equal(transport_ssh_queued_bytes(&transport), 5);
    transport_ssh_done(&transport, 0);
    assert_int_equal(transport_ssh_queued_bytes(&transport), 0);

    start(&transport, program, "hold", "");
    ask_for_data(&transport, &before_bytes, &now_bytes);
    do { /* until neither end takes more */
        assert_true(deadline_left_ms(deadline_ns) > 0);
        last_bytes = now_bytes;
        queued_bytes = transport_ssh_queued_bytes(&transport);
        ask_for_data(&transport, &before_bytes, &now_bytes);
    } while (before_bytes != last_bytes || before_bytes == 0);
    assert_int_equal(queued_bytes, before_bytes);
    transport_ssh_done(&transport, 1000);
}

static void the_line_is_as_xl_has_it(void **state)
{
    struct transport_ssh transport;
    char text[128];

    (void)state;
    start(&transport, "echo -p 22", "host2", "xl-migrate receive");
    read_all(transport.from_fd, text, sizeof(text));
    assert_string_equal(text, "-p 22 host2 xl-migrate receive\n");
    transport_ssh_done(&transport, 1000);
    /* By no setting's name: another xl-migrate may be started below. */
    start(&transport, "",
          "echo \"($XL_MIGRATE_RUN)($XL_MIGRATE_REMOTE_COMMAND)\"",
          "xl-migrate receive");
    read_all(transport.from_fd, text, sizeof(text));
    assert_string_equal(text, "(xl-migrate receive)()\n");
    transport_ssh_done(&transport, 1000);
}

static void ssh_is_told_to_notice_a_host_that_is_gone(void **state)
{
#define OPTIONS                                                                \
    " -o ServerAliveInterval=5 -o ServerAliveCountMax=3 -o ConnectTimeout=20"
    static const struct {
        const char *ssh, *want;
    } rows[] = {
        {"ssh", "ssh" OPTIONS},
        {"/usr/bin/ssh -p 7", "/usr/bin/ssh -p 7" OPTIONS},
        {"ssh -4vp 7  -i key", "ssh -4vp 7  -i key" OPTIONS},
        {"ssh -p7 -oUser=x -v", "ssh -p7 -oUser=x -v" OPTIONS},
        {"ssh -i ssh -p", "ssh -i ssh -p" OPTIONS},
        {"ssh gate ssh", "ssh gate ssh"},
        {"ssh -p 7 gate connect", "ssh -p 7 gate connect"},
        {"ssh -p7 gate", "ssh -p7 gate"},
        {"ssh -P tag", "ssh -P tag" OPTIONS},
        {"ssh -o 'User x'", "ssh -o 'User x'" OPTIONS},
        {"ssh -o \"ProxyCommand ssh -W %h:%p jump\"",
         "ssh -o \"ProxyCommand ssh -W %h:%p jump\"" OPTIONS},
        {"ssh -o \"A \\\" b\" -v", "ssh -o \"A \\\" b\" -v" OPTIONS},
        {"ssh -o \"A \\\" b\" v", "ssh -o \"A \\\" b\" v"},
        {"ssh -o 'A \\' b", "ssh -o 'A \\' b"},
        {"ssh -i my\\ key", "ssh -i my\\ key" OPTIONS},
        {"ssh -i my\\ key gate", "ssh -i my\\ key gate"},
        {"ssh -i'' key", "ssh -i'' key" OPTIONS},
        {"ssh '-p' 7\t-v", "ssh '-p' 7\t-v" OPTIONS},
        {"ssh ''", "ssh ''"},
        {"ssh 'gate'", "ssh 'gate'"},
        {"'/my dir/ssh' -v", "'/my dir/ssh' -v" OPTIONS},
        {"'my ssh' -v", "'my ssh' -v"},
        {"", ""},
        {"nossh", "nossh"},
        {"sh", "sh"},
        {"plain ssh", "plain ssh"},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        transport_ssh_command(rows[i].ssh, 20, text, sizeof(text));
        assert_string_equal(text, rows[i].want);
    }
    /* No room: as it is. */
    transport_ssh_command("ssh", 20, text, 40);
    assert_string_equal(text, "ssh");
    transport_ssh_command("ssh", 1, text, sizeof(text));
    assert_non_null(strstr(text, "ServerAliveInterval=1 "));
}

static void count_line(void *opaque, enum xcx_log_level level, const char *line)
{
    assert_int_equal(level, XCX_LOG_INFO);
    assert_non_null(line);
    ++*(int *)opaque;
}

static void why_it_ended_is_told(void **state)
{
    static const struct {
        const char *command, *why;
        int status;
    } rows[] = {
        {"echo one >&2; echo 't\two\033' >&2; exit 255",
         "exit status 255: t wo?", 255},
        {"exit 3", "exit status 3", 3},
        {"kill -9 $$", "killed by signal 9", 137},
        {"no-such-command-here 2>/dev/null", "exit status 127",
         TRANSPORT_SSH_NOT_FOUND},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct transport_ssh transport;
        int nr_lines = 0;
        const struct xcx_log log = {count_line, &nr_lines};
        char why[128];

        start(&transport, "", rows[i].command, "");
        assert_true(transport_ssh_wait(&transport, DEADLINE_NEVER, &log));
        transport_ssh_why(&transport, why, sizeof(why));
        assert_string_equal(why, rows[i].why);
        assert_int_equal(spawn_exit_status(&transport.child), rows[i].status);
        assert_int_equal(nr_lines, i == 0 ? 2 : 0);
        transport_ssh_done(&transport, 0);
    }
}

static void one_that_hangs_is_killed(void **state)
{
    struct transport_ssh transport;
    char why[64];
    pid_t pid;

    (void)state;
    start(&transport, "", "trap '' TERM; echo up; while :; do sleep 9; done",
          "");
    assert_int_equal(read(transport.from_fd, why, 3), 3);
    assert_false(transport_ssh_wait(&transport, deadline_in_ms(1), NULL));
    transport_ssh_why(&transport, why, sizeof(why));
    assert_string_equal(why, "still running");
    pid = transport.child.pid;
    transport_ssh_done(&transport, 1);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void ctrl_c_is_not_for_the_child(void **state)
{
    struct transport_ssh transport;

    (void)state;
    start(&transport, "", "kill -INT $$; kill -HUP $$; exit 5", "");
    assert_true(transport_ssh_wait(&transport, DEADLINE_NEVER, NULL));
    assert_int_equal(spawn_exit_status(&transport.child), 5);
    transport_ssh_done(&transport, 0);
}

static void a_child_has_no_fd_of_ours(void **state)
{
    struct transport_ssh transport;
    int leaky = fcntl(STDERR_FILENO, F_DUPFD, 50);
    char text[256], leaked[16];

    (void)state;
    assert_true(leaky >= 50);
    snprintf(leaked, sizeof(leaked), "/%d\n", leaky);
    start(&transport, "", "ls -d /proc/$$/fd/*", "");
    read_all(transport.from_fd, text, sizeof(text));
    assert_non_null(strstr(text, "/2\n"));
    assert_null(strstr(text, leaked));
    close(leaky);
    transport_ssh_done(&transport, 1000);
}

static void a_program_that_is_not_there_is_named(void **state)
{
    const struct spawn_order order = {
        .argv = (const char *const[]){"no-such-program-here", NULL},
        .fds = {-1, -1, -1},
    };
    struct spawned spawned;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(spawn_start(&spawned, &order, &err), -1);
    assert_string_equal(err.msg, "cannot run no-such-program-here: No such "
                                 "file or directory");
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    spawn_kill(&spawned, 0);
    spawn_done(&spawned);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_there_and_back),
        cmocka_unit_test(a_host_runs_nothing_and_is_no_option),
        cmocka_unit_test(what_is_on_its_way_is_counted),
        cmocka_unit_test(the_line_is_as_xl_has_it),
        cmocka_unit_test(ssh_is_told_to_notice_a_host_that_is_gone),
        cmocka_unit_test(why_it_ended_is_told),
        cmocka_unit_test(one_that_hangs_is_killed),
        cmocka_unit_test(ctrl_c_is_not_for_the_child),
        cmocka_unit_test(a_child_has_no_fd_of_ours),
        cmocka_unit_test(a_program_that_is_not_there_is_named),
    };

    program = argv[0];
    if (argc == 2 && !strcmp(argv[1], "hold"))
        return hold_data();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
