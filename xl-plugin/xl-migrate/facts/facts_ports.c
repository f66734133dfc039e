/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "facts_ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 512
#define LISTENS    0x0a /* the kernel's TCP_LISTEN */

/* "  0: 0100007F:170D 00000000:0000 0A ...", addresses of 8 or 32 digits. */
void facts_ports_take_line(const struct facts_query *query, const char *line,
                           struct facts_host *host)
{
    unsigned port, state;

    if (sscanf(line, " %*u: %*32[0-9A-Fa-f]:%4x %*32[0-9A-Fa-f]:%*4x %2x",
               &port, &state) != 2 ||
        state != LISTENS)
        return;
    for (unsigned i = 0; i < query->nr_ports; i++) {
        if (query->ports[i] == port)
            host->ports_taken[i] = FACTS_YES;
    }
}

static bool read_table(const char *path, const struct facts_query *query,
                       struct facts_host *host)
{
    char line[LINE_BYTES];
    FILE *table = fopen(path, "re");

    if (!table)
        return false;
    while (fgets(line, sizeof(line), table))
        facts_ports_take_line(query, line, host);
    fclose(table);
    return true;
}

void facts_ports_look(const struct facts_query *query, struct facts_host *host)
{
    if (query->nr_ports == 0)
        return;
    for (unsigned i = 0; i < query->nr_ports; i++)
        host->ports_taken[i] = FACTS_NO;
    host->nr_ports = query->nr_ports;
    if (!read_table("/proc/net/tcp", query, host))
        host->nr_ports = 0;
    read_table("/proc/net/tcp6", query, host);
}
