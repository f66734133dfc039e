/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Facts on their way: there and back, hostile ones, and those of a shell. */
#include "xl-migrate/facts/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/check_sample.h"

/* ---- the query ---------------------------------------------------------- */

static void test_query_of_guest(void **state)
{
    (void)state;
    check_sample_make();
    assert_string_equal(sample.query.name, "web");
    assert_int_equal(sample.query.kind, DOMAIN_HVM);
    assert_int_equal(sample.query.nr_files, 4); /* the NICs' script is one */
    assert_true(facts_query_file(&sample.query, "/dev/vg/web") >= 0);
    assert_int_equal(facts_query_file(&sample.query, "/dev/vg/other"), -1);
    assert_int_equal(
        facts_query_file(&sample.query, "iqn.2001-04.org.example:web"), -1);
    assert_int_equal(sample.query.nr_bridges, 1);
    assert_int_equal(facts_query_bridge(&sample.query, "xenbr0"), 0);
    assert_int_equal(facts_query_bridge(&sample.query, "xenbr1"), -1);
}

static void test_query_is_bounded(void **state)
{
    (void)state;
    check_sample_make();
    sample.guest.nr_disks = FACTS_MAX_DISKS;
    sample.guest.nr_nics = FACTS_MAX_NICS;
    for (unsigned i = 0; i < FACTS_MAX_DISKS; i++) {
        sample.guest.disks[i].is_path = true;
        snprintf(sample.guest.disks[i].path, FACTS_PATH_BYTES, "/disk/%u", i);
        sample.guest.disks[i].script[0] = 0;
    }
    for (unsigned i = 0; i < FACTS_MAX_NICS; i++) {
        snprintf(sample.guest.nics[i].bridge, FACTS_NAME_BYTES, "br%u", i);
        snprintf(sample.guest.nics[i].script, FACTS_PATH_BYTES, "/vif/%u", i);
    }
    facts_query_of(&sample.guest, &sample.query);
    assert_int_equal(sample.query.nr_files, FACTS_MAX_FILES);
    assert_int_equal(sample.query.nr_bridges, FACTS_MAX_BRIDGES);
    sample.guest.nics[3].elsewhere = true;
    facts_query_of(&sample.guest, &sample.query);
    assert_int_equal(facts_query_bridge(&sample.query, "br3"), -1);
}

static void test_clashes(void **state)
{
    static const struct {
        struct facts_clash domain;
        bool clashes;
    } cases[] = {
        {{7, "web", "1"}, true},
        {{7, "web--incoming", "1"}, true},
        {{7, "x", CHECK_SAMPLE_UUID}, true},
        {{7, "web--migratedaway", "1"}, false},
        {{7, "web2", "1"}, false},
        {{7, "we", "1"}, false},
        {{7, "", "1"}, false},
        {{0, "web", "1"}, false},
    };

    (void)state;
    check_sample_make();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(facts_is_clash(&sample.query, &cases[i].domain),
                         cases[i].clashes);
}

/* ---- JSON --------------------------------------------------------------- */

static char text[65536];

static void take_text(struct json *json)
{
    struct xcx_err err = XCX_ERR_INIT;
    const char *line;
    size_t nr_bytes;

    assert_int_equal(json_get(json, &line, &nr_bytes, &err), 0);
    assert_true(nr_bytes < sizeof(text));
    memcpy(text, line, nr_bytes);
    text[nr_bytes] = 0;
    json_done(json);
}

static void put_query(void)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct json json;

    assert_int_equal(json_init_line(&json, &err), 0);
    json_open_map(&json, NULL);
    facts_query_put(&json, "it", &sample.query);
    json_close_map(&json);
    take_text(&json);
}

static void put_host(void)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct json json;

    assert_int_equal(json_init_line(&json, &err), 0);
    json_open_map(&json, NULL);
    facts_host_put(&json, "it", &sample.there);
    json_close_map(&json);
    take_text(&json);
}

static yajl_val parse(const char *json)
{
    char why[128];
    yajl_val root = yajl_tree_parse(json, why, sizeof(why));

    if (!root)
        fail_msg("%s: %s", why, json);
    return root;
}

static yajl_val it(yajl_val root)
{
    const char *path[] = {"it", NULL};

    return yajl_tree_get(root, path, yajl_t_any);
}

static void test_query_there_and_back(void **state)
{
    struct facts_query got;
    struct xcx_err err = XCX_ERR_INIT;
    yajl_val root;

    (void)state;
    check_sample_make();
    strcpy(sample.query.pool, "fast");
    sample.query.domid = 5;
    sample.query.nr_ports = 2;
    sample.query.ports[0] = 5901;
    sample.query.ports[1] = 4444;
    put_query();
    root = parse(text);
    memset(&got, 0xff, sizeof(got));
    assert_int_equal(facts_query_get(it(root), &got, &err), 0);
    assert_memory_equal(&got, &sample.query, sizeof(got));
    yajl_tree_free(root);
}

