/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A case taken up again with a stock target, whose shell is this machine's and
 * whose xl is a script over one domain: a name, and six letters of state.
 */
#include "xl-migrate/peer/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/deadline.h"

#define UUID       "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001"
#define SHELL      "sh -c \"$XL_MIGRATE_RUN\""
#define LIMIT_MS   20000
#define TEXT_BYTES 256

static const char xl[] =
    "#!/bin/sh\n"
    "cd \"${0%/*}\"\n"
    "case $1 in\n"
    "list) echo 'Name ID Mem VCPUs State Time(s) UUID Reason-Code Label'\n"
    "      ! [ -e many ] || [ \"$3\" ] || cat many\n"
    "      ! [ -e domain ] || echo \"$(cat domain) 1.0 " UUID " - -\"\n"
    "      [ -e domain ] || ! [ \"$3\" ] ;;\n"
    "unpause) echo \"$*\" >>done; echo 'g1 7 128 1 -b----' >domain ;;\n"
    "destroy) echo \"$*\" >>done; rm domain ;;\n"
    "migrate-receive)\n"
    "      ! [ -e silent ] || exec sleep 1000\n"
    "      echo 'xl migration receiver ready, send binary domain data.'\n"
    "      if [ -e whole ]; then read -r memory; cat whole >domain\n"
    "        printf 'domain received, ready to unpause\\0'; read -r go\n"
    "        printf 'my copy unpause results are as follows\\0\\0'\n"
    "        exit 0\n"
    "      fi\n"
    "      ! [ -e hangs ] || exec sleep 1000\n"
    "      cat >/dev/null; echo 'unexpected end' >&2; exit 1 ;;\n"
    "esac\n";

static char dir[] = "/tmp/xl-stock-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0700), 0);
}

static void take(const char *name, char *ret)
{
    char path[64];
    FILE *file;
    size_t nr_bytes = 0;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "r");
    if (file) {
        nr_bytes = fread(ret, 1, TEXT_BYTES - 1, file);
        fclose(file);
        unlink(path);
    }
    ret[nr_bytes] = 0;
}

struct situation {
    const char *domain; /* "": none */
    bool stay_paused;
    enum handover_word say;
    enum peer_news news;
    enum handover_word word;
    const char *done;
};

static void hear(struct peer *peer, struct peer_message *ret)
{
    struct xcx_err err = XCX_ERR_INIT;

    do {
        if (peer->ops->hear(peer, deadline_in_ms(LIMIT_MS), ret, &err))
            fail_msg("%s", err.msg);
    } while (ret->news == PEER_NOTHING);
}

static void check(const struct situation *at)
{
    const struct peer_address address = {.host = SHELL, .ssh = ""};
    const struct journal_case about = {
        .uuid = UUID, .name = "g1", .stay_paused = at->stay_paused};
    struct peer *peer = NULL;
    struct peer_message message;
    struct xcx_err err = XCX_ERR_INIT;
    char done[TEXT_BYTES], unused[TEXT_BYTES];
    bool known = false;

    if (*at->domain)
        put("domain", at->domain);
    if (peer_stock_open(&address, &peer, &err) ||
        peer->ops->reattach(peer, &about, &known, &err) ||
        (at->say && peer->ops->say(peer, at->say, &err)))
        fail_msg("%s", err.msg);
    assert_true(known);
    hear(peer, &message);
    assert_int_equal(message.news, at->news);
    assert_int_equal(message.word, at->word);
    peer_close(&peer);
    take("done", done);
    assert_string_equal(done, at->done);
    take("domain", unused);
}

