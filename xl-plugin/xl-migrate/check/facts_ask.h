/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts_ask: facts of the other host, asked for over a connection of their
 * own; of one with the plugin by its "receive", of another by a shell.
 */
#ifndef XL_MIGRATE_FACTS_ASK_H
#define XL_MIGRATE_FACTS_ASK_H

#include "xl-migrate/facts/facts.h"

#define FACTS_ASK_NS UINT64_C(60000000000) /* for connecting and answering */

struct facts_ask_params {
    const char *ssh; /* as transport_ssh_start() has it */
    const char *host;
    const char *command;       /* that runs xl-migrate there: "xl-migrate" */
    bool stock;                /* do not even try the plugin */
    uint64_t timeout_ns;       /* 0: FACTS_ASK_NS */
    const int *cancel_fd;      /* NULL, or an fd that is readable to cancel */
    const struct xcx_log *log; /* what ssh says; NULL: nowhere */
};

/*
 * A target whose shell does not find the command is asked as a stock one.
 * Blocking. Errors: IO, it cannot be reached, or does not answer in time;
 * PEER: it answers nonsense, or is no Xen host; CANCELLED, RESOURCE.
 */
int facts_ask(const struct facts_ask_params *params,
              const struct facts_query *query, struct facts_host *ret_host,
              struct xcx_err *err);

/* A target without the plugin; as above. */
int facts_ask_stock(const struct facts_ask_params *params,
                    const struct facts_query *query,
                    struct facts_host *ret_host, struct xcx_err *err);

#endif
