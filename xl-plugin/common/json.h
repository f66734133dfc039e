/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json: writing one JSON object. yajl only fails for want of memory here, or,
 * in a line, for a text that is not UTF-8: noted once, told by json_write()
 * and json_get(). A key of NULL is for what stands in an array.
 * Threads: one at a time.
 */
#ifndef XL_MIGRATE_JSON_H
#define XL_MIGRATE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <yajl/yajl_gen.h>

#include "xcext.h"

struct json {
    yajl_gen gen; /* owned */
    bool failed;
    bool not_utf8;
};

int json_init(struct json *json, struct xcx_err *err);
int json_init_line(struct json *json, struct xcx_err *err); /* all in one */
void json_done(struct json *json);                          /* idempotent */

void json_open_map(struct json *json, const char *key);
void json_close_map(struct json *json);
void json_open_array(struct json *json, const char *key);
void json_close_array(struct json *json);
void json_count(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
/* NULL or "" is null. */
void json_text(struct json *json, const char *key, const char *text);
void json_null(struct json *json, const char *key);
/* text is JSON already, and goes in as it stands. */
void json_raw(struct json *json, const char *key, const char *text);

/* Returns the text so far, valid until the next call; RESOURCE, USAGE if not
 * UTF-8. */
int json_get(struct json *json, const char **ret_text, size_t *ret_bytes,
             struct xcx_err *err);

/* All of it to out; RESOURCE or IO. */
int json_write(struct json *json, FILE *out, struct xcx_err *err);

#endif
