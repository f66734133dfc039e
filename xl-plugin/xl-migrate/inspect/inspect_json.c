/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The findings as JSON; xl-migrate(8) describes each key. */
#include "inspect_print.h"

#include <string.h>

#include "common/json.h"

static void put_error(struct json *json, struct inspect *inspect)
{
    struct inspect_place place;

    if (!xcx_err_is_set(&inspect->err)) {
        json_null(json, "error");
        return;
    }
    place = inspect_place(inspect);
    json_open_map(json, "error");
    json_text(json, "layer", place.layer);
    json_text(json, "record", place.record_name);
    json_count(json, "record_index", place.record_index);
    json_count(json, "record_offset", place.record_offset);
    json_count(json, "offset", place.offset);
    json_text(json, "message", inspect->err.msg);
    json_close_map(json);
}

/* ---- xl ---------------------------------------------------------------- */

static void put_config(struct json *json, const struct inspect *inspect)
{
    const struct xl_config *config = &inspect->config;

    if (!inspect->has_config) {
        json_null(json, "config");
        return;
    }
    json_open_map(json, "config");
    json_text(json, "name", config->name);
    json_text(json, "uuid", config->uuid);
    json_text(json, "type", config->type);
    json_count(json, "max_vcpus", config->max_vcpus);
    json_count(json, "max_memory_kib", config->max_memory_kib);
    json_count(json, "target_memory_kib", config->target_memory_kib);
    json_count(json, "nr_disks", config->nr_disks);
    json_count(json, "nr_nics", config->nr_nics);
    json_count(json, "nr_pci_devices", config->nr_pci_devices);
    json_close_map(json);
}

static void put_xl(struct json *json, const struct inspect *inspect)
{
    const struct xl_header *header = &inspect->header;

    if (inspect->outer != INSPECT_XL) {
        json_null(json, "xl");
        return;
    }
    json_open_map(json, "xl");
    json_count(json, "bytes", header->offset);
    json_count(json, "mandatory_flags", header->mandatory_flags);
    json_count(json, "optional_flags", header->optional_flags);
    json_count(json, "config_bytes", header->config_bytes);
    put_config(json, inspect);
    json_close_map(json);
}

/* ---- libxl ------------------------------------------------------------- */

static void put_kinds(struct json *json, const struct xcx_inspect_kind *kinds,
                      unsigned nr_kinds)
{
    const struct xcx_inspect_kind *in_order[XCX_INSPECT_NR_KINDS];
    unsigned nr = inspect_kinds_in_order(kinds, nr_kinds, in_order);

    json_open_array(json, "records");
    for (unsigned i = 0; i < nr; i++) {
        json_open_map(json, NULL);
        json_text(json, "record", in_order[i]->name);
        json_count(json, "nr_records", in_order[i]->nr_records);
        json_count(json, "bytes", in_order[i]->bytes);
        json_count(json, "first_offset", in_order[i]->first_offset);
        json_close_map(json);
    }
    json_close_array(json);
}

static void put_emulator(struct json *json, unsigned id,
                         const struct inspect_emulator *emulator)
{
    if (!emulator->context_bytes && !emulator->nr_xenstore_keys)
        return;
    json_open_map(json, NULL);
    json_text(json, "emulator", inspect_emulator_name(id));
    json_count(json, "context_bytes", emulator->context_bytes);
    json_count(json, "nr_xenstore_keys", emulator->nr_xenstore_keys);
    json_close_map(json);
}

static void put_libxl(struct json *json, const struct inspect *inspect)
{
    const struct libxl_stream *libxl = &inspect->libxl;

    if (!inspect_has_libxl(inspect)) {
        json_null(json, "libxl");
        return;
    }
    json_open_map(json, "libxl");
    json_count(json, "offset", libxl->start);
    json_count(json, "version", LIBXL_STREAM_VERSION);
    json_bool(json, "from_legacy",
              inspect->libxl_options & LIBXL_STREAM_OPT_LEGACY);
    put_kinds(json, inspect->kinds, INSPECT_NR_KINDS);
    json_open_array(json, "emulators");
    for (unsigned i = 0; i < INSPECT_NR_EMULATORS; i++)
        put_emulator(json, i, &inspect->emulators[i]);
    json_close_array(json);
    json_close_map(json);
}

/* ---- libxc ------------------------------------------------------------- */

