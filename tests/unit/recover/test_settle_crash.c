/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle and handover_run at either end of a socket, as processes with
 * journals in a folder and two domains in shared memory. At each point of
 * either end (after each entry, act and word) the process dies or the link
 * is cut, recover follows and may die as well; at the end exactly one copy
 * runs, and no case is left. At each point of the source another program
 * destroys its guest, moves it elsewhere or resumes it, too.
 *
 *   source process ── socketpair ── target process
 *      journal, copy                   journal, copy
 */
#include "xl-migrate/recover/settle.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/case_sample.h"
#include "unit/scratch.h"

#define NEVER       1000 /* a point that no run reaches */
#define MAX_POINTS  8    /* at which another program acts */
#define EXIT_DIED   99
#define LINE_BYTES  32
#define ASKS        "ABORT?" /* from a source that is undecided */
#define DEADLINE_NS (20 * 1000000000ull)

enum { SOURCE, TARGET, NR_ENDS };
enum how { DIES, CUTS, NR_HOWS };
enum deed { NOTHING, DESTROYS, MOVES, RESUMES, NR_DEEDS }; /* another program */

/* What outlives the processes: the domains, and what has happened. */
static struct shared {
    enum handover_copy copy[NR_ENDS];
    bool was_two, was_not_ours;
    int nr_points[NR_ENDS]; /* passed in this run */
    enum deed done;         /* by another program */
    bool elsewhere;         /* where another program runs it */
} * shared;

static struct plan {
    int point[NR_ENDS];
    enum how how;
    enum deed deed; /* of another program, at that point of the source */
    int deed_point;
} plan;

static struct journal *source_journal; /* in the source's process */

static int self; /* which end this process is */
static int link_fd = -1;

static void count_copies(void)
{
    shared->was_two |= (shared->copy[SOURCE] == HANDOVER_RUNNING) +
                           (shared->copy[TARGET] == HANDOVER_RUNNING) +
                           shared->elsewhere >
                       1;
}

/* What is left out are the races that source_domain.h names. */
static void do_deed(enum deed deed)
{
    enum handover_copy *copy = &shared->copy[SOURCE];
    bool runs = *copy == HANDOVER_RUNNING, stands = *copy == HANDOVER_PAUSED;
    bool is_let_go = source_journal->entry == HANDOVER_GO ||
                     source_journal->entry == HANDOVER_DONE;

    if (deed == DESTROYS ? !runs && !stands
        : deed == MOVES  ? !runs
                         : !stands || is_let_go)
        return;
    shared->done = deed;
    shared->elsewhere = deed == MOVES;
    *copy = deed == DESTROYS ? HANDOVER_GONE
            : deed == MOVES  ? HANDOVER_TAKEN
                             : HANDOVER_RUNNING;
    count_copies();
}

static void point(void)
{
    if (self == SOURCE && plan.deed &&
        shared->nr_points[self] == plan.deed_point)
        do_deed(plan.deed);
    if (shared->nr_points[self]++ != plan.point[self])
        return;
    if (plan.how == DIES)
        _exit(EXIT_DIED);
    shutdown(link_fd, SHUT_RDWR);
}

/* Power is not lost here: what is written is there. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    (void)fd;
    return 0;
}

/* ---- domains ------------------------------------------------------------- */

static int on_look(void *opaque, enum handover_copy *ret_copy,
                   uint32_t *ret_domid, struct xcx_err *err)
{
    (void)opaque;
    (void)err;
    point();
    *ret_copy = shared->copy[self];
    /* As source_domain.c has it, once it is no matter of the case's. */
    if (*ret_copy == HANDOVER_TAKEN && source_journal->entry == HANDOVER_RAN)
        *ret_copy = HANDOVER_PAUSED;
    *ret_domid = 7;
    return 0;
}

static int on_act(void *opaque, enum handover_act act, struct xcx_err *err)
{
    (void)opaque;
    (void)err;
    point();
    /* Since the look: libxl finds that it is gone, or runs. */
    if (self == SOURCE && (shared->copy[self] == HANDOVER_GONE ||
                           shared->copy[self] == HANDOVER_RUNNING))
        return 0;
    shared->was_not_ours |= shared->copy[self] == HANDOVER_TAKEN;
    shared->copy[self] =
        act == HANDOVER_DO_DESTROY ? HANDOVER_ABSENT : HANDOVER_RUNNING;
    count_copies();
    point();
    return 0;
}

/* ---- the link ------------------------------------------------------------ */