static void what_was_let_go_is_unpaused_unless_it_is_to_stay_so(void **state)
{
#define SAID_GO .say = HANDOVER_SAY_GO, .news = PEER_WORD
    static const struct situation all[] = {
        {"g1 7 128 1 --p---", SAID_GO, .word = HANDOVER_SAY_STARTING,
         .done = "unpause 7\n"},
        {"g1 7 128 1 --p---", SAID_GO, .word = HANDOVER_SAY_STARTING,
         .stay_paused = true, .done = ""},
        {"g1 7 128 1 r-----", SAID_GO, .word = HANDOVER_SAY_STARTING,
         .done = ""},
        {"", SAID_GO, .word = HANDOVER_SAY_STARTING, .done = ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        check(&all[i]);
}

static void before_go_what_is_seen_is_its_word(void **state)
{
    static const struct situation all[] = {
        {"g1 7 128 1 --p---", .news = PEER_WORD, .word = HANDOVER_SAY_READY,
         .done = ""},
        {"", .news = PEER_WORD, .word = HANDOVER_SAY_ABORTED, .done = ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        check(&all[i]);
}

static void what_is_withdrawn_is_destroyed_unless_it_runs(void **state)
{
    static const struct situation all[] = {
        {"g1 7 128 1 --p---", .say = HANDOVER_SAY_ABORT, .news = PEER_SETTLED,
         .done = "destroy 7\n"},
        {"", .say = HANDOVER_SAY_ABORT, .news = PEER_SETTLED, .done = ""},
        {"g1 7 128 1 -b----", .say = HANDOVER_SAY_ABORT, .news = PEER_WORD,
         .word = HANDOVER_SAY_STARTING, .done = ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        check(&all[i]);
}

/* Whether xl there gets its input's end or not: half a copy is none. */
static void data_that_stay_half_end_its_copy(void **state)
{
    const struct peer_address address = {.host = SHELL, .ssh = ""};
    const struct journal_case about = {.uuid = UUID, .name = "g1"};
    const struct peer_begin begin = {.about = &about, .monitor = true};

    (void)state;
    for (int hangs = 0; hangs < 2; hangs++) {
        struct peer *peer = NULL;
        struct peer_message message;
        struct xcx_err err = XCX_ERR_INIT;
        char unused[TEXT_BYTES];
        int fd;

        if (hangs)
            put("hangs", "");
        if (peer_stock_open(&address, &peer, &err) ||
            peer->ops->begin(peer, &begin, &fd, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(write(fd, "half", 4), 4);
        peer->ops->drop_data(peer);
        hear(peer, &message);
        assert_int_equal(message.news, PEER_WORD);
        assert_int_equal(message.word, HANDOVER_SAY_ABORTED);
        assert_string_equal(message.text, hangs
                                              ? "there is no copy at the target"
                                              : "unexpected end");
        peer_close(&peer);
        take("hangs", unused);
    }
}

/* xl takes a name of digits for a domid; another domain has just that one. */
static void a_guest_called_by_a_number_is_meant_by_its_domid(void **state)
{
    static const struct {
        enum handover_word say;
        enum peer_news news;
        const char *done;
    } rows[] = {
        {HANDOVER_SAY_GO, PEER_WORD, "unpause 7\n"},
        {HANDOVER_SAY_ABORT, PEER_SETTLED, "destroy 7\n"},
    };
    const struct peer_address address = {.host = SHELL, .ssh = ""};
    const struct journal_case about = {.uuid = UUID, .name = "101"};
    const struct peer_begin begin = {.about = &about, .monitor = true};
    char text[TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer *peer = NULL;
        struct peer_message message;
        struct xcx_err err = XCX_ERR_INIT;
        int fd;

        put("whole", "101 7 128 1 --p---");
        put("many", "other 101 128 1 -b---- 1.0 "
                    "00000000-0000-0000-0000-000000000101 - -\n");
        if (peer_stock_open(&address, &peer, &err) ||
            peer->ops->begin(peer, &begin, &fd, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(write(fd, "memory\ngo\n", 10), 10);
        hear(peer, &message);
        assert_int_equal(message.word, HANDOVER_SAY_READY);
        if (peer->ops->say(peer, rows[i].say, &err))
            fail_msg("%s", err.msg);
        hear(peer, &message);
        assert_int_equal(message.news, rows[i].news);
        assert_int_equal(message.word, rows[i].news == PEER_WORD
                                           ? HANDOVER_SAY_STARTING
                                           : HANDOVER_SAY_NOTHING);
        peer_close(&peer);
        take("done", text);
        assert_string_equal(text, rows[i].done);
        take("domain", text);
        take("many", text);
        take("whole", text);
    }
}

#define SPACES                                                                 \
    "                                                            "             \
    "                                                            "

/* A host with more domains than an answer has room for. */
static void a_long_list_hides_no_copy(void **state)
{
    /* As wide as the others: a short row fits where a list was cut. */
    static const struct situation paused = {
        "g1" SPACES "7 128 1 --p---", SAID_GO, .word = HANDOVER_SAY_STARTING,
        .done = "unpause 7\n"};
    char path[64], unused[TEXT_BYTES];
    FILE *file;

    (void)state;
    snprintf(path, sizeof(path), "%s/many", dir);
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fprintf(file,
                "%-40s %5d   128     1     -b----       1.0 "
                "00000000-0000-0000-0000-%012d        -                -\n",
                "another", 100 + i, i);
    fclose(file);
    check(&paused);
    take("many", unused);
}

static void what_is_begun_can_be_cancelled(void **state)
{
    int cancel_fd = eventfd(0, EFD_CLOEXEC);
    const struct peer_address address = {
        .host = SHELL, .ssh = "", .cancel_fd = &cancel_fd};
    const struct journal_case about = {.uuid = UUID, .name = "g1"};
    const struct peer_begin begin = {.about = &about, .monitor = true};
    struct peer *peer = NULL;
    struct peer_message message;
    struct xcx_err err = XCX_ERR_INIT;
    char unused[TEXT_BYTES];
    int fd;

    (void)state;
    put("silent", "");
    if (peer_stock_open(&address, &peer, &err))
        fail_msg("%s", err.msg);
    eventfd_write(cancel_fd, 1);
    assert_int_equal(peer->ops->begin(peer, &begin, &fd, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_CANCELLED);
    peer->ops->drop_data(peer);
    hear(peer, &message);
    assert_int_equal(message.word, HANDOVER_SAY_ABORTED);
    peer_close(&peer);
    take("silent", unused);
    close(cancel_fd);
}

static int make_dir(void **state)
{
    char path[4096];
    const char *before = getenv("PATH");

    (void)state;
    if (!mkdtemp(dir) || !before)
        return -1;
    snprintf(path, sizeof(path), "%s:%.4000s", dir, before);
    setenv("PATH", path, 1);
    put("xl", xl);
    return 0;
}

static int remove_dir(void **state)
{
    char unused[TEXT_BYTES];

    (void)state;
    take("xl", unused);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_let_go_is_unpaused_unless_it_is_to_stay_so),
        cmocka_unit_test(before_go_what_is_seen_is_its_word),
        cmocka_unit_test(a_long_list_hides_no_copy),
        cmocka_unit_test(a_guest_called_by_a_number_is_meant_by_its_domid),
        cmocka_unit_test(what_is_withdrawn_is_destroyed_unless_it_runs),
        cmocka_unit_test(data_that_stay_half_end_its_copy),
        cmocka_unit_test(what_is_begun_can_be_cancelled),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
