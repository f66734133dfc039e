/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forecast.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* The most that a cost can be: beyond it, something else was measured. */
#define MAX_COST_NS     (600 * NS_PER_S)
#define MAX_BYTES_PER_S (UINT64_C(1) << 50)
#define MAX_SEEN        1000000

#define FILE_BYTES      4096
#define HOST_BYTES      100

#define NR(array)       (sizeof(array) / sizeof((array)[0]))

void forecast_costs_default(const struct forecast_move *move,
                            struct forecast_costs *ret_costs)
{
    /* An HVM guest's device model starts after its memory is there. */
    uint64_t resume_ms = move->kind == DOMAIN_HVM ? 1000 : 400;

    /* The target's xl runs a script for each, and QEMU opens images. */
    if (move->has_disks)
        resume_ms += 500;
    if (move->has_qemu_disks)
        resume_ms += 200;
    if (move->has_nics)
        resume_ms += 300;
    *ret_costs = (struct forecast_costs){
        .setup_ns = 1500 * NS_PER_MS,
        .resume_ns = resume_ms * NS_PER_MS,
        .finish_ns = 1000 * NS_PER_MS,
    };
}

/* How far a probe is off at most, as long as the link is the same. */
#define PROBE_FACTOR 2.0
/* The share of a link that a save gets, if none has used it yet. */
#define GUESSED_SHARE 0.9

static uint64_t rate_of(const struct forecast_params *params)
{
    const struct forecast_costs *costs = &params->costs;
    double probed = (double)params->link.bytes_per_s, ratio;

    if (!costs->save_bytes_per_s || !costs->link_bytes_per_s)
        return (uint64_t)(probed * GUESSED_SHARE);
    ratio = probed / (double)costs->link_bytes_per_s;
    if (ratio > PROBE_FACTOR)
        ratio /= PROBE_FACTOR;
    else if (ratio * PROBE_FACTOR < 1)
        ratio *= PROBE_FACTOR;
    else
        ratio = 1;
    return (uint64_t)((double)costs->save_bytes_per_s * ratio);
}

int forecast(const struct forecast_params *params,
             struct forecast *ret_forecast, struct xcx_err *err)
{
    const struct forecast_costs *costs = &params->costs;
    const struct xcx_forecast_params memory_params = {
        .probe = params->probe,
        .limits = params->limits,
        .bytes_per_s = rate_of(params),
        .suspend_ns = costs->suspend_ns,
        .cpu_state_ns = costs->cpu_state_ns,
    };
    struct xcx_forecast memory;

    if (xcx_forecast(&memory_params, &memory, err))
        return -1;
    *ret_forecast = (struct forecast){
        .aborts = memory.aborts,
        .total_ns = costs->setup_ns + memory.live_ns + costs->prepare_ns +
                    memory.blackout_ns + costs->resume_ns + costs->finish_ns,
        .downtime_ns = memory.blackout_ns + costs->resume_ns,
        .bytes = memory.bytes,
        .nr_rounds = memory.nr_rounds,
        .throttle_percent_min = memory.throttle_percent_min,
        .reason = memory.stop_reason,
    };
    return 0;
}

/* ---- learning ----------------------------------------------------------- */

static void learn_one(uint64_t *cost, uint64_t seen, bool is_first)
{
    *cost = is_first || *cost == 0 ? seen : (*cost + seen) / 2;
}

/* Learns from live rounds: the blackout may send only a few pages. */
static void learn_rate(struct forecast_costs *costs,
                       const struct forecast_outcome *outcome)
{
    const struct xcx_save_stats *stats = &outcome->stats;
    bool is_first = costs->save_bytes_per_s == 0;
    uint64_t bytes = 0, ns = 0;
    double rate;

    for (unsigned i = 0; i < stats->nr_rounds; i++) {
        if (stats->round[i].final)
            continue;
        bytes += stats->round[i].bytes;
        ns += stats->round[i].duration_ns;
    }
    if (bytes == 0 || ns == 0 || outcome->link_bytes_per_s == 0)
        return;
    rate = (double)bytes * (double)NS_PER_S / (double)ns;
    if (rate < 1 || rate > (double)MAX_BYTES_PER_S ||
        outcome->link_bytes_per_s > MAX_BYTES_PER_S)
        return;
    learn_one(&costs->save_bytes_per_s, (uint64_t)rate, is_first);
    learn_one(&costs->link_bytes_per_s, outcome->link_bytes_per_s, is_first);
}

static void learn_cost(uint64_t *cost, uint64_t seen_ns, bool is_first)
{
    if (seen_ns <= MAX_COST_NS)
        learn_one(cost, seen_ns, is_first);
}

void forecast_learn(struct forecast_costs *costs,
                    const struct forecast_outcome *outcome)
{
    bool is_first = costs->nr_seen == 0;

    learn_cost(&costs->setup_ns, outcome->setup_ns, is_first);
    learn_cost(&costs->prepare_ns, outcome->stats.prepare_ns, is_first);
    learn_cost(&costs->resume_ns, outcome->resume_ns, is_first);
    learn_cost(&costs->finish_ns, outcome->finish_ns, is_first);
    learn_cost(&costs->suspend_ns, outcome->stats.suspend_ns, is_first);
    learn_cost(&costs->cpu_state_ns, outcome->stats.cpu_state_ns, is_first);
    learn_rate(costs, outcome);
    if (costs->nr_seen < MAX_SEEN)
        costs->nr_seen++;
}

