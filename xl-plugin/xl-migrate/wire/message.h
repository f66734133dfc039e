/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message: the messages of the control channel: a JSON object a line, with
 * "type" always there. Keys that are not known are ignored. Whatever comes
 * from the peer is hostile until one of these has checked it: each says what
 * it takes at most.
 *
 * Threads: any; a message belongs to one.
 */
#ifndef XL_MIGRATE_MESSAGE_H
#define XL_MIGRATE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yajl/yajl_tree.h>

#include "common/json.h"
#include "xcext.h"

#define MESSAGE_MAX_DEPTH 16 /* objects and arrays within each other */

struct message {
    yajl_val root;    /* owned */
    const char *type; /* in root */
};

#define MESSAGE_INIT ((struct message){.root = NULL})

/* line ends with NUL. Errors: PEER for what is no message. */
int message_parse(const char *line, size_t nr_bytes, struct message *ret,
                  struct xcx_err *err);
void message_done(struct message *message); /* idempotent */

/* The value of a key of the message's object, or NULL. */
yajl_val message_value(const struct message *message, const char *key);

/*
 * A text of min_bytes to max_bytes, NUL not counted, in UTF-8; it lives as
 * long as the message. Errors: PEER, naming type and key, also when it is not
 * there.
 */
int message_text(const struct message *message, const char *key,
                 size_t min_bytes, size_t max_bytes, const char **ret,
                 struct xcx_err *err);

/* Copies the text into ret[room_bytes]; min_bytes 0 or 1. */
int message_copy(const struct message *message, const char *key,
                 size_t min_bytes, char *ret, size_t room_bytes,
                 struct xcx_err *err);

/* A text of lower-case hexadecimal digits only, and at least one. */
int message_hex(const struct message *message, const char *key, char *ret,
                size_t room_bytes, struct xcx_err *err);

/* A UUID as xl writes it, lower case: 36 characters. */
int message_uuid(const struct message *message, const char *key, char *ret,
                 size_t room_bytes, struct xcx_err *err);

/* A whole number from min to max; absent: *ret is untouched. */
int message_count(const struct message *message, const char *key, uint64_t min,
                  uint64_t max, uint64_t *ret, struct xcx_err *err);

/* true or false; absent: *ret is untouched. */
int message_bool(const struct message *message, const char *key, bool *ret,
                 struct xcx_err *err);

/*
 * Begins a message: the object is open, "type" is written. Whoever sends it
 * (channel.h) closes the object; json_done() is the caller's. RESOURCE.
 */
int message_begin(struct json *json, const char *type, struct xcx_err *err);

#endif
