/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "protocol.h"

#include <string.h>

/* By type: s for a string, u for 32 bits, l for 64 bits. */
static const char *const layouts[] = {
    NULL, "uuss", "ssll", "", "", "", "", "uu", "u", "ll", "uu",
};

struct cursor {
    const uint8_t *at;
    size_t left;
};

bool sim_message_is_answered(enum sim_message_type type)
{
    return type != SIM_MSG_LOG && type != SIM_MSG_PROGRESS &&
           type != SIM_MSG_RESTORE_RESULTS;
}

static bool take(struct cursor *cursor, void *to, size_t n)
{
    if (cursor->left < n)
        return false;
    memcpy(to, cursor->at, n);
    cursor->at += n;
    cursor->left -= n;
    return true;
}

static bool take_string(struct cursor *cursor, const char **ret)
{
    uint32_t n;

    if (!take(cursor, &n, sizeof(n)) || !n || n > cursor->left ||
        cursor->at[n - 1])
        return false;
    *ret = (const char *)cursor->at;
    cursor->at += n;
    cursor->left -= n;
    return true;
}

static bool take_all(struct cursor *cursor, const char *layout,
                     struct sim_message *message)
{
    unsigned strings = 0, numbers = 0, bigs = 0;
    bool ok = true;

    for (; *layout && ok; layout++) {
        if (*layout == 's')
            ok = take_string(cursor, &message->text[strings++]);
        else if (*layout == 'u')
            ok = take(cursor, &message->number[numbers++], 4);
        else
            ok = take(cursor, &message->big[bigs++], 8);
    }
    return ok && !cursor->left;
}

long sim_message_parse(const uint8_t *bytes, size_t nr_bytes,
                       struct sim_message *ret_message, struct xcx_err *err)
{
    struct sim_message message = {.type = 0};
    struct cursor cursor = {.at = bytes, .left = nr_bytes};
    uint16_t length, type;

    if (!take(&cursor, &length, sizeof(length)) || cursor.left < length)
        return 0;
    cursor.left = length;
    if (!take(&cursor, &type, sizeof(type)) || !type ||
        type >= sizeof(layouts) / sizeof(layouts[0]))
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "message of unknown type");
    message.type = type;
    if (!take_all(&cursor, layouts[type], &message))
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "message of type %u, %u bytes: bad arguments", type,
                           length);
    *ret_message = message;
    return (long)(sizeof(length) + length);
}
