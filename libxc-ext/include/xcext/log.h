/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log: a way for the engine to say things to its caller. The library itself
 * prints nothing; rooms below the engine do not log, they return errors.
 *
 * Threads: emit is called on the thread that logs.
 */
#ifndef XCEXT_LOG_H
#define XCEXT_LOG_H

enum xcx_log_level {
    XCX_LOG_DEBUG,
    XCX_LOG_INFO,
    XCX_LOG_WARN,
    XCX_LOG_ERROR,
};

struct xcx_log {
    /* One line of printable ASCII, valid during the call. NULL: nobody. */
    void (*emit)(void *opaque, enum xcx_log_level level, const char *line);
    void *opaque;
};

/*
 * Formats one line, cut at 511 characters and made plain (plain.h). log may be
 * NULL. errno is kept.
 */
void xcx_log(const struct xcx_log *log, enum xcx_log_level level,
             const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
