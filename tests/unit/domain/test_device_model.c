/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The device model of an HVM guest, and the QMP client, against a QEMU that a
 * thread plays (fake_qemu.h).
 */
#include "xl-migrate/domain/device_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/fake_qemu.h"

static struct device_model model(void)
{
    return (struct device_model){.domid = 5,
                                 .uuid = UUID,
                                 .run_dir = fake_qemu_dir,
                                 .lock_dir = fake_qemu_dir,
                                 .timeout_ms = 5000};
}

/* ---- tests -------------------------------------------------------------- */

static void test_a_state_comes_back_in_memory(void **state)
{
    struct qemu qemu = {.steps = {
                            {"qmp_capabilities", OK},
                            {"\"stop\"", "{\"event\": \"STOP\"}\r\n" OK},
                            {"add-fd", "{\"return\": {\"fdset-id\": 7, "
                                       "\"fd\": 12}, \"id\": ID}\r\n"},
                            {"/dev/fdset/7", OK},
                        }};
    struct device_model five = model();
    struct xcx_err err = XCX_ERR_INIT;
    pthread_t thread = fake_qemu_start(&qemu);
    uint64_t nr_bytes = 0;
    char text[8] = "";
    int fd = -1;

    (void)state;
    if (device_model_save(&five, true, &fd, &nr_bytes, &err) < 0)
        fail_msg("%s", err.msg);
    fake_qemu_end(thread, &qemu);
    assert_int_equal(qemu.nr_commands, 4);
    assert_int_equal(qemu.got_flags & O_ACCMODE, O_WRONLY);
    assert_int_equal(nr_bytes, 5);
    assert_int_equal(pread(fd, text, sizeof(text), 0), 5);
    assert_string_equal(text, "STATE");
    close(fd);
}

/* As QEMU 2.10 answers: the argument "live" came with 2.11. */
static void test_an_old_qemu_saves_without_live(void **state)
{
    struct qemu qemu = {
        .steps = {
            {"qmp_capabilities", OK},
            {"\"stop\"", OK},
            {"add-fd", "{\"return\": {\"fdset-id\": 7, "
                       "\"fd\": 12}, \"id\": ID}\r\n"},
            {"\"live\"", "{\"error\": {\"class\": \"GenericError\", "
                         "\"desc\": \"Parameter 'live' is unexpected\"}, "
                         "\"id\": ID}\r\n"},
            {"\"filename\": \"/dev/fdset/7\"\n", OK}, /* nothing after it */
        }};
    struct device_model five = model();
    struct xcx_err err = XCX_ERR_INIT;
    pthread_t thread = fake_qemu_start(&qemu);
    uint64_t nr_bytes = 0;
    int fd = -1, rc;

    (void)state;
    rc = device_model_save(&five, true, &fd, &nr_bytes, &err);
    if (rc)
        print_message("%s\n", err.msg);
    fake_qemu_end(thread, &qemu);
    assert_int_equal(rc, 0);
    assert_true(nr_bytes > 0);
    close(fd);
}

/* It may be the guest's by now; the memory that it fills is this host's. */
static void test_a_state_without_end_is_cut_off(void **state)
{
    struct qemu qemu = {
        .saves_for_ever = true,
        .steps = {
            {"qmp_capabilities", OK},
            {"\"stop\"", OK},
            {"add-fd", "{\"return\": {\"fdset-id\": 7, "
                       "\"fd\": 12}, \"id\": ID}\r\n"},
            {"/dev/fdset/7", "{\"error\": {\"class\": \"GenericError\", "
                             "\"desc\": \"EPERM\"}, \"id\": ID}\r\n"},
        }};
    struct device_model five = model();
    struct xcx_err err = XCX_ERR_INIT;
    pthread_t thread = fake_qemu_start(&qemu);
    uint64_t nr_bytes = 0;
    int fd = -1;

    (void)state;
    assert_int_equal(device_model_save(&five, true, &fd, &nr_bytes, &err), -1);
    fake_qemu_end(thread, &qemu);
    assert_true(qemu.was_stopped);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_non_null(
        strstr(err.msg, "its state has 209715201 bytes, not 1 to 134217728"));
}

static int do_cont(const struct device_model *five, struct xcx_err *err)
{
    return device_model_cont(five, err);
}

