/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * yajl calls back for each value; a path of the two outermost keys says which
 * it is. Deeper than that nothing is of interest but that it is well-formed.
 */
#include "xl_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#define KEY_BYTES  32 /* longer than any key of ours */
#define PATH_DEPTH 2

struct parse {
    struct xl_config config;
    struct xcx_err *err;
    unsigned depth; /* of maps and arrays that are open */
    char path[PATH_DEPTH][KEY_BYTES];
};

static const struct text_key {
    const char *outer, *inner;
    size_t offset;
} text_keys[] = {
    {"c_info", "name", offsetof(struct xl_config, name)},
    {"c_info", "uuid", offsetof(struct xl_config, uuid)},
    {"c_info", "type", offsetof(struct xl_config, type)},
};

static const struct text_key number_keys[] = {
    {"b_info", "max_vcpus", offsetof(struct xl_config, max_vcpus)},
    {"b_info", "max_memkb", offsetof(struct xl_config, max_memory_kib)},
    {"b_info", "target_memkb", offsetof(struct xl_config, target_memory_kib)},
};

static const struct text_key device_keys[] = {
    {"disks", NULL, offsetof(struct xl_config, nr_disks)},
    {"nics", NULL, offsetof(struct xl_config, nr_nics)},
    {"pcidevs", NULL, offsetof(struct xl_config, nr_pci_devices)},
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* The field of the value that comes next; NULL if it is none of these. */
static void *field_of(struct parse *parse, const struct text_key *keys,
                      size_t nr_keys)
{
    for (size_t i = 0; i < nr_keys; i++) {
        if (strcmp(parse->path[0], keys[i].outer) == 0 &&
            (!keys[i].inner || strcmp(parse->path[1], keys[i].inner) == 0))
            return (char *)&parse->config + keys[i].offset;
    }
    return NULL;
}

static int on_scalar(struct parse *parse)
{
    if (parse->depth)
        return 1;
    xcx_err_set(parse->err, XCX_ERR_STREAM, 0, "is not an object");
    return 0;
}

static int on_null(void *opaque)
{
    return on_scalar(opaque);
}

static int on_bool(void *opaque, int value)
{
    (void)value;
    return on_scalar(opaque);
}

static int on_number(void *opaque, const char *text, size_t nr_bytes)
{
    struct parse *parse = opaque;
    uint64_t *field = field_of(parse, number_keys, NR(number_keys));
    char digits[24] = "";
    char *rest;

    if (!on_scalar(parse))
        return 0;
    if (parse->depth != 2 || !field)
        return 1;
    errno = 0;
    if (nr_bytes < sizeof(digits))
        memcpy(digits, text, nr_bytes);
    *field = strtoull(digits, &rest, 10);
    if (rest != digits && !*rest && !errno && digits[0] != '-')
        return 1;
    xcx_err_set(parse->err, XCX_ERR_STREAM, 0,
                "%s.%s is not a number that libxl writes", parse->path[0],
                parse->path[1]);
    return 0;
}

static int on_string(void *opaque, const unsigned char *text, size_t nr_bytes)
{
    struct parse *parse = opaque;
    char *field = field_of(parse, text_keys, NR(text_keys));

    if (!on_scalar(parse))
        return 0;
    if (parse->depth != 2 || !field)
        return 1;
    if (nr_bytes >= XL_CONFIG_TEXT_BYTES || memchr(text, 0, nr_bytes)) {
        xcx_err_set(parse->err, XCX_ERR_STREAM, 0,
                    "%s.%s has more than %d bytes, or a NUL", parse->path[0],
                    parse->path[1], XL_CONFIG_TEXT_BYTES - 1);
        return 0;
    }
    memcpy(field, text, nr_bytes);
    field[nr_bytes] = 0;
    return 1;
}

static int on_key(void *opaque, const unsigned char *text, size_t nr_bytes)
{
    struct parse *parse = opaque;
    char *key;

    if (parse->depth > PATH_DEPTH)
        return 1;
    key = parse->path[parse->depth - 1];
    key[0] = 0;
    if (nr_bytes < KEY_BYTES) {
        memcpy(key, text, nr_bytes);
        key[nr_bytes] = 0;
    }
    return 1;
}

static void open_level(struct parse *parse)
{
    if (parse->depth < PATH_DEPTH)
        parse->path[parse->depth][0] = 0;
    parse->depth++;
}

static int on_map_open(void *opaque)
{
    struct parse *parse = opaque;
    uint64_t *nr_devices = field_of(parse, device_keys, NR(device_keys));

    /* A device is a map in an array below the outermost map. */
    if (parse->depth == 2 && nr_devices)
        ++*nr_devices;
    open_level(parse);
    return 1;
}

static int on_array_open(void *opaque)
{
    if (!on_scalar(opaque))
        return 0;
    open_level(opaque);
    return 1;
}

static int on_close(void *opaque)
{
    struct parse *parse = opaque;

    parse->depth--;
    return 1;
}

static int run(yajl_handle handle, const char *text, size_t nr_bytes,
               struct xcx_err *err)
{
    const unsigned char *bytes = (const unsigned char *)text;
    yajl_status status = yajl_parse(handle, bytes, nr_bytes);
    size_t at = yajl_get_bytes_consumed(handle);
    unsigned char *why;

    if (status == yajl_status_ok)
        status = yajl_complete_parse(handle);
    if (status == yajl_status_ok)
        return 0;
    if (xcx_err_is_set(err)) /* by a callback */
        return -1;
    why = yajl_get_error(handle, 0, bytes, nr_bytes);
    xcx_err_set(err, XCX_ERR_STREAM, 0, "%.*s at its byte %zu",
                why ? (int)strcspn((const char *)why, "\n") : 0,
                why ? (const char *)why : "", at);
    if (why)
        yajl_free_error(handle, why);
    return -1;
}

int xl_config_parse(const char *text, size_t nr_bytes, struct xl_config *ret,
                    struct xcx_err *err)
{
    static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_bool,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_map_open,
        .yajl_map_key = on_key,
        .yajl_end_map = on_close,
        .yajl_start_array = on_array_open,
        .yajl_end_array = on_close,
    };
    struct parse parse = {.err = err};
    yajl_handle handle = yajl_alloc(&callbacks, NULL, &parse);
    int rc;

    if (!handle)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "configuration");
    if (nr_bytes && !text[nr_bytes - 1])
        nr_bytes--;
    rc = run(handle, text, nr_bytes, err);
    yajl_free(handle);
    if (rc == 0)
        *ret = parse.config;
    return rc;
}
