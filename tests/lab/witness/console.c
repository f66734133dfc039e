/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "console.h"

#include <errno.h>
#include <unistd.h>

#include "clock.h"

void console_open(struct console *console, int fd)
{
    struct termios raw;

    *console = (struct console){.fd = fd};
    console->is_terminal = tcgetattr(fd, &console->before) == 0;
    if (!console->is_terminal)
        return;
    raw = console->before;
    cfmakeraw(&raw);
    tcsetattr(fd, TCSANOW, &raw);
}

void console_close(struct console *console)
{
    if (console->is_terminal)
        tcsetattr(console->fd, TCSADRAIN, &console->before);
}

/* Sets *ret_ended at the end of the input. */
static int fill(struct console *console, bool *ret_ended, struct xcx_err *err)
{
    ssize_t r = read(console->fd, console->buffer, sizeof(console->buffer));

    if (r > 0) {
        console->next = 0;
        console->end = r;
    } else if (console->is_terminal) {
        clock_sleep_ns(100 * NS_PER_MS);
    } else if (r == 0) {
        *ret_ended = true;
    } else if (errno != EINTR) {
        return xcx_err_set(err, XCX_ERR_IO, errno, "read a command");
    }
    return 0;
}

int console_read_line(struct console *console, char **ret_line,
                      struct xcx_err *err)
{
    bool ended = false;

    console->line_bytes = 0;
    for (;;) {
        while (console->next < console->end) {
            char c = console->buffer[console->next++];

            if (c == '\n' || c == '\r') {
                console->line[console->line_bytes] = 0;
                *ret_line = console->line;
                return 0;
            }
            if (c >= ' ' && c <= '~' &&
                console->line_bytes < sizeof(console->line) - 1)
                console->line[console->line_bytes++] = c;
        }
        if (fill(console, &ended, err))
            return -1;
        if (ended) {
            *ret_line = NULL;
            return 0;
        }
    }
}
