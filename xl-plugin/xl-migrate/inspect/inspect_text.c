/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The findings as text for people. */
#include "inspect_print.h"

#include <ctype.h>
#include <inttypes.h>

/* "  label      value": the labels' column. */
#define LABEL "  %-12s "

/* A terminal must not be steered by a file's bytes. */
static void put_safe(FILE *out, const char *text)
{
    for (; *text; text++)
        fputc(iscntrl((unsigned char)*text) ? '?' : *text, out);
}

static void put_size(FILE *out, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes / 1024;
    unsigned unit = 0;

    fprintf(out, "%" PRIu64 " bytes", bytes);
    if (bytes < 1024)
        return;
    while (value >= 1024 && unit < 3) {
        value /= 1024;
        unit++;
    }
    fprintf(out, " (%.1f %s)", value, units[unit]);
}

static void put_summary(struct inspect *inspect, const char *file, FILE *out)
{
    static const char *const what[] = {
        [INSPECT_NONE] = "not a saved domain",
        [INSPECT_XL] = "xl save file",
        [INSPECT_LIBXL] = "libxl stream",
        [INSPECT_LIBXC] = "libxc stream",
    };

    put_safe(out, file);
    fprintf(out, ": %s, ", what[inspect->outer]);
    put_size(out, inspect_place(inspect).offset);
    fprintf(out, ", %s\n", inspect->ended ? "complete" : "BROKEN");
    if (inspect->trailing_bytes)
        fprintf(out, LABEL "%" PRIu64 " bytes behind the end, not looked at\n",
                "trailing", inspect->trailing_bytes);
}

/* ---- xl ---------------------------------------------------------------- */

static void put_config(const struct xl_config *config, FILE *out)
{
    fprintf(out, LABEL, "name");
    put_safe(out, config->name);
    fprintf(out, "\n" LABEL, "type");
    put_safe(out, config->type);
    fprintf(out, "\n" LABEL, "uuid");
    put_safe(out, config->uuid);
    fprintf(out, "\n" LABEL "%" PRIu64 " KiB, at most %" PRIu64 " KiB\n",
            "memory", config->target_memory_kib, config->max_memory_kib);
    fprintf(out, LABEL "%" PRIu64 "\n", "vCPUs", config->max_vcpus);
    fprintf(
        out,
        LABEL "%" PRIu64 " disks, %" PRIu64 " NICs, %" PRIu64 " PCI devices\n",
        "devices", config->nr_disks, config->nr_nics, config->nr_pci_devices);
}

static void put_xl(const struct inspect *inspect, FILE *out)
{
    const struct xl_header *header = &inspect->header;

    fprintf(out, "\nxl header at byte 0, %" PRIu64 " bytes\n", header->offset);
    fprintf(out, LABEL "mandatory %#" PRIx32 ", optional %#" PRIx32 "\n",
            "flags", header->mandatory_flags, header->optional_flags);
    fprintf(out, LABEL "%" PRIu32 " bytes%s\n", "configuration",
            header->config_bytes,
            header->mandatory_flags & XL_HEADER_FLAG_JSON ? ", JSON" : "");
    if (inspect->has_config)
        put_config(&inspect->config, out);
}

/* ---- libxl ------------------------------------------------------------- */

static void put_kinds(const struct xcx_inspect_kind *kinds, unsigned nr_kinds,
                      FILE *out)
{
    const struct xcx_inspect_kind *in_order[XCX_INSPECT_NR_KINDS];
    unsigned nr = inspect_kinds_in_order(kinds, nr_kinds, in_order);

    fprintf(out, "  %-24s %10s %16s %16s\n", "RECORD", "NUMBER", "BYTES",
            "FIRST AT");
    for (unsigned i = 0; i < nr; i++)
        fprintf(out, "  %-24s %10" PRIu64 " %16" PRIu64 " %16" PRIu64 "\n",
                in_order[i]->name, in_order[i]->nr_records, in_order[i]->bytes,
                in_order[i]->first_offset);
}

static void put_libxl(const struct inspect *inspect, FILE *out)
{
    fprintf(out, "\nlibxl stream at byte %" PRIu64 ", version %d%s\n",
            inspect->libxl.start, LIBXL_STREAM_VERSION,
            inspect->libxl_options & LIBXL_STREAM_OPT_LEGACY
                ? ", converted from the legacy format"
                : "");
    for (unsigned i = 0; i < INSPECT_NR_EMULATORS; i++) {
        const struct inspect_emulator *emulator = &inspect->emulators[i];

        if (emulator->context_bytes || emulator->nr_xenstore_keys)
            fprintf(out,
                    LABEL "%s: %" PRIu64 " bytes of state, %" PRIu64
                          " xenstore keys\n",
                    "emulator", inspect_emulator_name(i),
                    emulator->context_bytes, emulator->nr_xenstore_keys);
    }
    put_kinds(inspect->kinds, INSPECT_NR_KINDS, out);
}

