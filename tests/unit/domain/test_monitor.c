/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is done when a guest shuts down, and who watches a guest already. */
#include "xl-migrate/domain/monitor.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_xenlight.h"

#define UUID     "11111111-2222-3333-4444-aabbccddeeff"
#define WATCH5   "watch:5 watch:5:hdc"
#define SHUTDOWN LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN
#define DEATH    LIBXL_EVENT_TYPE_DOMAIN_DEATH
#define ON(what) LIBXL_ACTION_ON_SHUTDOWN_##what

static int reset(void **state)
{
    (void)state;
    fake_xenlight_reset();
    fake_xenlight.domains[0] =
        (struct fake_domain){.domid = 5, .uuid = UUID, .name = "web"};
    fake_xenlight.domains[1] =
        (struct fake_domain){.domid = 20, .uuid = UUID, .name = "web"};
    fake_xenlight.nr_domains = 2;
    return 0;
}

static void count(void *opaque)
{
    ++*(unsigned *)opaque;
}

static int run(struct xcx_err *err)
{
    struct host host = {.ctx = NULL};
    unsigned nr_ready = 0;
    int rc = monitor_run(&host, 5, NULL, count, &nr_ready, err);

    assert_int_equal(nr_ready, strstr(fake_xenlight.calls, "watch") != NULL);
    assert_int_equal(fake_xenlight.nr_watched, 0);
    return rc;
}

static void test_each_reason_and_action(void **state)
{
    static const struct {
        int reason;
        libxl_action_on_shutdown action;
        const char *calls; /* behind the first watches */
    } cases[] = {
        {LIBXL_SHUTDOWN_REASON_POWEROFF, ON(DESTROY), " destroy:5"},
        {LIBXL_SHUTDOWN_REASON_POWEROFF, ON(PRESERVE), ""},
        {LIBXL_SHUTDOWN_REASON_REBOOT, ON(RESTART),
         " destroy:5 create:web:20 watch:20 watch:20:hdc unpause:20"},
        {LIBXL_SHUTDOWN_REASON_CRASH, ON(COREDUMP_DESTROY),
         " dump:5:/var/lib/xen/dump/web destroy:5"},
        {LIBXL_SHUTDOWN_REASON_CRASH, ON(COREDUMP_RESTART),
         " dump:5:/var/lib/xen/dump/web destroy:5 create:web:20 watch:20 "
         "watch:20:hdc unpause:20"},
        {LIBXL_SHUTDOWN_REASON_WATCHDOG, ON(RESTART_RENAME),
         " preserve:5:web- create:web:20 watch:20 watch:20:hdc unpause:20"},
        {LIBXL_SHUTDOWN_REASON_SOFT_RESET, ON(SOFT_RESET),
         " reset:5 watch:5 watch:5:hdc unpause:5"},
        {LIBXL_SHUTDOWN_REASON_SUSPEND, ON(DESTROY), ""},
        {99, ON(PRESERVE), " destroy:5"},
        {LIBXL_SHUTDOWN_REASON_REBOOT, 0, " destroy:5"},
        {LIBXL_SHUTDOWN_REASON_REBOOT, 77, " destroy:5"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;

        reset(state);
        fake_xenlight.on_poweroff = fake_xenlight.on_reboot =
            fake_xenlight.on_crash = fake_xenlight.on_watchdog =
                fake_xenlight.on_soft_reset = cases[i].action;
        fake_xenlight.events[0] =
            (struct fake_event){SHUTDOWN, 5, cases[i].reason};
        fake_xenlight.events[1] = (struct fake_event){DEATH, 5, 0};
        fake_xenlight.events[2] = (struct fake_event){DEATH, 20, 0};
        if (run(&err) < 0)
            fail_msg("case %zu: %s", i, err.msg);
        if (strcmp(fake_xenlight.calls + strlen(WATCH5), cases[i].calls) != 0)
            fail_msg("case %zu: %s", i, fake_xenlight.calls);
    }
}

static void test_each_reason_has_its_own_action(void **state)
{
    static const int reasons[] = {
        LIBXL_SHUTDOWN_REASON_POWEROFF, LIBXL_SHUTDOWN_REASON_REBOOT,
        LIBXL_SHUTDOWN_REASON_CRASH, LIBXL_SHUTDOWN_REASON_WATCHDOG,
        LIBXL_SHUTDOWN_REASON_SOFT_RESET};
    libxl_action_on_shutdown *const actions[] = {
        &fake_xenlight.on_poweroff, &fake_xenlight.on_reboot,
        &fake_xenlight.on_crash, &fake_xenlight.on_watchdog,
        &fake_xenlight.on_soft_reset};

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        reset(state);
        for (size_t j = 0; j < sizeof(reasons) / sizeof(reasons[0]); j++)
            *actions[j] = i == j ? ON(PRESERVE) : ON(DESTROY);
        fake_xenlight.events[0] = (struct fake_event){SHUTDOWN, 5, reasons[i]};
        assert_int_equal(run(NULL), 0);
        assert_string_equal(fake_xenlight.calls, WATCH5);
    }
}

