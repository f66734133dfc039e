/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl_answers: the answers of a stock `xl migrate-receive -p` on its standard
 * output, and the permission that it waits for. A push parser, pure.
 *
 *   BANNER ──▶ READY ──▶ REPORT ──▶ CODE ──0──▶ STARTED
 *                                     └──else──▶ PERMISSION ──▶ GIVEN_BACK
 *
 * Named for what was heard last. With -p, STARTED means that the domain is
 * whole, has its name, and is paused. READY comes before xl reads the
 * permission, which may lie in the pipe already. GIVEN_BACK: xl destroyed its
 * copy and lets the source resume.
 *
 * Source: tools/xl/xl.h, the migrate_* strings; tools/xl/xl_migrate.c.
 * Threads: one at a time.
 */
#ifndef XL_MIGRATE_XL_ANSWERS_H
#define XL_MIGRATE_XL_ANSWERS_H

#include <stddef.h>

#include "xcext.h"

/* The permission that xl waits for behind the stream, its NUL included. */
extern const char xl_answers_go[];
extern const size_t xl_answers_go_bytes;

enum xl_answer {
    XL_ANSWER_NOTHING,
    XL_ANSWER_BANNER,
    XL_ANSWER_READY,
    XL_ANSWER_REPORT,
    XL_ANSWER_CODE, /* not 0: it has failed */
    XL_ANSWER_STARTED,
    XL_ANSWER_GIVEN_BACK,
};

struct xl_answers {
    enum xl_answer heard;
    size_t nr_matched; /* bytes of the answer that comes next */
    int code;          /* xl's, from CODE on */
};

#define XL_ANSWERS_INIT ((struct xl_answers){.heard = XL_ANSWER_NOTHING})

/*
 * Takes bytes. Errors: PEER for anything else than the next answer; nothing
 * more is to be fed then, heard stays as it was.
 */
int xl_answers_feed(struct xl_answers *answers, const void *bytes,
                    size_t nr_bytes, struct xcx_err *err);

#endif
