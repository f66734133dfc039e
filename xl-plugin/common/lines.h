/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lines: lines of text out of an fd, each of bounded length. One buffer, made
 * at the start; a line is valid until the next call.
 *
 *   poll(): POLLIN ──▶ lines_fill(), one read() ──▶ lines_next() until 0
 *
 * The fd stays the caller's and may be blocking if nobody else reads it.
 * Threads: one at a time.
 */
#ifndef XL_MIGRATE_LINES_H
#define XL_MIGRATE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "xcext.h"

struct lines {
    int fd; /* the caller's */
    char *buf;
    size_t room_bytes, used_bytes;
    size_t taken_bytes; /* of these, given out already */
    bool cut;      /* longer lines lose their end; else they are an error */
    bool skipping; /* within such an end */
    bool ended;    /* of the file */
};

#define LINES_INIT ((struct lines){.fd = -1})

/* max_bytes: the longest line with its newline. Errors: RESOURCE. */
int lines_init(struct lines *lines, int fd, size_t max_bytes, bool cut,
               struct xcx_err *err);
void lines_done(struct lines *lines); /* idempotent; the fd stays open */

/*
 * Reads once what there is; blocks on a blocking fd that has nothing. The end
 * of the file sets ended. Call it when lines_next() has nothing more only.
 * Errors: IO.
 */
int lines_fill(struct lines *lines, struct xcx_err *err);

/*
 * 1 and a line, NUL in place of its newline; 0: no whole one is there (what
 * stands before the end of the file without a newline is one, too); -1 and
 * PEER: too long.
 */
int lines_next(struct lines *lines, char **ret_line, size_t *ret_bytes,
               struct xcx_err *err);

/* Makes a text from elsewhere fit to be shown or sent: ASCII, printable. */
void lines_make_plain(char *text);

#define LINES_PRINT_BYTES 2048

/*
 * Prints a line with texts from elsewhere (names, hosts, answers), made plain
 * and cut at LINES_PRINT_BYTES; the newline comes from here.
 */
void lines_print(FILE *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