/* ---- keeping ------------------------------------------------------------ */

static const struct key {
    const char *name;
    size_t offset;
    uint64_t min, max;
} keys[] = {
    {"setup_ns", offsetof(struct forecast_costs, setup_ns), 0, MAX_COST_NS},
    {"prepare_ns", offsetof(struct forecast_costs, prepare_ns), 0, MAX_COST_NS},
    {"resume_ns", offsetof(struct forecast_costs, resume_ns), 0, MAX_COST_NS},
    {"finish_ns", offsetof(struct forecast_costs, finish_ns), 0, MAX_COST_NS},
    {"suspend_ns", offsetof(struct forecast_costs, suspend_ns), 0, MAX_COST_NS},
    {"cpu_state_ns", offsetof(struct forecast_costs, cpu_state_ns), 0,
     MAX_COST_NS},
    {"save_bytes_per_s", offsetof(struct forecast_costs, save_bytes_per_s), 0,
     MAX_BYTES_PER_S},
    {"link_bytes_per_s", offsetof(struct forecast_costs, link_bytes_per_s), 0,
     MAX_BYTES_PER_S},
    {"nr_seen", offsetof(struct forecast_costs, nr_seen), 1, MAX_SEEN},
};

static bool make_path(char path[PATH_MAX], const char *dir, const char *host,
                      const struct forecast_move *move)
{
    static const char *const kinds[] = {"pv", "pvh", "hvm"};
    const char *disks = move->has_qemu_disks ? "-qdisks"
                        : move->has_disks    ? "-disks"
                                             : "";
    char clean[HOST_BYTES + 1];
    size_t n;
    int used;

    for (n = 0; n < HOST_BYTES && host[n]; n++)
        clean[n] = host[n];
    clean[n] = 0;
    for (char *c = clean; *c; c++) {
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                    "0123456789.-@",
                    *c))
            *c = '_';
    }
    used = snprintf(path, PATH_MAX, "%s/costs.%s%s%s%s.%s", dir,
                    kinds[move->kind], disks, move->has_nics ? "-nics" : "",
                    move->is_stock ? "-stock" : "", clean);
    return used > 0 && used < PATH_MAX;
}

static bool read_file(const char *path, char text[FILE_BYTES])
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    ssize_t n = -1;

    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
        n = read(fd, text, FILE_BYTES - 1);
    close(fd);
    if (n < 0)
        return false;
    text[n] = 0;
    return true;
}

/* "KEY VALUE\n"; false: the file is none of ours. */
static bool take_line(struct forecast_costs *costs, const char *line)
{
    for (size_t i = 0; i < NR(keys); i++) {
        size_t length = strlen(keys[i].name);
        uint64_t value;
        char *rest;

        if (strncmp(line, keys[i].name, length) != 0 || line[length] != ' ')
            continue;
        value = strtoull(line + length + 1, &rest, 10);
        if (*rest != '\n' || value < keys[i].min || value > keys[i].max)
            return false;
        if (keys[i].offset == offsetof(struct forecast_costs, nr_seen))
            costs->nr_seen = (unsigned)value;
        else
            *(uint64_t *)((char *)costs + keys[i].offset) = value;
        return true;
    }
    return false;
}

void forecast_costs_load(const char *dir, const char *host,
                         const struct forecast_move *move,
                         struct forecast_costs *ret_costs)
{
    struct forecast_costs costs;
    char path[PATH_MAX], text[FILE_BYTES];

    forecast_costs_default(move, ret_costs);
    costs = *ret_costs;
    if (!make_path(path, dir, host, move) || !read_file(path, text))
        return;
    for (const char *line = text; *line;) {
        if (!take_line(&costs, line))
            return;
        line += strcspn(line, "\n") + 1;
    }
    if (costs.nr_seen)
        *ret_costs = costs;
}

static void put_text(char text[FILE_BYTES], const struct forecast_costs *costs)
{
    size_t used = 0;

    for (size_t i = 0; i < NR(keys); i++) {
        uint64_t value = costs->nr_seen;

        if (keys[i].offset != offsetof(struct forecast_costs, nr_seen))
            value = *(const uint64_t *)((const char *)costs + keys[i].offset);
        used += (size_t)snprintf(text + used, FILE_BYTES - used,
                                 "%s %" PRIu64 "\n", keys[i].name, value);
    }
}

/* A crash leaves the old file or the new one; losing either does no harm. */
int forecast_costs_save(const char *dir, const char *host,
                        const struct forecast_move *move,
                        const struct forecast_costs *costs, struct xcx_err *err)
{
    char path[PATH_MAX], next[PATH_MAX + 8], text[FILE_BYTES];
    ssize_t n = -1;
    int fd;

    if (!make_path(path, dir, host, move))
        return xcx_err_set(err, XCX_ERR_IO, ENAMETOOLONG, "%.60s", dir);
    snprintf(next, sizeof(next), "%s.new", path);
    put_text(text, costs);
    unlink(next);
    fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        n = write(fd, text, strlen(text));
        if (close(fd) || n != (ssize_t)strlen(text))
            n = -1;
    }
    if (n < 0 || rename(next, path)) {
        xcx_err_set(err, XCX_ERR_IO, errno, "writing %.200s", path);
        unlink(next);
        return -1;
    }
    return 0;
}
