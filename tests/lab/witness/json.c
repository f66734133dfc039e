/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static void put(struct json *json,
                                                      const char *format, ...)
{
    size_t left = sizeof(json->text) - json->used;
    va_list ap;
    int wanted;

    va_start(ap, format);
    wanted = vsnprintf(json->text + json->used, left, format, ap);
    va_end(ap);
    if (wanted < 0 || (size_t)wanted >= left)
        json->full = true;
    else
        json->used += wanted;
}

static void put_key(struct json *json, const char *key)
{
    if (!json->first)
        put(json, ",");
    json->first = false;
    if (key)
        put(json, "\"%s\":", key);
}

void json_begin(struct json *json)
{
    json->used = 0;
    json->full = false;
    json->first = true;
    put(json, "{");
}

const char *json_end(struct json *json)
{
    put(json, "}");
    return json->full ? "{\"error\":\"reply too long\"}" : json->text;
}

void json_u64(struct json *json, const char *key, uint64_t value)
{
    put_key(json, key);
    put(json, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    put(json, value ? "true" : "false");
}

void json_string(struct json *json, const char *key, const char *value)
{
    put_key(json, key);
    put(json, "\"");
    for (const char *p = value; *p; p++) {
        unsigned char c = *p;

        if (c == '"' || c == '\\')
            put(json, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            put(json, "\\u%04x", c);
        else
            put(json, "%c", c);
    }
    put(json, "\"");
}

void json_ms(struct json *json, const char *key, int64_t value_ns)
{
    put_key(json, key);
    put(json, "%.3f", (double)value_ns / 1e6);
}

void json_object(struct json *json, const char *key)
{
    put_key(json, key);
    put(json, "{");
    json->first = true;
}

void json_object_end(struct json *json)
{
    put(json, "}");
    json->first = false;
}

void json_array(struct json *json, const char *key)
{
    put_key(json, key);
    put(json, "[");
    json->first = true;
}

void json_array_end(struct json *json)
{
    put(json, "]");
    json->first = false;
}