static int say_line(const char *line, struct xcx_err *err)
{
    char text[LINE_BYTES];
    int nr_bytes = snprintf(text, sizeof(text), "%s\n", line);

    point();
    if (send(link_fd, text, (size_t)nr_bytes, MSG_NOSIGNAL) != nr_bytes)
        return xcx_err_set(err, XCX_ERR_IO, errno, "link");
    point();
    return 0;
}

/* 1: a line; 0: the deadline; -1: the link is gone. */
static int hear_line(char line[LINE_BYTES], int timeout_ms, struct xcx_err *err)
{
    for (size_t used = 0; used < LINE_BYTES; used++) {
        struct pollfd pollfd = {.fd = link_fd, .events = POLLIN};

        if (poll(&pollfd, 1, timeout_ms) == 0)
            return 0;
        if (read(link_fd, line + used, 1) != 1)
            return xcx_err_set(err, XCX_ERR_IO, 0, "link gone");
        if (line[used] == '\n') {
            line[used] = 0;
            return 1;
        }
    }
    return xcx_err_set(err, XCX_ERR_PEER, 0, "too long");
}

static int on_say(void *opaque, enum handover_word word, const char *text,
                  struct xcx_err *err)
{
    (void)opaque;
    (void)text;
    return say_line(handover_word_name(word), err);
}

/* ---- the source ---------------------------------------------------------- */

static char first_line[LINE_BYTES];
static bool is_connected;

static int peer_say(struct peer *peer, enum handover_word word,
                    struct xcx_err *err)
{
    bool asks = word == HANDOVER_SAY_ABORT && !peer->is_decided;

    return say_line(asks ? ASKS : handover_word_name(word), err);
}

static int peer_hear(struct peer *peer, uint64_t deadline_ns,
                     struct peer_message *ret, struct xcx_err *err)
{
    char line[LINE_BYTES];
    int rc = 1;

    (void)peer;
    (void)deadline_ns;
    *ret = (struct peer_message){.news = PEER_NOTHING};
    if (first_line[0])
        strcpy(line, first_line);
    else
        rc = hear_line(line, 500, err);
    first_line[0] = 0;
    if (rc <= 0)
        return rc;
    ret->news = PEER_SETTLED;
    if (strcmp(line, "settled") != 0) {
        ret->news = PEER_WORD;
        ret->word = handover_word_of_name(line);
    }
    return 0;
}

static int peer_reattach(struct peer *peer, const struct journal_case *about,
                         bool *ret_known, struct xcx_err *err)
{
    (void)peer;
    (void)about;
    if (say_line("reattach", err) || hear_line(first_line, -1, err) != 1)
        return -1;
    *ret_known = strcmp(first_line, "unknown") != 0;
    if (!*ret_known)
        first_line[0] = 0;
    return 0;
}

static void peer_shut(struct peer *peer)
{
    (void)peer;
    shutdown(link_fd, SHUT_RDWR);
}

static const struct peer_ops peer_ops = {
    .reattach = peer_reattach,
    .say = peer_say,
    .hear = peer_hear,
    .close = peer_shut,
};
static struct peer the_peer = {.ops = &peer_ops, .plugin = true};

static int on_connect(void *opaque, struct peer **ret, struct xcx_err *err)
{
    (void)opaque;
    if (is_connected)
        return xcx_err_set(err, XCX_ERR_IO, 0, "no other link");
    is_connected = true;
    *ret = &the_peer;
    return 0;
}

static int source_process(bool recovers)
{
    const struct settle_ops ops = {
        .look = on_look, .act = on_act, .connect = on_connect};
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;
    struct settle_result result;
    struct peer *peer = recovers ? NULL : &the_peer;

    if (journal_open(&journal, scratch_dir, CASE_SAMPLE_ID, JOURNAL_SOURCE,
                     &err))
        return err.kind == XCX_ERR_USAGE ? 0 : 1;
    is_connected = !recovers;
    source_journal = &journal;

    const struct settle_params params = {
        .journal = &journal,
        .ops = &ops,
        .peer = &peer,
        .first = recovers && journal.entry == HANDOVER_SUSPENDING
                     ? HANDOVER_WITHDRAW
                     : HANDOVER_LOOK,
        .begun = true,
        .answer_ns = DEADLINE_NS,
    };

    if (settle(&params, &result, &err)) {
        fprintf(stderr, "source: %s\n", err.msg);
        return 1;
    }
    journal_close(&journal);
    return 0;
}

/* ---- the target, as receive does it -------------------------------------- */

