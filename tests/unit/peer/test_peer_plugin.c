/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A target with the plugin that goes silent, the shell being the target; all
 * else of it is seen in the lab.
 */
#include "xl-migrate/peer/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/deadline.h"
#include "unit/scratch.h"

#define HELLO                                                                  \
    "echo "                                                                    \
    "'{\"type\":\"hello\",\"protocol\":1,\"host\":\"h\",\"version\":\"1\"}'; "
#define ALIVE     "echo '{\"type\":\"alive\",\"within_s\":1}'; "
#define LISTENING "echo '{\"type\":\"listening\"}'; "
#define WAIT_MS   30000
#define HOLD_NS   (UINT64_C(9) * 1000000000)

/* Counts how often a silent one was reported. */
static int gone_fd = -1;

static void on_gone(void *opaque)
{
    assert_ptr_equal(opaque, &gone_fd);
    assert_int_equal(eventfd_write(gone_fd, 1), 0);
}

/* Of what is written into pipes; 0: it is written. */
static int write_errno;

ssize_t __real_write(int fd, const void *bytes, size_t nr_bytes);
ssize_t __wrap_write(int fd, const void *bytes, size_t nr_bytes);
ssize_t __wrap_write(int fd, const void *bytes, size_t nr_bytes)
{
    struct stat st;

    if (write_errno && !fstat(fd, &st) && S_ISFIFO(st.st_mode)) {
        errno = write_errno;
        return -1;
    }
    return __real_write(fd, bytes, nr_bytes);
}

/* So often there is as much to be heard in pipes as is asked for. */
static int nr_floods;

static bool floods(int fd)
{
    struct stat st;

    return nr_floods > 0 && !fstat(fd, &st) && S_ISFIFO(st.st_mode);
}

ssize_t __real_read(int fd, void *bytes, size_t nr_bytes);
ssize_t __wrap_read(int fd, void *bytes, size_t nr_bytes);
ssize_t __wrap_read(int fd, void *bytes, size_t nr_bytes)
{
    static const char line[] = "{\"type\":\"report\"}\n";
    size_t at = 0;

    if (!floods(fd))
        return __real_read(fd, bytes, nr_bytes);
    nr_floods--;
    for (; at + strlen(line) <= nr_bytes; at += strlen(line))
        memcpy((char *)bytes + at, line, strlen(line));
    return (ssize_t)at;
}

/* What the clock is ahead of time; other threads look at it, too. */
static _Atomic uint64_t ahead_s;

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    int rc = __real_clock_gettime(clock, ret);

    ret->tv_sec += (time_t)ahead_s;
    return rc;
}

/* Where a target waits until the last line that it logged is heard; or -1. */
static int heard_fd = -1;

/* Each line that it logs takes long; what ssh says does not. */
static void on_log(void *opaque, enum xcx_log_level level, const char *line)
{
    (void)opaque, (void)level;
    if (strcmp(line, "l") != 0)
        return;
    ahead_s += 12;
    if (heard_fd >= 0)
        assert_int_equal(write(heard_fd, "\n", 1), 1);
}

static struct peer *open_peer(const char *host)
{
    static const struct xcx_log log = {.emit = on_log};
    static struct peer_address address;
    struct xcx_err err = XCX_ERR_INIT;
    struct peer *peer = NULL;
    bool absent = true;

    address = (struct peer_address){
        .host = host,
        .ssh = "",
        .timeout_s = 1,
        .log = &log,
        .gone = gone_fd < 0 ? NULL : on_gone,
        .opaque = &gone_fd,
    };
    if (peer_plugin_open(&address, &peer, &absent, &err))
        fail_msg("%s", err.msg);
    assert_false(absent);
    return peer;
}

