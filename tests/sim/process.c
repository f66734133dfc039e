/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workload.h"

#define HIGH_FD 700 /* out of the way of what a program itself opens */

static struct sim_process *storage(void)
{
    static struct sim_process process = {
        .world_fd = -1,
        .report_fd = -1,
        .mmap_lock = PTHREAD_MUTEX_INITIALIZER,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };

    return &process;
}

struct sim_process *sim_self(void)
{
    return storage();
}

static int open_high(const char *path, int flags)
{
    int low = open(path, flags | O_CLOEXEC, 0644), high;

    if (low < 0)
        return -1;
    high = fcntl(low, F_DUPFD_CLOEXEC, HIGH_FD);
    close(low);
    return high;
}

static void before_fork(void)
{
    struct sim_process *p = sim_self();

    if (p->w)
        sim_pay(p, p->cost.fork_ns);
}

/* A child has none of its parent's foreign mappings, nor its threads. */
static void in_child(void)
{
    struct sim_process *p = sim_self();

    pthread_mutex_init(&p->mmap_lock, NULL);
    pthread_mutex_init(&p->lock, NULL);
    p->nr_mappings = 0;
    p->nr_mapped_pages = 0;
    p->exit_checked = false;
}

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "sim: %s: %s\n", what, why);
    _exit(125);
}

__attribute__((constructor)) static void wake(void)
{
    struct sim_process *p = sim_self();
    const char *path = getenv("XCX_SIM_WORLD");
    const char *report = getenv("XCX_SIM_REPORT");
    struct xcx_err err = XCX_ERR_INIT;

    if (!path || !*path)
        return;
    p->main_pid = getpid();
    p->world_fd = open_high(path, O_RDWR);
    if (p->world_fd < 0)
        give_up(path, strerror(errno));
    if (report && *report)
        p->report_fd = open_high(report, O_WRONLY | O_APPEND | O_CREAT);
    if (sim_faults_parse(getenv("XCX_SIM_FAULT"), &p->faults, &err) ||
        sim_cost_parse(getenv("XCX_SIM_COST"), &p->cost, &err) ||
        sim_world_map(p->world_fd, &p->w, &err))
        give_up(path, err.msg);
    pthread_atfork(before_fork, NULL, in_child);
}

__attribute__((destructor)) static void sleep_again(void)
{
    sim_exit_check(sim_self());
}

static int meet(struct sim_process *p, const struct sim_fault *fault,
                bool *ret_page)
{
    if (!fault)
        return 0;
    if (fault->kind == SIM_FAULT_SIGNAL) {
        kill(p->main_pid, fault->number);
        return 0;
    }
    if (fault->kind == SIM_FAULT_PAGE) {
        if (ret_page)
            *ret_page = true;
        return 0;
    }
    return -fault->number;
}

int sim_enter(struct sim_process *p, enum sim_call call, bool *ret_page)
{
    uint64_t any = ++p->w->nr_calls, nth = ++p->w->calls[call];

    sim_lock(p->w);
    sim_workload_run(p->w);
    sim_unlock(p->w);
    return meet(p, sim_fault_match(&p->faults, call, nth, any), ret_page);
}

void sim_pay(struct sim_process *p, uint64_t ns)
{
    if (ns)
        sim_cost_pay(p->w, &p->cost, ns);
}

void sim_finding(struct sim_process *p, const char *what, const char *fmt, ...)
{
    char detail[160], line[320];
    va_list args;
    int n;

    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    p->w->nr_findings++;
    n = snprintf(line, sizeof(line),
                 "{\"pid\":%d,\"finding\":\"%s\",\"detail\":\"%s\"}\n",
                 (int)getpid(), what, detail);
    if (p->report_fd < 0 || write(p->report_fd, line, (size_t)n) != n)
        fprintf(stderr, "sim: %s: %s\n", what, detail);
}

static bool make_room(struct sim_process *p)
{
    size_t max = p->max_mappings ? 2 * p->max_mappings : 64;
    struct sim_mapping *more;

    if (p->nr_mappings < p->max_mappings)
        return true;
    more = realloc(p->mappings, max * sizeof(*more));
    if (!more)
        return false;
    p->mappings = more;
    p->max_mappings = max;
    return true;
}

void sim_mapping_add(struct sim_process *p, char *addr, uint64_t nr_pages,
                     const uint64_t *gfns)
{
    struct sim_mapping mapping = {.addr = addr, .nr_pages = nr_pages};

    if (gfns) {
        mapping.gfns = malloc(nr_pages * sizeof(*gfns));
        if (mapping.gfns)
            memcpy(mapping.gfns, gfns, nr_pages * sizeof(*gfns));
    }
    pthread_mutex_lock(&p->lock);
    p->nr_mapped_pages += nr_pages;
    if (make_room(p))
        p->mappings[p->nr_mappings++] = mapping;
    pthread_mutex_unlock(&p->lock);
}

uint64_t sim_mapping_remove(struct sim_process *p, const char *addr)
{
    uint64_t nr_pages = 0;

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->nr_mappings && !nr_pages; i++) {
        if (p->mappings[i].addr != addr)
            continue;
        nr_pages = p->mappings[i].nr_pages;
        free(p->mappings[i].gfns);
        p->mappings[i] = p->mappings[--p->nr_mappings];
        p->nr_mapped_pages -= nr_pages;
    }
    pthread_mutex_unlock(&p->lock);
    return nr_pages;
}

bool sim_mapping_has(struct sim_process *p, uint64_t gfn)
{
    bool found = false;

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->nr_mappings && !found; i++) {
        const struct sim_mapping *mapping = &p->mappings[i];

        for (uint64_t j = 0; mapping->gfns && j < mapping->nr_pages; j++)
            found |= mapping->gfns[j] == gfn;
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

void sim_exit_check(struct sim_process *p)
{
    if (!p->w || p->exit_checked)
        return;
    p->exit_checked = true;
    sim_pay(p, p->nr_mapped_pages * p->cost.exit_ns);
    if (getpid() != p->main_pid)
        return; /* a worker may just end: that is the cheap way */
    for (size_t i = 0; i < p->nr_mappings; i++)
        sim_finding(p, "mapping leaked", "%llu pages",
                    (unsigned long long)p->mappings[i].nr_pages);
    if (p->nr_buffers)
        sim_finding(p, "hypercall buffer leaked", "%lld left",
                    (long long)p->nr_buffers);
    if (p->nr_handles)
        sim_finding(p, "handle left open", "%lld left",
                    (long long)p->nr_handles);
}