/* ---- libxc ------------------------------------------------------------- */

static void put_guest(const struct xcx_inspect *libxc, FILE *out)
{
    if (libxc->guest_width)
        fprintf(out, LABEL "%u-bit, %u levels of page tables\n", "guest",
                8 * libxc->guest_width, libxc->pt_levels);
    if (libxc->has_p2m)
        fprintf(out, LABEL "pfns %#" PRIx64 " to %#" PRIx64 "\n", "p2m",
                libxc->p2m_first_pfn, libxc->p2m_last_pfn);
    if (libxc->nr_vcpus)
        fprintf(out, LABEL "%u\n", "vCPUs", libxc->nr_vcpus);
    if (libxc->hvm_context_bytes)
        fprintf(out, LABEL "%" PRIu64 " bytes\n", "HVM context",
                libxc->hvm_context_bytes);
    if (libxc->nr_cpuid_leaves || libxc->nr_msr_entries)
        fprintf(out, LABEL "%" PRIu64 " CPUID leaves, %" PRIu64 " MSRs\n",
                "CPU policy", libxc->nr_cpuid_leaves, libxc->nr_msr_entries);
    if (libxc->has_tsc)
        fprintf(out,
                LABEL "mode %" PRIu32 ", %" PRIu32 " kHz, incarnation %" PRIu32
                      "\n",
                "TSC", libxc->tsc_mode, libxc->tsc_khz, libxc->tsc_incarnation);
}

static void put_pages(const struct xcx_inspect_pages *pages, FILE *out)
{
    fprintf(out,
            LABEL "%" PRIu64 " sent, %" PRIu64 " with contents, pfns %#" PRIx64
                  " to %#" PRIx64 "\n",
            "pages", pages->nr_pfns, pages->nr_pfns_data, pages->first_pfn,
            pages->last_pfn);
    fprintf(out, LABEL, "types");
    for (unsigned i = 0, nr = 0; i < XCX_INSPECT_NR_PAGE_TYPES; i++) {
        if (pages->by_type[i])
            fprintf(out, "%s%" PRIu64 " %s", nr++ ? ", " : "",
                    pages->by_type[i], xcx_inspect_page_type_name(i));
    }
    fprintf(out,
            "\n" LABEL "%" PRIu64 " distinct, %" PRIu64
            " more than once, %u%s times at most, in %" PRIu64 " passes\n",
            "repeats", pages->nr_pfns_distinct, pages->nr_pfns_repeated,
            pages->max_times, pages->max_times == 255 ? " or more" : "",
            pages->nr_passes);
    fprintf(out, LABEL "%" PRIu64 " of 2 MiB can be populated whole\n",
            "superpages", pages->nr_superpages);
    if (pages->nr_pfns_uncounted)
        fprintf(out, LABEL "%" PRIu64 " with contents, too scattered\n",
                "not counted", pages->nr_pfns_uncounted);
    if (pages->nr_pfns_verify)
        fprintf(out, LABEL "%" PRIu64 " pages to compare\n", "verify",
                pages->nr_pfns_verify);
}

static void put_params(const struct xcx_inspect *libxc, FILE *out)
{
    for (unsigned i = 0; i < libxc->nr_hvm_params; i++) {
        uint64_t index = libxc->hvm_params[i].index;
        const char *name = inspect_hvm_param_name(index);

        fprintf(out, "  HVM param %3" PRIu64 " %-24s %#18" PRIx64 "\n", index,
                name ? name : "", libxc->hvm_params[i].value);
    }
}

static void put_libxc(const struct xcx_inspect *libxc, FILE *out)
{
    fprintf(out, "\nlibxc stream at byte %" PRIu64, libxc->offset);
    if (libxc->has_headers)
        fprintf(out,
                ", version %" PRIu32 ", %s, pages of 4096 bytes, by Xen "
                "%" PRIu32 ".%" PRIu32,
                libxc->version, libxc->hvm ? "HVM or PVH" : "PV",
                libxc->xen_major, libxc->xen_minor);
    fputc('\n', out);
    put_guest(libxc, out);
    if (libxc->pages.nr_pfns)
        put_pages(&libxc->pages, out);
    put_params(libxc, out);
    put_kinds(libxc->kinds, XCX_INSPECT_NR_KINDS, out);
}

void inspect_print_text(struct inspect *inspect, const char *file, FILE *out)
{
    put_summary(inspect, file, out);
    if (xcx_err_is_set(&inspect->err))
        fprintf(out, LABEL "%s\n", "error", inspect->err.msg);
    if (inspect->outer == INSPECT_XL)
        put_xl(inspect, out);
    if (inspect_has_libxl(inspect))
        put_libxl(inspect, out);
    if (inspect->libxc)
        put_libxc(xcx_inspector_report(inspect->libxc), out);
}
