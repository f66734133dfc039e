/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The facts of a host as JSON. */
#include "facts.h"

#include <string.h>

#include "facts_json.h"

/* Numbers beyond these are nonsense rather than large. */
#define MAX_VERSION 1000
#define MAX_KIB     (UINT64_C(1) << 44)
#define MAX_CPUS    (1U << 20)
#define MAX_BYTES   (UINT64_C(1) << 62)

static const char *const type_names[] = {"absent", "file", "block", "other"};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* ---- a host as JSON ----------------------------------------------------- */

static void put_policy(struct json *json, const struct xcx_cpu_policy *policy)
{
    json_open_map(json, "cpu");
    json_open_array(json, "leaves");
    for (unsigned i = 0; i < policy->nr_leaves; i++) {
        const struct xcx_cpu_leaf *leaf = &policy->leaves[i];

        json_count(json, NULL, leaf->leaf);
        json_count(json, NULL, leaf->subleaf);
        json_count(json, NULL, leaf->a);
        json_count(json, NULL, leaf->b);
        json_count(json, NULL, leaf->c);
        json_count(json, NULL, leaf->d);
    }
    json_close_array(json);
    json_open_array(json, "msrs");
    for (unsigned i = 0; i < policy->nr_msrs; i++) {
        json_count(json, NULL, policy->msrs[i].index);
        json_count(json, NULL, policy->msrs[i].value & UINT32_MAX);
        json_count(json, NULL, policy->msrs[i].value >> 32);
    }
    json_close_array(json);
    json_close_map(json);
}

static void put_files(struct json *json, const struct facts_host *host)
{
    json_open_array(json, "files");
    for (unsigned i = 0; i < host->nr_files; i++) {
        const struct facts_file *file = &host->files[i];

        json_open_map(json, NULL);
        json_text(json, "type", type_names[file->type]);
        if (file->executable)
            json_bool(json, "executable", true);
        if (file->has_size)
            json_count(json, "size_bytes", file->size_bytes);
        if (file->fs_magic)
            json_count(json, "fs_magic", file->fs_magic);
        if (file->untold)
            json_bool(json, "untold", true);
        if (file->version[0])
            json_text(json, "version", file->version);
        json_close_map(json);
    }
    json_close_array(json);
}

static void put_clashes(struct json *json, const struct facts_host *host)
{
    if (!host->has_clashes)
        return;
    json_open_array(json, "clashes");
    for (unsigned i = 0; i < host->nr_clashes; i++) {
        json_open_map(json, NULL);
        json_count(json, "domid", host->clashes[i].domid);
        json_text(json, "name", host->clashes[i].name);
        json_text(json, "uuid", host->clashes[i].uuid);
        json_close_map(json);
    }
    json_close_array(json);
}

/* The first and the last of each row of neighbours. */
static void put_cpus(struct json *json, const struct facts_cpus *cpus)
{
    json_open_array(json, "cpus");
    for (unsigned i = 0; i < FACTS_MAX_CPUS; i++) {
        if (!facts_cpus_have(cpus, i))
            continue;
        json_count(json, NULL, i);
        while (facts_cpus_have(cpus, i + 1))
            i++;
        json_count(json, NULL, i);
    }
    json_close_array(json);
}

static void put_answer(struct json *json, const char *key,
                       enum facts_answer answer)
{
    if (answer != FACTS_UNKNOWN)
        json_text(json, key, facts_answer_name(answer));
}

static void put_answers(struct json *json, const char *key,
                        const enum facts_answer *answers, unsigned nr)
{
    json_open_array(json, key);
    for (unsigned i = 0; i < nr; i++)
        json_text(json, NULL, facts_answer_name(answers[i]));
    json_close_array(json);
}

void facts_host_put(struct json *json, const char *key,
                    const struct facts_host *host)
{
    json_open_map(json, key);
    json_text(json, "host", host->host);
    json_text(json, "boot", host->boot);
    json_text(json, "version", host->version);
    if (host->has_xen) {
        json_open_map(json, "xen");
        json_count(json, "major", host->xen_major);
        json_count(json, "minor", host->xen_minor);
        json_count(json, "total_kib", host->total_kib);
        json_count(json, "free_kib", host->free_kib);
        json_count(json, "nr_cpus", host->nr_cpus);
        json_close_map(json);
    }
    put_answer(json, "pv", host->pv);
    put_answer(json, "hvm", host->hvm);
    put_answer(json, "hap", host->hap);
    put_answer(json, "shadow", host->shadow);
    put_answer(json, "autoballoon", host->autoballoon);
    put_answer(json, "pool", host->pool);
    if (host->sched[0])
        json_text(json, "scheduler", host->sched);
    if (host->has_cpus)
        put_cpus(json, &host->cpus);
    put_answer(json, "domid_taken", host->domid_taken);
    if (host->has_clock)
        json_count(json, "clock_ns", host->clock_ns);
    put_answers(json, "ports_taken", host->ports_taken, host->nr_ports);
    put_clashes(json, host);
    put_files(json, host);
    put_answers(json, "bridges", host->bridges, host->nr_bridges);
    if (host->has_cpu_policy)
        put_policy(json, &host->cpu_policy);
    json_close_map(json);
}

