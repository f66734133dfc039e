/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "json.h"

#define FRAME_BYTES 32

uint32_t line_crc32(const void *data, size_t data_bytes)
{
    const unsigned char *bytes = data;
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < data_bytes; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

int line_send(int fd, const char *json, struct xcx_err *err)
{
    char line[JSON_BYTES + FRAME_BYTES];
    int line_bytes =
        snprintf(line, sizeof(line), "%s@witness %s #%08x\n",
                 isatty(fd) ? "\n" : "", json, line_crc32(json, strlen(json)));

    for (int done = 0; done < line_bytes;) {
        ssize_t r = write(fd, line + done, line_bytes - done);

        if (r < 0 && errno != EINTR)
            return xcx_err_set(err, XCX_ERR_IO, errno, "write an answer");
        if (r > 0)
            done += r;
    }
    return 0;
}
