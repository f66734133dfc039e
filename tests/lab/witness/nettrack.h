/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nettrack: the datagrams of the witness and what became of them.
 *
 *    word 0     1        2        3          4            5 .... 31
 *   +-------+--------+-------+----------+-----------+------------------+
 *   | magic | number | key   | checksum | peer time | made from number |
 *   +-------+--------+-------+----------+-----------+------------------+
 *
 * The peer time is the peer's CLOCK_MONOTONIC in ns at its answer. The peer
 * is not moved, so the longest gap by its clock tells a blackout even where
 * the guest's own clocks stopped or jumped.
 *
 * A datagram that is not answered within NETTRACK_LOST_NS counts as lost; an
 * answer that comes later turns it into a late one, as long as the ring
 * remembers it (NETTRACK_RING numbers).
 *
 * Words are in the machine's own order: both ends run on one kind of CPU.
 * Pure; one thread at a time.
 */
#ifndef WITNESS_NETTRACK_H
#define WITNESS_NETTRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETTRACK_WORDS   32
#define NETTRACK_BYTES   (NETTRACK_WORDS * 8)
#define NETTRACK_RING    4096u
#define NETTRACK_LOST_NS INT64_C(2000000000)

struct nettrack_slot {
    uint64_t number; /* 0: free; numbers begin at 1 */
    int64_t sent_ns;
    bool answered;
    bool lost; /* and counted so */
};

struct nettrack_counts {
    uint64_t sent;
    uint64_t replies;    /* datagrams answered, each counted once */
    uint64_t lost;       /* overdue and unanswered to this moment */
    uint64_t late;       /* answered when they had been given up */
    uint64_t duplicated; /* further answers to one datagram */
    uint64_t corrupted;  /* came back with bytes changed */
    uint64_t unknown;    /* whole, but none of ours, or forgotten */
    /* of the last reply by each clock; 0: none so far */
    int64_t last_reply_ns, last_reply_real_ns, last_reply_peer_ns;
    int64_t longest_gap_ns, longest_gap_real_ns, longest_gap_peer_ns;
    int64_t longest_rtt_ns;
};

struct nettrack {
    uint64_t key; /* tells this run's datagrams from another's */
    uint64_t next_number;
    uint64_t judged; /* all numbers below were counted, if lost */
    struct nettrack_counts counts;
    struct nettrack_slot ring[NETTRACK_RING];
};

void nettrack_init(struct nettrack *track, uint64_t key);

/* Makes the next datagram, NETTRACK_BYTES of words, and counts it as sent. */
void nettrack_send(struct nettrack *track, int64_t now_ns, uint64_t *words);

/* Takes back the last nettrack_send: the datagram never left. */
void nettrack_unsend(struct nettrack *track);

/* What came back: any bytes. Times by MONOTONIC and REALTIME. */
void nettrack_receive(struct nettrack *track, int64_t now_ns, int64_t real_ns,
                      const void *data, size_t data_bytes);

/* Counts what is overdue by now. */
void nettrack_judge(struct nettrack *track, int64_t now_ns);

/* The peer's part: makes a whole datagram of NETTRACK_BYTES its answer. */
void nettrack_answer(void *data, int64_t peer_ns);

/* Whether the bytes are a whole datagram of a witness, whoever's. */
bool nettrack_is_whole(const void *data, size_t data_bytes);

#endif
