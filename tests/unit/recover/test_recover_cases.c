/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover among several cases: which are asked for, and as what kind of target
 * each is.
 */
#include "recover_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/scratch.h"

/* As an older version wrote it: the flag, which is false, is left out. */
static void make_case_old(void)
{
    static const char flag[] = ",\"stock\":false";
    char path[PATH_MAX], text[TEXT_BYTES], *at;
    FILE *file;
    size_t nr_bytes;

    snprintf(path, sizeof(path), "%s/%s.source.journal", scratch_dir, ID);
    file = fopen(path, "r+");
    assert_non_null(file);
    nr_bytes = fread(text, 1, sizeof(text) - 1, file);
    text[nr_bytes] = 0;
    at = strstr(text, flag);
    assert_non_null(at);
    memmove(at, at + strlen(flag), strlen(at + strlen(flag)) + 1);
    rewind(file);
    assert_int_equal(ftruncate(fileno(file), 0), 0);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void the_target_is_of_the_kind_that_it_was_sent_to(void **state)
{
    static const struct {
        bool stock, old; /* in the journal; by an older version */
        enum peer_kind asked, kind;
    } all[] = {
        {true, false, PEER_FIND_OUT, PEER_STOCK},
        {false, false, PEER_FIND_OUT, PEER_PLUGIN},
        {false, false, PEER_STOCK, PEER_PLUGIN},
        {false, true, PEER_FIND_OUT, PEER_FIND_OUT},
        {false, true, PEER_STOCK, PEER_STOCK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const struct recover_situation at = {AT_SOURCE(GO, PAUSED, 7),
                                             .answer = HANDOVER_SAY_STARTING,
                                             .stock = all[i].stock};
        char said[TEXT_BYTES];

        recover_world_begin(&at);
        if (all[i].old)
            make_case_old();
        assert_int_equal(recover_world_run(NULL, all[i].asked, false, said),
                         EXIT_STATUS_DONE);
        assert_int_equal(recover_world.kind, all[i].kind);
    }
}

/* As by a process that is at it. A name with a quote in it breaks it. */
static int hold_other(const char *side, const char *name)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof(path), "%s/0a1c.%s.journal", scratch_dir, side);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    dprintf(fd,
            "{\"version\":1,\"id\":\"0a1c\",\"side\":\"%s\",\"name\":\"%s\","
            "\"peer\":\"host3\",\"uuid\":\"" BOOT "\",\"boot\":\"" BOOT "\"}\n",
            side, name);
    return fd;
}

static void who_is_asked_for_is_found_past_others_at_work(void **state)
{
    static const struct {
        const char *what, *boot, *side, *name, *said; /* side, name: others' */
        enum exit_status status;
    } all[] = {
        {ID, BOOT, "source", "\"", "g1 is at host2", EXIT_STATUS_DONE},
        {"7", BOOT, "source", "g2", "g1 is at host2", EXIT_STATUS_DONE},
        {"g1", BOOT, "source", "\"",
         "; passed over: whether it is about \"g1\" cannot be seen\n",
         EXIT_STATUS_DONE},
        {"g2", BOOT, "source", "\"", "no case that can be read is about it",
         EXIT_STATUS_UNDECIDED},
        {NULL, BOOT, "source", "\"", "0a1c: ", EXIT_STATUS_UNDECIDED},
        {"g1", BOOT, "target", "g2", "g1 is at host2", EXIT_STATUS_DONE},
        {"7", OLD_BOOT, "source", "g2", "no case of \"7\"", EXIT_STATUS_USAGE},
        {"7", BOOT, "source", "7", "0a1c: journal ", EXIT_STATUS_UNDECIDED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct recover_situation left = {AT_SOURCE(GO, PAUSED, 7),
                                         .answer = HANDOVER_SAY_STARTING,
                                         .then = HANDOVER_GO};
        int fd = hold_other(all[i].side, all[i].name);
        char said[TEXT_BYTES];

        left.boot = all[i].boot;
        left.settled = all[i].status == EXIT_STATUS_DONE || !all[i].what;
        recover_world_begin(&left);
        assert_int_equal(recover_world_run(all[i].what, 0, false, said),
                         all[i].status);
        assert_non_null(strstr(said, all[i].said));
        recover_world_check_case(&left);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_target_is_of_the_kind_that_it_was_sent_to),
        cmocka_unit_test(who_is_asked_for_is_found_past_others_at_work),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
