/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "announce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HARDWARE_ETHERNET 1
#define ARP_REQUEST       1
#define RARP_REQUEST      3

/* ---- frames ------------------------------------------------------------- */

static uint8_t *put_16(uint8_t *to, unsigned value)
{
    *to++ = (uint8_t)(value >> 8);
    *to++ = (uint8_t)value;
    return to;
}

static uint8_t *put_bytes(uint8_t *to, const uint8_t *from, size_t nr_bytes)
{
    memcpy(to, from, nr_bytes);
    return to + nr_bytes;
}

static void fill_frame(const struct announce_nic *nic, unsigned type,
                       unsigned operation, const uint8_t ipv4[4],
                       const uint8_t target_mac[6],
                       uint8_t ret[ANNOUNCE_FRAME_BYTES])
{
    uint8_t *to = ret;

    memset(ret, 0, ANNOUNCE_FRAME_BYTES);
    memset(to, 0xff, ETH_ALEN);
    to = put_bytes(to + ETH_ALEN, nic->mac, ETH_ALEN);
    if (nic->vlan) {
        to = put_16(to, ETHERTYPE_VLAN);
        to = put_16(to, nic->vlan);
    }
    to = put_16(to, type);
    to = put_16(to, HARDWARE_ETHERNET);
    to = put_16(to, ETHERTYPE_IP);
    *to++ = ETH_ALEN;
    *to++ = 4;
    to = put_16(to, operation);
    to = put_bytes(to, nic->mac, ETH_ALEN);
    to = put_bytes(to, ipv4, 4);
    to = put_bytes(to, target_mac, ETH_ALEN);
    put_bytes(to, ipv4, 4);
}

void announce_rarp(const struct announce_nic *nic,
                   uint8_t ret[ANNOUNCE_FRAME_BYTES])
{
    static const uint8_t unknown[4];

    fill_frame(nic, ETHERTYPE_REVARP, RARP_REQUEST, unknown, nic->mac, ret);
}

void announce_arp(const struct announce_nic *nic,
                  uint8_t ret[ANNOUNCE_FRAME_BYTES])
{
    static const uint8_t unknown[6];

    fill_frame(nic, ETHERTYPE_ARP, ARP_REQUEST, nic->ipv4, unknown, ret);
}

void announce_parse_ipv4(const char *text, uint8_t ret[4])
{
    char word[INET_ADDRSTRLEN];
    int nr_bytes;

    memset(ret, 0, 4);
    while (text && *text) {
        text += strspn(text, " ,");
        nr_bytes = (int)strcspn(text, " ,/");
        snprintf(word, sizeof(word), "%.*s", nr_bytes, text);
        if (nr_bytes < (int)sizeof(word) && inet_pton(AF_INET, word, ret) == 1)
            return;
        text += strcspn(text, " ,");
    }
}

/* ---- the bridge's own table --------------------------------------------- */

struct fdb_request {
    struct nlmsghdr header;
    struct ndmsg entry;
    struct rtattr attribute;
    uint8_t mac[ETH_ALEN];
};

/* A device that is no port of a bridge says no; so be it. */
static void move_entry(int netlink_fd, const char *port, const uint8_t mac[6])
{
    unsigned index = *port ? if_nametoindex(port) : 0;
    struct fdb_request request = {
        .header =
            {
                .nlmsg_len = sizeof(request),
                .nlmsg_type = RTM_NEWNEIGH,
                .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE,
            },
        .entry =
            {
                .ndm_family = AF_BRIDGE,
                .ndm_ifindex = (int)index,
                .ndm_state = NUD_REACHABLE, /* ages like a learnt one */
                .ndm_flags = NTF_MASTER,
            },
        .attribute = {.rta_len = RTA_LENGTH(ETH_ALEN), .rta_type = NDA_LLADDR},
    };

    memcpy(request.mac, mac, ETH_ALEN);
    if (index)
        (void)!send(netlink_fd, &request, sizeof(request), MSG_DONTWAIT);
}

/* ---- the rounds --------------------------------------------------------- */

static void put_frame(int fd, const char *bridge,
                      const uint8_t frame[ANNOUNCE_FRAME_BYTES])
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_ifindex = (int)if_nametoindex(bridge),
        .sll_halen = ETH_ALEN,
    };

    memset(to.sll_addr, 0xff, ETH_ALEN);
    if (to.sll_ifindex)
        (void)!sendto(fd, frame, ANNOUNCE_FRAME_BYTES, MSG_DONTWAIT,
                      (struct sockaddr *)&to, sizeof(to));
}

static void announce_nic(int packet_fd, int netlink_fd,
                         const struct announce_nic *nic)
{
    static const uint8_t unknown[4];
    uint8_t frame[ANNOUNCE_FRAME_BYTES];

    move_entry(netlink_fd, nic->port, nic->mac);
    announce_rarp(nic, frame);
    put_frame(packet_fd, nic->bridge, frame);
    if (!memcmp(nic->ipv4, unknown, sizeof(unknown)))
        return;
    announce_arp(nic, frame);
    put_frame(packet_fd, nic->bridge, frame);
}

static void run_rounds(int packet_fd, int netlink_fd,
                       const struct announce *announce,
                       const struct announce_nic *nics, unsigned nr_nics)
{
    for (uint64_t round = 0; round < announce->rounds; round++) {
        poll(NULL, 0, (int)announce_wait_ms(announce, round));
        for (unsigned i = 0; i < nr_nics; i++)
            announce_nic(packet_fd, netlink_fd, &nics[i]);
    }
}

int announce_run(const struct announce *announce,
                 const struct announce_nic *nics, unsigned nr_nics,
                 struct xcx_err *err)
{
    int packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    int netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    int rc = 0;

    if (packet_fd < 0 || netlink_fd < 0)
        rc = xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                         "the guest's addresses cannot be announced");
    else
        run_rounds(packet_fd, netlink_fd, announce, nics, nr_nics);
    if (packet_fd >= 0)
        close(packet_fd);
    if (netlink_fd >= 0)
        close(netlink_fd);
    return rc;
}

/*
 * No fd of the parent's stays: its journal's lock and the ssh session would
 * last as long as the announcing.
 */
static void child(const struct announce *announce,
                  const struct announce_nic *nics, unsigned nr_nics)
{
    struct xcx_err untold = XCX_ERR_INIT;

    close_range(0, UINT_MAX, 0);
    if (fork())
        _exit(0);
    _exit(announce_run(announce, nics, nr_nics, &untold) ? 1 : 0);
}

int announce_start(const struct announce *announce,
                   const struct announce_nic *nics, unsigned nr_nics,
                   struct xcx_err *err)
{
    pid_t pid;

    if (!announce->rounds || !nr_nics)
        return 0;
    pid = fork();
    if (pid == 0)
        child(announce, nics, nr_nics);
    if (pid < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "the guest's addresses cannot be announced");
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return 0;
}
