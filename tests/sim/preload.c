/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The place of libxencall, and of what ends a process. libxenctrl finds
 * these before the real ones, because the library is preloaded.
 */
#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma GCC visibility push(default)
#include <xencall.h>
#include <xendevicemodel.h>
void _exit(int status);
#pragma GCC visibility pop

struct xencall_handle {
    pid_t pid; /* who opened it: a fork must not use it */
};

/* Before each buffer: its pages, so that free finds them. */
struct buffer_head {
    uint64_t nr_pages, magic;
};

#define BUFFER_MAGIC 0x6275666665723031ULL

static void count(int64_t *counter, int64_t by)
{
    struct sim_process *p = sim_self();

    pthread_mutex_lock(&p->lock);
    *counter += by;
    pthread_mutex_unlock(&p->lock);
}

xencall_handle *xencall_open(struct xentoollog_logger *logger,
                             unsigned open_flags)
{
    struct sim_process *p = sim_self();
    xencall_handle *xcall;
    int rc;

    (void)logger;
    (void)open_flags;
    if (!p->w) {
        errno = ENOENT;
        return NULL;
    }
    rc = sim_enter(p, SIM_CALL_open, NULL);
    if (rc) {
        errno = -rc;
        return NULL;
    }
    xcall = malloc(sizeof(*xcall));
    if (xcall) {
        xcall->pid = getpid();
        count(&p->nr_handles, 1);
    }
    return xcall;
}

int xencall_close(xencall_handle *xcall)
{
    if (xcall)
        count(&sim_self()->nr_handles, -1);
    free(xcall);
    return 0;
}

int xencall_fd(xencall_handle *xcall)
{
    (void)xcall;
    errno = EOPNOTSUPP;
    return -1;
}

static long call(xencall_handle *xcall, unsigned op, uint64_t a1, uint64_t a2,
                 uint64_t a3, uint64_t a4, uint64_t a5)
{
    const uint64_t arg[5] = {a1, a2, a3, a4, a5};
    struct sim_process *p = sim_self();
    long rc;

    if (xcall->pid != getpid())
        sim_finding(p, "hypercall through a handle of another process", "op %u",
                    op);
    rc = sim_hypercall(p->w, op, arg);
    if (rc < 0) {
        errno = (int)-rc;
        return -1;
    }
    return rc;
}

int xencall0(xencall_handle *xcall, unsigned int op)
{
    return (int)call(xcall, op, 0, 0, 0, 0, 0);
}

int xencall1(xencall_handle *xcall, unsigned int op, uint64_t arg1)
{
    return (int)call(xcall, op, arg1, 0, 0, 0, 0);
}

int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1,
             uint64_t arg2)
{
    return (int)call(xcall, op, arg1, arg2, 0, 0, 0);
}

long xencall2L(xencall_handle *xcall, unsigned int op, uint64_t arg1,
               uint64_t arg2)
{
    return call(xcall, op, arg1, arg2, 0, 0, 0);
}

int xencall3(xencall_handle *xcall, unsigned int op, uint64_t arg1,
             uint64_t arg2, uint64_t arg3)
{
    return (int)call(xcall, op, arg1, arg2, arg3, 0, 0);
}

int xencall4(xencall_handle *xcall, unsigned int op, uint64_t arg1,
             uint64_t arg2, uint64_t arg3, uint64_t arg4)
{
    return (int)call(xcall, op, arg1, arg2, arg3, arg4, 0);
}

int xencall5(xencall_handle *xcall, unsigned int op, uint64_t arg1,
             uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
    return (int)call(xcall, op, arg1, arg2, arg3, arg4, arg5);
}

void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t nr_pages)
{
    struct sim_process *p = sim_self();
    size_t bytes = nr_pages << SIM_PAGE_SHIFT;
    int rc = sim_enter(p, SIM_CALL_buffer_alloc, NULL);
    void *buffer;

    (void)xcall;
    if (rc) {
        errno = -rc;
        return NULL;
    }
    buffer = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED)
        return NULL;
    count(&p->nr_buffers, 1);
    return buffer;
}

void xencall_free_buffer_pages(xencall_handle *xcall, void *buffer,
                               size_t nr_pages)
{
    (void)xcall;
    if (!buffer)
        return;
    syscall(SYS_munmap, buffer, nr_pages << SIM_PAGE_SHIFT);
    count(&sim_self()->nr_buffers, -1);
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
    size_t nr_pages =
        (size + sizeof(struct buffer_head) + SIM_PAGE_BYTES - 1) >>
        SIM_PAGE_SHIFT;
    struct buffer_head *head = xencall_alloc_buffer_pages(xcall, nr_pages);

    if (!head)
        return NULL;
    *head = (struct buffer_head){.nr_pages = nr_pages, .magic = BUFFER_MAGIC};
    return head + 1;
}

void xencall_free_buffer(xencall_handle *xcall, void *buffer)
{
    struct buffer_head *head = buffer;

    if (!buffer)
        return;
    head--;
    if (head->magic != BUFFER_MAGIC) {
        sim_finding(sim_self(), "free of what is no hypercall buffer", "%p",
                    buffer);
        return;
    }
    xencall_free_buffer_pages(xcall, head, head->nr_pages);
}

int xencall_buffers_never_fault(xencall_handle *xcall)
{
    (void)xcall;
    return 1;
}

/* The real one wants a device. */
xendevicemodel_handle *xendevicemodel_open(struct xentoollog_logger *logger,
                                           unsigned flags)
{
    (void)logger;
    (void)flags;
    return malloc(1);
}

int xendevicemodel_close(xendevicemodel_handle *dmod)
{
    free(dmod);
    return 0;
}

int xendevicemodel_modified_memory(xendevicemodel_handle *dmod, domid_t domid,
                                   uint64_t first_pfn, uint32_t nr)
{
    long rc = sim_modified_memory(sim_self()->w, domid, first_pfn, nr);

    (void)dmod;
    if (rc == 0)
        return 0;
    errno = (int)-rc;
    return -1;
}

void _exit(int status)
{
    sim_exit_check(sim_self());
    for (;;)
        syscall(SYS_exit_group, status);
}