static int get_policy(const struct message *host_from, struct facts_host *host,
                      struct xcx_err *err)
{
    const struct message from = {.root = message_value(host_from, "cpu"),
                                 .type = "facts' cpu"};
    struct xcx_cpu_policy *policy = &host->cpu_policy;
    uint32_t leaves[XCX_CPU_MAX_LEAVES * 6], msrs[XCX_CPU_MAX_MSRS * 3];
    size_t nr_leaves = 0, nr_msrs = 0;

    if (!from.root)
        return 0;
    if (facts_get_u32s(&from, "leaves", XCX_CPU_MAX_LEAVES, 6, leaves,
                       &nr_leaves, err) ||
        facts_get_u32s(&from, "msrs", XCX_CPU_MAX_MSRS, 3, msrs, &nr_msrs, err))
        return -1;
    for (size_t i = 0; i < nr_leaves; i++) {
        const uint32_t *at = &leaves[i * 6];

        policy->leaves[i] = (struct xcx_cpu_leaf){
            .leaf = at[0],
            .subleaf = at[1],
            .a = at[2],
            .b = at[3],
            .c = at[4],
            .d = at[5],
        };
    }
    for (size_t i = 0; i < nr_msrs; i++) {
        policy->msrs[i].index = msrs[i * 3];
        policy->msrs[i].value =
            (uint64_t)msrs[i * 3 + 2] << 32 | msrs[i * 3 + 1];
    }
    policy->nr_leaves = (unsigned)nr_leaves;
    policy->nr_msrs = (unsigned)nr_msrs;
    host->has_cpu_policy = true;
    return 0;
}

static int get_cpus(const struct message *from, struct facts_host *host,
                    struct xcx_err *err)
{
    uint32_t ranges[FACTS_MAX_CPUS];
    size_t nr = 0;

    if (facts_get_u32s(from, "cpus", FACTS_MAX_CPUS / 2, 2, ranges, &nr, err))
        return -1;
    for (size_t i = 0; i < nr; i++) {
        if (ranges[2 * i + 1] >= FACTS_MAX_CPUS)
            return facts_improper("cpus", err);
        for (uint32_t cpu = ranges[2 * i]; cpu <= ranges[2 * i + 1]; cpu++)
            facts_cpus_add(&host->cpus, cpu);
    }
    host->has_cpus = message_value(from, "cpus") != NULL;
    return 0;
}

static int get_file(yajl_val value, struct facts_file *file,
                    struct xcx_err *err)
{
    const struct message from = {.root = value, .type = "facts' file"};
    unsigned type;

    if (facts_get_name_of(&from, "type", type_names, NR(type_names), &type,
                          err) ||
        message_bool(&from, "executable", &file->executable, err) ||
        message_count(&from, "size_bytes", 0, MAX_BYTES, &file->size_bytes,
                      err) ||
        message_count(&from, "fs_magic", 0, UINT32_MAX, &file->fs_magic, err) ||
        message_bool(&from, "untold", &file->untold, err) ||
        facts_get_text(&from, "version", file->version, sizeof(file->version),
                       err))
        return -1;
    file->has_size = message_value(&from, "size_bytes") != NULL;
    file->type = (enum facts_file_type)type;
    return 0;
}

static int get_files(const struct message *from,
                     const struct facts_query *query, struct facts_host *host,
                     struct xcx_err *err)
{
    yajl_val *values = NULL;
    size_t nr;

    if (facts_get_array(from, "files", FACTS_MAX_FILES, &values, &nr, err))
        return -1;
    if (nr && nr != query->nr_files)
        return facts_improper("files", err);
    for (size_t i = 0; i < nr; i++) {
        if (get_file(values[i], &host->files[i], err))
            return -1;
    }
    host->nr_files = (unsigned)nr;
    return 0;
}

