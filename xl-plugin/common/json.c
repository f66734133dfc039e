/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int json_init_line(struct json *json, struct xcx_err *err)
{
    *json = (struct json){.gen = yajl_gen_alloc(NULL)};
    if (!json->gen)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "JSON");
    yajl_gen_config(json->gen, yajl_gen_validate_utf8, 1);
    return 0;
}

int json_init(struct json *json, struct xcx_err *err)
{
    *json = (struct json){.gen = yajl_gen_alloc(NULL)};
    if (!json->gen)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "JSON");
    yajl_gen_config(json->gen, yajl_gen_beautify, 1);
    yajl_gen_config(json->gen, yajl_gen_indent_string, "  ");
    return 0;
}

void json_done(struct json *json)
{
    if (json->gen)
        yajl_gen_free(json->gen);
    json->gen = NULL;
}

static void check(struct json *json, yajl_gen_status status)
{
    if (status != yajl_gen_status_ok)
        json->failed = true;
    if (status == yajl_gen_invalid_string)
        json->not_utf8 = true;
}

static void put_string(struct json *json, const char *text)
{
    check(json, yajl_gen_string(json->gen, (const unsigned char *)text,
                                strlen(text)));
}

static void put_key(struct json *json, const char *key)
{
    if (key)
        put_string(json, key);
}

void json_open_map(struct json *json, const char *key)
{
    put_key(json, key);
    check(json, yajl_gen_map_open(json->gen));
}

void json_close_map(struct json *json)
{
    check(json, yajl_gen_map_close(json->gen));
}

void json_open_array(struct json *json, const char *key)
{
    put_key(json, key);
    check(json, yajl_gen_array_open(json->gen));
}

void json_close_array(struct json *json)
{
    check(json, yajl_gen_array_close(json->gen));
}

void json_count(struct json *json, const char *key, uint64_t value)
{
    char digits[24];
    int nr_digits = snprintf(digits, sizeof(digits), "%" PRIu64, value);

    put_key(json, key);
    check(json, yajl_gen_number(json->gen, digits, (size_t)nr_digits));
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    check(json, yajl_gen_bool(json->gen, value));
}

void json_text(struct json *json, const char *key, const char *text)
{
    if (!text || !*text) {
        json_null(json, key);
        return;
    }
    put_key(json, key);
    put_string(json, text);
}

void json_null(struct json *json, const char *key)
{
    put_key(json, key);
    check(json, yajl_gen_null(json->gen));
}

/* yajl copies a number without looking at it. */
void json_raw(struct json *json, const char *key, const char *text)
{
    put_key(json, key);
    check(json, yajl_gen_number(json->gen, text, strlen(text)));
}

int json_get(struct json *json, const char **ret_text, size_t *ret_bytes,
             struct xcx_err *err)
{
    const unsigned char *text = NULL;
    size_t nr_bytes = 0;

    check(json, yajl_gen_get_buf(json->gen, &text, &nr_bytes));
    if (json->not_utf8)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "a text is not UTF-8");
    if (json->failed)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "JSON");
    *ret_text = (const char *)text;
    *ret_bytes = nr_bytes;
    return 0;
}

int json_write(struct json *json, FILE *out, struct xcx_err *err)
{
    const char *text;
    size_t nr_bytes;

    if (json_get(json, &text, &nr_bytes, err))
        return -1;
    if (fwrite(text, 1, nr_bytes, out) != nr_bytes)
        return xcx_err_set(err, XCX_ERR_IO, errno, "writing JSON");
    return 0;
}
