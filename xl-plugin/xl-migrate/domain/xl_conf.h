/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl_conf: how xl reads its own settings (xl.conf(5)). Pure.
 */
#ifndef XL_MIGRATE_XL_CONF_H
#define XL_MIGRATE_XL_CONF_H

#include <stdbool.h>

/*
 * Whether xl takes the memory for a new guest from Dom0, by the text of
 * xl.conf and Xen's command line: "auto" means yes unless dom0_mem= is given.
 */
bool xl_conf_autoballoon(const char *xl_conf, const char *xen_command_line);

#endif