static int target_step(struct journal *journal, enum handover_event event)
{
    const struct handover_seam seam = {
        .look = on_look, .act = on_act, .say = on_say};
    struct handover_outcome outcome;
    struct xcx_err err = XCX_ERR_INIT;

    if (!handover_run(journal, &seam, event, &outcome, &err))
        return 0;
    fprintf(stderr, "target: %s\n", err.msg);
    return 1;
}

static int target_settles(struct journal *journal)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (journal_remove(journal, &err))
        return 1;
    say_line("settled", &err);
    return 0;
}

static int target_talks(struct journal *journal)
{
    char line[LINE_BYTES];

    while (hear_line(line, -1, NULL) == 1) {
        bool asks = !strcmp(line, ASKS);
        enum handover_event event =
            asks ? HANDOVER_HEARD_ABORT
                 : handover_event_of_word(JOURNAL_TARGET,
                                          handover_word_of_name(line));

        if (!strcmp(line, "DONE"))
            return target_settles(journal);
        if (target_step(journal, event))
            return 1;
        if (journal->entry == HANDOVER_ABORTED &&
            event == HANDOVER_HEARD_ABORT && !asks)
            return target_settles(journal);
    }
    return 0;
}

static int target_process(bool recovers)
{
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;
    char line[LINE_BYTES];
    int rc;

    if (recovers && hear_line(line, -1, NULL) != 1)
        return 0; /* the source has nothing to ask */
    if (journal_open(&journal, scratch_dir, CASE_SAMPLE_ID, JOURNAL_TARGET,
                     &err)) {
        say_line("unknown", &err);
        return err.kind == XCX_ERR_BUG;
    }
    /* A copy that never was ready is given up when its receiver has gone. */
    rc = target_step(&journal, !recovers       ? HANDOVER_COMPLETE
                               : journal.entry ? HANDOVER_LOOK
                                               : HANDOVER_GIVE_UP);
    rc = rc ? rc : target_talks(&journal);
    journal_close(&journal);
    return rc;
}

/* ---- runs ---------------------------------------------------------------- */

static pid_t start(int end, int fds[2], bool recovers)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    self = end;
    link_fd = fds[end];
    close(fds[!end]);
    _exit(end == SOURCE ? source_process(recovers) : target_process(recovers));
}

static void both(bool recovers, const struct plan *with)
{
    int fds[2], status;
    pid_t pids[NR_ENDS];

    plan = *with;
    shared->nr_points[SOURCE] = shared->nr_points[TARGET] = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int end = 0; end < NR_ENDS; end++)
        pids[end] = start(end, fds, recovers);
    close(fds[0]);
    close(fds[1]);
    for (int end = 0; end < NR_ENDS; end++) {
        assert_int_equal(waitpid(pids[end], &status, 0), pids[end]);
        assert_true(WIFEXITED(status));
        assert_true(WEXITSTATUS(status) == 0 ||
                    WEXITSTATUS(status) == EXIT_DIED);
    }
}

static void make_journal(enum journal_side side, enum handover_entry entry)
{
    struct journal journal;

    case_sample_create(&journal, scratch_dir, side, entry);
    journal_close(&journal);
}

static bool has_journal(const char *side)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/" CASE_SAMPLE_ID ".%s.journal",
             scratch_dir, side);
    if (access(path, F_OK))
        return false;
    unlink(path);
    return true;
}

static void check_end(const struct plan *first, const struct plan *second)
{
    bool left = has_journal("source"), left_there = has_journal("target");
    bool here = shared->copy[SOURCE] == HANDOVER_RUNNING;
    bool there = shared->copy[TARGET] == HANDOVER_RUNNING;

    if (!shared->was_two && here != there && !left && !left_there &&
        shared->copy[here ? TARGET : SOURCE] == HANDOVER_ABSENT)
        return;
    fail_msg("points %d/%d then %d/%d, how %d: copies %d and %d, two %d, "
             "journals %d %d",
             first->point[0], first->point[1], second->point[0],
             second->point[1], first->how, shared->copy[SOURCE],
             shared->copy[TARGET], shared->was_two, left, left_there);
}

/* Returns which plans' points were reached. */
static void run_two(const struct plan *first, const struct plan *second,
                    bool reached[2])
{
    static const struct plan nothing = {.point = {NEVER, NEVER}};
    const struct plan *plans[] = {first, second, &nothing};

    memset(shared, 0, sizeof(*shared));
    shared->copy[SOURCE] = shared->copy[TARGET] = HANDOVER_PAUSED;
    make_journal(JOURNAL_SOURCE, HANDOVER_SUSPENDING);
    make_journal(JOURNAL_TARGET, HANDOVER_NONE);
    for (int i = 0; i < 3; i++) {
        both(i > 0, plans[i]);
        if (i < 2)
            reached[i] = shared->nr_points[SOURCE] > plans[i]->point[SOURCE] ||
                         shared->nr_points[TARGET] > plans[i]->point[TARGET];
    }
}

