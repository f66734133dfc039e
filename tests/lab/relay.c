/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * relay: the wire between the lab's hosts, a small switch in user space.
 *
 *   host1's QEMU ──▶ DIR/wire-1.sock ┐
 *   host2's QEMU ──▶ DIR/wire-2.sock ┼── learns MACs, forwards ── ctl.sock
 *   host3's QEMU ──▶ DIR/wire-3.sock ┘
 *
 * Each QEMU's NIC connects by `-netdev stream`: every Ethernet frame comes
 * with its length before it, 32 bits, big-endian. A frame for an unknown
 * address goes to all other ports. What leaves through a port waits in that
 * port's queue until it is due (delay) and the port has tokens (rate). A full
 * queue drops frames, as a switch does; a port that is cut drops all.
 *
 * Control: one command a connection on DIR/ctl.sock, one JSON line back:
 *   delay MS | rate BYTES_PER_S (0: none) | cut [PORT] | heal [PORT] | stats
 *   announced: the last NR_SEEN frames that said where an address is: RARP and
 *   gratuitous ARP, and the first frame of any kind from an address that was
 *   behind another port before ("moved"); times by CLOCK_MONOTONIC
 *
 * Usage: relay DIR NR_PORTS. Says "relay: ready" on its standard output. Ends
 * on SIGTERM, or with its parent when it was started with --with-parent.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_PORTS         8
#define FRAME_MAX_BYTES   (68 * 1024)
#define FRAME_HEAD_BYTES  4
#define IN_BYTES          (4 * FRAME_MAX_BYTES)
#define QUEUE_BYTES       (8u << 20)
#define BURST_NS          5000000ull
#define NR_MACS           1024
#define NS_PER_S          1000000000ull
#define COMMAND_MAX_BYTES 128
#define NR_SEEN           64
#define OUT_BYTES         8192
#define ARP_BYTES         42 /* a frame's, up to the end of what it asks */

/* A frame in a port's queue: this head, then the frame with its length. */
struct queued {
    uint64_t due_ns;
    uint32_t nr_bytes;
};

struct port {
    int listen_fd;
    int fd; /* -1: nobody is connected */
    bool cut;
    uint8_t in[IN_BYTES];
    size_t in_used_bytes;
    uint8_t *queue;                  /* ring of QUEUE_BYTES */
    uint64_t queue_head, queue_tail; /* ever growing; modulo QUEUE_BYTES */
    uint32_t front_sent_bytes;       /* of the frame at the queue's front */
    uint64_t free_at_ns;             /* rate: the wire is busy until then */
    uint64_t in_bytes, in_frames, out_bytes, out_frames, dropped_frames;
};

struct learned {
    uint8_t mac[6];
    int port; /* -1: entry is free */
};

enum seen_kind { SEEN_MOVED, SEEN_RARP, SEEN_ARP };

/* A frame that says where an address is. */
struct seen {
    uint64_t at_ns;
    enum seen_kind kind;
    int port;
    uint8_t mac[6];
};

struct relay {
    struct port port[MAX_PORTS];
    int nr_ports;
    int ctl_fd;
    uint64_t delay_ns;
    uint64_t rate_bytes_per_s;
    struct learned macs[NR_MACS];
    struct seen seen[NR_SEEN]; /* a ring */
    uint64_t nr_seen;          /* ever */
};

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int listen_at(const char *dir, const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir, name);

    if (n < 0 || (size_t)n >= sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        die(dir);
    }
    unlink(addr.sun_path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        listen(fd, 8))
        die(addr.sun_path);
    return fd;
}

/* ---- a port's queue ---------------------------------------------------- */

static void ring_put(struct port *p, const void *data, size_t n)
{
    size_t at = p->queue_tail % QUEUE_BYTES;
    size_t first = n < QUEUE_BYTES - at ? n : QUEUE_BYTES - at;

    memcpy(p->queue + at, data, first);
    memcpy(p->queue, (const uint8_t *)data + first, n - first);
    p->queue_tail += n;
}

static void ring_peek(const struct port *p, uint64_t from, void *data, size_t n)
{
    size_t at = from % QUEUE_BYTES;
    size_t first = n < QUEUE_BYTES - at ? n : QUEUE_BYTES - at;

    memcpy(data, p->queue + at, first);
    memcpy((uint8_t *)data + first, p->queue, n - first);
}

