/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message: the messages of a save helper to libxl, as bytes.
 *
 *   | nr_bytes : u16 | type : u16 | arguments, packed, in order |
 *                    '-------- nr_bytes counts this ------------'
 *
 * All integers are native: both ends are programs of one host. A string is
 * a u32 length that counts the NUL, then the bytes. libxl reads a message
 * with blocking reads and drops what it cannot parse without an answer, so
 * a message is at most PIPE_BUF bytes, header included: one write() puts it
 * into a pipe whole. Strings that would not fit are cut.
 *
 * Only what plain streams need is here; other streams go to the stock helper.
 *
 * Source: the interface of libxl's helper, Xen 4.17 to 4.22. Pure; a message
 * belongs to one thread.
 */
#ifndef SAVE_HELPER_MESSAGE_H
#define SAVE_HELPER_MESSAGE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

enum message_type {
    MESSAGE_LOG = 1,
    MESSAGE_PROGRESS = 2,
    MESSAGE_SUSPEND = 3,              /* answers 1 for success */
    MESSAGE_SWITCH_QEMU_LOGDIRTY = 7, /* answers 0 for success */
    MESSAGE_STATIC_DATA_DONE = 8,     /* answers 0 for success */
    MESSAGE_RESTORE_RESULTS = 9,
    MESSAGE_COMPLETE = 10, /* the answer says nothing */
};

/* libxentoollog's levels, as message 1 carries them. */
enum message_level {
    MESSAGE_LEVEL_DEBUG = 1,  /* xl -vvv */
    MESSAGE_LEVEL_DETAIL = 3, /* xl -v */
    MESSAGE_LEVEL_WARN = 7,
    MESSAGE_LEVEL_ERROR = 8,
};

#define MESSAGE_NO_ERRNO   (-1)
#define MESSAGE_TEXT_BYTES 2048 /* longest string, its NUL included */

struct message {
    size_t nr_bytes; /* header included: what is to be written */
    unsigned char bytes[PIPE_BUF];
};

/* errnoval is appended to the line by libxl's logger unless NO_ERRNO. */
void message_log(struct message *ret_message, enum message_level level,
                 int errnoval, const char *context, const char *line);

void message_progress(struct message *ret_message, const char *context,
                      const char *what, uint64_t done, uint64_t total);

void message_suspend(struct message *ret_message);

void message_switch_qemu_logdirty(struct message *ret_message, uint32_t domid,
                                  unsigned enable);

/* missing: bits of XCX_MISSING_*. */
void message_static_data_done(struct message *ret_message, unsigned missing);

/* Where the rings are; 0 for none. */
void message_restore_results(struct message *ret_message, uint64_t store_frame,
                             uint64_t console_frame);

/* retval 0 for success; errnoval is what libxl reports otherwise. */
void message_complete(struct message *ret_message, int retval, int errnoval);

#endif
