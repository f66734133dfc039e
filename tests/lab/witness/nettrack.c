/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nettrack.h"

#include <string.h>

#include "mix.h"

#define NET_MAGIC UINT64_C(0x74656e2074697720)

enum {
    WORD_MAGIC,
    WORD_NUMBER,
    WORD_KEY,
    WORD_SUM,
    WORD_PEER_NS,
    WORD_CONTENTS,
};

static uint64_t datagram_sum(const uint64_t *words)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < NETTRACK_WORDS; i++)
        sum = mix64(sum ^ (i == WORD_SUM ? 0 : words[i]));
    return sum;
}

static struct nettrack_slot *slot_of(struct nettrack *track, uint64_t number)
{
    return &track->ring[number % NETTRACK_RING];
}

void nettrack_init(struct nettrack *track, uint64_t key)
{
    memset(track, 0, sizeof(*track));
    track->key = key;
    track->next_number = 1;
    track->judged = 1;
}

static void judge_one(struct nettrack *track, uint64_t number)
{
    struct nettrack_slot *slot = slot_of(track, number);

    if (slot->number == number && !slot->answered) {
        slot->lost = true;
        track->counts.lost++;
    }
}

void nettrack_judge(struct nettrack *track, int64_t now_ns)
{
    while (track->judged < track->next_number &&
           now_ns - slot_of(track, track->judged)->sent_ns > NETTRACK_LOST_NS)
        judge_one(track, track->judged++);
}

void nettrack_send(struct nettrack *track, int64_t now_ns, uint64_t *words)
{
    uint64_t number = track->next_number++;

    /* The ring is about to forget the number that had this slot. */
    if (number > NETTRACK_RING && track->judged <= number - NETTRACK_RING)
        judge_one(track, track->judged++);
    *slot_of(track, number) = (struct nettrack_slot){
        .number = number,
        .sent_ns = now_ns,
    };
    words[WORD_MAGIC] = NET_MAGIC;
    words[WORD_NUMBER] = number;
    words[WORD_KEY] = track->key;
    words[WORD_PEER_NS] = 0;
    for (unsigned i = WORD_CONTENTS; i < NETTRACK_WORDS; i++)
        words[i] = mix64(number * NETTRACK_WORDS + i);
    words[WORD_SUM] = datagram_sum(words);
    track->counts.sent++;
}

void nettrack_unsend(struct nettrack *track)
{
    track->next_number--;
    track->counts.sent--;
    *slot_of(track, track->next_number) = (struct nettrack_slot){0};
}

void nettrack_answer(void *data, int64_t peer_ns)
{
    uint64_t words[NETTRACK_WORDS];

    memcpy(words, data, sizeof(words));
    words[WORD_PEER_NS] = peer_ns;
    words[WORD_SUM] = datagram_sum(words);
    memcpy(data, words, sizeof(words));
}

bool nettrack_is_whole(const void *data, size_t data_bytes)
{
    uint64_t words[NETTRACK_WORDS];

    if (data_bytes != sizeof(words))
        return false;
    memcpy(words, data, sizeof(words));
    return words[WORD_MAGIC] == NET_MAGIC &&
           words[WORD_SUM] == datagram_sum(words);
}

static void note_gap(int64_t *longest_ns, int64_t *last_ns, int64_t now_ns)
{
    if (*last_ns && now_ns - *last_ns > *longest_ns)
        *longest_ns = now_ns - *last_ns;
    *last_ns = now_ns;
}

void nettrack_receive(struct nettrack *track, int64_t now_ns, int64_t real_ns,
                      const void *data, size_t data_bytes)
{
    struct nettrack_counts *counts = &track->counts;
    uint64_t words[NETTRACK_WORDS];
    struct nettrack_slot *slot;

    if (!nettrack_is_whole(data, data_bytes)) {
        counts->corrupted++;
        return;
    }
    memcpy(words, data, sizeof(words));
    slot = slot_of(track, words[WORD_NUMBER]);
    if (words[WORD_KEY] != track->key || words[WORD_NUMBER] == 0 ||
        slot->number != words[WORD_NUMBER]) {
        counts->unknown++;
        return;
    }
    if (slot->answered) {
        counts->duplicated++;
        return;
    }
    slot->answered = true;
    counts->replies++;
    if (slot->lost) {
        counts->lost--;
        counts->late++;
    }
    if (now_ns - slot->sent_ns > counts->longest_rtt_ns)
        counts->longest_rtt_ns = now_ns - slot->sent_ns;
    note_gap(&counts->longest_gap_ns, &counts->last_reply_ns, now_ns);
    note_gap(&counts->longest_gap_real_ns, &counts->last_reply_real_ns,
             real_ns);
    note_gap(&counts->longest_gap_peer_ns, &counts->last_reply_peer_ns,
             words[WORD_PEER_NS]);
}