static void enqueue(struct relay *r, struct port *p, const uint8_t *frame,
                    uint32_t nr_bytes)
{
    struct queued head = {now_ns() + r->delay_ns, nr_bytes};

    if (p->fd < 0 || p->cut ||
        p->queue_tail - p->queue_head + sizeof(head) + nr_bytes > QUEUE_BYTES) {
        p->dropped_frames++;
        return;
    }
    ring_put(p, &head, sizeof(head));
    ring_put(p, frame, nr_bytes);
}

static void hang_up(struct port *p)
{
    close(p->fd);
    p->fd = -1;
    p->in_used_bytes = 0;
    p->queue_head = p->queue_tail;
    p->front_sent_bytes = 0;
}

/* When the frame at the queue's front may go; UINT64_MAX for an empty one. */
static uint64_t front_due_ns(const struct port *p, struct queued *ret_head)
{
    if (p->queue_head == p->queue_tail)
        return UINT64_MAX;
    ring_peek(p, p->queue_head, ret_head, sizeof(*ret_head));
    if (p->front_sent_bytes)
        return 0;
    return ret_head->due_ns > p->free_at_ns ? ret_head->due_ns : p->free_at_ns;
}

static void charge(const struct relay *r, struct port *p, uint64_t now,
                   uint32_t nr_bytes)
{
    if (!r->rate_bytes_per_s) {
        p->free_at_ns = 0;
        return;
    }
    if (p->free_at_ns + BURST_NS < now)
        p->free_at_ns = now - BURST_NS;
    p->free_at_ns += nr_bytes * NS_PER_S / r->rate_bytes_per_s;
}

/* Sends what is due; returns when it must be called again, in absolute ns. */
static uint64_t flush_port(const struct relay *r, struct port *p,
                           bool *ret_full)
{
    uint8_t frame[FRAME_MAX_BYTES + FRAME_HEAD_BYTES];
    struct queued head;
    uint64_t due, now;
    ssize_t n;

    *ret_full = false;
    while (p->fd >= 0) {
        now = now_ns();
        due = front_due_ns(p, &head);
        if (due > now)
            return due;
        ring_peek(p, p->queue_head + sizeof(head), frame, head.nr_bytes);
        n = send(p->fd, frame + p->front_sent_bytes,
                 head.nr_bytes - p->front_sent_bytes,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            *ret_full = true;
            return UINT64_MAX;
        }
        if (n < 0) {
            hang_up(p);
            break;
        }
        p->front_sent_bytes += (uint32_t)n;
        if (p->front_sent_bytes < head.nr_bytes)
            continue;
        p->front_sent_bytes = 0;
        p->queue_head += sizeof(head) + head.nr_bytes;
        p->out_bytes += head.nr_bytes - FRAME_HEAD_BYTES;
        p->out_frames++;
        charge(r, p, now, head.nr_bytes);
    }
    return UINT64_MAX;
}

/* ---- switching --------------------------------------------------------- */

static struct learned *slot_of(struct relay *r, const uint8_t *mac)
{
    unsigned hash = 0;

    for (int i = 0; i < 6; i++)
        hash = hash * 31 + mac[i];
    return &r->macs[hash % NR_MACS];
}

static void note_seen(struct relay *r, enum seen_kind kind, int port,
                      const uint8_t *mac)
{
    struct seen *seen = &r->seen[r->nr_seen++ % NR_SEEN];

    *seen = (struct seen){.at_ns = now_ns(), .kind = kind, .port = port};
    memcpy(seen->mac, mac, 6);
}

static void note_announcement(struct relay *r, int port, const uint8_t *frame,
                              uint32_t nr_bytes)
{
    unsigned type = (unsigned)frame[12] << 8 | frame[13];

    if (nr_bytes < ARP_BYTES || !(frame[0] & 1))
        return;
    if (type == 0x8035)
        note_seen(r, SEEN_RARP, port, frame + 6);
    /* Whoever asks for its own address tells that it has it. */
    if (type == 0x0806 && !memcmp(frame + 28, frame + 38, 4))
        note_seen(r, SEEN_ARP, port, frame + 6);
}

static void learn(struct relay *r, int port, const uint8_t *mac)
{
    struct learned *known = slot_of(r, mac);

    if (mac[0] & 1)
        return;
    if (known->port >= 0 && known->port != port && !memcmp(known->mac, mac, 6))
        note_seen(r, SEEN_MOVED, port, mac);
    memcpy(known->mac, mac, 6);
    known->port = port;
}

