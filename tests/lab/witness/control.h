/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control: the witness as seen from its console. Reads commands, a line
 * each, and answers each with one line (line.h). Blank lines are ignored; an
 * answer follows its command, so there is at most one outstanding.
 *
 *   LINE     = [ TAG " " ] COMMAND      TAG: 1*9DIGIT; the answer has it
 *   COMMAND  = "report"        see report.h
 *            | "mark" NAME     ends a phase, begins the one named NAME (24
 *                              of A-Z a-z 0-9 _ . -); answers with the one
 *                              that ended, as "ended"
 *            | "check"         verifies every resident page now; answers
 *                              "verified_pages", "errors" (of this pass),
 *                              "took_ms"
 *            | "corrupt" PAGE  flips a bit of that page, to see it reported
 *            | "rate" BYTES    from now on so many a second; 0: flat out;
 *                              K, M, G, P as in spec.h
 *            | "quit"          ends the witness
 *
 * Answers have "for": the command's name. A command that cannot be obeyed is
 * answered with "error": why. The first line, unasked, has "ready": true.
 *
 * Threads: all by main.
 */
#ifndef WITNESS_CONTROL_H
#define WITNESS_CONTROL_H

#include "xcext/err.h"
#include "disk.h"
#include "net.h"
#include "report.h"
#include "stream.h"
#include "tick.h"
#include "workload.h"
#include "workset.h"

struct control {
    /* the caller's; disk, net and stream are looked at only if started */
    struct workset *set;
    struct workload *workload;
    struct tick *tick;
    struct disk *disk;
    struct net *net;
    struct stream *stream;

    /* set by control_run */
    struct stall_times began;
    unsigned nr_phases; /* the present one is the last */
    struct report_phase phases[REPORT_PHASES];
    bool quit;
};

/*
 * Announces that the witness is ready and obeys until `quit` or, unless
 * standard input is a terminal, its end. Errors: IO.
 */
int control_run(struct control *control, struct xcx_err *err);

/* One line, without its newline; returns what to answer, NULL for nothing. */
const char *control_obey(struct control *control, char *line,
                         struct json *json);

#endif
