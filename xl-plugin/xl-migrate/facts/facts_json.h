/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts_json: reads the parts of facts out of JSON that another host has
 * written; facts.c's and facts_host_json.c's own. Everything has a bound.
 * Errors: PEER, naming the key. Pure.
 */
#ifndef XL_MIGRATE_FACTS_JSON_H
#define XL_MIGRATE_FACTS_JSON_H

#include "facts.h"
#include "xl-migrate/wire/message.h"

/* Always -1: the value of the key is missing or improper. */
int facts_improper(const char *what, struct xcx_err *err);

/* "unknown", "no", "yes" */
const char *facts_answer_name(enum facts_answer answer);

/* A text may be absent: "". */
int facts_get_text(const struct message *from, const char *key, char *ret,
                   size_t room_bytes, struct xcx_err *err);

/* The index of the text among the names. */
int facts_get_name_of(const struct message *from, const char *key,
                      const char *const *names, size_t nr_names, unsigned *ret,
                      struct xcx_err *err);

/* Absent: unknown. */
int facts_get_answer(const struct message *from, const char *key,
                     enum facts_answer *ret, struct xcx_err *err);

/* From 0 to max; absent: *ret is untouched. */
int facts_get_unsigned(const struct message *from, const char *key,
                       uint64_t max, unsigned *ret, struct xcx_err *err);

/* At most max values; absent: none. They live as long as the message. */
int facts_get_array(const struct message *from, const char *key, size_t max,
                    yajl_val **ret_values, size_t *ret_nr, struct xcx_err *err);

/* At most max texts, none of them empty, each into text_bytes of texts. */
int facts_get_texts(const struct message *from, const char *key, size_t max,
                    char *texts, size_t text_bytes, unsigned *ret_nr,
                    struct xcx_err *err);

/* At most max groups of nr_in_group numbers, each of 32 bits. */
int facts_get_u32s(const struct message *from, const char *key, size_t max,
                   size_t nr_in_group, uint32_t *numbers, size_t *ret_nr,
                   struct xcx_err *err);

#endif
