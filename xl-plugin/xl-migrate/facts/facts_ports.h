/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* facts_ports: finds the query's TCP ports that this host listens on. */
#ifndef XL_MIGRATE_FACTS_PORTS_H
#define XL_MIGRATE_FACTS_PORTS_H

#include "facts.h"

/* Reads /proc/net/tcp and tcp6, whatever address the ports are bound to. */
void facts_ports_look(const struct facts_query *query, struct facts_host *host);

/* Pure: a line of these tables into the answers. */
void facts_ports_take_line(const struct facts_query *query, const char *line,
                           struct facts_host *host);

#endif
