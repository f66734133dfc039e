/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake_libxl: starts the helper program as libxl does and plays libxl's part.
 * Every wait ends after 20 seconds with a failed test.
 *
 *   fd 0  answers      fd 10  IO_FD, a pipe
 *   fd 1  messages     fd 11  BACK_FD
 *   fd 2  stderr, a pipe
 */
#ifndef TESTS_UNIT_FAKE_LIBXL_H
#define TESTS_UNIT_FAKE_LIBXL_H

#include <limits.h>
#include <sys/types.h>

struct fake_libxl {
    pid_t pid;
    int answer_fd, message_fd, stderr_fd, io_fd; /* our ends */
};

/* One message; numbers and texts in order, as many as its type has. */
struct heard {
    unsigned type; /* 0: the helper has closed its end */
    int numbers[2];
    unsigned long frames[2];
    char texts[2][PIPE_BUF];
};

extern char fake_libxl_program[]; /* whole path, once it is found */

/* A group's set-up: finds it in the build folder; fake_engine.c is in it. */
int fake_libxl_find(void **state);

/* line: arguments at single spaces. engine: what it is to do. */
void fake_libxl_start(struct fake_libxl *libxl, const char *line,
                      const char *engine);

void fake_libxl_hear(struct fake_libxl *libxl, struct heard *ret);
void fake_libxl_answer(struct fake_libxl *libxl, int answer);

/* Hears until a message of this type; answers what else asks by "success". */
void fake_libxl_until(struct fake_libxl *libxl, unsigned type,
                      struct heard *ret);

/* The next message is this one; complete is answered, and is the last. */
void expect_log(struct fake_libxl *libxl, int level, const char *text);
void expect_results(struct fake_libxl *libxl, unsigned long store,
                    unsigned long console);
void expect_complete(struct fake_libxl *libxl, int retval, int errnoval);

/* A restore that fails from here on, in one line, and its end. */
void expect_failed_restore(struct fake_libxl *libxl, const char *text,
                           int errnoval);

/* Waits for the end: exit status, or minus the signal. Closes all. */
int fake_libxl_end(struct fake_libxl *libxl);

/* What has come on fd until its end, as text. */
void fake_libxl_read_all(int fd, char *ret_text, size_t size);

#endif
