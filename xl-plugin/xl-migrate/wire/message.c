/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "message.h"

#include <string.h>

#define MAX_TYPE_BYTES 32

/*
 * yajl's tree is freed by recursion: what is too deep must not become one.
 * Brackets within strings do not count.
 */
static bool is_too_deep(const char *line)
{
    unsigned depth = 0;
    bool in_string = false;

    for (; *line; line++) {
        if (*line == '\\' && in_string && line[1])
            line++;
        else if (*line == '"')
            in_string = !in_string;
        else if (in_string)
            continue;
        else if ((*line == '{' || *line == '[') && ++depth > MESSAGE_MAX_DEPTH)
            return true;
        else if ((*line == '}' || *line == ']') && depth)
            depth--;
    }
    return false;
}

int message_parse(const char *line, size_t nr_bytes, struct message *ret,
                  struct xcx_err *err)
{
    struct message message = MESSAGE_INIT;
    char why[64];

    if (strlen(line) != nr_bytes)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "a message with a NUL in it");
    if (is_too_deep(line))
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "a message nested more than %d deep",
                           MESSAGE_MAX_DEPTH);
    message.root = yajl_tree_parse(line, why, sizeof(why));
    if (!YAJL_IS_OBJECT(message.root)) {
        yajl_tree_free(message.root);
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "a line that is no JSON object");
    }
    message.type = "message";
    if (message_text(&message, "type", 1, MAX_TYPE_BYTES, &message.type, err)) {
        message_done(&message);
        return -1;
    }
    *ret = message;
    return 0;
}

void message_done(struct message *message)
{
    yajl_tree_free(message->root);
    *message = MESSAGE_INIT;
}

yajl_val message_value(const struct message *message, const char *key)
{
    const char *path[] = {key, NULL};

    return yajl_tree_get(message->root, path, yajl_t_any);
}

static int improper(const struct message *message, const char *key,
                    struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_PEER, 0,
                       "a %.40s whose \"%s\" is missing or improper",
                       message->type, key);
}

int message_text(const struct message *message, const char *key,
                 size_t min_bytes, size_t max_bytes, const char **ret,
                 struct xcx_err *err)
{
    const char *text = YAJL_GET_STRING(message_value(message, key));

    if (!text || strlen(text) < min_bytes || strlen(text) > max_bytes)
        return improper(message, key, err);
    *ret = text;
    return 0;
}

int message_copy(const struct message *message, const char *key,
                 size_t min_bytes, char *ret, size_t room_bytes,
                 struct xcx_err *err)
{
    const char *text;

    if (message_text(message, key, min_bytes, room_bytes - 1, &text, err))
        return -1;
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

int message_hex(const struct message *message, const char *key, char *ret,
                size_t room_bytes, struct xcx_err *err)
{
    const char *text;

    if (message_text(message, key, 1, room_bytes - 1, &text, err))
        return -1;
    if (text[strspn(text, "0123456789abcdef")])
        return improper(message, key, err);
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

int message_uuid(const struct message *message, const char *key, char *ret,
                 size_t room_bytes, struct xcx_err *err)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    const char *text;

    if (message_text(message, key, sizeof(form) - 1, sizeof(form) - 1, &text,
                     err))
        return -1;
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        if (form[i] == 'x' ? !strchr("0123456789abcdef", text[i])
                           : text[i] != '-')
            return improper(message, key, err);
    }
    if (room_bytes < sizeof(form))
        return improper(message, key, err);
    memcpy(ret, text, sizeof(form));
    return 0;
}

int message_count(const struct message *message, const char *key, uint64_t min,
                  uint64_t max, uint64_t *ret, struct xcx_err *err)
{
    yajl_val value = message_value(message, key);

    if (!value)
        return 0;
    if (!YAJL_IS_INTEGER(value) || YAJL_GET_INTEGER(value) < 0 ||
        (uint64_t)YAJL_GET_INTEGER(value) < min ||
        (uint64_t)YAJL_GET_INTEGER(value) > max)
        return improper(message, key, err);
    *ret = (uint64_t)YAJL_GET_INTEGER(value);
    return 0;
}

int message_bool(const struct message *message, const char *key, bool *ret,
                 struct xcx_err *err)
{
    yajl_val value = message_value(message, key);

    if (!value)
        return 0;
    if (!YAJL_IS_TRUE(value) && !YAJL_IS_FALSE(value))
        return improper(message, key, err);
    *ret = YAJL_IS_TRUE(value);
    return 0;
}

int message_begin(struct json *json, const char *type, struct xcx_err *err)
{
    if (json_init_line(json, err))
        return -1;
    json_open_map(json, NULL);
    json_text(json, "type", type);
    return 0;
}