static void test_events_of_others_and_ejects(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    fake_xenlight.events[0] = (struct fake_event){SHUTDOWN, 8, 0};
    fake_xenlight.events[1] = (struct fake_event){DEATH, 8, 0};
    fake_xenlight.events[2] =
        (struct fake_event){LIBXL_EVENT_TYPE_DISK_EJECT, 5, 0};
    fake_xenlight.events[3] = (struct fake_event){DEATH, 5, 0};
    assert_int_equal(run(&err), 0);
    assert_string_equal(fake_xenlight.calls, WATCH5 " insert:5");
    assert_int_equal(fake_xenlight.next_event, 4);
}

/* Devices that are slow to go: it is tried again, and nothing is left over. */
static void test_creating_is_tried_again(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    fake_xenlight.create_fails = 1;
    fake_xenlight.domains[1].domid = 21;
    fake_xenlight.events[0] =
        (struct fake_event){SHUTDOWN, 5, LIBXL_SHUTDOWN_REASON_REBOOT};
    fake_xenlight.events[1] = (struct fake_event){DEATH, 21, 0};
    assert_int_equal(run(&err), 0);
    assert_string_equal(fake_xenlight.calls,
                        WATCH5 " destroy:5 create:web:20 destroy:20 "
                               "create:web:21 watch:21 watch:21:hdc "
                               "unpause:21");
}

static void test_what_can_fail(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    fake_xenlight.config_fails = 1;
    assert_int_equal(run(&err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_non_null(strstr(err.msg, "cannot tell its configuration"));

    reset(state);
    err = XCX_ERR_INIT;
    assert_int_equal(run(&err), -1);
    assert_non_null(strstr(err.msg, "domain 5: libxl cannot wait for events"));

    reset(state);
    err = XCX_ERR_INIT;
    fake_xenlight.rc = ERROR_FAIL;
    fake_xenlight.events[0] =
        (struct fake_event){SHUTDOWN, 5, LIBXL_SHUTDOWN_REASON_SOFT_RESET};
    assert_int_equal(run(&err), -1);
    assert_non_null(strstr(err.msg, "domain 5: libxl cannot reset it"));
}

/* ---- who watches -------------------------------------------------------- */

static void test_a_monitor_is_known_by_its_log(void **state)
{
    static const struct {
        const char *pid, *target;
        bool found;
    } cases[] = {
        {"12", "/var/log/xen/xl-web.log", true},
        {"12", "/var/log/xen/xl-web.log.1", true},
        {"12", "/var/log/xen/xl-web--incoming.log", true},
        {"12", "/var/log/xen/xl-web.log (deleted)", false},
        {"12", "/var/log/xen/xl-web2.log", false},
        {"12", "/var/log/xen/xl-we.log", false},
        {"12", "/dev/null", false},
        {"self", "/var/log/xen/xl-web.log", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char proc[] = "/tmp/xcx-proc-XXXXXX";
        char path[3][PATH_MAX];
        bool found;

        assert_non_null(mkdtemp(proc));
        snprintf(path[0], PATH_MAX, "%s/%s", proc, cases[i].pid);
        snprintf(path[1], PATH_MAX, "%s/%s/fd", proc, cases[i].pid);
        snprintf(path[2], PATH_MAX, "%s/%s/fd/1", proc, cases[i].pid);
        mkdir(path[0], 0700);
        mkdir(path[1], 0700);
        assert_int_equal(symlink(cases[i].target, path[2]), 0);
        found = monitor_is_running(proc, "web");
        unlink(path[2]);
        rmdir(path[1]);
        rmdir(path[0]);
        rmdir(proc);
        if (found != cases[i].found)
            fail_msg("case %zu", i);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

/* ---- starting one -------------------------------------------------------- */

/* As which this program is started in its turn: the signals are as they are. */
static int be_a_monitor(void)
{
    struct sigaction on_pipe;
    sigset_t blocked;

    sigprocmask(SIG_BLOCK, NULL, &blocked);
    sigaction(SIGPIPE, NULL, &on_pipe);
    return sigismember(&blocked, SIGTERM) || sigismember(&blocked, SIGHUP) ||
           on_pipe.sa_handler != SIG_DFL;
}

/* What is blocked in it would be in the device models that it starts. */
static void test_its_signals_are_not_the_caller_s(void **state)
{
    const struct domain domain = {.domid = 5, .name = "web-of-this-test"};
    struct xcx_err err = XCX_ERR_INIT;
    sigset_t blocked, before;

    (void)state;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGHUP);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    if (monitor_start(&domain, &err))
        fail_msg("%s", err.msg);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_reason_and_action),
        TEST(test_each_reason_has_its_own_action),
        TEST(test_events_of_others_and_ejects),
        TEST(test_creating_is_tried_again),
        TEST(test_what_can_fail),
        TEST(test_a_monitor_is_known_by_its_log),
        TEST(test_its_signals_are_not_the_caller_s),
    };

    if (argc == 3 && !strcmp(argv[1], "monitor"))
        return be_a_monitor();

    return cmocka_run_group_tests(tests, NULL, NULL);
}