static void forward(struct relay *r, int from, const uint8_t *framed,
                    uint32_t nr_bytes)
{
    const uint8_t *frame = framed + FRAME_HEAD_BYTES;
    struct port *in = &r->port[from];
    struct learned *dst = slot_of(r, frame);
    bool known =
        !(frame[0] & 1) && dst->port >= 0 && !memcmp(dst->mac, frame, 6);

    in->in_bytes += nr_bytes - FRAME_HEAD_BYTES;
    in->in_frames++;
    if (in->cut) {
        in->dropped_frames++;
        return;
    }
    learn(r, from, frame + 6);
    note_announcement(r, from, frame, nr_bytes - FRAME_HEAD_BYTES);
    for (int i = 0; i < r->nr_ports; i++) {
        if (i != from && (!known || dst->port == i))
            enqueue(r, &r->port[i], framed, nr_bytes);
    }
}

static void take_in(struct relay *r, int from)
{
    struct port *p = &r->port[from];
    size_t at = 0;
    ssize_t n = recv(p->fd, p->in + p->in_used_bytes,
                     IN_BYTES - p->in_used_bytes, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(p);
        return;
    }
    p->in_used_bytes += (size_t)n;
    while (p->in_used_bytes - at >= FRAME_HEAD_BYTES) {
        const uint8_t *b = p->in + at;
        uint32_t len = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
                       (uint32_t)b[2] << 8 | b[3];

        if (len < 14 || len > FRAME_MAX_BYTES) {
            hang_up(p);
            return;
        }
        if (p->in_used_bytes - at < FRAME_HEAD_BYTES + len)
            break;
        forward(r, from, b, FRAME_HEAD_BYTES + len);
        at += FRAME_HEAD_BYTES + len;
    }
    memmove(p->in, p->in + at, p->in_used_bytes - at);
    p->in_used_bytes -= at;
}

static void take_connection(struct port *p)
{
    int fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    if (p->fd >= 0)
        hang_up(p); /* the newer one is the host that was booted again */
    p->fd = fd;
}

/* ---- control ----------------------------------------------------------- */

static void set_cut(struct relay *r, unsigned long port, bool cut)
{
    for (int i = 0; i < r->nr_ports; i++) {
        if (port == 0 || port == (unsigned long)i + 1) {
            r->port[i].cut = cut;
            /* What is under way when a cable is pulled does not arrive; a
             * frame half sent must be finished, or framing is lost. */
            if (cut && !r->port[i].front_sent_bytes)
                r->port[i].queue_head = r->port[i].queue_tail;
        }
    }
}

static int print_stats(const struct relay *r, char *out, size_t nr_bytes)
{
    int used = snprintf(out, nr_bytes,
                        "{\"delay_ns\":%llu,\"rate_bytes_per_s\":%llu,"
                        "\"ports\":[",
                        (unsigned long long)r->delay_ns,
                        (unsigned long long)r->rate_bytes_per_s);

    for (int i = 0; i < r->nr_ports; i++) {
        const struct port *p = &r->port[i];

        used += snprintf(
            out + used, nr_bytes - (size_t)used,
            "%s{\"port\":%d,\"connected\":%s,\"cut\":%s,\"in_bytes\":%llu,"
            "\"in_frames\":%llu,\"out_bytes\":%llu,\"out_frames\":%llu,"
            "\"dropped_frames\":%llu}",
            i ? "," : "", i + 1, p->fd >= 0 ? "true" : "false",
            p->cut ? "true" : "false", (unsigned long long)p->in_bytes,
            (unsigned long long)p->in_frames, (unsigned long long)p->out_bytes,
            (unsigned long long)p->out_frames,
            (unsigned long long)p->dropped_frames);
    }
    return used + snprintf(out + used, nr_bytes - (size_t)used, "]}\n");
}

static int print_seen(const struct relay *r, char *out, size_t nr_bytes)
{
    static const char *const kinds[] = {
        [SEEN_MOVED] = "moved", [SEEN_RARP] = "rarp", [SEEN_ARP] = "arp"};
    uint64_t first = r->nr_seen > NR_SEEN ? r->nr_seen - NR_SEEN : 0;
    int used = snprintf(out, nr_bytes, "{\"announced\":[");

    for (uint64_t i = first; i < r->nr_seen; i++) {
        const struct seen *seen = &r->seen[i % NR_SEEN];
        const uint8_t *mac = seen->mac;

        used += snprintf(out + used, nr_bytes - (size_t)used,
                         "%s{\"at_ns\":%llu,\"kind\":\"%s\",\"port\":%d,"
                         "\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\"}",
                         i > first ? "," : "", (unsigned long long)seen->at_ns,
                         kinds[seen->kind], seen->port + 1, mac[0], mac[1],
                         mac[2], mac[3], mac[4], mac[5]);
    }
    return used + snprintf(out + used, nr_bytes - (size_t)used, "]}\n");
}

