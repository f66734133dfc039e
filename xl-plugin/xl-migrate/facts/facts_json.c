/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "facts_json.h"

#include <string.h>

static const char *const answer_names[] = {"unknown", "no", "yes"};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

const char *facts_answer_name(enum facts_answer answer)
{
    return answer_names[answer];
}

int facts_improper(const char *what, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_PEER, 0,
                       "facts whose \"%s\" is missing or improper", what);
}

int facts_get_text(const struct message *from, const char *key, char *ret,
                   size_t room_bytes, struct xcx_err *err)
{
    yajl_val value = message_value(from, key);

    ret[0] = 0;
    if (!value || YAJL_IS_NULL(value))
        return 0;
    return message_copy(from, key, 0, ret, room_bytes, err);
}

int facts_get_name_of(const struct message *from, const char *key,
                      const char *const *names, size_t nr_names, unsigned *ret,
                      struct xcx_err *err)
{
    const char *text = YAJL_GET_STRING(message_value(from, key));

    for (size_t i = 0; text && i < nr_names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (unsigned)i;
            return 0;
        }
    }
    return facts_improper(key, err);
}

int facts_get_answer(const struct message *from, const char *key,
                     enum facts_answer *ret, struct xcx_err *err)
{
    unsigned answer = FACTS_UNKNOWN;

    if (message_value(from, key) &&
        facts_get_name_of(from, key, answer_names, NR(answer_names), &answer,
                          err))
        return -1;
    *ret = (enum facts_answer)answer;
    return 0;
}

int facts_get_unsigned(const struct message *from, const char *key,
                       uint64_t max, unsigned *ret, struct xcx_err *err)
{
    uint64_t value = *ret;

    if (message_count(from, key, 0, max, &value, err))
        return -1;
    *ret = (unsigned)value;
    return 0;
}

int facts_get_array(const struct message *from, const char *key, size_t max,
                    yajl_val **ret_values, size_t *ret_nr, struct xcx_err *err)
{
    yajl_val value = message_value(from, key);

    *ret_nr = 0;
    if (!value)
        return 0;
    if (!YAJL_IS_ARRAY(value) || YAJL_GET_ARRAY(value)->len > max)
        return facts_improper(key, err);
    *ret_values = YAJL_GET_ARRAY(value)->values;
    *ret_nr = YAJL_GET_ARRAY(value)->len;
    return 0;
}

int facts_get_texts(const struct message *from, const char *key, size_t max,
                    char *texts, size_t text_bytes, unsigned *ret_nr,
                    struct xcx_err *err)
{
    yajl_val *values = NULL;
    size_t nr;

    if (facts_get_array(from, key, max, &values, &nr, err))
        return -1;
    for (size_t i = 0; i < nr; i++) {
        const char *text = YAJL_GET_STRING(values[i]);

        if (!text || !text[0] || strlen(text) >= text_bytes)
            return facts_improper(key, err);
        memcpy(texts + i * text_bytes, text, strlen(text) + 1);
    }
    *ret_nr = (unsigned)nr;
    return 0;
}

int facts_get_u32s(const struct message *from, const char *key, size_t max,
                   size_t nr_in_group, uint32_t *numbers, size_t *ret_nr,
                   struct xcx_err *err)
{
    yajl_val *values = NULL;
    size_t nr;

    if (facts_get_array(from, key, max * nr_in_group, &values, &nr, err))
        return -1;
    if (nr % nr_in_group)
        return facts_improper(key, err);
    for (size_t i = 0; i < nr; i++) {
        if (!YAJL_IS_INTEGER(values[i]) || YAJL_GET_INTEGER(values[i]) < 0 ||
            YAJL_GET_INTEGER(values[i]) > UINT32_MAX)
            return facts_improper(key, err);
        numbers[i] = (uint32_t)YAJL_GET_INTEGER(values[i]);
    }
    *ret_nr = nr / nr_in_group;
    return 0;
}
