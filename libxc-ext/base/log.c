/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xcext/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "xcext/plain.h"

void xcx_log(const struct xcx_log *log, enum xcx_log_level level,
             const char *fmt, ...)
{
    int saved_errno = errno;
    char line[512];
    va_list ap;

    if (!log || !log->emit)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    xcx_make_plain(line);
    log->emit(log->opaque, level, line);
    errno = saved_errno;
}