static void test_host_there_and_back(void **state)
{
    struct facts_host got;
    struct xcx_err err = XCX_ERR_INIT;
    struct facts_host *host = &sample.there;
    yajl_val root;

    (void)state;
    check_sample_make();
    host->shadow = FACTS_NO;
    host->pool = FACTS_YES;
    strcpy(host->sched, "credit2");
    host->has_cpus = true;
    facts_cpus_add(&host->cpus, 0);
    facts_cpus_add(&host->cpus, 63);
    facts_cpus_add(&host->cpus, 64);
    facts_cpus_add(&host->cpus, FACTS_MAX_CPUS - 1);
    facts_cpus_add(&host->cpus, FACTS_MAX_CPUS);
    host->nr_clashes = 1;
    host->clashes[0] = (struct facts_clash){9, "web", CHECK_SAMPLE_UUID};
    host->files[1] = (struct facts_file){.type = FACTS_FILE_BLOCK,
                                         .has_size = true,
                                         .size_bytes = UINT64_C(1) << 40};
    host->files[2] = (struct facts_file){.type = FACTS_FILE_ABSENT};
    host->files[2] = (struct facts_file){.untold = true};
    strcpy(host->files[3].version, "7.2.22");
    host->bridges[0] = FACTS_NO;
    host->domid_taken = FACTS_YES;
    host->has_clock = true;
    host->clock_ns = UINT64_C(1700000000123456789);
    sample.query.nr_ports = host->nr_ports = 2;
    host->ports_taken[0] = FACTS_YES;
    host->ports_taken[1] = FACTS_NO;
    host->cpu_policy.nr_msrs = 1;
    host->cpu_policy.msrs[0] =
        (struct xcx_cpu_msr){0x10a, UINT64_C(0xfedcba9876543210)};
    put_host();
    root = parse(text);
    memset(&got, 0xff, sizeof(got));
    assert_int_equal(facts_host_get(it(root), &sample.query, &got, &err), 0);
    assert_memory_equal(&got, host, sizeof(got));
    yajl_tree_free(root);

    /* Of one that knows nothing. */
    memset(host, 0, sizeof(*host));
    put_host();
    root = parse(text);
    assert_int_equal(facts_host_get(it(root), &sample.query, &got, &err), 0);
    assert_memory_equal(&got, host, sizeof(got));
    yajl_tree_free(root);
}

#define U "\"uuid\":\"" CHECK_SAMPLE_UUID "\""

static void test_hostile_queries(void **state)
{
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"[]", "\"guest\""},
        {"{" U ",\"kind\":\"pv\"}", "\"name\""},
        {"{\"name\":\"x\",\"uuid\":\"..\",\"kind\":\"pv\"}", "\"uuid\""},
        {"{\"name\":\"x\"," U ",\"kind\":\"arm\"}", "\"kind\""},
        {"{\"name\":\"x\"," U ",\"kind\":7}", "\"kind\""},
        {"{\"name\":\"x\"," U ",\"kind\":\"pv\",\"files\":\"/etc\"}",
         "\"files\""},
        {"{\"name\":\"x\"," U ",\"kind\":\"pv\",\"files\":[\"etc\"]}",
         "\"files\""},
        {"{\"name\":\"x\"," U ",\"kind\":\"pv\",\"files\":[7]}", "\"files\""},
        {"{\"name\":\"x\"," U ",\"kind\":\"pv\",\"bridges\":[\"\"]}",
         "\"bridges\""},
        {"{\"name\":\"x\"," U ",\"kind\":\"pv\",\"pool\":7}", "\"pool\""},
        {"{\"name\":\"x\"," U ",\"kind\":\"pv\",\"ports\":[0]}", "\"ports\""},
        {"{\"name\":\"x\"," U ",\"kind\":\"pv\",\"ports\":[65536]}",
         "\"ports\""},
        {"{\"name\":\"x\"," U ",\"kind\":\"pv\",\"kinds\":[\"disk\"]}",
         "\"kinds\""},
        {"{\"name\":\"x\"," U ",\"kind\":\"pv\",\"domid\":70000}", "\"domid\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct facts_query got = {.nr_files = 99};
        yajl_val root = parse(cases[i].json);

        assert_int_equal(facts_query_get(root, &got, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_PEER);
        if (!strstr(err.msg, cases[i].message))
            fail_msg("\"%s\" has no %s", err.msg, cases[i].message);
        assert_int_equal(got.nr_files, 99);
        yajl_tree_free(root);
    }
}

