/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which process saves a domain, by a /proc of the test's own. */
#include "common/saver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/scratch.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define HELPER    "/usr/lib/xen-4.17/bin/libxl-save-helper"

/* The words of the arguments are separated by single spaces. */
static void write_process(int pid, int parent, int uid, const char *words)
{
    char path[128], text[4096];
    size_t nr_bytes = strlen(words);
    FILE *file;

    snprintf(path, sizeof(path), "%s/%d", scratch_dir, pid);
    mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/%d/cmdline", scratch_dir, pid);
    file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < nr_bytes; i++)
        text[i] = words[i] == ' ' ? '\0' : words[i];
    text[nr_bytes] = '\0';
    assert_int_equal(fwrite(text, 1, nr_bytes ? nr_bytes + 1 : 0, file),
                     nr_bytes ? nr_bytes + 1 : 0);
    fclose(file);
    snprintf(path, sizeof(path), "%s/%d/status", scratch_dir, pid);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "Name:\tx\nPid:\t%d\nPPid:\t%d\nUid:\t%d\t0\t0\t0\n", pid,
            parent, uid);
    fclose(file);
    snprintf(path, sizeof(path), "%s/%d/fd", scratch_dir, pid);
    mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/%d/fd/5", scratch_dir, pid);
    unlink(path);
    assert_int_equal(symlink("/dev/xen/privcmd", path), 0);
}

static void clear(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s/*", scratch_dir);
    assert_int_equal(system(command), 0);
}

static pid_t find(uint32_t domid, struct saver *ret_saver)
{
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(saver_find(scratch_dir, domid, ret_saver, &err), 0);
    return ret_saver->pid;
}

static void test_which_arguments_save_domain_7(void **state)
{
    static const struct {
        const char *words;
        const char *name; /* NULL: these do not */
    } cases[] = {
        {HELPER " --save-domain 10 11 7 3 136 0", "libxl-save-helper"},
        {HELPER " --save-domain 10 -1 7 1 184 1", "libxl-save-helper"},
        {"xl-save-helper --save-domain 10 11 7 3 136 0", "xl-save-helper"},
        {"/bin/sh /opt/my-helper --save-domain 10 11 7 3", "my-helper"},
        {"h\033[2J\nx --save-domain 10 11 7 3 136 0", "h?[2J?x"},
        {HELPER " --save-domain 7 7 17 7 7 7", NULL},
        {HELPER " --save-domain 10 11 77 3 136 0", NULL},
        {HELPER " --save-domain 10 11 7x 3 136 0", NULL},
        {HELPER " --save-domain 10 11 4294967303 3 136 0", NULL},
        {HELPER " --save-domain 10 11", NULL},
        {HELPER " --restore-domain 10 11 7 3 1 4 2 768 0", NULL},
        {"--save-domain 10 11 7", NULL},
        {"xl migrate 7 host2", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct saver saver;

        clear();
        write_process(4711, 1, 0, cases[i].words);
        assert_int_equal(find(7, &saver), cases[i].name ? 4711 : 0);
        if (cases[i].name)
            assert_string_equal(saver.name, cases[i].name);
    }
}

/* Anybody may start a process with any arguments. */
static void test_a_users_process_does_not_count(void **state)
{
    struct saver saver;

    (void)state;
    clear();
    write_process(4711, 1, 65533, HELPER " --save-domain 10 11 7 3 136 0");
    assert_int_equal(find(7, &saver), 0);
    write_process(4712, 1, (int)getuid(),
                  HELPER " --save-domain 10 11 7 3 136 0");
    assert_int_equal(find(7, &saver), 4712);
}

/* Any words may stand in a command line. */
static void test_without_a_handle_on_the_hypervisor(void **state)
{
    static const struct {
        const char *target;
        bool counts;
    } cases[] = {
        {"/dev/null", false},
        {"/dev/xen/privcmd.c", false},
        {"/proc/xen/privcmd", true},
        {"/dev/xen/hypercall", true},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct saver saver;
        char path[128];

        clear();
        write_process(4711, 1, 0, HELPER " --save-domain 10 11 7 3 136 0");
        snprintf(path, sizeof(path), "%s/4711/fd/5", scratch_dir);
        unlink(path);
        assert_int_equal(symlink(cases[i].target, path), 0);
        assert_int_equal(find(7, &saver), cases[i].counts ? 4711 : 0);
    }
}

static void test_neither_the_caller_nor_its_wrappers_count(void **state)
{
    struct saver saver;
    int self = (int)getpid();

    (void)state;
    clear();
    write_process(self, 400, 0, HELPER " --save-domain 10 11 7 3 136 0");
    write_process(400, 300, 0, "/bin/sh h --save-domain 10 11 7 3 136 0");
    write_process(300, 0, 0, "strace h --save-domain 10 11 7 3 136 0");
    assert_int_equal(find(7, &saver), 0);
    write_process(500, 300, 0, HELPER " --save-domain 10 11 7 3 136 0");
    assert_int_equal(find(7, &saver), 500);
}

/* A helper's workers are forks of it, and so have its arguments. */
static void test_the_callers_workers_do_not_count(void **state)
{
    struct saver saver;
    int self = (int)getpid();

    (void)state;
    clear();
    write_process(self, 400, 0, HELPER " --save-domain 10 11 7 3 136 0");
    write_process(400, 1, 0, "xl migrate");
    write_process(600, self, 0, HELPER " --save-domain 10 11 7 3 136 0");
    write_process(601, 600, 0, HELPER " --save-domain 10 11 7 3 136 0");
    assert_int_equal(find(7, &saver), 0);
}

static void test_a_process_that_ends_meanwhile(void **state)
{
    char path[128];
    struct saver saver;

    (void)state;
    clear();
    snprintf(path, sizeof(path), "%s/4711", scratch_dir);
    mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/self", scratch_dir);
    mkdir(path, 0755);
    assert_int_equal(find(7, &saver), 0);
}

static void test_the_refusal_names_the_process(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    clear();
    assert_int_equal(saver_refuse(scratch_dir, 7, &err), 0);
    write_process(4711, 1, 0, HELPER " --save-domain 10 11 7 3 136 0");
    assert_int_equal(saver_refuse(scratch_dir, 8, &err), 0);
    assert_int_equal(saver_refuse(scratch_dir, 7, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_int_equal(err.os_errno, EBUSY);
    assert_non_null(strstr(err.msg, "domain 7: process 4711 "
                                    "(libxl-save-helper) is saving or "
                                    "migrating it already"));
}

static void test_no_proc_is_an_error(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct saver saver = {.pid = 5};

    (void)state;
    assert_int_equal(saver_find("/nonexistent", 7, &saver, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_int_equal(saver.pid, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_arguments_save_domain_7),
        cmocka_unit_test(test_a_users_process_does_not_count),
        cmocka_unit_test(test_without_a_handle_on_the_hypervisor),
        cmocka_unit_test(test_neither_the_caller_nor_its_wrappers_count),
        cmocka_unit_test(test_the_callers_workers_do_not_count),
        cmocka_unit_test(test_a_process_that_ends_meanwhile),
        cmocka_unit_test(test_the_refusal_names_the_process),
        cmocka_unit_test(test_no_proc_is_an_error),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
