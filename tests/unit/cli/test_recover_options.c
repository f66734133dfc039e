/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What recover makes of its command line. */
#include "xl-migrate/recover/recover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "xl-migrate/cli/command.h"
#include "xl-migrate/recover/recover_list.h"
#include "xl-migrate/recover/recover_resume.h"

#define TEXT_BYTES 512

static struct recover_options taken;
static bool is_taken;

int config_load(struct config *config, struct xcx_err *err)
{
    (void)config, (void)err;
    return 0;
}

int recover_run(const struct recover_options *options,
                const struct config *config)
{
    (void)config;
    taken = *options;
    is_taken = true;
    return EXIT_STATUS_LOST;
}

static struct recover_list_options listed;
static bool is_listed;

int recover_list(const struct recover_list_options *options,
                 const struct config *config)
{
    (void)config;
    listed = *options;
    is_listed = true;
    return EXIT_STATUS_DONE;
}

static const char *resumed;

int recover_resume(const char *what, const struct config *config)
{
    (void)config;
    resumed = what;
    return EXIT_STATUS_TAKEN;
}

/* said: on standard error. */
static int run(char **argv, char said[TEXT_BYTES])
{
    int fd = memfd_create("said", MFD_CLOEXEC), errors = dup(STDERR_FILENO);
    int argc = 0, status;
    ssize_t nr_bytes;

    while (argv[argc])
        argc++;
    is_taken = false;
    fflush(NULL);
    dup2(fd, STDERR_FILENO);
    status = cmd_recover(argc, argv);
    fflush(NULL);
    dup2(errors, STDERR_FILENO);
    nr_bytes = pread(fd, said, TEXT_BYTES - 1, 0);
    said[nr_bytes < 0 ? 0 : nr_bytes] = 0;
    close(fd);
    close(errors);
    return status;
}

static void what_is_true_of_one_target_is_asked_of_no_other(void **state)
{
#define ASKS " asks for the ID or DOMAIN that it is true of\n"
    static struct {
        char *argv[5];
        const char *said;
    } all[] = {
        {{"recover", "--stock"}, "xl-migrate recover: --stock" ASKS},
        {{"recover", "--target-is-fenced"},
         "xl-migrate recover: --target-is-fenced" ASKS},
        {{"recover", "g1", "g2"},
         "xl-migrate recover: expected one ID or DOMAIN\n"},
        {{"recover", "--resume"}, "xl-migrate recover: --resume" ASKS},
        {{"recover", "--resume", "--stock", "g1"},
         "xl-migrate recover: --resume goes with no --stock\n"},
        {{"recover", "--list", "--resume", "g1"},
         "xl-migrate recover: --resume goes with no --list\n"},
        {{"recover", "--json"},
         "xl-migrate recover: --json goes with --list only\n"},
        {{"recover", "--other"},
         "xl-migrate recover: unknown option \"--other\"\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char said[TEXT_BYTES];

        assert_int_equal(run(all[i].argv, said), EXIT_STATUS_USAGE);
        assert_string_equal(said, all[i].said);
        assert_false(is_taken);
    }
}

static void what_is_asked_for_is_done(void **state)
{
    static struct {
        char *argv[5];
        const char *what;
        enum peer_kind kind;
        bool fenced;
    } all[] = {
        {{"recover"}, NULL, PEER_FIND_OUT, false},
        {{"recover", "g1"}, "g1", PEER_FIND_OUT, false},
        {{"recover", "--stock", "g1"}, "g1", PEER_STOCK, false},
        {{"recover", "--target-is-fenced", "g1"}, "g1", PEER_FIND_OUT, true},
        {{"recover", "g1", "--stock", "--target-is-fenced"},
         "g1",
         PEER_STOCK,
         true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char said[TEXT_BYTES];

        assert_int_equal(run(all[i].argv, said), EXIT_STATUS_LOST);
        assert_string_equal(said, "");
        assert_true(is_taken);
        if (all[i].what)
            assert_string_equal(taken.what, all[i].what);
        else
            assert_null(taken.what);
        assert_int_equal(taken.kind, all[i].kind);
        assert_int_equal(taken.target_is_fenced, all[i].fenced);
    }
}

static void a_list_does_nothing_else(void **state)
{
    static struct {
        char *argv[5];
        const char *what;
        bool json;
    } all[] = {
        {{"recover", "--list"}, NULL, false},
        {{"recover", "--list", "--json", "g1"}, "g1", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char said[TEXT_BYTES];

        is_listed = false;
        assert_int_equal(run(all[i].argv, said), EXIT_STATUS_DONE);
        assert_false(is_taken);
        assert_true(is_listed);
        assert_int_equal(listed.json, all[i].json);
        if (all[i].what)
            assert_string_equal(listed.what, all[i].what);
        else
            assert_null(listed.what);
    }
}

static void what_is_nobody_s_is_resumed(void **state)
{
    char *argv[] = {"recover", "--resume", "g1", NULL};
    char said[TEXT_BYTES];

    (void)state;
    assert_int_equal(run(argv, said), EXIT_STATUS_TAKEN);
    assert_false(is_taken);
    assert_string_equal(resumed, "g1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_true_of_one_target_is_asked_of_no_other),
        cmocka_unit_test(what_is_asked_for_is_done),
        cmocka_unit_test(what_is_nobody_s_is_resumed),
        cmocka_unit_test(a_list_does_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
