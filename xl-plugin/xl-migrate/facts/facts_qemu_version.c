/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pure part of facts_qemu. */
#include "facts_qemu.h"

#include <string.h>

void facts_qemu_parse_version(const char *text, char *ret, size_t bytes)
{
    static const char word[] = "version ";
    const char *at = strstr(text, word);
    size_t length;

    ret[0] = 0;
    if (!at)
        return;
    at += strlen(word);
    length = strspn(at, "0123456789.");
    if (length == 0 || length >= bytes)
        return;
    memcpy(ret, at, length);
    ret[length] = 0;
}
