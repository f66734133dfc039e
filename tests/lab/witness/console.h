/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console: lines from standard input, which may be a terminal: that is put
 * into raw mode without echo, so that what is typed does not mix with what
 * is answered. A line ends with CR or LF; bytes outside printable ASCII are
 * dropped, as a console makes them up at times; what is longer than a line
 * may be is cut.
 *
 * Threads: main only.
 */
#ifndef WITNESS_CONSOLE_H
#define WITNESS_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "xcext/err.h"

#define CONSOLE_LINE_BYTES 256

struct console {
    int fd;
    bool is_terminal;
    struct termios before;
    size_t line_bytes;
    char line[CONSOLE_LINE_BYTES];
    size_t next, end; /* what is read but not yet looked at */
    char buffer[CONSOLE_LINE_BYTES];
};

void console_open(struct console *console, int fd);

/* Puts the terminal back as it was; the fd stays open. */
void console_close(struct console *console);

/*
 * Blocks for the next line. *ret_line: NUL-terminated, the console's until
 * the next call; NULL at the end of an input that is no terminal (one that
 * is may hang up and come back). Errors: IO.
 */
int console_read_line(struct console *console, char **ret_line,
                      struct xcx_err *err);

#endif