static void test_hostile_hosts(void **state)
{
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"7", "\"facts\""},
        {"{\"host\":7}", "\"host\""},
        {"{\"xen\":{\"major\":-1}}", "\"major\""},
        {"{\"xen\":{\"minor\":1e9}}", "\"minor\""},
        {"{\"xen\":{\"free_kib\":99999999999999999}}", "\"free_kib\""},
        {"{\"pv\":\"maybe\"}", "\"pv\""},
        {"{\"autoballoon\":true}", "\"autoballoon\""},
        {"{\"clashes\":[{\"name\":\"x\"}]}", "\"uuid\""},
        {"{\"clashes\":[{\"domid\":65536," U "}]}", "\"domid\""},
        {"{\"clashes\":7}", "\"clashes\""},
        {"{\"cpus\":[0]}", "\"cpus\""},
        {"{\"cpus\":[0,1024]}", "\"cpus\""},
        {"{\"scheduler\":7}", "\"scheduler\""},
        {"{\"clock_ns\":-1}", "\"clock_ns\""},
        {"{\"ports_taken\":[\"yes\"]}", "\"ports_taken\""},
        {"{\"domid_taken\":7}", "\"domid_taken\""},
        {"{\"files\":[{\"type\":\"file\"}]}", "\"files\""},
        {"{\"files\":[7,7,7,7]}", "\"type\""},
        {"{\"bridges\":[\"yes\",\"yes\"]}", "\"bridges\""},
        {"{\"cpu\":{\"leaves\":[1,2,3]}}", "\"leaves\""},
        {"{\"cpu\":{\"leaves\":[1,2,3,4,5,4294967296]}}", "\"leaves\""},
        {"{\"cpu\":{\"msrs\":[1,2,\"3\"]}}", "\"msrs\""},
    };

    (void)state;
    check_sample_make();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct facts_host got = {.nr_files = 99};
        yajl_val root = parse(cases[i].json);

        if (facts_host_get(root, &sample.query, &got, &err) == 0)
            fail_msg("taken: %s", cases[i].json);
        assert_int_equal(err.kind, XCX_ERR_PEER);
        if (!strstr(err.msg, cases[i].message))
            fail_msg("\"%s\" has no %s", err.msg, cases[i].message);
        assert_int_equal(got.nr_files, 99);
        yajl_tree_free(root);
    }
}

/* As many as there may be, and one more. */
static void test_bounds_of_arrays(void **state)
{
    static const struct {
        const char *key, *item;
        unsigned max, nr_in_group;
    } cases[] = {
        {"clashes", "{" U "}", FACTS_MAX_CLASHES, 1},
        {"leaves", "1", XCX_CPU_MAX_LEAVES, 6},
        {"msrs", "1", XCX_CPU_MAX_MSRS, 3},
    };

    (void)state;
    check_sample_make();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned more = 0; more < 2; more++) {
            unsigned nr = (cases[i].max + more) * cases[i].nr_in_group;
            struct xcx_err err = XCX_ERR_INIT;
            struct facts_host got;
            size_t used;
            yajl_val root;

            used = (size_t)sprintf(text, "{%s\"%s\":[", i ? "\"cpu\":{" : "",
                                   cases[i].key);
            for (unsigned n = 0; n < nr; n++)
                used += (size_t)sprintf(text + used, "%s%s", n ? "," : "",
                                        cases[i].item);
            sprintf(text + used, "]%s}", i ? "}" : "");
            root = parse(text);
            assert_int_equal(facts_host_get(root, &sample.query, &got, &err),
                             more ? -1 : 0);
            yajl_tree_free(root);
        }
    }
}

