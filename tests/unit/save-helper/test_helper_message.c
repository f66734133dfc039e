/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of each message, read the way libxl reads them. */
#include "save-helper/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct reader {
    const unsigned char *at;
    size_t left;
};

static void take(struct reader *reader, void *ret, size_t nr_bytes)
{
    assert_true(reader->left >= nr_bytes);
    memcpy(ret, reader->at, nr_bytes);
    reader->at += nr_bytes;
    reader->left -= nr_bytes;
}

static uint32_t take_u32(struct reader *reader)
{
    uint32_t value;

    take(reader, &value, sizeof(value));
    return value;
}

static unsigned long take_long(struct reader *reader)
{
    unsigned long value;

    take(reader, &value, sizeof(value));
    return value;
}

/* The string lies in the message; its last byte is the NUL that counts. */
static const char *take_string(struct reader *reader, size_t *ret_nr_chars)
{
    uint32_t nr_bytes = take_u32(reader);
    const char *text = (const char *)reader->at;

    assert_in_range(nr_bytes, 1, reader->left);
    assert_int_equal(text[nr_bytes - 1], 0);
    assert_int_equal(strlen(text), nr_bytes - 1);
    reader->at += nr_bytes;
    reader->left -= nr_bytes;
    if (ret_nr_chars)
        *ret_nr_chars = nr_bytes - 1;
    return text;
}

static struct reader open_message(const struct message *message,
                                  unsigned expected_type)
{
    struct reader reader = {message->bytes, message->nr_bytes};
    uint16_t nr_body, type;

    assert_in_range(message->nr_bytes, 4, PIPE_BUF);
    take(&reader, &nr_body, sizeof(nr_body));
    assert_int_equal(nr_body, message->nr_bytes - 2);
    take(&reader, &type, sizeof(type));
    assert_int_equal(type, expected_type);
    return reader;
}

static void log_carries_level_errno_context_and_line(void **state)
{
    static const struct {
        enum message_level level;
        int errnoval;
        uint32_t wire_level, wire_errno;
    } cases[] = {
        {MESSAGE_LEVEL_DEBUG, MESSAGE_NO_ERRNO, 1, UINT32_MAX},
        {MESSAGE_LEVEL_DETAIL, 0, 3, 0},
        {MESSAGE_LEVEL_WARN, 5, 7, 5},
        {MESSAGE_LEVEL_ERROR, 95, 8, 95},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct message message;
        struct reader reader;

        message_log(&message, cases[i].level, cases[i].errnoval, "who",
                    "what happened");
        reader = open_message(&message, 1);
        assert_int_equal(take_u32(&reader), cases[i].wire_level);
        assert_int_equal(take_u32(&reader), cases[i].wire_errno);
        assert_string_equal(take_string(&reader, NULL), "who");
        assert_string_equal(take_string(&reader, NULL), "what happened");
        assert_int_equal(reader.left, 0);
    }
}

static void progress_carries_two_longs(void **state)
{
    struct message message;
    struct reader reader;

    (void)state;
    message_progress(&message, "who", "", 7, UINT64_MAX);
    reader = open_message(&message, 2);
    assert_string_equal(take_string(&reader, NULL), "who");
    assert_string_equal(take_string(&reader, NULL), "");
    assert_int_equal(take_long(&reader), 7);
    assert_true(take_long(&reader) == UINT64_MAX);
    assert_int_equal(reader.left, 0);
}

static void questions_carry_their_arguments(void **state)
{
    struct message message;
    struct reader reader;

    (void)state;
    message_suspend(&message);
    assert_int_equal(open_message(&message, 3).left, 0);

    message_switch_qemu_logdirty(&message, 32752, 1);
    reader = open_message(&message, 7);
    assert_int_equal(take_u32(&reader), 32752);
    assert_int_equal(take_u32(&reader), 1);
    assert_int_equal(reader.left, 0);

    message_complete(&message, -1, 4);
    reader = open_message(&message, 10);
    assert_int_equal((int)take_u32(&reader), -1);
    assert_int_equal(take_u32(&reader), 4);
    assert_int_equal(reader.left, 0);
}

static void long_strings_are_cut_to_fit_one_write(void **state)
{
    static char text[100000];
    struct message message;
    struct reader reader;
    size_t nr_chars;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    message_log(&message, MESSAGE_LEVEL_WARN, MESSAGE_NO_ERRNO, text, text);
    reader = open_message(&message, 1);
    take_u32(&reader);
    take_u32(&reader);
    take_string(&reader, &nr_chars);
    assert_int_equal(nr_chars, 63);
    take_string(&reader, &nr_chars);
    assert_int_equal(nr_chars, MESSAGE_TEXT_BYTES - 1);
    assert_int_equal(reader.left, 0);

    message_progress(&message, text, text, 0, 0);
    open_message(&message, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_carries_level_errno_context_and_line),
        cmocka_unit_test(progress_carries_two_longs),
        cmocka_unit_test(questions_carry_their_arguments),
        cmocka_unit_test(long_strings_are_cut_to_fit_one_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
