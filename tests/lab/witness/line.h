/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * line: how an answer looks on a console on which the kernel talks as well.
 *
 *    @witness {...} #xxxxxxxx
 *
 * The digits are the CRC-32 (as zlib and Ethernet have it) of the text
 * between "@witness " and " #". A reader who finds it wrong asks again.
 */
#ifndef WITNESS_LINE_H
#define WITNESS_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "xcext/err.h"

uint32_t line_crc32(const void *data, size_t data_bytes);

/*
 * Writes one line, blocking. On a terminal a newline comes first, as somebody
 * else's line may be unfinished. Errors: IO.
 */
int line_send(int fd, const char *json, struct xcx_err *err);

#endif