static void test_versions(void **state)
{
    static const struct {
        const char *version, *than;
        bool is_older;
    } rows[] = {
        {"7.2.22", "7.10.0", true}, {"7.10.0", "7.2.22", false},
        {"7.2", "7.2.22", false},   {"7.2.22", "7.2", false},
        {"8.0", "10.0", true},      {"7.2.22", "7.2.22", false},
        {"", "7.2", false},         {"x", "y", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(facts_version_is_older(rows[i].version, rows[i].than),
                         rows[i].is_older);
}

/* ---- a stock target ----------------------------------------------------- */

#define STOCK_BEGIN "Welcome\nxl-migrate-facts\n"
#define STOCK_END   "end\n"

static const char stock_answer[] =
    STOCK_BEGIN "host host2.example\n"
                "boot aaaaaaaa-0000-0000-0000-00000000000f\n"
                "info host                   : host2\n"
                "info nr_cpus                : 8\n"
                "info virt_caps              : pv hvm hvm_directio hap\n"
                "info total_memory           : 2047\n"
                "info free_memory            : 900\n"
                "info xen_major              : 4\n"
                "info xen_minor              : 18\n"
                "info xen_caps               : xen-3.0-x86_64 hvm-3.0-x86_32\n"
                "info xen_commandline        : placeholder dom0_mem=1G\n"
                "vm UUID                                  ID    name\n"
                "vm 00000000-0000-0000-0000-000000000000  0    Domain-0   \n"
                "vm " CHECK_SAMPLE_UUID "  2    (null)     \n"
                "vm 99999999-2222-3333-4444-55555555555A  3    web        \n"
                "vm 99999999-2222-3333-4444-555555555553  4    other      \n"
                "pool Name               CPUs   Sched\n"
                "pool Pool-0               8    credit2       y          2\n"
                "conf autoballoon=\"on\"\n"
                "file 0 block yes 1000 -\n"
                "file 1 file no 77 6969\n"
                "file 2 absent no - -\n"
                "file 3 other yes - -\n"
                "file 4 file yes 1 1\n"
                "file 99999999999999999999 file yes 1 1\n"
                "qemu 1 QEMU emulator version 7.2.22 (Debian)\n"
                "qemu 9 QEMU emulator version 7.2.22 (Debian)\n"
                "bridge 0 yes\n"
                "port    0: 00000000:170D 00000000:0000 0A 00000000:00000000\n"
                "clock 1700000000\n"
                "nonsense\n" STOCK_END "file 0 absent no - -\n";

static void test_stock_answer(void **state)
{
    struct facts_host got;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    check_sample_make();
    strcpy(sample.query.pool, "Pool-0");
    sample.query.domid = 4;
    sample.query.nr_ports = 2;
    sample.query.ports[0] = 5901;
    sample.query.ports[1] = 5902;
    assert_int_equal(facts_stock_get(stock_answer, strlen(stock_answer),
                                     &sample.query, &got, &err),
                     0);
    assert_string_equal(got.host, "host2.example");
    assert_string_equal(got.boot, "aaaaaaaa-0000-0000-0000-00000000000f");
    assert_string_equal(got.version, "");
    assert_true(got.has_xen);
    assert_int_equal(got.xen_major, 4);
    assert_int_equal(got.xen_minor, 18);
    assert_int_equal(got.total_kib, 2047 * 1024);
    assert_int_equal(got.free_kib, 900 * 1024);
    assert_int_equal(got.nr_cpus, 8);
    assert_int_equal(got.pv, FACTS_YES);
    assert_int_equal(got.hvm, FACTS_NO);
    assert_int_equal(got.hap, FACTS_YES);
    assert_int_equal(got.shadow, FACTS_NO);
    assert_int_equal(got.autoballoon, FACTS_YES);
    assert_int_equal(got.pool, FACTS_YES);
    assert_string_equal(got.sched, "credit2");
    assert_true(got.has_clashes);
    assert_int_equal(got.nr_clashes, 1);
    assert_int_equal(got.clashes[0].domid, 3);
    assert_string_equal(got.clashes[0].name, "web");
    assert_string_equal(got.clashes[0].uuid,
                        "99999999-2222-3333-4444-55555555555a");
    assert_int_equal(got.nr_files, 4);
    assert_int_equal(got.files[0].type, FACTS_FILE_BLOCK);
    assert_true(got.files[0].has_size);
    assert_int_equal(got.files[0].size_bytes, 1000);
    assert_int_equal(got.files[1].fs_magic, 0x6969);
    assert_false(got.files[1].executable);
    assert_int_equal(got.files[2].type, FACTS_FILE_ABSENT);
    assert_false(got.files[2].has_size);
    assert_int_equal(got.files[3].type, FACTS_FILE_OTHER);
    assert_int_equal(got.nr_bridges, 1);
    assert_int_equal(got.bridges[0], FACTS_YES);
    assert_string_equal(got.files[1].version, "7.2.22");
    assert_int_equal(got.domid_taken, FACTS_YES);
    assert_int_equal(got.nr_ports, 2);
    assert_int_equal(got.ports_taken[0], FACTS_YES);
    assert_int_equal(got.ports_taken[1], FACTS_NO);
    assert_true(got.has_clock);
    assert_true(got.clock_ns == UINT64_C(1700000000000000000));
    assert_false(got.has_cpu_policy);
}

static void test_stock_nonsense(void **state)
{
    static const char *const cases[] = {
        "",
        "sh: syntax error\n",
        STOCK_BEGIN "host x\n",
        STOCK_END,
    };
    struct facts_host got = {.nr_files = 99};
    char noise[8192];

    (void)state;
    check_sample_make();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;

        assert_int_equal(facts_stock_get(cases[i], strlen(cases[i]),
                                         &sample.query, &got, &err),
                         -1);
        assert_int_equal(err.kind, XCX_ERR_PEER);
        assert_non_null(strstr(err.msg, "did not answer the questions"));
        assert_int_equal(got.nr_files, 99);
    }
    /* Nothing that could be known: all of it is unknown, and no more. */
    memset(noise, 0, sizeof(noise));
    memcpy(noise, STOCK_BEGIN, strlen(STOCK_BEGIN));
    memset(noise + 100, 'x', 4000);
    noise[4100] = '\n';
    strcpy(noise + 4101, "info xen_major : 99999999999999999999999\n"
                         "vm zzz 1 web\n" STOCK_END);
    assert_int_equal(
        facts_stock_get(noise, sizeof(noise), &sample.query, &got, NULL), 0);
    assert_false(got.has_xen);
    assert_int_equal(got.nr_files, 0);
    assert_int_equal(got.nr_clashes, 0);
}

/* What a real shell makes of the command; there is no xl here. */
static void test_stock_command_in_a_shell(void **state)
{
    char answer[8192], command[FACTS_COMMAND_BYTES + 64];
    static const char script[] = "/tmp/facts 'quoted'$(touch no).sh";
    struct xcx_err err = XCX_ERR_INIT;
    struct facts_host got;
    FILE *file = fopen(script, "w"), *shell;
    size_t nr_bytes;

    (void)state;
    assert_non_null(file);
    assert_int_equal(fputs("12345", file), 1);
    fclose(file);
    check_sample_make();
    strcpy(sample.query.files[0], script);
    strcpy(sample.query.files[1], "/dev");
    strcpy(sample.query.files[2], "/nowhere/at all");
    sample.query.nr_files = 3;
    strcpy(sample.query.bridges[0], "lo");
    strcpy(sample.query.bridges[1], "no'bridge");
    sample.query.nr_bridges = 2;
    sample.query.nr_ports = 1;
    sample.query.ports[0] = 1;
    assert_int_equal(
        facts_stock_command(&sample.query, command, FACTS_COMMAND_BYTES, &err),
        0);
    shell = popen(command, "r");
    assert_non_null(shell);
    nr_bytes = fread(answer, 1, sizeof(answer), shell);
    assert_int_equal(pclose(shell), 0);
    unlink(script);
    assert_int_equal(
        facts_stock_get(answer, nr_bytes, &sample.query, &got, &err), 0);
    assert_int_equal(strlen(got.boot), 36);
    assert_int_equal(got.nr_files, 3);
    assert_int_equal(got.files[0].type, FACTS_FILE_PLAIN);
    assert_int_equal(got.files[0].size_bytes, 5);
    assert_true(got.files[0].fs_magic != 0);
    assert_false(got.files[0].executable);
    assert_int_equal(got.files[1].type, FACTS_FILE_OTHER);
    assert_int_equal(got.files[2].type, FACTS_FILE_ABSENT);
    assert_int_equal(got.nr_bridges, 2);
    assert_int_equal(got.bridges[0], FACTS_YES);
    assert_int_equal(got.bridges[1], FACTS_NO);
    assert_false(got.has_clashes);
    assert_true(got.has_clock);
    assert_int_equal(access("no", F_OK), -1);
}

static void test_stock_command_too_long(void **state)
{
    static struct facts_query query;
    char command[FACTS_COMMAND_BYTES];
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    query.nr_files = FACTS_MAX_FILES;
    for (unsigned i = 0; i < FACTS_MAX_FILES; i++)
        memset(query.files[i], '\'', FACTS_PATH_BYTES - 1);
    assert_int_equal(
        facts_stock_command(&query, command, sizeof(command), &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_non_null(strstr(err.msg, "too many"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_of_guest),
        cmocka_unit_test(test_query_is_bounded),
        cmocka_unit_test(test_clashes),
        cmocka_unit_test(test_query_there_and_back),
        cmocka_unit_test(test_host_there_and_back),
        cmocka_unit_test(test_hostile_queries),
        cmocka_unit_test(test_hostile_hosts),
        cmocka_unit_test(test_bounds_of_arrays),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_stock_answer),
        cmocka_unit_test(test_stock_nonsense),
        cmocka_unit_test(test_stock_command_in_a_shell),
        cmocka_unit_test(test_stock_command_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
