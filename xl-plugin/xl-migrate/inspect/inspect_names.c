/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "inspect_print.h"

#include <stdlib.h>

#include <xen/xen.h>
#include <xen/hvm/params.h>

const char *inspect_emulator_name(unsigned id)
{
    static const char *const names[INSPECT_NR_EMULATORS] = {
        [LIBXL_EMULATOR_UNKNOWN] = "unknown",
        [LIBXL_EMULATOR_QEMU_TRADITIONAL] = "qemu-traditional",
        [LIBXL_EMULATOR_QEMU_UPSTREAM] = "qemu-upstream",
        [INSPECT_NR_EMULATORS - 1] = "other",
    };

    return names[id];
}

#define PARAM(name) [HVM_PARAM_##name] = #name

const char *inspect_hvm_param_name(uint64_t index)
{
    static const char *const names[] = {
        PARAM(CALLBACK_IRQ),
        PARAM(STORE_PFN),
        PARAM(STORE_EVTCHN),
        PARAM(IOREQ_PFN),
        PARAM(BUFIOREQ_PFN),
        PARAM(VIRIDIAN),
        PARAM(TIMER_MODE),
        PARAM(HPET_ENABLED),
        PARAM(IDENT_PT),
        PARAM(ACPI_S_STATE),
        PARAM(VM86_TSS),
        PARAM(VPT_ALIGN),
        PARAM(CONSOLE_PFN),
        PARAM(CONSOLE_EVTCHN),
        PARAM(ACPI_IOPORTS_LOCATION),
        PARAM(PAGING_RING_PFN),
        PARAM(MONITOR_RING_PFN),
        PARAM(SHARING_RING_PFN),
        PARAM(TRIPLE_FAULT_REASON),
        PARAM(IOREQ_SERVER_PFN),
        PARAM(NR_IOREQ_SERVER_PAGES),
        PARAM(VM_GENERATION_ID_ADDR),
        PARAM(ALTP2M),
        PARAM(X87_FIP_WIDTH),
        PARAM(VM86_TSS_SIZED),
        PARAM(MCA_CAP),
    };

    return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}

static int by_offset(const void *left, const void *right)
{
    const struct xcx_inspect_kind *const *a = left, *const *b = right;

    return ((*a)->first_offset > (*b)->first_offset) -
           ((*a)->first_offset < (*b)->first_offset);
}

unsigned inspect_kinds_in_order(const struct xcx_inspect_kind *kinds,
                                unsigned nr_kinds,
                                const struct xcx_inspect_kind **ret_kinds)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < nr_kinds; i++) {
        if (kinds[i].nr_records)
            ret_kinds[nr++] = &kinds[i];
    }
    qsort(ret_kinds, nr, sizeof(const struct xcx_inspect_kind *), by_offset);
    return nr;
}

bool inspect_has_libxl(const struct inspect *inspect)
{
    return inspect->outer == INSPECT_LIBXL ||
           (inspect->outer == INSPECT_XL && inspect->now != INSPECT_XL);
}