static void run_plans(const struct plan *first, const struct plan *second,
                      bool reached[2])
{
    run_two(first, second, reached);
    check_end(first, second);
}

static struct plan at(int end, int n, enum how how)
{
    struct plan with = {.point = {NEVER, NEVER}, .how = how};

    with.point[end] = n;
    return with;
}

static void undisturbed_the_guest_moves(void **state)
{
    struct plan nothing = at(SOURCE, NEVER, DIES);
    bool reached[2];

    (void)state;
    run_plans(&nothing, &nothing, reached);
    assert_false(reached[0] || reached[1]);
    assert_int_equal(shared->copy[TARGET], HANDOVER_RUNNING);
}

/* Recover is broken, too, at every point of either end. */
static int break_recover(const struct plan *first)
{
    bool reached[2];
    int nr = 0;

    for (int end = 0; end < NR_ENDS; end++) {
        for (int n = 0;; n++, nr++) {
            struct plan second = at(end, n, DIES);

            run_plans(first, &second, reached);
            if (!reached[0])
                return -1;
            if (!reached[1])
                break;
        }
    }
    return nr;
}

static void broken_anywhere_one_copy_runs(void **state)
{
    int nr_runs = 0, moved = 0, stayed = 0;

    (void)state;
    for (int how = 0; how < NR_HOWS; how++) {
        for (int end = 0; end < NR_ENDS; end++) {
            for (int n = 0;; n++) {
                struct plan first = at(end, n, (enum how)how);
                int nr = break_recover(&first);

                if (nr < 0)
                    break;
                nr_runs += nr;
                moved += shared->copy[TARGET] == HANDOVER_RUNNING;
                stayed += shared->copy[SOURCE] == HANDOVER_RUNNING;
            }
        }
    }
    print_message("%d runs broken twice\n", nr_runs);
    assert_true(nr_runs > 100 && moved && stayed);
}

/* The guest runs once, or where another program has it, or was destroyed. */
static void check_deed(const struct plan *first, const struct plan *second)
{
    bool left = has_journal("source"), left_there = has_journal("target");
    bool there = shared->copy[TARGET] == HANDOVER_RUNNING;
    int nr =
        (shared->copy[SOURCE] == HANDOVER_RUNNING) + there + shared->elsewhere;
    if (!shared->was_two && !shared->was_not_ours && !left && !left_there &&
        nr == (shared->done != DESTROYS || there) &&
        shared->copy[TARGET] != HANDOVER_PAUSED)
        return;
    fail_msg("deed %d at %d or %d, dies at %d/%d: copies %d and %d, %d two, "
             "%d not ours, journals %d %d",
             shared->done, first->deed_point, second->deed_point,
             first->point[0], first->point[1], shared->copy[SOURCE],
             shared->copy[TARGET], shared->was_two, shared->was_not_ours, left,
             left_there);
}

/* Returns whether that end's death was reached. */
static bool do_deeds(struct plan first, bool later, int nr_done[NR_DEEDS])
{
    struct plan second = at(SOURCE, NEVER, DIES);
    struct plan *with = later ? &second : &first;
    bool reached[2] = {true, true};

    for (int n = 0; n < MAX_POINTS * RESUMES && reached[0]; n++) {
        with->deed = DESTROYS + n % RESUMES;
        with->deed_point = n / RESUMES;
        run_two(&first, &second, reached);
        check_deed(&first, &second);
        nr_done[shared->done]++;
    }
    return reached[0];
}

/* In the process that dies or, of a source, in recover. */
static void beside_another_program_one_copy_runs(void **state)
{
    int nr_done[NR_DEEDS] = {0};

    (void)state;
    for (int end = 0; end < NR_ENDS; end++) {
        bool reached = true;

        for (int n = 0; reached; n++)
            reached =
                do_deeds(at(end, n, DIES), end == SOURCE && n % 2, nr_done);
    }
    for (enum deed deed = DESTROYS; deed < NR_DEEDS; deed++)
        assert_true(nr_done[deed] > 0);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : scratch_make(state);
}

static int tear_down(void **state)
{
    (void)state;
    munmap(shared, sizeof(*shared));
    return scratch_remove_empty(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undisturbed_the_guest_moves),
        cmocka_unit_test(broken_anywhere_one_copy_runs),
        cmocka_unit_test(beside_another_program_one_copy_runs),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
