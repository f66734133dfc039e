/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lines.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int lines_init(struct lines *lines, int fd, size_t max_bytes, bool cut,
               struct xcx_err *err)
{
    *lines = LINES_INIT;
    lines->buf = malloc(max_bytes + 1);
    if (!lines->buf)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "a line's buffer");
    lines->fd = fd;
    lines->room_bytes = max_bytes;
    lines->cut = cut;
    return 0;
}

void lines_done(struct lines *lines)
{
    free(lines->buf);
    *lines = LINES_INIT;
}

static void forget_taken(struct lines *lines)
{
    lines->used_bytes -= lines->taken_bytes;
    memmove(lines->buf, lines->buf + lines->taken_bytes, lines->used_bytes);
    lines->taken_bytes = 0;
}

int lines_fill(struct lines *lines, struct xcx_err *err)
{
    ssize_t nr_bytes;

    forget_taken(lines);
    if (lines->ended || lines->used_bytes == lines->room_bytes)
        return 0;
    nr_bytes = read(lines->fd, lines->buf + lines->used_bytes,
                    lines->room_bytes - lines->used_bytes);
    if (nr_bytes < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (nr_bytes < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "cannot read");
    lines->ended = nr_bytes == 0;
    lines->used_bytes += (size_t)nr_bytes;
    return 0;
}

/* Gives out nr_bytes; nr_more of them more are used up. */
static int give(struct lines *lines, size_t nr_bytes, size_t nr_more,
                char **ret_line, size_t *ret_bytes)
{
    *ret_line = lines->buf + lines->taken_bytes;
    *ret_bytes = nr_bytes;
    (*ret_line)[nr_bytes] = 0;
    lines->taken_bytes += nr_bytes + nr_more;
    return 1;
}

static int give_partial(struct lines *lines, size_t nr_bytes, char **ret_line,
                        size_t *ret_bytes, struct xcx_err *err)
{
    if (nr_bytes == lines->room_bytes && !lines->cut)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "a line of more than %zu bytes", lines->room_bytes);
    if (lines->skipping) {
        lines->taken_bytes = lines->used_bytes;
        return 0;
    }
    if (nr_bytes == lines->room_bytes) {
        lines->skipping = true;
        return give(lines, nr_bytes, 0, ret_line, ret_bytes);
    }
    if (lines->ended && nr_bytes)
        return give(lines, nr_bytes, 0, ret_line, ret_bytes);
    return 0;
}

int lines_next(struct lines *lines, char **ret_line, size_t *ret_bytes,
               struct xcx_err *err)
{
    for (;;) {
        char *line = lines->buf + lines->taken_bytes;
        size_t nr_bytes = lines->used_bytes - lines->taken_bytes;
        char *end = memchr(line, '\n', nr_bytes);

        if (!end)
            return give_partial(lines, nr_bytes, ret_line, ret_bytes, err);
        if (!lines->skipping)
            return give(lines, (size_t)(end - line), 1, ret_line, ret_bytes);
        lines->taken_bytes += (size_t)(end - line) + 1;
        lines->skipping = false;
    }
}

void lines_make_plain(char *text)
{
    xcx_make_plain(text);
}

void lines_print(FILE *out, const char *fmt, ...)
{
    char line[LINES_PRINT_BYTES];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    xcx_make_plain(line);
    fprintf(out, "%s\n", line);
}
