/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plain: makes a text from a guest, a peer, a file or another program fit for
 * a terminal. Names and messages of others can hold escape sequences, which a
 * terminal obeys, and newlines, which forge a line of ours.
 */
#ifndef XCEXT_PLAIN_H
#define XCEXT_PLAIN_H

/*
 * Leaves printable ASCII alone. Tabs and carriage returns become spaces, every
 * other byte a question mark: C1 controls hide in UTF-8, too.
 */
static inline void xcx_make_plain(char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            *text = *text == '\t' || *text == '\r' ? ' ' : '?';
    }
}

#endif
