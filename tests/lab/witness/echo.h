/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * echo: the other end of net and stream: sends each whole datagram of a witness
 * back to where it came from, with the time by its own clock, and all bytes of
 * a TCP connection, on the port of the same number. With faults, so that a test
 * can see each one counted.
 */
#ifndef WITNESS_ECHO_H
#define WITNESS_ECHO_H

#include <stdint.h>

#include "xcext/err.h"

struct echo_options {
    const char *bind; /* address, numeric */
    const char *port; /* 0: any free one */
    /*
     * Each: one datagram in so many meets this fault; 0: none does. Of a
     * connection, the first byte of one piece (as they are read) in so many.
     */
    uint64_t drop_each, garble_each, twice_each;
};

/*
 * Says the port that it listens on in a ready line on standard output, then
 * serves until a signal ends it: returns only on failure. Errors: USAGE, IO.
 */
int echo_run(const struct echo_options *options, struct xcx_err *err);

#endif
