/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json: writes one JSON object into a buffer of fixed size. What does not
 * fit sets `full`, and json_end then gives an object that says so.
 *
 * Keys are literals of the program and need no escaping. A NULL key is for
 * members of an array. Pure.
 */
#ifndef WITNESS_JSON_H
#define WITNESS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With frame and newline a line stays below 4000 bytes (line.h). */
#define JSON_BYTES 3968

struct json {
    char text[JSON_BYTES];
    size_t used;
    bool full;
    bool first; /* no comma before the next member */
};

void json_begin(struct json *json);
const char *json_end(struct json *json); /* NUL-terminated; the json's */

void json_u64(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_string(struct json *json, const char *key, const char *value);

/* Milliseconds with three decimals. */
void json_ms(struct json *json, const char *key, int64_t value_ns);

void json_object(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key);
void json_array_end(struct json *json);

#endif