static int do_log_dirty(const struct device_model *five, struct xcx_err *err)
{
    return device_model_set_log_dirty(five, true, err);
}

static int do_announce(const struct device_model *five, struct xcx_err *err)
{
    struct device_model_announce announce = {50, 550, 100, 5};

    return device_model_announce_self(five, &announce, err);
}

static int do_save(const struct device_model *five, struct xcx_err *err)
{
    uint64_t nr_bytes;
    int fd;

    return device_model_save(five, true, &fd, &nr_bytes, err);
}

static void test_commands_say_what_they_should(void **state)
{
    static const struct {
        int (*call)(const struct device_model *five, struct xcx_err *err);
        const char *expect;
    } cases[] = {
        {do_cont, "\"cont\""},
        {do_log_dirty, "\"enable\": true"},
        {do_announce, "\"initial\": 50"},
        {do_announce, "\"max\": 550"},
        {do_announce, "\"step\": 100"},
        {do_announce, "\"rounds\": 5"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct qemu qemu = {
            .steps = {{"qmp_capabilities", OK}, {cases[i].expect, OK}}};
        struct device_model five = model();
        struct xcx_err err = XCX_ERR_INIT;
        pthread_t thread = fake_qemu_start(&qemu);

        if (cases[i].call(&five, &err) < 0)
            fail_msg("%s", err.msg);
        fake_qemu_end(thread, &qemu);
    }
}

#define DEEP10 "[[[[[[[[[["
static const char deep[] =
    "{\"return\": " DEEP10 DEEP10 DEEP10 DEEP10 DEEP10 DEEP10 DEEP10 "\r\n";

static void test_what_a_device_model_may_do_wrong(void **state)
{
    static const struct {
        int (*call)(const struct device_model *five, struct xcx_err *err);
        struct qemu qemu;
        const char *text;
    } cases[] = {
        {do_cont,
         {.steps = {{"capab", OK},
                    {"cont", "{\"error\": {\"class\": \"GenericError\", "
                             "\"desc\": \"locked\\u001b[1m\"}, \"id\": ID}"
                             "\r\n"}}},
         "domain 5: device model: cont: locked?[1m"},
        {do_cont, {.steps = {{"capab", OK}, {"cont", NULL}}}, "it hung up"},
        {do_cont, {.greeting = "{}\r\n"}, "greeting: not QMP"},
        {do_cont, {.greeting = "QMP\r\n"}, "greeting: a message is not JSON"},
        {do_cont, {.greeting = "[1]\r\n"}, "greeting: a message is no object"},
        {do_cont,
         {.steps = {{"capab", "{\"return\": {}, \"id\": 77}\r\n"}}},
         "qmp_capabilities: an answer to something else"},
        {do_cont,
         {.steps = {{"capab", "{\"return\": {}}\r\n"}}},
         "an answer to something else"},
        {do_cont,
         {.steps = {{"capab", "{\"hello\": {}, \"id\": ID}\r\n"}}},
         "a message that is no answer"},
        {do_cont,
         {.steps = {{"capab", "{\"error\": {\"desc\": \"busy\"}}\r\n"}}},
         "qmp_capabilities: busy"},
        {do_cont, {.steps = {{"capab", deep}}}, "more than 64 levels"},
        {do_save,
         {.steps = {{"capab", OK}, {"stop", OK}, {"add-fd", OK}}},
         "add-fd: no fdset in the answer"},
        {do_save,
         {.saves_nothing = true,
          .steps = {{"capab", OK},
                    {"stop", OK},
                    {"add-fd", "{\"return\": {\"fdset-id\": 7}, \"id\": ID}"
                               "\r\n"},
                    {"xen-save", OK}}},
         "its state has 0 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct device_model five = model();
        struct xcx_err err = XCX_ERR_INIT;
        struct qemu qemu = cases[i].qemu;
        pthread_t thread = fake_qemu_start(&qemu);

        assert_int_equal(cases[i].call(&five, &err), -1);
        fake_qemu_end(thread, &qemu);
        assert_int_equal(err.kind, XCX_ERR_PEER);
        if (!strstr(err.msg, cases[i].text))
            fail_msg("case %zu: \"%s\" is not in \"%s\"", i, cases[i].text,
                     err.msg);
    }
}

static void test_a_message_without_end(void **state)
{
    struct qemu qemu = {.steps = {{"capab", NULL}}};
    struct device_model five = model();
    struct xcx_err err = XCX_ERR_INIT;
    char *endless = malloc(QMP_MAX_LINE_BYTES + 2);
    pthread_t thread;

    (void)state;
    memset(endless, ' ', QMP_MAX_LINE_BYTES + 1);
    endless[QMP_MAX_LINE_BYTES + 1] = '\0';
    qemu.greeting = endless;
    thread = fake_qemu_start(&qemu);
    assert_int_equal(device_model_cont(&five, &err), -1);
    fake_qemu_end(thread, &qemu);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_non_null(strstr(err.msg, "a message of more than 1048576 bytes"));
    free(endless);
}

static void test_no_answer(void **state)
{
    struct qemu silent = {.greeting = "", .stays = true};
    struct device_model five = model();
    struct xcx_err err = XCX_ERR_INIT;
    pthread_t thread = fake_qemu_start(&silent);

    (void)state;
    five.timeout_ms = 1;
    assert_int_equal(device_model_cont(&five, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_int_equal(err.os_errno, ETIMEDOUT);
    assert_non_null(strstr(err.msg, "greeting: no answer in time"));
    fake_qemu_end(thread, &silent);
}

/* ---- libxl's lock ------------------------------------------------------- */

static void test_another_holds_the_lock(void **state)
{
    struct device_model five = model();
    struct xcx_err err = XCX_ERR_INIT;
    char path[QMP_PATH_BYTES + 128];
    int fd;

    (void)state;
    fake_qemu_lock_path(path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    five.timeout_ms = 1;
    assert_int_equal(device_model_cont(&five, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_non_null(strstr(err.msg, "qmp-socket-lock: no answer in time"));
    assert_int_equal(access(path, F_OK), 0); /* is the other's to remove */
    unlink(path);
    close(fd);
}

/* How often this process has the path open. */
static unsigned nr_open(const char *path)
{
    DIR *fds = opendir("/proc/self/fd");
    unsigned nr = 0;
    struct dirent *entry;

    while ((entry = readdir(fds))) {
        char target[QMP_PATH_BYTES + 128] = "";

        if (readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1) >
            0)
            nr += strcmp(target, path) == 0;
    }
    closedir(fds);
    return nr;
}

/* Only once the other one waits for this very file. */
static void *release_lock(void *opaque)
{
    char path[QMP_PATH_BYTES + 128];

    fake_qemu_lock_path(path);
    while (nr_open(path) < 2)
        sched_yield();
    unlink(path);
    close(*(int *)opaque);
    return NULL;
}

/* Its holder removes the file: the one who waited needs a new one. */
static void test_the_lock_file_goes_away_meanwhile(void **state)
{
    struct qemu qemu = {.steps = {{"capab", OK}, {"cont", OK}}};
    struct device_model five = model();
    struct xcx_err err = XCX_ERR_INIT;
    char path[QMP_PATH_BYTES + 128];
    pthread_t thread = fake_qemu_start(&qemu), holder;
    int fd;

    (void)state;
    fake_qemu_lock_path(path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(pthread_create(&holder, NULL, release_lock, &fd), 0);
    if (device_model_cont(&five, &err) < 0)
        fail_msg("%s", err.msg);
    pthread_join(holder, NULL);
    fake_qemu_end(thread, &qemu);
    assert_true(qemu.saw_lock);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_there_is_no_device_model(void **state)
{
    struct device_model six = model();
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    six.domid = 6;
    assert_int_equal(device_model_cont(&six, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_int_equal(err.os_errno, ENOENT);
    assert_non_null(strstr(err.msg, "domain 6: device model: "));
    assert_non_null(strstr(err.msg, "qmp-libxl-6"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_state_comes_back_in_memory),
        cmocka_unit_test(test_an_old_qemu_saves_without_live),
        cmocka_unit_test(test_a_state_without_end_is_cut_off),
        cmocka_unit_test(test_commands_say_what_they_should),
        cmocka_unit_test(test_what_a_device_model_may_do_wrong),
        cmocka_unit_test(test_a_message_without_end),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_another_holds_the_lock),
        cmocka_unit_test(test_the_lock_file_goes_away_meanwhile),
        cmocka_unit_test(test_there_is_no_device_model),
    };

    return cmocka_run_group_tests(tests, fake_qemu_make_dir,
                                  fake_qemu_remove_dir);
}
