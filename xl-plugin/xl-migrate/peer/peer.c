/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer.h"

#define HELLO_MS       60000
#define HELLO_AGAIN_MS 15000

uint64_t peer_hello_ms(const struct peer_address *address)
{
    uint64_t silence_ms = (uint64_t)address->timeout_s * 1000;

    if (!address->again)
        return HELLO_MS;
    return silence_ms > HELLO_AGAIN_MS ? silence_ms : HELLO_AGAIN_MS;
}

int peer_open(const struct peer_address *address, struct peer **ret,
              struct xcx_err *err)
{
    bool absent = false;

    if (address->kind != PEER_STOCK) {
        if (peer_plugin_open(address, ret, &absent, err))
            return -1;
        if (!absent)
            return 0;
        if (address->kind == PEER_PLUGIN)
            return xcx_err_set(err, XCX_ERR_PEER, 0,
                               "%.100s: there is no xl-migrate", address->host);
        xcx_log(address->log, XCX_LOG_INFO,
                "%.100s has no xl-migrate: plain xl migrate-receive",
                address->host);
    }
    return peer_stock_open(address, ret, err);
}

uint64_t peer_started_ns(uint64_t go_ns, uint64_t heard_ns, uint64_t start_ns,
                         uint64_t answer_ns)
{
    uint64_t between_ns = heard_ns - go_ns, wire_ns;

    if (answer_ns > between_ns)
        answer_ns = between_ns;
    if (start_ns > answer_ns)
        start_ns = answer_ns;
    wire_ns = (between_ns - answer_ns) / 2;
    return go_ns + wire_ns + start_ns;
}
