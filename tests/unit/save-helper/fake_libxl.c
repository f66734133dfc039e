/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_libxl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define WAIT_MS       20000
#define FIRST_FREE_FD 20 /* ours stay above the fds given to the helper */

static void make_pipe(int fds[2])
{
    int low[2];

    assert_int_equal(pipe2(low, O_CLOEXEC), 0);
    for (int i = 0; i < 2; i++) {
        fds[i] = fcntl(low[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
        assert_true(fds[i] >= 0);
        close(low[i]);
    }
}

char fake_libxl_program[PATH_MAX];

int fake_libxl_find(void **state)
{
    const char *build = getenv("BUILD");
    char path[PATH_MAX];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    snprintf(path, sizeof(path), "%s/bin/xl-save-helper-fake",
             build ? build : "build");
    return realpath(path, fake_libxl_program) ? 0 : -1;
}

static void run_child(const char *line, const char *engine, const int fds[5])
{
    static const int wanted[5] = {0, 1, 2, 10, 11};
    char text[256];
    char *argv[20] = {fake_libxl_program};
    char *rest = text;
    int argc = 1;

    snprintf(text, sizeof(text), "%s", line);
    for (char *word; (word = strsep(&rest, " ")) && *word;)
        argv[argc++] = word;
    setenv("FAKE_ENGINE", engine, 1);
    for (int i = 0; i < 5; i++)
        dup2(fds[i], wanted[i]);
    signal(SIGPIPE, SIG_DFL);
    execv(fake_libxl_program, argv);
    _exit(99);
}

void fake_libxl_start(struct fake_libxl *libxl, const char *line,
                      const char *engine)
{
    int answers[2], messages[2], errors[2], stream[2];

    make_pipe(answers);
    make_pipe(messages);
    make_pipe(errors);
    make_pipe(stream);
    libxl->pid = fork();
    assert_true(libxl->pid >= 0);
    if (libxl->pid == 0) {
        const int fds[5] = {answers[0], messages[1], errors[1], stream[1],
                            errors[1]};

        run_child(line, engine, fds);
    }
    close(answers[0]);
    close(messages[1]);
    close(errors[1]);
    close(stream[1]);
    libxl->answer_fd = answers[1];
    libxl->message_fd = messages[0];
    libxl->stderr_fd = errors[0];
    libxl->io_fd = stream[0];
}

/* Returns how many of the bytes came before the end. */
static size_t read_exactly(int fd, void *bytes, size_t nr_bytes)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    size_t used = 0;

    while (used < nr_bytes) {
        ssize_t n;

        if (poll(&pollfd, 1, WAIT_MS) != 1)
            fail_msg("nothing came for %d ms", WAIT_MS);
        n = read(fd, (char *)bytes + used, nr_bytes - used);
        assert_true(n >= 0);
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return used;
}

static void take(const char **at, void *ret, size_t nr_bytes)
{
    memcpy(ret, *at, nr_bytes);
    *at += nr_bytes;
}

static void take_text(const char **at, char *ret_text)
{
    uint32_t nr_bytes;

    take(at, &nr_bytes, sizeof(nr_bytes));
    assert_in_range(nr_bytes, 1, PIPE_BUF);
    take(at, ret_text, nr_bytes);
    assert_int_equal(ret_text[nr_bytes - 1], 0);
}

void fake_libxl_hear(struct fake_libxl *libxl, struct heard *ret)
{
    static const struct {
        unsigned nr_numbers, nr_texts, nr_frames;
    } shapes[] = {
        [1] = {2, 2, 0}, [2] = {0, 2, 0}, [3] = {0, 0, 0}, [7] = {2, 0, 0},
        [8] = {1, 0, 0}, [9] = {0, 0, 2}, [10] = {2, 0, 0}};
    char body[UINT16_MAX];
    const char *at = body;
    uint16_t nr_body, type;

    memset(ret, 0, sizeof(*ret));
    if (read_exactly(libxl->message_fd, &nr_body, sizeof(nr_body)) == 0)
        return;
    assert_int_equal(read_exactly(libxl->message_fd, body, nr_body), nr_body);
    take(&at, &type, sizeof(type));
    ret->type = type;
    assert_true(type < sizeof(shapes) / sizeof(shapes[0]));
    for (unsigned i = 0; i < shapes[type].nr_numbers; i++)
        take(&at, &ret->numbers[i], sizeof(int));
    for (unsigned i = 0; i < shapes[type].nr_texts; i++)
        take_text(&at, ret->texts[i]);
    for (unsigned i = 0; i < shapes[type].nr_frames; i++)
        take(&at, &ret->frames[i], sizeof(ret->frames[i]));
    if (type == 2)
        at += 2 * sizeof(long);
    assert_int_equal(at - body, nr_body);
}

void fake_libxl_answer(struct fake_libxl *libxl, int answer)
{
    assert_int_equal(write(libxl->answer_fd, &answer, sizeof(answer)),
                     sizeof(answer));
}

void fake_libxl_until(struct fake_libxl *libxl, unsigned type,
                      struct heard *ret)
{
    for (;;) {
        fake_libxl_hear(libxl, ret);
        if (ret->type == type)
            return;
        if (ret->type == 0)
            fail_msg("the end came before message %u", type);
        if (ret->type == 3)
            fake_libxl_answer(libxl, 1);
        if (ret->type == 7 || ret->type == 8 || ret->type == 10)
            fake_libxl_answer(libxl, 0);
    }
}

void expect_failed_restore(struct fake_libxl *libxl, const char *text,
                           int errnoval)
{
    expect_log(libxl, 8, text);
    expect_results(libxl, 0, 0);
    expect_complete(libxl, -1, errnoval);
    assert_int_equal(fake_libxl_end(libxl), 0);
}

int fake_libxl_end(struct fake_libxl *libxl)
{
    const int fds[] = {libxl->answer_fd, libxl->message_fd, libxl->stderr_fd,
                       libxl->io_fd};
    int status;

    assert_int_equal(waitpid(libxl->pid, &status, 0), libxl->pid);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void fake_libxl_read_all(int fd, char *ret_text, size_t size)
{
    size_t used = read_exactly(fd, ret_text, size - 1);

    ret_text[used] = 0;
}

void expect_log(struct fake_libxl *libxl, int level, const char *text)
{
    struct heard heard;

    fake_libxl_hear(libxl, &heard);
    assert_int_equal(heard.type, 1);
    assert_int_equal(heard.numbers[0], level);
    assert_int_equal(heard.numbers[1], -1);
    assert_string_equal(heard.texts[0], "xl-save-helper");
    assert_string_equal(heard.texts[1], text);
}

void expect_complete(struct fake_libxl *libxl, int retval, int errnoval)
{
    struct heard heard;

    fake_libxl_hear(libxl, &heard);
    assert_int_equal(heard.type, 10);
    assert_int_equal(heard.numbers[0], retval);
    assert_int_equal(heard.numbers[1], errnoval);
    fake_libxl_answer(libxl, 0);
    fake_libxl_hear(libxl, &heard);
    assert_int_equal(heard.type, 0);
}

void expect_results(struct fake_libxl *libxl, unsigned long store,
                    unsigned long console)
{
    struct heard heard;

    fake_libxl_hear(libxl, &heard);
    assert_int_equal(heard.type, 9);
    assert_int_equal(heard.frames[0], store);
    assert_int_equal(heard.frames[1], console);
}
