/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl_config: the facts an administrator knows a domain by, out of the JSON
 * form of libxl_domain_config as it stands in an xl header. Pure. Nothing is
 * kept of what else is in there, however deep or large it is.
 *
 * Source: tools/libs/light/libxl_types.idl, "domain_config" and its parts.
 */
#ifndef XL_MIGRATE_XL_CONFIG_H
#define XL_MIGRATE_XL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcext.h"

#define XL_CONFIG_TEXT_BYTES 256

/* Empty text and 0: not in the configuration. */
struct xl_config {
    char name[XL_CONFIG_TEXT_BYTES]; /* valid UTF-8 */
    char uuid[XL_CONFIG_TEXT_BYTES];
    char type[XL_CONFIG_TEXT_BYTES]; /* "pv", "pvh", "hvm" */
    uint64_t max_vcpus;
    uint64_t max_memory_kib, target_memory_kib;
    uint64_t nr_disks, nr_nics, nr_pci_devices;
};

/*
 * text: nr_bytes of it, a NUL as the last byte being none of it. Errors:
 * STREAM for what is no JSON, or not an object, or holds one of the above in
 * a form that libxl would not take; RESOURCE. *ret is untouched on failure.
 */
int xl_config_parse(const char *text, size_t nr_bytes, struct xl_config *ret,
                    struct xcx_err *err);

#endif
