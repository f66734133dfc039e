/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * announce: tells the network where a guest's addresses are now, once it runs
 * here. For each NIC that is on a bridge a frame with the NIC's own address as
 * its source is put on that bridge: RARP, which every switch learns from, and
 * a gratuitous ARP where the IPv4 address is known. This host's own bridge
 * learns nothing from that: its forwarding entry is moved to the guest's port.
 *
 * In rounds, as QEMU does it: the first at once, the second after initial_ms,
 * each further wait step_ms longer than the one before, max_ms at most.
 *
 * A process of its own does it: it holds no fd but its socket, nobody waits
 * for it, and nothing hangs on its success. An HVM guest's emulated NICs are
 * QEMU's to announce.
 *
 * Source: RFC 826, RFC 903, RFC 5227 (for ARP announcements); RFC 3549.
 */
#ifndef XL_MIGRATE_ANNOUNCE_H
#define XL_MIGRATE_ANNOUNCE_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "host.h"
#include "xcext.h"

#define ANNOUNCE_FRAME_BYTES  60 /* the shortest on a wire, without its sum */
#define ANNOUNCE_MAX_NICS     32
#define ANNOUNCE_MAX_ROUNDS   1000
#define ANNOUNCE_MAX_DELAY_MS 100000
#define ANNOUNCE_MAX_TOTAL_MS 300000 /* from the first to the last round */

struct announce {
    uint64_t rounds; /* 0: none */
    uint64_t initial_ms, step_ms, max_ms;
};

struct announce_nic {
    uint8_t mac[6];
    uint8_t ipv4[4];       /* all 0: not known */
    char bridge[IFNAMSIZ]; /* the frames go out there */
    char port[IFNAMSIZ];   /* the guest's; "": leave the entry */
    unsigned vlan;         /* the frames' tag; 0: none */
};

/* Pure: the frames, and how long to wait before round N (from 0). */
void announce_rarp(const struct announce_nic *nic,
                   uint8_t ret[ANNOUNCE_FRAME_BYTES]);
void announce_arp(const struct announce_nic *nic,
                  uint8_t ret[ANNOUNCE_FRAME_BYTES]);
uint64_t announce_wait_ms(const struct announce *announce, uint64_t round);

/*
 * Pure: leaves out the rounds that would begin later than
 * ANNOUNCE_MAX_TOTAL_MS after the first; the source chooses these numbers.
 */
void announce_bound(struct announce *announce);

/*
 * The first IPv4 address of a NIC's "ip" (addresses, with spaces between), all
 * 0 if there is none.
 */
void announce_parse_ipv4(const char *text, uint8_t ret[4]);

/* Finds the domain's NICs that are on a bridge. Errors: RESOURCE. */
int announce_find_nics(struct host *host, uint32_t domid,
                       struct announce_nic ret[ANNOUNCE_MAX_NICS],
                       unsigned *ret_nr, struct xcx_err *err);

/*
 * Does it all, blocking between the rounds. Errors: RESOURCE (no such socket);
 * a bridge that is gone is passed over.
 */
int announce_run(const struct announce *announce,
                 const struct announce_nic *nics, unsigned nr_nics,
                 struct xcx_err *err);

/* Announces in a process that nobody waits for. Errors: RESOURCE. */
int announce_start(const struct announce *announce,
                   const struct announce_nic *nics, unsigned nr_nics,
                   struct xcx_err *err);

#endif