static void one_that_goes_silent_is_lost(void **state)
{
    struct peer *peer = open_peer("# host2\n" HELLO ALIVE "exec sleep 1000");
    struct xcx_err err = XCX_ERR_INIT;
    struct peer_message message;

    (void)state;
    assert_int_equal(
        peer->ops->hear(peer, deadline_in_ms(WAIT_MS), &message, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_non_null(strstr(err.msg, "# host2"));
    assert_non_null(strstr(err.msg, ": no sign of life for 1 s"));
    peer_close(&peer);
}

/* What holds the pipe is not what was started, and outlives it. */
static void one_whose_command_leaves_others_is_lost_too(void **state)
{
    uint64_t start_ns = deadline_now_ns();
    struct peer *peer = open_peer("# host2\n" HELLO ALIVE "sleep 10; true");
    struct xcx_err err = XCX_ERR_INIT;
    struct peer_message message;

    (void)state;
    /* Not with the pipe's end, which comes in between. */
    assert_int_equal(
        peer->ops->hear(peer, deadline_in_ms(WAIT_MS), &message, &err), -1);
    assert_true(deadline_now_ns() < HOLD_NS + start_ns);
    assert_non_null(strstr(err.msg, ": no sign of life for 1 s"));
    peer_close(&peer);
}

/* What is between here and ssh does not read either, and is not ended. */
static void whoever_writes_data_to_it_behind_others_is_told(void **state)
{
    const struct journal_case about = {.id = "0a"};
    const struct peer_begin begin = {.about = &about, .source = "host1"};
    struct pollfd gone = {.events = POLLIN};
    struct xcx_err err = XCX_ERR_INIT;
    struct peer_message message;
    struct peer *peer;
    int fd;

    (void)state;
    gone.fd = gone_fd = eventfd(0, EFD_CLOEXEC);
    peer = open_peer("# host2\ncase $XL_MIGRATE_RUN in *--data*) sleep 10; "
                     "exit;; esac; " HELLO ALIVE LISTENING "sleep 10; true");
    if (peer->ops->begin(peer, &begin, &fd, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(poll(&gone, 1, WAIT_MS), 1);
    assert_int_equal(peer->ops->hear(peer, 0, &message, &err), -1);
    assert_non_null(strstr(err.msg, ": no sign of life for 1 s"));
    peer_close(&peer);
    close(gone_fd);
    gone_fd = -1;
}

/* Nobody hears words meanwhile: only the thread can end it. */
static void whoever_writes_data_to_it_is_freed(void **state)
{
    const struct journal_case about = {.id = "0a"};
    const struct peer_begin begin = {.about = &about, .source = "host1"};
    struct peer *peer =
        open_peer("# host2\ncase $XL_MIGRATE_RUN in *--data*) exec sleep "
                  "1000;; esac; " HELLO ALIVE LISTENING "exec sleep 1000");
    struct xcx_err err = XCX_ERR_INIT;
    static char bytes[1 << 16];
    int fd;

    (void)state;
    if (peer->ops->begin(peer, &begin, &fd, &err))
        fail_msg("%s", err.msg);
    while (write(fd, bytes, sizeof(bytes)) > 0)
        continue;
    peer_close(&peer);
}

/* Neither it nor what is behind it has read the data that are under way. */
static void data_that_stay_half_end_at_once(void **state)
{
    const struct journal_case about = {.id = "0a"};
    const struct peer_begin begin = {.about = &about, .source = "host1"};
    struct peer *peer =
        open_peer("# host2\ncase $XL_MIGRATE_RUN in *--data*) exec sleep "
                  "1000;; esac; " HELLO LISTENING "exec sleep 1000");
    struct xcx_err err = XCX_ERR_INIT;
    struct peer_message message;
    struct pollfd data = {.events = 0};
    int fd;

    (void)state;
    if (peer->ops->begin(peer, &begin, &fd, &err))
        fail_msg("%s", err.msg);
    data.fd = dup(fd);
    assert_int_equal(write(fd, "half", 4), 4);
    peer->ops->drop_data(peer);
    assert_int_equal(poll(&data, 1, WAIT_MS), 1);
    assert_int_equal(data.revents, POLLERR);
    /* Words are another connection's. */
    if (peer->ops->hear(peer, 0, &message, &err))
        fail_msg("%s", err.msg);
    peer->ops->drop_data(peer);
    close(data.fd);
    peer_close(&peer);
}

#define READ_BEGIN                                                             \
    "while read line; do case $line in *begin*) break;; esac; done; "
#define LOG "echo '{\"type\":\"log\",\"level\":\"info\",\"text\":\"l\"}'; "
#define NO                                                                     \
    "echo "                                                                    \
    "'{\"type\":\"error\",\"code\":\"begin\",\"text\":\"full\"}'; "

static void who_says_no_to_begin_knows_nothing_of_the_case(void **state)
{
    static const struct {
        const char *target, *why;
        bool refused;
    } rows[] = {
        {"# host2\n" HELLO READ_BEGIN LOG NO, ": full", true},
        {"# host2\n" HELLO NO, ": full", true},
        {"# host2\n" HELLO READ_BEGIN, ": exit status 0", false},
        {"# host2\n" HELLO, ": exit status 0", false},
    };
    const struct journal_case about = {.id = "0a"};
    const struct peer_begin begin = {.about = &about, .source = "host1"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer *peer = open_peer(rows[i].target);
        struct xcx_err err = XCX_ERR_INIT;
        int fd;

        assert_int_equal(peer->ops->begin(peer, &begin, &fd, &err), -1);
        assert_int_equal(err.kind, rows[i].refused ? XCX_ERR_PEER : XCX_ERR_IO);
        if (!strstr(err.msg, rows[i].why))
            fail_msg("%s", err.msg);
        assert_int_equal(peer->refused, rows[i].refused);
        peer_close(&peer);
    }
}

/* A line is there once the one before is heard, so that none is early. */
static void one_that_only_logs_does_not_begin(void **state)
{
    const struct journal_case about = {.id = "0a"};
    const struct peer_begin begin = {.about = &about, .source = "host1"};
    struct xcx_err err = XCX_ERR_INIT;
    char path[PATH_MAX], host[PATH_MAX + 512];
    struct peer *peer;
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "%s/heard", scratch_dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    heard_fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(heard_fd >= 0);
    snprintf(host, sizeof(host),
             "# host2\n" HELLO READ_BEGIN "exec 3<>%s; for i in 1 2 3 4 5 6 7 "
             "8; do " LOG "read line <&3; done; " LISTENING "exec sleep 1000",
             path);
    peer = open_peer(host);
    assert_int_equal(peer->ops->begin(peer, &begin, &fd, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_non_null(strstr(err.msg, ": no answer to \"begin\""));
    assert_false(peer->refused);
    peer_close(&peer);
    close(heard_fd);
    heard_fd = -1;
}

#define NO_CASE                                                                \
    "echo "                                                                    \
    "'{\"type\":\"error\",\"code\":\"no-such-case\",\"text\":\"n\"}'; "
#define READY "echo '{\"type\":\"word\",\"word\":\"READY\"}'; "

static void what_it_logs_does_not_mean_that_it_has_the_case(void **state)
{
    static const struct {
        const char *target;
        bool known;
    } rows[] = {
        {"# host2\n" HELLO "read line; " LOG LOG NO_CASE, false},
        {"# host2\n" HELLO "read line; " LOG READY "exec sleep 1000", true},
    };
    const struct journal_case about = {.id = "0a"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer *peer = open_peer(rows[i].target);
        struct xcx_err err = XCX_ERR_INIT;
        struct peer_message message;
        bool known = !rows[i].known;

        if (peer->ops->reattach(peer, &about, &known, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(known, rows[i].known);
        if (known) {
            assert_int_equal(peer->ops->hear(peer, 0, &message, &err), 0);
            assert_int_equal(message.news, PEER_WORD);
            assert_int_equal(message.word, HANDOVER_SAY_READY);
        }
        peer_close(&peer);
    }
}

/* It has settled the case already when it is told to once more. */
static void what_it_said_before_it_went_is_heard(void **state)
{
    struct peer *peer =
        open_peer("# host2\n" HELLO "read line; echo '{\"type\":\"settled\"}'");
    struct xcx_err err = XCX_ERR_INIT;
    struct peer_message message;

    (void)state;
    while (!peer->ops->say(peer, HANDOVER_SAY_ABORT, NULL))
        continue;
    if (peer->ops->hear(peer, deadline_in_ms(WAIT_MS), &message, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(message.news, PEER_SETTLED);
    assert_int_equal(
        peer->ops->hear(peer, deadline_in_ms(WAIT_MS), &message, &err), -1);
    assert_string_equal(err.msg + strlen(err.msg) - 13, "exit status 0");
    peer_close(&peer);
}

#define NR_FLOODS 200
#define REPORT    "{\"type\":\"report\"}"

/* What comes in is faster than it can be heard. */
static void one_that_says_ever_more_holds_nobody(void **state)
{
    struct peer *peer =
        open_peer("# host2\n" HELLO "read line; echo; exec sleep 1000");
    struct xcx_err err = XCX_ERR_INIT;
    struct peer_message message;
    int rc, nr_before;

    (void)state;
    nr_floods = NR_FLOODS;
    do
        rc = peer->ops->hear(peer, deadline_in_ms(20), &message, &err);
    while (!rc && nr_floods == NR_FLOODS);
    assert_int_equal(rc, 0);
    assert_int_equal(message.news, PEER_NOTHING);
    assert_true(nr_floods > 0);

    nr_before = nr_floods;
    rc = peer->ops->hear(peer, 0, &message, &err);
    assert_int_equal(rc, 0);
    assert_int_equal(message.news, PEER_NOTHING);
    assert_int_equal(nr_floods, nr_before - 1);
    nr_floods = 0;
    peer_close(&peer);
}

/* The terminal and the journal are not the target's to fill. */
static void few_of_a_thousand_log_lines_are_heard(void **state)
{
    struct peer *peer = open_peer(
        "# host2\n" HELLO "for i in $(seq 1000); do echo "
        "'{\"type\":\"log\",\"level\":\"info\",\"text\":\"m\"}'; done; "
        "echo '{\"type\":\"settled\"}'; exec sleep 1000");
    struct xcx_err err = XCX_ERR_INIT;
    struct peer_message message;
    unsigned nr_lines = 0;

    (void)state;
    do {
        if (peer->ops->hear(peer, deadline_in_ms(WAIT_MS), &message, &err))
            fail_msg("%s", err.msg);
        nr_lines += message.news == PEER_LOG;
    } while (message.news != PEER_SETTLED);
    assert_int_equal(nr_lines, 200);
    peer_close(&peer);
}

/* Even if the deadline has passed, and behind what is of no interest. */
static void what_is_there_already_is_heard(void **state)
{
    struct peer *peer = open_peer(
        "# host2\nprintf '%s\\n' "
        "'{\"type\":\"hello\",\"protocol\":1,\"host\":\"h\",\"version\":\"1\"}'"
        " "
        "'" REPORT "' '" REPORT "' '{\"type\":\"settled\"}'; exec sleep 1000");
    struct xcx_err err = XCX_ERR_INIT;
    struct peer_message message;

    (void)state;
    if (peer->ops->hear(peer, 0, &message, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(message.news, PEER_SETTLED);
    peer_close(&peer);
}

#define NR_OTHERS 16

/* What was opened since has the closed one's number. */
static void one_that_is_lost_is_not_written_to(void **state)
{
    struct peer *peer = open_peer("# host2\n" HELLO);
    struct pollfd others[NR_OTHERS];
    struct xcx_err err = XCX_ERR_INIT;
    struct peer_message message;

    (void)state;
    assert_int_equal(
        peer->ops->hear(peer, deadline_in_ms(WAIT_MS), &message, &err), -1);
    for (int i = 0; i < NR_OTHERS; i += 2) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        others[i] = (struct pollfd){.fd = fds[0], .events = POLLIN};
        others[i + 1] = (struct pollfd){.fd = fds[1], .events = POLLIN};
    }
    err = XCX_ERR_INIT;
    assert_int_equal(peer->ops->say(peer, HANDOVER_SAY_ABORT, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_non_null(strstr(err.msg, "# host2"));
    assert_non_null(strstr(err.msg, ": exit status 0"));
    /* The thread's turn comes four times a second. */
    assert_int_equal(poll(others, NR_OTHERS, 1000), 0);
    peer_close(&peer);
    for (int i = 0; i < NR_OTHERS; i++)
        close(others[i].fd);
}

static void one_that_cannot_be_written_to_is_lost(void **state)
{
    struct peer *peer = open_peer("# host2\n" HELLO "exec sleep 1000");
    struct xcx_err err = XCX_ERR_INIT;
    struct peer_message message;

    (void)state;
    write_errno = EIO;
    assert_int_equal(peer->ops->say(peer, HANDOVER_SAY_GO, &err), -1);
    err = XCX_ERR_INIT;
    assert_int_equal(
        peer->ops->hear(peer, deadline_in_ms(1000), &message, &err), -1);
    write_errno = 0;
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_non_null(strstr(err.msg, "# host2"));
    assert_non_null(strstr(err.msg, ": Input/output error"));
    peer_close(&peer);
}

/* Its login may take longer than it may be silent for. */
/* A passphrase that nobody types, a host that hangs. */
static void what_is_opened_or_begun_can_be_cancelled(void **state)
{
    static const char *const hosts[] = {
        "# host2\nexec sleep 1000",
        "# host2\n" HELLO "exec sleep 1000",
    };
    const struct journal_case about = {.id = "0a"};
    const struct peer_begin begin = {.about = &about, .source = "host1"};

    (void)state;
    for (int begins = 0; begins < 2; begins++) {
        int cancel_fd = eventfd(!begins, EFD_CLOEXEC);
        const struct peer_address address = {.host = hosts[begins],
                                             .ssh = "",
                                             .timeout_s = 60,
                                             .cancel_fd = &cancel_fd};
        uint64_t start_ns = deadline_now_ns();
        struct xcx_err err = XCX_ERR_INIT;
        struct peer *peer = NULL;
        struct peer_message message;
        bool absent;
        int fd;

        assert_int_equal(peer_plugin_open(&address, &peer, &absent, &err),
                         begins ? 0 : -1);
        eventfd_write(cancel_fd, 1);
        if (begins) {
            assert_int_equal(peer->ops->begin(peer, &begin, &fd, &err), -1);
            /* Words are not cancelled by it. */
            if (peer->ops->hear(peer, 0, &message, NULL))
                fail_msg("words are lost");
            peer_close(&peer);
        }
        assert_int_equal(err.kind, XCX_ERR_CANCELLED);
        assert_true(deadline_now_ns() - start_ns < HOLD_NS);
        close(cancel_fd);
    }
}

static void who_is_tried_again_has_time_for_its_hello(void **state)
{
    const struct peer_address address = {
        .host = "sleep 1.2; " HELLO, .ssh = "", .timeout_s = 1, .again = true};
    struct xcx_err err = XCX_ERR_INIT;
    struct peer *peer = NULL;
    bool absent;

    (void)state;
    if (peer_plugin_open(&address, &peer, &absent, &err))
        fail_msg("%s", err.msg);
    peer_close(&peer);
}

/*
 * An answer to each sign of life of ours, which come four times a second, for
 * longer than it has promised one within.
 */
static void one_that_is_alive_may_take_its_time(void **state)
{
    struct peer *peer = open_peer(
        "# host2\n" HELLO "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do read line; "
        "echo '{\"type\":\"alive\",\"within_s\":2}'; done; "
        "echo '{\"type\":\"settled\"}'; exec sleep 1000");
    struct xcx_err err = XCX_ERR_INIT;
    struct peer_message message;

    (void)state;
    if (peer->ops->hear(peer, deadline_in_ms(WAIT_MS), &message, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(message.news, PEER_SETTLED);
    assert_true(peer->ops->is_watched(peer));
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_goes_silent_is_lost),
        cmocka_unit_test(one_whose_command_leaves_others_is_lost_too),
        cmocka_unit_test(whoever_writes_data_to_it_is_freed),
        cmocka_unit_test(data_that_stay_half_end_at_once),
        cmocka_unit_test(whoever_writes_data_to_it_behind_others_is_told),
        cmocka_unit_test(who_says_no_to_begin_knows_nothing_of_the_case),
        cmocka_unit_test(one_that_only_logs_does_not_begin),
        cmocka_unit_test(what_it_logs_does_not_mean_that_it_has_the_case),
        cmocka_unit_test(what_it_said_before_it_went_is_heard),
        cmocka_unit_test(one_that_says_ever_more_holds_nobody),
        cmocka_unit_test(few_of_a_thousand_log_lines_are_heard),
        cmocka_unit_test(what_is_there_already_is_heard),
        cmocka_unit_test(one_that_is_lost_is_not_written_to),
        cmocka_unit_test(one_that_cannot_be_written_to_is_lost),
        cmocka_unit_test(who_is_tried_again_has_time_for_its_hello),
        cmocka_unit_test(what_is_opened_or_begun_can_be_cancelled),
        cmocka_unit_test(one_that_is_alive_may_take_its_time),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