/* nr_asked of them, or none; a text that is not known is unknown. */
static int get_answers(const struct message *from, const char *key,
                       unsigned nr_asked, enum facts_answer *answers,
                       unsigned *ret_nr, struct xcx_err *err)
{
    yajl_val *values = NULL;
    size_t nr;

    if (facts_get_array(from, key, nr_asked, &values, &nr, err))
        return -1;
    if (nr && nr != nr_asked)
        return facts_improper(key, err);
    for (size_t i = 0; i < nr; i++) {
        const char *text = YAJL_GET_STRING(values[i]);

        answers[i] = text && strcmp(text, "yes") == 0  ? FACTS_YES
                     : text && strcmp(text, "no") == 0 ? FACTS_NO
                                                       : FACTS_UNKNOWN;
    }
    *ret_nr = (unsigned)nr;
    return 0;
}

static int get_clock(const struct message *from, struct facts_host *host,
                     struct xcx_err *err)
{
    host->has_clock = message_value(from, "clock_ns") != NULL;
    return message_count(from, "clock_ns", 0, INT64_MAX, &host->clock_ns, err);
}

static int get_clashes(const struct message *from, struct facts_host *host,
                       struct xcx_err *err)
{
    yajl_val *values = NULL;
    size_t nr;

    if (facts_get_array(from, "clashes", FACTS_MAX_CLASHES, &values, &nr, err))
        return -1;
    for (size_t i = 0; i < nr; i++) {
        const struct message at = {.root = values[i], .type = "facts' clash"};
        struct facts_clash *clash = &host->clashes[i];

        if (facts_get_unsigned(&at, "domid", UINT16_MAX, &clash->domid, err) ||
            facts_get_text(&at, "name", clash->name, sizeof(clash->name),
                           err) ||
            message_uuid(&at, "uuid", clash->uuid, sizeof(clash->uuid), err))
            return -1;
    }
    host->nr_clashes = (unsigned)nr;
    host->has_clashes = message_value(from, "clashes") != NULL;
    return 0;
}

static int get_xen(const struct message *host_from, struct facts_host *host,
                   struct xcx_err *err)
{
    const struct message from = {.root = message_value(host_from, "xen"),
                                 .type = "facts' xen"};

    if (!from.root)
        return 0;
    host->has_xen = true;
    return facts_get_unsigned(&from, "major", MAX_VERSION, &host->xen_major,
                              err) ||
                   facts_get_unsigned(&from, "minor", MAX_VERSION,
                                      &host->xen_minor, err) ||
                   message_count(&from, "total_kib", 0, MAX_KIB,
                                 &host->total_kib, err) ||
                   message_count(&from, "free_kib", 0, MAX_KIB, &host->free_kib,
                                 err) ||
                   facts_get_unsigned(&from, "nr_cpus", MAX_CPUS,
                                      &host->nr_cpus, err)
               ? -1
               : 0;
}

static int get_host(const struct message *from, const struct facts_query *query,
                    struct facts_host *host, struct xcx_err *err)
{
    return facts_get_text(from, "host", host->host, sizeof(host->host), err) ||
                   facts_get_text(from, "boot", host->boot, sizeof(host->boot),
                                  err) ||
                   facts_get_text(from, "version", host->version,
                                  sizeof(host->version), err) ||
                   get_xen(from, host, err) ||
                   facts_get_answer(from, "pv", &host->pv, err) ||
                   facts_get_answer(from, "hvm", &host->hvm, err) ||
                   facts_get_answer(from, "hap", &host->hap, err) ||
                   facts_get_answer(from, "shadow", &host->shadow, err) ||
                   facts_get_answer(from, "autoballoon", &host->autoballoon,
                                    err) ||
                   facts_get_answer(from, "pool", &host->pool, err) ||
                   facts_get_text(from, "scheduler", host->sched,
                                  sizeof(host->sched), err) ||
                   get_cpus(from, host, err) || get_clashes(from, host, err) ||
                   get_files(from, query, host, err) ||
                   get_answers(from, "bridges", query->nr_bridges,
                               host->bridges, &host->nr_bridges, err) ||
                   get_answers(from, "ports_taken", query->nr_ports,
                               host->ports_taken, &host->nr_ports, err) ||
                   facts_get_answer(from, "domid_taken", &host->domid_taken,
                                    err) ||
                   get_clock(from, host, err) || get_policy(from, host, err)
               ? -1
               : 0;
}

int facts_host_get(yajl_val object, const struct facts_query *query,
                   struct facts_host *ret_host, struct xcx_err *err)
{
    const struct message from = {.root = object, .type = "facts"};
    struct facts_host host = {0};

    if (!YAJL_IS_OBJECT(object))
        return facts_improper("facts", err);
    if (get_host(&from, query, &host, err))
        return -1;
    *ret_host = host;
    return 0;
}