static int do_command(struct relay *r, const char *line, char *out,
                      size_t nr_bytes)
{
    char word[16] = "";
    unsigned long long value = 0;
    int nr = sscanf(line, "%15s %llu", word, &value);

    if (nr == 2 && !strcmp(word, "delay") && value <= 10000)
        r->delay_ns = value * 1000000;
    else if (nr == 2 && !strcmp(word, "rate"))
        r->rate_bytes_per_s = value;
    else if (nr >= 1 && !strcmp(word, "cut"))
        set_cut(r, value, true);
    else if (nr >= 1 && !strcmp(word, "heal"))
        set_cut(r, value, false);
    else if (nr == 1 && !strcmp(word, "announced"))
        return print_seen(r, out, nr_bytes);
    else if (nr < 1 || strcmp(word, "stats"))
        return snprintf(out, nr_bytes, "{\"error\":\"bad command\"}\n");
    return print_stats(r, out, nr_bytes);
}

/* Commands come from the lab's own front end, whole and at once. */
static void serve_control(struct relay *r)
{
    char line[COMMAND_MAX_BYTES + 1];
    char out[OUT_BYTES];
    struct timeval limit = {.tv_sec = 1};
    int fd = accept4(r->ctl_fd, NULL, NULL, SOCK_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    n = recv(fd, line, COMMAND_MAX_BYTES, 0);
    if (n > 0) {
        line[n] = 0;
        n = do_command(r, line, out, sizeof(out));
        send(fd, out, (size_t)n, MSG_NOSIGNAL);
    }
    close(fd);
}

/* ---- the loop ---------------------------------------------------------- */

static void turn(struct relay *r)
{
    struct pollfd fds[2 * MAX_PORTS + 1];
    struct timespec ts, *wait = NULL;
    uint64_t next = UINT64_MAX, due, now;
    bool full;
    int n = r->nr_ports;

    for (int i = 0; i < n; i++) {
        due = flush_port(r, &r->port[i], &full);
        next = due < next ? due : next;
        fds[2 * i] = (struct pollfd){r->port[i].listen_fd, POLLIN, 0};
        fds[2 * i + 1] = (struct pollfd){
            r->port[i].fd, (short)(POLLIN | (full ? POLLOUT : 0)), 0};
    }
    fds[2 * n] = (struct pollfd){r->ctl_fd, POLLIN, 0};
    if (next != UINT64_MAX) {
        now = now_ns();
        due = next > now ? next - now : 0;
        ts =
            (struct timespec){(time_t)(due / NS_PER_S), (long)(due % NS_PER_S)};
        wait = &ts;
    }
    if (ppoll(fds, (nfds_t)(2 * n + 1), wait, NULL) < 0) {
        if (errno != EINTR)
            die("ppoll");
        return;
    }
    for (int i = 0; i < n; i++) {
        if (r->port[i].fd >= 0 &&
            (fds[2 * i + 1].revents & (POLLIN | POLLHUP | POLLERR)))
            take_in(r, i);
        if (fds[2 * i].revents)
            take_connection(&r->port[i]);
    }
    if (fds[2 * n].revents)
        serve_control(r);
}

int main(int argc, char **argv)
{
    static struct relay relay;
    char name[32];

    if (argc > 1 && !strcmp(argv[1], "--with-parent")) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        argv++;
        argc--;
    }
    relay.nr_ports = argc == 3 ? atoi(argv[2]) : 0;
    if (relay.nr_ports < 1 || relay.nr_ports > MAX_PORTS) {
        fprintf(stderr, "usage: relay [--with-parent] DIR NR_PORTS (1 to %d)\n",
                MAX_PORTS);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < NR_MACS; i++)
        relay.macs[i].port = -1;
    for (int i = 0; i < relay.nr_ports; i++) {
        snprintf(name, sizeof(name), "wire-%d.sock", i + 1);
        relay.port[i].listen_fd = listen_at(argv[1], name);
        relay.port[i].fd = -1;
        relay.port[i].queue = malloc(QUEUE_BYTES);
        if (!relay.port[i].queue)
            die("queue");
    }
    relay.ctl_fd = listen_at(argv[1], "ctl.sock");
    printf("relay: ready\n");
    fflush(stdout);
    for (;;)
        turn(&relay);
}
