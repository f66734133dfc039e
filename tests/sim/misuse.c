/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * misuse: a save helper that breaks one rule, named by XCX_SIM_MISUSE, and
 * otherwise fails politely. The simulator has to notice.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define __XEN_TOOLS__ 1
#include <xencall.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>

/* Message 10: it has failed with EIO; then the answer. */
static int complete(void)
{
    static const int32_t arguments[2] = {-1, EIO};
    static const uint16_t header[2] = {10, 10};
    char message[sizeof(header) + sizeof(arguments)];
    int answer;

    memcpy(message, header, sizeof(header));
    memcpy(message + sizeof(header), arguments, sizeof(arguments));
    if (write(1, message, sizeof(message)) != (ssize_t)sizeof(message) ||
        read(0, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
        return 1;
    return 0;
}

static void *map_one(xc_interface *xch, uint32_t domid, xen_pfn_t gfn)
{
    int error = 0;

    return xenforeignmemory_map(xc_interface_fmem_handle(xch), domid, PROT_READ,
                                1, &gfn, &error);
}

static void in_a_child(xc_interface *xch, uint32_t domid)
{
    xen_pfn_t nr;
    pid_t pid = fork();

    if (pid == 0) {
        xc_domain_nr_gpfns(xch, domid, &nr);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void misuse(xc_interface *xch, uint32_t domid, const char *what)
{
    xen_pfn_t gfn = 40;
    void *page;

    if (!strcmp(what, "mapping"))
        map_one(xch, domid, gfn);
    else if (!strcmp(what, "buffer"))
        xencall_alloc_buffer(xc_interface_xcall_handle(xch), 100);
    else if (!strcmp(what, "freed")) {
        page = map_one(xch, domid, gfn);
        xc_domain_decrease_reservation_exact(xch, domid, 1, 0, &gfn);
        xenforeignmemory_unmap(xc_interface_fmem_handle(xch), page, 1);
    } else if (!strcmp(what, "size")) {
        page = map_one(xch, domid, gfn);
        munmap(page, 8192);
    } else if (!strcmp(what, "child"))
        in_a_child(xch, domid);
    else if (!strcmp(what, "logdirty"))
        xc_shadow_control(xch, domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY,
                          NULL, 0);
}

int main(int argc, char **argv)
{
    const char *what = getenv("XCX_SIM_MISUSE");
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    int rc;

    if (!xch || argc < 5 || !what)
        return 1;
    misuse(xch, (uint32_t)atoi(argv[4]), what);
    rc = complete();
    if (strcmp(what, "handle"))
        xc_interface_close(xch);
    return rc;
}
