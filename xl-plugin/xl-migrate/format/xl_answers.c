/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl_answers.h"

#include <stdbool.h>

const char xl_answers_go[] = "domain is yours, you are cleared to unpause";
const size_t xl_answers_go_bytes = sizeof(xl_answers_go);

static const char banner[] =
    "xl migration receiver ready, send binary domain data.\n";
static const char ready[] = "domain received, ready to unpause";
static const char report[] = "my copy unpause results are as follows";

/* The answers, and the state behind each; the banner comes without its NUL. */
static const struct {
    const char *text;
    size_t nr_bytes;
    enum xl_answer then;
    const char *name;
} expected[] = {
    [XL_ANSWER_NOTHING] = {banner, sizeof(banner) - 1, XL_ANSWER_BANNER,
                           "its banner"},
    [XL_ANSWER_BANNER] = {ready, sizeof(ready), XL_ANSWER_READY,
                          "that it is ready"},
    [XL_ANSWER_READY] = {report, sizeof(report), XL_ANSWER_REPORT,
                         "its report"},
    [XL_ANSWER_CODE] = {xl_answers_go, sizeof(xl_answers_go),
                        XL_ANSWER_GIVEN_BACK, "that the domain is given back"},
};

/* One byte behind the report: 0, or a negative error of libxl's, negated. */
static void take_code(struct xl_answers *answers, unsigned char code)
{
    answers->code = code;
    answers->heard = code ? XL_ANSWER_CODE : XL_ANSWER_STARTED;
}

static bool take_byte(struct xl_answers *answers, unsigned char byte)
{
    if (answers->heard == XL_ANSWER_REPORT) {
        take_code(answers, byte);
        return true;
    }
    if (answers->heard >= XL_ANSWER_STARTED)
        return false;

    const char *text = expected[answers->heard].text;

    if (byte != (unsigned char)text[answers->nr_matched])
        return false;
    answers->nr_matched++;
    if (answers->nr_matched == expected[answers->heard].nr_bytes) {
        answers->heard = expected[answers->heard].then;
        answers->nr_matched = 0;
    }
    return true;
}

int xl_answers_feed(struct xl_answers *answers, const void *bytes,
                    size_t nr_bytes, struct xcx_err *err)
{
    const unsigned char *next = bytes;

    for (size_t i = 0; i < nr_bytes; i++) {
        if (take_byte(answers, next[i]))
            continue;
        if (answers->heard >= XL_ANSWER_STARTED)
            return xcx_err_set(err, XCX_ERR_PEER, 0,
                               "xl migrate-receive goes on behind its last "
                               "answer");
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "xl migrate-receive does not say %s, but "
                           "something else",
                           expected[answers->heard].name);
    }
    return 0;
}
