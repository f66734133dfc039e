/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ports that are listened on, in the kernel's table and on this host. */
#include "xl-migrate/facts/facts_ports.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static void test_lines(void **state)
{
    static const struct {
        const char *line;
        bool taken;
    } rows[] = {
        {"  sl  local_address rem_address   st tx_queue", false},
        {"   0: 0100007F:170D 00000000:0000 0A 00000000:00000000", true},
        {"   1: 0100007F:170D 0100007F:9999 01 00000000:00000000", false},
        {"   2: 0100007F:170E 00000000:0000 0A 00000000:00000000", false},
        {"  12: 00000000000000000000000000000000:170D "
         "00000000000000000000000000000000:0000 0A 0",
         true},
        {"", false},
        {"0: zz:170D", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct facts_query query;
        static struct facts_host host;

        query.nr_ports = 2;
        query.ports[0] = 1;
        query.ports[1] = 0x170d;
        memset(&host, 0, sizeof(host));
        facts_ports_take_line(&query, rows[i].line, &host);
        assert_int_equal(host.ports_taken[0], FACTS_UNKNOWN);
        if ((host.ports_taken[1] == FACTS_YES) != rows[i].taken)
            fail_msg("%s", rows[i].line);
    }
}

static void test_this_host(void **state)
{
    static struct facts_query query;
    static struct facts_host host;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    query.nr_ports = 1;
    query.ports[0] = ntohs(address.sin_port);
    facts_ports_look(&query, &host);
    assert_int_equal(host.nr_ports, 1);
    assert_int_equal(host.ports_taken[0], FACTS_YES);
    close(fd);
    facts_ports_look(&query, &host);
    assert_int_equal(host.ports_taken[0], FACTS_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_this_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