static void put_pages(struct json *json, const struct xcx_inspect_pages *pages)
{
    json_open_map(json, "pages");
    json_count(json, "nr_pfns", pages->nr_pfns);
    json_count(json, "nr_pfns_data", pages->nr_pfns_data);
    json_count(json, "nr_pfns_no_data", pages->nr_pfns - pages->nr_pfns_data);
    json_count(json, "nr_pfns_distinct", pages->nr_pfns_distinct);
    json_count(json, "nr_pfns_repeated", pages->nr_pfns_repeated);
    json_count(json, "nr_pfns_uncounted", pages->nr_pfns_uncounted);
    json_count(json, "nr_pfns_verify", pages->nr_pfns_verify);
    json_count(json, "max_times", pages->max_times);
    json_count(json, "nr_passes", pages->nr_passes);
    json_count(json, "nr_superpages", pages->nr_superpages);
    json_count(json, "first_pfn", pages->first_pfn);
    json_count(json, "last_pfn", pages->last_pfn);
    json_open_map(json, "by_type");
    for (unsigned i = 0; i < XCX_INSPECT_NR_PAGE_TYPES; i++) {
        if (pages->by_type[i])
            json_count(json, xcx_inspect_page_type_name(i), pages->by_type[i]);
    }
    json_close_map(json);
    json_close_map(json);
}

static void put_pv(struct json *json, const struct xcx_inspect *libxc)
{
    if (!libxc->guest_width) {
        json_null(json, "pv");
        return;
    }
    json_open_map(json, "pv");
    json_count(json, "guest_width_bytes", libxc->guest_width);
    json_count(json, "page_table_levels", libxc->pt_levels);
    if (libxc->has_p2m) {
        json_count(json, "p2m_first_pfn", libxc->p2m_first_pfn);
        json_count(json, "p2m_last_pfn", libxc->p2m_last_pfn);
    }
    json_close_map(json);
}

static void put_hvm(struct json *json, const struct xcx_inspect *libxc)
{
    if (!libxc->has_headers || !libxc->hvm) {
        json_null(json, "hvm");
        return;
    }
    json_open_map(json, "hvm");
    json_count(json, "context_bytes", libxc->hvm_context_bytes);
    json_open_array(json, "params");
    for (unsigned i = 0; i < libxc->nr_hvm_params; i++) {
        json_open_map(json, NULL);
        json_count(json, "index", libxc->hvm_params[i].index);
        json_text(json, "name",
                  inspect_hvm_param_name(libxc->hvm_params[i].index));
        json_count(json, "value", libxc->hvm_params[i].value);
        json_close_map(json);
    }
    json_close_array(json);
    json_close_map(json);
}

static void put_tsc(struct json *json, const struct xcx_inspect *libxc)
{
    if (!libxc->has_tsc) {
        json_null(json, "tsc");
        return;
    }
    json_open_map(json, "tsc");
    json_count(json, "mode", libxc->tsc_mode);
    json_count(json, "khz", libxc->tsc_khz);
    json_count(json, "elapsed_ns", libxc->tsc_elapsed_ns);
    json_count(json, "incarnation", libxc->tsc_incarnation);
    json_close_map(json);
}

static void put_headers(struct json *json, const struct xcx_inspect *libxc)
{
    char xen[32] = "";

    json_count(json, "offset", libxc->offset);
    json_count(json, "bytes", libxc->end_offset - libxc->offset);
    if (!libxc->has_headers)
        return;
    snprintf(xen, sizeof(xen), "%u.%u", (unsigned)libxc->xen_major,
             (unsigned)libxc->xen_minor);
    json_count(json, "version", libxc->version);
    json_text(json, "guest_type", libxc->hvm ? "hvm" : "pv");
    json_count(json, "page_bytes", 4096);
    json_text(json, "xen_version", xen);
}

static void put_libxc(struct json *json, struct inspect *inspect)
{
    const struct xcx_inspect *libxc;

    if (!inspect->libxc) {
        json_null(json, "libxc");
        return;
    }
    libxc = xcx_inspector_report(inspect->libxc);
    json_open_map(json, "libxc");
    put_headers(json, libxc);
    put_kinds(json, libxc->kinds, XCX_INSPECT_NR_KINDS);
    put_pages(json, &libxc->pages);
    json_count(json, "nr_vcpus", libxc->nr_vcpus);
    json_count(json, "nr_cpuid_leaves", libxc->nr_cpuid_leaves);
    json_count(json, "nr_msr_entries", libxc->nr_msr_entries);
    put_tsc(json, libxc);
    put_pv(json, libxc);
    put_hvm(json, libxc);
    json_close_map(json);
}

int inspect_print_json(struct inspect *inspect, const char *file, FILE *out,
                       struct xcx_err *err)
{
    struct json json;
    int rc;

    if (json_init(&json, err) < 0)
        return -1;
    json_open_map(&json, NULL);
    json_count(&json, "version", 1);
    json_text(&json, "file", file);
    json_text(&json, "format", inspect_layer_name(inspect->outer));
    json_bool(&json, "complete", inspect->ended);
    json_count(&json, "bytes", inspect_place(inspect).offset);
    json_count(&json, "trailing_bytes", inspect->trailing_bytes);
    put_error(&json, inspect);
    put_xl(&json, inspect);
    put_libxl(&json, inspect);
    put_libxc(&json, inspect);
    json_close_map(&json);
    rc = json_write(&json, out, err);
    json_done(&json);
    return rc;
}
