/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "message.h"

#include <string.h>

#define CONTEXT_BYTES 64 /* longest context, its NUL included */

/* Two strings, two longs and the headers, in the longest of them. */
_Static_assert(CONTEXT_BYTES + MESSAGE_TEXT_BYTES + 64 <= PIPE_BUF,
               "the longest message has to fit into PIPE_BUF");

static void put(struct message *message, const void *bytes, size_t nr_bytes)
{
    memcpy(message->bytes + message->nr_bytes, bytes, nr_bytes);
    message->nr_bytes += nr_bytes;
}

static void put_u16(struct message *message, uint16_t value)
{
    put(message, &value, sizeof(value));
}

static void put_u32(struct message *message, uint32_t value)
{
    put(message, &value, sizeof(value));
}

static void put_long(struct message *message, unsigned long value)
{
    put(message, &value, sizeof(value));
}

static void put_string(struct message *message, const char *text,
                       size_t max_bytes)
{
    size_t nr_chars = strnlen(text, max_bytes - 1);

    put_u32(message, (uint32_t)nr_chars + 1);
    put(message, text, nr_chars);
    put(message, "", 1);
}

/* Leaves room for the length, which end() knows. */
static void begin(struct message *message, enum message_type type)
{
    message->nr_bytes = 0;
    put_u16(message, 0);
    put_u16(message, (uint16_t)type);
}

static void end(struct message *message)
{
    uint16_t nr_body = (uint16_t)(message->nr_bytes - sizeof(nr_body));

    memcpy(message->bytes, &nr_body, sizeof(nr_body));
}

void message_log(struct message *ret_message, enum message_level level,
                 int errnoval, const char *context, const char *line)
{
    begin(ret_message, MESSAGE_LOG);
    put_u32(ret_message, (uint32_t)level);
    put_u32(ret_message, (uint32_t)errnoval);
    put_string(ret_message, context, CONTEXT_BYTES);
    put_string(ret_message, line, MESSAGE_TEXT_BYTES);
    end(ret_message);
}

void message_progress(struct message *ret_message, const char *context,
                      const char *what, uint64_t done, uint64_t total)
{
    begin(ret_message, MESSAGE_PROGRESS);
    put_string(ret_message, context, CONTEXT_BYTES);
    put_string(ret_message, what, MESSAGE_TEXT_BYTES);
    put_long(ret_message, done);
    put_long(ret_message, total);
    end(ret_message);
}

void message_suspend(struct message *ret_message)
{
    begin(ret_message, MESSAGE_SUSPEND);
    end(ret_message);
}

void message_switch_qemu_logdirty(struct message *ret_message, uint32_t domid,
                                  unsigned enable)
{
    begin(ret_message, MESSAGE_SWITCH_QEMU_LOGDIRTY);
    put_u32(ret_message, domid);
    put_u32(ret_message, enable);
    end(ret_message);
}

void message_static_data_done(struct message *ret_message, unsigned missing)
{
    begin(ret_message, MESSAGE_STATIC_DATA_DONE);
    put_u32(ret_message, missing);
    end(ret_message);
}

void message_restore_results(struct message *ret_message, uint64_t store_frame,
                             uint64_t console_frame)
{
    begin(ret_message, MESSAGE_RESTORE_RESULTS);
    put(ret_message, &store_frame, sizeof(store_frame));
    put(ret_message, &console_frame, sizeof(console_frame));
    end(ret_message);
}

void message_complete(struct message *ret_message, int retval, int errnoval)
{
    begin(ret_message, MESSAGE_COMPLETE);
    put_u32(ret_message, (uint32_t)retval);
    put_u32(ret_message, (uint32_t)errnoval);
    end(ret_message);
}
